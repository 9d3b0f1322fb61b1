"""What the brush puts on the face: eye sockets, brows and the white tile between them, cheeks and the space between the
brows.

Each function draws the right half in canonical coordinates; `Plan.pair` mirrors it, or asks again with other dice on
a slanting face.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lianpu.data.samples.plan import Dice, Plan, Weights
from lianpu.data.samples.vector import (
    Points,
    Shape,
    affine,
    blade,
    both,
    curl,
    curve,
    ellipse,
    lens,
    nest,
    outline,
    teardrop,
)

__all__ = ["brow", "cheek_lines", "gap", "panel", "socket", "stripe"]


def _rims(plan: Plan, d: Dice, name: str, fancy: bool) -> list[tuple[str, float]]:
    """The nested outlines of a feature: a white rim, and on a flowered face a coloured line in white as well."""
    rims = [("rim", d(f"{name}.rim", 8, 15))]
    if fancy and d.chance(f"{name}.colour", 0.6):
        rims += [(d.pick(f"{name}.paint", ("second", "third", "second")), d(f"{name}.outer", 6, 11)), ("rim", 6)]
    return rims


# ---- sockets -------------------------------------------------------------------------------------------------------

SOCKETS = {"wing": 5, "drop": 2, "whale": 2, "scroll": 2, "kidney": 1, "flame": 1, "inset": 2, "leaf": 2}


def socket(plan: Plan, d: Dice, kinds: Weights | None = None, fancy: bool = False) -> list[Shape]:
    """The black field round the eye that sweeps to the temple; `socket` names its form."""
    kind = d.pick("socket", kinds or SOCKETS)
    tip, deep, bend = d("socket.tip", -46, 40), d("socket.deep", -14, 26), d("socket.bend", -16, 18)
    rims = _rims(plan, d, "socket", fancy)
    ink: list[Shape] = []
    if kind in ("wing", "inset"):
        ring = [(44, 482), (84, 455), (146, 440 + bend * 0.4), (216, 414 + bend),
            (284, 362 + bend + tip * 0.4), (336, 296 + tip), (400, 226 + tip), (416, 350 + tip * 0.5),
            (372, 436), (328, 502 + deep * 0.5), (264, 552 + deep), (196, 572 + deep),
            (132, 560 + deep * 0.6), (84, 532), (54, 505)]  # fmt: skip
        ink = [Shape(outline(ring, (0, 6)), "black", region="socket")]
    elif kind == "leaf":
        ring = [(40, 484), (90, 452), (160, 436 + bend), (236, 418 + bend), (306, 376 + tip * 0.6),
            (372, 306 + tip), (352, 396), (320, 462), (272, 520 + deep * 0.4), (206, 562 + deep),
            (138, 562 + deep), (84, 530), (54, 506)]  # fmt: skip
        ink = [Shape(outline(ring, (0, 5)), "black", region="socket")]
    elif kind == "drop":
        fall = d("socket.fall", 0, 90)
        ring = [(46, 480), (90, 448), (158, 430 + bend * 0.4), (230, 422 + bend), (298, 440), (346, 500),
            (372, 596), (356, 694 + fall), (314, 640 + fall * 0.5), (270, 598 + deep), (206, 580 + deep),
            (140, 566 + deep * 0.6), (84, 532), (56, 506)]  # fmt: skip
        ink = [Shape(outline(ring, (0, 7)), "black", region="socket")]
    elif kind == "whale":
        ring = [(44, 482), (96, 448), (170, 432 + bend * 0.5), (240, 404 + bend), (282, 352 + tip * 0.3),
            (270, 292 + tip), (322, 336 + tip), (346, 380), (400, 372), (380, 440), (330, 506),
            (272, 552 + deep), (200, 574 + deep), (130, 562 + deep * 0.6), (84, 532), (54, 506)]  # fmt: skip
        ink = [Shape(outline(ring, (0, 5, 8)), "black", region="socket")]
    elif kind == "flame":
        ring = [(44, 482), (96, 446), (170, 426 + bend * 0.5), (246, 388 + bend), (330, 300 + tip),
            (312, 378 + tip), (396, 352 + tip), (346, 440), (394, 470), (318, 512), (330, 580 + deep),
            (262, 552 + deep * 0.6), (216, 604 + deep), (180, 568 + deep * 0.5), (130, 562), (84, 532),
            (54, 506)]  # fmt: skip
        ink = [Shape(outline(ring, (0, 4, 6, 8, 10, 12)), "black", region="socket")]
    elif kind == "kidney":
        ring = [(58, 500), (70, 460 + bend * 0.4), (120, 434), (190, 432), (248, 452), (272, 500),
            (252, 552 + deep * 0.5), (196, 576 + deep * 0.6), (128, 566), (80, 538)]  # fmt: skip
        ink = [Shape(outline(ring), "black", region="socket")]
    elif kind == "scroll":
        size, turns = d("socket.size", 84, 116), d("socket.turns", 0.95, 1.25)
        ring = [(44, 486), (92, 452), (160, 438), (226, 452), (262, 478), (224, 520),
            (170, 552 + deep * 0.5), (112, 546), (66, 516)]  # fmt: skip
        arm = [(150, 556 + deep * 0.4), (206, 552), (262, 522), *curl((300, 476 + tip * 0.3), -62, size, turns, -1)]
        ink = [
            Shape(outline(ring, (0, 4)), "black", region="socket"),
            Shape(blade(arm, [0, 34, 34, 30, 24, 20, 12, 5]), "black", region="socket"),
        ]
    shapes = [below for s in ink for below in nest(s, *rims)[:-1]] + ink
    if kind in ("wing", "drop", "whale") and d.chance("socket.cuts", 0.22):
        ends = ((420, 300), (420, 372), (410, 440)) if kind != "drop" else ((380, 470), (390, 540), (376, 610))
        for i, (x, y) in enumerate(ends[: d.pick("cuts", (2, 3))]):
            shapes.append(Shape(blade([(236 + 8 * i, 490 + 22 * i), (312, y * 0.4 + 282), (x, y + tip)], [0,
                9, 12]), "white", region="socket-mark"))  # fmt: skip
        return shapes
    if kind == "inset" or (kind in ("wing", "leaf") and fancy and d.chance("socket.inset", 0.4)):
        shapes += _inset(plan, d, (222, 506 + bend * 0.3), (338, 392 + tip * 0.6))
    if kind == "scroll" and d.chance("socket.bead", 0.6):
        shapes += nest(Shape(ellipse(96, 578 + deep * 0.5, 12, 12), "white", "black", 4, "socket-mark"), ("rim", 3))
    return shapes


def _inset(plan: Plan, d: Dice, a: tuple[float, float], b: tuple[float, float]) -> list[Shape]:
    """A coloured drop, comma or dot in the outer field of a socket."""
    kind = d.pick("inset", ("drop", "leaf", "curl", "dot"))
    paint = d.pick("inset.paint", ("second", "third", "accent", "second"))
    mid = ((a[0] + b[0]) / 2 + 8, (a[1] + b[1]) / 2 + 10)
    if kind == "drop":
        return nest(Shape(teardrop(a, mid, 21, -16), paint, region="socket-mark"), ("white", 8))
    if kind == "leaf":
        return nest(Shape(lens((a[0] + 18, a[1] - 4), (b[0] - 6, b[1] + 12), 16, 12), paint,
            region="socket-mark"), ("white", 8))  # fmt: skip
    if kind == "dot":
        return nest(Shape(ellipse(mid[0] + 6, mid[1] + 2, 17, 17), paint, "black", 4, "socket-mark"), ("white", 9))
    return [Shape(blade([a, *curl((mid[0] - 12, mid[1] + 24), -30, 52, 1.15, -1)[1:]], [0, 12, 12, 10, 5]),
        "white", region="socket-mark")]  # fmt: skip


# ---- brows ---------------------------------------------------------------------------------------------------------

LONG_BROWS = {"bar": 5, "sweep": 4, "blade": 3, "hook": 3, "fork": 2, "flame": 2, "loop": 2, "claw": 1.5,
    "wave": 2, "double": 2, "spiral": 2, "spoon": 1.5}  # fmt: skip
SHORT_BROWS = {"worm": 3, "sword": 3, "curl": 2, "thin": 2, "knit": 1, "feather": 1}


def brow_line(d: Dice, kind: str) -> tuple[Points, list[float]]:
    """Centre-line and widths of a brow's main stroke, before its barbs. Its first point is at the nose root."""
    lean, fat = d("brow.lean", -34, 44), d("brow.fat", 0.78, 1.2)
    root, rise = d("brow.root", 40, 58), d("brow.rise", -20, 18)
    table: dict[str, tuple[ArrayLike, list[float]]] = {"bar": ([(root, 470), (84, 396),
        (142 + lean * 0.3, 290), (204 + lean * 0.7, 176), (268 + lean, 40), (290 + lean, -20)], [4, 44, 78,
        88, 96, 100]), "sweep": ([(root, 470), (108, 398), (172, 322 + rise),
        (262 + lean * 0.4, 232 + rise), (400, 120 + rise)], [4, 52, 78, 80, 70]), "blade": ([(root, 468),
        (128, 408 + rise), (222, 322 + rise), (330, 188 + rise + lean)], [5, 56, 76, 0]),
        "hook": ([(root, 472), (104, 424), (160, 368), (196 + lean * 0.3, 292), (186 + lean * 0.5, 214)],
        [4, 44, 62, 56, 0]), "fork": ([(root, 472), (110, 412), (180, 356 + rise), (262, 282 + rise),
        (340, 170 + rise)], [4, 46, 58, 44, 0]), "flame": ([(root, 472), (100, 418), (164, 348),
        (220 + lean * 0.4, 258), (242 + lean, 140)], [4, 50, 70, 52, 0]), "loop": ([(root, 472), (92, 410),
        (144, 340), (190 + lean * 0.5, 270), (232 + lean * 0.8, 196)], [4, 30, 70, 104, 96]),
        "claw": ([(root, 474), (100, 424), (158, 382), (232, 336 + rise), (318, 262 + rise)], [4, 44, 60,
        44, 0]), "wave": ([(root, 470), (100, 420), (136, 356), (194 + lean * 0.3, 304), (240, 250),
        (296 + lean, 150), (330 + lean, 60)], [4, 46, 58, 64, 66, 70, 78]), "double": ([(root, 470),
        (100, 404), (160, 316 + rise), (226, 210), (280 + lean, 96), (320 + lean, 10)], [4, 26, 40, 42, 44,
        44]), "spiral": ([(root, 472), (106, 418), (176, 372), (250, 338 + rise), (308, 290 + rise),
        *curl((318, 262 + rise), -80, 84, 1.05, -1, 8)[1:]], [4, 42, 54, 48, 36, 30, 24, 16, 6]),
        "spoon": ([(root, 470), (90, 404), (134, 330), (186 + lean * 0.4, 250 + rise),
        (230 + lean * 0.7, 176 + rise)], [4, 24, 40, 74, 96]), "worm": ([(66, 436), (120, 412), (188, 392),
        (262, 344), (306, 262 + rise)], [30, 58, 64, 44, 0]), "sword": ([(56, 446), (130, 400), (220, 352),
        (318, 268 + rise)], [10, 44, 48, 0]), "curl": ([(96, 430), (150, 396), (222, 360),
        (318, 280 + rise)], [20, 42, 46, 0]), "thin": ([(58, 436), (130, 396), (214, 372),
        (300, 380 + rise)], [8, 24, 24, 0]), "knit": ([(54, 448), (96, 398), (176, 374), (250, 392),
        (300, 440)], [12, 40, 44, 30, 0]), "feather": ([(62, 432), (140, 394), (222, 366), (300, 372)], [10,
        26, 26, 0]), "sad": ([(66, 388), (124, 372), (196, 396), (262, 452)], [26, 36, 32, 0])}  # fmt: skip
    points, widths = table[kind]
    return np.asarray(points, dtype=float), [w * fat for w in widths]


