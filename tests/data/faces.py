"""Small drawn faces for the tests of `lianpu.data`: an oval in a paint, brows, sockets, a mouth; different for each number."""

import io
import random
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

PAINT = {
    "red": "#c92a22",
    "black": "#141113",
    "white": "#f4f1ec",
    "blue": "#2f62ad",
    "green": "#2f7d4f",
    "yellow": "#f2c531",
    "purple": "#744b8c",
}
RIGHTS = "CC0-1.0; drawn by the tests"


def face(number: int, colour: str = "red", size: int = 96, ground: str = "white") -> np.ndarray:
    """uint8 (size, size, 3): the same number is the same drawing, whatever its colour."""
    draw_at = 4 * size
    dice = random.Random(number)
    image = Image.new("RGB", (draw_at, draw_at), ground)
    draw = ImageDraw.Draw(image)

    def points(*xy: float) -> list[float]:
        return [v * draw_at for v in xy]

    ink, rim = ("white", "white") if colour == "black" else ("black", "white")
    draw.ellipse(points(0.12, 0.04, 0.88, 0.96), fill=PAINT[colour], outline="black", width=draw_at // 90)
    marks = []  # of one half, each mirrored
    for _ in range(3):
        y, x = dice.uniform(0.2, 0.62), dice.uniform(0.14, 0.26)
        w, h = dice.uniform(0.03, 0.1), dice.uniform(0.02, 0.09)
        marks.append((x, y, w, h, dice.choice(("ellipse", "rectangle", "line"))))
    for x, y, w, h, kind in marks:
        for side in (-1, 1):
            cx = 0.5 + side * x
            box = points(cx - w / 2, y - h / 2, cx + w / 2, y + h / 2)
            if kind == "line":
                draw.line(
                    points(0.5 + side * 0.05, y + h, cx, y, 0.5 + side * (x + w), y - h), fill=ink, width=draw_at // 30
                )
            else:
                getattr(draw, kind)(box, fill=ink, outline=rim, width=draw_at // 60)
    w = dice.uniform(0.06, 0.14)
    draw.rectangle(
        points(0.5 - w, 0.76, 0.5 + w, 0.8 + w / 3), fill="#a01510" if colour != "red" else "#e8b020", outline="black"
    )
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))


def save(path: Path, pixels: np.ndarray, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def encoded(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def folder(path: Path, count: int, size: int = 64, first: int = 0) -> Path:
    """`count` different faces in the seven colours in turn."""
    for i in range(first, first + count):
        save(path / f"face {i:03d}.png", face(i, list(PAINT)[i % 7], size))
    return path


def files(path: Path) -> dict[str, bytes]:
    """Everything a user sees below `path`: relative name -> content."""
    return {
        str(p.relative_to(path)): p.read_bytes()
        for p in sorted(path.rglob("*"))
        if p.is_file() and ".build" not in p.parts
    }
