"""Which numbers describe a patient's circulation, how uncertain are they, and who says so?

Every constant of the flow model stands here once, with its spread and its source. What is
known of one patient replaces them in `ffr.circulation.boundary`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FlowRule = Literal["mass", "morphometry"]
MapRule = Literal["third", "form-factor", "third-plus-5"]
Dominance = Literal["right", "left", "codominant"]


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


@dataclass(frozen=True, slots=True)
class Known:
    """One number, how far the truth may be from it, and where both come from.

    Parameters
    ----------
    typical
        Mean of a normal, median of a log-normal distribution; the unit stands in the name
        of the field that holds this.
    spread
        Standard deviation: in the same unit when normal, of the natural logarithm when
        log-normal.
    law
        "normal" or "log-normal".
    source
        Publication, or the reasoning.
    """

    typical: float
    spread: float
    law: Literal["normal", "log-normal"]
    source: str


@dataclass(frozen=True, slots=True)
class Physiology:
    """The constants of the flow model.

    Rest times response is the flow that the microvascular beds would let through if the
    epicardial vessels had no resistance: 250 mL/min x 2.78 = 695 mL/min for a heart of
    132 g. Fournier et al. (EuroIntervention 2021;17:e309) measured 668 +- 185 mL/min in
    controls and 582 +- 138 mL/min in patients, behind an epicardial resistance that costs
    some 10 to 15 %; the spread of rest given the mass (0.15) and of response (0.25) together
    is theirs (24 to 28 %) and a little more.

    Parameters
    ----------
    flow_rule
        Where resting flow comes from: "mass" of the left ventricle, or "morphometry", the
        healthy calibre of the coronary inlets.
    map_rule
        Mean pressure from a cuff: "third" DAP + PP/3; "form-factor" DAP + 0.45 PP;
        "third-plus-5" DAP + PP/3 + 5 mmHg.
    rest_ml_min, rest_mass_g, mass_power
        Resting flow of both trees at a left ventricular mass, and how it grows with mass.
    rest_ml_min_per_calibre
        Resting flow over the sum of inlet diameter^(7/3), diameters in mm.
    response
        Hyperaemic over resting flow of a bed at equal pressure: resting over hyperaemic
        resistance.
    male_mass_g, female_mass_g
        Left ventricular mass where none is measured.
    measured_mass_log_sd, given_mass_log_sd
        Spread of the logarithm of a mass measured in the scan, given by the user.
    given_flow_log_sd
        Spread of the logarithm of a resting flow or a response that the user measured.
    cuff_mmhg
        Systolic and diastolic where no cuff pressure is given.
    heart_rate_bpm
        Where none is given; for what happens within a beat.
    cuff_sd_mmhg, no_cuff_sd_mmhg, given_pressure_sd_mmhg
        Spread of mean pressure in hyperaemia: from a cuff, without one, given as such.
    venous_pressure_mmhg
        Behind the beds.
    split_exponent, bifurcation
        Flow divides as radius^exponent; spread of the logarithm of the ratio of flows at a
        bifurcation that calibres do not explain.
    male_haematocrit, female_haematocrit
        Where none is given (of unknown sex: the male one).
    viscosity_pa_s
        At 45 % haematocrit.
    left_share
        Of the heart's flow, by dominance, where only one tree is found.
    dominance
        How many hearts have it; the first is taken where nothing is known.
    """

    flow_rule: FlowRule = "mass"
    map_rule: MapRule = "third"
    rest_ml_min: Known = Known(
        250.0,
        0.15,
        "log-normal",
        "5 % of cardiac output; spread: see the docstring of Physiology",
    )
    rest_mass_g: Known = Known(132.0, 0.0, "normal", "mean of both sexes, MESA, Natori 2006")
    mass_power: Known = Known(
        0.75, 0.0, "normal", "Choy & Kassab, J Appl Physiol 2008;104:1281"
    )
    rest_ml_min_per_calibre: Known = Known(
        4.36,
        0.25,
        "log-normal",
        "250 mL/min over 4.5^(7/3) + 3.9^(7/3), healthy left main and RCA of Dodge, "
        "Circulation 1992;86:232; spread: 11 % of diameter to the power 7/3",
    )
    response: Known = Known(
        2.78,
        0.25,
        "log-normal",
        "Gallinoro, EuroIntervention 2021, 2.78 ± 0.91 (by PET patients 1.99 ± 0.47, "
        "controls 2.91 ± 0.78, PMC3069313; healthy beds up to 4.2-4.8, Wilson 1990)",
    )
    male_mass_g: Known = Known(
        155.0, 0.20, "log-normal", "MESA, Natori et al., AJR 2006;186:S357"
    )
    female_mass_g: Known = Known(
        109.0, 0.20, "log-normal", "MESA, Natori et al., AJR 2006;186:S357"
    )
    measured_mass_log_sd: Known = Known(
        0.15, 0.0, "normal", "held-out virtual scans, model card"
    )
    given_mass_log_sd: Known = Known(
        0.05, 0.0, "normal", "reproducibility of magnetic resonance"
    )
    given_flow_log_sd: Known = Known(
        0.10,
        0.0,
        "normal",
        "flow by PET repeats to 10 % within minutes (21 % from day to day), Kitkungvan, JACC "
        "Cardiovasc Imaging 2017;10:565",
    )
    cuff_mmhg: tuple[float, float] = (120.0, 80.0)
    heart_rate_bpm: Known = Known(
        72.0, 12.0, "normal", "mean of adults at rest, NHANES (Ostchega 2011)"
    )
    cuff_sd_mmhg: Known = Known(
        7.0,
        0.0,
        "normal",
        "5 mmHg against catheter (Chemla 2002) and 5 mmHg of change in hyperaemia",
    )
    no_cuff_sd_mmhg: Known = Known(12.0, 0.0, "normal", "spread of mean pressure among adults")
    given_pressure_sd_mmhg: Known = Known(3.0, 0.0, "normal", "fluid-filled catheter")
    venous_pressure_mmhg: Known = Known(
        5.0, 2.0, "normal", "usual right atrial pressure, 1 to 9 mmHg"
    )
    split_exponent: Known = Known(
        7.0 / 3.0,
        0.2,
        "normal",
        "Kassab, Am J Physiol 2006;290:H894; 2.15 and 2.38 by Taylor 2022, 2.6",
    )
    bifurcation: Known = Known(
        1.0,
        0.28,
        "log-normal",
        "what LAD flow varies beyond that of the heart (31 and 24 %, Fournier 2021), less "
        "what calibre explains (r = 0.66, Taylor 2022)",
    )
    male_haematocrit: Known = Known(0.45, 0.04, "normal", "usual adult range")
    female_haematocrit: Known = Known(0.40, 0.04, "normal", "usual adult range")
    viscosity_pa_s: Known = Known(
        0.0035,
        0.05,
        "log-normal",
        "Fossan, Cardiovasc Eng Technol 2018; 3.5 to 4.0 mPa s are in use",
    )
    left_share: tuple[tuple[Dominance, float], ...] = (
        ("right", 0.606),  # arXiv 2501.08340
        ("codominant", 0.71),  # half way
        ("left", 0.82),  # diameters^(7/3) of left-dominant hearts, Dodge 1992
    )
    dominance: tuple[tuple[Dominance, float], ...] = (
        # right 76-77 %, left 9-15 %, both 8-15 % (Diagn Interv Radiol 2009, n 700, and 2021,
        # n 161); CONFIRM, which counts no codominant ones: right 91 % of 6 382
        ("right", 0.77),
        ("codominant", 0.12),
        ("left", 0.11),
    )


@dataclass(frozen=True, slots=True)
class InputSpread:
    """How far the inputs of one patient's flow may be from the values used.

    Parameters
    ----------
    flow, response, viscosity
        Standard deviation of the logarithm: of resting flow (the mass included), of
        hyperaemic response, of viscosity.
    pressure_mmhg, venous_mmhg
        Standard deviation of mean aortic and venous pressure.
    exponent, bifurcation
        Standard deviation of the split exponent, and of the logarithm of the ratio of flows
        at each bifurcation.
    dominance
        What the heart may have, and with which probability; what was taken stands first.
        Counts where only one tree was found: with both, their inlets' radii tell.
    """

    flow: float
    response: float
    viscosity: float
    pressure_mmhg: float
    venous_mmhg: float
    exponent: float
    bifurcation: float
    dominance: tuple[tuple[Dominance, float], ...] = (("right", 1.0),)
