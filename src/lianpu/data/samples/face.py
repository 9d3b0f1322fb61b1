"""The anatomy under the paint: head, ears, eyes, nose, mouth, beard, chin and hat, in the canonical proportions that
every mask is warped from.

Eyes sit at (+-134, 492), the nose root at y 470, the nose's tip at y 660, the mouth at y 778; the head runs from y 28
to y 974.
"""

from __future__ import annotations

import numpy as np

from lianpu.data.samples.plan import Dice, Plan, Weights
from lianpu.data.samples.vector import (
    Shape,
    arc,
    blade,
    both,
    curl,
    ellipse,
    flip,
    lens,
    nest,
    outline,
    smooth,
    teardrop,
)

__all__ = ["EYE", "HEAD", "beard", "chin", "ears", "eyes", "hat", "head_path", "jaw", "mouth", "nose"]

_CROWN = [(358 * np.sin(a), 424 - 396 * np.cos(a)) for a in np.deg2rad(np.arange(0, 91, 15))]
HEAD = np.array([*_CROWN, (353, 520), (336, 630), (304, 740), (254, 838), (184, 916), (96, 962), (0, 976)])
EYE = (134.0, 492.0)


def head_path() -> str:
    return outline([*HEAD, *flip(HEAD[1:-1])])


def ears(plan: Plan) -> None:
    """White ears with their inner lines, behind the head."""
    d = plan.dice
    y, long = d("ear.y", -18, 18), d("ear.long", 0.92, 1.1)
    w = 6.5

    def at(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(x, 420 + y + (v - 420) * long) for x, v in points]

    shell = at([(335, 455), (352, 424), (378, 408), (400, 424), (408, 470), (404, 530), (396, 590),
        (386, 640), (366, 664), (346, 650), (325, 610)])  # fmt: skip
    lines = [
        blade(at([(362, 470), (372, 442), (388, 446), (392, 486), (388, 540)]), [3, w, w, 3]),
        blade(at([(364, 520), (376, 492), (382, 520), (376, 566), (380, 600)]), [3, w, w, 3]),
        blade(at([(362, 570), (370, 590), (368, 620)]), [2, w, 2]),
    ]
    plan.put("ears", both([Shape(outline(shell), "white", "black", 8, "ear"), *(Shape(l, "black",
        region="ear-line") for l in lines)]))  # fmt: skip


# ---- eyes ----------------------------------------------------------------------------------------------------------


def eyes(plan: Plan) -> None:
    plan.pair("eyes", eye)


def eye(plan: Plan, d: Dice) -> list[Shape]:
    """A living eye: white almond, iris, pupil and light, the upper lid's line; `eye` is almond, phoenix, round, corner,
    smile or sad.
    """
    kind = d.pick("eye", {"almond": 6, "phoenix": 2, "round": 2, "corner": 1, "sad": 1})
    x, y = EYE
    half = d("eye.half", 54, 66)
    slant = {"phoenix": 20, "corner": 6, "sad": -16, "smile": -6}.get(kind, 0) + d("eye.slant", 2, 20)
    up = {"phoenix": 17, "round": 30, "corner": 27, "smile": 18}.get(kind, 23) * d("eye.up", 0.9, 1.15)
    down = {"phoenix": 11, "round": 20, "corner": 11, "smile": 6}.get(kind, 13) * d("eye.down", 0.9, 1.15)
    inner, outer = (x - half, y + slant / 2), (x + half, y - slant / 2)
    mid = {"corner": 0.35, "sad": -0.2}.get(kind, 0.0)
    white = lens(inner, outer, up * 1.25, down * 1.3, mid)
    ix, iy = x + d("eye.look", -5, 7), y - (up - down) * 0.33
    r = min(21.0, (up + down) * 0.66)
    lid = [(inner[0] - 4, inner[1] + 3), (x - half * 0.45, y + slant * 0.2 - up * 0.98),
        (x + half * mid * 0.5, y - up * 1.24), (x + half * 0.5, y - slant * 0.3 - up * 0.9),
        (outer[0] + 12, outer[1] - 5)]  # fmt: skip
    return [
        Shape(white, "white", "black", 7, "eye-white"),
        Shape(ellipse(ix, iy, r, r), "iris", "black", 3, "iris"),
        Shape(ellipse(ix, iy, r * 0.52, r * 0.52), "black", region="pupil"),
        Shape(ellipse(ix - r * 0.36, iy - r * 0.36, r * 0.24, r * 0.24), "white", region="eye-light"),
        Shape(blade(lid, [5, 11, 13, 11, 3]), "black", region="eyelid"),
    ]  # fmt: skip


