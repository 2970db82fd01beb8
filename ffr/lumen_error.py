"""How wrong may a measured lumen radius be?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import Floats, floats
from meshes.tree import CoronaryTree

MOST_RELATIVE = 0.1  # error of a radius for which its effect on the mean is corrected


@dataclass(frozen=True, slots=True)
class LumenError:
    """How wrong measured radii are, from held-out virtual scans (model card).

    Parameters
    ----------
    shared_mm
        Standard deviation of the error that all radii of a scan share.
    least_percent
        Least standard deviation at each point, of the radius; beyond that the
        `radius_sd_mm` that the segmentation gives with the tree counts.
    unknown_percent
        Standard deviation, of the radius, where the tree comes without one.
    correlation_mm
        Length over which the error changes along a vessel.
    """

    shared_mm: float = 0.02
    least_percent: float = 4.0
    unknown_percent: float = 7.0
    correlation_mm: float = 4.0

    @classmethod
    def of_percent(cls, percent: float) -> LumenError:
        """Return the law of radii that are wrong by so much and share no error."""
        return cls(shared_mm=0.0, unknown_percent=percent)

    def centre_mm(self, coronary: CoronaryTree) -> Floats:
        """Return the radii around which true ones are expected, shape (n,).

        Resistance goes with radius^-4: an error of relative SD e raises it by 10 e^2 on
        average. Measured radii carry the error already and drawn ones get it again; radii
        wider by 5 e^2 make up for both. Where e is above MOST_RELATIVE the series means
        nothing any more.
        """
        radius = coronary.tree.radius_mm
        relative = np.minimum(self.own_mm(coronary) / radius, MOST_RELATIVE)
        return floats(radius * (1.0 + 5.0 * relative**2))

    def own_mm(self, coronary: CoronaryTree) -> Floats:
        """Return the standard deviation that changes along the vessels, shape (n,)."""
        radius, sd = coronary.tree.radius_mm, coronary.radius_sd_mm
        least = np.where(sd > 0, self.least_percent, self.unknown_percent) / 100.0 * radius
        return floats(np.maximum(sd, least))
