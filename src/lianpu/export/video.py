"""Pictures as an MP4 (H.264) that browsers and phones play."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from lianpu import files
from lianpu.errors import DataError

__all__ = ["read_comment", "write_mp4"]


def write_mp4(path: Path, frames: Iterable[np.ndarray], fps: int = 24, comment: str = "") -> int:
    """Writes (h, w, 3) uint8 frames, heights and widths even, and returns how many; the file appears only when it is whole."""
    import av

    count = 0
    with (
        files.new_file(path) as temporary,
        av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as container,
    ):
        if comment:
            container.metadata["comment"] = comment
        stream = container.add_stream("libx264", rate=fps, options={"crf": "16", "preset": "medium"})
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, fps)
        for pixels in frames:
            if not count:
                stream.height, stream.width = pixels.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
            count += 1
        container.mux(stream.encode())
    return count


def read_comment(path: Path) -> str | None:
    """The comment in an MP4; None where there is none. DataError for what is no film."""
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(path), format="mp4") as container:
            return container.metadata.get("comment")
    except (FFmpegError, OSError) as error:
        raise DataError(f"{path.name} is not a readable MP4.", f"in {path.parent}: {error}") from None
