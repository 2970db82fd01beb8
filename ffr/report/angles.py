"""From which angles are the trees shown? Those of coronary angiography."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import Floats


@dataclass(frozen=True, slots=True)
class Angle:
    """An angiographic projection.

    The angles say where the image receptor stands about the patient: LAO towards the
    patient's left, cranial towards the head (Di Mario and Sutaria, Heart 2005;91:968-976;
    DICOM PS3.3 C.8.7.5, positioner primary and secondary angle). The picture is what an eye
    at the receptor sees, patient's left on its right, as cine angiograms are shown.

    Parameters
    ----------
    name
        Such as "LAO 45".
    lao_rad
        Rotation from anterior towards the patient's left; negative for RAO.
    cranial_rad
        Rotation towards the head; negative for caudal.
    """

    name: str
    lao_rad: float
    cranial_rad: float


ANGLES = (
    Angle("LAO 45°", float(np.deg2rad(45)), 0.0),
    Angle("AP cranial 35°", 0.0, float(np.deg2rad(35))),
    Angle("RAO 30°", float(np.deg2rad(-30)), 0.0),
)


def screen_axes(angle: Angle) -> Floats:
    """Return the screen axes right, up and towards the reader as rows, LPS, shape (3, 3)."""
    a, b = angle.lao_rad, angle.cranial_rad
    towards = np.array([np.sin(a) * np.cos(b), -np.cos(a) * np.cos(b), np.sin(b)])
    right = np.array([np.cos(a), np.sin(a), 0.0])
    return np.stack([right, np.cross(towards, right), towards])
