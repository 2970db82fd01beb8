"""What may stand in a cohort table? One row per vessel with invasive FFR."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from validation.cohort.identity import value_kind

GROUP_PREFIX = "group_"  # further columns that only divide into groups
YesNo = Literal["yes", "no"]
_BRANCHES = ("D", "OM", "S", "AM", "LA", "RA")
VESSELS = (
    "LM", "LAD", "LCx", "RCA", "RI", "R-PDA", "L-PDA", "R-PLB", "L-PLB",
    *(f"{b}{k}" for b in _BRANCHES for k in range(1, 5)),
)  # fmt: skip
_USUAL = {"LMCA": "LM", "LMS": "LM", "CX": "LCx", "LCX": "LCx", "RAMUS": "RI", "IM": "RI"}
_BY_UPPER = {v.upper(): v for v in VESSELS} | _USUAL


def _vessel(text: str) -> str:
    if text.upper() not in _BY_UPPER:
        raise ValueError("vessel")
    return _BY_UPPER[text.upper()]


def _free(text: str) -> str:
    kind = value_kind(text)
    if kind:
        raise ValueError(f"identity:{kind}")
    return text


Pseudonym = Annotated[
    str,
    AfterValidator(_free),
    Field(pattern=r"^[A-Za-z0-9_.-]*[0-9][A-Za-z0-9_.-]*$", max_length=24),
]
Text = Annotated[str, AfterValidator(_free), Field(max_length=60)]
Vessel = Annotated[str, AfterValidator(_vessel)]


def _number(low: float, high: float) -> Any:
    return Field(default=None, ge=low, le=high)


class Row(BaseModel):
    """One row: an invasive measurement in one vessel, and the CT it belongs to."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    case_id: Pseudonym
    """Pseudonym of the CT study: letters and at least one digit, as C017. Rows of one CT share
    it; results are kept under it."""
    patient_id: Pseudonym
    """Pseudonym of the patient, such as P017; no hospital number."""
    vessel: Vessel
    """LM, LAD, LCx, RCA, RI, D1, OM1, R-PDA, L-PDA, R-PLB, L-PLB, ...; one row per vessel."""
    segment_scct: Annotated[int | None, Field(default=None, ge=1, le=18)] = None
    """SCCT segment of the lesion, 1 to 18: which lesion is meant where a vessel has several."""
    lesion_s_mm: Annotated[float | None, _number(0, 250)] = None
    """Path length from the ostium to the lesion's throat, mm: the same, more exactly."""
    invasive_ffr: Annotated[float | None, _number(0.1, 1.1)] = None
    """Invasive FFR; needed unless the row is excluded."""
    invasive_index: Literal["FFR", "iFR", "RFR"] = "FFR"
    """What was measured; only FFR is compared, other rows are excluded and counted."""
    adenosine: Literal["IV", "IC", "other", "none"] | None = None
    """How hyperaemia was made."""
    sensor_distance_mm: Annotated[float | None, _number(0, 250)] = None
    """Where the sensor was; without it FFR is read 20 mm distal to the lesion."""
    sensor_from: Literal["lesion", "ostium"] = "lesion"
    """From where that distance counts: the lesion's distal end, or the ostium."""
    drift_ok: YesNo | None = None
    """Pressure drift within tolerance; "no" excludes the row."""
    post_pci_ffr: Annotated[float | None, _number(0.1, 1.1)] = None
    """Invasive FFR after stenting; kept, not used here."""
    stent_start_mm: Annotated[float | None, _number(0, 250)] = None
    """Planned or done stent: path length from the ostium to its start; kept, not used here."""
    stent_length_mm: Annotated[float | None, _number(4, 120)] = None
    """Its length; likewise."""
    stent_diameter_mm: Annotated[float | None, _number(1.5, 7)] = None
    """Its diameter; likewise."""
    ct_date_offset_days: Annotated[int | None, Field(default=None, ge=-3650, le=3650)] = None
    """Days from CT to invasive FFR."""
    image_path: str | None = None
    """CT study: folder, zip or file, relative to the table. Never printed or kept."""
    series: str | None = None
    """Which DICOM series: number, UID or the end of one, as --series of ffr run. Never printed
    or kept."""
    site: Text | None = None
    """Centre, as a short pseudonym."""
    scanner: Text | None = None
    """Scanner model."""
    kvp: Annotated[float | None, _number(60, 160)] = None
    """Tube voltage, kV."""
    slice_mm: Annotated[float | None, _number(0.1, 3)] = None
    """Slice thickness, mm."""
    hr_bpm: Annotated[float | None, _number(30, 220)] = None
    """Heart rate at the CT."""
    cac: Annotated[float | None, _number(0, 10_000)] = None
    """Agatston score."""
    lesion_calcium: Literal["none", "spotty", "arc>180"] | None = None
    """Calcium at the lesion."""
    vessel_stent: YesNo | None = None
    """A stent in the vessel at the CT."""
    cta_percent_stenosis: Annotated[float | None, _number(0, 100)] = None
    """Diameter stenosis as graded on the CT, %."""
    age_band: Annotated[
        str | None, Field(pattern=r"^(\d{2}-\d{2}|<\d{2}|\d{2}\+|>=?\d{2})$")
    ] = None
    """Age as a range: 60-69, 80+. No exact age."""
    sex: Literal["female", "male"] | None = None
    """female or male."""
    bmi: Annotated[float | None, _number(10, 80)] = None
    """Body mass index, kg/m2."""
    diabetes: YesNo | None = None
    """Known diabetes."""
    systolic_mmhg: Annotated[float | None, _number(60, 260)] = None
    """Cuff pressure at rest; with diastolic_mmhg. Used by the analysis."""
    diastolic_mmhg: Annotated[float | None, _number(30, 160)] = None
    """Likewise."""
    haematocrit: Annotated[float | None, _number(0.15, 0.70)] = None
    """As a fraction; used by the analysis."""
    exclude: YesNo = "no"
    """"yes": counted, not compared."""
    exclude_reason: Text | None = None
    """Why; needed with exclude."""
    groups: dict[str, Text] = {}
    """Columns called group_..."""

    @model_validator(mode="after")
    def _fits_together(self) -> Row:
        high, low = self.systolic_mmhg, self.diastolic_mmhg
        wrong = None
        if self.exclude == "yes" and not self.exclude_reason:
            wrong = "exclude_reason:is empty; say in a word why the row is excluded"
        elif self.compared and self.invasive_ffr is None:
            wrong = "invasive_ffr:is empty; give it, or exclude the row with a reason"
        elif self.compared and self.adenosine == "none":
            wrong = "adenosine:is 'none': that is no FFR; name the hyperaemia, or exclude it"
        elif (high is None) != (low is None):
            wrong = "systolic_mmhg:goes with diastolic_mmhg; give both or neither"
        elif high is not None and low is not None and low >= high:
            wrong = "diastolic_mmhg:is not below systolic_mmhg; check both"
        if wrong:
            raise ValueError(f"together:{wrong}")
        return self

    @property
    def compared(self) -> bool:
        """Whether the row takes part in the comparison."""
        return self.exclusion is None

    @property
    def exclusion(self) -> str | None:
        """Why the row takes no part; None when it does."""
        if self.exclude == "yes":
            return self.exclude_reason or "no reason given"
        if self.invasive_index != "FFR":
            return f"invasive index is {self.invasive_index}"
        return "pressure drift" if self.drift_ok == "no" else None


