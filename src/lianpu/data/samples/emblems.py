"""The marks on a mask's forehead, drawn from rules: crescent, taiji, flames, spears, lotus, bat, third eye and more.

Each emblem in `EMBLEMS` is a function `(rng, size, centre, line_width, paints) -> list[Shape]`: `size` is its height
and `centre` its centre in canvas units, `line_width` the breadth of one bounding line, `paints` maps the roles
"main", "second", "third" and "accent" to paint names. The shapes come in painting order. Emblems keep to three rules
of the painted face: two colours never touch, a black or white line lies between them; lines swell and taper as a
brush's do; and every emblem but those in `LOPSIDED` is its own mirror image. Variation (proportions, petals, turns of
a curl, rims) comes from `rng` alone. `SPECIAL` holds marks that belong to one character and do not sit on the
forehead.

Which marks exist and who wears them follows the conventions of the stage; all shapes are the authors' own. They are
bold enough to read on a mask of 64 pixels, and stay inside a box `size` high and 1.5 times as wide, plus the rims (at
most 6 lines, at a point).
"""

from __future__ import annotations

import numpy as np

from lianpu.data.samples import vector
from lianpu.data.samples.pen import INKED, KNIFE, NESTED, WHITE, Draw, Pen, Rim, register, turned

__all__ = ["EMBLEMS", "LOPSIDED", "ROOTED", "SPECIAL"]

EMBLEMS: dict[str, Draw] = {}
SPECIAL: dict[str, Draw] = {}
# marks that grow out of the gap between the brows, foot at the bridge of the nose: drawn twice as tall as others
ROOTED = frozenset({
    "column", "pillar", "spear", "double_spear", "flame", "flame_three", "fire_scroll", "curl", "ruyi",
    "finger", "horns",
})  # fmt: skip
LOPSIDED = frozenset({"crescent", "taiji", "flame", "fire_scroll", "curl", "tiger", "twin_curl"})
_emblem = register(EMBLEMS, "emblem")
_special = register(SPECIAL, "mark")


# ---- sky, light and fire -------------------------------------------------------------------------------------------


@_emblem
def crescent(pen: Pen) -> None:
    """Bao Zheng's moon: white, horns up and a little to one side."""
    spread, depth, tilt = pen.vary(38, 52), pen.vary(0.16, 0.22), pen.hand() * pen.vary(12, 30)
    outer = vector.arc((0, 0), 0.48, 0.48, -90 + spread, 270 - spread, 13)
    reach = np.hypot(outer[0, 0], outer[0, 1] + depth)
    horn = float(np.degrees(np.arctan2(outer[0, 1] + depth, outer[0, 0])))
    inner = vector.arc((0, -depth), reach, reach, 180 - horn, horn, 11)[1:-1]
    pen.paint("white", pen.area(turned(np.concatenate([outer, inner]), tilt), 0, 12), rims=(("black", 1.0),))


@_emblem
def taiji(pen: Pen) -> None:
    """Jiang Wei's yin and yang, an upright oval."""
    rx, ry, hand = pen.vary(0.36, 0.44), 0.47, pen.hand()
    pen.paint("white", pen.disc(0, 0, rx, ry), rims=INKED)
    side = vector.arc((0, 0), rx, ry, -90, 90, 13)
    low = vector.arc((0, ry / 2), rx / 2, ry / 2, 90, 270, 9)[1:-1]
    high = vector.arc((0, -ry / 2), rx / 2, ry / 2, 90, -90, 9)[:-1]
    pen.paint("black", pen.area(np.concatenate([side, low, high]) * (hand, 1.0), 0, 12), rims=())
    pen.paint("black", pen.disc(0, -ry / 2, 0.28 * rx, 0.24 * ry), rims=())
    pen.paint("white", pen.disc(0, ry / 2, 0.28 * rx, 0.24 * ry), rims=())


@_emblem
def flame(pen: Pen) -> None:
    """A tall tongue of fire that winds into itself, with a tail running down to the nose."""
    hand, belly, sway = pen.hand(), pen.vary(0.17, 0.21), pen.vary(0.01, 0.04)
    flip = np.array([hand, 1.0])
    body = np.array([
        (sway, -0.5), (0.04, -0.26), (0.1, -0.08), (belly, 0.08), (belly * 0.85, 0.22), (0.04, 0.3), (-0.11, 0.25),
        (-belly, 0.09),
        (-0.11, -0.08), (-0.03, -0.26),
    ])  # fmt: skip
    tail = np.array([(belly * 0.9, 0.12), (belly * 0.85, 0.26), (0.05, 0.36), (-0.06, 0.5)])
    pen.paint("accent", pen.area(body * flip, 0), pen.stroke(tail * flip, 0.06, 0.1, 0.09, 0.0), rims=pen.frame)
    vein = np.array([(0.01, -0.22), (0.03, -0.08), (0.085, 0.02), (0.1, 0.11), (0.06, 0.19), (-0.03, 0.19)]) * flip
    pen.paint("white", pen.scroll(vein, 0.15, pen.vary(0.8, 1.1), hand, 0.0, 0.05, 0.06, 0.055, 0.05), rims=())


