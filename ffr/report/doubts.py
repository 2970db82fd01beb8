"""How sure is a result, and what was not seen?"""

from __future__ import annotations

from ffr.report import words
from ffr.report.lesions import LesionWords
from ffr.results.reasons import TOO_SMALL
from ffr.results.result import Result

TOO_SMALL_LIST = "narrower than 1.5 mm, too small to analyse"
INTERVAL_HOLDS = (
    "The 95 % interval holds what is uncertain about lumen, flow, pressure, blood and flow "
    "model. It does not hold a missed lesion, a wrong vessel path or motion."
)


def sure(result: Result, by_id: dict[int, LesionWords]) -> list[str]:
    """Say which verdicts are clear and which are close, and what could mislead."""
    said = []
    known = [x for x in result.lesions if x.probability_below_0_80 is not None]
    close = [x for x in known if words.close(x.probability_below_0_80)]
    clear = [f"{x.id}" for x in known if x not in close]
    if close:
        parts = [f"lesion {x.id}, {words.place_of(x)} ({by_id[x.id].chance})" for x in close]
        said.append(
            f"Not certain, with the chance that FFR is 0.80 or below: {words.listed(parts)}."
        )
    if clear:
        many = "s" if len(clear) > 1 else ""
        said.append(
            f"Clear by this computation (chance below 5 % or above 95 %): lesion{many} "
            f"{words.listed(clear)}."
        )
    if any(x.ffr_distal is not None and x.ffr_low is None for x in result.lesions):
        said.append("No interval of FFR was computed.")
    guess = [f"lesion {y.id}" for y in by_id.values() if y.calcium.startswith("heavy here")]
    if guess:
        said.append(f"Heavy calcium at {words.listed(guess)}: the lumen there is a guess.")
    grade = result.image_quality.grade
    said.append(f"Image quality: {grade}." if grade else "Image quality was not graded.")
    return [*said, INTERVAL_HOLDS]


def unseen(result: Result) -> list[str]:
    """Say what has no FFR, one line per reason, what matters most first."""
    said = [
        f"{x.vessel}, {x.from_mm:.0f} to {x.to_mm:.0f} mm from the ostium: {x.reason}. There "
        "is no FFR there, behind it, or in its branches."
        for x in result.unreadable
    ]
    told = {f"{x.vessel} beyond {x.from_mm:.0f} mm" for x in result.unreadable}
    reasons: dict[str, list[str]] = {}
    for y in result.not_analysed:
        if not any(y.what.startswith(x) for x in told):
            reasons.setdefault(y.reason, []).append(y.what)
    small = reasons.pop(TOO_SMALL, [])
    said += [
        f"{words.listed(what)}: {words.plain(reason)}." for reason, what in reasons.items()
    ]
    said += [f"{name}: no vessel of this name was found." for name in _gone(result)]
    ends = [x.split(" beyond ")[0] for x in small if " beyond " in x]
    whole = [x for x in small if " beyond " not in x]
    if ends:
        said.append(f"Far ends of {words.listed(ends)}: {TOO_SMALL_LIST}.")
    if whole:
        said.append(f"{words.listed(whole)}: {TOO_SMALL_LIST}.")
    said += ["Not looked for: plaque that does not narrow the lumen, bypass grafts, "
             "collaterals, high-risk plaque."]  # fmt: skip
    return said


def _gone(result: Result) -> list[str]:
    """Return the main vessels that are missing from a tree that was found."""
    sides = {x.side for x in result.vessels}
    named = {x.vessel for x in result.vessels}
    main = {"LAD": "left", "LCx": "left", "RCA": "right"}
    return [name for name, side in main.items() if side in sides and name not in named]
