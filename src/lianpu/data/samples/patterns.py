"""The pattern types: how each lays base, tiles, sockets, brows, nose, mouth and beard on a face (Weng Ouhong's names;
geometry our own).

A type is a function from a `Plan` to shapes on its layers. `KINDS` holds them with their Chinese names, how often
they are drawn and which main colours they take: a type that leaves little room for its main colour takes only colours
for which the room it leaves is still the largest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lianpu.data.samples import animals, face, features
from lianpu.data.samples.emblems import EMBLEMS
from lianpu.data.samples.ornaments import ORNAMENTS
from lianpu.data.samples.palette import COLOURS
from lianpu.data.samples.plan import Dice, Plan, Weights
from lianpu.data.samples.vector import Shape, blade, both, ellipse, flip, nest, outline

__all__ = ["KINDS", "Kind", "emblem"]

CHROMATIC = ("red", "blue", "green", "yellow", "purple", "gold")


@dataclass(frozen=True)
class Kind:
    """A pattern type: `zh` its name, `often` its share among drawn masks, `colours` the main colours it takes, `draw`
    how it is painted.
    """

    zh: str
    often: float
    colours: tuple[str, ...]
    draw: Callable[[Plan], None]


# ---- shared parts --------------------------------------------------------------------------------------------------


# how large an emblem is drawn and where its middle sits: stripes, flames and weapons climb from the nose root, the
# others sit on the forehead
_TALL = {
    "flame": (270, 270),
    "flame_three": (250, 280),
    "fire_scroll": (270, 265),
    "column": (330, 300),
    "pillar": (300, 200),
    "spear": (270, 260),
    "double_spear": (280, 280),
    "finger": (230, 300),
    "furrow": (180, 330),
    "curl": (280, 260),
    "twin_curl": (260, 290),
    "tongs": (260, 290),
    "horns": (230, 260),
    "sword": (280, 250),
    "ruyi": (250, 230),
    "relic_dot": (110, 200),
    "nine_dots": (130, 170),
    "sun_disc": (140, 170),
    "bat": (150, 190),
    "butterfly": (170, 190),
    "lotus": (180, 200),
    "ingot": (130, 190),
    "halberds": (200, 190),
    "twin_hooks": (210, 190),
}


def emblem(plan: Plan, names: Weights | None = None, about: tuple[float, float] | None = None) -> None:
    """A forehead emblem: the one fixed for a character, or one of `names`; `about` is (size, y of its middle)."""
    d = plan.dice
    name = d.pick("emblem", names or dict.fromkeys(EMBLEMS, 1.0))
    size, y = about or _TALL.get(name, (180, 185))
    paints = {role: role for role in ("main", "second", "third", "accent")}
    centre = (0.0, d("emblem.y", -12, 12) + y)
    plan.put(
        "emblem", EMBLEMS[name](d.rng("emblem"), d("emblem.size", 0.9, 1.16) * size, centre, 7.0 * plan.weight, paints)
    )


# where an ornament sits on the right half: size, x, y
_CHEEK = {
    "cheek_scroll": (200, 262, 680),
    "cheek_bars": (170, 250, 660),
    "nose_ribbons": (220, 190, 700),
    "cheek_disc": (140, 262, 660),
    "ring_disc": (120, 264, 664),
    "cheek_lobe": (200, 260, 680),
    "leaf_spray": (170, 268, 670),
    "scales": (150, 270, 650),
    "tear": (130, 206, 650),
    "temple_flame": (170, 276, 680),
}
_TEMPLE = {
    "temple_flame": (170, 262, 250),
    "wing_lobe": (130, 262, 240),
    "feather": (140, 250, 260),
    "brow_swirl": (150, 262, 244),
    "cloud_bank": (150, 262, 250),
    "leaf_spray": (150, 258, 240),
    "ring_disc": (90, 262, 250),
    "dots_row": (110, 262, 250),
}
_JAW = {
    "jaw_hook": (190, 172, 850),
    "beard_curl": (190, 176, 850),
    "chin_spiral": (120, 140, 876),
    "whiskers": (170, 214, 790),
}


def ornament(plan: Plan, d: Dice, place: Mapping[str, tuple[float, float, float]], name: str) -> list[Shape]:
    """One of the ornaments of `place`, for the right half."""
    kind = d.pick(f"{name}.ornament", tuple(place))
    size, x, y = place[kind]
    paints = {role: role for role in ("main", "second", "third", "accent")}
    centre = (x + d(f"{name}.x", -12, 12), y + d(f"{name}.y", -16, 16))
    return ORNAMENTS[kind](
        d.rng(f"{name}.form"), size * d(f"{name}.size", 0.88, 1.12), centre, 7.0 * plan.weight, paints
    )


def _cheek(plan: Plan, d: Dice, lines: Weights | None = None) -> list[Shape]:
    """The right cheek: painted lines and lobes, or an ornament."""
    if d.chance("cheek.ornament?", 0.5) and "cheek" not in d.fixed:
        return ornament(plan, d, _CHEEK, "cheek")
    return features.cheek_lines(plan, d, lines)


def _base(plan: Plan, paint: str = "main") -> None:
    plan.put("base", Shape("M-460.0 8.0L460.0 8.0L460.0 996.0L-460.0 996.0Z", paint, region="skin"))


def _lower(
    plan: Plan,
    bearded: float,
    fancy: bool = False,
    noses: Weights | None = None,
    beards: Weights | None = None,
) -> None:
    """Nose, mouth and beard, or nose, mouth and a marked bare chin."""
    d = plan.dice
    noses = noses or {"line": 4, "pit": 3, "side": 3, "curl": 2}
    if d.chance("bearded", bearded):
        face.nose(plan, noses)
        short = face.beard(plan, beards) == "short"
        face.mouth(plan, True)
        if d.chance("beard.mark", 0.9 if short else 0.3 if fancy else 0.12):
            face.chin(plan, {"curls": 2, "flicks": 2, "dots": 1}, 902, "line" if short else "black")
        return
    face.nose(plan, {k: w for k, w in noses.items() if k != "pit"})  # a pit needs the moustache it runs into
    kind = d.pick("mouth", {"frown": 4, "smile": 2, "wide": 2, "lips": 2, "fangs": 1 if fancy else 0})
    panel = fancy and d.chance("jaw", 0.45)
    if panel:
        face.jaw(plan)
    elif fancy and d.chance("jaw.ornament?", 0.6):
        plan.pair("beard", lambda p, e: ornament(p, e, _JAW, "jaw"))
    face.mouth(plan, False)
    face.chin(plan, y=914 if kind in ("frown", "fangs") else 892, ink="black" if panel else "line")


def _tiled(
    plan: Plan,
    fancy: bool,
    brows: Weights | None = None,
    sockets: Weights | None = None,
    paint: str = "white",
) -> None:
    """Tiles, brows, sockets and eyes of the three-tile family."""
    plan.pair("tiles", lambda p, d: features.panel(p, d, paint, brows))
    plan.pair("brows", lambda p, d: features.brow(p, d, brows, fancy))
    plan.pair("sockets", lambda p, d: features.socket(p, d, sockets, fancy))
    face.eyes(plan)


def _centre(plan: Plan, emblems: float) -> None:
    """Forehead: an emblem, or a mark between the brows that may climb it."""
    if plan.dice.chance("emblemed", emblems):
        emblem(plan)
        if plan.dice.chance("gap.too", 0.5):
            features.gap(plan, {"wrinkles": 1, "knit": 1})
    else:
        features.gap(plan)


def _blush(plan: Plan) -> None:
    """On white faces the cheeks are faintly pink, as water-white over rouge."""
    if plan.main == "white" and plan.dice.chance("blush", 0.65):
        cheek = [(420, 560), (300, 566), (214, 600), (176, 690), (214, 800), (170, 1000), (460, 1000)]
        plan.put("cheeks", both([Shape(outline(cheek, (0, 5, 6)), "blush", region="cheek")]))


# ---- the types -----------------------------------------------------------------------------------------------------


def _lids(plan: Plan, d: Dice) -> list[Shape]:
    """The eye drawn in line alone: a long upper lid that runs out to the temple, and a lower one."""
    tail = (286 + d("lid.out", -20, 30), 424 + d("lid.rise", -30, 40))
    upper = blade([(58, 506), (96, 474), (150, 458), (214, 462), tail], [0, 13, 22, 17, 0])
    lower = blade([(72, 512), (120, 528), (184, 520), (232, 496)], [0, 8, 9, 0])
    return [Shape(upper, "line", region="socket"), Shape(lower, "line", region="socket")]


def zhenglian(plan: Plan) -> None:
    """整脸: one colour over the whole face; brows, eyes, nose and wrinkles in line."""
    d = plan.dice
    ink = "line"
    _base(plan)
    _blush(plan)
    brows = {"worm": 3, "sword": 3, "curl": 2, "thin": 2 if plan.main == "white" else 0.5, "knit": 1.5}
    plan.pair(
        "brows",
        lambda p, e: features.brow(p, e, brows, ink=ink, rimmed=e.chance("brow.rimmed", 0.4) and p.main != "black"),
    )
    plan.pair("sockets", _lids)
    face.eyes(plan)
    if d.chance("folds", 0.75):
        plan.pair("lines", features.folds)
    hat = d.chance("hat", 0.4)
    if not hat and d.chance("emblemed", 0.4):
        emblem(plan)
        features.gap(plan, {"wrinkles": 2, "knit": 2})
    elif not hat and d.chance("forehead", 0.5):
        features.forehead_lines(plan)
        features.gap(plan, {"wrinkles": 2, "knit": 2})
    else:
        features.gap(plan, {"wrinkles": 2, "knit": 2} if hat else {"wrinkles": 1, "knit": 1, "wedge": 2, "flame": 2})
    _lower(plan, 0.75, noses={"line": 3, "curl": 2})
    if hat:
        face.hat(plan)


def sankuaiwa(plan: Plan) -> None:
    """三块瓦: forehead and both cheeks stay in the main colour as three tiles; brows, sockets and nose pit are widened."""
    _base(plan)
    _blush(plan)
    _tiled(plan, False)
    _lower(plan, 0.88)
    _centre(plan, 0.25)
    if plan.dice.chance("cheeked", 0.2):
        plan.pair("cheeks", lambda p, d: features.cheek_lines(p, d, {"smile": 1, "hooks": 1}))


def hua_sankuaiwa(plan: Plan) -> None:
    """花三块瓦: three tiles flowered with emblem, nested outlines, insets and cheek marks."""
    d = plan.dice
    _base(plan)
    _blush(plan)
    paint = d.pick("tile.paint", {"white": 3, "second": 1, "third": 1.2})
    _tiled(
        plan,
        True,
        {"bar": 2, "sweep": 2, "blade": 2, "hook": 3, "fork": 3, "flame": 3, "loop": 4, "claw": 2, "wave": 2},
        paint=paint,
    )
    if d.chance("cheeked", 0.75):
        plan.pair("cheeks", _cheek)
    _lower(plan, 0.55, True, noses={"side": 5, "line": 2, "pit": 2, "curl": 2})
    _centre(plan, 0.75)


def liufen(plan: Plan) -> None:
    """六分: the cheeks keep the main colour (six tenths); the forehead's shrinks to a strip between huge white brows."""
    d = plan.dice
    _base(plan)
    arch, dip = d("six.arch", -30, 30), d("six.dip", -26, 20)
    lobe = [
        (26, 486),
        (38, 380),
        (32, 200),
        (26, -20),
        (560, -40),
        (560, 440),
        (366, 420 + dip),
        (318, 352 + arch),
        (250, 340 + arch),
        (190, 392 + arch * 0.5),
        (120, 446),
        (60, 470),
    ]
    plan.pair(
        "tiles",
        lambda p, e: nest(
            Shape(outline(lobe, (0, 3, 4, 5)), "white", region="tile"), ("black", 5 * p.weight), ("rim", 9)
        ),
    )
    strip = {
        "band": [(0, 470), (26, 440), (34, 330), (46, 150), (66, -20)],
        "wedge": [(0, 478), (14, 400), (30, 260), (58, 110), (104, -20)],
        "waist": [(0, 474), (30, 420), (20, 330), (36, 220), (72, 110), (96, -20)],
        "spear": [(0, 474), (16, 420), (34, 330), (42, 230), (22, 130), (0, 62)],
    }[d.pick("six.strip", ("band", "wedge", "waist", "spear"))]
    open_top = strip[-1][0] > 0
    n = len(strip)
    ring = outline([*strip, *flip(strip[1 : n if open_top else n - 1])], (0, n - 1, n) if open_top else (0, n - 1))
    plan.put("tiles", nest(Shape(ring, "main", region="strip"), ("rim", 6), ("black", 4)))
    form = d.pick("six.brow", {"tear": 3, "line": 2, "dots": 1, "long": 4})
    if form == "tear":
        tears = nest(
            Shape(face.tear(96, 410, 26, 124, 14), "black", region="brow"),
            ("rim", 8),
            (d.pick("six.paint", ("second", "third")), 11),
            ("rim", 6),
        )
        plan.put("brows", both(tears))
    elif form == "line":
        strokes = [
            blade([(64, 440), (110, 372), (190, 312), (290, 270)], [4, 26, 24, 0]),
            blade([(120, 340), (170, 250), (250, 190)], [0, 16, 0]),
            blade([(96, 330), (124, 250), (176, 170)], [0, 14, 0]),
        ]
        plan.put("brows", both([Shape(s, "black", region="brow") for s in strokes]))
    elif form == "dots":
        plan.put(
            "brows",
            both(
                [
                    Shape(blade([(70, 430), (120, 380), (196, 350)], [6, 30, 0]), "black", region="brow"),
                    *nest(Shape(ellipse(112, 296, 20, 24), "second", region="brow"), ("black", 5)),
                ]
            ),
        )
    else:
        plan.pair(
            "brows",
            lambda p, e: features.brow(
                p, e, {"blade": 2, "claw": 2, "fork": 1, "hook": 2, "flame": 1, "worm": 1, "spiral": 1}, True
            ),
        )
    if d.chance("six.socket", 0.55):
        plan.pair("sockets", lambda p, e: features.socket(p, e, {"leaf": 2, "drop": 3, "whale": 1, "kidney": 1}))
    else:
        lid = [
            Shape(
                blade([(60, 508), (100, 470), (170, 458), (240, 440), (310, 390)], [0, 20, 30, 26, 0]),
                "line",
                region="socket",
            ),
            Shape(blade([(72, 514), (120, 532), (200, 522), (262, 480)], [0, 10, 12, 0]), "line", region="socket"),
        ]
        plan.put("sockets", both(lid))
    face.eyes(plan)
    if d.chance("folds", 0.5):
        plan.pair("lines", features.folds)
    _lower(plan, 0.8, noses={"line": 3, "curl": 1})


