"""The split: whole groups, every colour, a function of seed and group."""

from hypothesis import given
from hypothesis import strategies as st

from lianpu.data import split

pictures = st.lists(st.tuples(st.integers(0, 30), st.sampled_from("rgb")), min_size=1, max_size=200)


@given(pictures, st.floats(0, 0.5), st.integers(0, 5))
def test_no_group_is_torn_and_no_colour_is_lost(rows, share, seed):
    groups, colours = [f"g{g}" for g, _ in rows], [c for _, c in rows]
    sides = split.assign(groups, colours, share, seed)
    assert all(len({s for s, h in zip(sides, groups, strict=True) if h == g}) == 1 for g in groups)
    assert "train" in sides and sides.count("test") <= share * len(rows) + 3  # rounded once for each of three colours


@given(pictures, st.integers(0, 5))
def test_order_does_not_matter(rows, seed):
    groups, colours = [f"g{g}" for g, _ in rows], ["r"] * len(rows)
    there = dict(zip(groups, split.assign(groups, colours, 0.2, seed), strict=True))
    back = dict(zip(groups[::-1], split.assign(groups[::-1], colours, 0.2, seed), strict=True))
    assert there == back


def test_each_colour_gives_its_share():
    colours = ["red"] * 100 + ["blue"] * 50 + ["green"]
    sides = split.assign([str(i) for i in range(151)], colours, 0.1, 0)
    tested = [c for c, s in zip(colours, sides, strict=True) if s == "test"]
    assert (tested.count("red"), tested.count("blue"), tested.count("green")) == (10, 5, 0)
    assert sides != split.assign([str(i) for i in range(151)], colours, 0.1, 1)
