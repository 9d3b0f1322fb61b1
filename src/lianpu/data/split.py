"""Which pictures are kept for testing: whole groups of near-duplicates, drawn colour by colour, as a function of seed
and group alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

__all__ = ["assign"]


def assign(groups: Sequence[str], colours: Sequence[str], share: float, seed: int) -> list[str]:
    """ "train" or "test" for each picture. All pictures of a group go the same way; of each colour about `share` is
    for testing.

    A group counts for its commonest colour. One that holds more than half of a colour is never tested with, nor is a
    colour's last group taken from training.
    """
    members: dict[str, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    by_colour: dict[str, list[str]] = {}
    for group, rows in members.items():
        colour = min(Counter(colours[i] for i in rows).items(), key=lambda c: (-c[1], c[0]))[0]
        by_colour.setdefault(colour, []).append(group)
    test: set[str] = set()
    for names in by_colour.values():
        total = sum(len(members[g]) for g in names)
        wanted = round(share * total)
        for group in sorted(names, key=lambda g: _draw(seed, g)):
            size = len(members[group])
            if size <= wanted and 2 * size <= total:
                test.add(group)
                wanted -= size
    return ["test" if group in test else "train" for group in groups]


def _draw(seed: int, group: str) -> bytes:
    return hashlib.blake2b(f"{seed}\x1f{group}".encode(), digest_size=8).digest()