# ---- nose ----------------------------------------------------------------------------------------------------------


def nose(plan: Plan, kinds: Weights | None = None) -> None:
    """`nose` is line (wings and nostrils in line), pit (a black pit below the tip), side (coloured strips down its
    sides), curl or mask (a painted nose).
    """
    d = plan.dice
    kind = d.pick("nose", kinds or {"line": 4, "pit": 3, "side": 3, "curl": 2})
    w = 9.5 * plan.weight
    spread, drop = d("nose.spread", 0.9, 1.15), d("nose.drop", -10, 12)

    def at(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(x * spread, y + drop) for x, y in points]

    if kind in ("side", "mask"):
        strip = outline(at([(22, 540), (34, 520), (44, 560), (56, 610), (74, 646), (66, 672), (42, 668),
            (30, 640), (26, 590)]), (1,))  # fmt: skip
        colour = plan.dice.pick("nose.paint", {"second": 3, "third": 1})
        plan.put("nose", both(nest(Shape(strip, colour, "black", 4, "nose-side"), ("rim", 8), ("black", 4))))
    if kind == "pit":
        right = at([(0, 676), (22, 668), (46, 650), (74, 626), (102, 634), (106, 668), (88, 706), (44, 722), (0, 724)])
        plan.put("nose", nest(Shape(outline([*right, *flip(right[1:-1])], (0,)), "black",
            region="nose-pit"), ("rim", 9)))  # fmt: skip
        plan.put("nose", both([Shape(blade(at([(14, 676), (38, 658), (62, 668)]), [3, 9, 3]), "rim",
            region="nose-line")]))  # fmt: skip
        return
    wing = blade(at([(50, 596), (76, 632), (78, 662), (56, 677), (26, 664)]), [0, w * 0.9, w * 1.1, w * 1.5, w * 1.1])
    shapes = [Shape(wing, "line", region="nostril")]
    plan.put("nose", Shape(blade(at([(-26, 684), (0, 695), (26, 684)]), [0, w, 0]), "line", region="nose-line"))
    if kind == "curl":
        scroll = curl((96, 600), 96, 52, 1.1, hand=1)
        shapes += nest(Shape(blade([(74, 540), (88, 572), *scroll[:10]], [0, w * 1.2, w * 1.4, w, 4]),
            "line", region="nose-curl"))  # fmt: skip
    if kind == "line" and d.chance("nose.side", 0.5):
        shapes.append(Shape(blade(at([(34, 520), (38, 560), (46, 600)]), [0, w * 0.7, 0]), "line", region="nose-line"))
    plan.put("nose", both(shapes))


# ---- mouth, beard, chin --------------------------------------------------------------------------------------------


def _lips(plan: Plan, half: float, y: float, up: float, down: float, bow: float) -> list[Shape]:
    """Two lips about a middle line; `bow` lifts the corners (negative: they hang)."""
    c = y - bow
    upper = [(half, c), (half * 0.55, y - up * 0.8), (half * 0.16, y - up), (0, y - up * 0.72)]
    middle = [(half * 0.5, y + 2), (0, y + 3)]
    lower = [(half * 0.62, y + down * 0.72), (half * 0.2, y + down), (0, y + down)]
    ring_up = [*upper, *flip(upper[:-1]), *(flip(middle[:-1])), (0, y + 3), *middle[:1]]
    ring_low = [(half * 0.92, c + 3), *lower, *flip([(half * 0.92, c + 3), *lower[:-1]]), (0, y + 2)]
    line = blade([(-half - 8, c - 2), (-half * 0.45, y + 1), (0, y + 3), (half * 0.45, y + 1),
        (half + 8, c - 2)], [0, 6, 5, 6, 0])  # fmt: skip
    return [
        Shape(outline(ring_low, (0, -2)), "lip", "black", 5, "lip"),
        Shape(outline(ring_up, (0, 6)), "lip", "black", 5, "lip"),
        *both([Shape(ellipse(half * 0.3, y + down * 0.5, half * 0.17, down * 0.16), "lip-light", region="lip-light")]),
        Shape(line, "black", region="mouth-line"),
    ]  # fmt: skip