def brow(
    plan: Plan,
    d: Dice,
    kinds: Weights | None = None,
    fancy: bool = False,
    ink: str = "black",
    rimmed: bool = True,
) -> list[Shape]:
    """A brow that flares and hooks; `brow` names its form."""
    kind = d.pick("brow", kinds or LONG_BROWS)
    line, widths = brow_line(d, kind)
    rise, fat = d("brow.rise", -20, 18), d("brow.fat", 0.78, 1.2)
    strokes = [blade(line, widths)]
    if kind == "hook":
        strokes.append(blade([(132, 400), (210, 376), (286, 320 + rise), (344, 214 + rise)], [10, 54 * fat,
            50 * fat, 0]))  # fmt: skip
        strokes.append(blade([(190, 300), (206, 250), (190, 214), (160, 204), (140, 222)], [30, 34, 26, 20, 0]))
    elif kind == "fork":
        strokes.append(blade([(96, 428), (132, 352), (160, 268), (158, 166 + rise)], [20, 46 * fat, 34, 0]))
        strokes.append(blade([(190, 350), (232, 276), (244, 200 + rise)], [20, 30, 0]))
    elif kind == "flame":
        strokes += [
            blade([(110, 408), (124, 340), (124, 260)], [24, 34, 0]),
            blade([(150, 380), (212, 338), (268, 262), (296, 176)], [20, 46, 40, 0]),
            blade([(180, 372), (262, 350), (344, 288)], [16, 38, 0]),
        ]
    elif kind == "claw":
        strokes += [blade([(x, y), (x + 20, y - 52), (x + 10, y - 104 + rise)], [10, 30, 0]) for x,
            y in ((104, 420), (158, 392), (214, 360), (268, 320))]  # fmt: skip
    elif kind == "curl":
        strokes.append(blade([*curl((112, 424), 150, 62, 1.05, 1)], [20, 26, 20, 12, 5]))
    elif kind == "double":
        strokes.append(blade([(66, 474), (150, 404), (226, 330 + rise), (310, 236 + rise),
            (420, 120 + rise)], [4, 30 * fat, 46 * fat, 48 * fat, 44]))  # fmt: skip
    elif kind == "feather":
        hair = curve(line, 3)
        strokes = [blade(p + np.array([(0, 0), (10, -22), (30, -38)]), [7, 12, 0]) for p in hair] + [
            blade(line, widths)
        ]
    elif kind == "worm" and d.chance("brow.tail", 0.5):
        strokes.append(blade([(188, 392), (176, 330), (196, 282)], [20, 22, 0]))
    rims = _rims(plan, d, "brow", fancy) if rimmed else []
    inks = [Shape(s, ink, region="brow") for s in strokes]
    shapes = [below for s in inks for below in nest(s, *rims)[:-1]]
    # rims of all strokes first, outermost lowest, then the ink
    shapes.sort(key=lambda s: -s.width)
    shapes += inks
    if kind == "loop":
        shapes += _loop(plan, d, line)
    elif kind == "spoon":
        tip = line[-1]
        spot = Shape(ellipse(tip[0] - 4, tip[1] + 6, 24 * fat, 24 * fat), d.pick("loop.paint",
            ("second", "third", "second")), region="brow-loop")  # fmt: skip
        shapes += nest(spot, ("white", 8))
    elif kind in ("bar", "sweep", "blade", "wave") and d.chance("brow.stripe", 0.6 if fancy else 0.22):
        shapes += stripe(d, line[1:], max(widths) * 0.3, closed_end=kind == "blade")
    return shapes


