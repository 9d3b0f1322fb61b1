"""Training examples: what is told of a drawing, flows that lead back to the picture, references that are other masks."""

import pickle

import numpy as np
import pytest
import torch
from scipy import ndimage

from lianpu.config import PairSettings
from lianpu.data import pairs, recolour
from lianpu.data.lab import to_lab
from lianpu.data.samples import masks
from lianpu.errors import UsageError

from .faces import face

SELF = PairSettings(easy=0, hard=0, half=0, recolour=0, lines=0)
STILL = PairSettings(easy=0, hard=0, bend=0, turn=0, zoom=0, shift=0, half=0, recolour=0, lines=0)


class Shelf(list):
    def image(self, index):
        return self[index]


def dice(*key):
    return np.random.default_rng(key)


def never(index, rng):
    raise AssertionError("no other picture was to be fetched")


def make(image, settings, key=0, mirrored=False, retrieve=never):
    return pairs.make_pair(Shelf([image]), 0, mirrored, dice(key), settings, retrieve)


def seen_along(exemplar, flow):
    """The exemplar where the flow leads, by torch's own sampler, and where it leads anywhere."""
    grid = torch.from_numpy(np.nan_to_num(flow))[None]
    planes = torch.from_numpy(exemplar.transpose(2, 0, 1).astype(np.float32))[None]
    out = torch.nn.functional.grid_sample(planes, grid, padding_mode="border", align_corners=False)
    return out[0].permute(1, 2, 0).numpy(), np.isfinite(flow[..., 0])


def atlas(size):
    """A picture whose red tells x and whose green tells y."""
    side = np.round(20 + 215 * (np.arange(size) + 0.5) / size)
    return np.stack([*np.meshgrid(side, side), np.full((size, size), 128)], -1).astype(np.uint8)


# --- what is told of a drawing --------------------------------------------------------------------


