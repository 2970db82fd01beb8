"""What is a report before it is a page? Sections of text, tables and pictures."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; `strong`: it must not be missed."""

    words: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table: names of the columns, as many cells in each row, what stands below and above.

    The first `words` columns hold words, the others numbers.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    words: int = 1
    title: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A figure, what it shows for who cannot see it, and what stands below it."""

    figure: Figure
    alt: str
    caption: str = ""


Block = Text | Table | Picture


@dataclass(frozen=True, slots=True)
class Section:
    """A chapter of the report: its heading, and what it holds in order."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report: `facts` stand below the title, `statement` on every page."""

    title: str
    facts: tuple[str, ...]
    statement: str
    created: str
    sections: tuple[Section, ...]
