"""What does the process of one job do? All stages and the DICOM objects, in this order.

As `python -m ffr.batch.child`, with the objects of `ffr dicom` in the run's folder.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ffr.batch import child
from ffr.partial import claimed
from ffr.results.stages import OBJECTS


def main() -> int:
    """Analyse the study of the request; a refusal is one line and exit code 2."""
    return child.main(analyse)


def analyse(request: dict[str, Any]) -> None:
    """Go through all stages, then write the objects; the request as of `ffr.batch.child`."""
    from ffr.dicom_out.write import write_objects  # heavy

    child.analyse(request)
    out = Path(request["out"])
    with claimed(out):
        write_objects(out, Path(request["study"]), out / OBJECTS, lambda _: None)


if __name__ == "__main__":
    sys.exit(main())
