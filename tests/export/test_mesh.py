import base64
import html
import json
import math
import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from numpy.testing import assert_allclose, assert_array_equal

from lianpu import images, provenance
from lianpu.errors import DataError, ResourceError, UsageError
from lianpu.export import mesh
from lianpu.export.mesh import Mesh, Origin
from lianpu.render import camera
from tests.export import khronos
from tests.render.shapes import picture, relief

ORIGIN = Origin("wusheng_017.png", "clay-head-64-digan 3f2a90c1")


def face(size: int = 32, finer: int = 1) -> Mesh:
    return mesh.of_depth(relief(size)[0], picture(size * finer)[0])


def ball() -> Mesh:
    """A closed mesh before the camera, y down, in two colours."""
    shape = trimesh.creation.icosphere(subdivisions=2, radius=0.05)
    vertices = np.asarray(shape.vertices) * [1, -1, -1] + [0, 0, 1]
    colours = np.where(vertices[:, :1] < 0, [[200, 90, 10]], [[20, 30, 240]]).astype(np.uint8)
    return mesh.of_vertices(vertices, np.asarray(shape.faces), colours)


def written(tmp_path: Path, name: str, what: Mesh, height_mm: float | None = None) -> Path:
    mesh.write(tmp_path / name, what, ORIGIN, height_mm=height_mm)
    return tmp_path / name


def loaded(path: Path) -> trimesh.Trimesh:
    if path.suffix.lower() != ".glb":
        return trimesh.load(path, force="mesh", process=False)  # type: ignore[return-value]
    (only,) = trimesh.load(path, process=False).geometry.values()  # "mesh" would drop normals and vertex colours
    return only  # type: ignore[return-value]


# ---- geometry ------------------------------------------------------------------------------------------------------


def test_up_is_up_right_is_right_and_the_nose_comes_forward():
    size = 64
    depth, image = relief(size)[0], picture(size)[0]
    m = mesh.of_depth(depth, image)
    at = m.vertices.reshape(size, size, 3)
    assert bool((np.diff(at[..., 0], axis=1) > 0).all()) and bool((np.diff(at[..., 1], axis=0) < 0).all())
    nose = int(depth.argmin())
    assert at[..., 2].argmax() == nose and m.vertices[nose, 2] == pytest.approx(1 - float(depth.min()))


def test_triangles_are_outward_and_normals_too():
    m = face()
    a, b, c = m.vertices[m.faces].swapaxes(0, 1)
    assert bool((np.cross(b - a, c - a)[:, 2] > 0).all())  # a relief seen from the front
    assert_allclose(np.linalg.norm(m.normals, axis=1), 1)
    assert bool((m.normals[:, 2] > 0).all())
    closed = ball()
    assert trimesh.Trimesh(closed.vertices, closed.faces, process=False).volume == pytest.approx(
        4 / 3 * math.pi * 0.05**3, rel=0.05
    )
    assert_allclose(closed.normals, closed.vertices / 0.05, atol=0.03)


def test_every_vertex_has_the_colour_of_its_pixel_and_points_to_its_middle():
    image = picture(32)
    m = mesh.of_depth(relief(32)[0], image[0])
    assert m.uv is not None and m.picture is not None
    assert_array_equal(m.picture, images.to_uint8(image)[0])
    assert_array_equal(m.colours, m.picture.reshape(-1, 3))
    assert_allclose(m.uv * 32 % 1, 0.5)


def test_a_finer_picture_lies_on_the_same_rays():
    """The corners' pixels have their centres at the corners of the field of view, whatever the size."""
    m = face(9, finer=5)
    assert m.uv is not None
    assert_allclose(m.uv[[0, 40, 80]] * 45, [[0.5, 0.5], [22.5, 22.5], [44.5, 44.5]])


