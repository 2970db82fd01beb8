"""What the reader sees: report.html and report.pdf, made without OpenGL or network."""

from ffr.report.html import render_report, save_report
from ffr.report.pdf import report_pdf, report_pictures
from ffr.report.shown import Shown

__all__ = ["Shown", "render_report", "report_pdf", "report_pictures", "save_report"]
