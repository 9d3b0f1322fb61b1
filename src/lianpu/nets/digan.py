"""DIGAN (Yan et al. 2024, "DIGAN: distillation model for generating 3D-aware Terracotta Warrior faces"): a StyleGAN2, the teacher G2D, and
the student G3D, which says of each of its codes w from where the face is seen (DV), how it is lit (DL), what shape it has (DS) and what of
the picture moves with it (DT). Texture is what G2D paints of w0, the same face seen from the front in light from the front.

The seed builds on LiftedGAN (Shi et al. 2021, "Lifting 2D StyleGAN for 3D-Aware Face Generation"), which is a configuration of this file:
MLPs in place of KANs, full convolutions in place of partial ones. From there comes M, the style manipulation network that yields w0; the
seed uses w0 and does not say whence. The seed's DW is two things: that texture, and the gate on the shape's gradient (`render.views.gate`).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lianpu.config import DiganConfig
from lianpu.nets.stylegan2 import Discriminator, Generator
from lianpu.ops.bsplines import KANLinear
from lianpu.ops.resample import gaussian
from lianpu.randomness import latent
from lianpu.render import camera, silhouette, surface, views

__all__ = [
    "DS",
    "DT",
    "G3D",
    "Digan",
    "Face",
    "M",
    "PartialConv",
    "TeachersDiscriminator",
    "attributes",
    "frontal",
    "look",
]

VIEW, LIGHT = 6, 4  # numbers of a view (pitch, yaw, roll, x, y, z) and of a light (ambient, diffuse, x, y)
SLOPE = 0.2
OF_NORM = 4  # channels in a group of GroupNorm
PARTS = 4  # a partial convolution convolves one of so many
FLAT = 0.01  # of the usual size are DS's last weights at first: a mesh of random depth folds wherever it is turned
HALVES = 0.5, 0.85  # half the width and half the height of a face, in halves of a picture
ODD, EVEN = (
    [2, 5, 6, 7],
    [0, 1, 3, 4, 8, 9],
)  # of light and view in a row, those whose sign a mirror changes, and the others
RIM = 0.04  # by which an outline, found in the picture, stands before the ground: near the axis that heads turn about
LITTLE = 0.01  # of a direction M says at first
STRIDE = 20.0  # by which M moves it faster than Adam does at the learning rate of the rest
COARSE = 3  # layers of a StyleGAN2 at 4 and 8 pixels
BORDER_COLUMNS = 2  # to the left and right, whose depth is the background's


class Face(NamedTuple):
    """What a code w is lifted to."""

    w0: Tensor
    """(n, w_dim): the same face from the front, in light from the front"""
    picture: Tensor
    """I_w0, (n, 3, h, w): what the teacher paints of w0"""
    albedo: Tensor
    """A, (n, 3, h, w): the same without its shading; -1 is black, 1 is white, and it may pass 1"""
    depth: Tensor
    """S, (n, h, w) from `camera.NEAR` to `camera.FAR`"""
    transform: Tensor
    """T, (n, 1, h, w): 1 for what moves with the head, 0 for what stays"""
    view: Tensor
    """V, (n, 6) in [-1, 1]"""
    light: Tensor
    """L, (n, 4) in [-1, 1]"""


# -------------------------------------------------------------------------------------------------------------------- DV, DL


def attributes(config: DiganConfig, out: int) -> nn.Sequential:
    """DV or DL, w (n, w_dim) -> (n, out) in [-1, 1]: V = tanh(viewmlp(w)), L = tanh(lightmlp(w)).

    Yan et al. 2024: f_n o ... o f_1, f_i(x) = LeakyReLU(GroupNorm(KAN_i(x))), the last one KAN_n alone. Shi et al. 2021: linear layers and
    LeakyReLU, no normalisation.
    """
    c = config
    widths = [c.teacher.w_dim, *[c.hidden] * (c.layers - 1)]
    if c.networks == "mlp":
        return nn.Sequential(*_mlp(widths), nn.Linear(c.hidden, out), nn.Tanh())
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [_kan(c, a, b), _norm(b), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers, _kan(c, c.hidden, out), nn.Tanh())


def _kan(config: DiganConfig, features: int, out: int) -> KANLinear:
    return KANLinear(features, out, grid=config.grid, order=config.order, reach=config.reach)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(channels // OF_NORM, channels)


def _mlp(widths: list[int], *, norm: bool = False) -> list[nn.Module]:
    """Linear layers, each with its LeakyReLU and, with `norm`, a GroupNorm between the two."""
    return [
        module
        for a, b in pairwise(widths)
        for module in (nn.Linear(a, b), *([_norm(b)] if norm else []), nn.LeakyReLU(SLOPE))
    ]


# ------------------------------------------------------------------------------------------------------------------------ M


class ScaleShift(nn.Module):
    """A learnt gain and a learnt offset for every number."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight + self.bias


