"""The label numbers of the coarse anatomy map, shared by network, phantom and checks."""

from __future__ import annotations

from enum import IntEnum


class Anatomy(IntEnum):
    """Label values of the whole-heart map at 2 mm."""

    BACKGROUND = 0
    AORTA = 1  # lumen of root, ascending and descending aorta
    LV = 2  # blood pool of the left ventricle
    MYOCARDIUM = 3  # of the left ventricle
    LA = 4
    RV = 5
    RA = 6
    PULMONARY_ARTERY = 7


class Vessel(IntEnum):
    """Label values of the fine vessel map."""

    BACKGROUND = 0
    LUMEN = 1  # of the coronary arteries
    PLAQUE = 2  # wall and non-calcified plaque
    CALCIUM = 3
    VEIN = 4  # of the heart: what is most like an artery
