"""How wrong may a measured lumen radius be?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import Floats, floats
from meshes.tree import CoronaryTree

MOST_CORRECTED_PERCENT = 10.0  # error of a radius up to which its effect on the mean counts


@dataclass(frozen=True, slots=True)
class LumenError:
    """How wrong measured radii are; log-normal, from held-out virtual scans.

    `python -m validation throats` compares measured radii at and beside narrowings with the
    true ones. What the lumen network says of its own error holds 83 % of all points, and 91 %
    of those without calcium nearby (95 % would be right); this law holds 89 and 96 %. Where
    the network is lost it says 40 % and more, which holds 72 % of the points: `most_percent`
    holds few of them, and they are not a matter of spread.

    Parameters
    ----------
    shared_mm
        Standard deviation of the error that all radii of a scan share.
    least_percent
        Least standard deviation at each point, of the radius; beyond that the
        `radius_sd_mm` that the segmentation gives with the tree counts.
    unknown_percent
        Standard deviation, of the radius, where the tree comes without one.
    narrowing_percent
        More of it (added in quadrature) at a lumen that is closed; at a narrowing that
        share of it by which the diameter is reduced.
    most_percent
        Greatest standard deviation.
    correlation_mm
        Length over which the error changes along a vessel (Matern 3/2).
    """

    shared_mm: float = 0.02
    least_percent: float = 4.0
    unknown_percent: float = 7.0
    narrowing_percent: float = 20.0
    most_percent: float = 35.0
    correlation_mm: float = 4.0

    @classmethod
    def of_percent(cls, percent: float) -> LumenError:
        """Return the law of radii that are wrong by so much everywhere, and share no error."""
        return cls(
            shared_mm=0.0, least_percent=percent, unknown_percent=percent, narrowing_percent=0.0
        )

    def centre_mm(self, coronary: CoronaryTree) -> Floats:
        """Return the radii around which true ones are expected, shape (n,).

        Resistance goes with radius^-4: a log-normal error of SD e raises it by exp(8 e^2)
        on average. Measured radii carry the error already and drawn ones get it again;
        radii wider by exp(4 e^2) make up for both. That counts where many errors add up
        along a vessel, and these are small. A large one stands alone, at a throat: there
        the measured radius stays the median, so e counts up to MOST_CORRECTED_PERCENT.
        """
        e = np.minimum(self.own_percent(coronary), MOST_CORRECTED_PERCENT) / 100.0
        return floats(coronary.tree.radius_mm * np.exp(4.0 * e**2))

    def own_percent(self, coronary: CoronaryTree) -> Floats:
        """Return the standard deviation that changes along the vessels, shape (n,)."""
        radius, sd = coronary.tree.radius_mm, coronary.radius_sd_mm
        least = np.where(sd > 0, self.least_percent, self.unknown_percent)
        told = np.maximum(100.0 * sd / radius, least)
        narrowed = np.clip(1.0 - radius / coronary.reference_radius_mm, 0.0, 1.0)
        own = np.hypot(told, self.narrowing_percent * narrowed)
        return floats(np.minimum(own, self.most_percent))