def shizimen(plan: Plan) -> None:
    """十字门: one strip of the main colour from the forehead to the tip of the nose crosses the line of the sockets on a
    white face.
    """
    d = plan.dice
    _base(plan, "white")
    main = plan.main
    top, mid = (
        (d("cross.top", 30, 60), d("cross.mid", 14, 21))
        if main == "white"
        else (d("cross.top", 132, 190), d("cross.mid", 32, 44))
    )
    if main == "black":
        top, mid = top + 30, mid + 6
    strip = [
        (top, -20),
        (top * 0.72, 180),
        (mid + 6, 360),
        (mid, 470),
        (mid * 0.8, 560),
        (mid + 14, 630),
        (mid + 4, 668),
        (0, 680),
    ]
    paint = "black" if main == "white" and d.chance("cross.black", 0.5) else "second" if main == "white" else "main"
    ring = outline([*strip, *flip(strip[:-1])], (0, 14))
    rims = [("white", 10), ("black", 4)] if paint != "black" else []
    plan.put("tiles", nest(Shape(ring, paint, region="strip"), *rims))
    sockets = {"white": {"leaf": 3, "kidney": 2}, "black": {"wing": 3, "drop": 2}}.get(
        main, {"wing": 3, "drop": 3, "leaf": 2}
    )
    brows = {"blade": 2, "claw": 2, "flame": 2, "hook": 2, "fork": 2, "spiral": 1}
    if main == "white":
        brows = {"blade": 3, "hook": 2, "spiral": 2}
    if main == "black":
        brows = {"sweep": 3, "flame": 3, "fork": 2, "hook": 2, "double": 2}
    plan.pair("sockets", lambda p, e: features.socket(p, e, sockets))
    plan.pair("brows", lambda p, e: features.brow(p, e, brows))
    if main == "white":
        _blush(plan)
    else:
        cheek = [
            (420, 590),
            (340, 612),
            (252, 604),
            (204, 640),
            (232, 720),
            (268, 800),
            (230, 880),
            (190, 1000),
            (460, 1000),
        ]
        if main == "black":  # black must outweigh the white it is set in
            cheek = [
                (420, 520),
                (330, 588),
                (240, 600),
                (172, 628),
                (196, 720),
                (232, 800),
                (220, 880),
                (170, 1000),
                (460, 1000),
            ]
        cheek = outline(cheek, (0, 7, 8))
        plan.put("cheeks", both(nest(Shape(cheek, "main", region="cheek"), ("white", 9), ("black", 5))))
    if d.chance("emblemed", 0.0):
        emblem(plan, about=(170, 300))
    face.eyes(plan)
    if main == "white" and d.chance("cheeked", 0.5):
        plan.pair("cheeks", lambda p, e: features.cheek_lines(p, e, {"smile": 3, "hooks": 1}))
    _lower(plan, 0.8, noses={"line": 2, "curl": 1})


