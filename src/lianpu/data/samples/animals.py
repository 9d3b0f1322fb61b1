"""象形, the pictographic masks: the whole composition comes from the animal or spirit: monkey, tiger, eagle, leopard,
toad, bat.
"""

from __future__ import annotations

from lianpu.data.samples import face, features
from lianpu.data.samples.plan import Dice, Plan
from lianpu.data.samples.vector import Shape, blade, both, curl, ellipse, flip, lens, nest, outline, teardrop

__all__ = ["ANIMALS", "xiangxing"]


def _base(plan: Plan, paint: str = "main") -> None:
    plan.put("base", Shape("M-460.0 8.0L460.0 8.0L460.0 996.0L-460.0 996.0Z", paint, region="skin"))


def xiangxing(plan: Plan) -> None:
    """One of the animals that go with the main colour."""
    weights = {name: w for name, (colours, w, _) in ANIMALS.items() if plan.main in colours}
    name = plan.dice.pick("animal", weights)
    ANIMALS[name][2](plan)


def monkey(plan: Plan) -> None:
    """A peach upside down in the main colour on white: two round lobes over the eyes, its point at the mouth."""
    d = plan.dice
    _base(plan, "white")
    fat, low = d("peach.fat", -16, 22), d("peach.low", -16, 20)
    right = [(0, 330), (46, 262), (130, 206 - fat), (232 + fat, 236 - fat), (300 + fat, 340),
        (292 + fat, 460), (236 + fat * 0.5, 580), (166, 690), (84, 800 + low), (0, 868 + low)]  # fmt: skip
    peach = outline([*right, *flip(right[1:-1])], (0, 9))
    plan.put("tiles", nest(Shape(peach, "main", region="peach"), ("white", 9), ("black", 6)))
    gold = "gold" if plan.main not in ("gold", "yellow") else "red"
    ring = nest(Shape(outline([(56, 506), (70, 448), (134, 418), (208, 432), (246, 480), (224, 534),
        (150, 562), (84, 546)]), gold, region="socket"), ("black", 6), ("white", 8))  # fmt: skip
    plan.put("sockets", both(ring))
    plan.put("sockets", both([Shape(lens((62, 508), (226, 484), 50, 36), "black", region="socket")]))
    plan.put("brows", both(nest(Shape(blade([(52, 424), (104, 372), (180, 342), (252, 362)], [8, 30, 30,
        0]), "black", region="brow"), ("white", 7))))  # fmt: skip
    face.eyes(plan)
    hair = [(260 + 22 * i, 640 + 48 * i) for i in range(4)]
    plan.put("cheeks", both([Shape(blade([(x + 70, y - 20), (x + 20, y + 6), (x - 26, y + 46)], [0, 17, 0]),
        d.pick("fur", ("black", "grey")), region="fur") for x, y in hair]))  # fmt: skip
    plan.put("lines", both([Shape(blade([(112, 610), (146, 664), (132, 738), (86, 800)], [0, 11, 12, 0]),
        "black", region="smile-line")]))  # fmt: skip
    plan.put("nose", both([Shape(teardrop((4, 634), (26, 664), 15), "black", region="nostril"),
        Shape(blade([(20, 560), (40, 610), (58, 650), (44, 684)], [0, 9, 11, 0]), "black",
        region="nose-line")]))  # fmt: skip
    half = d("muzzle", 104, 132)
    plan.put("mouth", nest(Shape(blade([(-half, 744), (-half * 0.5, 786), (0, 796), (half * 0.5, 786),
        (half, 744)], [6, 30, 36, 30, 6]), "lip", "black", 3, "lip"), ("white", 8), ("black", 6)))  # fmt: skip
    plan.put("mouth", Shape(blade([(-half + 6, 746), (-half * 0.5, 787), (0, 797), (half * 0.5, 787),
        (half - 6, 746)], [0, 6, 7, 6, 0]), "black", region="mouth-line"))  # fmt: skip
    top = d.pick("monkey.top", ("flame", "dots", "curls"))
    if top == "flame":
        flame = blade([(0, 300), (14, 220), (-10, 150), (0, 84)], [10, 46, 36, 0])
        plan.put("emblem", nest(Shape(flame, "main", region="emblem"), ("white", 7), ("black", 5)))
    elif top == "dots":
        plan.put("emblem", Shape(ellipse(0, 150, 30, 36), "main", "black", 5, "emblem"),
            both([Shape(ellipse(60, 180, 16, 16), "main", "black", 5, "emblem")]))  # fmt: skip
    else:
        plan.put("emblem", both([Shape(blade([(8, 270), (30, 200), *curl((44, 160), -70, 70, 1.2, 1)[1:]],
            [4, 18, 18, 15, 6]), "black", region="emblem")]))  # fmt: skip