@_emblem
def flame_three(pen: Pen) -> None:
    """Three tongues of fire out of one root between the brows."""
    lean, high = pen.vary(0.26, 0.34), pen.vary(-0.36, -0.26)
    middle = pen.halves([
        (0.0, -0.5), (0.03, -0.28), (0.085, -0.05), (0.06, 0.12), (0.09, 0.3), (0.05, 0.46), (0.0, 0.5),
    ], 0)  # fmt: skip
    side = [(0.02, 0.46), (0.1, 0.28), (0.23, 0.14), (0.22, -0.08), (lean, high)]
    pen.paint("third", middle, pen.stroke(side, 0.1, 0.16, 0.15, 0.1, 0.0), rims=pen.frame, both=True)
    pen.paint("accent", pen.stroke([
        (0.07, 0.34), (0.15, 0.22), (0.21, 0.1),
    ], 0.0, 0.055, 0.0), rims=(("black", 0.5),), both=True)  # fmt: skip
    pen.paint("accent", pen.halves([
        (0, -0.24), (0.03, -0.04), (0.02, 0.14), (0.04, 0.32), (0.0, 0.44),
    ], 0), rims=(("black", 0.5),))  # fmt: skip


@_emblem
def fire_scroll(pen: Pen) -> None:
    """A ribbon of fire: two open loops, one over the other, and a long tail down to the nose."""
    hand, out = pen.hand(), pen.vary(0.17, 0.21)
    flip = np.array([hand, 1.0])
    over = np.array([(-0.18, -0.2), (-0.12, -0.38), (0.03, -0.46), (out - 0.03, -0.36), (0.1, -0.2), (-0.06, -0.1)])
    under = np.array([(-0.14, -0.02), (-0.02, -0.14), (0.12, -0.12), (out, 0.02), (0.1, 0.2), (0.0, 0.34), (0.02, 0.5)])
    lick = np.array([(-0.04, 0.3), (-0.08, 0.14), (-0.01, 0.02), (0.06, 0.02)])
    paths = [
        pen.stroke(over * flip, 0.0, 0.1, 0.14, 0.13, 0.09, 0.0),
        pen.stroke(under * flip, 0.0, 0.1, 0.15, 0.14, 0.1, 0.07, 0.0),
        pen.stroke(lick * flip, 0.0, 0.08, 0.07, 0.0),
    ]
    pen.paint("third", *paths, rims=KNIFE)
    for line in (over, under):
        pen.paint("accent", pen.stroke((line * flip)[1:-2], 0.0, 0.05, 0.05, 0.0), rims=(("black", 0.4),))


@_emblem
def sun(pen: Pen) -> None:
    """A disc with flaming rays."""
    n, core = 2 * pen.whole(4, 6), pen.vary(0.23, 0.27)
    angles = np.arange(n) * 2 * np.pi / n - np.pi / 2
    rays = [
        pen.drop((0.49 * np.cos(a), 0.49 * np.sin(a)), (0.36 * np.cos(a), 0.36 * np.sin(a)), 0.45 / n) for a in angles
    ]
    pen.paint("accent", *rays, rims=WHITE)
    pen.paint("accent", pen.disc(0, 0, core), rims=NESTED)
    pen.paint("third", pen.disc(0, 0, core * 0.5), rims=WHITE)


@_emblem
def nine_suns(pen: Pen) -> None:
    """Hou Yi's nine suns: one in the middle and eight round it."""
    ring, small = 0.36, pen.vary(0.085, 0.1)
    start = pen.one_of("up", "between")
    angles = np.arange(8) * np.pi / 4 + (np.pi / 8 if start == "between" else 0.0)
    spots = [(ring * np.cos(a), ring * np.sin(a)) for a in angles]
    pen.paint("accent", *[pen.disc(x, y, small) for x, y in spots], pen.disc(0, 0, 0.15), rims=INKED)
    pen.paint("third", *[pen.disc(x, y, small * 0.42) for x, y in spots], pen.disc(0, 0, 0.07), rims=(("white", 0.7),))


@_emblem
def sun_disc(pen: Pen) -> None:
    """A red sun in a white ring."""
    core = pen.vary(0.27, 0.33)
    pen.paint("white", pen.disc(0, 0, 0.46), rims=(("black", 0.9),))
    pen.paint("accent", pen.disc(0, 0, core), rims=(("black", 0.7),) if pen.whole(0, 1) else ())


@_emblem
def pearl_flame(pen: Pen) -> None:
    """A pearl in its fire."""
    low, r, out = pen.vary(0.22, 0.26), pen.vary(0.19, 0.22), pen.vary(0.26, 0.32)
    middle = pen.halves([(0.0, -0.5), (0.03, -0.33), (0.1, -0.15), (0.13, 0.02), (0.1, 0.2), (0.0, 0.24)], 0)
    lick = [(0.1, 0.44), (0.3, 0.33), (0.29, 0.12), (0.2, -0.02), (out, -0.28)]
    pen.paint("accent", middle, pen.stroke(lick, 0.06, 0.14, 0.16, 0.11, 0.0), rims=pen.frame, both=True)
    pen.paint("white", pen.halves([(0.0, -0.26), (0.03, -0.12), (0.045, 0.0), (0.0, 0.06)], 0), rims=())
    pen.paint("third", pen.disc(0, low, r), rims=(("black", 0.8), ("white", 0.9)))
    pen.paint("white", pen.disc(0, low, r * 0.42), rims=(("black", 0.6),))


# ---- stripes and columns -------------------------------------------------------------------------------------------


