"""What is a report before it is a page? Sections of text, tables and pictures."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph.

    Parameters
    ----------
    words
        What it says.
    strong
        Whether it must not be missed.
    """

    words: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table of cells.

    Parameters
    ----------
    head
        Names of the columns.
    rows
        As many cells each.
    note
        What stands below it.
    words
        How many columns, from the first, hold words; the others hold numbers.
    title
        What stands above it.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    words: int = 1
    title: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A figure.

    Parameters
    ----------
    figure
        Drawn by matplotlib.
    alt
        What it shows, for who cannot see it.
    caption
        What stands below it.
    """

    figure: Figure
    alt: str
    caption: str = ""


Block = Text | Table | Picture


@dataclass(frozen=True, slots=True)
class Section:
    """A chapter of the report.

    Parameters
    ----------
    title
        Its heading.
    blocks
        What it holds, in order.
    """

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report.

    Parameters
    ----------
    title
        Of the report.
    facts
        Lines below the title.
    statement
        What stands on every page.
    created
        ISO 8601.
    sections
        In order.
    """

    title: str
    facts: tuple[str, ...]
    statement: str
    created: str
    sections: tuple[Section, ...]