def suihua(plan: Plan) -> None:
    """碎花: the main colour holds the forehead and glimpses of the cheeks; elsewhere many small colours and lines."""
    d = plan.dice
    _base(plan)
    paint = d.pick("tile.paint", {"second": 2, "third": 2, "white": 2})
    brows = {"flame": 3, "fork": 3, "claw": 2, "loop": 3, "hook": 3}
    sockets = {"scroll": 5, "flame": 2, "whale": 2, "inset": 2, "kidney": 1}
    _tiled(plan, True, brows, sockets, paint)
    plan.pair("cheeks", lambda p, e: _cheek(p, e, {"waves": 4, "flames": 3, "hooks": 2, "lobe": 2}))
    dots = d.pick("broken.dots", (0, 3, 4, 5))
    for i in range(dots):
        spot = Shape(ellipse(66 + 34 * i, 578 + 10 * i, 10 - i, 10 - i), "white", "black", 4, "bead")
        plan.put("lines", both([spot]))
    _lower(plan, 0.4, True, noses={"side": 6, "curl": 2})
    _centre(plan, 0.6)


def wailian(plan: Plan) -> None:
    """歪: a slanting face: the two sides do not match, brow against brow and eye against eye."""
    plan.slanting = True
    _base(plan)
    _blush(plan)
    _tiled(plan, True, {"bar": 1, "sweep": 2, "blade": 2, "hook": 2, "fork": 2, "flame": 2, "loop": 1, "claw": 1})
    plan.pair("cheeks", lambda p, e: _cheek(p, e, {"smile": 2, "waves": 2, "hooks": 2, "flames": 2, "none": 1}))
    _lower(plan, 0.5, True)
    features.gap(plan)


