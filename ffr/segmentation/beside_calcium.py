"""A centreline that runs through calcium is moved to where the lumen is beside it.

A contour r(theta) begins at its pole: from a pole inside a deposit the lumen beside it cannot
be outlined, and re-centring never finds the way. So poles around the deposit are tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.ndimage import binary_closing, label

from ffr.imaging.sharpness import Sharpness
from ffr.segmentation.reading import Sections, read_stack, recentring
from ffr.segmentation.stacks import FRAME_SMOOTHING_POINTS, TRAINED_SECTIONS, Stack, stack
from ffr.segmentation.weights import Network
from meshes.arrays import Floats, Ints, floats, ints
from meshes.contours import area_radius_mm
from meshes.spacing import distinct
from meshes.straighten import frames, sampled
from meshes.volume import Volume

BRIGHT = 1.3  # of the blood there: noise seldom, calcium soon
SHORTEST = 4  # points, 2 mm: what lies about a shorter one tells where its lumen is
CLOSE = 2  # points, 1 mm: stretches so near to each other are one
ASIDE_MM = 0.5, 1.0
DIRECTIONS = 8
SIDE = 4  # points over which a move fades out
GAIN = 1.3  # what a pole must win to be taken


def beside_calcium(
    volume: Volume, points_mm: Floats, blood_hu: Floats, seen: Sharpness, network: Network
) -> Floats:
    """Return a centreline, moved aside where it runs through what is brighter than blood.

    Each such stretch of 2 mm and more is tried at `ASIDE_MM` in eight directions; the pole is
    taken from which the network sees the widest lumen with the least spread: the median of
    radius over its standard deviation. Where none is clearly better, nothing moves.

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
    whole = binary_closing(np.pad(bright, CLOSE), np.ones(CLOSE + 1, dtype=bool))
    stretches, count = label(whole)
    stretches = stretches[CLOSE:-CLOSE]
    moved = np.array(points_mm)
    for number in range(1, count + 1):
        own = np.flatnonzero((stretches == number) & bright)
        if len(own) < SHORTEST:
            continue
        first = max(0, own[0] - TRAINED_SECTIONS)
        around = slice(first, own[-1] + 1 + TRAINED_SECTIONS)
        look = _Look(volume, blood_hu[around], seen, network, ints(own - first))
        moved[around] = _best_pole(moved[around], look)
    return floats(moved)


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """What sections are read with, and which of them lie in the bright stretch."""

    volume: Volume
    blood_hu: Floats
    seen: Sharpness
    network: Network
    inner: Ints

    def read(self, line: Floats) -> tuple[Sections, Stack]:
        made = stack(self.volume, distinct(line), self.blood_hu, self.seen)
        return read_stack(made, self.network), made

    def certainty(self, line: Floats) -> float:
        """Median of the lumen's radius over its standard deviation."""
        read, _ = self.read(line)
        radius = area_radius_mm(read.lumen_mm[self.inner])
        return float(np.median(radius / read.sd_mm[self.inner]))


def _best_pole(line: Floats, look: _Look) -> Floats:
    """Return the line, or that of those beside it from which the lumen is surest."""
    a, b = look.inner[0], look.inner[-1]
    fade = np.interp(np.arange(len(line)), [a - SIDE, a, b, b + SIDE], [0.0, 1.0, 1.0, 0.0])
    _, normal, binormal = frames(line, FRAME_SMOOTHING_POINTS)
    best, least = line, GAIN * look.certainty(line)
    for aside, turn in product(ASIDE_MM, range(DIRECTIONS)):
        angle = 2 * np.pi * turn / DIRECTIONS
        way = np.cos(angle) * normal + np.sin(angle) * binormal
        tried = floats(line + aside * fade[:, None] * way)
        read, made = look.read(tried)
        tried = floats(tried + recentring(read.lumen_mm, made.ray_direction))
        if (found := look.certainty(tried)) > least:
            best, least = tried, found
    return best
