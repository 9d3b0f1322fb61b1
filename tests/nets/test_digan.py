"""DIGAN: sizes as counted for the papers, ranges, what its configurations share, and the gate on the way to the shape."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from lianpu.config import DiganConfig, LiftConfig, StyleGAN2Config
from lianpu.errors import UsageError
from lianpu.nets import digan
from lianpu.nets.digan import G3D, Digan, Face, Moves, PartialConv, bell, frontal, gauge, look, paint, shape, without
from lianpu.render import camera, surface, views

TEACHER = StyleGAN2Config(resolution=32, channel_base=256, channel_max=16, z_dim=8, w_dim=8, mapping_layers=2)
SMALL = DiganConfig(teacher=TEACHER, hidden=8, transform_hidden=4, width=4)


def numbers(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("size", "partial", "full", "transform"),
    [
        (64, 2_291_185, 2_476_945, 216_784),
        (128, 3_901_425, 4_640_145, 774_096),
        (256, 8_244_209, 11_194_769, 2_937_296),
    ],
)
def test_sizes_are_those_of_the_papers(size, partial, full, transform):
    """LiftedGAN's released DepthNet, TransformationNet and StyleComposeNet at 256 px, with 16 channels injected, and theirs with fewer
    doublings; a KAN layer has ten times the numbers of a linear one, less its bias.
    """
    c = DiganConfig(teacher=StyleGAN2Config(resolution=size, channel_base=16 * size))
    with torch.device("meta"):
        ours, theirs = G3D(c), G3D(c.liftedgan())
    assert (numbers(ours.DS), numbers(theirs.DS)) == (partial, full)
    assert numbers(ours.DT) == numbers(theirs.DT) == transform
    assert numbers(ours.M) == numbers(theirs.M) == 3_698_688
    norms = 3 * 2 * 512
    assert (numbers(ours.DV), numbers(ours.DL)) == tuple(10 * 512 * (3 * 512 + out) + norms for out in (6, 4))
    assert (numbers(theirs.DV), numbers(theirs.DL)) == (791_046, 790_020)


def test_liftedgan_is_the_same_but_for_its_layers():
    shapes = [{k: v.shape for k, v in G3D(c).state_dict().items()} for c in (SMALL, SMALL.liftedgan())]
    for part in ("DT.", "M.", "DS.mlp", "DS.inject"):
        mine, theirs = ({k: v for k, v in each.items() if k.startswith(part)} for each in shapes)
        assert mine == theirs != {}
    kinds = [{type(m).__name__ for m in G3D(c).modules()} for c in (SMALL, SMALL.liftedgan())]
    assert {"KANLinear", "PartialConv"} == kinds[0] - kinds[1]
    assert kinds[1] - kinds[0] == set()


def test_layers_stand_in_the_seed_s_order():
    """f_i(x) = LeakyReLU(GroupNorm(KAN_i(x))), the last KAN alone, tanh."""
    names = [type(m).__name__ for m in G3D(SMALL).DV]
    assert names == ["KANLinear", "GroupNorm", "LeakyReLU"] * 3 + ["KANLinear", "Tanh"]
    assert [type(m).__name__ for m in G3D(SMALL.liftedgan()).DV] == ["Linear", "LeakyReLU"] * 3 + ["Linear", "Tanh"]


def test_a_partial_convolution_lets_three_quarters_pass():
    layer, x = PartialConv(8), torch.randn(2, 8, 5, 5)
    y = layer(x)
    assert torch.equal(y[:, 2:], x[:, 2:])
    assert_close(y[:, :2], nn.functional.conv2d(x[:, :2], layer.conv.weight, padding=1))


def test_a_student_begins_nearly_flat():
    """A mesh that is as deep as it is wide from one pixel to the next folds when it is turned."""
    torch.manual_seed(0)
    whole = Digan(replace(SMALL, width=16, hidden=64))
    with torch.no_grad():
        relief = whole(torch.randn(8, 8)).depth[..., 2:-2].flatten(1).std(1)
    assert 0.00005 < float(relief.mean()) < 0.0006


def test_a_student_may_begin_as_a_bell():
    torch.manual_seed(0)
    whole = Digan(replace(SMALL, prior=0.08))
    assert "start" not in str(list(whole.state_dict())), "it is a constant, no part of what is learnt"
    with torch.no_grad():
        depth = whole(torch.randn(2, 8)).depth
    n = depth.shape[-1]
    x, y = (torch.linspace(-1, 1, n) / half for half in (0.5, 0.85))
    wanted = camera.BORDER - 0.08 * torch.exp(-(x**2 + y[:, None] ** 2) / 2)
    inside = depth[..., 2:-2]
    assert_close(inside, wanted[:, 2:-2].expand_as(inside), rtol=0, atol=0.005)  # but for what DS says at first


def test_what_pictures_cannot_tell_of_a_shape_stays_as_it_began():
    start = bell(32, 0.1)
    directions = gauge(start)
    bulge, tilt = start.max() - start, torch.linspace(-1, 1, 32)[:, None].expand(32, 32)
    for told in (torch.full((32, 32), 0.3), 0.5 * bulge, -0.2 * tilt, 0.3 + 0.5 * bulge - 0.2 * tilt):
        assert_close(without(told[None, None], directions), torch.zeros(1, 1, 32, 32), rtol=0, atol=1e-5)
    nose = torch.zeros(1, 1, 32, 32)
    nose[..., 15:19, 14:18] = -0.2
    kept = without(nose, directions)
    assert_close(without(kept, directions), kept, rtol=0, atol=1e-6)
    assert float(kept.min()) < -0.15
    ground = torch.zeros(1, 1, 32, 32)
    ground[..., :2] = -0.2
    assert float((without(ground, directions) - ground)[..., 8:24].abs().max()) < 0.02, "of the ground it knows nothing"


def test_a_shape_of_another_pace_and_a_blurred_one():
    torch.manual_seed(0)
    plain, w = Digan(SMALL).eval(), torch.randn(2, 8)
    slow, smooth = (Digan(replace(SMALL, **change)).eval() for change in ({"pace": 0.5}, {"smooth": 0.05}))
    for each in (slow, smooth):
        each.load_state_dict(plain.state_dict())
    with torch.no_grad():
        a, b, c = (net(w).depth[:, 4:-4, 4:-4] - 1 for net in (plain, slow, smooth))
    assert_close(b - b.mean(), (a - a.mean()) / 2, rtol=0.05, atol=1e-6)
    assert float(c.diff(dim=2).abs().mean()) < float(a.diff(dim=2).abs().mean()) / 2


@pytest.fixture
def moves() -> Moves:
    """M as two directions of which it has learnt something."""
    torch.manual_seed(0)
    m = G3D(replace(SMALL, directions=2)).M
    assert isinstance(m, Moves)
    v = torch.linalg.qr(torch.randn(8, 2)).Q
    m.centre.normal_()
    m.odd.copy_(v.T)
    m.even.copy_(torch.eye(8) - v @ v.T)
    for linear in (m.aside, m.other):
        nn.init.normal_(linear.weight)
    return m


def test_moves_put_what_is_asked_for_in_the_place_of_what_there_is(moves):
    w, light, view = torch.randn(3, 8), torch.rand(3, 4), torch.rand(3, 6)
    own = light, view
    to = moves(w, light, view, own)
    assert_close(moves(w + torch.randn(3, 2) @ moves.odd, light, view, own), to, rtol=0, atol=1e-4)
    front = moves(w, light * torch.tensor([1.0, 1, 0, 1]), view * torch.tensor([1.0, 0, 0, 0, 1, 1]), own)
    assert_close(front, moves.centre + (w - moves.centre) @ moves.even)  # of what is not asked aside there is none left
    yaw = torch.zeros(3, 6).index_fill(1, torch.tensor([1]), 0.1)
    assert_close(
        moves(w, light, view + yaw, own) - to,
        (2 * moves.aside.weight[:, 1] @ moves.odd).expand(3, -1),
        rtol=1e-4,
        atol=1e-4,
    )
    pitch = torch.zeros(3, 6).index_fill(1, torch.tensor([0]), 0.1)  # beyond what it has: along a direction of its own
    assert_close(
        moves(w, light, view + pitch, own) - to, (2 * moves.other.weight[:, 3]).expand(3, -1), rtol=1e-4, atol=1e-4
    )
    assert_close(moves(w, light, view + pitch, (light, view + pitch)), to, rtol=1e-4, atol=1e-4)


def test_where_the_front_is_moves_learn_from_nothing_but_the_front(moves):
    w, light, view = torch.randn(3, 8), torch.rand(3, 4), torch.rand(3, 6, requires_grad=True)
    own = view.detach().requires_grad_()
    learns = [*moves.aside.parameters(), *moves.other.parameters(), view]
    level = list(moves.level.parameters())
    got = torch.autograd.grad(moves(w, light, view, (light, own)).sum(), [*learns, *level, own], allow_unused=True)
    assert all(g is not None for g in got[: len(learns)]) and not any(g is not None for g in got[len(learns) :])
    assert all(g is not None for g in torch.autograd.grad(moves.front(w).sum(), level, allow_unused=True))


def test_what_m_is_told_twice_teaches_nothing_false(moves):
    """Of its own pitch and lamp it is told what it has and what it shall have: they differ by nothing, whatever they are."""
    w, light, view = torch.randn(3, 8), torch.rand(3, 4), torch.rand(3, 6)

    def far(light: torch.Tensor, view: torch.Tensor) -> torch.Tensor:
        return (moves(w, light, view, (light, view)) - w).square().mean()

    a, b = light.clone().requires_grad_(), view.clone().requires_grad_()
    found = torch.cat(torch.autograd.grad(far(a, b), (a, b)), 1)
    for i in range(10):
        step = torch.zeros(3, 10)
        step[0, i] = 1e-2
        with torch.no_grad():
            up, down = (float(far(light + s * step[:, :4], view + s * step[:, 4:])) for s in (1, -1))
        assert float(found[0, i]) == pytest.approx((up - down) / 2e-2, rel=0.02, abs=0.02)


def test_a_found_face_is_seen_from_where_its_coarse_layers_say():
    torch.manual_seed(0)
    net = Digan(SMALL).eval()
    ws = torch.randn(2, net.G2D.synthesis.num_ws, 8)
    fine, coarse = ws.clone(), ws.clone()
    fine[:, 3:], coarse[:, :3] = torch.randn_like(fine[:, 3:]), torch.randn_like(coarse[:, :3])
    with torch.no_grad():
        a, b, c, d = (net.of_layers(x) for x in (ws, fine, coarse, ws[:, :1].expand_as(ws)))
        whole = net(ws[:, 0])
    assert torch.equal(a.view, b.view) and (a.picture - b.picture).abs().max() > 1e-3
    assert (a.view - c.view).abs().max() > 1e-4
    for one, same in zip(d, whole, strict=True):
        assert_close(one, same, rtol=1e-4, atol=1e-5)


def test_no_layer_of_a_found_face_is_turned(moves):
    torch.manual_seed(0)
    net = Digan(replace(SMALL, directions=2)).eval()
    net.G3D.M.load_state_dict(moves.state_dict())
    w, details = torch.randn(1, 8), torch.randn(1, net.G2D.synthesis.num_ws, 8)
    with torch.no_grad():
        a, b = net(w, details), net(w, details + torch.randn(1, net.G2D.synthesis.num_ws, 2) @ moves.odd)
        c = net(w, 2 * details)
    assert_close(a.picture, b.picture, rtol=0, atol=1e-4)
    assert float((a.picture - c.picture).abs().max()) > 1e-3


def test_no_outline_is_too_large_and_what_does_not_go_together_is_refused():
    net = G3D(replace(SMALL, prior=0.1, silhouette=1.0))
    picture = torch.full((1, 3, 32, 32), 0.5)
    picture[..., :2] = picture[..., -2:] = picture[..., :2, :] = -0.9
    assert net.rounded(picture).isfinite().all()
    with pytest.raises(UsageError, match="a code has 8 numbers"):
        replace(SMALL, directions=9)
    with pytest.raises(UsageError, match="aligned do not shift"):
        LiftConfig(net=replace(SMALL, aligned=True))


def test_aligned_views_neither_roll_nor_shift():
    torch.manual_seed(0)
    net = G3D(replace(SMALL, aligned=True))
    w = torch.randn(4, 8)
    assert_close(net.view(w)[:, :2], net.DV(w)[:, :2])
    assert not net.view(w)[:, 2:].any() and G3D(SMALL).view(w)[:, 2:].any()


def test_a_shape_may_start_from_the_outline_of_what_is_painted():
    net = G3D(replace(SMALL, prior=0.03, silhouette=0.5))
    x, y = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="xy")
    for at in (-0.3, 0.3):
        disc = (((x - at) ** 2 + y**2) < 0.25).float()
        picture = (disc * torch.rand(32, 32) * 0.5 - 0.9 * (1 - disc)).expand(1, 3, -1, -1)
        S = shape(torch.zeros(1, 1, 32, 32), net.rounded(picture))[0, :, 2:-2]
        inside = disc[:, 2:-2] > 0
        assert_close(S[~inside], torch.full_like(S[~inside], camera.BORDER))
        assert float(S[inside].max()) < camera.BORDER - 0.03
        middle = S[16, round((at + 1) * 15.5) - 2]
        radius = 0.5 * math.tan(math.radians(camera.FOV / 2)) * camera.BORDER
        bell = 0.03 * math.exp(-((at / 0.5) ** 2) / 2)
        assert float(middle) == pytest.approx(camera.BORDER - 0.04 - bell - 0.5 * radius, abs=0.004)


# ------------------------------------------------------------------------------------------------------------------- a face


@pytest.fixture
def whole() -> Digan:
    torch.manual_seed(0)
    return Digan(SMALL).eval()


@pytest.fixture
def face(whole: Digan) -> Face:
    with torch.no_grad():
        return whole(torch.randn(3, 8))


def test_every_part_of_a_face_is_in_its_range(face):
    assert face.picture.shape == face.albedo.shape == (3, 3, 32, 32)
    assert face.depth.shape == (3, 32, 32) and face.transform.shape == (3, 1, 32, 32)
    assert face.w0.shape == (3, 8) and face.view.shape == (3, 6) and face.light.shape == (3, 4)
    for raw in (face.view, face.light):
        assert float(raw.abs().max()) < 1
    assert float(face.depth.min()) >= camera.NEAR and float(face.depth.max()) <= camera.FAR
    assert (face.depth[..., :2] == camera.BORDER).all() and (face.depth[..., -2:] == camera.BORDER).all()
    assert float(face.transform.min()) >= 0 and float(face.transform.max()) < 1 + 1e-6
    frame = face.transform.clone()
    frame[..., 1:-1, 2:-2] = 0
    assert not frame.any(), "the frame never moves"


def test_depth_is_about_its_mean_and_any_constant_is_the_same():
    raw = torch.randn(2, 1, 16, 16)
    S = shape(raw)
    assert_close(shape(raw + 7), S, rtol=0, atol=1e-5)
    assert_close(shape(torch.zeros(1, 1, 16, 16))[..., 2:-2], torch.full((1, 16, 12), 1.0))
    centred = raw[:, 0] - raw[:, 0].mean((1, 2), keepdim=True)
    assert_close(S[..., 2:-2], 1 + 0.1 * centred.tanh()[..., 2:-2])


def test_the_neutral_code_keeps_how_much_light_there_is_and_loses_whence(whole):
    w = torch.randn(2, 8)
    face = whole(w)
    L = face.light.clone()
    L[:, 2:] = 0
    assert torch.equal(frontal(face.light), L)
    assert_close(face.w0, whole.G3D.M(w, L, torch.zeros(2, 6), (face.light, face.view)))
    assert_close(face.picture, whole.G2D.synthesis(face.w0[:, None].expand(-1, TEACHER.num_ws, -1), "const"))


def test_a_face_from_the_front_in_its_own_light_is_the_teacher_s_picture(whole, face):
    """Delighting and relighting undo each other, and a mesh that does not move is drawn where it was."""
    seen = whole.look(face, torch.zeros(3, 6), frontal(face.light))
    assert seen.mask.all()
    assert_close(seen.image, face.picture, rtol=0, atol=2e-4)
    assert_close(seen.depth, face.depth, rtol=0, atol=1e-5)


def test_the_mirrored_face_has_its_halves_exchanged_and_t_as_it_was(face):
    """A face whose shape, albedo and T are symmetric is its own mirror image; any other is the face with S and A flipped."""
    still, L = torch.zeros(3, 6), face.light
    V = still + torch.tensor([0.1, 0.3, 0, 0.2, 0, 0])
    other = face._replace(depth=face.depth.flip(2), albedo=face.albedo.flip(3))
    assert_close(look(face, V, L, SMALL, mirrored=True).image, look(other, V, L, SMALL).image)
    assert (look(face, V, L, SMALL, mirrored=True).image - look(face, V, L, SMALL).image).abs().max() > 0.1
    smooth = 1.0 - 0.05 * torch.cos(torch.linspace(-1.5, 1.5, 32)).expand(3, 32, 32)
    even = face._replace(depth=smooth, albedo=face.albedo + face.albedo.flip(3))
    assert_close(look(even, V, L, SMALL, mirrored=True).image, look(even, V, L, SMALL).image, rtol=0, atol=1e-4)


def test_light_belongs_to_the_face_and_turns_with_it(face):
    """What is seen of a point depends on the light in the face's frame alone, however it is turned."""
    lit = torch.tensor([[-1.0, 1.0, 1.0, 0.0]]).expand(3, -1)
    ball = face._replace(albedo=torch.ones_like(face.albedo))
    shades = surface.shading(surface.normals(face.depth), surface.light(lit)) * 2 - 1
    assert_close(look(ball, torch.zeros(3, 6), lit, SMALL).image, shades.expand(-1, 3, -1, -1), rtol=0, atol=2e-4)


