"""What went right and wrong with each hard case, in words that follow from its numbers?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from meshes.arrays import AnyArray
from meshes.stenosis import Lesion
from meshes.tree import CoronaryTree, segment_length_mm
from validation.agreement import SAME_LESION_MM, compare, pairs
from validation.gallery_cases import CASES
from validation.segmentation_lesions import false_lesions

if TYPE_CHECKING:
    from validation.gallery import Shown

TOLD_MM = 5.0  # shorter pieces of centreline are not worth a word
TOLD_FFR, TOLD_PERCENT = 0.05, 12.0  # errors from here on count as wrong
GRAVE_PERCENT = 50.0
ON_COURSE_MM = 2.0
HEAD = """# Hard cases

Virtual patients made to go wrong, good and bad results alike. **Research use only. Not a medical device. Not for diagnosis.**
No network was trained on them. What is right and wrong below is computed from the exact truth by fixed rules, not chosen: pieces of
centreline from 5 mm, diameter stenoses off by more than 12 points, FFR by more than 0.05, warnings that should be there.

Each picture: a slab that follows the vessel, the vessel pulled straight along its true course, diameter and FFR along it; then the
warnings as the report prints them. In the lesion tables FFR is read 20 mm behind each stenosis.

"""  # noqa: E501


def page(rows: Sequence[Shown], about: str) -> str:
    """Return docs/gallery.md."""
    verdicts = [verdict(one) for one in rows]
    lines = ["| case | right | wrong |", "|---|---|---|"]
    for one, (right, wrong) in zip(rows, verdicts, strict=True):
        link = f"[{one.case.title}](#{_anchor(one.case.title)})"
        lines.append(f"| {link} | {len(right)} | {len(wrong)} |")
    text = HEAD + "\n".join(lines) + f"\n\n{about}\n" + _not_run(rows)
    return text + "".join(_section(*both) for both in zip(rows, verdicts, strict=True))


def _not_run(rows: Sequence[Shown]) -> str:
    """Tell which recipes are there and were not run."""
    left = [c.title for c in CASES if c.name not in {one.case.name for one in rows}]
    return f"\nNot run yet; the same command makes them: {'; '.join(left)}.\n" if left else ""


def _anchor(title: str) -> str:
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -")
    return kept.replace(" ", "-")


def _section(one: Shown, verdicts: tuple[list[str], list[str]]) -> str:
    right, wrong = verdicts
    lines = [
        f"\n## {one.case.title[0].upper()}{one.case.title[1:]}\n",
        f"{one.case.why}\n",
        f"![{one.case.title}](gallery/{one.case.name}.png)\n",
    ]
    if not one.failure:
        lines += [*_lesion_table(one), ""]
    lines += [f"- right: {x}" for x in right] + [f"- **wrong**: {x}" for x in wrong]
    lines.append(f"\nRun on {one.date}, commit {one.commit}.")
    return "\n".join(lines) + "\n"


def verdict(one: Shown) -> tuple[list[str], list[str]]:
    """Return what is right and what is wrong, in one sentence each."""
    right: list[str] = []
    wrong: list[str] = []
    if one.failure:
        return right, [f"the scan was refused: {one.failure}"]
    for good, words in (
        *_courses(one), *_warned(one), *_lesions(one), *_false(one), *_hidden(one)
    ):  # fmt: skip
        (right if good else wrong).append(words)
    return right, wrong


def _courses(one: Shown) -> Iterator[tuple[bool, str]]:
    course = compare(one.found, one.true)
    share = 100 * course.covered_mm / course.true_mm
    missed = [f"{mm:.0f} mm of the {name}" for name, mm in course.missed_mm if mm >= TOLD_MM]
    found = f"{share:.0f} % of the centreline of vessels from 1.5 mm was found"
    yield (not missed, found + (f"; missed: {', '.join(missed)}" if missed else ""))
    false = [(n, mm) for n, mm in false_mm(one) if mm >= TOLD_MM]
    if false:
        words = ", ".join(f"{mm:.0f} mm named {name}" for name, mm in false)
        yield False, f"found where no vessel is: {words}"
    else:
        yield True, "nothing was found where no vessel is"


def false_mm(one: Shown) -> list[tuple[str, float]]:
    """Length of found centreline off every true vessel, and off what an occlusion hides."""
    known = (c.tree.points_mm for c in one.true)
    true = cKDTree(np.concatenate([*known, one.course_mm, one.hidden_mm]))
    found = []
    for c in one.found:
        off = np.asarray(true.query(c.tree.points_mm)[0])
        false = off > np.maximum(ON_COURSE_MM, c.tree.radius_mm)
        length = segment_length_mm(c.tree)
        for k, name in enumerate(c.names):
            found.append((name, float(length[false & (c.branch == k)].sum())))
    return found


def _warned(one: Shown) -> Iterator[tuple[bool, str]]:
    if not one.case.expected:
        return
    raised = [
        f.name for f in one.flags
        if f.name in one.case.expected
        and (f.place is None or f.place.vessel in (None, one.case.vessel))
    ]  # fmt: skip
    wanted = " or ".join(f"`{x}`" for x in one.case.expected)
    if raised:
        yield True, f"warned: {', '.join(f'`{x}`' for x in dict.fromkeys(raised))}"
    else:
        yield False, f"no warning for the {one.case.vessel}; {wanted} is due"


def _own(
    trees: Sequence[CoronaryTree], lesions: Sequence[Sequence[Lesion]]
) -> list[tuple[int, int, Lesion]]:
    return [(t, k, x) for t, many in enumerate(lesions) for k, x in enumerate(many)]


def lesion_rows(
    one: Shown,
) -> list[tuple[tuple[int, int, Lesion], tuple[int, int, Lesion] | None]]:
    """Return each true stenosis with its found partner, None where there is none."""
    true, found = _own(one.true, one.exact.lesions), _own(one.found, one.findings.lesions)

    def places(trees: Sequence[CoronaryTree], rows: list[tuple[int, int, Lesion]]) -> AnyArray:
        return np.array([trees[t].tree.points_mm[x.throat] for t, _, x in rows]).reshape(-1, 3)

    throats = (places(one.found, found), places(one.true, true))
    linked = {k: f for f, k in pairs(*throats, SAME_LESION_MM)}
    return [(row, found[linked[k]] if k in linked else None) for k, row in enumerate(true)]


def _ffr(findings: object, row: tuple[int, int, Lesion]) -> float:
    t, k, _ = row
    point, _ = findings.distal[t][k]  # type: ignore[attr-defined]
    return float(findings.ffr[t][point])  # type: ignore[attr-defined]


def _lesion_table(one: Shown) -> Iterator[str]:
    rows = lesion_rows(one)
    if not rows:
        yield "No true stenosis."
        return
    yield "| true stenosis | diameter stenosis true, found | FFR true, found |"
    yield "|---|---|---|"
    for true, found in rows:
        t, _, x = true
        c = one.true[t]
        percent = "not found" if found is None else f"{found[2].diameter_stenosis_percent:.0f}"
        value = "-" if found is None else _number(_ffr(one.findings, found))
        name, grade = c.names[c.branch[x.throat]], x.diameter_stenosis_percent
        yield (
            f"| {name} | {grade:.0f} %, {percent} | {_number(_ffr(one.exact, true))}, {value} |"
        )


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "not analysed"


def _lesions(one: Shown) -> Iterator[tuple[bool, str]]:
    for true, found in lesion_rows(one):
        t, _, x = true
        c = one.true[t]
        name = c.names[c.branch[x.throat]]
        grade = x.diameter_stenosis_percent
        if found is None:
            if grade >= GRAVE_PERCENT:
                yield False, f"the {grade:.0f} % stenosis of the {name} is not reported"
            continue
        off = found[2].diameter_stenosis_percent - grade
        if abs(off) > TOLD_PERCENT:
            yield False, f"the {grade:.0f} % stenosis of the {name} reads {grade + off:.0f} %"
        elif grade >= GRAVE_PERCENT:
            yield True, f"the {grade:.0f} % stenosis of the {name} reads {grade + off:.0f} %"
        exact, ours = _ffr(one.exact, true), _ffr(one.findings, found)
        if np.isfinite(exact) and np.isfinite(ours):
            words = f"FFR behind it is {ours:.2f}, true {exact:.2f}"
            yield abs(ours - exact) <= TOLD_FFR, f"{name}: {words}"


def _false(one: Shown) -> Iterator[tuple[bool, str]]:
    wrong = [
        x for x in false_lesions(one.found, one.findings.lesions, one.true)
        if x.reported_percent >= GRAVE_PERCENT
    ]  # fmt: skip
    for x in wrong:
        where = "" if x.on_vessel else ", where no vessel is"
        yield (
            False,
            f"a {x.reported_percent:.0f} % stenosis is reported in the {x.vessel}{where}",
        )
    if not wrong:
        yield True, "no stenosis of 50 % or more is reported where there is none"


def _hidden(one: Shown) -> Iterator[tuple[bool, str]]:
    """Numbers behind what cannot be judged: a narrow stent, an occlusion."""
    dark = [x for c in one.found for x in c.unreadable if x.vessel == one.case.vessel]
    if "stent-narrow" in one.case.expected:
        words = "FFR is given in and behind the narrow stent"
        yield bool(dark), f"no {words}" if dark else words
    elif dark and "vessel-occluded" not in one.case.expected:
        yield False, f"called not analysable: {dark[0].reason} in the {dark[0].vessel}"
    if "vessel-occluded" not in one.case.expected:
        return
    known = cKDTree(np.concatenate([c.tree.points_mm for c in one.true]))
    beyond = one.course_mm[np.asarray(known.query(one.course_mm)[0]) > 2 * ON_COURSE_MM]
    lowest = [
        float(ffr[here].min())
        for c, ffr in zip(one.found, one.findings.ffr, strict=True)
        if (here := _beside(c, beyond) & np.isfinite(ffr)).any()
    ]
    if lowest:
        words = f"FFR is given behind the occlusion, down to {min(lowest):.2f}"
        yield False, words + ", as if the bridged gap were open"
    else:
        yield True, "no FFR is given behind the occlusion"


def _beside(c: CoronaryTree, line: AnyArray) -> AnyArray:
    if not len(line):
        return np.zeros(len(c.tree), dtype=bool)
    return np.asarray(np.asarray(cKDTree(line).query(c.tree.points_mm)[0]) < ON_COURSE_MM)
