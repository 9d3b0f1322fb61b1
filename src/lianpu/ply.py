"""Binary PLY, as every mesh viewer reads it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["encode"]


def encode(
    vertices: np.ndarray, normals: np.ndarray, colours: np.ndarray, faces: np.ndarray, comments: Sequence[str]
) -> bytes:
    """vertices and normals (n, 3), colours (n, 3) of 8 bits, faces (m, 3) of whole numbers; comments of one line each, made ASCII."""
    corners = np.zeros(len(vertices), [("at", "<f4", 3), ("normal", "<f4", 3), ("colour", "u1", 3)])
    corners["at"], corners["normal"], corners["colour"] = vertices, normals, colours
    triangles = np.zeros(len(faces), [("n", "u1"), ("corners", "<i4", 3)])
    triangles["n"], triangles["corners"] = 3, faces
    header = [
        "ply",
        "format binary_little_endian 1.0",
        # some readers look for the end of the header anywhere in a line
        *(f"comment {line}".replace("end_header", "end header") for line in comments),
        f"element vertex {len(corners)}",
        *(f"property float {name}" for name in ("x", "y", "z", "nx", "ny", "nz")),
        *(f"property uchar {name}" for name in ("red", "green", "blue")),
        f"element face {len(triangles)}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    # a PLY's header is ASCII
    return "\n".join(header).encode("ascii", "backslashreplace") + b"\n" + corners.tobytes() + triangles.tobytes()