def stripe(d: Dice, line: Points, width: float, closed_end: bool = False) -> list[Shape]:
    """A coloured stripe in white that runs inside a black brow."""
    paint = d.pick("stripe.paint", ("second", "third", "second", "rim"))
    end = line[-1] * 0.35 + line[-2] * 0.65 if closed_end else line[-1]
    path = blade([line[0] * 0.55 + line[1] * 0.45, *line[1:-1], end], [0, width * 0.8, width,
        0 if closed_end else width])  # fmt: skip
    mark = Shape(path, paint, region="brow-stripe")
    return [mark] if paint == "rim" else nest(mark, ("white", 7))


def _loop(plan: Plan, d: Dice, line: Points) -> list[Shape]:
    """Inside of a looped brow, like the eye of a feather: nested drops, a spiral, a leaf or bars."""
    paint, inner = d.pick("loop.paint", ("second", "third", "second")), d.pick("loop.inner", {"drops": 2,
        "spiral": 2, "leaf": 2, "bars": 1})  # fmt: skip
    a, b = line[1], line[-1]
    way = b - a

    def drop(start: float, stop: float, radius: float) -> str:
        return teardrop(tuple(a + way * start), tuple(a + way * stop), radius, 0)

    base = Shape(drop(0.18, 0.86, 40), "white", region="brow-loop")
    heading = float(np.rad2deg(np.arctan2(way[1], way[0])))
    if inner == "drops":
        return [
            base,
            Shape(drop(0.26, 0.88, 30), paint, "black", 3, "brow-loop"),
            Shape(drop(0.5, 0.9, 15), "white", region="brow-loop"),
            Shape(drop(0.62, 0.91, 8), "black", region="brow-loop"),
        ]
    if inner == "spiral":
        tail = a + way * 0.3
        coil = curl(tuple(a + way * 0.7 + (22, 12)), heading, 50, 1.2, -1)
        return [base, *nest(Shape(blade([tail, *coil], [0, 13, 14, 12, 5]), paint, region="brow-loop"), ("black", 3))]
    if inner == "leaf":
        return [base, *nest(Shape(lens(tuple(a + way * 0.36), tuple(a + way * 1.02), 20, 20, 0.3), paint,
            region="brow-loop"), ("black", 4))]  # fmt: skip
    across = np.array([-way[1], way[0]]) / np.hypot(*way)
    bars = [a + way * t for t in (0.55, 0.74, 0.92)]
    return [base, *(Shape(blade([p - across * 22, p, p + across * 22], [0, 12, 0]), paint, "black", 2.5,
        "brow-loop") for p in bars)]  # fmt: skip


