"""What the reader sees: report.html, self-contained, made without OpenGL or network."""

from ffr.report.html import render_report, save_report

__all__ = ["render_report", "save_report"]