def test_what_is_kept_is_all_there_is():
    depth = relief(32)[0]
    m = mesh.of_depth(depth, picture(32)[0], keep=depth < 1.04)
    assert len(m.vertices) <= int((depth < 1.04).sum()) and set(m.faces.ravel()) == set(range(len(m.vertices)))
    assert float(m.vertices[:, 2].min()) > 1 - 1.04
    assert len(m.normals) == len(m.colours) == len(m.vertices) and m.uv is not None and len(m.uv) == len(m.vertices)


# ---- GLB -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [face(), face(finer=2), ball()], ids=["face", "finer picture", "vertex colours"])
@pytest.mark.parametrize("height_mm", [None, 241.5])
def test_khronos_finds_nothing_to_say(tmp_path, what, height_mm):
    assert khronos.issues(written(tmp_path, "head.glb", what, height_mm).read_bytes()) == []


def test_khronos_would_say_it(tmp_path):
    whole = written(tmp_path, "head.glb", face()).read_bytes()
    tree = json.loads(whole[20 : 20 + struct.unpack("<I", whole[12:16])[0]])
    most = json.dumps(tree["accessors"][0]["max"], separators=(",", ":")).encode()
    wrong = whole.replace(b'"max":' + most, b'"max":[' + b"9" * (len(most) - 6) + b",9,9]", 1)
    assert any("ACCESSOR_MAX_MISMATCH" in issue for issue in khronos.issues(wrong))
    assert any(issue.startswith("error") for issue in khronos.issues(whole[:-100]))
    box = trimesh.creation.box().export(file_type="glb")
    assert isinstance(box, bytes) and any("BUFFER_VIEW_TARGET_MISSING" in issue for issue in khronos.issues(box))


def test_the_validator_sees_the_whole_face(tmp_path):
    info = khronos.report(written(tmp_path, "head.glb", face()).read_bytes())["info"]
    assert info["totalVertexCount"] == 32 * 32 and info["totalTriangleCount"] == 2 * 31 * 31
    assert info["hasTextures"] and info["materialCount"] == 1 and info["version"] == "2.0"


def test_trimesh_reads_the_same_vertices_faces_and_picture(tmp_path):
    m = face()
    back = loaded(written(tmp_path, "head.glb", m))
    assert_array_equal(back.vertices, m.vertices.astype(np.float32))
    assert_array_equal(back.faces, m.faces)
    assert_allclose(back.vertex_normals, m.normals, atol=1e-6)
    material = back.visual.material
    assert_array_equal(np.asarray(material.baseColorTexture.convert("RGB")), m.picture)
    assert material.metallicFactor == 0 and material.roughnessFactor == 1 and material.doubleSided
    assert_array_equal(back.visual.to_color().vertex_colors[:, :3], m.colours)


def test_vertex_colours_are_linear_as_gltf_wants_them(tmp_path):
    m = ball()
    linear = loaded(written(tmp_path, "ball.glb", m)).visual.vertex_attributes["color"]
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert_allclose(encoded * 255, m.colours, rtol=0, atol=0.01)


