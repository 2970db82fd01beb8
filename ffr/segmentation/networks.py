"""The three networks: whole-heart map, vessel map, lumen contour on a cross-section."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ffr.anatomy import Anatomy, Vessel

# Of the two U-Nets. Channels in: HU, and for vessels HU over the blood's; out: labels, and for
# vessels the distance to the centreline; widths per level.
INPUTS = {"anatomy": 1, "vessel": 2}
OUTPUTS = {"anatomy": len(Anatomy), "vessel": len(Vessel) + 1}
WIDTHS = {"anatomy": (20, 40, 80, 128), "vessel": (24, 48, 96, 160)}


def build(name: str) -> UNet3d:
    """Return the untrained "anatomy" or "vessel" network."""
    return UNet3d(INPUTS[name], OUTPUTS[name], WIDTHS[name], stem=True)


def _convs(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Two 3D convolutions, each normalised per instance (batches are small)."""
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.InstanceNorm3d(outputs, affine=True),
        nn.LeakyReLU(0.01, inplace=True),
        nn.Conv3d(outputs, outputs, 3, padding=1, bias=False),
        nn.InstanceNorm3d(outputs, affine=True),
        nn.LeakyReLU(0.01, inplace=True),
    )


class UNet3d(nn.Module):
    """A plain 3D U-Net (Cicek et al. 2016), optionally working at half resolution inside.

    Parameters
    ----------
    inputs, outputs
        Channels of the image and of the raw output.
    widths
        Channels per level; each level halves the resolution.
    stem
        With a stem the U-Net proper runs on a stride-2 convolution of the image, and a
        narrow full-resolution path joins at the end: a quarter of the cost.
    """

    def __init__(
        self, inputs: int, outputs: int, widths: tuple[int, ...], stem: bool = False
    ) -> None:
        super().__init__()
        self.has_stem = stem
        first = inputs
        if stem:
            self.stem = nn.Conv3d(inputs, widths[0], 3, stride=2, padding=1)
            self.fine = nn.Conv3d(inputs, 8, 3, padding=1)
            self.rise = nn.ConvTranspose3d(widths[0], 8, 2, stride=2)
            self.join = nn.Conv3d(16, 16, 3, padding=1)
            first = widths[0]
        self.down = nn.ModuleList()
        for level, width in enumerate(widths):
            self.down.append(_convs(first, width, stride=1 if level == 0 else 2))
            first = width
        self.up = nn.ModuleList()
        self.merge = nn.ModuleList()
        for wide, narrow in zip(widths[:0:-1], widths[-2::-1], strict=True):
            self.up.append(nn.ConvTranspose3d(wide, narrow, 2, stride=2))
            self.merge.append(_convs(2 * narrow, narrow))
        self.head = nn.Conv3d(16 if stem else widths[0], outputs, 1)

    @property
    def divisor(self) -> int:
        """Image sizes must be multiples of this."""
        return int(2 ** (len(self.down) - 1 + int(self.has_stem)))

    def forward(self, image: Tensor) -> Tensor:
        """Map (batch, inputs, z, y, x) to (batch, outputs, z, y, x)."""
        x = nn.functional.leaky_relu(self.stem(image), 0.01) if self.has_stem else image
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
        for up, merge, skip in zip(self.up, self.merge, skips[-2::-1], strict=True):
            x = merge(torch.cat([up(x), skip], dim=1))
        if self.has_stem:
            both = torch.cat([self.rise(x), self.fine(image)], dim=1)
            x = nn.functional.leaky_relu(
                self.join(nn.functional.leaky_relu(both, 0.01, inplace=True)),
                0.01,
                inplace=True,
            )
        out: Tensor = self.head(x)
        return out


class LumenNet(nn.Module):
    """Lumen, outer wall and calcium of a vessel pulled straight, with the radius's spread.

    A small U-Net over (section, angle, sample): angles wrap around, sections and samples
    are continued at their ends; half of the layers work at half resolution across.

    Parameters
    ----------
    inputs
        Channels of the stack.
    width
        Channels at full resolution; twice as many inside.
    """

    def __init__(self, inputs: int, width: int = 16) -> None:
        super().__init__()
        wide = 2 * width
        self.enter = _PolarConv(inputs, width, (3, 3, 3))
        self.fine = _PolarConv(width, width, (1, 3, 3))
        self.down = _PolarConv(width, wide, (1, 3, 3), stride=2)
        self.inside = nn.ModuleList()
        for dilation in (1, 2, 3, 1):
            self.inside.append(_PolarConv(wide, wide, (1, 3, 3), dilation=dilation))
            self.inside.append(_PolarConv(wide, wide, (3, 1, 1)))
        self.merge = _PolarConv(width + wide, width, (1, 3, 3))
        self.head = nn.Conv3d(width, 3, 1)
        self.spread = nn.Sequential(
            nn.Conv1d(wide, wide, 3, padding=1), nn.LeakyReLU(0.01), nn.Conv1d(wide, 2, 1)
        )

    def forward(self, stack: Tensor) -> tuple[Tensor, Tensor]:
        """Map (batch, inputs, sections, angles, samples) to maps and numbers.

        Returns
        -------
        maps
            Logits of lying inside the lumen, inside the outer wall, in calcium,
            (batch, 3, sections, angles, samples).
        numbers
            Log standard deviation of the area radius over 0.1 mm, and logit of a stent,
            (batch, 2, sections).
        """
        fine = self.fine(self.enter(stack))
        x = self.down(fine)
        for layer in self.inside:
            x = x + layer(x)
        numbers: Tensor = self.spread(x.mean(dim=(3, 4)))
        wide = nn.functional.interpolate(x, scale_factor=(1, 2, 2), mode="nearest")
        maps: Tensor = self.head(self.merge(torch.cat([fine, wide], dim=1)))
        return maps, numbers


class _PolarConv(nn.Module):
    """Convolution, norm and activation that respect a polar stack's ends."""

    def __init__(
        self, inputs: int, outputs: int, size: tuple[int, int, int], stride: int = 1,
        dilation: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.pad = (size[0] // 2, *(dilation * (k // 2) for k in size[1:]))
        self.conv = nn.Conv3d(
            inputs, outputs, size, stride=(1, stride, stride),
            dilation=(1, dilation, dilation), bias=False,
        )  # fmt: skip
        self.norm = nn.GroupNorm(4, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape, or halve angles and samples."""
        return nn.functional.leaky_relu(self.norm(self.conv(_continued(x, self.pad))), 0.01)


def _continued(x: Tensor, by: tuple[int, ...]) -> Tensor:
    """Continue sections and samples at their ends, angles around; `by`: by how many each.

    `nn.functional.pad` computes in single precision what is half as wide: a fifth slower
    for the whole network.
    """
    s, a, r = by
    sections, angles, samples = x.shape[2:]
    whole = x.new_empty(*x.shape[:2], sections + 2 * s, angles + 2 * a, samples + 2 * r)
    here = whole[:, :, s : s + sections]
    inner = here[:, :, :, a : a + angles]
    inner[..., r : r + samples] = x
    inner[..., :r], inner[..., r + samples :] = x[..., :1], x[..., -1:]
    if a:
        here[:, :, :, :a], here[:, :, :, a + angles :] = inner[:, :, :, -a:], inner[:, :, :, :a]
    if s:
        whole[:, :, :s], whole[:, :, s + sections :] = here[:, :, :1], here[:, :, -1:]
    return whole
