"""What drives the coronary arteries within one heart beat: aorta and left ventricle?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ffr.circulation.estimates import mean_aortic_pressure_mmhg, personal
from ffr.circulation.patient import Patient
from ffr.circulation.physiology import Assumption, Physiology
from meshes.arrays import Floats, floats
from solvers.waveforms import DIASTOLE_FROM, aortic_wave_mmhg, ventricular_wave_mmhg

S_PER_MIN = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Beat:
    """One cycle at the upper end of the coronary trees and around their lower ends.

    Parameters
    ----------
    time_s
        From 0 to the period, both included, shape (t,).
    aortic_mmhg, ventricle_mmhg
        Pressure in the aorta and in the left ventricle, shape (t,).
    diastole_s
        When diastole begins; it lasts until the aortic pressure is lowest.
    """

    time_s: Floats
    aortic_mmhg: Floats
    ventricle_mmhg: Floats
    diastole_s: float

    def __post_init__(self) -> None:
        for name in ("time_s", "aortic_mmhg", "ventricle_mmhg"):
            object.__setattr__(self, name, floats(getattr(self, name)))

    @property
    def period_s(self) -> float:
        """Length of the cycle."""
        return float(self.time_s[-1])

    @property
    def mean_mmhg(self) -> float:
        """Mean aortic pressure."""
        return float(np.trapezoid(self.aortic_mmhg, self.time_s) / self.period_s)


def beat_of(
    patient: Patient, settings: Physiology, mean_mmhg: float
) -> tuple[Beat, tuple[Assumption, ...]]:
    """Return the beat of a patient whose mean aortic pressure is `mean_mmhg`.

    Diastolic and mean pressure hardly change from the aorta to the arm, systolic pressure
    rises on the way: the wave has the cuff's diastolic pressure and the mean by the rule of
    `settings`; its systolic pressure follows from its shape (form factor 0.40). 120/80 at the
    arm is 113/80 here; mean^2 over diastolic pressure, 109, is what Chemla et al. propose
    (Frontiers in Cardiovascular Medicine 2021;8:772613). Where another mean is given the whole
    wave is scaled to it.
    """
    settings = personal(settings, patient)
    usual = settings.heart_rate_bpm
    rate = usual.typical if patient.heart_rate_bpm is None else patient.heart_rate_bpm
    period = S_PER_MIN / rate
    cuff = patient.model_copy(update={"mean_aortic_pressure_mmhg": None})
    cuff_mean, _ = mean_aortic_pressure_mmhg(cuff, settings)
    given = patient.diastolic_mmhg is not None
    low = settings.cuff_mmhg[1] if patient.diastolic_mmhg is None else patient.diastolic_mmhg
    time, raw = aortic_wave_mmhg(2.0, 1.0, period)
    form = float(np.trapezoid(raw - 1.0, time) / period)
    aortic = low + (cuff_mean - low) / form * (raw - 1.0)
    aortic *= mean_mmhg / float(np.trapezoid(aortic, time) / period)
    _, ventricle = ventricular_wave_mmhg(float(aortic.max()), period)
    known = patient.heart_rate_bpm is not None
    return Beat(time, aortic, ventricle, DIASTOLE_FROM * period), (
        Assumption(
            "heart rate", f"{rate:g} per minute", "given" if known else usual.source,
            not known,
        ),
        Assumption(
            "aortic pressure wave", f"{aortic.max():.0f}/{aortic.min():.0f} mmHg",
            "shape of svOneDSolver's example, diastolic and mean pressure of the "
            f"{'cuff' if given else 'assumed cuff'}",
            not given,
        ),
    )  # fmt: skip