def yuanbao(plan: Plan) -> None:
    """元宝: forehead and lower face differ in colour; the boundary has the shape of an ingot."""
    d = plan.dice
    _base(plan)
    crown = (
        d.pick("ingot.paint", {"pale": 3, "white": 2})
        if plan.main != "white"
        else d.pick("ingot.white", ("lilac", "blush", "pale"))
    )
    lift, waist = d("ingot.lift", -40, 20), d("ingot.waist", -26, 22)
    right = [
        (0, 396 + waist),
        (66, 394 + waist),
        (116, 336 + lift),
        (186, 282 + lift),
        (270, 294 + lift),
        (336, 240 + lift),
        (440, 160 + lift),
    ]
    ring = outline([*right, (500, -40), *flip([*right[1:], (500, -40)])], (6, 7, 8, 9))
    plan.put("tiles", nest(Shape(ring, crown, region="crown"), ("black", 6), ("rim", 9)))
    brows = {"worm": 2, "sword": 2, "curl": 2, "thin": 1, "blade": 1}
    plan.pair("brows", lambda p, e: features.brow(p, e, brows))
    plan.pair("sockets", lambda p, e: features.socket(p, e, {"leaf": 1, "scroll": 3, "kidney": 3}))
    face.eyes(plan)
    if d.chance("cheeked", 0.4):
        plan.pair("cheeks", lambda p, e: _cheek(p, e, {"smile": 2, "flames": 2, "lobe": 1}))
    _lower(plan, 0.5, beards={"short": 3, "goat": 1})
    if d.chance("emblemed", 0.6):
        emblem(plan, about=(150, 180))
    else:
        features.forehead_lines(plan)