class M(nn.Module):
    """The style manipulation network of Shi et al. 2021, Sec. 3.2: w' = M(w, L', V'), the face of w in another light and view."""

    def __init__(self, config: DiganConfig) -> None:
        super().__init__()
        c = config
        inner = [c.hidden] * (c.layers - 1)

        def part(features: int, out: int) -> list[nn.Module]:
            return [*_mlp([features, *inner], norm=True), nn.Linear(inner[-1], out)]

        self.style, self.light, self.view = (
            nn.Sequential(*part(features, c.hidden), ScaleShift(c.hidden))
            for features in (c.teacher.w_dim, LIGHT, VIEW)
        )
        self.joined = nn.Sequential(*part(c.hidden, c.teacher.w_dim))

    def forward(self, w: Tensor, light: Tensor, view: Tensor, own: tuple[Tensor, Tensor]) -> Tensor:
        """w (n, w_dim), raw light (n, 4), raw view (n, 6) -> w' (n, w_dim). own: light and view of w, which it finds itself."""
        return self.joined(self.style(w) + self.light(light) + self.view(view))


class Moves(nn.Module):
    """M as few directions of the code (in neither paper): who the face is need not pass through a network, and a short run finds them.

    What a mirror changes of a picture, the side to which a face is turned and the side that its light comes from, is a few directions of
    a StyleGAN2's code (`train.lift.asymmetries`). What w has of them is taken away, and what is asked for is put in its place; `level`
    takes away what they, being straight, leave of a turn. The rest, up and down and how much light, moves along free directions
    by what is asked for less what w has.
    """

    centre: Tensor
    even: Tensor
    odd: Tensor

    def __init__(self, config: DiganConfig) -> None:
        super().__init__()
        w_dim, k = config.teacher.w_dim, config.directions
        self.register_buffer("centre", torch.zeros(w_dim))
        self.register_buffer("even", torch.eye(w_dim))
        self.register_buffer("odd", torch.zeros(k, w_dim))
        last = nn.Linear(config.hidden, k)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.level = nn.Sequential(*_mlp([w_dim, config.hidden, config.hidden]), last)
        self.aside = nn.Linear(len(ODD), k, bias=False)
        self.other = nn.Linear(LIGHT + VIEW - len(ODD), w_dim, bias=False)
        nn.init.normal_(self.aside.weight, std=LITTLE)
        nn.init.zeros_(self.other.weight)

    def forward(self, w: Tensor, light: Tensor, view: Tensor, own: tuple[Tensor, Tensor]) -> Tensor:
        """w (n, w_dim), raw light (n, 4), raw view (n, 6) -> w' (n, w_dim). own: light and view of w.

        Gradients reach what is asked for to a side. The rest counts by what is asked for beyond what w has, both of which DV and DL may
        have said: no gradient reaches that.
        """
        asked = torch.cat([light, view], 1)
        beyond = (asked - torch.cat(own, 1)).detach()
        aside, other = self.aside(asked[:, ODD]) @ self.odd, self.other(beyond[:, EVEN])
        return self.front(w).detach() + STRIDE * (aside + other)

    def front(self, w: Tensor) -> Tensor:
        """(n, w_dim): the same faces from the front, in light that comes from no side."""
        return self.centre + (w - self.centre) @ self.even + self.level(w - self.centre) @ self.odd


# ----------------------------------------------------------------------------------------------------------------------- DS