def panel(plan: Plan, d: Dice, paint: str = "white", kinds: Weights | None = None) -> list[Shape]:
    """The white tile outside the brow, from the nose root to the temple, that parts the forehead from the cheek."""
    line, _ = brow_line(d, d.pick("brow", kinds or LONG_BROWS))
    end = line[-1]
    beyond = [] if end[1] < 60 or end[0] > 370 else [(min(end[0] + 40, 420), end[1] - 90), (440, end[1] - 170)]
    ring = [*line, *beyond, (560, -40), (560, 400), (372, 420), (280, 500), (170, 520), (70, 500)]
    first = len(line) + len(beyond)
    shape = Shape(outline(ring, (0, first, first + 1)), paint, region="tile")
    return nest(shape, ("rim", 10)) if paint == "white" else nest(shape, ("black", 4), ("rim", 10))


# ---- between the brows ---------------------------------------------------------------------------------------------

GAPS = {"wrinkles": 3, "wedge": 3, "knit": 2, "flame": 2, "scroll": 1, "diamond": 1, "none": 2}


def gap(plan: Plan, kinds: Weights | None = None, paint: str | None = None) -> None:
    """Marks between the brows: wrinkles, a wedge that climbs the forehead, a flame, a scroll ..."""
    d = plan.dice
    kind = d.pick("gap", kinds or GAPS)
    w = 10 * plan.weight
    paint = paint or d.pick("gap.paint", ("second", "third", "accent"))
    if kind == "wrinkles":
        plan.put("lines", both([Shape(blade([(15, 462), (18, 430), (30, 396)], [0, w, 0]), "line", region="wrinkle")]))
        plan.put("lines", Shape(blade([(0, 470), (0, 428), (0, 372)], [0, w * 1.1, 0]), "line", region="wrinkle"))
    elif kind == "knit":
        plan.put("lines", both([Shape(blade([(12, 470), (26, 440), (20, 404), (42, 372)], [0, w * 1.1, w,
            0]), "line", region="wrinkle"), Shape(blade([(4, 500), (20, 512), (40, 508)], [w * 0.7, w * 0.8,
            0]), "line", region="wrinkle")]))  # fmt: skip
    elif kind == "wedge":
        top, half = d("wedge.top", 90, 260), d("wedge.half", 17, 30)
        wedge = outline([(0, top), (half * 0.5, 330), (half, 430), (half * 0.6, 500), (0, 520),
            (-half * 0.6, 500), (-half, 430), (-half * 0.5, 330)], (0, 4))  # fmt: skip
        plan.put("lines", nest(Shape(wedge, paint, region="wedge"), ("rim", 9), ("black", 4)))
    elif kind == "flame":
        top = d("flame.top", 120, 240)
        tongues = [
            Shape(blade([(20, 478), (46, 400), (30, 320), (58, top + 70)], [6, 22, 20, 0]), paint, region="wedge"),
        ]
        middle = Shape(blade([(0, 492), (0, 400), (0, top)], [14, 30, 0]), paint, region="wedge")
        shapes = [*both(tongues), middle]
        plan.put("lines", [s for shape in shapes for s in nest(shape, ("rim", 8))[:-1]], shapes)
    elif kind == "scroll":
        path = blade([(0, d("scroll.top", 140, 220)), (22, 270), (-4, 330), *curl((10, 372), 90, 64, 1.2,
            1)[1:]], [0, 16, 18, 16, 12, 5])  # fmt: skip
        plan.put("lines", nest(Shape(path, paint, region="wedge"), ("rim", 8)))
    elif kind == "diamond":
        plan.put("lines", nest(Shape(outline([(0, 336), (24, 410), (0, 484), (-24, 410)], (0, 2)), paint,
            region="wedge"), ("rim", 8), ("black", 4)))  # fmt: skip


