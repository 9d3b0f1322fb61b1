"""The scrolls, licks, bars and lobes that fill a mask's cheeks, temples and chin, drawn from rules.

Each ornament is a function like an emblem's, `(rng, size, centre, line_width, paints) -> list[Shape]` in `ORNAMENTS`:
`size` is its height and `centre` its centre in canvas units. It is drawn for the right half of the canvas (x > 0,
outwards is to the right); mirror the shapes for the other half. Like the emblems they draw chance from `rng` alone
and keep a black or white line between any two colours, and their shapes stay inside a box `size` high and 1.5 times
as wide, plus the rims (at most 6 lines).
"""

from __future__ import annotations

import numpy as np

from lianpu.data.samples.pen import INKED, KNIFE, NESTED, WHITE, Draw, Pen, register, turned

__all__ = ["ORNAMENTS"]

ORNAMENTS: dict[str, Draw] = {}
_ornament = register(ORNAMENTS, "mark")


# ---- curls ---------------------------------------------------------------------------------------------------------


@_ornament
def cheek_scroll(pen: Pen) -> None:
    """A cloud curl over the cheek: a long tail from the jaw, one great curl, a smaller one riding on its back."""
    turns, ink = pen.vary(1.15, 1.45), pen.one_of("accent", "accent", "black")
    rims = WHITE if ink == "black" else pen.frame
    rider = [(0.5, 0.3), (0.56, 0.06), (0.54, -0.12)]
    pen.paint(ink, pen.scroll(rider, 0.3, 0.8, -1, 0.0, 0.12, 0.12, 0.09, 0.08, 0.09), rims=rims)
    great = [(0.56, 0.48), (0.34, 0.4), (0.24, 0.18), (0.24, -0.08)]
    pen.paint(ink, pen.scroll(great, 0.72, turns, -1, 0.0, 0.1, 0.15, 0.15, 0.13, 0.11, 0.1, 0.12), rims=rims)


@_ornament
def chin_spiral(pen: Pen) -> None:
    """A spiral at the corner of the chin, its tail pointing at the mid-line."""
    turns = pen.vary(0.95, 1.3)
    line = [(-0.36, -0.4), (-0.32, -0.08), (-0.16, 0.26), (0.1, 0.38)]
    pen.paint("black", pen.scroll(line, 0.66, turns, -1, 0.0, 0.12, 0.18, 0.17, 0.13, 0.12, 0.15), rims=WHITE)


@_ornament
def beard_curl(pen: Pen) -> None:
    """A lock of beard: nested hooks that fall from the mouth and turn up outwards."""
    lift, inks = pen.vary(0.0, 0.08), ("black", "accent", "black")
    for k, ink in enumerate(inks):
        x, s = -0.48 + 0.27 * k, 1 - 0.27 * k
        w = 0.17 - 0.03 * k
        line = [
            (x, -0.48 + 0.06 * k),
            (x + 0.01, -0.12),
            (x + 0.12 * s, 0.3 * s + 0.02),
            (x + 0.5 * s, 0.44 * s),
            (x + 0.9 * s, 0.28 * s - lift),
        ]
        pen.paint(ink, pen.scroll(line, 0.24 * s, 0.45, -1, 0.0, w, w * 1.1, w, w * 0.7, 0.0), rims=WHITE)


@_ornament
def brow_swirl(pen: Pen) -> None:
    """The swirl a brow ends in: it sweeps up and out and rolls back over itself."""
    ink = pen.one_of("black", "accent")
    line = [(-0.6, 0.46), (-0.3, 0.34), (0.02, 0.1), (0.26, -0.16)]
    body = pen.scroll(line, 0.46, pen.vary(0.95, 1.25), -1, 0.0, 0.12, 0.18, 0.18, 0.13, 0.09, 0.1)
    pen.paint(ink, body, rims=WHITE if ink == "black" else pen.frame)
    pen.paint("black", pen.stroke([
        (-0.1, 0.44), (0.16, 0.26), (0.42, 0.02), (0.56, -0.22),
    ], 0.0, 0.09, 0.08, 0.0), rims=WHITE)  # fmt: skip


