"""A centreline that runs through calcium is moved to where the lumen is beside it.

A contour r(theta) begins at its pole: from a pole inside a deposit the lumen beside it cannot
be outlined, and re-centring never finds the way. So poles around the deposit are tried.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.ndimage import gaussian_filter1d, label

from ffr.segmentation.reading import centroid, read_stack
from ffr.segmentation.stacks import FRAME_SMOOTHING_POINTS, TRAINED_SECTIONS, stack
from ffr.segmentation.weights import Network
from ffr.sharpness import Sharpness
from meshes.arrays import Floats, floats
from meshes.contours import area_radius_mm
from meshes.spacing import distinct
from meshes.straighten import frames, sampled
from meshes.volume import Volume

BRIGHT = 1.3  # of the blood there: noise seldom, calcium soon
SHORTEST = 2  # points: 1 mm
ASIDE_MM = 0.5, 1.0
DIRECTIONS = 8
SIDE = 4  # points over which a move fades out
GAIN = 1.3  # what a pole must win to be taken
CALMING_POINTS = 2.0


def beside_calcium(
    volume: Volume, points_mm: Floats, blood_hu: Floats, seen: Sharpness, network: Network
) -> Floats:
    """Return a centreline, moved aside where it runs through what is brighter than blood.

    Each such stretch is tried at `ASIDE_MM` in eight directions; the pole is taken from which
    the network sees the widest lumen with the least spread: the median of radius over its
    standard deviation. Where none is clearly better, nothing moves.

    Parameters
    ----------
    volume
        The scan, HU.
    points_mm
        A vessel's centreline, none of its points on another, shape (n, 3).
    blood_hu
        Attenuation of the blood along it, shape (n,).
    seen
        Blur and noise of the scan.
    network
        The lumen network.
    """
    bright = sampled(volume, points_mm, outside=0.0) > BRIGHT * blood_hu
    stretches, count = label(bright)
    moved = np.array(points_mm)
    for number in range(1, count + 1):
        own = np.flatnonzero(stretches == number)
        if len(own) < SHORTEST:
            continue
        first = max(0, own[0] - TRAINED_SECTIONS)
        around = slice(first, own[-1] + 1 + TRAINED_SECTIONS)
        inner = own - first
        here = moved[around]

        def certainty(line: Floats, around: slice = around, inner: Floats = inner) -> float:
            read = read_stack(stack(volume, distinct(line), blood_hu[around], seen), network)
            return float(np.median(area_radius_mm(read.lumen_mm[inner]) / read.sd_mm[inner]))

        fade = np.interp(np.arange(len(here)), *_trapeze(inner, len(here)))[:, None]
        _, normal, binormal = frames(here, FRAME_SMOOTHING_POINTS)
        best, least = here, GAIN * certainty(here)
        for aside, turn in product(ASIDE_MM, range(DIRECTIONS)):
            angle = 2 * np.pi * turn / DIRECTIONS
            way = np.cos(angle) * normal + np.sin(angle) * binormal
            tried = _centred(volume, here + aside * fade * way, blood_hu[around], seen, network)
            if (found := certainty(tried)) > least:
                best, least = tried, found
        moved[around] = best
    return floats(moved)


def _trapeze(inner: Floats, count: int) -> tuple[Floats, Floats]:
    """Corners of a weight that is 1 on a stretch and fades out beside it."""
    a, b = float(inner[0]), float(inner[-1])
    return floats([a - SIDE, a, b, b + SIDE]), floats([0.0, 1.0, 1.0, 0.0])


def _centred(
    volume: Volume, line: Floats, blood_hu: Floats, seen: Sharpness, network: Network
) -> Floats:
    """Move a line once to the middle of the lumen that is seen from it."""
    made = stack(volume, distinct(line), blood_hu, seen)
    shift = centroid(read_stack(made, network).lumen_mm, made.ray_direction)
    return floats(line + gaussian_filter1d(shift, CALMING_POINTS, axis=0, mode="nearest"))