@_emblem
def column(pen: Pen) -> None:
    """The pointed stripe that rises from between the brows: the commonest mark of all."""
    w, foot, heart = pen.vary(0.075, 0.1), pen.one_of("round", "notch", "legs"), pen.one_of("none", "line", "core")
    right: list[tuple[float, float]] = [(0.0, -0.5), (w * 0.35, -0.2), (w * 0.75, 0.1), (w, 0.34)]
    if foot == "notch":
        right += [(w * 0.95, 0.47), (w * 0.5, 0.49), (w * 0.3, 0.4), (0.0, 0.2)]
        pen.paint("accent", pen.halves(right, 0, len(right) - 1), rims=pen.frame)
        return
    if foot == "legs":  # the stripe parts and its two legs swing out under the brows
        stem = pen.halves([(0.0, -0.5), (w * 0.4, -0.2), (w * 0.8, 0.06), (w * 0.7, 0.2), (0.0, 0.24)], 0)
        leg = [(0.0, 0.1), (w * 0.6, 0.24), (w * 0.9, 0.38), (w + 0.12, 0.46), (w + 0.24, 0.4)]
        pen.paint("accent", stem, pen.stroke(leg, 0.06, w * 1.1, w, 0.07, 0.0), rims=pen.frame, both=True)
    else:
        pen.paint("accent", pen.halves([*right, (w * 0.75, 0.46), (0.0, 0.49)], 0), rims=pen.frame)
    if heart == "core":
        pen.paint("third", pen.leaf((0, -0.2), (0, 0.3), w * 0.42, w * 0.42, 0.3), rims=(("black", 0.5),))
    elif heart == "line":
        pen.paint("white", pen.leaf((0, -0.22), (0, 0.3), w * 0.4, w * 0.4, 0.3), rims=())


@_emblem
def pillar(pen: Pen) -> None:
    """A black wedge from the crown down to the brows, as on Yao Qi and Zhang Fei."""
    top, foot = pen.vary(0.13, 0.18), pen.vary(0.02, 0.05)
    right = [(0.0, -0.5), (top, -0.49), (top * 0.82, -0.15), (foot + 0.03, 0.2), (foot, 0.4), (0.0, 0.5)]
    pen.paint("black", pen.halves(right, 1), rims=(("white", 1.3),))
    if pen.whole(0, 1):
        pen.paint("accent", pen.halves([
            (0.0, -0.4), (top * 0.45, -0.36), (top * 0.36, -0.1), (0.0, 0.2),
        ], 3), rims=(("white", 0.8),))  # fmt: skip


@_emblem
def spear(pen: Pen) -> None:
    """A spear, point up, with its red tassel."""
    wide, low = pen.vary(0.13, 0.16), pen.vary(0.0, 0.06)
    pen.paint("black", pen.stroke([(0, low - 0.05), (0, 0.25), (0, 0.5)], 0.11, 0.09, 0.0), rims=WHITE)
    fringe = [
        pen.drop((0.1 + 0.1 * k, low + 0.34 - 0.08 * k), (0.05 + 0.05 * k, low + 0.07), 0.055, -0.02) for k in range(2)
    ]
    pen.paint("accent", *fringe, rims=INKED, both=True)
    head = [(0.0, -0.5), (0.05, -0.34), (wide, low - 0.2), (0.07, low - 0.04), (0.08, low + 0.06), (0.0, low + 0.1)]
    pen.paint("third", pen.halves(head, 0), rims=INKED)
    pen.paint("black", pen.leaf((0, -0.36), (0, low - 0.02), 0.03, 0.03), rims=())


@_emblem
def double_spear(pen: Pen) -> None:
    """Two red spear points that part as they rise, a black thorn between them."""
    part, w = pen.vary(0.2, 0.28), pen.vary(0.12, 0.15)
    side = [(0.05, 0.48), (0.1, 0.26), (0.14, 0.0), (part, -0.44)]
    pen.paint("accent", pen.stroke(side, 0.09, w, w * 0.8, 0.0), rims=pen.frame, both=True)
    pen.paint("third", pen.stroke([
        (0.09, 0.36), (0.12, 0.16), (0.15, -0.06),
    ], 0.0, 0.05, 0.0), rims=(("black", 0.5),), both=True)  # fmt: skip
    pen.paint("black", pen.halves([(0.0, -0.5), (0.022, -0.14), (0.045, 0.06), (0.0, 0.32)], 0, 3), rims=WHITE)


@_emblem
def finger(pen: Pen) -> None:
    """A rounded tongue split at its foot, as if set down with two fingertips."""
    w, deep = pen.vary(0.18, 0.23), pen.vary(-0.1, 0.1)
    right = [
        (0.0, -0.48), (w * 0.6, -0.42), (w * 0.85, -0.22), (w, 0.2), (w * 0.98, 0.42), (w * 0.7, 0.49),
        (w * 0.42, 0.4), (0.0, deep),
    ]  # fmt: skip
    pen.paint("accent", pen.halves(right, 7), rims=pen.frame)


