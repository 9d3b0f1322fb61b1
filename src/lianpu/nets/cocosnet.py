"""CoCosNet (Zhang et al. 2020, "Cross-Domain Correspondence Learning for Exemplar-Based Image Translation"), the translation network
of Yan et al. 2023: an alignment network finds for each place of the drawing its place in the reference, a composition network paints.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from lianpu.config import SYMMETRIES, CocosNetConfig
from lianpu.errors import UsageError, did_you_mean
from lianpu.nets.spade import SLOPE, Composition, Pad, Painted, PositionalNorm, SpadeBlock, check_inputs
from lianpu.ops.convolution import laid_out
from lianpu.ops.warp import warp

__all__ = ["Alignment", "CocosNet", "DomainEncoder", "ResidualBlock"]

PAD: Pad = "reflect"


class DomainEncoder(nn.Module):
    """F_(A->W) or F_(B->W) of Yan et al. 2023, Eqs. 7 and 8: pictures of one domain to features of the intermediate domain W.

    The seed speaks of a feature pyramid; its authors' network, as that of Zhang et al. 2020, has five convolutions and SPADE
    blocks that see the encoder's own input again.
    """

    def __init__(self, channels: int, config: CocosNetConfig) -> None:
        super().__init__()
        c = config
        widths = [channels, *(min(c.encoder_width * min(2**i, 8), c.encoder_max) for i in range(5))]
        strides = [1, 2, 1, 2 if c.warp_stride == 4 else 1, 1]
        self.convs = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 3, s, 1, bias=False))
            for (a, b), s in zip(pairwise(widths), strides, strict=True)
        )
        self.blocks = nn.ModuleList(
            SpadeBlock(a, b, channels, c.hidden, PositionalNorm, PAD)
            for a, b in pairwise([widths[-1]] * c.encoder_blocks + [c.feature_width])
        )

    def forward(self, picture: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, feature_width, h/s, w/s), of length 1 over the channels."""
        x = laid_out(picture)
        for i, conv in enumerate(self.convs):
            x = F.instance_norm(conv(x if i == 0 else F.leaky_relu(x, SLOPE)))
        own = laid_out(F.avg_pool2d(picture, picture.shape[2] // x.shape[2]))
        for block in self.blocks:
            x = block(x, own)
        return F.normalize(x, dim=1)


class ResidualBlock(nn.Module):
    """He et al. 2016, with instance normalisation and one learnt slope."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv0, self.conv1 = (  # no bias: the mean that is taken off would take it with it
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode=PAD, bias=False) for _ in range(2)
        )
        self.prelu = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.prelu(F.instance_norm(self.conv0(x)))
        return self.prelu(x + F.instance_norm(self.conv1(y)))


class Alignment(nn.Module):
    """The cross-domain alignment network: descriptors of the drawing's and the reference's places, to be compared by their cosine."""

    def __init__(self, config: CocosNetConfig) -> None:
        super().__init__()
        c = config
        self.stride, self.kernel = c.warp_stride, c.match_kernel
        self.sketch = DomainEncoder(c.condition_channels, c)
        self.picture = DomainEncoder(3, c)
        width = c.feature_width + c.condition_channels
        self.trunk = nn.Sequential(*(ResidualBlock(width) for _ in range(c.trunk_blocks)))
        # a 1x1 convolution, the window unfolded, and a learnt projection of it are one convolution with the window as kernel
        out, kernel = (c.descriptor, c.match_kernel) if c.descriptor else (c.feature_width, 1)
        self.unfolds = not c.descriptor and c.match_kernel > 1
        self.theta, self.phi = (nn.Conv2d(width, out, kernel, padding=kernel // 2) for _ in range(2))

    def forward(
        self, condition: Tensor, reference: Tensor, reference_condition: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """-> query of the drawing and key of the reference, (n, d, h/s, w/s) each, of length 1; x_W, what the drawing is in W."""
        sketch = self.sketch(condition)
        features = torch.cat([sketch, self.picture(reference)])
        told = F.avg_pool2d(torch.cat([condition, reference_condition]), self.stride)
        # features of length 1 are small numbers beside the condition's: times sqrt(c) they have its size
        x = laid_out(torch.cat([features * features.shape[1] ** 0.5, told], 1))
        x, y = self.trunk(x).chunk(2)
        return self.descriptors(self.theta(x)), self.descriptors(self.phi(y)), sketch

    def descriptors(self, x: Tensor) -> Tensor:
        """x^_W(u) / |x^_W(u)| of Yan et al. 2023, Eqs. 10 to 12: the window about u, its mean over the channels taken off."""
        if self.unfolds:
            n, _, h, w = x.shape
            x = F.unfold(x, self.kernel, padding=self.kernel // 2).view(n, -1, h, w)
        return F.normalize(x - x.mean(1, keepdim=True), dim=1)


class CocosNet(nn.Module):
    """Drawing and coloured reference to picture."""

    xy: Tensor

    def __init__(self, config: CocosNetConfig) -> None:
        super().__init__()
        c = self.config = config
        self.alignment = Alignment(c)
        self.composition = Composition(c, 3 + c.condition_channels, PositionalNorm, pad=PAD, attention=c.attention)
        side = c.resolution // c.warp_stride
        centres = (torch.arange(side) * 2 + 1) / side - 1
        self.register_buffer("xy", torch.stack(torch.meshgrid(centres, centres, indexing="xy")), persistent=False)

    def forward(
        self,
        condition: Tensor,
        reference: Tensor,
        reference_condition: Tensor,
        *,
        noise: Tensor | None = None,
        symmetric: str = "off",
    ) -> Painted:
        """condition: (n, c, h, w) of the drawing; reference: (n, 3, h, w) with the condition of its own lines. There is no
        noise in this network; the argument is SPADE's. symmetric: see `mirrored`.
        """
        c = self.config
        check_inputs(c, condition, reference, reference_condition)
        query, key, sketch = self.alignment(condition, reference, reference_condition)
        query = mirrored(query, symmetric)
        value = torch.cat([F.avg_pool2d(reference, c.warp_stride), self.xy.expand(len(reference), -1, -1, -1)], 1)
        coarse, place = warp(query, key, value, c.temperature).split([3, 2], 1)
        warped = F.interpolate(coarse, scale_factor=c.warp_stride, mode="bilinear", align_corners=False)
        image = self.composition(torch.cat([warped, condition], 1))
        return Painted(image, warped, query, key, coarse=coarse, place=place, sketch=sketch)

    def encode_picture(self, picture: Tensor) -> Tensor:
        """y_W of Yan et al. 2023, Eq. 8, for L_domain."""
        return self.alignment.picture(picture)


def mirrored(query: Tensor, symmetric: str) -> Tensor:
    """Descriptors (n, d, h, w) of a face whose halves are to match alike. both: each place and its mirror image look for what
    resembles the two; left, right: that half of the picture leads, and the other looks for the same as its mirror image does.
    """
    if symmetric not in SYMMETRIES:
        raise UsageError(f"there is no symmetry {symmetric!r}.", fix=did_you_mean(symmetric, SYMMETRIES))
    if symmetric == "off":
        return query
    other, half = query.flip(3), query.shape[3] // 2
    if symmetric == "both":
        return F.normalize(query + other, dim=1)
    left, right = (query, other) if symmetric == "left" else (other, query)
    return torch.cat([left[..., :half], right[..., half:]], 3)
