"""What the body does at the ends of the tree: from a patient to boundary conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ffr.errors import ConfigError
from ffr.patient import Patient
from meshes.arrays import Floats, floats
from meshes.tree import CoronaryTree, VesselTree, outlets
from solvers.blood import Blood
from solvers.split import SPLIT_EXPONENT, flow_shares, inlet_radius_mm

RESTING_ML_S_PER_G = 0.0328  # times M^0.75; public coronary deck, arXiv 2501.08340 (2025)
MASS_POWER = 0.75  # Choy & Kassab, Journal of Applied Physiology 2008;104:1281
MASS_G = {"male": 155.0, "female": 109.0}  # MESA, Natori et al., AJR 2006;186:S357, see docs
CUFF_MMHG = (120.0, 80.0)
VENOUS_MMHG = 5.0
RESISTANCE_RATIO = 0.24  # Wilson et al., Circulation 1990;82:1595
LEFT_SHARE = 0.606  # of the total flow, arXiv 2501.08340, where only one tree is known
HAEMATOCRIT = 0.45


@dataclass(frozen=True, slots=True)
class Assumption:
    """A value the result rests on, as the report prints it.

    Parameters
    ----------
    name, value, source
        What, how much with its unit, and where it comes from.
    assumed
        True where the user gave nothing.
    """

    name: str
    value: str
    source: str
    assumed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Boundary:
    """What the ends of one tree see under hyperaemia.

    Parameters
    ----------
    inlet_pressure_mmhg
        Mean aortic pressure.
    venous_pressure_mmhg
        Pressure behind the microvascular bed.
    outlet_resistance_mmhg_min_ml
        Hyperaemic resistance of the bed behind each outlet, in the order of `outlets`.
    resting_flow_ml_min
        Flow of each outlet at rest that the resistances come from.
    """

    inlet_pressure_mmhg: float
    venous_pressure_mmhg: float
    outlet_resistance_mmhg_min_ml: Floats
    resting_flow_ml_min: Floats

    def __post_init__(self) -> None:
        for name in ("outlet_resistance_mmhg_min_ml", "resting_flow_ml_min"):
            object.__setattr__(self, name, floats(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class Physiology:
    """Settings of the microvascular model.

    Parameters
    ----------
    exponent
        Flow divides in proportion to radius^exponent; 7/3 (Kassab 2006).
    resistance_ratio
        Hyperaemic over resting resistance; 0.24 (Wilson 1990, healthy beds). Patients with
        coronary disease reach less hyperaemia: flow reserve 2 to 2.9, a ratio of 0.35-0.5.
    venous_pressure_mmhg
        Pressure behind the bed; 5 mmHg, the usual right atrial pressure.
    """

    exponent: float = SPLIT_EXPONENT
    resistance_ratio: float = RESISTANCE_RATIO
    venous_pressure_mmhg: float = VENOUS_MMHG


@dataclass(frozen=True, slots=True, eq=False)
class Supply:
    """One tree as the microvascular model sees it: what to split by, and whose side it is.

    Parameters
    ----------
    tree
        The vessels.
    reference_radius_mm
        Healthy radius at each point, shape (n,).
    side
        "left" or "right".
    """

    tree: VesselTree
    reference_radius_mm: Floats
    side: str


def boundary_from_patient(
    trees: Sequence[CoronaryTree],
    patient: Patient,
    lv_mass_g: float | None,
    settings: Physiology | None = None,
) -> tuple[tuple[Boundary, ...], tuple[Assumption, ...]]:
    """Return the hyperaemic boundary of each tree and what it rests on.

    Resting flow follows from the myocardial mass and divides by healthy radius, top down:
    at the aorta between the trees, at each bifurcation between the daughters. Resting
    resistance of an outlet is (MAP - P_v)/Q; hyperaemia lowers it by one ratio.

    Parameters
    ----------
    trees
        The coronary trees of one heart.
    patient
        What is known.
    lv_mass_g
        Myocardial mass measured in the scan, None if it was not.
    settings
        Constants of the model.

    Raises
    ------
    ConfigError
        Mean aortic pressure not above venous pressure, a mass that is not positive.
    """
    supplies = [Supply(t.tree, t.reference_radius_mm, t.side) for t in trees]
    return boundaries(supplies, patient, lv_mass_g, settings or Physiology())


def boundaries(
    supplies: Sequence[Supply],
    patient: Patient,
    lv_mass_g: float | None,
    settings: Physiology,
    aortic: tuple[float, Assumption] | None = None,
) -> tuple[tuple[Boundary, ...], tuple[Assumption, ...]]:
    """Return the hyperaemic boundary of each tree; see `boundary_from_patient`.

    `aortic` is a mean pressure in mmHg that was given instead of a cuff's, and its source;
    that assumption stands first in the answer.
    """
    pressure, about_pressure = aortic or mean_aortic_pressure_mmhg(patient)
    venous = settings.venous_pressure_mmhg
    if pressure <= venous:
        message = f"mean aortic pressure {pressure:g} mmHg is not above venous {venous:g} mmHg"
        raise ConfigError(message)
    mass, about_mass = myocardial_mass_g(patient, lv_mass_g)
    total = resting_flow_ml_min(mass)
    shares, about_shares = tree_shares(supplies, settings.exponent)
    made = []
    for supply, share in zip(supplies, shares, strict=True):
        flow = split_flow(
            supply.tree, supply.reference_radius_mm, total * share, settings.exponent
        )
        rest = (pressure - venous) / flow
        made.append(Boundary(pressure, venous, settings.resistance_ratio * rest, flow))
    return tuple(made), (
        about_pressure,
        about_mass,
        Assumption(
            "resting coronary flow",
            f"{total:.0f} mL/min",
            "Q = 0.0328 mL/s (M/g)^0.75 (arXiv 2501.08340; Choy & Kassab 2008)",
            True,
        ),
        *about_shares,
        Assumption(
            "flow split", f"radius^{settings.exponent:.3g}", "Kassab 2006, healthy radius", True
        ),
        Assumption(
            "hyperaemic / resting resistance",
            f"{settings.resistance_ratio:g}",
            "Wilson 1990, healthy beds; aortic pressure taken as at rest",
            True,
        ),
        Assumption("venous pressure", f"{venous:g} mmHg", "usual right atrial pressure", True),
    )


def mean_aortic_pressure_mmhg(patient: Patient) -> tuple[float, Assumption]:
    """Return MAP = DAP + PP/3 (conventional; SD against catheter at least 5 mmHg)."""
    given = patient.systolic_mmhg is not None and patient.diastolic_mmhg is not None
    high = CUFF_MMHG[0] if patient.systolic_mmhg is None else patient.systolic_mmhg
    low = CUFF_MMHG[1] if patient.diastolic_mmhg is None else patient.diastolic_mmhg
    mean = low + (high - low) / 3.0
    source = "cuff" if given else "assumed cuff"
    return mean, Assumption(
        "mean aortic pressure",
        f"{mean:.1f} mmHg",
        f"{source} {high:g}/{low:g} mmHg, MAP = DAP + PP/3",
        not given,
    )


def myocardial_mass_g(patient: Patient, measured_g: float | None) -> tuple[float, Assumption]:
    """Return the mass that sets the flow: given, else measured, else a population's.

    Raises
    ------
    ConfigError
        The measured mass is not positive.
    """
    name = "left ventricular mass"
    if patient.lv_mass_g is not None:
        mass = patient.lv_mass_g
        return mass, Assumption(name, f"{mass:.0f} g", "given", False)
    if measured_g is not None:
        if not measured_g > 0:
            message = f"measured left ventricular mass is {measured_g:g} g, must be positive"
            raise ConfigError(message)
        return measured_g, Assumption(
            name, f"{measured_g:.0f} g", "measured in the scan", False
        )
    mass = MASS_G[patient.sex] if patient.sex else float(np.mean(list(MASS_G.values())))
    who = patient.sex or "mean of both sexes"
    return mass, Assumption(name, f"{mass:.0f} g", f"population, {who} (MESA 2006)", True)


def resting_flow_ml_min(lv_mass_g: float) -> float:
    """Return the resting flow of both trees, Q = k M^0.75."""
    return float(RESTING_ML_S_PER_G * lv_mass_g**MASS_POWER * 60.0)


def blood_from_patient(patient: Patient) -> tuple[Blood, Assumption]:
    """Return blood whose viscosity follows the haematocrit.

    Relative apparent viscosity in wide tubes, 1 + 2.2 ((1-H)^-0.8 - 1)/(0.55^-0.8 - 1)
    (Pries, Neuhaus & Gaehtgens, American Journal of Physiology 1992;263:H1770), scaled so
    that 45 % gives 3.5 mPa s.
    """
    given = patient.haematocrit is not None
    haematocrit = HAEMATOCRIT if patient.haematocrit is None else patient.haematocrit
    rise = ((1.0 - haematocrit) ** -0.8 - 1.0) / ((1.0 - HAEMATOCRIT) ** -0.8 - 1.0)
    blood = Blood(viscosity_pa_s=Blood().viscosity_pa_s * (1.0 + 2.2 * rise) / 3.2)
    return blood, Assumption(
        "blood viscosity",
        f"{blood.viscosity_pa_s * 1e3:.2f} mPa s",
        f"{'haematocrit' if given else 'assumed haematocrit'} {haematocrit:.2f}, Pries 1992",
        not given,
    )


def tree_shares(
    supplies: Sequence[Supply], exponent: float
) -> tuple[Floats, tuple[Assumption, ...]]:
    """Return the share of the heart's flow that each tree gets.

    By healthy inlet radius^exponent. With one side only, that side gets its usual share.
    """
    sides = {supply.side for supply in supplies}
    radius = [inlet_radius_mm(s.tree, s.reference_radius_mm) for s in supplies]
    weight = np.array(radius) ** exponent
    share = weight / weight.sum()
    source, missing = "inlet radius", len(sides) == 1
    if missing:
        share = share * (LEFT_SHARE if sides == {"left"} else 1.0 - LEFT_SHARE)
        source = f"only the {sides.pop()} tree is there; usual share (arXiv 2501.08340)"
    text = ", ".join(f"{s.side} {100 * f:.0f} %" for s, f in zip(supplies, share, strict=True))
    return floats(share), (Assumption("share of the coronary flow", text, source, True),)


def split_flow(
    tree: VesselTree, radius_mm: ArrayLike, total: float, exponent: float = SPLIT_EXPONENT
) -> Floats:
    """Divide `total` over the outlets by radius^exponent, bifurcation by bifurcation.

    Returns
    -------
    Floats
        One value per outlet in the order of `meshes.tree.outlets`; the sum is `total`.
    """
    return floats(total * flow_shares(tree, radius_mm, exponent)[outlets(tree)])