# --------------------------------------------------------------------------------------------------------------- DW, the gate


def slopes(face: Face, gate: str) -> torch.Tensor:
    """The gradient of a render with respect to depth. All light is ambient: it comes through the mesh alone, not through normals."""
    depth = face.depth.detach().requires_grad_()
    V = torch.tensor([[0.05, 0.6, 0, 0, 0, 0]]).expand(3, -1)
    L = torch.tensor([[1.0, -1.0, 0, 0]]).expand(3, -1)
    seen = look(face._replace(depth=depth), V, L, replace(SMALL, gate=gate))
    return torch.autograd.grad((seen.image * torch.linspace(-1, 1, 32)).sum(), depth)[0]


def test_the_gate_stands_between_the_render_and_the_shape(face):
    x, y = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="xy")
    head = 1.05 - 0.12 * (1 - (x / 0.6) ** 2 - (y / 0.8) ** 2).clamp(min=0).sqrt()  # its far side is not seen
    face = face._replace(depth=head.expand(3, -1, -1))
    off, flat, edge = (slopes(face, gate) for gate in ("off", "flat", "edge"))
    assert (off == 0).any(), "some of the face must be hidden for this test to say anything"
    assert_close(flat + edge, off)
    assert not (flat * edge).any()
    assert flat.any() and edge.any()
    assert_close(
        flat, torch.autograd.grad((views.gate(d := head.expand(3, -1, -1).clone().requires_grad_()) * off).sum(), d)[0]
    )


