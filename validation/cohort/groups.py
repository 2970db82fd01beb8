"""Into which groups does a row of the table fall?"""

from __future__ import annotations

from validation.cohort.schema import GROUP_PREFIX, Row

MAIN = ("LM", "LAD", "LCx", "RCA")
Cut = tuple[str, tuple[float, ...], tuple[str, ...]]  # column, edges, names of the groups
CUTS: dict[str, Cut] = {
    "heart rate": ("hr_bpm", (65,), ("up to 65 /min", "above 65 /min")),
    "calcium score": ("cac", (0, 100, 400), ("0", "1-100", "101-400", "above 400")),
    "body mass index": ("bmi", (25, 30), ("up to 25", "25 to 30", "above 30")),
    "slice": ("slice_mm", (0.63, 0.8), ("up to 0.625 mm", "to 0.8 mm", "above 0.8 mm")),
    "tube voltage": ("kvp", (90, 110), ("up to 90 kV", "to 110 kV", "above 110 kV")),
    "stenosis as graded": (
        "cta_percent_stenosis", (29.5, 69.5), ("below 30 %", "30-69 %", "70 % and more"),
    ),
}  # fmt: skip
WORDS = {
    "calcium at the lesion": "lesion_calcium", "stent in the vessel": "vessel_stent",
    "diabetes": "diabetes", "sex": "sex", "age": "age_band", "adenosine": "adenosine",
    "scanner": "scanner", "site": "site",
}  # fmt: skip
ORDER = {"vessel": (*MAIN, "side branches")} | {n: names for n, (_, _, names) in CUTS.items()}
GAP_DAYS = 90  # between CT and invasive FFR: 60 to 90 are usual


def groups_of(row: Row) -> tuple[tuple[str, str], ...]:
    """Return (column, group) for all that is known of a row."""
    found = [("vessel", row.vessel if row.vessel in MAIN else "side branches")]
    for name, (column, edges, names) in CUTS.items():
        value = getattr(row, column)
        if value is not None:
            found.append((name, names[sum(value > edge for edge in edges)]))
    for name, column in WORDS.items():
        if getattr(row, column) is not None:
            found.append((name, str(getattr(row, column)).replace("arc>180", "arc above 180°")))
    if row.ct_date_offset_days is not None:
        near = abs(row.ct_date_offset_days) <= GAP_DAYS
        found.append(("CT to invasive", f"{'up to' if near else 'above'} {GAP_DAYS} days"))
    found += [(n.removeprefix(GROUP_PREFIX), v) for n, v in row.groups.items()]
    return tuple(found)