# ---- cheeks --------------------------------------------------------------------------------------------------------


def cheek_lines(plan: Plan, d: Dice, kinds: Weights | None = None) -> list[Shape]:
    """Smile lines, lobes, waves or flames on the right cheek; `cheek` names the form."""
    kind = d.pick("cheek", kinds or {"smile": 3, "lobe": 2, "waves": 2, "flames": 2, "hooks": 2, "none": 2})
    w = 12 * plan.weight
    paint = d.pick("cheek.paint", {"second": 3, "third": 1})
    out, low = d("cheek.out", -12, 16), d("cheek.low", -20, 20)
    if kind == "smile":
        line = [(98, 626), (142, 646), (172 + out, 700), (188 + out, 770 + low), (176 + out, 850 + low)]
        fold = Shape(blade(line, [0, w * 1.2, w * 1.5, w, 0]), "line", region="smile-line")
        shapes = nest(fold, ("rim", 7)) if plan.main != "black" else [fold]
        if d.chance("smile.second", 0.6):
            shift = [(x + 30 + 12 * i, y - 6 + 5 * i) for i, (x, y) in enumerate(line[1:])]
            shapes += nest(Shape(blade(shift, [0, w * 1.3, w * 1.3, 0]), paint, region="cheek-mark"), ("rim", 7))
        return shapes
    if kind == "lobe":
        lobe = outline([(214, 602 + low), (262, 584), (330, 590), (380, 640), (352, 720), (298, 762 + low),
            (244, 726 + low), (212, 664)])  # fmt: skip
        return nest(Shape(lobe, paint, region="cheek-mark"), ("rim", 10), ("black", 5), ("rim", 7))
    if kind == "waves":
        shapes: list[Shape] = []
        for i, colour in enumerate((paint, "black", "rim" if paint == "third" else "third")):
            s = 40.0 * i
            line = [(104 + s * 0.9, 600 - s * 0.3), (150 + s, 668), (142 + s, 740 + low), (190 + s, 816),
                (182 + s * 0.5, 890)]  # fmt: skip
            shapes += nest(Shape(blade(line, [0, w * 1.5, w * 1.9, w * 1.7, 0]), colour,
                region="cheek-mark"), ("rim", 8))  # fmt: skip
        return shapes
    if kind == "flames":
        strokes = [
            blade([(250, 770 + low), (300, 700), (290, 640), (322, 590 + low)], [0, 30, 30, 0]),
            blade([(226, 800 + low), (252, 712), (238, 660), (262, 606)], [0, 28, 24, 0]),
            blade([(270, 790 + low), (326, 730), (350, 660)], [0, 26, 0]),
        ]
        marks = [Shape(s, paint, region="cheek-mark") for s in strokes]
        return [b for m in marks for b in nest(m, ("rim", 8), ("black", 4))[:-1]] + marks
    if kind == "hooks":
        arm = blade([(300, 800 + low), (262, 730), (268, 668), *curl((296 + out, 630), -50, 78, 1.15,
            1)[1:]], [0, w * 1.6, w * 2, w * 1.7, w, 5])  # fmt: skip
        return nest(Shape(arm, "black", region="cheek-mark"), ("rim", 8), (paint, 7), ("rim", 5))
    return []


