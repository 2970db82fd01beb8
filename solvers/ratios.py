"""Which pressure ratios does one read from the waves of a beat?"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from meshes.arrays import Floats, floats

WAVE_FREE_START = 0.25  # of diastole; iFR, Sen et al., J Am Coll Cardiol 2012;59:1392
WAVE_FREE_MARGIN_S = 0.005  # before the end of diastole, same source


class Waves(Protocol):
    """One cycle of a tree: times, its end included, (t,), and static pressure (t, n)."""

    @property
    def time_s(self) -> Floats:
        """From the start of the cycle."""

    @property
    def pressure_mmhg(self) -> Floats:
        """At each point, the inlet first."""


def mean_pressure_ratio(pulse: Waves) -> Floats:
    """Return mean Pd over mean Pa of the whole cycle at each point, shape (n,).

    With hyperaemic beds this is FFR (Pijls et al., New England Journal of Medicine
    1996;334:1703), with resting beds resting Pd/Pa.
    """
    mean = np.asarray(np.trapezoid(pulse.pressure_mmhg, pulse.time_s, axis=0))
    return floats(mean / mean[0])


def wave_free_ratio(pulse: Waves, diastole_s: float | None = None) -> Floats:
    """Return the instantaneous wave-free ratio iFR at each point, shape (n,).

    Mean Pd over mean Pa from a quarter into diastole to 5 ms before its end (Sen et al.,
    Journal of the American College of Cardiology 2012;59:1392), resting beds assumed.

    Parameters
    ----------
    pulse
        The waves at rest.
    diastole_s
        When diastole begins; if not given, when the aortic pressure falls fastest (the
        incisura). It ends when the aortic pressure is lowest before the next upstroke.

    Raises
    ------
    ValueError
        A diastole that begins outside the cycle, or is too short to hold the window.
    """
    period = float(pulse.time_s[-1])
    time, aortic = pulse.time_s[:-1], pulse.pressure_mmhg[:-1, 0]
    begin = time[np.argmin(np.gradient(aortic, time))] if diastole_s is None else diastole_s
    since = (time - begin) % period
    peak = (time[np.argmax(aortic)] - begin) % period
    before = since < peak
    length = float(since[before][np.argmin(aortic[before])]) if np.any(before) else 0.0
    window = (since >= WAVE_FREE_START * length) & (since <= length - WAVE_FREE_MARGIN_S)
    if not 0.0 <= begin < period or np.count_nonzero(window) < 2:
        message = f"diastole from {begin:.3g} s lasts {length:.3g} s: too short for iFR"
        raise ValueError(message)
    mean = pulse.pressure_mmhg[:-1][window].mean(axis=0)
    return floats(mean / mean[0])