@_ornament
def jaw_hook(pen: Pen) -> None:
    """A great hook along the jaw: down from the cheek, round under the mouth and up to a point."""
    w = pen.vary(0.13, 0.17)
    line = [(0.4, -0.5), (0.34, -0.22), (0.28, 0.1), (0.08, 0.38), (-0.2, 0.4), (-0.36, 0.2), (-0.34, 0.0)]
    pen.paint("accent", pen.stroke(line, 0.0, w, w * 1.3, w * 1.2, w, 0.0), rims=KNIFE)
    pen.paint("black", pen.stroke([
        (0.16, -0.3), (0.12, -0.06), (0.02, 0.16), (-0.16, 0.14),
    ], 0.0, w * 0.7, w * 0.7, 0.0), rims=WHITE)  # fmt: skip


@_ornament
def cloud_bank(pen: Pen) -> None:
    """A climbing bank of cloud curls, as over Lei Zhenzi's brows."""
    n, spread = pen.whole(3, 4), pen.vary(0.28, 0.32)
    paths = []
    for k in range(n):
        x, y = -0.42 + k * 0.84 / (n - 1) * 0.9, 0.36 - k * 0.7 / (n - 1)
        line = [(x - 0.2, y + 0.14), (x - 0.1, y + 0.1), (x + 0.0, y + 0.02), (x + 0.05, y - 0.1)]
        paths.append(pen.scroll(line, spread, 1.1, -1, 0.0, 0.1, 0.1, 0.08, 0.065, 0.075))
    spine = [(-0.62, 0.5), (-0.3, 0.42), (0.06, 0.14), (0.36, -0.16), (0.6, -0.4)]
    pen.paint("black", *paths, pen.stroke(spine, 0.0, 0.11, 0.12, 0.1, 0.0), rims=WHITE)


# ---- licks and blades ----------------------------------------------------------------------------------------------


@_ornament
def eye_commas(pen: Pen) -> None:
    """Crow's-feet: commas that fly from the corner of the eye."""
    n, fan = pen.whole(3, 4), pen.vary(24, 30)
    paths = []
    for k in range(n):
        turn = fan * (2 * k / (n - 1) - 1)
        far = 0.62 - 0.004 * abs(turn)
        line = np.array([(-0.5, 0.0), (-0.2, -0.05), (0.2, -0.05), (far, -0.12)]) * (1.0, 1.0 if turn < 1 else -0.8)
        paths.append(pen.stroke(turned(line, turn, (-0.8, 0.0)) * (1.0, 0.58), 0.0, 0.09, 0.11, 0.0))
    pen.paint("black", *paths, rims=(("white", 0.9),))


@_ornament
def temple_flame(pen: Pen) -> None:
    """Licks of flame that stream up the temple from one curl."""
    ink, n = pen.one_of("accent", "accent", "third"), 3
    paths = [pen.scroll([(0.0, 0.3), (-0.1, 0.4), (-0.24, 0.42)], 0.2, 0.6, 1, 0.12, 0.12, 0.07, 0.0)]
    for k in range(n):
        x = -0.08 + 0.14 * k
        top = (0.02 + 0.28 * k, -0.5 + 0.15 * k)
        paths.append(
            pen.stroke(
                [(-0.06 + 0.03 * k, 0.38), (x + 0.04, 0.16), (x + 0.02 + 0.06 * k, -0.12 + 0.07 * k), top],
                0.1,
                0.17,
                0.14,
                0.0,
            )
        )
    pen.paint(ink, *paths, rims=pen.frame)
    pen.paint("white", pen.stroke([
        (0.0, 0.3), (-0.02, 0.1), (-0.04, -0.1), (0.0, -0.3),
    ], 0.0, 0.05, 0.05, 0.0), rims=())  # fmt: skip