def seng(plan: Plan) -> None:
    """僧: a monk: kidney sockets, shaven crown, a relic dot or nine on the forehead."""
    d = plan.dice
    _base(plan)
    _blush(plan)
    if d.chance("crown", 0.6):
        face.cap(plan, d.pick("crown.paint", ("lilac", "pale", "sky")))
    plan.pair("brows", lambda p, e: features.brow(p, e, {"feather": 2, "worm": 1, "curl": 2, "thin": 1}, ink="line"))
    plan.pair("sockets", lambda p, e: features.socket(p, e, {"kidney": 4, "leaf": 1}))
    face.eyes(plan)
    if d.chance("nine", 0.45):
        spots = [(x, y) for y in (110, 150, 190) for x in ((0.0, 44.0))]
        plan.put("emblem", both([Shape(ellipse(x, y, 10, 10), "line", region="emblem") for x, y in spots]))
    else:
        y, r = d("relic.y", 168, 210), d("relic.r", 30, 46)
        plan.put(
            "emblem",
            nest(
                Shape(ellipse(0, y, r, r), "red" if plan.main != "red" else "yellow", region="emblem"),
                ("white", 7),
                ("black", 5),
            ),
        )
    plan.pair("lines", features.folds)
    _lower(plan, 0.45, noses={"line": 1, "curl": 1})
    features.gap(plan, {"wrinkles": 1, "knit": 1, "none": 1})