@_emblem
def furrow(pen: Pen) -> None:
    """The knit of the brow: bent lines either side of a thorn."""
    n, bow = pen.whole(2, 3), pen.vary(0.05, 0.1)
    lines = []
    for k in range(n):
        x, top = 0.1 + 0.13 * k, -0.28 + 0.12 * k
        lines.append(pen.stroke([
            (x + bow, top), (x, 0.1), (x * 0.75, 0.34), (x * 0.9 + 0.03, 0.47 - 0.05 * k),
        ], 0.0, 0.06, 0.085, 0.0))  # fmt: skip
    pen.paint("black", *lines, rims=(("white", 0.9),), both=True)
    pen.paint("accent", pen.halves([
        (0.0, -0.5), (0.03, -0.1), (0.05, 0.14), (0.0, 0.42),
    ], 0, 3), rims=(("white", 0.9),))  # fmt: skip


@_emblem
def curl(pen: Pen) -> None:
    """A snake that hangs from the crown and curls at the bridge of the nose."""
    hand, turns, sway = pen.hand(), pen.vary(0.9, 1.15), pen.vary(0.08, 0.13)
    line = np.array([
        (sway, -0.5), (-0.03, -0.32), (-sway, -0.1), (-0.02, 0.06), (0.1, 0.2), (0.12, 0.31),
    ]) * (hand, 1.0)  # fmt: skip
    ink = pen.one_of("black", "accent")
    body = pen.scroll(line, 0.3, turns, hand, 0.0, 0.07, 0.12, 0.13, 0.1, 0.065, 0.08)
    pen.paint(ink, body, rims=WHITE if ink == "black" else pen.frame)


@_emblem
def twin_curl(pen: Pen) -> None:
    """Two curls, one winding each way, with beads between: an old man's worried brow."""
    hand = pen.hand()
    up = np.array([(0.12, -0.5), (-0.03, -0.4), (0.02, -0.24), (0.08, -0.16)]) * (hand, 1.0)
    down = np.array([(-0.08, 0.5), (0.06, 0.42), (0.03, 0.26), (-0.06, 0.2)]) * (hand, 1.0)
    turns = pen.vary(0.8, 1.0)
    pen.paint(
        "black",
        pen.scroll(up, 0.2, turns, hand, 0.0, 0.08, 0.09, 0.06, 0.07),
        pen.scroll(down, 0.2, turns, hand, 0.0, 0.08, 0.09, 0.06, 0.07),
        rims=WHITE,
    )
    pen.paint("accent", pen.disc(0.13 * hand, 0.08, 0.045), pen.disc(-0.13 * hand, -0.02, 0.045), rims=WHITE)


@_emblem
def tongs(pen: Pen) -> None:
    """Two bent legs that meet between the brows and flare towards the crown."""
    out, w = pen.vary(0.3, 0.38), pen.vary(0.1, 0.13)
    leg = [(0.03, 0.46), (0.12, 0.3), (0.1, 0.06), (0.14, -0.16), (0.26, -0.34), (out + 0.04, -0.48)]
    hook = pen.scroll([(0.04, 0.4), (0.1, 0.46), (0.17, 0.46)], 0.13, 0.55, -1, 0.06, 0.08, 0.06, 0.0)
    pen.paint("accent", pen.stroke(leg, 0.06, w, w, w * 0.8, 0.0), hook, rims=pen.frame, both=True)
    pen.paint("black", pen.leaf((0, -0.44), (0, 0.2), 0.03, 0.03, 0.3), rims=WHITE)


@_emblem
def horns(pen: Pen) -> None:
    """A ringed oval between two horns of fire."""
    w, tip = pen.vary(0.15, 0.19), pen.vary(0.36, 0.44)
    horn = pen.area([
        (tip, -0.5), (tip + 0.05, -0.24), (tip - 0.01, 0.0), (0.2, 0.26), (0.12, 0.3), (0.2, 0.06),
        (0.3, -0.2),
    ], 0)  # fmt: skip
    pen.paint("accent", horn, rims=pen.frame, both=True)
    pen.paint("second", pen.disc(0, 0.2, w, 0.27), rims=NESTED)
    pen.paint("accent", pen.disc(0, 0.22, w * 0.5, 0.14), rims=WHITE)


# ---- arms ----------------------------------------------------------------------------------------------------------


@_emblem
def halberds(pen: Pen) -> None:
    """Dian Wei's two halberds, side by side, blades outwards."""
    lean = pen.vary(0.03, 0.07)
    x, y = 0.15 + lean, -0.12
    pen.paint("accent", pen.drop((x + 0.14, y + 0.36), (x + 0.02, y + 0.14), 0.055, -0.03), rims=WHITE, both=True)
    pen.paint("black", pen.stroke([(0.1, 0.5), (0.12 + lean / 2, 0.2), (x, y)], 0.0, 0.09, 0.08), rims=WHITE, both=True)
    point = pen.area([
        (x + 0.03, y - 0.38), (x + 0.09, y - 0.16), (x + 0.045, y + 0.05), (x - 0.04, y + 0.05),
        (x - 0.06, y - 0.16),
    ], 0)  # fmt: skip
    moon = pen.area([
        (x + 0.17, y - 0.26), (x + 0.33, y - 0.04), (x + 0.19, y + 0.19), (x + 0.21, y + 0.04),
        (x + 0.21, y - 0.1),
    ], 0, 2)  # fmt: skip
    bar = pen.stroke([(x, y - 0.03), (x + 0.26, y - 0.03)], 0.075, 0.075)
    pen.paint("accent", point, moon, bar, rims=INKED, both=True)
    pen.paint("third", pen.leaf((x + 0.02, y - 0.26), (x + 0.005, y), 0.025, 0.025), rims=(("white", 0.4),), both=True)