def mouth(plan: Plan, bearded: bool, kinds: Weights | None = None) -> None:
    """Lips inside a beard; without one also frown, smile, wide or fangs: a painted mouth of its own."""
    d = plan.dice
    if bearded:
        half, y = d("lips.half", 76, 100), 780.0
        plan.put("mouth", _lips(plan, half, y, d("lips.up", 22, 30), d("lips.down", 32, 46), d("lips.bow", -4, 12)))
        return
    kind = d.pick("mouth", kinds or {"frown": 4, "smile": 2, "wide": 2, "lips": 2, "fangs": 1})
    paint = d.pick("mouth.paint", {"lip": 3, "second": 1, "pink": 1})
    if kind == "lips":
        plan.put("mouth", _lips(plan, d("lips.half", 82, 108), 786.0, d("lips.up", 18, 26), d("lips.down",
            28, 40), d("lips.bow", -8, 16)))  # fmt: skip
        return
    if kind == "fangs":
        half = d("fangs.half", 105, 130)
        gape = outline([(-half, 752), (-half * 0.5, 762), (0, 756), (half * 0.5, 762), (half, 752),
            (half * 0.7, 820), (0, 846), (-half * 0.7, 820)], (0, 4))  # fmt: skip
        plan.put("mouth", nest(Shape(gape, "black", region="mouth"), ("lip", 13), ("black", 5), ("rim", 9)))
        teeth = [Shape(outline([(x - 17, 759), (x + 17, 759), (x + 2, 804)], (0, 1, 2)), "white",
            region="tooth") for x in (half * 0.62,)]  # fmt: skip
        row = outline([(0, 760), (26, 762), (52, 764), (50, 782), (26, 784), (0, 783)], (0, 2, 3, 5))
        plan.put("mouth", both([*teeth, Shape(row, "white", "black", 2.5, "tooth")]))
        return
    half, bend = d("mouth.half", 108, 142), d("mouth.bend", 0.8, 1.2)
    fall = {"frown": 88, "smile": -52, "wide": 6}[kind] * bend
    y = {"frown": 754, "smile": 806, "wide": 784}[kind]
    right = [(half * 0.34, y - 4 + fall * 0.04), (half * 0.72, y + fall * 0.36),
        (half * 0.95, y + fall * 0.76), (half, y + fall)]  # fmt: skip
    path = blade([*flip(right), (0, y + 5), *right], [22, 34, 40, 46, 40, 46, 40, 34, 22])
    plan.put("mouth", nest(Shape(path, paint, "black", 3, "lip"), ("rim", 9), ("black", 13), ("rim", 8)))
    inner = blade([*flip(right), (0, y + 6), *right], [0, 6, 8, 8, 8, 6, 0])
    plan.put("mouth", Shape(inner, "black" if kind == "frown" else "rim", region="mouth-line"))


