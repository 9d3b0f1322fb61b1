"""Hills are what valleys part: against connected components, along a line where all is seen, and within countries."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from lianpu.data.basins import hills

landscapes = arrays(np.int8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 5))


@settings(deadline=None)
@given(landscapes)
def test_without_valleys_the_hills_are_the_connected_parts(height):
    parts, count = ndimage.label(height > 0, np.ones((3, 3)))
    found = hills(height, valley=0)
    assert found.max() == count
    assert ((found > 0) == (height > 0)).all()
    pairs = set(zip(parts.ravel().tolist(), found.ravel().tolist(), strict=True))
    assert len(pairs) == count + (height == 0).any()  # one number for each part: the same parting


@settings(deadline=None)
@given(landscapes, st.floats(0, 1))
def test_fewer_hills_where_shallower_valleys_join(height, valley):
    assert hills(height, valley=valley).max() <= hills(height, valley=min(valley + 0.3, 1)).max()


def test_along_a_line():
    #         8       4       6     and a last one behind the sea
    height = [1, 8, 2, 3, 4, 3, 5, 6, 0, 1]
    assert hills(np.array(height), valley=0.9).tolist() == [1, 1, 1, 3, 3, 2, 2, 2, 0, 4]
    assert hills(np.array(height), valley=0.75).tolist() == [1, 1, 1, 2, 2, 2, 2, 2, 0, 3]  # 3 is 3/4 of 4
    assert hills(np.array(height), valley=0.9, level=2).tolist() == [1, 1, 1, 1, 1, 1, 1, 1, 0, 2]


def test_a_plateau_is_one_hill():
    assert hills(np.full((7, 5), 3.0), valley=1).max() == 1


def test_no_hill_crosses_a_border():
    countries = np.arange(12).reshape(3, 4) // 6
    found = hills(np.ones((3, 4)), valley=0, countries=countries)
    assert found.max() == 2
    assert all(len(np.unique(countries[found == i])) == 1 for i in (1, 2))


def test_in_three_dimensions():
    height = np.zeros((5, 5, 5))
    height[1, 1, 1] = height[3, 3, 3] = 2
    assert hills(height, valley=0.5).max() == 2
    height[2, 2, 2] = 1  # they touch at corners
    assert hills(height, valley=0.5).max() == 1