@_emblem
def twin_hooks(pen: Pen) -> None:
    """Dou Erdun's pair of tiger-head hooks."""
    out, moon = pen.vary(0.34, 0.4), pen.vary(0.12, 0.2)
    hook = [(0.09, 0.5), (0.1, 0.2), (0.12, -0.1), (0.15, -0.32), (0.25, -0.44), (out - 0.02, -0.38), (out, -0.24)]
    guard = pen.area([(0.27, moon - 0.16), (0.36, moon + 0.02), (0.26, moon + 0.19), (0.28, moon + 0.02)], 0, 2)
    bar = pen.stroke([(0.1, moon), (0.3, moon)], 0.055, 0.055)
    pen.paint("accent", pen.stroke(hook, 0.0, 0.08, 0.09, 0.1, 0.11, 0.09, 0.0), guard, bar, rims=KNIFE, both=True)


@_emblem
def sword(pen: Pen) -> None:
    """A straight sword, point up, with guard and tassels."""
    w, guard = pen.vary(0.075, 0.095), pen.vary(0.15, 0.2)
    pen.paint("accent", pen.drop((0.17, 0.46), (0.06, 0.36), 0.05, -0.03), rims=WHITE, both=True)
    pen.paint("black", pen.halves([
        (0.0, 0.16), (0.045, 0.18), (0.04, 0.36), (0.07, 0.42), (0.055, 0.48), (0.0, 0.5),
    ]), rims=WHITE)  # fmt: skip
    pen.paint("white", pen.halves([
        (0.0, -0.5), (w * 0.7, -0.36), (w, -0.2), (w * 0.9, 0.2), (0.0, 0.22),
    ], 0), rims=(("black", 0.9), ("white", 0.8)))  # fmt: skip
    pen.paint("accent", pen.leaf((0, -0.38), (0, 0.18), 0.032, 0.032, 0.1), rims=())
    pen.paint("third", pen.halves([
        (0.0, 0.17), (guard * 0.6, 0.15), (guard, 0.06), (guard * 0.9, 0.22), (guard * 0.4, 0.25), (0.0, 0.27),
    ], 2), rims=INKED)  # fmt: skip


# ---- plants and animals --------------------------------------------------------------------------------------------


@_emblem
def lotus(pen: Pen) -> None:
    """An open lotus: two rows of petals, the seed pod behind the front one."""
    n, leaves = pen.whole(2, 3), pen.whole(0, 1)
    rims: tuple[Rim, ...] = (("black", 0.5), ("white", 0.9))
    base = np.array((0.0, 0.24))
    if leaves:
        pen.paint("second", pen.stroke([
            (0.02, 0.46), (0.3, 0.4), (0.52, 0.2), (0.68, 0.14),
        ], 0.05, 0.12, 0.13, 0.0), rims=INKED, both=True)  # fmt: skip
    for k in range(n, 0, -1):  # the outermost petals first
        a = np.deg2rad(-90 + 78 * k / n)
        tip = base + np.array((np.cos(a) * 0.62, np.sin(a) * 0.62))
        pen.paint("accent", pen.leaf((0.03, 0.3), tuple(tip), 0.12, 0.12, 0.05), rims=rims, both=True)
        inner = base + (tip - base) * 0.62
        pen.paint("white", pen.leaf((0.03, 0.3), tuple(inner), 0.05, 0.05, -0.1), rims=(), both=True)
    pen.paint("accent", pen.leaf((0, 0.3), (0, -0.5), 0.13, 0.13, 0.02), rims=rims)
    pen.paint("second", pen.disc(0, -0.04, 0.21, 0.135), rims=INKED)
    seeds = [(0.0, -0.1), (0.0, 0.02), (0.1, -0.07), (0.1, 0.01), (-0.1, -0.07), (-0.1, 0.01)]
    pen.paint("white", *[pen.disc(x, y, 0.03) for x, y in seeds], rims=())
    pen.paint("accent", pen.leaf((0.0, 0.46), (0.3, 0.06), 0.1, 0.11, 0.0), rims=rims, both=True)
    pen.paint("accent", pen.halves([(0.0, 0.06), (0.1, 0.2), (0.12, 0.32), (0.05, 0.46), (0.0, 0.5)], 0), rims=rims)
    pen.paint("white", pen.halves([(0.0, 0.26), (0.045, 0.36), (0.0, 0.46)], 0), rims=())


@_emblem
def plum(pen: Pen) -> None:
    """A plum blossom of five round petals."""
    r, out = pen.vary(0.16, 0.185), 0.27
    angles = np.deg2rad(-90 + 72 * np.arange(5))
    pen.paint("accent", *[pen.disc(out * np.cos(a), out * np.sin(a), r) for a in angles], rims=INKED)
    pen.paint("white", *[pen.disc(0.31 * np.cos(a), 0.31 * np.sin(a), r * 0.45) for a in angles], rims=())
    hairs = [pen.stroke([(0, 0), (0.2 * np.cos(a), 0.2 * np.sin(a))], 0.03, 0.04) for a in angles + np.pi / 5]
    pen.paint("black", *hairs, rims=())
    pen.paint("third", pen.disc(0, 0, 0.1), rims=(("black", 0.7),))