class PartialConv(nn.Module):
    """Chen et al. 2023 ("Run, Don't Walk", FasterNet), Sec. 3.3: the first quarter of the channels is convolved, the rest passes by."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.some = channels // PARTS
        self.conv = nn.Conv2d(self.some, self.some, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        convolved, rest = x.split([self.some, x.shape[1] - self.some], 1)
        return torch.cat([self.conv(convolved), rest], 1)


class DS(nn.Module):
    """Shape: w0 (n, w_dim) and the teacher's last features of it (n, c, h, w) -> raw depth (n, 1, h, w)."""

    def __init__(self, config: DiganConfig) -> None:
        super().__init__()
        c = config

        def conv(channels: int) -> nn.Module:
            return PartialConv(channels) if c.convolutions == "partial" else _conv(channels, channels, 3)

        top = c.width << c.blocks
        self.mlp = nn.Sequential(*_mlp([c.teacher.w_dim, *[c.hidden] * 4]))
        up: list[nn.Module] = [_first(c.hidden, top), nn.ReLU(), conv(top), nn.ReLU()]
        for a, b in _halving(c):
            up += [_double(a, b), _norm(b), nn.ReLU(), conv(b), _norm(b), nn.ReLU()]
        self.up = nn.Sequential(*up, nn.Upsample(scale_factor=2))
        self.inject = nn.Conv2d(c.teacher.channels(c.resolution), c.width, 1, bias=False)
        self.head = nn.Sequential(
            conv(c.width), _norm(c.width), nn.ReLU(),
            _conv(c.width, c.width, 5), _norm(c.width), nn.ReLU(),
            _conv(c.width, 1, 5, bias=True),
        )  # fmt: skip
        with torch.no_grad():
            self.head[-1].weight.mul_(FLAT)  # type: ignore[operator]
            self.inject.weight.mul_(FLAT)  # details come when they help: at first they are noise

    def forward(self, w0: Tensor, features: Tensor) -> Tensor:
        h = self.up(self.mlp(w0)[:, :, None, None]) + self.inject(features.to(w0))
        return self.head(h)


def _conv(channels: int, out: int, kernel: int, *, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=bias)


def _first(features: int, channels: int) -> nn.ConvTranspose2d:
    """1x1 -> 4x4"""
    return nn.ConvTranspose2d(features, channels, 4, bias=False)


def _double(channels: int, out: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels, out, 4, 2, 1, bias=False)


def _halving(config: DiganConfig) -> list[tuple[int, int]]:
    """Channels before and after each doubling."""
    return list(pairwise(config.width << i for i in range(config.blocks, -1, -1)))


def shape(raw: Tensor, start: Tensor | None = None) -> Tensor:
    """Raw depth (n, 1, h, w) -> S (n, h, w) from `camera.NEAR` to `camera.FAR`, the background's in the columns at the border.

    d = tanh(r - mean r), S = (1 + d) / 2 FAR + (1 - d) / 2 NEAR: Shi et al. 2021, released code. start: added to r instead, see `bell`.
    """
    r = raw[:, 0]
    d = torch.tanh(r - r.mean((1, 2), keepdim=True) if start is None else r + start)
    S = (1 + d) / 2 * camera.FAR + (1 - d) / 2 * camera.NEAR
    k = BORDER_COLUMNS
    return nn.functional.pad(S[..., k:-k], (k, k), value=camera.BORDER)


def bell(size: int, height: float) -> Tensor:
    """The raw depth (size, size) of a bell that bulges by `height` from the ground, its deviations half a face wide and half as tall.

    Pan et al. 2021 (GAN2Shape) begin with half an ellipsoid, whose rim is a step that no gradient moves.
    """
    return raw(camera.BORDER - height * bump(size))


def bump(size: int) -> Tensor:
    """The bell (size, size), 1 high."""
    across, down = (torch.linspace(-1, 1, size) / half for half in HALVES)
    return (-(across**2 + down[:, None] ** 2) / 2).exp()


def raw(depth: Tensor) -> Tensor:
    """The raw depth that `shape` makes a depth of."""
    return torch.atanh((depth - camera.NEAR) / (camera.FAR - camera.NEAR) * 2 - 1)


