"""What the body does at the ends of the tree: from a patient to boundary conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ffr.circulation.estimates import (
    mean_aortic_pressure_mmhg,
    myocardial_mass_g,
    personal,
    resting_flow_ml_min,
)
from ffr.circulation.patient import Patient
from ffr.circulation.physiology import Assumption, Physiology
from ffr.errors import ConfigError
from meshes.arrays import Floats, floats
from meshes.tree import CoronaryTree, VesselTree, outlets
from solvers.split import SPLIT_EXPONENT, flow_shares, inlet_radius_mm


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


def supplies_of(trees: Sequence[CoronaryTree]) -> tuple[Supply, ...]:
    """Return the trees as the microvascular model sees them."""
    return tuple(Supply(t.tree, t.reference_radius_mm, t.side) for t in trees)


def boundary_from_patient(
    trees: Sequence[CoronaryTree],
    patient: Patient,
    lv_mass_g: float | None,
    settings: Physiology | None = None,
) -> tuple[tuple[Boundary, ...], tuple[Assumption, ...]]:
    """Return the hyperaemic boundary of each tree and what it rests on.

    Resting flow follows from the myocardial mass or the calibre of the inlets and divides by
    healthy radius, top down: at the aorta between the trees, at each bifurcation between
    the daughters. Resting resistance of an outlet is (MAP - P_v)/Q; hyperaemia divides it by
    the response.

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
    return boundaries(supplies_of(trees), patient, lv_mass_g, settings or Physiology())


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
    settings = personal(settings, patient)
    pressure, about_pressure = aortic or mean_aortic_pressure_mmhg(patient, settings)
    venous = settings.venous_pressure_mmhg.typical
    if pressure <= venous:
        message = f"mean aortic pressure {pressure:g} mmHg is not above venous {venous:g} mmHg"
        raise ConfigError(message)
    exponent, response = settings.split_exponent.typical, settings.response.typical
    shares, about_shares = tree_shares(supplies, exponent, settings, patient)
    total, about_total = resting_flow(supplies, patient, lv_mass_g, settings, shares)
    made = []
    for supply, share in zip(supplies, shares, strict=True):
        flow = split_flow(supply.tree, supply.reference_radius_mm, total * share, exponent)
        made.append(Boundary(pressure, venous, (pressure - venous) / flow / response, flow))
    return tuple(made), (
        about_pressure,
        *about_total,
        *about_shares,
        Assumption(
            "flow split",
            f"radius^{exponent:.3g}",
            f"{settings.split_exponent.source}, healthy radius",
            patient.split_exponent is None,
        ),
        Assumption(
            "hyperaemic response of the beds",
            f"{response:.2f} x resting flow",
            f"{settings.response.source}; aortic pressure taken as at rest",
            patient.hyperaemic_response is None,
        ),
        Assumption(
            "venous pressure",
            f"{venous:g} mmHg",
            settings.venous_pressure_mmhg.source,
            patient.venous_pressure_mmhg is None,
        ),
    )


def resting_flow(
    supplies: Sequence[Supply], patient: Patient, lv_mass_g: float | None,
    settings: Physiology, shares: Floats,
) -> tuple[float, tuple[Assumption, ...]]:  # fmt: skip
    """Return the resting flow of the whole heart and what it rests on.

    `shares` of the trees present tell, by the rule "morphometry", how much of the heart's
    flow their inlets stand for.
    """
    name = "resting coronary flow"
    if patient.resting_flow_ml_min is not None:
        flow = patient.resting_flow_ml_min
        return flow, (Assumption(name, f"{flow:.0f} mL/min", "given", False),)
    if settings.flow_rule == "morphometry":
        power = settings.split_exponent.typical
        inlets = [2.0 * inlet_radius_mm(s.tree, s.reference_radius_mm) for s in supplies]
        known = settings.rest_ml_min_per_calibre
        flow = known.typical * float(np.sum(np.array(inlets) ** power)) / float(shares.sum())
        text = f"healthy inlet diameter^{power:.3g}: {known.source}"
        return flow, (Assumption(name, f"{flow:.0f} mL/min", text, True),)
    mass, about_mass = myocardial_mass_g(patient, lv_mass_g, settings)
    flow = resting_flow_ml_min(mass, settings)
    rule = (
        f"{settings.rest_ml_min.typical:.0f} mL/min at {settings.rest_mass_g.typical:.0f} g "
        f"({settings.rest_ml_min.source.partition(';')[0]}), as mass^"
        f"{settings.mass_power.typical:g} (Choy & Kassab 2008)"
    )
    return flow, (about_mass, Assumption(name, f"{flow:.0f} mL/min", rule, True))


def tree_shares(
    supplies: Sequence[Supply],
    exponent: float,
    settings: Physiology | None = None,
    patient: Patient | None = None,
) -> tuple[Floats, tuple[Assumption, ...]]:
    """Return the share of the heart's flow that each tree gets.

    By healthy inlet radius^exponent, in which dominance shows. With one side only, that side
    gets its usual share, by the patient's dominance (the most frequent where it is not given).
    """
    settings = settings or Physiology()
    sides = {supply.side for supply in supplies}
    radius = [inlet_radius_mm(s.tree, s.reference_radius_mm) for s in supplies]
    weight = np.array(radius) ** exponent
    share = weight / weight.sum()
    source, assumed = "inlet radius", True
    if len(sides) == 1:
        dominance = (patient.dominance if patient else None) or settings.dominance[0][0]
        left = dict(settings.left_share)[dominance]
        share = share * (left if sides == {"left"} else 1.0 - left)
        source = (
            f"only the {sides.pop()} tree is there; usual share of a {dominance}-dominant heart"
            if dominance != "codominant"
            else f"only the {sides.pop()} tree is there; usual share of a codominant heart"
        )
    text = ", ".join(f"{s.side} {100 * f:.0f} %" for s, f in zip(supplies, share, strict=True))
    return floats(share), (Assumption("share of the coronary flow", text, source, assumed),)


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