@_ornament
def cheek_bars(pen: Pen) -> None:
    """Three bars that sweep side by side from the nose out over the cheek."""
    sag, rise = pen.vary(0.07, 0.13), pen.vary(0.0, 0.16)
    inks = ("accent", "black", "accent") if pen.whole(0, 1) else ("black", "accent", "black")
    for k, ink in enumerate(inks):
        y, far = -0.3 + 0.31 * k, 0.64 - 0.13 * k
        line = [
            (-0.6 + 0.05 * k, y - 0.06),
            (-0.3, y + sag * 0.7),
            (0.04, y + sag),
            (0.36, y - rise / 2),
            (far, y - rise - 0.08),
        ]
        pen.paint(ink, pen.stroke(line, 0.05, 0.15, 0.17, 0.14, 0.0), rims=WHITE)


@_ornament
def nose_ribbons(pen: Pen) -> None:
    """Ribbons that wave down from beside the nose round the cheek, light inside dark."""
    bend = pen.vary(0.08, 0.13)
    wave = np.array(
        [(-0.2, -0.5), (-0.04, -0.32), (0.0, -0.14), (-bend, 0.06), (-bend + 0.02, 0.22), (0.1, 0.38), (0.34, 0.5)]
    )
    pen.paint(
        "black", pen.stroke(wave * (1, 0.9) + np.array((0.28, 0.02)), 0.0, 0.06, 0.12, 0.12, 0.07, 0.0), rims=WHITE
    )
    pen.paint("black", pen.stroke(wave * (1, 0.9) - (0.27, 0.05), 0.0, 0.06, 0.1, 0.1, 0.06, 0.0), rims=WHITE)
    pen.paint("second", pen.stroke(wave, 0.0, 0.13, 0.23, 0.25, 0.23, 0.13, 0.0), rims=pen.frame)
    pen.paint("white", pen.stroke(wave[1:-1], 0.0, 0.07, 0.09, 0.07, 0.0), rims=(("black", 0.4),))


@_ornament
def smile_line(pen: Pen) -> None:
    """The fold from the wing of the nose past the mouth, with a lighter echo."""
    bow = pen.vary(0.16, 0.24)
    line = np.array([(-0.3, -0.5), (-0.06, -0.24), (bow, 0.06), (bow, 0.3), (0.02, 0.5)])
    pen.paint("black", pen.stroke(line, 0.0, 0.12, 0.16, 0.12, 0.0), rims=WHITE)
    pen.paint("accent", pen.stroke(line[1:-1] * (1, 0.9) + (0.24, 0.0), 0.0, 0.11, 0.0), rims=WHITE)


@_ornament
def fang(pen: Pen) -> None:
    """A tusk that rises from the corner of the mouth, red where it leaves the gum."""
    bend = pen.vary(0.04, 0.12)
    tusk = [
        (0.26 + bend, -0.5), (0.26, -0.24), (0.2, 0.02), (0.1, 0.26), (-0.02, 0.48), (-0.18, 0.5), (-0.3, 0.4),
        (-0.28, 0.24), (-0.12, 0.08),
        (0.04, -0.14),
    ]  # fmt: skip
    pen.paint("white", pen.area(tusk, 0), rims=(("black", 1.0), ("white", 0.7)))
    root = [(-0.26, 0.3), (-0.12, 0.34), (0.02, 0.46), (-0.1, 0.5), (-0.24, 0.44)]
    pen.paint("accent", pen.area(root, 0, 2), rims=())
    pen.paint("black", pen.stroke([(-0.02, 0.22), (0.1, 0.02), (0.18, -0.2)], 0.0, 0.07, 0.0), rims=())


