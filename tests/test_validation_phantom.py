"""The tables of virtual patients beside published ones, at small size."""

import numpy as np
import pytest

from ffr.phantom.patient import virtual_patient
from validation.phantom import attenuation, diameters, noise_spectrum, visible_lumen


def test_a_3_mm_stent_shows_half_to_three_quarters_of_its_lumen():
    rng = np.random.default_rng(4)
    seen = np.array([visible_lumen(rng) for _ in range(7)])
    assert 0.5 <= np.median(seen[:, 0]) <= 0.76
    assert np.median(seen[:, 1]) > 500  # metal, not blood


def test_a_sharper_scan_shows_more_of_a_stent():
    shares = []
    for fwhm in (0.5, 1.0):
        rng = np.random.default_rng(5)
        shares.append(np.median([visible_lumen(rng, 3.0, fwhm)[0] for _ in range(5)]))
    assert shares[1] < shares[0] - 0.05


def test_noise_peaks_where_it_is_told_and_vanishes_at_low_frequency():
    at, start = noise_spectrum(0.35, np.random.default_rng(0))
    assert at == pytest.approx(0.35, abs=0.05)
    assert start < 0.3


def test_tissues_lie_in_published_ranges():
    rows = {r.split(" | ")[0].strip("| "): r.split(" | ") for r in attenuation()[2:]}
    for name in ("aorta", "myocardium", "fat", "lung"):
        median = float(rows[name][1].split(" ")[0])
        low, high = (float(x) for x in rows[name][2].strip(" |").split(" to "))
        assert low <= median <= high


def test_mean_diameters_lie_within_one_deviation_of_published_ones():
    rows = diameters([virtual_patient(s, 0.0) for s in range(1_000_700, 1_000_712)])[2:]
    checked = 0
    for row in rows:
        side, way, ours, theirs = (x.strip() for x in row.strip("|").split(" | "))
        if not way.isdigit() or (side, way) == ("left", "10"):  # see docs: the left main
            continue
        (mean, _), (other, sd) = (map(float, x.split(" ± ")) for x in (ours, theirs))
        assert abs(mean - other) < sd, row
        checked += 1
    assert checked == 11
