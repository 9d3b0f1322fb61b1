"""The paints of the sample masks: nine main colours with the pigments that opera painters mix for them, and the schemes
of second colours beside them.

A shape names its paint by role (main, second, third, accent, lip, ...); a `Palette` says which pigment plays the role
on one mask and in what shade.
"""

from __future__ import annotations

from dataclasses import dataclass

from lianpu.data.samples.plan import Dice

__all__ = ["CLASS_OF", "COLOURS", "PIGMENTS", "Palette", "choose", "hexcode", "shade"]

COLOURS = ("red", "black", "white", "blue", "green", "yellow", "purple", "gold", "silver")
COLOURS_ZH: dict[str, str] = dict(zip(COLOURS, "红黑白蓝绿黄紫金银", strict=True))
CLASS_OF = {c: {"gold": "yellow", "silver": "white"}.get(c, c) for c in COLOURS}  # the seven classes

# Every pigment is a small range of shades, corner colours that a mask mixes at random: cinnabar, soot, chalk,
# indigo, malachite, orpiment, ...
PIGMENTS: dict[str, tuple[str, ...]] = {
    "red": ("#d8301c", "#c92a22", "#e0452a", "#b8271d"),
    "black": ("#0b0a0c", "#100d0e", "#08090b", "#131010"),
    "white": ("#fdfcf9", "#faf7f2", "#fbf5f1", "#f8f8fa"),
    "blue": ("#2f62ad", "#3a6f9f", "#1f55b5", "#4a6ea3"),
    "green": ("#2f7d4f", "#3c8a4a", "#23744f", "#4a8f45"),
    "yellow": ("#f6cf1f", "#f2c531", "#fadb2a", "#efc01c"),
    "purple": ("#7a4a9a", "#6b4391", "#8b58a6", "#744b8c"),
    "gold": ("#d3a634", "#c99a2b", "#dcb449", "#cda03c"),
    "silver": ("#c2c8d0", "#b7bec8", "#cbd0d6", "#bcc0c9"),
    "orange": ("#df6a35", "#e0763c", "#d9602f", "#e27f45"),
    "pink": ("#f2a3b3", "#eeb0b5", "#f4b9c2", "#e99aab"),
    "grey": ("#8b909e", "#9a9cab", "#7f8594", "#a5a7b3"),
    "lilac": ("#d9d6e8", "#d3d3e2", "#dedbe6", "#d6dae6"),
    "sky": ("#9cc4e0", "#a9cbe2", "#8fb9da", "#b2d2e4"),
    "skin": ("#f8e3d0", "#f9e7d8", "#f7e0cc", "#f8e5d5"),
}

# main colour -> (second, third, accent), each scheme as likely as the others
SCHEMES: dict[str, tuple[tuple[str, str, str], ...]] = {"red": (("lilac", "yellow", "green"),
    ("yellow", "lilac", "blue"), ("grey", "yellow", "sky"), ("pink", "green", "yellow"),
    ("blue", "yellow", "lilac")), "black": (("red", "grey", "yellow"), ("grey", "red", "pink"),
    ("orange", "lilac", "red"), ("lilac", "red", "sky")), "white": (("red", "grey", "pink"),
    ("grey", "red", "lilac"), ("lilac", "orange", "red"), ("pink", "grey", "red")),
    "blue": (("orange", "yellow", "lilac"), ("red", "sky", "yellow"), ("orange", "lilac", "pink"),
    ("yellow", "red", "sky"), ("pink", "red", "yellow")), "green": (("orange", "yellow", "pink"),
    ("red", "lilac", "yellow"), ("yellow", "orange", "lilac"), ("pink", "red", "yellow")),
    "yellow": (("orange", "lilac", "red"), ("red", "pink", "lilac"), ("red", "green", "blue"),
    ("orange", "pink", "blue")), "purple": (("lilac", "yellow", "red"), ("pink", "yellow", "green"),
    ("yellow", "pink", "sky"), ("orange", "lilac", "yellow")), "gold": (("red", "lilac", "green"),
    ("red", "sky", "blue"), ("orange", "green", "lilac"), ("blue", "red", "lilac")),
    "silver": (("blue", "red", "sky"), ("grey", "red", "sky"), ("lilac", "blue", "gold"),
    ("red", "grey", "gold"))}  # fmt: skip


@dataclass(frozen=True)
class Palette:
    """What each paint name means on one mask: `hexes` paint -> "#rrggbb", `pigments` paint -> pigment."""

    main: str
    hexes: dict[str, str]
    pigments: dict[str, str]

    def colour(self, paint: str) -> str:
        return self.hexes[paint]


def _rgb(code: str) -> tuple[float, float, float]:
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def hexcode(rgb: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{min(255, max(0, round(v))):02x}" for v in rgb)


def shade(code: str, towards: str, by: float) -> str:
    """The colour mixed with `towards` by a share in [0, 1]."""
    return hexcode(tuple(a + (b - a) * by for a, b in zip(_rgb(code), _rgb(towards), strict=True)))  # pyright: ignore[reportArgumentType]


def _mix(dice: Dice, name: str, pigment: str) -> str:
    """One shade of a pigment: somewhere between two of its corners."""
    corners = PIGMENTS[pigment]
    a, b = dice.pick(f"{name}.from", corners), dice.pick(f"{name}.to", corners)
    return shade(a, b, dice(f"{name}.mix", 0, 1))


def choose(dice: Dice, main: str) -> Palette:
    """The palette of one mask whose main colour is `main`, one of `COLOURS`."""
    second, third, accent = dice.pick("palette.scheme", SCHEMES[main])
    roles = {"main": main, "second": second, "third": third, "accent": accent,
        "lip": dice.pick("palette.lip", ("red", "orange", "red")), "black": "black", "white": "white",
        "skin": "skin", "gold": "gold", "silver": "silver", "red": "red", "yellow": "yellow",
        "blue": "blue", "green": "green", "purple": "purple", "pink": "pink", "grey": "grey",
        "lilac": "lilac", "orange": "orange", "sky": "sky"}  # fmt: skip
    hexes = {role: _mix(dice, f"palette.{role}", pigment) for role, pigment in roles.items()}
    for role, pigment in roles.items():  # a role and the pigment it borrows are one pot of paint
        if role in ("main", "second", "third", "accent"):
            hexes[pigment] = hexes[role]
    # rims are white, but on a white face they must be seen: a breath of ink, as the painters do it
    hexes["rim"] = dice.pick("palette.rim", ("#cfcade", "#d5cfd6", "#c9ccd9")) if main == "white" else hexes["white"]
    hexes["line"] = hexes["white"] if main == "black" else hexes["black"]
    hexes["iris"] = dice.pick("palette.iris", ("#8d8373", "#7b6a55", "#8a8577", "#6f5b49"))
    hexes["pale"] = shade(hexes["white"], hexes["skin"], 0.45)
    hexes["blush"] = shade(hexes["white"], hexes["pink"], 0.4)
    pigments = roles | {"rim": "white", "line": "white" if main == "black" else "black", "iris": "grey",
        "pale": "white", "blush": "white"}  # fmt: skip
    return Palette(main, hexes, pigments)
