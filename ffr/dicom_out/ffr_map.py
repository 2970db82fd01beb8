"""How does FFR in the lumen become an image of numbers? A Parametric Map on the scan."""

from __future__ import annotations

import numpy as np
from highdicom import VOILUTTransformation
from highdicom.pm import ParametricMap, RealWorldValueMapping
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import RLELossless

from ffr.dicom_out import codes as our
from ffr.dicom_out.lumen import fix_dimensions, in_file_order
from ffr.dicom_out.source import Source
from ffr.dicom_out.stamp import Stamp, finish, series_of
from meshes.arrays import AnyArray, Floats

PER_UNIT = 10_000  # stored for FFR 1
WINDOW_FFR = (0.5, 1.0)


def ffr_map(source: Source, stamp: Stamp, inside: AnyArray, ffr: Floats) -> Dataset:
    """Return FFR as 16-bit voxels, 0 where there is none, with a frame for every slice.

    Parameters
    ----------
    inside
        True in the lumen, indexed [k, j, i] on the grid of the source.
    ffr
        At each of its true voxels in their order, NaN where not analysed, shape (n,).
    """
    stored = np.zeros(inside.shape, np.uint16)
    stored[inside] = np.clip(np.rint(PER_UNIT * np.nan_to_num(ffr)), 0, 2 * PER_UNIT)
    pixels, positions = in_file_order(source, stored)
    words = stamp.variant.words
    mapping = RealWorldValueMapping(
        lut_label="FFR",
        lut_explanation="FFR computed from CT, research use only; 0: none",
        unit=codes.UCUM.NoUnits,
        value_range=(1, 2 * PER_UNIT),
        slope=1.0 / PER_UNIT,
        intercept=0.0,
        quantity_definition=our.FFR,
    )
    low, high = (PER_UNIT * x for x in WINDOW_FFR)
    dataset = ParametricMap(
        source_images=list(source.headers),
        pixel_array=pixels,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[VOILUTTransformation(0.5 * (low + high), high - low)],
        transfer_syntax_uid=RLELossless,  # nearly all of it is 0
        content_label="FFR",
        content_description=f"FFR in the lumen{words and ', '}{words}, research use only",
        plane_positions=positions,
        **series_of(stamp, "map", "FFR map"),
    )
    dataset.Laterality = ""
    fix_dimensions(dataset, stamp, "map dimensions")
    return finish(dataset, source, stamp)