def tiger(plan: Plan) -> None:
    """The character for king on the forehead, stripes from the temples, upturned nose, whiskers and fangs."""
    d = plan.dice
    _base(plan)
    ink = "line"
    y, half = d("king.y", 130, 160), d("king.half", 74, 100)
    strokes = [blade([(-half, y + 6), (0, y), (half, y + 6)], [16, 24, 16]), blade([(-half * 0.8, y + 66),
        (0, y + 62), (half * 0.8, y + 66)], [14, 22, 14]), blade([(-half * 1.15, y + 132), (0, y + 128),
        (half * 1.15, y + 132)], [18, 26, 18]), blade([(0, y), (0, y + 70), (0, y + 130)], [20, 22, 20])]  # fmt: skip
    plan.put("emblem", [s for k in strokes for s in nest(Shape(k, ink, region="emblem"))])
    stripes = [blade([(400, v), (310, v + 34), (196 + 12 * i, v + 64)], [30, 38, 0]) for i,
        v in enumerate((110, 190, 270))]  # fmt: skip
    low = [blade([(420, v), (330, v + 2), (236, v - 22)], [30, 34, 0]) for v in (600, 680, 760)]
    plan.put("cheeks", both([Shape(s, ink, region="stripe") for s in (*stripes, *low)]))
    plan.pair("brows", lambda p, e: features.brow(p, e, {"flame": 2, "claw": 3, "worm": 1}, True, ink="black"))
    plan.pair("sockets", lambda p, e: features.socket(p, e, {"leaf": 2, "whale": 2, "flame": 1, "scroll": 1}, True))
    face.eyes(plan)
    _muzzle(plan, d)
    if d.chance("fangs", 0.6):
        face.mouth(plan, False, {"fangs": 1})
    else:
        face.mouth(plan, False, {"frown": 1, "wide": 1})
    whiskers = [Shape(blade([(126, 706 + 16 * i), (190, 690 + 24 * i), (254, 690 + 34 * i)], [9, 9, 0]),
        ink, region="whisker") for i in range(3)]  # fmt: skip
    plan.put("lines", both(whiskers))


def _muzzle(plan: Plan, d: Dice) -> None:
    """A beast's nose: a broad tip with upturned nostrils and the groove down to the lip."""
    right = [(0, 606), (40, 600), (78, 622), (84, 656), (52, 682), (20, 694), (0, 720)]
    paint = d.pick("muzzle.paint", ("second", "pink", "third", "second"))
    plan.put("nose", nest(Shape(outline([*right, *flip(right[1:-1])], (6,)), paint, "black", 4, "nose"),
        ("rim", 8), ("black", 4)))  # fmt: skip
    plan.put("nose", both([Shape(teardrop((20, 672), (52, 650), 14), "black", region="nostril"),
        Shape(blade([(24, 500), (32, 560), (52, 600)], [0, 12, 0]), "line", region="nose-line")]))  # fmt: skip
    plan.put("nose", Shape(blade([(0, 690), (0, 730)], [10, 8]), "black", region="nose-line"))


