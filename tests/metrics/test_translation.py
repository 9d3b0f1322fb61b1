"""Painted sketches whose errors are known beforehand: colours a known way off, edges a known way aside, matches rightly and wrongly led."""

from dataclasses import replace

import numpy as np
import pytest

from lianpu import config
from lianpu.data import pairs, truth
from lianpu.data.lab import to_lab
from lianpu.data.samples import masks
from lianpu.metrics import bootstrap
from lianpu.metrics import translation as metric

RED, BLUE = (200, 30, 30), (30, 60, 180)


def square(colour=RED, at=20, side=24, size=64):
    """(1, size, size, 3): a square of paint on white, and (1, size, size): its outline, just within."""
    picture, lines = np.full((1, size, size, 3), 255, np.uint8), np.zeros((1, size, size), np.float32)
    inside = slice(at, at + side)
    picture[0, inside, inside] = colour
    lines[0, inside, inside] = 1
    lines[0, at + 1 : at + side - 1, at + 1 : at + side - 1] = 0
    return picture, lines


# --- colours --------------------------------------------------------------------------------------


def test_the_colour_error_is_the_distance_in_lab_where_it_counts():
    picture, lines = square()
    other = square(BLUE)[0]
    places = metric.painted_places(picture, lines)
    assert places.sum() == 22 * 22  # the square without its outline, and no paper
    assert metric.colour_error(picture, picture, places)[0] == 0
    expected = np.linalg.norm(to_lab(np.array(RED, np.uint8)) - to_lab(np.array(BLUE, np.uint8)))
    assert metric.colour_error(other, picture, places)[0] == pytest.approx(expected, rel=1e-5)
    half = picture.copy()
    half[:, :, :32] = other[:, :, :32]
    assert metric.colour_error(half, picture, places)[0] == pytest.approx(expected / 2, rel=1e-5)


def test_paper_and_strokes_do_not_count():
    picture, lines = square()
    scrawled = picture.copy()
    scrawled[0][lines[0] > 0] = 0
    scrawled[0, :10] = 0
    assert metric.colour_error(scrawled, picture, metric.painted_places(picture, lines))[0] == 0
    assert np.isnan(metric.colour_error(picture, picture, np.zeros((1, 64, 64), bool))[0])


def test_region_maps_say_where_the_face_is():
    mask = masks.draw(3, 0)
    regions, picture = mask.regions(64)[None], mask.pixels(64)[None]
    places = metric.painted_places(picture, np.zeros((1, 64, 64)), regions)
    np.testing.assert_array_equal(places, regions > 0)
    told = metric.painted_places(picture, np.zeros((1, 64, 64)))
    assert (places & told).sum() / (places | told).sum() > 0.85


