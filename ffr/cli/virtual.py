"""Which verbs need no patient? `phantom` and `demo` make a virtual one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ffr.cli.ending import in_child
from ffr.cli.going import run_stages
from ffr.cli.options import Out
from ffr.errors import ConfigError
from ffr.partial import claimed

if TYPE_CHECKING:
    from ffr.phantom.coronaries import LesionPlan
    from ffr.phantom.study import TrueLesion


def phantom(
    out: Out,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same patient.")] = 1_000_000,
    burden: Annotated[
        float, typer.Option(min=0, max=20, help="Mean number of stenoses; 0: healthy.")
    ] = 2.5,
    varied: Annotated[
        bool,
        typer.Option(help="Draw rare anatomy, further disease, stents, leads, bright veins."),
    ] = False,
) -> None:
    """Make a virtual patient: a DICOM study and the truth about it."""

    def work() -> None:
        _make_phantom(out, seed, burden, None, varied)

    in_child(out, work)


def _make_phantom(
    out: Path,
    seed: int,
    burden: float,
    plans: tuple[LesionPlan, ...] | None,
    varied: bool = False,
) -> tuple[TrueLesion, ...]:
    from ffr import workflow
    from ffr.circulation.patient import Patient
    from ffr.phantom.features import COMMON
    from ffr.phantom.patient import virtual_patient
    from ffr.phantom.study import (
        clinical_imaging,
        scan_grid,
        true_lesions,
        write_study,
        write_truth,
    )
    from ffr.results.result_folder import prepared
    from ffr.results.stages import discard_from
    from ffr.show import bars, progress_page

    real = any((out / name).exists() for name in ("study", "stages/scan", "result.json"))
    if real and not (out / "truth.json").exists():
        raise ConfigError("the folder holds a patient who is not virtual; give another --out")
    with prepared(out), claimed(out), bars(progress_page()) as opened:
        moved = opened("virtual patient")
        patient = virtual_patient(seed, burden, plans, COMMON if varied else None)
        truth = true_lesions(patient, Patient())
        imaging, grid = clinical_imaging(seed), scan_grid(patient)
        with workflow.replaced_folder(out / "study") as folder:
            write_study(patient, imaging, grid, folder, moved)
            write_truth(out / "truth.json", patient, truth)
            discard_from(out, "scan")  # a run of the virtual study that was here
    return truth


def demo(out: Out = Path("demo")) -> None:
    """The main job on a virtual patient, beside the known truth."""

    def work() -> None:
        from ffr.phantom.study import DEMO_LESIONS, DEMO_SEED
        from ffr.results.result_file import load_result
        from ffr.show import page, truth_table

        truth = _make_phantom(out, DEMO_SEED, 0.0, DEMO_LESIONS)
        run_stages(out / "study", out, "scan", None, None, {})
        page().print(truth_table(load_result(out / "result.json"), truth))
        print(f"report: {(out / 'report.html').resolve()}")

    in_child(out, work)
