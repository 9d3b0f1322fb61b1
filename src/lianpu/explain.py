"""Which part of a reference coloured which part of a drawing, as numbers and as one picture: places that belong together bear the same
number and the same colour, and a map shows where the match was sure.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from lianpu import images
from lianpu.matcher import Correspondence

__all__ = ["ABOUT", "picture", "points", "to_npz"]

ABOUT = (
    "index (h, w) int64: the place of the reference, row * w + column of the same grid, that each place of the drawing matches, -1 "
    "where none; confidence (h, w): its probability; entropy (h, w) in nats: 0 where the match is certain. Row 0 is the top."
)
PANEL, GAP, TITLE = 384, 24, 34  # pixels
INK, PAPER = (32, 32, 32), (255, 255, 255)
CORNERS = np.array(
    [[(235, 30, 60), (255, 215, 0)], [(60, 40, 230), (0, 190, 110)]], np.float32
)  # of the colours of places
DOTS = (
    (214, 39, 40), (31, 119, 180), (44, 160, 44), (255, 127, 14), (148, 103, 189), (23, 190, 207), (140, 86, 75), (227, 119, 194),
    (188, 189, 34), (90, 90, 90), (0, 90, 60), (60, 30, 140),
)  # fmt: skip
HEAT = np.array([(40, 20, 80), (60, 80, 170), (40, 160, 150), (150, 210, 80), (250, 230, 60)], np.float32)


def to_npz(match: Correspondence) -> bytes:
    """The correspondence as an .npz with what its arrays mean; the same correspondence gives the same bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **match._asdict(), about=np.array(ABOUT))
    return buffer.getvalue()


def points(match: Correspondence, inside: np.ndarray, count: int = len(DOTS)) -> list[tuple[int, int]]:
    """(row, column) of places far from each other and surely matched, `inside` (h, w): each the farthest from those before it."""
    sure = inside & (match.index >= 0)
    if not sure.any():
        return []
    sure &= match.confidence >= np.median(match.confidence[sure])
    places = np.argwhere(sure)
    chosen = [places[((places - places.mean(0)) ** 2).sum(1).argmin()]]
    while len(chosen) < min(count, len(places)):
        away = np.min([((places - p) ** 2).sum(1) for p in chosen], axis=0)
        chosen.append(places[away.argmax()])
    return sorted((int(row), int(column)) for row, column in chosen)