@_emblem
def peach(pen: Pen) -> None:
    """The peach of long life, with two leaves."""
    wide = pen.vary(0.33, 0.38)
    pen.paint("second", pen.leaf((0.02, 0.4), (wide + 0.17, 0.18), 0.1, 0.16, 0.1), rims=INKED, both=True)
    right = [
        (0.0, -0.5), (0.08, -0.38), (wide * 0.75, -0.22), (wide, 0.02), (wide * 0.75, 0.24), (0.12, 0.34),
        (0.0, 0.3),
    ]  # fmt: skip
    pen.paint("accent", pen.halves(right, 0), rims=INKED)
    pen.paint("white", pen.stroke([
        (0.16, -0.18), (wide * 0.72, -0.02), (wide * 0.6, 0.16),
    ], 0.0, 0.07, 0.0), rims=(), both=True)  # fmt: skip
    pen.paint("black", pen.leaf((0, -0.36), (0, 0.26), 0.025, 0.025), rims=())


@_emblem
def gourd(pen: Pen) -> None:
    """An immortal's gourd with a ribbon about its waist."""
    up, low = pen.vary(0.14, 0.17), pen.vary(0.24, 0.29)
    pen.paint("black", pen.halves([
        (0.0, -0.46), (0.07, -0.5), (0.11, -0.46), (0.05, -0.4), (0.05, -0.3), (0.0, -0.28),
    ]), rims=WHITE)  # fmt: skip
    right = [
        (0.0, -0.36), (0.07, -0.34), (up, -0.22), (up * 0.85, -0.1), (0.08, -0.03), (0.13, 0.05), (low, 0.25),
        (low * 0.72, 0.44), (0.0, 0.5),
    ]  # fmt: skip
    pen.paint("third", pen.halves(right), rims=INKED)
    pen.paint("accent", pen.disc(0, 0.26, low * 0.48), rims=(("black", 0.7),))
    ribbon = [(0.05, -0.04), (0.16, -0.02), (0.24, 0.06)]
    pen.paint(
        "accent",
        pen.scroll(ribbon, 0.13, 0.7, -1, 0.05, 0.07, 0.07, 0.05),
        pen.disc(0, -0.04, 0.13, 0.04),
        rims=WHITE,
        both=True,
    )


@_emblem
def bat(pen: Pen) -> None:
    """A bat of good luck, wings spread into hooks."""
    span = pen.vary(0.56, 0.62)
    wing = pen.area([
        (0.04, 0.04), (0.1, -0.14), (0.24, -0.28), (0.4, -0.3), (span, -0.44), (span + 0.02, -0.1), (span - 0.06, 0.3),
        (span - 0.14, 0.12), (0.32, 0.14), (0.26, 0.42), (0.2, 0.22), (0.04, 0.26),
    ], 4, 6, 9)  # fmt: skip
    pen.paint("accent", wing, rims=pen.frame, both=True)
    veins = [
        [(0.12, 0.0), (0.26, -0.14), (0.42, -0.17), (0.49, 0.04)],
        [(0.1, 0.1), (0.18, 0.03), (0.26, 0.08), (0.26, 0.22)],
    ]
    pen.paint("white", *[pen.stroke(v, 0.0, 0.06, 0.06, 0.0) for v in veins], rims=(), both=True)
    body = [
        (0.0, -0.34), (0.05, -0.37), (0.12, -0.5), (0.14, -0.32), (0.09, -0.18), (0.11, 0.05), (0.07, 0.3),
        (0.0, 0.5),
    ]  # fmt: skip
    pen.paint("black", pen.halves(body, 2, 7), rims=WHITE)
    pen.paint("white", pen.disc(0.055, -0.26, 0.035), rims=(), both=True)
    pen.paint("third", pen.leaf((0, -0.08), (0, 0.3), 0.04, 0.04), rims=(("white", 0.4),))


@_emblem
def butterfly(pen: Pen) -> None:
    """A butterfly whose wings are the root of the brows, as on Zhang Fei."""
    span, spots = pen.vary(0.5, 0.6), pen.whole(1, 2)
    lower = pen.area([
        (0.03, 0.06), (0.24, 0.02), (0.38, 0.14), (0.34, 0.34), (0.22, 0.5), (0.2, 0.34), (0.08, 0.28),
    ], 4)  # fmt: skip
    pen.paint("second", lower, rims=INKED, both=True)
    upper = pen.area([
        (0.03, 0.08), (0.08, -0.16), (0.26, -0.38), (span, -0.44), (span - 0.02, -0.2), (span - 0.1, 0.02),
        (0.26, 0.1),
    ], 3)  # fmt: skip
    pen.paint("accent", upper, rims=INKED, both=True)
    pen.paint(
        "third",
        *[pen.disc(0.2 + 0.16 * k, -0.12 - 0.09 * k, 0.07 - 0.01 * k) for k in range(spots)],
        rims=(("black", 0.7),),
        both=True,
    )
    pen.paint("white", pen.drop((0.08, 0.14), (0.24, 0.18), 0.05), rims=(("black", 0.5),), both=True)
    feeler = pen.scroll([(0.02, -0.2), (0.05, -0.34), (0.1, -0.42)], 0.13, 0.8, 1, 0.05, 0.045, 0.045, 0.05)
    pen.paint("black", feeler, pen.leaf((0, -0.28), (0, 0.46), 0.06, 0.06, -0.2), rims=WHITE, both=True)