def taijian(plan: Plan) -> None:
    """太监: a eunuch: red or white only, thin brows, a disc on the forehead, folds of fat, no beard, a mean mouth."""
    d = plan.dice
    _base(plan)
    _blush(plan)
    plan.pair("brows", lambda p, e: features.brow(p, e, {"thin": 3, "sword": 1}, ink="line", rimmed=False))
    plan.pair(
        "sockets",
        lambda p, e: [
            Shape(
                blade([(60, 508), (100, 472), (170, 458), (232, 448), (290, 410)], [0, 18, 26, 20, 0]),
                "line",
                region="socket",
            ),
            Shape(blade([(72, 514), (126, 532), (200, 520)], [0, 10, 0]), "line", region="socket"),
        ],
    )
    face.eyes(plan)
    plan.pair("lines", features.folds)
    fat = 10 * plan.weight
    plan.put(
        "lines",
        both(
            [
                Shape(blade([(104, 850), (170, 826), (224, 770)], [0, fat, 0]), "line", region="wrinkle"),
                Shape(blade([(60, 934), (140, 914), (204, 858)], [0, fat, 0]), "line", region="wrinkle"),
            ]
        ),
    )
    face.nose(plan, {"line": 1, "curl": 1})
    face.mouth(plan, False, {"frown": 2, "lips": 2, "smile": 1})
    features.gap(plan, {"wrinkles": 1, "knit": 1})
    if d.chance("hat", 0.7):
        face.hat(plan)
    else:
        plan.put(
            "emblem",
            nest(
                Shape(ellipse(0, 180, 44, 44), "red" if plan.main != "red" else "white", region="emblem"),
                ("white", 7),
                ("black", 5),
            ),
        )


def shenxian(plan: Plan) -> None:
    """神仙: gods and spirits: gold or silver, or gold lines on the main colour, cloud scrolls and an eye or flame on the
    forehead.
    """
    d = plan.dice
    _base(plan)
    _blush(plan)
    tiled = d.chance("tiled", 0.55)
    if tiled:
        _tiled(plan, True, {"loop": 3, "flame": 3, "fork": 2, "sweep": 2}, {"scroll": 4, "inset": 2, "leaf": 2})
    else:
        plan.pair("brows", lambda p, e: features.brow(p, e, {"worm": 2, "curl": 3, "sword": 2}))
        plan.pair("sockets", lambda p, e: features.socket(p, e, {"leaf": 3, "scroll": 3, "whale": 2}, True))
        face.eyes(plan)
    if not tiled:
        plan.pair("lines", lambda p, e: ornament(p, e, _TEMPLE, "temple"))
    plan.pair("cheeks", lambda p, e: _cheek(p, e, {"hooks": 3, "flames": 3, "smile": 1}))
    _lower(plan, 0.5, True, noses={"side": 3, "curl": 3, "line": 1})
    emblem(plan)


