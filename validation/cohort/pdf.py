"""How does a document become a PDF? A4 across, the statement on every page."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path

import matplotlib
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace

from validation.cohort.document import Document, Picture, Table, Text

FONT = "DejaVu"  # comes with matplotlib; has every sign the report uses
INK, PALE, SOFT, LINE = (22, 32, 44), (90, 102, 117), (244, 246, 248), (213, 218, 225)
WARNING, WARNING_INK = (255, 246, 229), (138, 71, 3)
_MARGIN_MM, _DPI = 12.0, 150


class _Paper(FPDF):
    """Pages with the statement above and below."""

    def __init__(self, document: Document) -> None:
        super().__init__(orientation="landscape", format="A4")
        fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        self.add_font(FONT, "", fonts / "DejaVuSans.ttf")
        self.add_font(FONT, "B", fonts / "DejaVuSans-Bold.ttf")
        self.document = document
        self.set_margins(_MARGIN_MM, _MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=14)
        self.set_creation_date(datetime.fromisoformat(document.created))
        self.set_title(f"{document.title}, research use only")
        self.set_producer("ct-ffr")

    def header(self) -> None:
        """Write the statement."""
        self.set_font(FONT, "B", 8)
        self.set_text_color(*WARNING_INK)
        self.cell(0, 5, self.document.statement, align="C", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(1)

    def footer(self) -> None:
        """Write the statement, the time and the page's number."""
        self.set_y(-11)
        self.set_font(FONT, "", 7)
        self.set_text_color(*PALE)
        text = f"{self.document.statement} {self.document.created} · page {self.page_no()}"
        self.cell(0, 5, f"{text} of {{nb}}", align="C")


def pdf_bytes(document: Document) -> bytes:
    """Return the report as PDF; the same document gives the same pages."""
    paper = _Paper(document)
    paper.add_page()
    paper.set_text_color(*INK)
    _words(paper, document.title, 17, "B")
    for fact in document.facts:
        _words(paper, fact, 8, colour=PALE)
    for section in document.sections:
        first = section.blocks[0] if section.blocks else None
        _room(paper, 14 + _size(paper, first)[1] if isinstance(first, Picture) else 45)
        paper.ln(3)
        _words(paper, section.title, 12.5, "B")
        paper.start_section(section.title)
        for block in section.blocks:
            if isinstance(block, Text):
                _words(paper, block.words, 9, "B" if block.strong else "", strong=block.strong)
            elif isinstance(block, Table):
                _table(paper, block)
            else:
                _picture(paper, block)
    return bytes(paper.output())


def _words(
    paper: FPDF, text: str, size: float, style: str = "",
    colour: tuple[int, int, int] = INK, strong: bool = False,
) -> None:  # fmt: skip
    paper.set_font(FONT, style, size)
    paper.set_text_color(*colour)
    if strong:
        paper.set_fill_color(*WARNING)
    paper.multi_cell(
        0, size * 0.5, text, align="L", fill=strong, new_x=XPos.LMARGIN, new_y=YPos.NEXT
    )
    paper.ln(1)


def _room(paper: FPDF, height_mm: float) -> None:
    if paper.will_page_break(height_mm):
        paper.add_page()


def _picture(paper: FPDF, block: Picture) -> None:
    width, height = _size(paper, block)
    _room(paper, height + 6)
    buffer = io.BytesIO()
    block.figure.savefig(buffer, format="png", dpi=_DPI, facecolor="white")
    paper.image(buffer, x=(paper.w - width) / 2, w=width, alt_text=block.alt)
    if block.caption:
        _words(paper, block.caption, 7.5, colour=PALE)


def _size(paper: FPDF, block: Picture) -> tuple[float, float]:
    """Return width and height that leave room for a heading on the same page, mm."""
    wide, high = block.figure.get_size_inches()
    width, most = 0.86 * paper.epw, paper.eph - 30
    height = width * high / wide
    return (width * most / height, most) if height > most else (width, height)


def _table(paper: FPDF, block: Table) -> None:
    _room(paper, (12 if block.title else 6) + 5 * min(len(block.rows), 8))
    if block.title:
        paper.ln(1.5)
        _words(paper, block.title, 9.5, "B")
    size = 7.5 if len(block.head) < 9 else 6.6
    paper.set_font(FONT, "", size)
    paper.set_text_color(*INK)
    paper.set_draw_color(*LINE)
    heading = FontFace(emphasis="BOLD", color=PALE, fill_color=(255, 255, 255))
    columns = tuple("LEFT" if k < block.words else "RIGHT" for k in range(len(block.head)))
    with paper.table(
        rows=(), headings_style=heading, text_align=columns, line_height=size * 0.52,
        col_widths=_widths(paper, block), borders_layout="HORIZONTAL_LINES",
        cell_fill_color=SOFT, cell_fill_mode="EVEN_ROWS", padding=0.7,
        first_row_as_headings=any(block.head),
    ) as table:  # fmt: skip
        for cells in (block.head, *block.rows) if any(block.head) else block.rows:
            row = table.row()
            for cell in cells:
                row.cell(cell)
    if block.note:
        paper.ln(0.8)
        _words(paper, block.note, 7, colour=PALE)


def _widths(paper: FPDF, block: Table) -> tuple[float, ...]:
    """Return the share of each column: what its longest cell needs, long ones held back."""
    rows = (block.head, *block.rows)
    wanted = [
        max(paper.get_string_width(row[k]) + 3 for row in rows) for k in range(len(block.head))
    ]
    longest_word = [
        max(paper.get_string_width(w) + 3 for row in rows for w in (row[k].split() or [""]))
        for k in range(len(block.head))
    ]
    whole = paper.epw
    if sum(wanted) <= whole:
        spare = (whole - sum(wanted)) / len(wanted)
        return tuple(w + spare for w in wanted)
    least = [min(w, max(n, 12.0)) for w, n in zip(wanted, longest_word, strict=True)]
    share = max(whole - sum(least), 1.0) / max(
        sum(w - n for w, n in zip(wanted, least, strict=True)), 1e-9
    )
    return tuple(n + share * (w - n) for w, n in zip(wanted, least, strict=True))