# ---- treasures and signs -------------------------------------------------------------------------------------------


@_emblem
def coin(pen: Pen) -> None:
    """A coin: round as the sky, its hole square as the earth."""
    hole = pen.vary(0.12, 0.15)
    pen.paint("third", pen.disc(0, 0, 0.46), rims=INKED)
    pen.paint("accent", pen.disc(0, 0, 0.33), rims=(("black", 0.9),))
    pen.paint(
        "white",
        *[pen.disc(x, y, 0.045) for x, y in ((0.0, 0.235), (0.0, -0.235), (0.235, 0.0), (-0.235, 0.0))],
        rims=(),
    )
    square = [(hole, -hole), (hole, hole), (-hole, hole), (-hole, -hole)]
    pen.paint("black", pen.corners(square), rims=(("white", 0.9),))


@_emblem
def jade_disc(pen: Pen) -> None:
    """A ring of jade, grained with rows of dots."""
    hole, n = pen.vary(0.15, 0.18), 2 * pen.whole(4, 5)
    pen.paint("second", pen.disc(0, 0, 0.46), rims=INKED)
    angles = np.arange(n) * 2 * np.pi / n - np.pi / 2
    pen.paint("white", *[pen.disc(0.33 * np.cos(a), 0.33 * np.sin(a), 0.045) for a in angles], rims=())
    pen.paint("accent", pen.disc(0, 0, hole), rims=NESTED)


@_emblem
def oval(pen: Pen) -> None:
    """An upright oval in nested rings."""
    rx = pen.vary(0.3, 0.36)
    pen.paint("second", pen.disc(0, 0, rx, 0.46), rims=NESTED)
    pen.paint("accent", pen.disc(0, 0.02, rx * 0.58, 0.27), rims=WHITE)


@_emblem
def relic_dot(pen: Pen) -> None:
    """The relic bead between a monk's brows."""
    r = pen.vary(0.24, 0.3)
    pen.paint("white", pen.disc(0, 0, 0.44), rims=(("black", 0.9),))
    pen.paint("accent", pen.disc(0, 0, r), rims=(("black", 0.6),))
    pen.paint("white", pen.disc(0, -r * 0.3, r * 0.28), rims=())


