"""How does the chest around a piece dim the beam, at two energies?

Attenuation of water at 60 and 100 keV: NIST XCOM (Hubbell & Seltzer 1995). Iodine, iron and
calcium favour 60 keV over 100 keV about 3.2, 2.7 and 2.1 times as much as water does; one
"dense" matter stands for all three.
"""

from __future__ import annotations

import numpy as np

from meshes.arrays import AnyArray, Floats, floats

VIEWS = 720  # over half a turn
TURN_RAD = (np.arange(VIEWS) + 0.5) * np.pi / VIEWS
COSINE, SINE = floats(np.cos(TURN_RAD)), floats(np.sin(TURN_RAD))
MU_1_MM = floats([0.02059, 0.01707])  # of water
PHOTONS = floats([0.66, 0.34])  # so mixed that a chest lets through as many of both
LIFT = floats([1.399, 0.518])  # of dense matter: ratio 2.7, one on average behind a chest
AROUND_HU = 50.0  # of the heart's muscle, where pieces lie
BESIDE_MM = (5.0, -25.0, 42.0, 36.0)  # middle and half axes of where they lie
# x, y, half axes in mm, soft and dense attenuation added to what lies there
BODY = np.array(
    [
        [0, 0, 150, 110, 1.04, 0],  # chest
        [-97, 0, 36, 62, -0.89, 0],  # lungs
        [97, 0, 36, 62, -0.89, 0],
        [5, -25, 55, 50, 0.01, 0],  # heart
        [5, -25, 25, 20, 0, 0.35],  # its blood
        [0, 72, 18, 18, 0.05, 0.30],  # spine
        [28, 55, 12, 12, 0, 0.38],  # descending aorta
        [0, -98, 25, 6, 0.05, 0.30],  # sternum
    ]
)


def body_mm(percent: float, t_mm: Floats) -> tuple[Floats, Floats]:
    """Return a body's soft and dense line integrals at places (view, ...) of the views.

    Parameters
    ----------
    percent
        Size of the body.
    t_mm
        Signed distance of each ray from the axis of rotation.
    """
    soft, dense = np.zeros_like(t_mm), np.zeros_like(t_mm)
    size = percent / 100.0
    for x, y, a, b, more_soft, more_dense in BODY:
        wide2 = (size * a * COSINE) ** 2 + (size * b * SINE) ** 2
        off = t_mm - size * (x * COSINE + y * SINE)[:, None]
        chord = np.sqrt(np.maximum(wide2[:, None] - off * off, 0.0))
        chord *= (2 * size * size * a * b / wide2)[:, None]
        if more_soft:
            soft += more_soft * chord
        if more_dense:
            dense += more_dense * chord
    return soft, dense


def let_through(percent: float, t_mm: Floats) -> AnyArray:
    """Return the photons that a body lets through, (energy, view, ...), of one sent."""
    soft, dense = body_mm(percent, t_mm)
    exponent = MU_1_MM[:, None, None] * (soft + LIFT[:, None, None] * dense)
    return np.asarray((PHOTONS[:, None, None] * np.exp(-exponent)).astype(np.float32))


def water_mm(light: AnyArray) -> AnyArray:
    """Return the way through water that dims the beam to a part of its photons."""
    dimmed = -np.log(light)
    total = np.full_like(dimmed, WATER[-1])
    for term in WATER[-2::-1]:
        total *= dimmed
        total += term
    total *= dimmed
    return np.asarray(total)


def _water_terms() -> AnyArray:
    """Return the polynomial that `water_mm` evaluates, from the first power on."""
    way = np.linspace(-10, 400, 821)
    dimmed = -np.log((PHOTONS * np.exp(-MU_1_MM * way[:, None])).sum(axis=1))
    powers = dimmed[:, None] ** np.arange(1, 7)
    return np.asarray(np.linalg.lstsq(powers, way, rcond=None)[0].astype(np.float32))


WATER = _water_terms()
