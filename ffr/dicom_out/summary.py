"""What does the one-page summary show?"""

from __future__ import annotations

import io

from matplotlib.backends.backend_pdf import PdfPages

from ffr.dicom_out.pages import Shown, paste, trees
from ffr.dicom_out.sheets import Pen, page
from ffr.dicom_out.tables import by_ffr, lesion_table, vessel_table, warnings
from ffr.report.colours import PALE_INK
from ffr.report.html import headline
from ffr.report.svg import style
from ffr.result import Result
from ffr.show import cad_rads_line


def summary_pdf(shown: Shown) -> bytes:
    """Return one page A4: what was found, how sure it is, what was assumed."""
    result = shown.result
    with style():
        figure, pen = page(8.27, 11.69, shown.made)
        pen.line("CT-derived fractional flow reserve: summary", 15, fontweight="bold")
        pen.line(_scan(result), 7.5, color=PALE_INK)
        pen.at_in += 0.06
        pen.line(str(headline(result)["text"]), 10.5, 0.02, fontweight="bold")
        pen.line(f"{cad_rads_line(result)}; for the reader to confirm", 8, 0.08)
        paste(figure, pen, trees(shown), 2.6, dpi=300)
        pen.heading("Lesions")
        ranked = by_ffr(result)
        lesion_table(pen, ranked[:8], 6.6)
        if len(ranked) > 8:
            pen.line(f"and {len(ranked) - 8} more: see pictures and report", 7)
        pen.heading("Vessels")
        vessel_table(pen, result, slice(0, 14), 6.6)
        if len(result.vessels) > 14:
            pen.line(f"and {len(result.vessels) - 14} more: see pictures and report", 7)
        _assumed(pen, result)
        warnings(pen, result, 7.2)
        buffer = io.BytesIO()
        told = {"Title": "ct-ffr RUO summary", "Creator": "ct-ffr", "CreationDate": None}
        with PdfPages(buffer, metadata=told) as pdf:
            pdf.savefig(figure)
    return buffer.getvalue()


def _scan(result: Result) -> str:
    size, spacing = result.input.size, result.input.spacing_mm
    said = f"Scan of {' × '.join(map(str, size))} "
    said += f"voxels of {' × '.join(f'{x:.2f}' for x in spacing)} mm"
    grade = result.image_quality.grade
    said += f"; image quality {grade}" if grade else ""
    said += f"; LV mass {result.lv_mass_g:.0f} g" if result.lv_mass_g else ""
    return said + (f"; dominance {result.dominance}." if result.dominance else ".")


def _assumed(pen: Pen, result: Result) -> None:
    pen.heading("Assumed, because not given or measured")
    said = "; ".join(f"{x.name}: {x.value}" for x in result.assumptions if x.assumed)
    pen.line(said or "nothing", 7.2)