@_emblem
def nine_dots(pen: Pen) -> None:
    """The nine burns of a monk's ordination."""
    r, step = pen.vary(0.095, 0.115), 0.33
    spots = [(x * step, y * step) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    paint = pen.one_of("accent", "black")
    pen.paint(paint, *[pen.disc(x, y, r) for x, y in spots], rims=WHITE if paint == "black" else INKED)


@_emblem
def ruyi(pen: Pen) -> None:
    """A ruyi cloud head on a stem that runs down to the nose, as on Meng Liang."""
    wide, low = pen.vary(0.42, 0.5), pen.vary(-0.06, 0.0)
    right = [
        (0.0, -0.42), (0.1, -0.49), (0.26, -0.47), (wide - 0.04, -0.36), (wide, -0.2), (wide - 0.08, low),
        (0.24, low + 0.03), (0.16, -0.08),
        (0.1, -0.06), (0.09, 0.1), (0.06, 0.28), (0.025, 0.42), (0.0, 0.5),
    ]  # fmt: skip
    pen.paint("accent", pen.halves(right, 0, 12), rims=KNIFE)
    curl_line = [(0.04, 0.3), (0.045, 0.04), (0.055, -0.14), (0.12, -0.27), (0.24, -0.32), (0.33, -0.24)]
    pen.paint(
        "white",
        pen.scroll(curl_line, 0.17, pen.vary(0.7, 0.95), 1, 0.0, 0.035, 0.05, 0.055, 0.05, 0.05),
        rims=(),
        both=True,
    )


@_emblem
def ingot(pen: Pen) -> None:
    """A shoe of silver."""
    span, lift = pen.vary(0.52, 0.6), pen.vary(-0.3, -0.22)
    pen.paint("third", pen.disc(0, -0.14, 0.27, 0.34), rims=INKED)
    pen.paint("white", pen.disc(0, -0.24, 0.12, 0.13), rims=())
    right = [
        (0.0, 0.02), (0.26, -0.03), (span * 0.72, -0.13), (span, lift), (span * 0.86, 0.16),
        (span * 0.56, 0.42), (0.0, 0.49),
    ]  # fmt: skip
    pen.paint("accent", pen.halves(right, 3), rims=INKED)
    pen.paint("white", pen.stroke([
        (0.0, 0.18), (0.28, 0.14), (span * 0.76, -0.02),
    ], 0.06, 0.06, 0.0), rims=(), both=True)  # fmt: skip


@_emblem
def third_eye(pen: Pen) -> None:
    """Erlang's upright eye."""
    w = pen.vary(0.2, 0.24)
    flare = [(0.02, 0.46), (w + 0.02, 0.22), (w + 0.06, -0.06), (w - 0.02, -0.3), (w + 0.05, -0.44)]
    pen.paint("black", pen.stroke(flare, 0.0, 0.06, 0.07, 0.06, 0.0), rims=WHITE, both=True)
    pen.paint("accent", pen.leaf((0, -0.5), (0, 0.5), w, w), rims=INKED)
    pen.paint("white", pen.leaf((0, -0.34), (0, 0.34), w * 0.72, w * 0.72), rims=(("black", 0.9),))
    pen.paint("third", pen.disc(0, 0, w * 0.56, w * 0.62), rims=(("black", 0.8),))
    pen.paint("black", pen.disc(0, 0, w * 0.3), rims=())


@_emblem
def wang(pen: Pen) -> None:
    """The sign for king, the stripes of a tiger's forehead."""
    w, bow, paint = pen.vary(0.13, 0.15), pen.vary(0.01, 0.03), pen.one_of("black", "accent")
    bars = []
    for y, half in ((-0.38, 0.31), (0.0, 0.25), (0.38, 0.38)):
        bars.append(pen.stroke([(-half, y + bow), (0.0, y - bow), (half, y + bow)], w, w * 0.72, w * 0.66, w * 0.72, w))
    stem = pen.stroke([(0, -0.34), (0, 0.34)], w * 0.9, w * 0.75, w * 0.9)
    pen.paint(paint, *bars, stem, rims=WHITE if paint == "black" else INKED)


@_emblem
def tiger(pen: Pen) -> None:
    """The sign for tiger in a running hand, its last stroke thrown out: Yang Qilang's mark."""
    running_tiger(pen, pen.one_of("black", "black", "accent"))


def running_tiger(pen: Pen, paint: str) -> None:
    """The eight strokes of the sign, in writing order."""
    throw = pen.vary(0.0, 0.06)
    strokes = [
        ([(-0.01, -0.5), (0.03, -0.4), (0.02, -0.3)], (0.05, 0.1, 0.06)),
        ([(0.03, -0.41), (0.12, -0.43), (0.22, -0.47)], (0.05, 0.08, 0.0)),
        ([(-0.28, -0.25), (0.0, -0.28), (0.3, -0.32), (0.34, -0.26), (0.25, -0.16)], (0.08, 0.07, 0.09, 0.11, 0.0)),
        ([(-0.25, -0.26), (-0.26, -0.06), (-0.3, 0.16), (-0.46, 0.44)], (0.08, 0.11, 0.1, 0.0)),
        ([(-0.14, -0.08), (0.02, -0.11), (0.2, -0.16)], (0.0, 0.07, 0.05)),
        (
            [(0.02, -0.24), (0.01, -0.1), (0.03, 0.02), (0.14, 0.05), (0.27, 0.0), (0.26, -0.08)],
            (0.05, 0.08, 0.09, 0.09, 0.07, 0.0),
        ),
        ([(-0.08, 0.13), (-0.09, 0.26), (-0.15, 0.38), (-0.27, 0.48)], (0.07, 0.1, 0.08, 0.0)),
        (
            [
                (-0.1, 0.15), (0.04, 0.12), (0.16, 0.13), (0.13, 0.27), (0.16, 0.4), (0.28, 0.46),
                (0.42 + throw, 0.4), (0.46 + throw, 0.24),
            ],
            (0.05, 0.08, 0.1, 0.09, 0.1, 0.12, 0.1, 0.0),
        ),
    ]  # fmt: skip
    pen.paint(paint, *[pen.stroke(p, *w) for p, w in strokes], rims=WHITE if paint == "black" else INKED)


@_emblem
def bagua(pen: Pen) -> None:
    """One of the eight trigrams over a taiji bead."""
    trigram, half = pen.whole(0, 7), 0.4
    bars = []
    for k in range(3):
        y = -0.42 + 0.235 * k
        if trigram >> k & 1:
            bars.append(pen.stroke([(-half, y), (half, y)], 0.12, 0.12))
        else:
            bars += [pen.stroke([(s * 0.11, y), (s * half, y)], 0.12, 0.12) for s in (-1, 1)]
    pen.paint("black", *bars, rims=WHITE)
    pen.paint("accent", pen.disc(0, 0.32, 0.15), rims=INKED)
    pen.paint("white", pen.disc(0, 0.32, 0.055), rims=())


# ---- marks of one character ----------------------------------------------------------------------------------------


@_special
def moles(pen: Pen) -> None:
    """Guan Yu's moles: a few black dots strewn down one side, the largest first. Centre them on a cheek."""
    n = pen.whole(2, 4)
    spots = [(pen.vary(-0.1, 0.1) + 0.16 * (-1) ** k, -0.4 + 0.8 * k / n) for k in range(n)]
    pen.paint("black", *[pen.disc(x, y, 0.075 - 0.01 * k) for k, (x, y) in enumerate(spots)], rims=())


@_special
def brow_hook(pen: Pen) -> None:
    """Dou Erdun's hook inside the right brow: lay it along the brow and mirror it."""
    line = np.array([(-0.3, 0.5), (-0.2, 0.22), (-0.08, -0.06), (0.02, -0.24)])
    body = pen.scroll(line, 0.46, pen.vary(0.62, 0.72), 1, 0.0, 0.07, 0.1, 0.11, 0.11, 0.09, 0.0)
    barb = pen.stroke([(-0.12, 0.06), (0.06, 0.08), (0.16, 0.24)], 0.04, 0.08, 0.0)
    pen.paint("accent", body, barb, rims=KNIFE)


@_special
def tiger_mark(pen: Pen) -> None:
    """Yang Qilang's tiger, always in black."""
    running_tiger(pen, "black")
