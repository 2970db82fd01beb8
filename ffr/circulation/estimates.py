"""What is known of one patient: constants replaced, pressure, mass, blood, and their doubt."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ffr.circulation.patient import Patient
from ffr.circulation.physiology import Assumption, InputSpread, Physiology
from ffr.errors import ConfigError
from solvers.blood import Blood


def personal(settings: Physiology, patient: Patient) -> Physiology:
    """Return the constants with those that the patient file replaces."""
    changes: dict[str, object] = {}
    for name in ("flow_rule", "map_rule"):
        if getattr(patient, name) is not None:
            changes[name] = getattr(patient, name)
    for name, field, spread in (
        ("venous_pressure_mmhg", "venous_pressure_mmhg", settings.venous_pressure_mmhg.spread),
        ("hyperaemic_response", "response", settings.given_flow_log_sd.typical),
        ("split_exponent", "split_exponent", settings.split_exponent.spread),
    ):
        given = getattr(patient, name)
        if given is not None:
            known = getattr(settings, field)
            changes[field] = replace(known, typical=given, spread=spread, source="given")
    return replace(settings, **changes)  # type: ignore[arg-type]


def mean_aortic_pressure_mmhg(
    patient: Patient, settings: Physiology | None = None
) -> tuple[float, Assumption]:
    """Return mean aortic pressure: given, or from the cuff by the rule of `settings`."""
    name = "mean aortic pressure"
    if patient.mean_aortic_pressure_mmhg is not None:
        mean = patient.mean_aortic_pressure_mmhg
        return mean, Assumption(name, f"{mean:.1f} mmHg", "given", False)
    settings = personal(settings or Physiology(), patient)
    given = patient.systolic_mmhg is not None and patient.diastolic_mmhg is not None
    high = settings.cuff_mmhg[0] if patient.systolic_mmhg is None else patient.systolic_mmhg
    low = settings.cuff_mmhg[1] if patient.diastolic_mmhg is None else patient.diastolic_mmhg
    share, more, words = {
        "third": (1.0 / 3.0, 0.0, "DAP + PP/3"),
        "form-factor": (0.45, 0.0, "DAP + 0.45 PP (Chemla 2002)"),
        "third-plus-5": (1.0 / 3.0, 5.0, "DAP + PP/3 + 5 mmHg"),
    }[settings.map_rule]
    mean = low + share * (high - low) + more
    source = "cuff" if given else "assumed cuff"
    return mean, Assumption(
        name, f"{mean:.1f} mmHg", f"{source} {high:g}/{low:g} mmHg, MAP = {words}", not given
    )


def myocardial_mass_g(
    patient: Patient, measured_g: float | None, settings: Physiology | None = None
) -> tuple[float, Assumption]:
    """Return the mass that sets the flow: given, else measured, else a population's.

    Raises
    ------
    ConfigError
        The measured mass is not positive.
    """
    name = "left ventricular mass"
    settings = settings or Physiology()
    if patient.lv_mass_g is not None:
        mass = patient.lv_mass_g
        return mass, Assumption(name, f"{mass:.0f} g", "given", False)
    if measured_g is not None:
        if not measured_g > 0:
            message = f"measured left ventricular mass is {measured_g:g} g, must be positive"
            raise ConfigError(message)
        return measured_g, Assumption(
            name, f"{measured_g:.0f} g", "measured in the scan", False
        )
    by_sex = {"male": settings.male_mass_g.typical, "female": settings.female_mass_g.typical}
    mass = by_sex[patient.sex] if patient.sex else float(np.mean(list(by_sex.values())))
    who = patient.sex or "mean of both sexes"
    return mass, Assumption(name, f"{mass:.0f} g", f"population, {who} (MESA 2006)", True)


def resting_flow_ml_min(lv_mass_g: float, settings: Physiology | None = None) -> float:
    """Return the resting flow of both trees, Q = Q_0 (M/M_0)^0.75."""
    settings = settings or Physiology()
    relative = lv_mass_g / settings.rest_mass_g.typical
    return float(settings.rest_ml_min.typical * relative**settings.mass_power.typical)


def blood_from_patient(
    patient: Patient, settings: Physiology | None = None
) -> tuple[Blood, Assumption]:
    """Return blood whose viscosity follows the haematocrit, or is given.

    Relative apparent viscosity in wide tubes, 1 + 2.2 ((1-H)^-0.8 - 1)/(0.55^-0.8 - 1)
    (Pries, Neuhaus & Gaehtgens, American Journal of Physiology 1992;263:H1770), scaled so
    that 45 % gives 3.5 mPa s.
    """
    settings = settings or Physiology()
    name = "blood viscosity"
    if patient.viscosity_pa_s is not None:
        blood = Blood(viscosity_pa_s=patient.viscosity_pa_s)
        return blood, Assumption(
            name, f"{blood.viscosity_pa_s * 1e3:.2f} mPa s", "given", False
        )
    given = patient.haematocrit is not None
    usual = settings.female_haematocrit if patient.sex == "female" else None
    usual = usual or settings.male_haematocrit
    haematocrit = usual.typical if patient.haematocrit is None else patient.haematocrit
    blood = Blood(viscosity_pa_s=viscosity_pa_s(haematocrit, settings))
    return blood, Assumption(
        name,
        f"{blood.viscosity_pa_s * 1e3:.2f} mPa s",
        f"{'haematocrit' if given else 'assumed haematocrit'} {haematocrit:.2f}, Pries 1992",
        not given,
    )


def viscosity_pa_s(haematocrit: float, settings: Physiology | None = None) -> float:
    """Return the viscosity of blood; see `blood_from_patient`."""
    known = (settings or Physiology()).viscosity_pa_s
    rise = ((1.0 - haematocrit) ** -0.8 - 1.0) / (0.55**-0.8 - 1.0)
    return known.typical * (1.0 + 2.2 * rise) / 3.2


def input_spread(
    patient: Patient, lv_mass_g: float | None, settings: Physiology | None = None
) -> InputSpread:
    """Return how far the inputs may be off, given what is known of the patient."""
    settings = personal(settings or Physiology(), patient)
    return InputSpread(
        flow=_flow_log_sd(patient, lv_mass_g, settings),
        response=settings.response.spread,
        viscosity=_viscosity_log_sd(patient, settings),
        pressure_mmhg=_pressure_sd_mmhg(patient, settings),
        venous_mmhg=settings.venous_pressure_mmhg.spread,
        exponent=settings.split_exponent.spread,
        bifurcation=settings.bifurcation.spread,
        dominance=((patient.dominance, 1.0),) if patient.dominance else settings.dominance,
    )


def _flow_log_sd(patient: Patient, lv_mass_g: float | None, settings: Physiology) -> float:
    if patient.resting_flow_ml_min is not None:
        return settings.given_flow_log_sd.typical
    if settings.flow_rule == "morphometry":
        return settings.rest_ml_min_per_calibre.spread
    if patient.lv_mass_g is not None:
        mass = settings.given_mass_log_sd.typical
    elif lv_mass_g is not None:
        mass = settings.measured_mass_log_sd.typical
    else:
        female = patient.sex == "female"
        mass = (settings.female_mass_g if female else settings.male_mass_g).spread
        if patient.sex is None:  # the sexes differ as well
            means = math.log(settings.male_mass_g.typical / settings.female_mass_g.typical)
            mass = math.hypot(mass, means / 2.0)
    return math.hypot(settings.rest_ml_min.spread, settings.mass_power.typical * mass)


def _viscosity_log_sd(patient: Patient, settings: Physiology) -> float:
    own = settings.viscosity_pa_s.spread
    if patient.viscosity_pa_s is not None or patient.haematocrit is not None:
        return own
    usual = settings.female_haematocrit if patient.sex == "female" else None
    usual = usual or settings.male_haematocrit
    low, high = (
        viscosity_pa_s(usual.typical + k * usual.spread, settings) for k in (-1.0, 1.0)
    )
    return math.hypot(own, math.log(high / low) / 2.0)


def _pressure_sd_mmhg(patient: Patient, settings: Physiology) -> float:
    if patient.mean_aortic_pressure_mmhg is not None:
        return settings.given_pressure_sd_mmhg.typical
    known = settings.no_cuff_sd_mmhg if patient.systolic_mmhg is None else settings.cuff_sd_mmhg
    return known.typical