def folds(plan: Plan, d: Dice) -> list[Shape]:
    """The fine lines of an old or a scheming face: crow's-feet, the pouch under the eye, the fold beside the mouth."""
    w = 9 * plan.weight
    n = d.pick("folds", (1, 2, 3, 2))
    feet = [blade([(232, 480 + 16 * i), (272, 474 + 24 * i), (318, 452 + 36 * i)], [0, w, 0]) for i in range(n)]
    pouch = blade([(72, 530), (120, 566), (186, 566), (232, 536)], [0, w * 0.9, w, 0])
    fold = blade([(96, 628), (146, 668), (172, 740), (166, 812)], [0, w * 1.2, w * 1.2, 0])
    return [Shape(s, "line", region="wrinkle") for s in (*feet, pouch, fold)]


def forehead_lines(plan: Plan) -> None:
    """Two or three wrinkles across the forehead."""
    d = plan.dice
    w, n = 9 * plan.weight, d.pick("forehead.lines", (2, 3))
    for i in range(n):
        y, half = 232 + 40 * i, 150 - 22 * i
        plan.put("lines", Shape(blade([(-half, y - 10), (-half * 0.5, y + 6), (0, y - 8),
            (half * 0.5, y + 6), (half, y - 10)], [0, w, w, w, 0]), "line", region="wrinkle"))  # fmt: skip


def scaled(shapes: list[Shape], size: float, about: tuple[float, float]) -> list[Shape]:
    return [affine(s, size, about=about) for s in shapes]
