"""How strongly a heart chamber is active at a time: curves between 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from meshes.arrays import Floats
from solvers.errors import NetworkError

# what each curve needs; svZeroDSolver documentation (Stanford, BSD-3), ActivationFunction
CURVES = {
    "half_cosine": ("t_active", "t_twitch"),
    "piecewise_cosine": (
        "contract_start", "relax_start", "contract_duration", "relax_duration",
    ),
    "two_hill": ("t_shift", "tau_1", "tau_2", "m1", "m2"),
    "double_tanh": ("tsys", "tdias", "steepness"),
    "wrapping_cosine": ("Tsa", "tpwave"),
    "fourier": (),
}  # fmt: skip
# modes of the ventricular elastance of svZeroDSolver's closed loop (tuning framework of Tran,
# Schiavazzi, Ramachandra, Kahn & Marsden, Computers & Fluids 2017;142:128): cosine, sine
ELASTANCE_MODES = np.array([
    (0.283748803, 0.0), (0.031830626, -0.374299825), (-0.2094724, -0.01812777),
    (0.020520047, 0.073971113), (0.008316883, -0.047249597), (-0.04167766, 0.003212163),
    (0.000867323, 0.019441411), (-0.001675379, -0.005565534), (-0.011252277, 0.003401432),
    (-0.000414677, 0.008376795), (0.000253749, -7.188e-05), (-0.002584966, 0.001566861),
    (0.000584752, 0.003143555), (2.8502e-05, -2.4787e-05), (2.2961e-05, -7.476e-06),
    (1.8735e-05, -1.281e-06), (1.5573e-05, 1.781e-06), (1.3133e-05, 3.494e-06),
    (1.1199e-05, 4.507e-06), (9.634e-06, 5.117e-06), (8.343e-06, 5.481e-06),
    (7.265e-06, 5.687e-06), (6.354e-06, 5.789e-06), (5.575e-06, 5.821e-06),
    (4.903e-06, 5.805e-06),
])  # fmt: skip


def activation(curve: str, values: Mapping[str, float], t: Floats, period: float) -> Floats:
    """Return the activation at times `t` [s] of a heart with cycle `period` [s], as `t`.

    Raises
    ------
    NetworkError
        Unknown curve, a value is missing.
    """
    if curve not in CURVES:
        message = f"activation function {curve!r} is none of {', '.join(CURVES)}"
        raise NetworkError(message)
    for name in CURVES[curve]:
        if name not in values:
            message = f"activation function {curve} needs {name}"
            raise NetworkError(message)
    v = [float(values[name]) for name in CURVES[curve]]
    if curve == "half_cosine":
        return half_cosine(np.mod(t, period), *v)
    if curve == "piecewise_cosine":
        return piecewise_cosine(t, period, *v)
    if curve == "two_hill":
        return two_hill(t, period, *v)
    if curve == "double_tanh":
        return double_tanh(np.mod(t, period), *v)
    if curve == "wrapping_cosine":
        return wrapping_cosine(np.mod(t, period), period, *v)
    raw = elastance(np.mod(t, period), period)
    all_day = elastance(np.linspace(0.0, period, 10000, endpoint=False), period)
    return np.asarray((raw - all_day.min()) / (all_day.max() - all_day.min()))


def half_cosine(t: Floats, active: float, twitch: float) -> Floats:
    """One cosine hump of length `twitch` from `active` on (Kerckhoffs 2007)."""
    since = np.maximum(t - active, 0.0)
    hump = 0.5 - 0.5 * np.cos(2.0 * np.pi * since / twitch)
    return np.where(since <= twitch, hump, 0.0)


def piecewise_cosine(
    t: Floats, period: float, contract: float, relax: float, rise: float, fall: float
) -> Floats:
    """Half a cosine up, half a cosine down (Regazzoni 2022)."""
    # the sign of a remainder is that of the time, as in C: before the first start nothing
    up, down = np.fmod(t - contract, period), np.fmod(t - relax, period)
    rising = (up >= 0) & (up < rise)
    falling = (down >= 0) & (down < fall) & ~rising
    value = np.where(rising, 0.5 - 0.5 * np.cos(np.pi * up / rise), 0.0)
    return np.where(falling, 0.5 + 0.5 * np.cos(np.pi * down / fall), value)


def two_hill(
    t: Floats, period: float, shift: float, tau_1: float, tau_2: float, m1: float, m2: float
) -> Floats:
    """Product of two Hill curves, scaled to a largest value of 1."""

    def curve(time: Floats) -> Floats:
        g1, g2 = (time / tau_1) ** m1, (time / tau_2) ** m2
        return np.asarray(g1 / (1.0 + g1) / (1.0 + g2))

    largest = curve(np.arange(0.0, period, 1e-5)).max()
    return np.asarray(curve(np.mod(np.mod(t, period) - shift, period)) / largest)


def double_tanh(t: Floats, begin: float, end: float, steepness: float) -> Floats:
    """On between `begin` and `end` with smooth flanks (Pfaller 2019)."""
    on = 0.5 * (1.0 + np.tanh((t - begin) / steepness))
    off = 0.5 * (1.0 - np.tanh((t - end) / steepness))
    return np.asarray(on * off)


def wrapping_cosine(t: Floats, period: float, systole: float, p_wave: float) -> Floats:
    """Atrial hump that runs over the end of the cycle (Sankaran 2012)."""
    long, wave = period * systole, period / p_wave
    late = 0.5 - 0.5 * np.cos(2.0 * np.pi * (t - wave + long) / long)
    early = 0.5 - 0.5 * np.cos(2.0 * np.pi * (t - wave - (period - long)) / long)
    return np.where(t <= wave, late, np.where(t >= period - long + wave, early, 0.0))


def elastance(t: Floats, period: float) -> Floats:
    """Ventricular elastance over its scale, a Fourier series."""
    angle = 2.0 * np.pi / period * np.outer(t, np.arange(len(ELASTANCE_MODES)))
    return np.asarray(
        np.cos(angle) @ ELASTANCE_MODES[:, 0] - np.sin(angle) @ ELASTANCE_MODES[:, 1]
    )
