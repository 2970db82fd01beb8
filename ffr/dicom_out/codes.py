"""By which codes does the world know what we measure, and where?

SNOMED CT and DCM codes as in DICOM PS3.16 (CID 3014, 3015, 3621, 7162); no public code says
that a fractional flow reserve was computed from CT, so that a few codes are our own.
"""

from __future__ import annotations

from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from ffr.dicom_out.variant import Kind
from ffr.results.result import State

SCHEME = "99CTFFR"

FFR = codes.SCT.FractionalFlowReserve
DIAMETER_STENOSIS = codes.SCT.LumenDiameterStenosis
LESION_LENGTH = codes.SCT.StenoticLesionLength
STENOSIS = codes.SCT.Stenosis
VESSEL = codes.SCT.CoronaryArtery
PROCEDURE = codes.SCT.CTAngiographyOfCoronaryArteries


def own(value: str, meaning: str) -> CodedConcept:
    """Return a code of our own scheme."""
    return CodedConcept(value, SCHEME, meaning)


FROM_CT = own("CT-COMPUTED", "Computed from CT angiography, not measured")
METHODS: dict[Kind, CodedConcept] = {
    "automatic": FROM_CT,
    "edited": own("CT-EDITED", "Computed from CT angiography edited by hand, not measured"),
    "stented": own("CT-STENT", "Predicted from CT for a virtual stent, not measured"),
}
FFR_LOW = own("FFR-LOW", "FFR, lower end of 95% interval")
FFR_HIGH = own("FFR-HIGH", "FFR, upper end of 95% interval")
STENOSIS_LOW = own("DS-LOW", "Diameter stenosis, lower end of 95% interval")
STENOSIS_HIGH = own("DS-HIGH", "Diameter stenosis, upper end of 95% interval")
LOWEST = own("FFR-LOWEST", "Lowest FFR anywhere in vessel, not for decision")
LOWEST_LOW = own("FFR-LOWEST-LOW", "Lowest FFR in vessel, lower end of 95% interval")
LOWEST_HIGH = own("FFR-LOWEST-HIGH", "Lowest FFR in vessel, upper end of 95% interval")
READ_AT = own("FFR-DISTANCE", "Distance from end of lesion to where FFR was read")
POSITION = own("OSTIUM-DISTANCE", "Path length from ostium to minimal lumen area")
STATE = own("FFR-STATE", "State of FFR")
STATES: dict[State, CodedConcept] = {
    "above 0.80": own("ABOVE-080", "FFR above 0.80"),
    "0.76-0.80": own("BORDERLINE", "FFR 0.76 to 0.80, borderline"),
    "0.75 or below": own("UP-TO-075", "FFR 0.75 or below"),
    "occluded": own("OCCLUDED", "Occluded, no FFR"),
    "not analysed": own("NOT-ANALYSED", "Not analysed, no FFR"),
}

_SITE = codes.cid3015
SEGMENT_SITES: dict[int, Code] = {  # SCCT 2014 numbers
    1: _SITE.ProximalRightCoronaryArtery,
    2: _SITE.MidRightCoronaryArtery,
    3: _SITE.DistalRightCoronaryArtery,
    4: _SITE.PosteriorDescendingRightCoronaryArtery,
    5: _SITE.LeftMainCoronaryArtery,
    6: _SITE.ProximalLeftAnteriorDescendingCoronaryArtery,
    7: _SITE.MidLeftAnteriorDescendingCoronaryArtery,
    8: _SITE.DistalLeftAnteriorDescendingCoronaryArtery,
    9: codes.cid3015._1stDiagonalCoronaryArtery,
    10: codes.cid3015._2ndDiagonalCoronaryArtery,
    11: _SITE.ProximalCircumflexCoronaryArtery,
    12: codes.cid3015._1stMarginalCoronaryArtery,
    13: _SITE.DistalCircumflexCoronaryArtery,
    14: codes.cid3015._2ndMarginalCoronaryArtery,
    15: _SITE.LeftPosteriorDescendingCircumflexCoronaryArtery,
    16: _SITE.PosterolateralBranchOfRightCoronaryArtery,
    17: _SITE.IntermediateArteryRamus,
    18: _SITE.LeftPosterolateralCircumflexCoronaryArtery,
}
VESSEL_SITES: dict[str, Code] = {
    "LM": SEGMENT_SITES[5],
    "LAD": _SITE.LeftAnteriorDescendingCoronaryArtery,
    "LCx": _SITE.CircumflexCoronaryArtery,
    "RCA": _SITE.RightCoronaryArtery,
    "RI": SEGMENT_SITES[17],
    "D1": SEGMENT_SITES[9],
    "D2": SEGMENT_SITES[10],
    "D3": codes.cid3015._3rdDiagonalCoronaryArtery,
    "OM1": SEGMENT_SITES[12],
    "OM2": SEGMENT_SITES[14],
    "OM3": codes.cid3015._3rdMarginalCoronaryArtery,
    "S1": codes.cid3015._1stSeptalCoronaryArtery,
    "L-PDA": SEGMENT_SITES[15],
    "R-PDA": SEGMENT_SITES[4],
    "L-PLB": SEGMENT_SITES[18],
    "R-PLB": SEGMENT_SITES[16],
}
_TREES = {"left": _SITE.LeftCoronaryArtery, "right": _SITE.RightCoronaryArtery}


def site(side: str, vessel: str, segment: int | None = None) -> Code:
    """Return where something lies: the segment, else the vessel, else its coronary tree."""
    if segment in SEGMENT_SITES:
        return SEGMENT_SITES[segment]
    return VESSEL_SITES.get(vessel, _TREES[side])
