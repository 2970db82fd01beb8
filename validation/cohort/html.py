"""How does a document become one HTML file that asks nobody for anything?"""

from __future__ import annotations

from pathlib import Path

import jinja2
from matplotlib.figure import Figure

from ffr.report.svg import data_uri
from validation.cohort.document import Document


def page(document: Document) -> str:
    """Return the report as one HTML text; pictures are inside it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"kind": lambda block: type(block).__name__, "address": _address}
    return environment.get_template("template.html.j2").render(document=document)


def _address(figure: Figure) -> str:
    """Return a figure as a data address; its layout stays as it is, and is not found twice."""
    address = data_uri(figure)
    figure.set_layout_engine("none")
    return address