def gauge(start: Tensor) -> Tensor:
    """What of raw depth stays as it began, (2, 3, h, w): three directions (an offset, the bulge, a tilt up or down), and what finds their
    part of a depth map, by least squares where the bulge is.

    Pictures do not tell (Belhumeur et al. 1999, "The bas-relief ambiguity"): a deeper face that turns less looks the same, and so does
    one tilted whose views are tilted back. To the side the mirrored face tells.
    """
    bulge = start.max() - start
    tilt = torch.linspace(-1, 1, len(start))[:, None].expand_as(start)
    D = torch.stack([torch.ones_like(start), bulge, tilt])
    weighed = D * bulge
    return torch.stack([D, torch.einsum("kl,lhw->khw", torch.einsum("khw,lhw->kl", weighed, D).inverse(), weighed)])


def without(raw: Tensor, gauge: Tensor) -> Tensor:
    """Raw depth (n, 1, h, w) but for its part of some directions (see `gauge`)."""
    directions, finding = gauge
    return raw - torch.einsum("nchw,khw,kyx->ncyx", raw, finding, directions)


# ----------------------------------------------------------------------------------------------------------------------- DT


class DT(nn.Module):
    """Transformation: w0 (n, w_dim) -> (n, 1, h, w), of which `render.views.transformation` makes T."""

    def __init__(self, config: DiganConfig) -> None:
        super().__init__()
        c = config
        self.mlp = nn.Sequential(*_mlp([c.teacher.w_dim, *[c.transform_hidden] * 4]))
        up: list[nn.Module] = [_first(c.transform_hidden, c.width << c.blocks), nn.ReLU()]
        for a, b in _halving(c):
            up += [_double(a, b), _norm(b), nn.ReLU()]
        self.up = nn.Sequential(
            *up, nn.Upsample(scale_factor=2), _conv(c.width, c.width, 3), _norm(c.width), nn.ReLU(), _conv(c.width, 1, 5)
        )  # fmt: skip

    def forward(self, w0: Tensor) -> Tensor:
        return self.up(self.mlp(w0)[:, :, None, None])


# --------------------------------------------------------------------------------------------------------------- the student


class G3D(nn.Module):
    """The student: all that is learnt."""

    start: Tensor | None
    bulge: Tensor
    gauge: Tensor | None

    def __init__(self, config: DiganConfig) -> None:
        super().__init__()
        self.config = config
        self.DV, self.DL = attributes(config, VIEW), attributes(config, LIGHT)
        self.DS, self.DT = DS(config), DT(config)
        self.M = Moves(config) if config.directions else M(config)
        start = bell(config.resolution, config.prior) if config.prior else None
        self.register_buffer("start", start, persistent=False)
        self.register_buffer("bulge", bump(config.resolution) * config.prior, persistent=False)
        self.register_buffer("gauge", None if start is None else gauge(start), persistent=False)

    def forward(self, w: Tensor, G2D: Generator, details: Tensor | None = None) -> Face:
        """The face of each code w (n, w_dim) of the teacher. details: see `paint`."""
        V, L = self.view(w), self.DL(w)
        w0 = self.M(w.detach(), frontal(L), torch.zeros_like(V), (L, V))
        if details is not None and isinstance(self.M, Moves):
            details = details @ self.M.even  # no layer turns w0 away from the front
        picture, features = paint(G2D, w0, details)
        said = self.DS(w0, features) * self.config.pace
        if self.config.smooth:
            said = gaussian(said, self.config.smooth * self.config.resolution)
        if self.gauge is not None:
            said = without(said, self.gauge)
        S = shape(said, self.start if not self.config.silhouette else self.rounded(picture))
        T = views.transformation(self.DT(w0), S)
        A = surface.delight(picture, surface.shading(surface.normals(S), surface.light(frontal(L))))
        return Face(w0, picture, A, S, T, V, L)

    def view(self, w: Tensor, apply: Callable[[nn.Module, Tensor], Tensor] = lambda network, w: network(w)) -> Tensor:
        """V (n, 6) of codes w (n, w_dim), as `apply` has DV say it."""
        V = apply(self.DV, w)
        return torch.cat([V[:, :2], torch.zeros_like(V[:, 2:])], 1) if self.config.aligned else V

    @torch.no_grad()
    def rounded(self, pictures: Tensor) -> Tensor:
        """The raw depth (n, h, w) that shapes of pictures start from: the bell, on what their outlines say."""
        body = silhouette.chin(silhouette.matte(pictures.clamp(-1, 1)))
        bulge = body[:, 0] * (RIM + self.bulge) + silhouette.inflate(body)[:, 0] * self.config.silhouette
        return raw(camera.BORDER - bulge.clamp(max=camera.BORDER - camera.NEAR - 0.005))

    def look(self, face: Face, view: Tensor, light: Tensor, *, mirrored: bool = False) -> views.Seen:
        """R(A, S, T, V, L)."""
        return look(face, view, light, self.config, mirrored=mirrored)