@_ornament
def whiskers(pen: Pen) -> None:
    """Long whiskers that spring from the cheek and curl at the ends."""
    n = pen.whole(2, 3)
    for k in range(n):
        y, flick = (k - (n - 1) / 2) * 0.4, -1 if k < n / 2 else 1
        x = 0.3 - 0.12 * abs(k - (n - 1) / 2)
        line = [
            (-0.66 + 0.06 * k, y * 0.2 + 0.02),
            (-0.34, y * 0.5 - 0.06 * flick),
            (0.0, y * 0.9 - 0.02 * flick),
            (x, y + 0.1 * flick),
        ]
        pen.paint("black", pen.scroll(line, 0.22, 0.8, flick, 0.0, 0.1, 0.12, 0.11, 0.08, 0.09), rims=WHITE)


@_ornament
def feather(pen: Pen) -> None:
    """A plume: plumelets laid one over the other along a curved quill, as on Zhang Fei's brows."""
    n = pen.whole(4, 5)
    quill = np.array([(-0.6, 0.4), (-0.3, 0.24), (0.06, 0.16), (0.62, 0.22)])
    pen.paint("accent", pen.stroke([(-0.3, 0.46), (0.04, 0.34), (0.5, 0.38)], 0.0, 0.13, 0.0), rims=WHITE)
    for k in range(n):
        t = k / (n - 1)
        root = np.array((-0.36 + 0.66 * t, 0.2 - 0.12 * t + 0.1 * t * t))
        tip = np.array((-0.22 + 0.84 * t, -0.3 - 0.2 * np.sin(np.pi * (0.2 + 0.5 * t))))
        bow = (root + tip) / 2 + (-0.1, -0.04)
        pen.paint("black", pen.stroke([root, bow, tip], 0.08, 0.2, 0.0), rims=(("white", 0.7),))
    pen.paint("black", pen.stroke(quill, 0.0, 0.13, 0.14, 0.0), rims=(("white", 0.7),))


# ---- patches -------------------------------------------------------------------------------------------------------


@_ornament
def cheek_disc(pen: Pen) -> None:
    """Rouge: a round red cheek in a white ring."""
    pen.paint(
        "accent",
        pen.disc(0, 0, pen.vary(0.38, 0.44), 0.46, pen.vary(-12, 12)),
        rims=WHITE if pen.whole(0, 1) else NESTED,
    )


@_ornament
def ring_disc(pen: Pen) -> None:
    """A bull's-eye of white, red and yellow rings."""
    line = pen.one_of("white", "black")
    pen.paint("white", pen.disc(0, 0, 0.48), rims=(("black", 0.6),))
    pen.paint("accent", pen.disc(0, 0, 0.34), rims=())
    pen.paint("third", pen.disc(0, 0, 0.17), rims=((line, 0.9),))
    if line == "white":
        pen.paint("black", pen.disc(0, 0, 0.07), rims=())


@_ornament
def cheek_lobe(pen: Pen) -> None:
    """A lobe that hangs from the eye to the jaw, outlined three times over."""
    belly = pen.vary(0.24, 0.3)
    lobe = np.array([
        (-0.3, -0.5), (0.02, -0.34), (belly, -0.04), (belly - 0.02, 0.26), (0.06, 0.48), (-0.14, 0.34),
        (-0.16, 0.06), (-0.18, -0.2),
    ])  # fmt: skip
    pen.paint("second", pen.area(lobe, 0), rims=KNIFE)
    inner = (lobe - (0.06, 0.14)) * 0.55 + (0.06, 0.14)
    pen.paint("accent", pen.area(inner, 0), rims=(("black", 0.6), ("white", 0.8)))


@_ornament
def dots_row(pen: Pen) -> None:
    """A row of dots that dwindles along a curve."""
    n, paint = pen.whole(4, 5), pen.one_of("white", "black", "accent")
    spots = []
    for k in range(n):
        t = k / (n - 1)
        spots.append(pen.disc(-0.54 + 1.08 * t, 0.34 - 0.74 * t**0.8, 0.135 - 0.065 * t))
    pen.paint(paint, *spots, rims={"white": (("black", 0.8),), "black": WHITE, "accent": INKED}[paint])


