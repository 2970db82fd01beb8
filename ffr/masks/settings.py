"""What was said about a mask: which labels are vessels, which the aorta, where ostia are?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ffr.errors import ConfigError
from ffr.reading.image_file import kind_of

Point = tuple[float, float, float]
MOST_LABEL = 65535


@dataclass(frozen=True, slots=True)
class MaskSettings:
    """How to read a mask; empty or None where nothing was said.

    Parameters
    ----------
    labels
        Labels that are coronary lumen; all but the aorta's, when empty.
    left, right
        Labels of the left and of the right tree.
    aorta
        Label of the aorta.
    aorta_file
        Another file whose voxels (not 0) are the aorta.
    left_ostium, right_ostium
        Where a tree begins: patient axes L, P, S in mm.
    """

    labels: tuple[int, ...] = ()
    left: tuple[int, ...] = ()
    right: tuple[int, ...] = ()
    aorta: int | None = None
    aorta_file: Path | None = None
    left_ostium: Point | None = None
    right_ostium: Point | None = None


def mask_settings(
    labels: str | None = None,
    left_label: str | None = None,
    right_label: str | None = None,
    aorta: str | None = None,
    left_ostium: str | None = None,
    right_ostium: str | None = None,
) -> MaskSettings:
    """Turn the words of the command line into settings.

    Raises
    ------
    ConfigError
        Words that are no labels or no point, a label that is asked for twice.
    """
    left, right = _labels("--left-label", left_label), _labels("--right-label", right_label)
    chosen = _labels("--labels", labels)
    if chosen and (left or right):
        raise ConfigError("--labels has no effect with --left-label or --right-label")
    number, file = _aorta(aorta)
    twice = {*left} & {*right} | {*left, *right, *chosen} & {number}
    if twice:
        raise ConfigError(
            f"label {min(x for x in twice if x)} is asked for twice; give one use"
        )
    return MaskSettings(
        chosen, left, right, number, file,
        _point("--left-ostium", left_ostium), _point("--right-ostium", right_ostium),
    )  # fmt: skip


def _labels(option: str, text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 0 < int(part) <= MOST_LABEL for part in parts):
        raise ConfigError(f"{option} must be whole numbers from 1, such as 1 or 1,2")
    return tuple(dict.fromkeys(int(part) for part in parts))


def _aorta(text: str | None) -> tuple[int | None, Path | None]:
    if text is None:
        return None, None
    if text.strip().isdecimal():
        (number, *_) = _labels("--aorta", text)
        return number, None
    path = Path(text)
    if not kind_of(path):  # the words are not repeated: they may name the patient
        message = "--aorta is neither a label nor a NIfTI, NRRD or MetaImage file"
        raise ConfigError(message)
    if not path.is_file():
        raise ConfigError("the file given with --aorta does not exist")
    return None, path


def _point(option: str, text: str | None) -> Point | None:
    if text is None:
        return None
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        message = f"{option} must be three numbers in mm, x,y,z to the left, back and head"
        raise ConfigError(message) from None
    if not max(abs(x), abs(y), abs(z)) < 1e5:  # false for NaN too
        raise ConfigError(f"{option} lies outside any patient; give mm in patient axes L, P, S")
    return x, y, z