def paint(G2D: Generator, w: Tensor, details: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """What the teacher paints of codes w (n, w_dim), one for all layers, and the features that were its last: always the same.

    details: (n, num_ws, w_dim), by which each layer's code differs, in a face that was found in W+.
    """
    ws = w[:, None].expand(-1, G2D.synthesis.num_ws, -1)
    return G2D.synthesis.with_features(ws if details is None else ws + details, "const")


def frontal(light: Tensor) -> Tensor:
    """The same raw light (n, 4) from the front."""
    return torch.cat([light[:, :2], torch.zeros_like(light[:, 2:])], 1)


def look(face: Face, view: Tensor, light: Tensor, config: DiganConfig, *, mirrored: bool = False) -> views.Seen:
    """R(A, S, T, V, L): the face from a raw view (n, 6) in a raw light (n, 4), which is said in the face's own frame and turns with it.

    mirrored: the face with its halves exchanged, but for T (Shi et al. 2021, Sec. 3.3).
    """
    S, A = (views.flip(x) if mirrored else x for x in (face.depth, face.albedo))
    lit = surface.relight(A, surface.shading(surface.normals(S), surface.light(light)))
    if config.gate == "shading":
        S = S.detach()
    elif config.gate != "off":
        S = views.gate(S, keep=config.gate)  # DW
    return views.render(S, lit, face.transform, view, texture=config.texture)


class Digan(nn.Module):
    """Teacher and student: all it takes to make a face with a shape from a code."""

    def __init__(self, config: DiganConfig) -> None:
        super().__init__()
        self.config = config
        self.G2D = Generator(config.teacher)
        self.G3D = G3D(config)

    def forward(self, w: Tensor, details: Tensor | None = None) -> Face:
        """The face of each code w (n, w_dim); `G2D.mapping` makes them. details: see `paint`."""
        return self.G3D(w, self.G2D, details)

    def of_seed(self, seed: int, number: int | None, truncation: float) -> Face:
        """The face of a user's seed, of the class of that number if there are some."""
        w_avg = self.G2D.mapping.w_avg
        label = None if number is None else torch.tensor([number], device=w_avg.device)
        z = latent(seed, self.config.teacher.z_dim).to(w_avg)
        return self(self.G2D.mapping(z, label, truncation=truncation)[:, 0])

    def of_layers(self, ws: Tensor) -> Face:
        """The face of a code for each layer, (n, num_ws, w_dim), as `inversion` finds them: of their mean, and what layers differ by. From
        where it is seen is what the coarse layers say, which turn a face (Karras et al. 2019, Sec. 3.1).
        """
        centre = ws.mean(1)
        return self(centre, ws - centre[:, None])._replace(view=self.G3D.view(ws[:, :COARSE].mean(1)))

    def look(self, face: Face, view: Tensor, light: Tensor) -> views.Seen:
        """The face from a raw view (n, 6) in a raw light (n, 4)."""
        return self.G3D.look(face, view, light)


class TeachersDiscriminator(Discriminator):
    """What lies beside a DIGAN: the discriminator that its teacher was trained against, whose features may have been compared."""

    def __init__(self, config: DiganConfig) -> None:
        super().__init__(config.teacher)
