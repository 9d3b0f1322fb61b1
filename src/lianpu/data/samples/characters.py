"""Named characters: what tradition fixes about their faces. Everything it leaves open stays with the dice, so no two
Zhang Feis are the same picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["CHARACTERS", "Character"]


@dataclass(frozen=True)
class Character:
    """A role: Chinese name, pattern type, main colour, and the choices by dice name that are always his."""

    zh: str
    kind: str
    colour: str
    fixed: dict[str, Any] = field(default_factory=dict)


CHARACTERS: dict[str, Character] = {
    "Guan Yu": Character(
        "关羽",
        "zhenglian",
        "red",
        {
            "brow": "worm",
            "eye": "phoenix",
            "hat": True,
            "bearded": True,
            "beard": "full",
            "emblemed": False,
            "gap": "knit",
            "forehead": False,
            "special": "moles",
            "folds": 1,
        },
    ),
    "Bao Zheng": Character(
        "包拯",
        "zhenglian",
        "black",
        {
            "brow": "knit",
            "emblemed": True,
            "emblem": "crescent",
            "gap": "knit",
            "hat": False,
            "bearded": True,
            "eye": "almond",
        },
    ),
    "Cao Cao": Character(
        "曹操",
        "zhenglian",
        "white",
        {
            "brow": "thin",
            "eye": "corner",
            "emblemed": False,
            "gap": "knit",
            "bearded": True,
            "folds": 3,
            "blush": False,
        },
    ),
    "Dou Erdun": Character(
        "窦尔敦",
        "hua_sankuaiwa",
        "blue",
        {
            "brow": "loop",
            "special": "brow_hook",
            "tile.paint": "white",
            "palette.scheme": ("red", "orange", "yellow"),
            "emblemed": False,
            "gap": "flame",
            "bearded": True,
            "cheeked": False,
            "socket": "wing",
        },
    ),
    "Zhang Fei": Character(
        "张飞",
        "shizimen",
        "black",
        {"emblemed": True, "emblem": "butterfly", "brow": "flame", "eye": "round", "bearded": True},
    ),
    "Dian Wei": Character(
        "典韦",
        "hua_sankuaiwa",
        "yellow",
        {
            "emblemed": True,
            "emblem": "halberds",
            "brow": "fork",
            "bearded": True,
            "tile.paint": "white",
            "palette.scheme": ("orange", "lilac", "red"),
        },
    ),
    "Jiang Wei": Character(
        "姜维",
        "sankuaiwa",
        "red",
        {
            "emblemed": True,
            "emblem": "taiji",
            "emblem.size": 1.2,
            "brow": "sweep",
            "socket": "wing",
            "bearded": True,
            "gap.too": False,
            "cheeked": False,
        },
    ),
    "Huang Gai": Character(
        "黄盖",
        "liufen",
        "red",
        {"six.brow": "tear", "bearded": True, "palette.scheme": ("blue", "yellow", "lilac"), "six.paint": "second"},
    ),
    "Li Kui": Character(
        "李逵",
        "suihua",
        "black",
        {
            "brow": "flame",
            "cheek": "waves",
            "bearded": True,
            "palette.scheme": ("orange", "lilac", "red"),
            "eye": "round",
        },
    ),
    "Sun Wukong": Character("孙悟空", "xiangxing", "red", {"animal": "monkey", "monkey.top": "flame"}),
    "Xiang Yu": Character(
        "项羽",
        "shizimen",
        "black",
        {"brow": "hook", "socket": "wing", "eye": "sad", "bearded": True, "emblemed": False, "cheeked": False},
    ),
    "Yang Qilang": Character(
        "杨七郎",
        "suihua",
        "black",
        {"emblemed": True, "emblem": "tiger", "emblem.size": 1.2, "brow": "fork", "bearded": False},
    ),
    "Xu Yanzhao": Character("徐延昭", "liufen", "purple", {"six.brow": "line", "bearded": True, "folds": 2}),
    "Ma Su": Character(
        "马谡",
        "sankuaiwa",
        "white",
        {"brow": "sweep", "socket": "wing", "emblemed": False, "gap": "wedge", "gap.paint": "red", "bearded": True},
    ),
    "Lu Zhishen": Character(
        "鲁智深", "seng", "white", {"nine": True, "brow": "curl", "socket": "kidney", "bearded": True, "crown": True}
    ),
    "Jiang Gan": Character(
        "蒋干", "chou", "white", {"patch": "curd", "clown.beard": "goat", "hat": True, "brow": "sad"}
    ),
    "Jade Emperor": Character(
        "玉皇",
        "shenxian",
        "gold",
        {"emblemed": True, "emblem": "pearl_flame", "tiled": False, "bearded": True, "brow": "worm"},
    ),
}