def test_a_shape_may_learn_from_the_light_on_it_alone(face):
    assert not slopes(face, "shading").any()  # there all light is ambient
    depth = face.depth.detach().requires_grad_()
    lit = look(face._replace(depth=depth), face.view, face.light, replace(SMALL, gate="shading"))
    assert torch.autograd.grad((lit.image * torch.linspace(-1, 1, 32)).sum(), depth)[0].any()


def test_pictures_are_the_same_whatever_the_gate(face):
    V, L = face.view, face.light
    first, *others = (look(face, V, L, replace(SMALL, gate=gate)).image for gate in ("off", "flat", "edge", "shading"))
    assert all(torch.equal(first, other) for other in others)


# --------------------------------------------------------------------------------------------------------------- the teacher


def test_the_teacher_hands_out_the_features_its_picture_is_made_of(whole):
    w = torch.randn(2, 8)
    ws = w[:, None].expand(-1, TEACHER.num_ws, -1)
    picture, features = paint(whole.G2D, w)
    assert torch.equal(picture, whole.G2D.synthesis(ws, "const"))
    assert features.shape == (2, TEACHER.channels(32), 32, 32)
    last = whole.G2D.synthesis.blocks["32"]
    _, below = whole.G2D.synthesis.with_features(ws, "const")
    assert_close(last.rgb(features, ws[:, -1]), last.rgb(below, ws[:, -1]))
    assert torch.equal(paint(whole.G2D, w)[0], picture), "the same code, the same picture: no noise is drawn"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"teacher": replace(TEACHER, resolution=8)}, "cannot be lifted"),
        ({"teacher": replace(TEACHER, image_channels=1)}, "1 channels"),
        ({"hidden": 10}, "multiple of 4"),
        ({"layers": 1}, r"layers is 1"),
        ({"order": 9}, r"order is 9"),
        ({"reach": 0.0}, r"reach is 0"),
    ],
)
def test_sizes_that_make_no_network_are_refused(changes, said):
    with pytest.raises(UsageError, match=said):
        replace(SMALL, **changes)


def test_every_public_part_is_there():
    assert all(hasattr(digan, name) for name in digan.__all__)