def chou(plan: Plan) -> None:
    """丑: a clown: bare skin with a small white patch on the nose bridge: bean curd, jujube, waist or ingot."""
    d = plan.dice
    _base(plan, "skin")
    form, s = d.pick("patch", {"curd": 2, "jujube": 2, "waist": 2, "ingot": 3, "moon": 2}), d("patch.size", 1.0, 1.22)
    right = {
        "curd": [(0, 414), (96, 418), (196, 428), (236, 476), (230, 560), (204, 640), (140, 694), (60, 704), (0, 704)],
        "jujube": [(0, 366), (60, 388), (140, 440), (186, 530), (160, 630), (84, 700), (0, 726)],
        "waist": [
            (0, 452),
            (60, 430),
            (140, 404),
            (220, 420),
            (256, 490),
            (226, 560),
            (150, 606),
            (112, 660),
            (80, 704),
            (0, 712),
        ],
        "ingot": [
            (0, 448),
            (70, 436),
            (150, 396),
            (232, 380),
            (276, 430),
            (262, 520),
            (212, 600),
            (176, 676),
            (96, 716),
            (0, 722),
        ],
        "moon": [
            (0, 446),
            (56, 424),
            (140, 402),
            (236, 436),
            (280, 540),
            (264, 650),
            (200, 716),
            (110, 696),
            (60, 712),
            (0, 716),
        ],
    }[form]
    right = [(x * s, 560 + (y - 560) * s) for x, y in right]
    rims = [("black", 5)]
    if d.chance("patch.double", 0.4):
        rims += [("white", 8), (d.pick("patch.paint", ("orange", "pink", "grey")), 9), ("black", 4)]
    plan.put("tiles", nest(Shape(outline([*right, *flip(right[1:-1])]), "white", region="tile"), *rims))
    plan.pair("brows", lambda p, e: features.brow(p, e, {"sad": 3, "knit": 2, "thin": 1, "feather": 1}, rimmed=False))
    lids = [
        Shape(
            blade([(64, 512), (104, 476), (170, 468), (228, 500), (262, 524)], [0, 14, 18, 10, 0]),
            "black",
            region="socket",
        ),
        Shape(blade([(80, 516), (128, 530), (190, 522)], [0, 8, 0]), "black", region="socket"),
        Shape(blade([(226, 540), (270, 556), (300, 590)], [0, 9, 0]), "black", region="wrinkle"),
    ]
    plan.put("sockets", both(lids))
    face.eyes(plan)
    if d.chance("rouge", 0.6):
        plan.put("cheeks", both([Shape(ellipse(182, 626, 62, 52, -12), "rouge", region="rouge")]))
    features.gap(plan, {"wrinkles": 2, "knit": 3, "scroll": 1}, "black")
    face.nose(plan, {"line": 1})
    form = d.pick("clown.beard", {"whisker": 3, "goat": 2, "none": 2, "dot": 1})
    if form == "whisker":
        plan.put(
            "beard",
            both(
                [
                    Shape(
                        blade([(10, 728), (60, 722), (120, 742), (176, 716), (196, 690)], [10, 18, 14, 10, 0]),
                        "black",
                        region="beard",
                    )
                ]
            ),
        )
    elif form == "goat":
        plan.put(
            "beard",
            Shape(
                outline([(0, 836), (44, 850), (36, 910), (0, 990), (-36, 910), (-44, 850)], (3,)),
                "black",
                region="beard",
            ),
        )
        plan.put(
            "beard",
            both(
                [Shape(blade([(12, 726), (60, 718), (110, 740), (140, 790)], [8, 16, 12, 0]), "black", region="beard")]
            ),
        )
    face.mouth(plan, False, {"lips": 4, "smile": 1})
    if d.chance("hat", 0.75):
        face.hat(plan)


KINDS: dict[str, Kind] = {
    "zhenglian": Kind("整脸", 10, COLOURS, zhenglian),
    "sankuaiwa": Kind("三块瓦", 24, COLOURS, sankuaiwa),
    "hua_sankuaiwa": Kind("花三块瓦", 14, COLOURS, hua_sankuaiwa),
    "liufen": Kind("六分", 7, CHROMATIC, liufen),
    "shizimen": Kind("十字门", 7, ("black", "white", "red", "purple", "blue", "green"), shizimen),
    "suihua": Kind("碎花", 12, (*CHROMATIC, "black", "silver"), suihua),
    "wailian": Kind("歪", 4, ("red", "blue", "green", "yellow", "purple", "black", "white"), wailian),
    "yuanbao": Kind("元宝", 4, (*CHROMATIC, "white"), yuanbao),
    "xiangxing": Kind("象形", 11, COLOURS, animals.xiangxing),
    "seng": Kind("僧", 2, ("white", "red", "yellow", "gold"), seng),
    "taijian": Kind("太监", 2, ("white", "red"), taijian),
    "shenxian": Kind("神仙", 6, (*CHROMATIC, "silver"), shenxian),
    "chou": Kind("丑", 3, ("white",), chou),
}