def beard(plan: Plan, kinds: Weights | None = None) -> str:
    """The moustache-beard that frames the chin, with its rims; `beard` is full, goat, hook, wave, short or scroll.
    Returns the kind.
    """
    d = plan.dice
    kind = d.pick("beard", kinds or {"full": 5, "goat": 2, "hook": 2, "wave": 1.5, "short": 1.5, "scroll": 1.5})
    high, wide = d("beard.high", -26, 24), d("beard.wide", 0.92, 1.14)
    horn = d("beard.horn", 108, 134)  # where the moustache rises beside the nose
    top = [(0, 712), (34, 714), (62, 722), (82, 706), (horn * 0.8, 664 + high * 0.6), (horn, 636 + high),
        (horn + 34, 632 + high), (horn + 54, 664 + high * 0.5)]  # fmt: skip
    foot = {"full": [(190, 730), (204, 800), (206, 870), (190, 934), (156, 1000)], "goat": [(186, 728),
        (204, 790), (200, 850), (176, 908), (140, 950), (104, 1000)], "hook": [(194, 724), (232, 770),
        (276, 768), (252, 820), (216, 866), (192, 926), (150, 1000)], "short": [(196, 722), (214, 780),
        (212, 842), (190, 908), (160, 838), (136, 790), (100, 764), (50, 752), (0, 752)],
        "scroll": [(190, 730), (204, 800), (200, 866), (178, 930), (146, 1000)], "wave": [(190, 712),
        (232, 744), (214, 792), (246, 832), (210, 866), (214, 918), (156, 1000)]}[kind]  # fmt: skip
    right = [(x * wide if y > 710 else x, y) for x, y in [*top, *foot]]
    closed = kind == "short"  # the outline comes back to the mid-line, under the nose
    n = 2 * len(right) - 1 - closed
    sharp = {"hook": [10], "wave": [9, 11, 13], "short": [11]}.get(kind, [])
    ring = outline([*right, *flip(right[1 : len(right) - closed])], (*sharp, *(n - i for i in sharp)))
    rims = [("rim", d("beard.rim", 9, 15))]
    if d.chance("beard.colour", 0.4):
        rims += [(d.pick("beard.paint", ("second", "third", "second")), d("beard.outer", 6, 11)), ("rim", 6)]
    locks = [Shape(ring, "black", region="beard")]
    if kind == "scroll":
        lock = [(176, 900), (206, 852), (232, 812), *curl((258, 782), -40, d("beard.curl", 58, 78), 1.05, 1, 9)[1:]]
        locks += both([Shape(blade(lock, [20, 34, 30, 22, 18, 14, 8, 3]), "black", region="beard")])
    below = sorted((rim for lock in locks for rim in nest(lock, *rims)[:-1]), key=lambda s: -s.width)
    plan.put("beard", below, locks)
    if closed:
        return kind
    chin_right = [(0, 788), (58, 788), (98, 804), (128, 846), (142, 904), (130, 964), (90, 1020)]
    size = d("chin.size", 0.88, 1.08)
    points = [(x * size, 778 + (y - 778) / size**0.5) for x, y in chin_right]
    plan.put("beard", Shape(outline([*points, *flip(points[1:])]), d.pick("chin.paint", {"chin": 4,
        "pale": 2} if plan.main != "white" else {"pale": 1}), region="chin"))  # fmt: skip
    return kind


def jaw(plan: Plan) -> None:
    """A white field round mouth and chin, framed in black and a colour: where a beard would hang on a painted chin."""
    d = plan.dice
    form, paint = d.pick("jaw.form", ("round", "wing", "flame")), d.pick("jaw.paint", ("second", "third", "main"))
    right = {"round": [(0, 722), (86, 718), (150, 728), (192, 780), (204, 850), (180, 930), (130, 1000)],
        "wing": [(0, 722), (84, 712), (150, 690), (230, 700), (196, 750), (192, 830), (176, 920),
        (130, 1000)], "flame": [(0, 722), (90, 716), (168, 694), (180, 744), (252, 744), (206, 800),
        (236, 856), (192, 886), (186, 940), (130, 1000)]}[form]  # fmt: skip
    n = 2 * len(right) - 1
    sharp = {"round": (), "wing": (3,), "flame": (2, 4, 6)}[form]
    ring = outline([*right, *flip(right[1:])], (*sharp, *(n - i for i in sharp)))
    rims = [("black", d("jaw.black", 9, 22)), ("rim", 8)] + ([(paint, 8), ("rim", 6)] if paint != "main" else [])
    plan.put("beard", nest(Shape(ring, "white", region="chin"), *rims))


