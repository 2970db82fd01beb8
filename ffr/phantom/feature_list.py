"""The features of a virtual patient as plain rows for its truth file."""

from __future__ import annotations

from typing import Any

import numpy as np

from ffr.phantom.coronaries import STEP_MM
from ffr.phantom.patient import VirtualPatient
from meshes.tree import CoronaryTree, path_length_mm

Row = dict[str, Any]


def feature_rows(patient: VirtualPatient) -> list[Row]:
    """Return one row per feature: kind, vessel and path length from the ostium in mm, sizes.

    Vessels are named as in the true trees, where side branches are counted by take-off.
    """
    f = patient.features
    rows: list[Row] = [{"kind": "anomaly", "what": name} for name in f.anomalies]
    for b in f.bridges:
        rows.append(_placed(patient, "myocardial bridge", b.vessel, b.start_mm, b.end_mm))
        rows[-1]["depth_mm"] = round(b.depth_mm, 1)
    for n in f.narrowings:
        rows.append(_placed(patient, n.kind, n.vessel, n.start_mm, n.end_mm))
        rows[-1]["diameter_stenosis_percent"] = round(n.diameter_stenosis_percent, 1)
        if n.medina:
            rows[-1]["medina"] = n.medina
    for s in f.stents:
        rows.append(_placed(patient, "stent", s.vessel, s.start_mm, s.end_mm))
        rows[-1] |= {
            "diameter_mm": round(s.diameter_mm, 2),
            "strut_mm": round(s.strut_mm, 3),
            "in_stent_stenosis_percent": round(s.in_stent_stenosis_percent, 1),
        }
    for o in f.occlusions:
        rows.append(_placed(patient, "occlusion", o.vessel, o.start_mm, o.start_mm))
        rows[-1] |= {
            "length_mm": round(o.length_mm, 1),
            "filled_percent": round(o.filled_percent),
            "vessels_beyond": [a.name for a in o.beyond],
        }
    kinds = sorted({d.kind for d in f.dense})
    rows.extend({"kind": kind, "count": sum(d.kind == kind for d in f.dense)} for kind in kinds)
    return rows


def _placed(
    patient: VirtualPatient, kind: str, vessel: str, start_mm: float, end_mm: float
) -> Row:
    """A row with the place of a stretch in the true tree that holds its vessel."""
    found = {a.name: a for a in patient.arteries}
    if vessel not in found:  # it lies beyond an occlusion
        return {"kind": kind, "vessel": vessel, "beyond_occlusion": True}
    axis = found[vessel].centre_mm
    i, j = (min(int(s / STEP_MM), len(axis) - 1) for s in (start_mm, end_mm))
    trees = (patient.left, patient.right, *patient.others)
    least = [np.linalg.norm(c.tree.points_mm - axis[i], axis=1).min() for c in trees]
    tree = trees[int(np.argmin(least))]
    first, last = (_nearest(tree, axis[n]) for n in (i, j))
    s = path_length_mm(tree.tree)
    return {
        "kind": kind,
        "vessel": tree.names[tree.branch[_nearest(tree, axis[(i + j) // 2])]],
        "from_mm": round(float(s[first]), 1),
        "to_mm": round(float(s[last]), 1),
    }


def _nearest(tree: CoronaryTree, point: Any) -> int:
    return int(np.argmin(np.linalg.norm(tree.tree.points_mm - point, axis=1)))
