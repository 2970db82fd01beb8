"""What the user knows about the patient: a TOML file or flags, all optional."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ffr.circulation.physiology import Dominance, FlowRule, MapRule
from ffr.errors import ConfigError

Sex = Literal["female", "male"]
Range = tuple[float, float]
SOURCE = "the patient file"  # never its name: it may be called after the patient
PLAUSIBLE: dict[str, Range] = {
    "systolic_mmhg": (60.0, 260.0),
    "diastolic_mmhg": (30.0, 160.0),
    "heart_rate_bpm": (30.0, 220.0),
    "lv_mass_g": (30.0, 600.0),
    "haematocrit": (0.15, 0.70),
    "mean_aortic_pressure_mmhg": (40.0, 180.0),
    "venous_pressure_mmhg": (0.0, 25.0),
    "resting_flow_ml_min": (50.0, 1000.0),
    "hyperaemic_response": (1.0, 6.0),
    "split_exponent": (1.5, 3.5),
    "viscosity_pa_s": (0.001, 0.010),
}
CHOICES = {
    "sex": get_args(Sex),
    "dominance": get_args(Dominance),
    "flow_rule": get_args(FlowRule),
    "map_rule": get_args(MapRule),
}


def _within(name: str) -> object:
    low, high = PLAUSIBLE[name]
    return Field(default=None, ge=low, le=high)


class Patient(BaseModel):
    """What is known about the patient; None where nothing was given.

    Parameters
    ----------
    systolic_mmhg, diastolic_mmhg
        Cuff pressure at rest; both or neither.
    heart_rate_bpm
        At the time of the scan.
    lv_mass_g
        Mass of the left ventricle's myocardium.
    haematocrit
        Volume fraction of red cells, such as 0.45.
    sex
        "female" or "male".
    dominance
        "right", "left" or "codominant"; used where only one tree is found.
    mean_aortic_pressure_mmhg
        Measured, such as by catheter; stands in for the cuff.
    map_rule
        How mean pressure follows from the cuff; see `ffr.circulation.physiology.Physiology`.
    venous_pressure_mmhg
        Right atrial pressure.
    resting_flow_ml_min
        Of both trees, such as by PET; stands in for the mass.
    flow_rule
        How resting flow is estimated; see `ffr.circulation.physiology.Physiology`.
    hyperaemic_response
        Flow reserve of the beds, such as by PET.
    split_exponent
        Flow divides as radius to this power.
    viscosity_pa_s
        Of the blood; stands in for the haematocrit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    systolic_mmhg: Annotated[float | None, _within("systolic_mmhg")] = None
    diastolic_mmhg: Annotated[float | None, _within("diastolic_mmhg")] = None
    heart_rate_bpm: Annotated[float | None, _within("heart_rate_bpm")] = None
    lv_mass_g: Annotated[float | None, _within("lv_mass_g")] = None
    haematocrit: Annotated[float | None, _within("haematocrit")] = None
    sex: Sex | None = None
    dominance: Dominance | None = None
    mean_aortic_pressure_mmhg: Annotated[float | None, _within("mean_aortic_pressure_mmhg")] = (
        None
    )
    map_rule: MapRule | None = None
    venous_pressure_mmhg: Annotated[float | None, _within("venous_pressure_mmhg")] = None
    resting_flow_ml_min: Annotated[float | None, _within("resting_flow_ml_min")] = None
    flow_rule: FlowRule | None = None
    hyperaemic_response: Annotated[float | None, _within("hyperaemic_response")] = None
    split_exponent: Annotated[float | None, _within("split_exponent")] = None
    viscosity_pa_s: Annotated[float | None, _within("viscosity_pa_s")] = None


def load_patient(path: Path) -> Patient:
    """Read a patient file.

    Raises
    ------
    ConfigError
        Not TOML, an unknown setting, a wrong type, a value that is not plausible.
    OSError
        The file cannot be read.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{SOURCE} is not TOML: {error}"
        raise ConfigError(message) from error
    return patient_from(settings, SOURCE)


def patient_from(settings: Mapping[str, object], source: str) -> Patient:
    """Check settings that came from `source` ("the patient file", "patient").

    Raises
    ------
    ConfigError
        As in `load_patient`; one line with every problem.
    """
    try:
        patient = Patient.model_validate(dict(settings))
    except ValidationError as error:
        problems = [_problem(settings, str(e["loc"][0]), e["type"]) for e in error.errors()]
        message = f"{source}: " + "; ".join(dict.fromkeys(problems))
        raise ConfigError(message) from error
    high, low = patient.systolic_mmhg, patient.diastolic_mmhg
    if (high is None) != (low is None):
        message = f"{source}: give both systolic_mmhg and diastolic_mmhg, or neither"
        raise ConfigError(message)
    if high is not None and low is not None and low >= high:
        message = f"{source}: diastolic_mmhg {low:g} must be below systolic_mmhg {high:g}"
        raise ConfigError(message)
    return patient


def _problem(settings: Mapping[str, object], name: str, kind: str) -> str:
    value = settings.get(name)
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(name, list(Patient.model_fields), n=1, cutoff=0.5)
        known = ", ".join(Patient.model_fields)
        if near:
            return f"no setting {name!r}; did you mean {near[0]!r}?"
        # not repeated: it may be a name, as in a section called after the patient
        return f"entry {list(settings).index(name) + 1} is no setting; known are {known}"
    if name in CHOICES:
        *most, last = map(repr, CHOICES[name])
        return f"{name} is {value!r}, must be {', '.join(most)} or {last}"
    low, high = PLAUSIBLE[name]
    unit = ", a fraction" if name == "haematocrit" else ""
    return f"{name} is {value!r}, must be a number from {low:g} to {high:g}{unit}"