@_ornament
def scales(pen: Pen) -> None:
    """A patch of scales, three rows like roof tiles, the upper row lapping the lower."""
    paint, r = pen.one_of("second", "third"), pen.vary(0.185, 0.2)
    for j in (2, 1, 0):
        y, many = -0.26 + 0.25 * j, 3 - j
        for i in range(many):
            x = (i - (many - 1) / 2) * 2 * r
            scale = pen.area([
                (x - r, y - 0.16), (x, y - 0.24), (x + r, y - 0.16), (x + r * 0.98, y + 0.06), (x, y + 0.26),
                (x - r * 0.98, y + 0.06),
            ], 0, 2)  # fmt: skip
            pen.paint(paint, scale, rims=INKED)
            pen.paint("white", pen.stroke([
                (x - r * 0.55, y + 0.02), (x, y + 0.14), (x + r * 0.55, y + 0.02),
            ], 0.0, 0.08, 0.0), rims=())  # fmt: skip


@_ornament
def leaf_spray(pen: Pen) -> None:
    """A lobed leaf that rises and leans outwards, as beside a lotus."""
    lean = pen.vary(0.02, 0.1)
    leaf = np.array([
        (-0.4, 0.5), (-0.24, 0.2), (-0.28, -0.02), (-0.16, -0.14), (-0.14, -0.34), (0.02, -0.36), (0.14, -0.5),
        (0.26, -0.38), (0.24, -0.24),
        (0.36, -0.16), (0.28, -0.02), (0.3, 0.12), (0.14, 0.16), (0.0, 0.28), (-0.2, 0.36),
    ])  # fmt: skip
    leaf[:, 0] -= lean * leaf[:, 1]
    pen.paint("second", pen.area(leaf, 0), rims=pen.frame)
    pen.paint("white", pen.stroke([
        (-0.28, 0.36), (-0.1, 0.12), (0.04, -0.1), (0.12, -0.3),
    ], 0.0, 0.07, 0.06, 0.0), rims=())  # fmt: skip
    pen.paint("white", pen.stroke([(-0.06, 0.08), (0.06, 0.04), (0.18, -0.06)], 0.0, 0.05, 0.0), rims=())


@_ornament
def wing_lobe(pen: Pen) -> None:
    """A wing at the temple: three round lobes that fan out of one root, each with its eye-spot."""
    root, turn = np.array((-0.5, 0.42)), pen.vary(-6, 6)
    for angle, far, r in ((-4, 0.7, 0.17), (-76, 0.62, 0.17), (-40, 0.84, 0.22)):
        a = np.deg2rad(angle + turn)
        out = np.array((np.cos(a), np.sin(a) * 0.86))
        centre, eye = root + far * out, root + (far + 0.02) * out
        bend = 0.05 if angle < -40 else -0.05
        pen.paint("accent", pen.drop((root[0], root[1]), (centre[0], centre[1]), r, bend), rims=pen.frame)
        pen.paint("third", pen.disc(eye[0], eye[1], r * 0.5), rims=(("black", 0.7),))
        vein = [root + 0.24 * out, root + 0.36 * out, root + (far - 0.15) * out]
        pen.paint("white", pen.stroke(vein, 0.0, 0.05, 0.0), rims=())


@_ornament
def tear(pen: Pen) -> None:
    """A drop that hangs under the eye or floats in the brow, black in a grey-white halo."""
    bend, ink = pen.vary(0.04, 0.12), pen.one_of("black", "accent")
    pen.paint("second", pen.drop((0.26, -0.5), (-0.06, 0.16), 0.3, bend), rims=NESTED)
    pen.paint(ink, pen.drop((0.14, -0.2), (-0.06, 0.18), 0.15, bend / 2), rims=WHITE)