REQUIRED = tuple(name for name, field in Row.model_fields.items() if field.is_required())
COLUMNS = tuple(name for name in Row.model_fields if name != "groups")


def schema_text() -> str:
    """Return the JSON Schema of a row, as published in docs/cohort.schema.json."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Row.model_json_schema(),
    }
    del schema["properties"]["groups"]
    schema["title"] = "Row of a cohort table"
    schema["properties"]["vessel"]["enum"] = list(VESSELS)
    schema["patternProperties"] = {f"^{GROUP_PREFIX}": {"type": "string", "maxLength": 60}}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def column_table() -> str:
    """Return the columns as the table of docs/cohort.md."""
    lines = ["| column | values | meaning |", "| --- | --- | --- |"]
    for name in COLUMNS:
        field = Row.model_fields[name]
        meaning = " ".join((field.description or "").split())
        needed = " **(needed)**" if field.is_required() else ""
        lines.append(f"| `{name}` | {values_of(name)}{needed} | {meaning} |")
    lines.append(f"| `{GROUP_PREFIX}...` | text | Further columns that divide into groups. |")
    return "\n".join(lines) + "\n"


def values_of(name: str) -> str:
    """Return in words what may stand in a column."""
    body = Row.model_json_schema()["properties"][name]
    (kind,) = (k for k in body.get("anyOf", [body]) if k.get("type") != "null")
    if "enum" in kind:
        *most, last = kind["enum"]
        return f"{', '.join(most)} or {last}"
    bounds = body | kind
    if "minimum" in bounds:
        number = "whole number" if kind["type"] == "integer" else "number"
        return f"{number}, {bounds['minimum']:g} to {bounds['maximum']:g}"
    if name == "vessel":
        return "name of a vessel"
    if name in ("case_id", "patient_id"):
        return "pseudonym with a digit, up to 24 letters, digits, `_.-`"
    if name == "age_band":
        return "range, such as 60-69 or 80+"
    return "path" if name == "image_path" else "text"
