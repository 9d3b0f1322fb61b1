"""Regions of drawn masks as the judge of matches: a mask matches itself, its mirror image by parts, and nothing that is not there."""

import numpy as np
import pytest

from lianpu.data import truth
from lianpu.data.samples import masks
from lianpu.data.samples.masks import REGIONS
from lianpu.errors import UsageError

GROUND, SKIN, BROW, BEARD = (REGIONS.index(name) for name in ("ground", "skin", "brow", "beard"))
SELF = np.arange(64)


def painted(brows=(SKIN, SKIN), mouth=SKIN):
    """A region map of 32 x 32 for 8 x 8 places: ground above, a face with a left and a right brow and a mouth."""
    regions = np.full((32, 32), SKIN, np.uint8)
    regions[:8] = GROUND
    regions[12:16, 4:12], regions[12:16, 20:28] = brows
    regions[24:28, 12:20] = mouth
    return truth.of_map(regions, 8)


def test_a_mask_matches_itself_everywhere_on_the_face():
    drawn = truth.places(masks.draw(3, 1), 32)
    said = truth.judge(np.arange(1024), drawn, drawn, sides=True)
    np.testing.assert_array_equal(said.right, said.face)
    assert 0.4 < said.face.mean() < 0.8 and not said.absent.any()


def test_places_are_the_parts_that_the_drawing_names():
    mask = masks.draw(3, 1)
    drawn = truth.places(mask, 16)
    counts = np.bincount(mask.regions(64).reshape(16, 4, 16, 4)[5, :, 9].ravel(), minlength=len(REGIONS))
    assert drawn.main[5 * 16 + 9] == counts.argmax()
    np.testing.assert_array_equal(drawn.touched[5 * 16 + 9], counts >= 4)


def test_the_other_brow_is_right_unless_sides_are_asked_for():
    both = painted(brows=(BROW, BROW))
    left, right = 3 * 8 + 1, 3 * 8 + 5
    index = SELF.copy()
    index[left] = right
    assert truth.judge(index, both, both).right[left]
    assert not truth.judge(index, both, both, sides=True).right[left]
    assert truth.judge(SELF, both, both, sides=True).right[left]


def test_the_middle_is_on_both_sides():
    assert truth._same_half(np.array([-0.05, 0.5, -0.5]), np.array([0.9, -0.05, 0.5])).tolist() == [True, True, False]


def test_what_the_reference_lacks_is_not_judged_and_counted():
    bearded, bald = painted(mouth=BEARD), painted()
    said = truth.judge(SELF, bearded, bald)
    assert said.absent.sum() == 2 and not (said.judged & said.absent).any()
    assert said.face.sum() == 48 and said.judged.sum() == 46 and said.right.sum() == 46
    assert truth.judge(SELF, bald, bearded).absent.sum() == 0


def test_the_ground_is_not_judged_and_no_match_is_none():
    one = painted()
    nowhere = np.full(64, -1)
    said = truth.judge(nowhere, one, one)
    assert not said.face[:16].any() and said.judged.sum() == 48
    assert not said.matched.any() and not said.right.any()


def test_a_quarter_of_a_place_is_enough_to_be_found_there():
    """A line a quarter of a place wide is no place's main region, but matches into it are right."""
    lined, full = np.full((32, 32), SKIN, np.uint8), np.full((32, 32), SKIN, np.uint8)
    lined[:, 13] = BROW
    lined[0:4, 12:16] = BROW
    full[16:20, 12:16] = BROW
    lined[4, 20] = BROW  # a speck
    sketch, reference = truth.of_map(full, 8), truth.of_map(lined, 8)
    index = np.full(64, -1)
    place = 4 * 8 + 3
    for there, right in ((2 * 8 + 3, True), (2 * 8 + 4, False), (8 + 5, False)):
        index[place] = there
        assert truth.judge(index, sketch, reference).right[place] == right


def test_what_only_touches_places_of_the_reference_is_absent_and_never_right():
    lined, full = np.full((32, 32), SKIN, np.uint8), np.full((32, 32), SKIN, np.uint8)
    lined[:, 13] = BROW
    full[16:20, 12:16] = BROW
    place = 4 * 8 + 3
    said = truth.judge(SELF, truth.of_map(full, 8), truth.of_map(lined, 8))
    assert said.absent[place] and not said.judged[place] and not said.right[place]


def test_a_place_of_many_regions_lies_in_its_main_one():
    many = truth.of_map(np.array([[5, 5, 5, 1], [1, 2, 2, 3], [3, 4, 4, 6], [6, 7, 7, 8]], np.uint8), 1)
    assert many.main[0] == 5 and many.touched[0].sum() == 1
    assert truth.judge(np.zeros(1, int), many, many).right[0]


@pytest.mark.parametrize("index", [np.zeros(63, int), np.full(64, 64), np.full(64, -2)])
def test_matches_that_do_not_fit_are_refused(index):
    with pytest.raises(UsageError):
        truth.judge(index, painted(), painted())


def test_a_map_that_has_no_such_places_is_refused():
    with pytest.raises(UsageError, match="places"):
        truth.of_map(np.zeros((30, 30), np.uint8), 8)


def test_a_known_flow_carries_the_regions_along():
    """The identity leaves them; a shift by two places shifts them; the match by the flow itself is right everywhere."""
    drawn = truth.places(masks.draw(3, 1), 32)
    centres = (2 * np.arange(64) + 1) / 64 - 1
    still = np.stack(np.meshgrid(centres, centres), -1).astype(np.float32)
    here = truth.carried(drawn, still)
    np.testing.assert_array_equal(here.main, drawn.main)
    np.testing.assert_array_equal(here.touched, drawn.touched)
    moved = truth.carried(drawn, still + np.float32([4 / 32, 0]))  # to the right by two of 32 places
    np.testing.assert_array_equal(moved.main.reshape(32, 32)[:, 2:], drawn.main.reshape(32, 32)[:, :-2])
    index = np.arange(1024).reshape(32, 32)
    right = np.pad(index[:, 2:], ((0, 0), (0, 2)), mode="edge").ravel()
    inside = np.tile(np.arange(32) < 30, 32)
    said = truth.judge(right, drawn, moved)
    assert (said.right == said.judged)[inside].all()
    wrong = truth.judge(np.arange(1024), drawn, moved)
    assert wrong.right[inside].sum() < 0.9 * wrong.judged[inside].sum()


def test_where_nothing_comes_there_is_ground():
    drawn = truth.places(masks.draw(3, 1), 32)
    lost = np.full((64, 64, 2), np.nan, np.float32)
    lost[:4, :4] = -1  # one corner alone is known, and goes to a corner
    assert (truth.carried(drawn, lost).main[200:] == GROUND).all()