def chin(plan: Plan, kinds: Weights | None = None, y: float = 890.0, ink: str = "line") -> None:
    """Marks on a bare chin: curls, flicks, dots, fold or none."""
    d = plan.dice
    kind = d.pick("chin", kinds or {"curls": 4, "flicks": 3, "dots": 1, "fold": 2, "none": 1})
    w = 11 * plan.weight
    if kind == "curls":
        hand, turns = d.pick("chin.hand", (1, -1)), d("chin.turns", 0.9, 1.35)
        shapes = [Shape(blade(curl((34, y + 34 * hand), 0, d("chin.curl", 58, 82), turns, -hand), [4,
            w * 1.2, w, 4]), ink, region="chin-mark")]  # fmt: skip
    elif kind == "flicks":
        shapes = [
            Shape(blade([(36, y + 30), (64, y + 22), (84, y - 6)], [3, w * 1.2, 0]), ink, region="chin-mark"),
            Shape(blade([(18, y + 4), (40, y - 6), (48, y - 32)], [2, w, 0]), ink, region="chin-mark"),
        ]
    elif kind == "dots":
        shapes = [Shape(ellipse(d("chin.dot", 36, 52), y + 6, 15, 17), ink, region="chin-mark")]
    elif kind == "fold":
        shapes = [Shape(blade([(0, y - 14), (40, y - 8), (76, y + 18), (92, y + 2)], [w, w * 1.1, w, 0]),
            ink, region="chin-mark")]  # fmt: skip
    else:
        return
    plan.put("lines", both(shapes))


def hat(plan: Plan) -> None:
    """A black cloth pulled over the forehead, sometimes with a band; the bald head of a monk has none."""
    d = plan.dice
    y, dip = d("hat.y", 172, 232), d("hat.dip", 18, 54)
    brim = [(0, y - dip), (130, y - dip * 0.8), (250, y - dip * 0.15), (330, y + dip * 0.7), (420, y + 2.4 * dip)]
    ring = outline([*brim, (460, -60), *flip([*brim[1:], (460, -60)])], (4, 5, 6, 7))
    plan.put("hat", nest(Shape(ring, "black", region="hat"), ("rim", 7)))
    if d.chance("hat.band", 0.35):
        line = [(x, v - 26) for x, v in brim]
        plan.put("hat", Shape(smooth([*flip(line[1:]), *line], False), None, d.pick("hat.paint",
            ("second", "gold", "rim")), 8, "hat-band"))  # fmt: skip
    if d.chance("hat.jewel", 0.25):
        plan.put("hat", nest(Shape(ellipse(0, y - dip - 40, 22, 26), d.pick("hat.stone",
            ("red", "gold", "sky")), region="hat-band"), ("white", 7)))  # fmt: skip


def cap(plan: Plan, paint: str) -> None:
    """The shaven crown of a monk or a spirit: another tone, softly bounded by a line."""
    d = plan.dice
    y, dip = d("cap.y", 196, 250), d("cap.dip", -30, 30)
    brim = [(0, y - dip), (150, y - dip * 0.6), (280, y + dip), (420, y + 40)]
    ring = outline([*brim, (460, -60), *flip([*brim[1:], (460, -60)])], (3, 4, 5, 6))
    plan.put("tiles", nest(Shape(ring, paint, region="crown"), ("black", 4), ("rim", 6)))


def arc_marks(
    centre: tuple[float, float], rx: float, ry: float, angles: tuple[float, float], widths: list[float]
) -> str:
    """A brush stroke along an ellipse's arc."""
    return blade(arc(centre, rx, ry, *angles, n=5), widths)


def tear(x: float, y: float, radius: float, long: float, turn: float = 0.0) -> str:
    """A drop of the given length whose point looks up, turned clockwise by degrees."""
    a = np.deg2rad(turn)
    return teardrop((x + long * float(np.sin(a)), y - long * float(np.cos(a))), (x, y), radius)
