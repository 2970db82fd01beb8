"""How does a document become one HTML file that asks nobody for anything?"""

from __future__ import annotations

from pathlib import Path

import jinja2

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
    environment.filters |= {"kind": lambda block: type(block).__name__, "address": data_uri}
    return environment.get_template("template.html.j2").render(document=document)