def eagle(plan: Plan) -> None:
    """A beak for a nose, wings of feathers for brows, round fierce eyes: the great roc."""
    d = plan.dice
    _base(plan)
    feathers = []
    for i in range(5):
        t = i / 4
        tip = (150 + 230 * t, 70 + 240 * t)
        feathers.append(blade([(60 + 90 * t, 450 - 30 * t), (100 + 150 * t, 330 - 20 * t), tip], [8, 54, 0]))
    paints = ["black", "second", "black", "black", "third"]
    for f, paint in zip(feathers, paints, strict=True):
        plan.put("brows", both(nest(Shape(f, paint, region="brow"), ("rim", 7), ("black", 3.5))))
    plan.pair("sockets", lambda p, e: features.socket(p, e, {"leaf": 2, "whale": 2, "wing": 2}, True))
    face.eyes(plan)
    long = d("beak.long", 0, 50)
    right = [(0, 520), (34, 540), (66, 606), (84, 664), (62, 714), (26, 768 + long), (0, 806 + long)]
    plan.put("nose", nest(Shape(outline([*right, *flip(right[1:-1])], (0, 6)), d.pick("beak",
        ("yellow", "accent", "orange")) if plan.main not in ("yellow", "gold") else "orange",
        region="beak"), ("black", 6), ("white", 9), ("black", 4)))  # fmt: skip
    plan.put("nose", both([Shape(teardrop((26, 612), (40, 642), 9), "black", region="nostril"),
        Shape(blade([(78, 664), (44, 690), (4, 690)], [6, 8, 0]), "black", region="mouth-line")]))  # fmt: skip
    plumes = [blade([(120, 640 + 66 * i), (196, 660 + 62 * i), (300 - 20 * i, 620 + 66 * i)], [0, 36,
        0]) for i in range(4)]  # fmt: skip
    for i, s in enumerate(plumes):
        plan.put("cheeks", both(nest(Shape(s, ("second", "black", "third", "black")[i], region="feather"),
            ("rim", 7), ("black", 3.5))))  # fmt: skip
    face.chin(plan, {"curls": 1, "flicks": 1}, 920)
    features.gap(plan, {"flame": 2, "diamond": 1, "scroll": 1})


def leopard(plan: Plan) -> None:
    """Coins of black rings on the main colour, round sockets and a beast's nose."""
    d = plan.dice
    _base(plan)
    spots = [(86, 120, 30), (176, 96, 24), (222, 180, 34), (130, 214, 26), (304, 240, 26), (300, 640, 32),
        (238, 726, 28), (316, 744, 24), (172, 640, 20), (214, 836, 26), (0, 60, 22)]  # fmt: skip
    for i, (x, y, r) in enumerate(spots):
        x, y = x + d(f"spot.x{i}", -14, 14), y + d(f"spot.y{i}", -14, 14)
        ring = nest(Shape(ellipse(x, y, r * 0.5, r * 0.55), d.pick("spot.paint",
            ("second", "third", "rim")), region="spot"), ("line" if plan.main == "black" else "black", 10))  # fmt: skip
        plan.put("cheeks", both(ring) if x > 20 else ring)
    plan.pair("brows", lambda p, e: features.brow(p, e, {"claw": 2, "flame": 2, "hook": 1}))
    plan.pair("sockets", lambda p, e: features.socket(p, e, {"kidney": 1, "whale": 1, "scroll": 2}, True))
    face.eyes(plan)
    _muzzle(plan, d)
    face.mouth(plan, False, {"frown": 2, "fangs": 2, "wide": 1})
    features.gap(plan, {"flame": 1, "diamond": 1, "wedge": 1})


