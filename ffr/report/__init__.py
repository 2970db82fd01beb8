"""What the reader sees: report.html and report.pdf, made without OpenGL or network.

`html.py` and `pdf.py` write them. Nothing is imported here: the page of `ffr view` needs words
and colours at once, and not what draws.
"""