def picture(lines: np.ndarray, reference: np.ndarray, result: np.ndarray, match: Correspondence) -> np.ndarray:
    """Six panels, uint8: drawing, reference and result above; below, both in the colours of the reference's places, and certainty.

    lines: float (r, r); reference, result: uint8 (r, r, 3).
    """
    grid = match.index.shape
    drawing = _panel(images.of_lines(lines))
    inside = _face(lines, grid) & (match.index >= 0)
    here = points(match, ndimage.binary_erosion(inside, iterations=max(1, grid[0] // 32)))
    there = [divmod(int(match.index[p]), grid[1]) for p in here]
    places = _places(grid)
    found = np.where(inside[..., None], places.reshape(-1, 3)[match.index], 255)
    grey = np.asarray(Image.fromarray(reference).convert("L"), np.float32)[..., None]
    washed = _enlarged(places) * (0.5 + _panel(np.repeat(grey.astype(np.uint8), 3, 2)) / 510)
    heat = np.where(inside[..., None], _heat(match.confidence), 255)
    titles = (
        "drawing", "reference: same number, same place", "result",
        "drawing, coloured by where it was found", "reference: the colour of each place", "how sure the match is",
    )  # fmt: skip
    panels = (
        _dotted(drawing, here, grid), _dotted(_panel(reference), there, grid), _panel(result),
        _under(_enlarged(found), drawing), washed, _under(_enlarged(heat), drawing),
    )  # fmt: skip
    return _laid_out([np.asarray(p).astype(np.uint8) for p in panels], titles)


def _face(lines: np.ndarray, grid: tuple[int, ...]) -> np.ndarray:
    """bool grid: places within the outline, or near a line where it is open."""
    ink = ndimage.binary_dilation(lines > 0.3, iterations=max(1, len(lines) // 64))
    filled = ndimage.binary_fill_holes(ink)
    side = [np.linspace(0, n, m + 1).astype(int)[:-1] + n // m // 2 for n, m in zip(lines.shape, grid, strict=True)]
    return np.asarray(filled)[np.ix_(*side)]


def _places(grid: tuple[int, ...]) -> np.ndarray:
    """float32 (h, w, 3): a colour for each place, blended from the four corners."""
    y, x = (np.linspace(0, 1, n, dtype=np.float32) for n in grid)
    rows = CORNERS[0] + y[:, None, None] * (CORNERS[1] - CORNERS[0])  # (h, 2, 3)
    return rows[:, :1] + x[None, :, None] * (rows[:, 1:] - rows[:, :1])


def _heat(share: np.ndarray) -> np.ndarray:
    """float (h, w) in [0, 1] -> float32 (h, w, 3)."""
    at = np.linspace(0, 1, len(HEAT))
    return np.stack([np.interp(share, at, HEAT[:, k]) for k in range(3)], -1).astype(np.float32)


def _panel(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((PANEL, PANEL), Image.Resampling.BICUBIC))


def _enlarged(places: np.ndarray) -> np.ndarray:
    """Places (h, w, 3) as squares, so that one sees how many there are."""
    return np.asarray(
        Image.fromarray(places.astype(np.uint8)).resize((PANEL, PANEL), Image.Resampling.NEAREST), np.float32
    )


def _under(colours: np.ndarray, drawing: np.ndarray) -> np.ndarray:
    return colours * (drawing.astype(np.float32) / 255)


def _dotted(panel: np.ndarray, places: list[tuple[int, int]], grid: tuple[int, ...]) -> np.ndarray:
    image = Image.fromarray(panel)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(15)
    for i, (row, column) in enumerate(places):
        x, y = (column + 0.5) / grid[1] * PANEL, (row + 0.5) / grid[0] * PANEL
        draw.ellipse((x - 12, y - 12, x + 12, y + 12), fill=DOTS[i], outline=PAPER, width=2)
        draw.text((x, y), str(i + 1), fill=PAPER, font=font, anchor="mm")
    return np.asarray(image)


def _laid_out(panels: list[np.ndarray], titles: tuple[str, ...]) -> np.ndarray:
    """Three columns, each panel under its title, and a scale beside the last title."""
    step = PANEL + TITLE
    page = Image.new("RGB", (3 * PANEL + 4 * GAP, 2 * step + 2 * GAP), PAPER)
    draw = ImageDraw.Draw(page)
    font, small = ImageFont.load_default(18), ImageFont.load_default(13)
    for i, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        x, y = GAP + i % 3 * (PANEL + GAP), GAP // 2 + i // 3 * (step + GAP // 2)
        draw.text((x, y + TITLE / 2), title, fill=INK, font=font, anchor="lm")
        page.paste(Image.fromarray(panel), (x, y + TITLE))
        draw.rectangle((x, y + TITLE, x + PANEL - 1, y + TITLE + PANEL - 1), outline=(200, 200, 200))
    x, y = GAP + 2 * (PANEL + GAP) + PANEL, GAP // 2 + step + GAP // 2
    scale = _heat(np.linspace(0, 1, 90)[None].repeat(12, 0)).astype(np.uint8)
    page.paste(Image.fromarray(scale), (x - 128, y + TITLE // 2 - 6))
    draw.text((x - 133, y + TITLE / 2), "0 %", fill=INK, font=small, anchor="rm")
    draw.text((x, y + TITLE / 2), "100 %", fill=INK, font=small, anchor="rm")
    return np.asarray(page)