def test_it_says_what_it_is(tmp_path):
    packet = mesh.read_packet(written(tmp_path, "head.glb", face()))
    assert packet["dc:source"] == ORIGIN.source and packet["lianpu:model"] == ORIGIN.model
    assert packet["lianpu:generated"] == "True" and "hypothesis" in packet["dc:description"]["rdf:_1"]["@value"]
    assert packet["Iptc4xmpExt:DigitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert packet["lianpu:scale"] == "unknown"
    assert all(key.startswith("@") or key.split(":")[0] in packet["@context"] for key in packet)
    packet = mesh.read_packet(written(tmp_path, "head.glb", face(), height_mm=241.5))
    assert packet["lianpu:scale"].startswith("241.5 mm")


def test_its_texture_says_so_too(tmp_path):
    glb = written(tmp_path, "head.glb", face()).read_bytes()
    start, end = glb.index(b"\x89PNG"), glb.index(b"IEND") + 8
    assert json.loads(images.read_text(glb[start:end])["lianpu"])["source"] == ORIGIN.source


@pytest.mark.parametrize("content", [b"", b"glTF", b"solid cube", b"glTF\2\0\0\0\xff\0\0\0\2\0\0\0JSON{}", bytes(64)])
def test_what_says_nothing_is_a_clear_error(tmp_path, content):
    (tmp_path / "other.glb").write_bytes(content)
    with pytest.raises(DataError, match="says nothing of its origin"):
        mesh.read_packet(tmp_path / "other.glb")


# ---- the others ----------------------------------------------------------------------------------------------------


def test_obj_is_three_files_that_belong_together(tmp_path):
    m = face()
    files = mesh.write(tmp_path / "the head.obj", m, ORIGIN)
    assert [f.name for f in files] == ["the head.obj", "the_head.mtl", "the_head.png"] and all(
        f.exists() for f in files
    )
    back = loaded(files[0])
    assert_allclose(back.vertices, m.vertices, rtol=0, atol=1e-9)
    assert_array_equal(back.faces, m.faces)
    assert_array_equal(np.asarray(back.visual.material.image.convert("RGB")), m.picture)
    assert_array_equal(back.visual.to_color().vertex_colors[:, :3], m.colours)
    assert provenance.read_recipe(files[2])["model"] == ORIGIN.model


def test_obj_without_a_picture_has_vertex_colours(tmp_path):
    m = ball()
    assert mesh.write(tmp_path / "ball.obj", m, ORIGIN) == [tmp_path / "ball.obj"]
    back = loaded(tmp_path / "ball.obj")
    assert_array_equal(back.faces, m.faces)
    assert_array_equal(back.visual.vertex_colors[:, :3], m.colours)


@pytest.mark.parametrize("what", [face(), ball()], ids=["face", "ball"])
def test_ply_has_vertex_colours(tmp_path, what):
    path = written(tmp_path, "head.ply", what)
    back = loaded(path)
    assert_array_equal(back.vertices, what.vertices.astype(np.float32))
    assert_array_equal(back.faces, what.faces)
    assert_array_equal(back.visual.vertex_colors[:, :3], what.colours)
    assert b"comment source: wusheng_017.png\n" in path.read_bytes()[:600]


def test_stl_is_in_millimetres(tmp_path):
    m = ball()
    path = written(tmp_path, "ball.stl", m)
    back = trimesh.load(path, force="mesh")  # merges the corners again
    assert back.is_watertight and back.volume == pytest.approx(4 / 3 * math.pi * 50**3, rel=0.05)
    assert_allclose(back.bounds, 1000 * np.stack([m.vertices.min(0), m.vertices.max(0)]), rtol=1e-5)
    assert path.read_bytes().startswith(b"lianpu") and b"generated" in path.read_bytes()[:80]


@pytest.mark.parametrize("ending", [ending for ending in mesh.ENDINGS if ending != "html"])  # it holds a GLB
def test_a_known_height_gives_the_scale(tmp_path, ending):
    back = trimesh.load(written(tmp_path, f"head.{ending}", face(), height_mm=250), force="mesh")
    assert np.ptp(back.vertices[:, 1]) == pytest.approx(250 if ending == "stl" else 0.25, rel=1e-5)


@pytest.mark.parametrize("ending", mesh.ENDINGS)
def test_the_same_mesh_has_the_same_bytes(tmp_path, ending):
    first = {p.name: p.read_bytes() for p in mesh.write(tmp_path / "a" / f"head.{ending}", face(), ORIGIN)}
    assert first == {p.name: p.read_bytes() for p in mesh.write(tmp_path / "b" / f"head.{ending}", face(), ORIGIN)}


@pytest.mark.parametrize("ending", ["obj", "ply", "glb"])
def test_a_name_from_outside_adds_no_line(tmp_path, ending):
    origin = Origin("武生\nv 9 9 9\nend_header", "m")
    mesh.write(tmp_path / f"head.{ending}", face(), origin)
    back = loaded(tmp_path / f"head.{ending}")
    assert len(back.vertices) == 32 * 32 and float(np.abs(back.vertices).max()) < 1


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_depth_that_is_no_number(value):
    depth = relief(16)[0]
    depth[3, 4] = value
    with pytest.raises(DataError, match="1 of 256 points of the depth map are not finite"):
        mesh.of_depth(depth, picture(16)[0])


def test_nothing_kept():
    with pytest.raises(DataError, match="no faces"):
        mesh.of_depth(relief(16)[0], picture(16)[0], keep=torch.zeros(16, 16, dtype=torch.bool))


def test_a_vertex_that_is_no_number():
    with pytest.raises(DataError, match="not a finite number"):
        mesh.of_vertices(np.full((3, 3), np.nan), np.array([[0, 1, 2]]), np.zeros((3, 3), np.uint8))


@pytest.mark.parametrize(
    ("name", "says"),
    [("head.gbl", "Did you mean glb"), ("head.fbx", "Known: glb, html, obj, ply, stl"), ("head", "without an ending")],
)
def test_an_unknown_ending(tmp_path, name, says):
    with pytest.raises(UsageError, match=says):
        mesh.write(tmp_path / name, face(), ORIGIN)
    assert not list(tmp_path.iterdir())


def test_endings_may_be_capitals(tmp_path):
    assert mesh.check(Path("HEAD.GLB")) == "glb"
    assert khronos.issues(written(tmp_path, "HEAD.GLB", face(8)).read_bytes()) == []


@pytest.mark.parametrize("height", [0.0, -5.0, math.nan, math.inf])
def test_a_height_that_is_none(tmp_path, height):
    with pytest.raises(UsageError, match="height"):
        mesh.write(tmp_path / "head.glb", face(8), ORIGIN, height_mm=height)


@pytest.mark.parametrize("ending", mesh.ENDINGS)
def test_where_nothing_can_be_written(tmp_path, ending):
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="cannot write"):
        mesh.write(tmp_path / "file" / f"head.{ending}", face(8), ORIGIN)
    (tmp_path / f"folder.{ending}").mkdir()
    with pytest.raises(ResourceError, match="cannot write"):
        mesh.write(tmp_path / f"folder.{ending}", face(8), ORIGIN)


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = written(tmp_path, "head.glb", ball())
    old = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ResourceError, match="the disk is full"):
        mesh.write(path, face(), ORIGIN)
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