def test_the_condition_of_one_dot():
    lines = np.zeros((64, 64), np.float32)
    lines[10, 20] = 1
    ink, near, far, x, y, side = pairs.condition(lines)
    np.testing.assert_array_equal(ink, lines)
    y_at, x_at = np.mgrid[:64, :64]
    away = np.hypot(y_at - 10, x_at - 20)
    np.testing.assert_allclose(near, np.exp(-away / 2), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(far, np.exp(-away / 8), rtol=1e-5, atol=1e-7)
    assert (x[0, 0], x[0, -1]) == (-63 / 64, 63 / 64) and (x == x[0]).all()
    np.testing.assert_array_equal(y, x.T)
    np.testing.assert_array_equal(side, np.abs(x))


def test_distances_grow_with_the_picture():
    small, large = np.zeros((64, 64)), np.zeros((256, 256))
    small[:, 32], large[:, 128:132] = 1, 1
    one, four = pairs.condition(small)[1], pairs.condition(large)[1]
    np.testing.assert_allclose(one[:, 33:].mean(0)[:8], four[:, 135::4].mean(0)[:8], rtol=1e-5)


def test_blank_paper_is_far_from_any_line():
    told = pairs.condition(np.zeros((32, 48)))
    assert told.shape == (6, 32, 48) and told.dtype == np.float32 and (told[:3] == 0).all()


# --- lines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64, 256])
def test_the_drawing_has_the_edges_of_the_paints_and_no_others(size):
    mask = masks.draw(77, 3)
    lab = to_lab(mask.pixels(256, texture=False))
    edges = np.zeros((256, 256), bool)
    for axis in (0, 1):
        edges |= np.sqrt(((np.roll(lab, -2, axis) - lab) ** 2).sum(-1)) > 25
    edges = edges.reshape(size, 256 // size, size, -1).mean((1, 3)) > 0.2
    ink = pairs.lines_of(mask.pixels(size)) > 0.4
    reach = np.ones((3, 3) if size == 64 else (5, 5))
    assert ndimage.binary_dilation(ink, reach)[edges].mean() > 0.93  # recall; the preset "lines" has 0.7 at 64 px
    assert ndimage.binary_dilation(edges, reach)[ink].mean() > 0.99  # precision


@pytest.mark.parametrize("paint", [(255, 255, 255), (0, 0, 0), (200, 20, 20), (20, 20, 90)])
def test_flat_paint_has_no_lines(paint):
    flat = np.full((48, 48, 3), paint, np.uint8)
    assert pairs.lines_of(flat).max() == 0
    assert max(pairs.lines_of(flat, dice(i)).max() for i in range(6)) == 0


def test_another_hand_draws_the_same_lines_otherwise():
    pixels = face(3, "red", 64)
    plain = pairs.lines_of(pixels)
    hands = [pairs.lines_of(pixels, dice(i)) for i in range(24)]
    np.testing.assert_array_equal(hands[5], pairs.lines_of(pixels, dice(5)))
    assert all(h.dtype == np.float32 and h.min() >= 0 and h.max() <= 1 for h in hands)
    ink = [h.mean() for h in hands]
    assert max(ink) > 1.5 * min(ink)
    near = ndimage.binary_dilation(plain > 0.4, np.ones((5, 5)))
    kept = [ndimage.binary_dilation(h > 0.25, np.ones((5, 5)))[plain > 0.4].mean() for h in hands]
    assert min(kept) > 0.7 and np.mean(kept) > 0.9
    assert min(near[h > 0.25].mean() for h in hands) > 0.9


# --- deformed pictures ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64, 256])
def test_along_the_flow_the_exemplar_is_the_picture(size):
    image = atlas(size)
    for key in range(4):
        pair = make(image, SELF, key)
        there, known = seen_along(pair.exemplar, pair.flow)
        assert pair.paired and known.mean() > 0.7
        rims = np.maximum(np.abs(np.nan_to_num(pair.flow)), np.abs(pair.condition[3:5].transpose(1, 2, 0))).max(-1)
        inner = known & (rims < 1 - 4 / size)  # at the rims of either, samples mix with paper
        assert np.abs(there - image)[inner].max() < 2.5  # levels; one pixel is 3.4 of them at 64 px


def test_real_lines_come_back_too():
    image = masks.draw(77, 7).pixels(64)
    gaps = []
    for key in range(6):
        pair = make(image, SELF, key)
        there, known = seen_along(pair.exemplar, pair.flow)
        gaps.append(np.abs(there - image)[known].mean())
        assert np.abs(pair.exemplar.astype(int) - image).mean() > 2 * gaps[-1]
    assert np.mean(gaps) < 14  # twice resampled lines are blurred


def test_what_has_no_place_is_not_in_the_exemplar():
    image = atlas(64)
    lost = 0
    for key in range(8):
        pair = make(image, SELF, key)
        present = pair.exemplar.reshape(-1, 3)[:, :2].astype(int)
        gone = image[np.isnan(pair.flow[..., 0])][:, :2].astype(int)
        lost += len(gone)
        if len(gone):
            assert np.abs(gone[:, None] - present).max(-1).min(1).min() >= 1
        assert np.isnan(pair.flow[..., 0]).sum() == np.isnan(pair.flow[..., 1]).sum()
    assert lost > 100


def test_no_deformation_is_the_identity():
    image = face(2, "blue", 64)
    pair = make(image, STILL)
    np.testing.assert_array_equal(pair.exemplar, image)
    np.testing.assert_allclose(pair.flow.transpose(2, 0, 1), pair.condition[3:5], atol=1e-5)
    np.testing.assert_array_equal(pair.condition, pair.exemplar_condition)


def test_the_strongest_bend_never_folds():
    for key in range(30):
        bend = pairs.ThinPlate.drawn(dice(key), 2 * 0.1)
        there = pairs._between(pairs._nodes() + bend(pairs._nodes()), 48, 48) * 24
        (xy, xx), (yy, yx) = np.gradient(there[..., 0]), np.gradient(there[..., 1])
        assert (xx * yy - xy * yx).min() > 0.1


def test_the_wildest_settings_end():
    wild = PairSettings(**{**vars(SELF), "bend": 0.1, "turn": 180, "zoom": 0.5, "shift": 0.5, "half": 0.5})
    flows = [make(atlas(16), wild, key).flow for key in range(40)]
    assert all(np.nanmax(np.abs(flow)) <= 1 for flow in flows if np.isfinite(flow).any())


def test_a_thin_plate_goes_through_its_values_and_keeps_affine_fields():
    values = dice(0).standard_normal((16, 2))
    np.testing.assert_allclose(pairs.ThinPlate(values)(pairs._control()), values, atol=1e-9)
    affine = pairs._control() @ np.array([[0.3, -0.1], [0.2, 0.5]]) + [0.1, -0.4]
    x = dice(1).uniform(-1.2, 1.2, (50, 2))
    np.testing.assert_allclose(
        pairs.ThinPlate(affine)(x), x @ np.array([[0.3, -0.1], [0.2, 0.5]]) + [0.1, -0.4], atol=1e-9
    )


def test_half_a_face_stands_for_the_whole_where_the_halves_are_alike():
    image = face(3, "red", 64).copy()
    image[28:36, 8:14] = (0, 90, 200)  # a spot on the left cheek only
    fold = PairSettings(**{**vars(STILL), "half": 1})
    kinds = set()
    for key in range(8):
        pair = make(image, fold, key)
        np.testing.assert_array_equal(pair.exemplar, pair.exemplar[:, ::-1])
        there, known = seen_along(pair.exemplar, pair.flow)
        assert np.abs(there - image)[known].max() < 2 * pairs.ALIKE and known.mean() > 0.85
        spot = (pair.exemplar == (0, 90, 200)).all(-1)
        if spot.any():  # the left half was kept: the right cheek, which has none, has no place
            assert known[30:34, 9:13].all() and not known[30:34, 51:55].any()
        else:
            assert not known[30:34, 9:13].any() and known[30:34, 51:55].all()
        kinds.add(bool(spot.any()))
    assert kinds == {True, False}


# --- examples -------------------------------------------------------------------------------------


def test_an_example_is_a_function_of_its_generator():
    one, two, other = (make(face(1, size=64), PairSettings(easy=0, hard=0), key) for key in (5, 5, 6))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (one.condition != other.condition).any() and (one.exemplar != other.exemplar).any()


def test_the_kinds_of_references_have_their_shares():
    shelf = Shelf([face(1, "red", 16), face(2, "blue", 16)])
    settings = PairSettings(easy=0.5, hard=0.2, lines=0, recolour=0)
    made = [pairs.make_pair(shelf, 0, False, dice(i), settings, lambda i, rng: 1) for i in range(300)]
    others = [p for p in made if not p.paired]
    assert len(others) / 300 == pytest.approx(0.7, abs=0.08)
    assert all(np.isnan(p.flow).all() for p in others) and all(np.isfinite(p.flow).any() for p in made if p.paired)
    blue = {shelf[1].tobytes(), np.ascontiguousarray(shelf[1][:, ::-1]).tobytes()}
    assert {p.exemplar.tobytes() for p in others} == blue


def test_mirrored_the_whole_example_is_of_the_mirror_image():
    image = face(4, "green", 64).copy()
    image[20:30, 10:20] = 255
    pair = make(image, STILL, mirrored=True)
    np.testing.assert_array_equal(pair.image, image[:, ::-1])
    np.testing.assert_allclose(pair.condition[0], make(image, STILL).condition[0][:, ::-1], atol=1e-5)
    assert pair.image.flags.c_contiguous and pair.exemplar.flags.c_contiguous


def test_new_paints_are_the_same_in_picture_and_reference_and_ink_stays_ink():
    image = face(3, "red", 64)
    settings = PairSettings(**{**vars(STILL), "recolour": 1})
    changed = 0
    for key in range(6):
        pair = make(image, settings, key)
        np.testing.assert_array_equal(pair.image, pair.exemplar)
        for grey in (0, 255):
            still = (image == grey).all(-1)
            assert still.any() and np.abs(pair.image[still].astype(int) - grey).max() <= 1
        changed += np.abs(pair.image.astype(int) - image).max() > 20
        np.testing.assert_array_equal(
            pair.condition[0], pairs.lines_of(image)
        )  # the drawing is that of the mask as it was
        other = make(image, PairSettings(**{**vars(settings), "easy": 1}), key, retrieve=lambda index, rng: 0)
        assert not other.paired and other.exemplar.tobytes() in (other.image.tobytes(), other.image[:, ::-1].tobytes())
    assert changed >= 5
    assert make(image, PairSettings(**{**vars(settings), "hue": 0, "tone": 0})).image == pytest.approx(image, abs=3)


# --- other pictures -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shelf():
    """12 masks, then each mirrored, then each in other paints."""
    drawn = [masks.draw(5, i).pixels(64) for i in range(12)]
    return Shelf(
        [*drawn, *(m[:, ::-1] for m in drawn), *(recolour.recolour(m, 0, i).pixels for i, m in enumerate(drawn))]
    )


def test_a_reference_is_another_drawing(shelf):
    retriever = pickle.loads(pickle.dumps(pairs.Retriever(shelf, PairSettings())))
    for index in range(len(shelf)):
        chosen = {retriever.choose(index, dice(index, i)) for i in range(20)}
        assert len(chosen) > 2
        assert not any(c % 12 == index % 12 for c in chosen)
    assert retriever.choose(3, dice(9)) == retriever.choose(3, dice(9))


def test_easy_references_are_more_alike_than_hard_ones(shelf):
    lab = [to_lab(np.asarray(p)).reshape(8, 8, 8, 8, 3).mean((1, 3)) for p in shelf]

    def gap(settings):
        retriever = pairs.Retriever(shelf, settings)
        return np.mean(
            [np.abs(lab[i] - lab[retriever.choose(i, dice(i, k))]).mean() for i in range(36) for k in range(4)]
        )

    easy, hard = gap(PairSettings(easy=1, hard=0)), gap(PairSettings(easy=0, hard=1))
    any_other = np.mean([np.abs(lab[i] - lab[j]).mean() for i in range(36) for j in range(36) if i != j])
    assert easy < 0.8 * hard and easy < 0.7 * any_other


def test_chunks_change_nothing():
    draw = dice(0)
    paints, lines = draw.standard_normal((1300, 12)), draw.standard_normal((1300, 9))
    lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    near = pairs._neighbours(paints, lines)
    scale = ((paints - paints.mean(0)) ** 2).sum(1).mean()
    for i in (0, 511, 512, 1299):
        far = ((paints - paints[i]) ** 2).sum(1) / scale + pairs.LINE_WEIGHT * ((lines - lines[i]) ** 2).sum(1)
        far[lines @ lines[i] > pairs.SAME_DRAWING] = np.inf
        np.testing.assert_array_equal(near[i], far.argsort()[: pairs.NEIGHBOURS])


@pytest.mark.parametrize("pictures", [[face(1, size=64)], [face(1, size=64)] * 3])
def test_where_there_is_no_other_drawing_it_is_the_picture_itself(pictures):
    assert pairs.Retriever(Shelf(pictures), PairSettings()).choose(0, dice(0)) == 0


def test_two_drawings_take_each_other():
    retriever = pairs.Retriever(Shelf([masks.draw(1, 0).pixels(64), masks.draw(1, 5).pixels(64)]), PairSettings())
    assert {retriever.choose(0, dice(i)) for i in range(9)} == {1} and {
        retriever.choose(1, dice(i)) for i in range(9)
    } == {0}


@pytest.mark.parametrize("wrong", [{"easy": 0.9}, {"bend": float("nan")}, {"half": 1.5}, {"zoom": -0.1}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match="pairs"):
        PairSettings(**wrong)
