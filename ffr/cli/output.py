"""Which verbs write a run for other programs? `export` and `dicom`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ffr.cli.ending import RUO, in_child
from ffr.cli.options import Run
from ffr.partial import claimed
from ffr.stages import OBJECTS


def export(
    run: Run,
    file: Annotated[Path, typer.Argument(help="Mesh to write; its extension says the format.")],
) -> None:
    """Write the lumen mesh as .ply, .obj, .off, .msh and others."""

    def work() -> None:
        from ffr.result_folder import require_run

        require_run(run)
        from ffr import workflow  # heavy: after the check

        with claimed(run):
            workflow.export(run, file)
        print(f"wrote the lumen as {file.suffix.lower()}")

    in_child(run, work)


def dicom(
    run: Run,
    study: Annotated[
        Path, typer.Option(help="The run's DICOM study: folder, zip or file; only read.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the objects; default dicom in OUT.")
    ] = None,
    edit: Annotated[
        int | None, typer.Option(min=1, help="Number of an edited result, in place of OUT's.")
    ] = None,
    stent: Annotated[
        int | None, typer.Option(min=1, help="Number of a virtual stent, likewise.")
    ] = None,
    stl: Annotated[
        bool, typer.Option("--stl", help="The lumen's surface as STL, too.")
    ] = False,
    ffr_map: Annotated[
        bool, typer.Option("--ffr-map", help="FFR as an image of numbers, too.")
    ] = False,
) -> None:
    """Write a run as DICOM: pictures, PDF, measurements, segmentation."""

    def work() -> None:
        from ffr.result_folder import require_run

        require_run(run)
        from ffr.dicom_out.variant import chosen_variant

        variant = chosen_variant(run, edit, stent)
        from ffr.dicom_out.write import Further, write_objects  # heavy: after the checks
        from ffr.show import bars, progress_page

        with claimed(run), bars(progress_page()) as opened:
            moved = opened("DICOM objects")
            place = out or variant.folder(run) / OBJECTS
            asked: dict[Further, bool] = {"surface": stl, "map": ffr_map}
            also = [kind for kind, wanted in asked.items() if wanted]
            count = write_objects(run, study, place, moved, variant, also)
        print(f"wrote {count} DICOM objects")
        print(RUO)

    in_child(run, work)
