"""A cohort as a hospital would keep it: a table, and finished runs called after the cases."""

import csv
import functools

import numpy as np
from standin import AORTIC_MMHG, make_case, result_of

from ffr.results.result import ffr_state
from ffr.results.result_file import save_result
from meshes.io import write_forest
from meshes.tree import path_length_mm

PATIENT = {"systolic_mmhg": None, "diastolic_mmhg": None, "haematocrit": None, "sex": None}


@functools.cache
def case():
    return make_case(spacing_mm=4.0)


@functools.cache
def known():
    return result_of(case(), settings={"patient": PATIENT}, flags=())


def result(shift=0.0, patient=None):
    """The stand-in's result with every FFR moved, and an interval around each."""
    lesions = []
    for x in known().lesions:
        ffr = x.ffr_distal + shift
        lesions.append(
            x.model_copy(
                update={
                    "ffr_distal": ffr, "ffr_low": ffr - 0.1, "ffr_high": ffr + 0.1,
                    "probability_below_0_80": float(ffr <= 0.8), "state": ffr_state(ffr),
                }
            )
        )  # fmt: skip
    settings = {"patient": PATIENT | (patient or {})}
    return known().model_copy(update={"lesions": tuple(lesions), "settings": settings})


def finished(folder, shift=0.0, *, tree=False, patient=None):
    """Write a finished run as far as the report on a cohort looks."""
    folder.mkdir(parents=True, exist_ok=True)
    save_result(folder / "result.json", result(shift, patient))
    if tree:
        write_tree(folder / "tree.vtp", shift)


def write_tree(path, shift=0.0):
    trees = case().coronaries
    names = sorted({name for c in trees for name in c.names})
    columns = []
    for c, s, mask in zip(trees, case().solutions, case().analysed, strict=True):
        ffr = np.where(mask, s.pressure_mmhg / AORTIC_MMHG + shift, np.nan)
        columns.append(
            {
                "ffr": ffr, "ffr_low": ffr - 0.1, "ffr_high": ffr + 0.1,
                "probability_below_0_80": (ffr <= 0.8).astype(float),
                "s_mm": path_length_mm(c.tree),
                "reference_radius_mm": c.reference_radius_mm,
                "branch": np.array([names.index(c.names[b]) for b in c.branch]),
            }
        )  # fmt: skip
    write_forest(path, [c.tree for c in trees], columns, {"branch_names": names})


def write_table(path, rows):
    """Write rows, each a dict, as CSV; columns that a row does not have stay empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def row(number, vessel="LAD", invasive=0.75, **more):
    return {
        "case_id": f"C{number:03d}", "patient_id": f"P{number:03d}", "vessel": vessel,
        "invasive_ffr": invasive, **more,
    }  # fmt: skip
