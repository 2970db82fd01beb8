"""Which verbs write a run for other programs? `export`, `dicom`, `send`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ffr.cli.ending import RUO, in_child
from ffr.cli.options import Run
from ffr.partial import claimed
from ffr.results.stages import OBJECTS


def export(
    run: Run,
    file: Annotated[Path, typer.Argument(help="Mesh to write; its extension says the format.")],
) -> None:
    """Write the lumen mesh as .ply, .obj, .off, .msh and others."""

    def work() -> None:
        from ffr.results.result_folder import require_run

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
        from ffr.results.result_folder import require_run

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


def send(
    run: Run,
    send_to: Annotated[
        str | None, typer.Option(help="AET@host:port (C-STORE) or http(s)://... (STOW-RS).")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Options of ffr serve as TOML; words overrule it.")
    ] = None,
    edit: Annotated[
        int | None, typer.Option(min=1, help="Number of an edited result, in place of OUT's.")
    ] = None,
    stent: Annotated[
        int | None, typer.Option(min=1, help="Number of a virtual stent, likewise.")
    ] = None,
    aet: Annotated[str | None, typer.Option(help="Our AE title; default CT-FFR.")] = None,
    send_tls: Annotated[bool, typer.Option("--send-tls", help="C-STORE by TLS.")] = False,
    send_login: Annotated[
        Path | None, typer.Option(help="File with user:password, of STOW-RS.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Our certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(help="Whose certificate the destination needs.")
    ] = None,
    retry_s: Annotated[
        float | None, typer.Option(help="Wait before the next try; default 10, then longer.")
    ] = None,
    tries: Annotated[int, typer.Option(min=1, max=1000, help="At most.")] = 5,
) -> None:
    """Send the DICOM objects of a run to an archive."""
    words: dict[str, Any] = {
        "send_to": send_to, "aet": aet, "send_tls": send_tls or None,
        "send_login": send_login, "tls_cert": tls_cert, "tls_key": tls_key, "tls_ca": tls_ca,
        "retry_s": retry_s,
    }  # fmt: skip

    def work() -> None:
        from ffr.results.result_folder import require_run

        require_run(run)
        from ffr.dicom_out.variant import chosen_variant
        from ffr.serve.options import options_from

        variant = chosen_variant(run, edit, stent)
        options = options_from(words, config)
        from ffr.serve.by_hand import send_objects  # heavy: after the checks
        from ffr.serve.node import silence

        silence()
        with claimed(run):
            count = send_objects(
                run, variant, options, tries, lambda line: print(line, flush=True)
            )
        print(f"sent {count} DICOM objects")
        print(RUO)

    in_child(run, work)
