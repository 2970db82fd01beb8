"""What does the report say? In words, once, for every document that is made of it.

Pure: a result becomes words; `html` and `pdf` only set them. No number is rounded elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ffr.report import words
from ffr.report.doubts import sure, unseen
from ffr.report.edits import edit_words, edited, planned
from ffr.report.lesions import LesionWords, lesion_words
from ffr.report.paths import VesselPath
from ffr.report.plaque_words import PlaqueWords, plaque_words
from ffr.report.verdict import Headline, headline
from ffr.report.vessels import VesselWords, page_words, vessel_words, warning
from ffr.results.result import RESEARCH_USE_ONLY, Result
from meshes.tree import CoronaryTree


@dataclass(frozen=True, slots=True)
class Content:
    """All that a report says.

    Parameters
    ----------
    statement, made
        What stands on every page: the statement; version, weights and date.
    headline
        The most important thing first.
    facts
        Name and value of what is known of scan and heart.
    grade, grade_note, elements
        Suggested CAD-RADS 2.0; what it does not see; each element and what is said of it.
    lesions, ranked
        In the order of their numbers; those without FFR first, then the lowest FFR.
    vessels, pages
        Every named vessel; those that have a page, in its order.
    sure, unseen, told, assumed, warnings, versions
        How sure it is, what was not seen, what was told or measured and what assumed,
        warnings of the whole scan and of places, what made it.
    plaque
        Plaque and fat, research grade; None where not measured.
    edited, edits
        How many changes a reader made by hand, "" where none; each with its numbers before
        and after.
    planned
        What is said of each virtual stent; () where there is none.
    """

    statement: str
    made: str
    created: str
    headline: Headline
    facts: tuple[tuple[str, str], ...]
    grade: str
    grade_note: str
    elements: tuple[tuple[str, str], ...]
    lesions: tuple[LesionWords, ...]
    ranked: tuple[LesionWords, ...]
    vessels: tuple[VesselWords, ...]
    pages: tuple[VesselWords, ...]
    sure: tuple[str, ...]
    unseen: tuple[str, ...]
    told: tuple[tuple[str, str], ...]
    assumed: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    plaque: PlaqueWords | None = None
    edited: str = ""
    edits: tuple[tuple[str, tuple[str, ...]], ...] = ()
    planned: tuple[str, ...] = ()

    @property
    def whose_grade(self) -> str:
        """Say what a suggested grade is good for."""
        plan = "of the plan with the virtual stent, not of the patient"
        return plan if self.planned else "for the reader to confirm"


def report_content(
    result: Result, paths: Sequence[VesselPath], coronaries: Sequence[CoronaryTree]
) -> Content:
    """Return what the report of a result says.

    Parameters
    ----------
    result
        What the analysis found.
    paths
        The ways that have a page (`vessel_paths`).
    coronaries
        The trees of `result`: which lesion lies before which reading.
    """
    lesions = tuple(lesion_words(result, coronaries, x) for x in result.lesions)
    order = sorted(result.lesions, key=lambda x: (x.ffr_distal is not None, x.ffr_distal or 0))
    by_id = {x.id: x for x in lesions}
    cad = result.suggested_cad_rads
    return Content(
        statement=RESEARCH_USE_ONLY,
        made=_made(result),
        created=date(result),
        headline=headline(result),
        facts=tuple(_facts(result)),
        grade=words.grade(cad),
        grade_note=(
            f"With 95 % probability {words.span(cad)}, of what is seen ({words.chances(cad)})"
        ),
        elements=tuple(_elements(result)),
        lesions=lesions,
        ranked=tuple(by_id[x.id] for x in order),
        vessels=tuple(vessel_words(result, x, lesions, (x.vessel,)) for x in result.vessels),
        pages=tuple(page_words(result, path, lesions) for path in paths),
        sure=tuple(sure(result, by_id)),
        unseen=tuple(unseen(result)),
        told=tuple((x.name, x.value) for x in result.assumptions if not x.assumed),
        assumed=tuple((x.name, x.value) for x in result.assumptions if x.assumed),
        warnings=tuple(warning(x) for x in result.flags),
        versions=tuple(_versions(result)),
        plaque=plaque_words(result),
        edited=edited(result),
        edits=tuple(edit_words(x) for x in result.edits),
        planned=planned(result),
    )


def date(result: Result) -> str:
    """Return when the result was made, to the minute."""
    return f"{result.created[:10]} {result.created[11:16]} UTC"


def _made(result: Result) -> str:
    by_hand = f", {edited(result)}" if result.edits else ""
    plan = ", with a virtual stent" if planned(result) else ""
    return f"ct-ffr {result.code_version}, {date(result)}{by_hand}{plan}"


def _facts(result: Result) -> list[tuple[str, str]]:
    quality = result.image_quality
    size, spacing, mass = result.input.size, result.input.spacing_mm, result.lv_mass_g
    return [
        ("Image quality", quality.grade or "not graded"),
        ("Dominance", result.dominance or "not determined"),
        ("LV mass", "not measured" if mass is None else f"{mass:.0f} g"),
        ("Aortic pressure, hyperaemia", f"{result.aortic_pressure_mmhg:.0f} mmHg"),
        ("Scan", f"{' × '.join(map(str, size))} voxels of "
         f"{' × '.join(f'{x:.2f}' for x in spacing)} mm"),
        ("Series", result.input.series),
    ]  # fmt: skip


def _elements(result: Result) -> list[tuple[str, str]]:
    """Return every element of CAD-RADS 2.0 and what can be said of it."""
    cad = result.suggested_cad_rads
    signs = [x for x in cad.modifiers if x.startswith("I")]
    read = [x for x in result.lesions if x.ffr_distal is not None]
    unread = "N" in cad.modifiers or cad.grade == "N"
    flow = f"{signs[0]}: lowest FFR distal to a lesion" if signs else "no FFR behind a lesion"
    return [
        ("Stenosis", "N, not fully read" if cad.grade == "N" else cad.grade.replace("-", "–")),
        ("N", "some vessel was not fully read" if unread else "all main vessels were read"),
        ("I", flow if read else "not stated: no FFR behind a lesion"),
        ("S", "a stent was seen" if "S" in cad.modifiers else "no stent was seen"),
        *(_not_assessed(x) for x in cad.not_assessed),
    ]


def _not_assessed(text: str) -> tuple[str, str]:
    """Split "P (plaque burden): why" into the element and what is said."""
    name, _, why = text.partition(": ")
    letter, _, meaning = name.partition(" ")
    return letter, f"not assessed {meaning}" + (f": {why}" if why else "")


def _versions(result: Result) -> list[tuple[str, str]]:
    code = result.code_version + (f", commit {result.git_commit}" if result.git_commit else "")
    return [
        ("ct-ffr", code),
        ("Result format", result.schema_version),
        ("Made", date(result)),
        ("Input SHA-256", result.input.sha256),
        *((f"Network {x.name}, SHA-256", x.sha256) for x in result.models),
    ]
