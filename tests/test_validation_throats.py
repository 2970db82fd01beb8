"""Radii at narrowings: one scanned throat, and a table that counts."""

from dataclasses import replace

import numpy as np
import pytest

from ffr.phantom.coronaries import LesionPlan
from ffr.phantom.patient import virtual_patient
from ffr.phantom.study import clinical_imaging
from ffr.segmentation.weights import load_network
from validation import throats

SEED = throats.FIRST_SEED
PLANS = (LesionPlan("LAD", 24.0, 14.0, 50.0, False), LesionPlan("LAD", 60.0, 14.0, 40.0, False))


@pytest.fixture(scope="module")
def narrowed():
    patient = virtual_patient(SEED, 0.0, PLANS)
    (lad,) = (a for a in patient.arteries if a.name == "LAD")
    return patient, lad


def test_throats_are_where_they_were_planned(narrowed):
    _, lad = narrowed
    found = throats.throats(lad)
    assert [0.5 * i for i in found] == pytest.approx([24.0, 60.0], abs=3.0)
    healthy = replace(lad, lumen_mm=lad.healthy_mm)
    assert throats.throats(healthy) == []


def test_a_scanned_throat_is_measured_near_its_true_radius(narrowed):
    patient, lad = narrowed
    first = throats.throats(lad)[0]
    r = throats.measured(
        patient, lad, first, clinical_imaging(SEED), load_network("lumen"),
        np.random.default_rng(0),
    )  # fmt: skip
    assert r.found_mm.size > 2 * throats.WITHIN - 5
    assert np.sqrt(np.mean((r.found_mm - r.true_mm) ** 2)) < 0.12
    assert r.true_mm.min() < 0.6 * r.healthy_mm.max()
    assert np.all(np.isfinite(r.told_mm) & (r.told_mm > 0))


def test_the_table_counts_what_is_held():
    true = np.full(100, 1.0)
    found = np.concatenate([np.full(50, 1.0), np.full(50, np.exp(0.3))])
    told = np.concatenate([np.full(50, 0.05), np.full(50, 0.05 * np.exp(0.3))])
    r = throats.Radii(found, true, np.full(100, 2.0), told, np.full(100, 5.0))
    lines = throats.table(r)
    assert lines[2].split(" | ")[1] == "100"
    assert lines[2].endswith("| 50 | 50 |")  # 5 % told, 11 % at half the width: 30 % is beyond
    assert [line for line in lines if line.startswith("| told 5-10 %")]
    wide = replace(r, told_mm=3 * told)
    assert throats.table(wide)[2].endswith("| 50 | 100 |")