def test_meshes_before_the_camera_and_depth_maps_agree():
    """The same face, as a depth map and as the vertices that the renderer makes of it."""
    depth, image = relief(16)[0], picture(16)
    points = camera.unproject(depth[None].double())[0].view(-1, 3).numpy()
    by_depth = mesh.of_depth(depth, image[0])
    by_vertices = mesh.of_vertices(points, by_depth.faces, images.to_uint8(image)[0].reshape(-1, 3))
    assert_allclose(by_vertices.vertices, by_depth.vertices)
    assert_array_equal(by_vertices.colours, by_depth.colours)


def test_a_page_holds_the_very_glb_and_nothing_from_elsewhere(tmp_path):
    rough = Origin("photo {glb} <script>alert(1)</script>.png", 'a "model"')
    mesh.write(tmp_path / "head.glb", face(), rough)
    (page,) = mesh.write(tmp_path / "head.html", face(), rough)
    text = page.read_text("utf-8")
    inside = re.search(r'<script id="glb"[^>]*>([^<]*)</script>', text)
    assert inside is not None
    assert base64.b64decode(inside[1]) == (tmp_path / "head.glb").read_bytes()
    assert "<script>alert" not in text
    assert html.escape(rough.source) in text, "a name from outside is text, even one that looks like a place to fill"
    assert "hypothesis, not a measurement" in text
    assert not re.search(r"https?://", text)
    assert "default-src 'none'" in text
