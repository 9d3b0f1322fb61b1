"""A translated picture is a function of model, drawing, reference and settings; what cannot be meant is refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lianpu import api, images
from lianpu.data.samples import masks
from lianpu.data.sketch import sketch
from lianpu.errors import DataError, ModelError, UsageError
from lianpu.translator import Settings, Translator, is_slanting

from . import translators
from .test_painter import make_model


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    kinds = {"cocosnet": translators.COCOSNET, "spade-vae": translators.SPADE, "spade": translators.PLAIN_SPADE}
    return {name: translators.make(folder / name, config) for name, config in kinds.items()}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Path]]:
    folder = tmp_path_factory.mktemp("files")
    return translators.draw(folder / "s", ["a.png", "b.png"]), translators.paint(folder / "r", ["x.png", "y.png"])


def every(models: dict[str, Path]) -> list[Translator]:
    return [*(Translator(path) for path in models.values()), Translator("matcher")]


def test_a_picture_depends_on_its_own_inputs_alone(models, files):
    sketches, references = files
    for translator in every(models):
        drawn = [translator.read_sketch(p).lines for p in sketches]
        painted = [translator.read_reference(p) for p in references]
        together = {
            (i, j): translator.translate(a, r).pixels for i, a in enumerate(drawn) for j, r in enumerate(painted)
        }
        alone = Translator(models.get(translator.name, "matcher"))
        lines, reference = alone.read_sketch(sketches[1]).lines, alone.read_reference(references[1])
        assert np.array_equal(alone.translate(lines, reference).pixels, together[1, 1])
        assert together[0, 0].shape == (translator.resolution, translator.resolution, 3)
        assert not np.array_equal(together[0, 1], together[1, 1]), "the drawing matters"
        assert translator.blind == np.array_equal(together[1, 0], together[1, 1]), (
            "so does the reference, or it is said"
        )


def test_what_each_kind_tells_of_its_match(models, files):
    sketches, references = files
    told = {}
    for translator in every(models):
        made = translator.translate(translator.read_sketch(sketches[0]).lines, translator.read_reference(references[0]))
        told[translator.name] = (made.warped is not None, made.match is not None)
        if made.match is not None:
            h, w = made.match.index.shape
            assert made.match.index.max() < h * w
            assert ((made.match.confidence >= 0) & (made.match.confidence <= 1.00001)).all()
    assert told == {
        "cocosnet": (True, True), "spade-vae": (False, False), "spade": (False, False), "matcher": (False, True),
    }  # fmt: skip


def test_a_symmetric_match_mirrors_where_both_halves_lead(models, files):
    translator = Translator(models["cocosnet"])
    lines = translator.read_sketch(files[0][0]).lines
    lines = np.maximum(lines, lines[:, ::-1])
    reference = translator.read_reference(files[1][0])
    by = {s: translator.translate(lines, reference, Settings(s)).match.index for s in ("off", "both", "left", "right")}
    half = by["off"].shape[1] // 2
    assert (by["both"] == by["both"][:, ::-1]).mean() > 0.99
    assert not (by["off"] == by["off"][:, ::-1]).all()
    for side, own in (("left", np.s_[:, :half]), ("right", np.s_[:, half:])):
        assert (by[side][own] == by["off"][own]).all()
        assert (by[side] == by[side][:, ::-1]).mean() > 0.99


def test_a_slanting_drawing_is_left_as_it_is_and_that_is_said(models, files):
    def lines_of(kind: str) -> np.ndarray:
        drawing = sketch(masks.draw(5, 2, kind=kind).pixels(256))
        return 1 - images.resize(drawing, 32) / np.float32(255)

    slanting, symmetric = lines_of("wailian"), lines_of("sankuaiwa")
    assert is_slanting(slanting)
    assert not is_slanting(symmetric)
    translator = Translator(models["cocosnet"])
    reference = translator.read_reference(files[1][0])
    made = translator.translate(slanting, reference, Settings("both"))
    assert "歪" in made.notes[0]
    assert np.array_equal(made.pixels, translator.translate(slanting, reference).pixels)
    assert translator.translate(symmetric, reference, Settings("both")).notes == ()
    assert translator.translate(slanting, reference, Settings("left")).notes == (), "who names a side means it"


def test_locked_pictures_have_the_references_paints_and_say_how_far_they_moved(models, files):
    for translator in every(models):
        lines, reference = translator.read_sketch(files[0][0]).lines, translator.read_reference(files[1][0])
        free, locked = (translator.translate(lines, reference, Settings(palette=p)) for p in ("free", "lock"))
        assert free.moved is None
        mean, most = locked.moved
        assert 0 <= mean <= most
        allowed = np.concatenate([reference.palette.rgb, [[255, 255, 255]]]).astype(int)
        exact = (np.abs(locked.pixels[..., None, :].astype(int) - allowed).max(-1) <= 1).any(-1).mean()
        assert exact >= (np.abs(free.pixels[..., None, :].astype(int) - allowed).max(-1) <= 1).any(-1).mean()
        assert exact > 0.5


def test_a_generator_is_no_translator_nor_the_other_way_round(models, tmp_path):
    generator = make_model(tmp_path / "generator")
    with pytest.raises(ModelError, match=r"cannot paint a drawing(.|\n)*lianpu generate"):
        Translator(generator)
    with pytest.raises(ModelError, match="this is a cocosnet, and the command needs a stylegan2"):
        list(api.generate(models["cocosnet"], out=tmp_path / "out"))


def test_a_spade_is_not_asked_for_what_it_does_not_do(models, files):
    translator = Translator(models["spade-vae"])
    lines, reference = translator.read_sketch(files[0][0]).lines, translator.read_reference(files[1][0])
    with pytest.raises(UsageError, match="--symmetric means nothing"):
        translator.translate(lines, reference, Settings("both"))
    with pytest.raises(UsageError, match="--explain means nothing"):
        translator.require(Settings(), explain=True)
    with pytest.raises(UsageError, match="takes 32 x 32"):
        translator.translate(np.zeros((64, 64), np.float32), reference)


def test_settings_are_checked():
    with pytest.raises(UsageError, match="Did you mean left"):
        Settings("lefft")
    with pytest.raises(UsageError, match="--palette"):
        Settings(palette="locked")


# ---------------------------------------------------------------------------------------------------------------- inputs


def png(pixels: np.ndarray) -> bytes:
    return images.encode_png(pixels)


def test_a_reference_that_gives_no_colours_is_refused(files):
    translator = Translator("matcher")
    with pytest.raises(DataError, match=r"line drawing(.|\n)*wrong way round"):
        translator.read_reference(files[0][0])
    with pytest.raises(DataError, match="one colour"):
        translator.read_reference(png(np.full((256, 256, 3), 90, np.uint8)))
    with pytest.raises(DataError, match="too few"):
        translator.read_reference(png(np.zeros((10, 10, 3), np.uint8)))
    with pytest.raises(DataError):
        translator.read_reference(b"no picture")


def test_black_and_white_masks_are_references(files):
    for index in range(40):
        mask = masks.draw(7, index)
        if mask.label["colour"] in ("black", "white", "silver"):
            Translator("matcher").read_reference(png(mask.pixels(256)))


def test_a_reference_without_a_face_or_with_alpha_is_taken_and_that_is_said(tmp_path):
    translator = Translator("matcher")
    y, x = np.mgrid[:256, :256]
    stripes = np.stack([x, y, 255 - x], -1).astype(np.uint8)
    assert any("no face" in note for note in translator.read_reference(png(stripes)).notes)
    mask = masks.draw(7, 0).pixels(256)
    alpha = np.dstack([mask, np.where((mask < 250).any(-1), 255, 0).astype(np.uint8)])
    Image.fromarray(alpha).save(tmp_path / "alpha.png")
    reference = translator.read_reference(tmp_path / "alpha.png")
    assert any("transparent" in note for note in reference.notes)
    assert (reference.pixels[0] == 255).all()


def test_sketches_that_are_none_are_refused():
    translator = Translator("matcher")
    for level in (0, 255, 128):
        with pytest.raises(DataError):
            translator.read_sketch(png(np.full((300, 300), level, np.uint8)))
    with pytest.raises(DataError):
        translator.read_sketch(png(np.full((10, 10), 255, np.uint8)))


@pytest.mark.parametrize("change", ["grey", "colour", "large", "wide", "alpha"])
def test_sketches_of_all_sorts_become_the_same_lines(change, files, tmp_path):
    translator = Translator("matcher")
    drawing = images.decode(files[0][0]).pixels
    true = translator.read_sketch(files[0][0]).lines
    image = Image.fromarray(drawing)
    if change == "grey":
        image = image.convert("L")
    elif change == "colour":  # blue ink
        image = Image.fromarray(np.where(drawing < 128, np.array([30, 40, 120]), drawing).astype(np.uint8))
    elif change == "large":  # 20 megapixels
        image = image.convert("L").resize((4500, 4500), Image.Resampling.BICUBIC)
    elif change == "wide":
        page = Image.new("RGB", (256, 128), "white")
        page.paste(image, (64, 0))
        image = page
    else:
        image.putalpha(Image.fromarray(255 - drawing[..., 0]))
    image.save(tmp_path / "sketch.png")
    lines = translator.read_sketch(tmp_path / "sketch.png").lines
    assert lines.shape == true.shape
    assert 0.2 < lines.sum() / true.sum() < 3  # of the wide page the drawing is half as high