def toad(plan: Plan) -> None:
    """Bulging eyes, a very wide mouth, warts."""
    d = plan.dice
    _base(plan)
    belly = [(0, 716), (150, 700), (290, 660), (440, 600), (460, 1040)]
    plan.put("tiles", nest(Shape(outline([*belly, *flip(belly[1:])], (3, 4, 5, 6)), d.pick("belly",
        ("white", "white", "third")), region="belly"), ("black", 5), ("rim", 8)))  # fmt: skip
    bulge = Shape(ellipse(140, 470, 128, 118), "second", region="socket")
    plan.put("sockets", both(nest(bulge, ("black", 7), ("rim", 10), ("black", 4))))
    plan.put("sockets", both([Shape(ellipse(136, 490, 96, 72, -8), "black", region="socket")]))
    face.eyes(plan)
    warts = [(70, 240, 26), (160, 200, 34), (250, 240, 26), (110, 130, 22), (220, 130, 20), (300, 320, 20),
        (0, 180, 24)]  # fmt: skip
    for x, y, r in warts:
        wart = nest(Shape(ellipse(x, y, r * 0.6, r * 0.6), d.pick("wart", ("third", "accent")),
            region="wart"), ("white", 6), ("black", 5))  # fmt: skip
        plan.put("cheeks", both(wart) if x else wart)
    plan.put("nose", both([Shape(teardrop((8, 634), (30, 664), 13), "line", region="nostril")]))
    plan.put("mouth", nest(Shape(blade([(-262, 724), (-140, 776), (0, 790), (140, 776), (262, 724)], [10,
        34, 40, 34, 10]), "lip", region="lip"), ("black", 7), ("white", 8)))  # fmt: skip
    plan.put("mouth", Shape(blade([(-262, 726), (-140, 776), (0, 790), (140, 776), (262, 726)], [0, 7, 8, 7,
        0]), "black", region="mouth-line"))  # fmt: skip
    face.chin(plan, {"curls": 2, "dots": 1}, 890)
    features.gap(plan, {"flame": 1, "scroll": 1, "diamond": 1})


def bat(plan: Plan) -> None:
    """A bat over the forehead, its wings the brows."""
    d = plan.dice
    _base(plan)
    wing = [(0, 300), (40, 262), (84, 240), (150, 200), (250, 150), (340, 150), (316, 210), (330, 262),
        (268, 262), (244, 318), (190, 304), (150, 366), (104, 352), (60, 400), (0, 420)]  # fmt: skip
    ring = outline([*wing, *flip(wing[1:-1])], (5, 7, 9, 11, 13, 15, 17, 19, 21, 23))
    plan.put("brows", nest(Shape(ring, d.pick("bat", ("second", "black", "third")), region="brow"),
        ("black", 6), ("rim", 9), ("black", 4)))  # fmt: skip
    head = [(0, 240), (22, 250), (30, 214), (44, 262), (36, 316), (0, 340)]
    plan.put("brows", nest(Shape(outline([*head, *flip(head[1:-1])], (2, 8)), "black", region="brow"), ("white", 6)))
    plan.put("brows", both([Shape(ellipse(14, 284, 6, 7), "white", region="brow"), *(Shape(blade([(46, 330),
        (130 + 50 * i, 270 - 20 * i), (230 + 50 * i, 196 + 18 * i)], [0, 8, 0]), "white",
        region="brow") for i in range(2))]))  # fmt: skip
    plan.pair("sockets", lambda p, e: features.socket(p, e, {"leaf": 2, "drop": 2, "whale": 1}, True))
    face.eyes(plan)
    plan.pair("cheeks", lambda p, e: features.cheek_lines(p, e, {"hooks": 2, "smile": 1, "flames": 1}))
    face.nose(plan, {"side": 2, "curl": 1})
    if d.chance("bearded", 0.5):
        face.beard(plan)
        face.mouth(plan, True)
    else:
        face.mouth(plan, False)
        face.chin(plan, y=900)


ANIMALS = {
    "monkey": (("red", "purple", "gold", "yellow"), 3.0, monkey),
    "tiger": (("yellow", "white", "black", "gold", "blue", "silver"), 2.0, tiger),
    "eagle": (("blue", "green", "gold", "red", "silver", "black", "white"), 2.0, eagle),
    "leopard": (("yellow", "white", "gold", "green", "red"), 1.0, leopard),
    "toad": (("green", "blue", "yellow"), 0.8, toad),
    "bat": (("blue", "red", "purple", "black", "green", "silver"), 1.2, bat),
}