def halves(left, right, size=64):
    """(1, size, size, 3) of two paints and (1, size, size) their regions, 1 and 2, three quarters and one; the upper half is ground."""
    picture, regions = np.full((1, size, size, 3), 255, np.uint8), np.zeros((1, size, size), np.uint8)
    cut = 3 * size // 4
    picture[0, size // 2 :, :cut], picture[0, size // 2 :, cut:] = left, right
    regions[0, size // 2 :, :cut], regions[0, size // 2 :, cut:] = 1, 2
    return picture, regions


def test_the_transfer_error_compares_regions_wherever_they_lie():
    picture, regions = halves(RED, BLUE)
    mirrored = picture[:, :, ::-1], regions[:, :, ::-1]
    assert metric.transfer_error(picture, regions, *mirrored)[0] == 0
    apart = np.linalg.norm(to_lab(np.array(RED, np.uint8)) - to_lab(np.array(BLUE, np.uint8)))
    swapped = halves(BLUE, RED)[0]
    assert metric.transfer_error(swapped, regions, *mirrored)[0] == pytest.approx(apart, rel=1e-5)


def test_the_transfer_error_weighs_by_the_area_in_the_sketch():
    picture, regions = halves(RED, BLUE)
    wrong = halves(RED, RED)[0]  # the small region has the large one's paint
    expected = np.linalg.norm(to_lab(np.array(RED, np.uint8)) - to_lab(np.array(BLUE, np.uint8))) / 4
    reference = picture[:, ::-1], regions[:, ::-1].copy()
    reference[1][0, :, :40] = np.where(reference[1][0, :, :40] > 0, 2, 0)  # there the second is the larger one
    reference[0][0][reference[1][0] == 2] = BLUE
    assert metric.transfer_error(wrong, regions, *reference)[0] == pytest.approx(expected, rel=1e-5)


def test_regions_the_reference_lacks_specks_and_ground_have_no_transfer_error():
    picture, regions = halves(RED, BLUE)
    wrong = halves(RED, RED)[0]
    wrong[0, :32] = 0
    alone = np.where(regions == 1, 1, 0)
    assert metric.transfer_error(wrong, regions, picture, alone)[0] == 0
    alone[0, 5, 5:8] = 2
    assert metric.transfer_error(wrong, regions, picture, alone)[0] == 0
    alone[0, 5, 5:9] = 2
    assert metric.transfer_error(wrong, regions, picture, alone)[0] > 0
    assert np.isnan(metric.transfer_error(picture, regions, picture, 0 * regions)[0])


def test_the_palette_of_the_reference_transfers_best():
    drawn = [masks.draw(3, i) for i in range(6)]
    pictures, regions = np.stack([m.pixels(64) for m in drawn]), np.stack([m.regions(64) for m in drawn])
    others = np.roll(pictures, 1, 0), np.roll(regions, 1, 0)
    ideal = np.stack([replace(m, palette=drawn[i - 1].palette).pixels(64) for i, m in enumerate(drawn)])
    np.testing.assert_array_equal(metric.transfer_error(pictures, regions, pictures, regions), 0)
    transferred, copied, own = (metric.transfer_error(x, regions, *others).mean() for x in (ideal, others[0], pictures))
    assert transferred < 16 < copied < 30 < own


# --- edges ----------------------------------------------------------------------------------------


def test_the_edges_of_a_square_are_its_border():
    edges = metric.edges_of(square()[0][0])
    y, x = np.nonzero(edges)
    assert set(np.minimum(np.abs(y - 19.5), np.abs(y - 43.5))[(x > 22) & (x < 41)]) == {0.5}
    assert edges[24:40, 24:40].sum() == 0 and 4 * 20 < edges.sum() < 8 * 26


def test_painted_as_drawn_all_ink_has_its_edge_and_all_edges_ink():
    picture, lines = square()
    assert metric.edge_recall(picture, lines)[0] == 1
    assert metric.edge_precision(picture, lines)[0] == 1


@pytest.mark.parametrize(("aside", "recall"), [(2, 1), (5, None)])
def test_two_pixels_aside_pass_and_five_fail(aside, recall):
    """Moved down by 2, the upper line lies 2 pixels from its edge; by 5, the lines across have none but at the corners."""
    picture = np.roll(square()[0], aside, 1)
    lines = square()[1]
    if recall:
        assert metric.edge_recall(picture, lines)[0] == recall
    else:
        lines[:, :, :24] = lines[:, :, -24:] = 0  # the upper and the lower line alone, without corners
        assert metric.edge_recall(picture, lines)[0] == 0
        assert metric.edge_precision(picture, lines)[0] < 0.2


def test_ink_weighs_by_its_strength():
    picture, lines = square()
    lines[0, 5, 30] = lines.sum() / 3  # a heavy stroke that nothing was painted along
    assert metric.edge_recall(picture, lines)[0] == pytest.approx(3 / 4)


def test_an_empty_picture_follows_no_line_and_an_empty_drawing_asks_nothing():
    picture, lines = square()
    blank = np.full_like(picture, 255)
    assert metric.edge_recall(blank, lines)[0] == 0 and metric.edge_precision(blank, lines)[0] == 0
    assert metric.edge_precision(picture, 0 * lines)[0] == 0 and np.isnan(metric.edge_recall(picture, 0 * lines)[0])


def test_shading_has_no_edges_and_a_change_of_hue_has():
    ramp = np.full((64, 64, 3), 0, np.uint8) + np.linspace(60, 200, 64).astype(np.uint8)[:, None, None]
    assert not metric.edges_of(ramp).any()
    two = np.zeros((64, 64, 3), np.uint8)
    two[:, :32], two[:, 32:] = (196, 60, 60), (0, 120, 130)  # of nearly one lightness
    assert set(np.nonzero(metric.edges_of(two))[1]) == {31, 32}


def test_a_soft_edge_is_one_line():
    soft = (
        np.full((64, 64, 3), 0, np.uint8)
        + (60 + 140 / (1 + np.exp((31.5 - np.arange(64)) / 2))).astype(np.uint8)[:, None]
    )
    for pixels, axis in ((soft, 0), (soft.transpose(1, 0, 2), 1)):
        edges = metric.edges_of(pixels)
        across = edges.sum(1 - axis)
        assert across.min() >= 1 and across.max() <= 2


def test_mirroring_commutes():
    pixels = masks.draw(3, 4).pixels(64)
    np.testing.assert_array_equal(metric.edges_of(pixels[:, ::-1]), metric.edges_of(pixels)[:, ::-1])


def test_the_true_mask_scores_above_another():
    truths = np.stack([masks.draw(77, i).pixels(64) for i in range(4)])
    lines = np.stack([pairs.lines_of(picture) for picture in truths])
    own, others = metric.edge_recall(truths, lines), metric.edge_recall(truths[::-1], lines)
    assert own.shape == (4,) and own.min() > 0.98 and others.mean() < 0.93
    assert (
        metric.edge_precision(truths, lines).min() > 0.97 and metric.edge_precision(truths[::-1], lines).mean() < 0.93
    )
    interval = bootstrap.of_mean(own, 0)
    assert interval.low is not None and interval.low <= own.mean() <= interval.high


# --- matches --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def faces():
    return [truth.places(masks.draw(3, i), 16) for i in range(3)]


def test_a_mask_finds_all_of_itself(faces):
    found = metric.correspondence(np.tile(np.arange(256), (3, 1)), faces, faces, sides=True)
    np.testing.assert_array_equal(found.accuracy, 1)
    np.testing.assert_array_equal(found.matched, 1)
    np.testing.assert_array_equal(found.absent, 0)


def test_wrong_and_missing_matches_are_told_apart(faces):
    one = faces[0]
    face = np.flatnonzero(one.main > 0)
    index = np.arange(256)
    index[face[:10]] = -1
    index[face[10:30]] = np.flatnonzero(one.main == 0)[0]  # the ground is no part of a face
    ((accuracy,), (matched,), _) = metric.correspondence([index.reshape(16, 16)], [one], [one])
    assert accuracy == pytest.approx(1 - 20 / (len(face) - 10)) and matched == pytest.approx(1 - 10 / len(face))


def test_a_mirrored_match_is_right_but_for_sides(faces):
    index = np.arange(256).reshape(16, 16)[:, ::-1]
    loose, strict = (
        metric.correspondence([index], faces[:1], faces[:1], sides=sides).accuracy[0] for sides in (False, True)
    )
    assert loose > 0.9 and strict < 0.3


def test_nothing_to_judge_is_no_number(faces):
    ground = truth.of_map(np.zeros((64, 64), np.uint8), 16)
    found = metric.correspondence([np.arange(256)], [faces[0]], [ground])
    assert np.isnan(found.accuracy[0]) and np.isnan(found.matched[0]) and found.absent[0] == 1


def test_the_known_flow_judges_matches(faces):
    still = np.stack(np.meshgrid(*2 * [(2 * np.arange(64) + 1) / 64 - 1]), -1)[None]
    index = np.arange(256).reshape(1, 16, 16)
    one = faces[:1]
    assert metric.by_flow(index, still, one) == (1, 1, 0)
    assert metric.by_flow(np.roll(index, 1, 2), still, one).accuracy[0] == 1  # 4 of 64 pixels
    assert metric.by_flow(np.roll(index, 2, 2), still, one).accuracy[0] == 0
    assert metric.by_flow(np.roll(index, 2, 1), still, one).accuracy[0] == 0
    raised = still - np.array([0, 0.25])  # by two places
    raised[raised.min(-1) < -1] = np.nan
    assert metric.by_flow(np.roll(index, 2, 1), raised, one).accuracy[0] == 1
    face = faces[0].main.reshape(16, 16) > 0
    middle = face[:, 7:9].sum() / face.sum()  # where the mirrored place is the next one
    assert metric.by_flow(index[:, :, ::-1], still, one).accuracy[0] == pytest.approx(middle)


def test_places_without_flow_or_match_are_counted(faces):
    flow = np.zeros((1, 64, 64, 2))
    face = np.flatnonzero(faces[0].main > 0)
    for place in face[:10]:
        flow[0, 4 * (place // 16) + 1, 4 * (place % 16)] = np.nan
    index = np.full((1, 256), 8 * 16 + 8)
    index[0, face[10:30]] = -1
    found = metric.by_flow(index, flow, faces[:1])
    assert found.accuracy[0] == 1 and found.absent[0] == pytest.approx(10 / len(face))
    assert found.matched[0] == pytest.approx(1 - 20 / (len(face) - 10))


def test_the_deformation_of_pairs_is_the_flow_that_judges():
    mask, settings = masks.draw(3, 1), config.PairSettings(half=0.0)
    drawn = truth.places(mask, 32)
    _, flow = pairs.deform(mask.pixels(64), np.random.default_rng(5), settings)
    to = flow.reshape(32, 2, 32, 2, 2).mean((1, 3)).reshape(-1, 2)
    cell = np.clip(np.nan_to_num((to + 1) * 16).astype(int), 0, 31)
    found = metric.by_flow([cell[:, 1] * 32 + cell[:, 0]], flow[None], [drawn])
    assert found.accuracy[0] == 1 and found.matched[0] == 1
    assert metric.by_flow([np.arange(1024)], flow[None], [drawn], within=1 / 64).accuracy[0] < 0.5
