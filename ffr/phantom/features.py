"""What can a virtual patient have besides healthy vessels and stenoses, and how often?"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ffr.phantom.anatomy import Tube
from ffr.phantom.coronaries import Artery
from meshes.arrays import Floats


@dataclass(frozen=True, slots=True)
class Variation:
    """Chance in percent that a patient has each feature; all 0: none of them.

    Every feature is drawn from its own random stream: switching one on changes nothing else
    about a patient but what the feature itself does.

    Parameters
    ----------
    separate_ostia_percent, lcx_from_right_percent, rca_from_left_percent, high_percent
        Origins: no left main; circumflex from the right coronary, behind the aorta; right
        coronary from the left sinus, between aorta and pulmonary artery; take-off of left
        main or right coronary above the sinuses.
    l_pda_percent
        Posterior descending artery from the circumflex, of left-dominant patients.
    septal_percent, sinus_node_percent
        One to three septal branches; a sinus-node branch of the right coronary.
    bridge_percent
        A stretch of the anterior descending inside the muscle.
    diffuse_percent, ostial_percent, bifurcation_percent, remodelling_percent
        Long mild narrowing; stenosis at an ostium; Medina lesion; outward plaque.
    stent_percent, occlusion_percent
        One to three stents; a total occlusion.
    lead_percent, valve_calcium_percent
        Pacemaker leads; calcium at the mitral and aortic annulus.
    crossing_veins_percent, sinus_percent, appendages_percent
        Veins over, under and against the arteries; a coronary sinus; atrial appendages.
    """

    separate_ostia_percent: float = 0.0
    lcx_from_right_percent: float = 0.0
    rca_from_left_percent: float = 0.0
    high_percent: float = 0.0
    l_pda_percent: float = 0.0
    septal_percent: float = 0.0
    sinus_node_percent: float = 0.0
    bridge_percent: float = 0.0
    diffuse_percent: float = 0.0
    ostial_percent: float = 0.0
    bifurcation_percent: float = 0.0
    remodelling_percent: float = 0.0
    stent_percent: float = 0.0
    occlusion_percent: float = 0.0
    lead_percent: float = 0.0
    valve_calcium_percent: float = 0.0
    crossing_veins_percent: float = 0.0
    sinus_percent: float = 0.0
    appendages_percent: float = 0.0


# Anomalies about as often as published (Yi 2011; Arjmand Shabestari 2012: LM absent 0.4 %,
# high take-off 0.1-0.7 %, bridges 21-37 %); disease and devices as in patients sent for CT
# to have a stenosis judged, which is a judgement.
COMMON = Variation(
    separate_ostia_percent=0.4,
    lcx_from_right_percent=0.5,
    rca_from_left_percent=0.2,
    high_percent=0.5,
    l_pda_percent=90.0,
    septal_percent=80.0,
    sinus_node_percent=60.0,
    bridge_percent=25.0,
    diffuse_percent=12.0,
    ostial_percent=10.0,
    bifurcation_percent=20.0,
    remodelling_percent=15.0,
    stent_percent=12.0,
    occlusion_percent=6.0,
    lead_percent=4.0,
    valve_calcium_percent=15.0,
    crossing_veins_percent=70.0,
    sinus_percent=85.0,
    appendages_percent=85.0,
)

HEALTHY = replace(
    COMMON, diffuse_percent=0.0, ostial_percent=0.0, bifurcation_percent=0.0,
    remodelling_percent=0.0, stent_percent=0.0, occlusion_percent=0.0, lead_percent=0.0,
    valve_calcium_percent=0.0,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Stent:
    """A stent in the truth: where, how wide, and its wires.

    Parameters
    ----------
    vessel
        Name as drawn.
    start_mm, end_mm
        Along the vessel from its own first point.
    diameter_mm
        Of the middle of the struts.
    strut_mm
        Thickness of the metal.
    in_stent_stenosis_percent
        Diameter lost to new tissue at the worst place.
    value_hu
        Attenuation of the metal before partial volume.
    wire_start_mm, wire_end_mm
        Wires as short straight pieces, shape (n, 3).
    """

    vessel: str
    start_mm: float
    end_mm: float
    diameter_mm: float
    strut_mm: float
    in_stent_stenosis_percent: float
    value_hu: float
    wire_start_mm: Floats
    wire_end_mm: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Occlusion:
    """A stretch of vessel without lumen; the true tree ends where it begins.

    Parameters
    ----------
    vessel
        Name as drawn.
    start_mm, length_mm
        Beginning along the vessel from its own first point, and length.
    filled_percent
        Contrast of the vessels beyond, of that in the aorta; 0: not filled by collaterals.
    plug
        The stretch itself: wall and plaque; its lumen is not painted.
    beyond
        Vessels downstream of it, in no tree.
    """

    vessel: str
    start_mm: float
    length_mm: float
    filled_percent: float
    plug: Artery
    beyond: tuple[Artery, ...]


@dataclass(frozen=True, slots=True)
class Bridge:
    """A stretch inside the muscle: along the vessel, and depth of muscle over the wall."""

    vessel: str
    start_mm: float
    end_mm: float
    depth_mm: float


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Disease beyond the planned stenoses, as it was built into the lumen.

    `kind` is diffuse, ostial, bifurcation or remodelling; `medina` the pattern at a
    bifurcation (mother before, mother behind, daughter), else "".
    """

    kind: str
    vessel: str
    start_mm: float
    end_mm: float
    diameter_stenosis_percent: float
    medina: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """A lead or a calcified annulus: a tube with its own attenuation.

    Parameters
    ----------
    kind
        "lead" or "annulus".
    points_mm, radius_mm
        Chain of cones, shapes (n, 3) and (n,).
    value_hu
        Attenuation.
    """

    kind: str
    points_mm: Floats
    radius_mm: Floats
    value_hu: float


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """All that a patient has beyond vessels and stenoses."""

    stents: tuple[Stent, ...] = ()
    occlusions: tuple[Occlusion, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    narrowings: tuple[Narrowing, ...] = ()
    anomalies: tuple[str, ...] = ()
    dense: tuple[Dense, ...] = ()
    veins: tuple[Tube, ...] = ()
    appendages: tuple[Tube, ...] = ()
