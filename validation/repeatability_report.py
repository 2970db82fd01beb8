"""What does repeatability look like? Tables in markdown, one JSON file, one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ffr.results.result import RESEARCH_USE_ONLY, Model
from meshes.writing import write_text
from validation.repeatability_case import Job, Run
from validation.repeatability_files import differing
from validation.repeatability_places import END, LESION
from validation.repeatability_scans import CHANGES, REFERENCE, REPEATS
from validation.repeatability_statistics import Differences, Row

TITLES = {LESION: "FFR 20 mm behind every stenosis", END: "FFR at the ends of LAD, LCx and RCA"}
INVASIVE_SD = 0.033  # of the difference of two readings: middle of 0.030-0.036
# what a pressure wire repeats; the first two rows are worked out from the paper's curve
INVASIVE = (
    ("invasive FFR, 10 min apart (DEFER)", "SD of the difference 0.030-0.036",
     "worked out from Petraco, JACC Cardiovasc Interv 2013;6:222"),
    ("one invasive reading", "within-subject SD 0.02-0.025, repeatability coefficient "
     "0.06-0.07", "likewise"),
    ("its class at 0.80", "certain to more than 95 % outside 0.75-0.85, to less than 80 % in "
     "0.77-0.83, to 50 % at 0.80", "Petraco 2013"),
    ("class of a repeat", "the same in 91 % of a mixed cohort, in 77 % of those in 0.75-0.85",
     "worked out from an SD of 0.023"),
    ("invasive FFR, repeated", "coefficient of variation 2.5 %",
     "Johnson, JACC Cardiovasc Interv 2015 (number not checked against the paper)"),
)  # fmt: skip
FFR_COLUMNS = (
    "change", "readings (patients)", "lost", "bias", "SD (95 % interval)", "within-subject SD",
    "repeatability coefficient", "class changes", "in the interval", "largest",
)  # fmt: skip
LUMEN_COLUMNS = (
    "change", "lesions in both", "in one only", "bias", "SD (95 % interval)",
    "repeatability coefficient", "largest",
)  # fmt: skip


class Identity(Model):
    """Whether a study that is analysed again gives the same files."""

    repeat: str
    """Key of the repeat."""
    runs: int
    """Pairs of runs."""
    identical: int
    """Pairs in which every compared file is the same, byte for byte."""
    files: tuple[str, ...]
    """The compared files."""
    differing: tuple[str, ...]
    """Those that differ in any pair."""


class Report(Model):
    """All that was measured."""

    research_use_only: str
    """The statement that goes with every number here."""
    setting: str
    """Command, machine, date, commit."""
    seeds: tuple[int, ...]
    """The patients."""
    repeats: tuple[Identity, ...]
    """The same study again."""
    rows: tuple[Row, ...]
    """Changed scans."""
    lv_mass_percent: dict[str, float]
    """By change: largest difference of myocardial mass from the reference, percent."""


def report(
    runs: Mapping[Job, Run], rows: Sequence[Row], seeds: Sequence[int], setting: str
) -> Report:
    """Put together what was measured."""
    return Report(
        research_use_only=RESEARCH_USE_ONLY, setting=setting, seeds=tuple(seeds),
        repeats=tuple(identity(runs, name) for name in REPEATS), rows=tuple(rows),
        lv_mass_percent=mass_percent(runs),
    )  # fmt: skip


def identity(runs: Mapping[Job, Run], repeat: str) -> Identity:
    """Compare the files of a repeat with those of the reference."""
    pairs = [
        (runs[s, REFERENCE], run)
        for (s, name), run in runs.items()
        if name == repeat and (s, REFERENCE) in runs
    ]
    unlike = [differing(a.files, b.files) for a, b in pairs]
    same = [not u and a.lost == b.lost for u, (a, b) in zip(unlike, pairs, strict=True)]
    return Identity(
        repeat=repeat, runs=len(pairs), identical=sum(same),
        files=tuple(sorted({n for a, _ in pairs for n in a.files})),
        differing=tuple(sorted({n for u in unlike for n in u})),
    )  # fmt: skip


def mass_percent(runs: Mapping[Job, Run]) -> dict[str, float]:
    """Return the largest change of measured mass by change, percent of the reference."""
    found: dict[str, float] = {}
    for (seed, change), run in runs.items():
        reference = runs.get((seed, REFERENCE))
        if change not in CHANGES or reference is None:
            continue
        if run.lv_mass_g and reference.lv_mass_g:
            off = 100 * abs(run.lv_mass_g / reference.lv_mass_g - 1)
            found[change] = max(found.get(change, 0.0), off)
    return found


def markdown(made: Report) -> str:
    """Return the tables."""
    lines = [f"{made.research_use_only}", "", made.setting, ""]
    lines += [f"Patients: seeds {', '.join(map(str, made.seeds))}.", "", *_repeats(made)]
    for kind, title in TITLES.items():
        own = [r for r in made.rows if r.kind == kind]
        lines += ["", f"**{title}**", "", *_table(FFR_COLUMNS, [_ffr_cells(r) for r in own])]
    own = [r for r in made.rows if r.kind == LESION]
    for title, name, digits in (
        ("Diameter stenosis, percent points", "diameter_stenosis", 1),
        ("Diameter at the minimal lumen area, mm", "minimal_diameter", 2),
    ):
        cells = [_lumen_cells(r, getattr(r, name), digits) for r in own]
        lines += ["", f"**{title}**", "", *_table(LUMEN_COLUMNS, cells)]
    lines += ["", "**Invasive test-retest**", "",
              *_table(("what", "repeats", "source"), INVASIVE), "", *_told(made)]  # fmt: skip
    return "\n".join(lines) + "\n"


def _repeats(made: Report) -> list[str]:
    rows = [
        (REPEATS[x.repeat], f"{x.identical} of {x.runs}", str(len(x.files)),
         ", ".join(x.differing) or "none")
        for x in made.repeats
    ]  # fmt: skip
    return _table(("repeat", "identical", "files compared", "files that differ"), rows)


def _ffr_cells(r: Row) -> tuple[str, ...]:
    d = r.ffr
    return (
        CHANGES[r.change], f"{d.n} ({d.patients})", str(len(r.lost)), _signed(d.bias, 3),
        _spread(d, 3), _number(d.within_sd, 3), _number(d.coefficient, 3),
        f"{r.class_changes} of {d.n}", f"{r.held} of {d.n}",
        f"{_signed(d.largest, 3)} {d.largest_where}",
    )  # fmt: skip


def _lumen_cells(r: Row, d: Differences, digits: int) -> tuple[str, ...]:
    return (
        CHANGES[r.change], f"{d.n} ({d.patients})", str(r.reported_once),
        _signed(d.bias, digits), _spread(d, digits), _number(d.coefficient, digits),
        f"{_signed(d.largest, digits)} {d.largest_where}",
    )  # fmt: skip


def _told(made: Report) -> list[str]:
    """Return what the tables do not hold: losses with reasons, names, mass."""
    lost = [f"- {CHANGES[r.change]}, {x.where}: {x.reason}" for r in made.rows for x in r.lost]
    renamed = sum(r.renamed for r in made.rows)
    masses = ", ".join(f"{CHANGES[k]} {v:.1f} %" for k, v in made.lv_mass_percent.items())
    return [
        f"Readings whose vessel has another name than in the reference: {renamed}. Largest "
        f"change of myocardial mass: {masses or 'none measured'}.",
        *(["", "Lost:", "", *lost] if lost else ["Lost: none."]),
    ]


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *body)]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _signed(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:+.{digits}f}"


def _spread(d: Differences, digits: int) -> str:
    ends = "" if d.sd_low is None else f" ({d.sd_low:.{digits}f}-{d.sd_high:.{digits}f})"
    return _number(d.sd, digits) + ends


def write(made: Report, out: Path) -> None:
    """Write repeatability.json and repeatability.md."""
    write_text(out / "repeatability.json", made.model_dump_json(indent=1) + "\n")
    write_text(out / "repeatability.md", markdown(made))
