"""How does VTK write a file, and tell us what went wrong instead of the terminal?"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from vtkmodules.vtkCommonCore import vtkLogger, vtkOutputWindow, vtkStringOutputWindow
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkCommonMisc import vtkErrorCode
from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter


def write_polydata(path: Path, poly: vtkPolyData) -> None:
    """Write `poly` as VTK XML.

    Raises
    ------
    OSError
        With the system's own reason, which VTK would only print.
    """
    writer = vtkXMLPolyDataWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(poly)
    with vtk_complaints():
        written = writer.Write() == 1
    if not written:
        code = writer.GetErrorCode()  # the system's number, or one of VTK's own above it
        if not 0 < code < vtkErrorCode.FirstVTKErrorCode:
            full = code == vtkErrorCode.OutOfDiskSpaceError
            code = errno.ENOSPC if full else errno.EIO
        raise OSError(code, os.strerror(code), str(path))


@contextlib.contextmanager
def vtk_complaints() -> Iterator[vtkStringOutputWindow]:
    """Collect what VTK would print: the user gets one line of ours instead."""
    before, collected = vtkOutputWindow.GetInstance(), vtkStringOutputWindow()
    verbosity = vtkLogger.GetCurrentVerbosityCutoff()
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    vtkOutputWindow.SetInstance(collected)
    try:
        yield collected
    finally:
        vtkLogger.SetStderrVerbosity(verbosity)
        vtkOutputWindow.SetInstance(before)
