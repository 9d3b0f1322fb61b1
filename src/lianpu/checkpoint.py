"""What lianpu keeps on disk about a network, never as a pickle. A *model* is what others use: `model.safetensors` + `model.json`
+ a card. A *state* is everything a run needs to go on as if it had not stopped: every tensor that changes, and its clock.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import lianpu
from lianpu import config as configuration
from lianpu import files
from lianpu.errors import LianpuError, ModelError, UsageError, did_you_mean
from lianpu.nets.cocosnet import CocosNet
from lianpu.nets.digan import Digan, TeachersDiscriminator
from lianpu.nets.spade import PatchDiscriminator, Spade
from lianpu.nets.stylegan2 import Discriminator, Generator

__all__ = ["KINDS", "Model", "find_model", "load_model", "load_state", "newest_state", "save_model", "save_state"]

SCHEMA = 1
AGAIN = "Copy the whole folder again."


class Damaged(ModelError):
    """A checkpoint whose digests do not hold."""


MAX_JSON = 1 << 20
SHIPPED = Path(__file__).parent / "models"


class Kind(NamedTuple):
    """What a kind of model is made of."""

    config: type[Any]
    network: type[nn.Module]
    discriminator: type[nn.Module]
    use: str
    """The command that uses it, for the card."""


TRANSLATE = "translate THIS_FOLDER --sketch FILE_OR_FOLDER --reference FILE_OR_FOLDER"
KINDS: dict[str, Kind] = {
    "stylegan2": Kind(configuration.StyleGAN2Config, Generator, Discriminator, "generate THIS_FOLDER -n 16"),
    "cocosnet": Kind(configuration.CocosNetConfig, CocosNet, PatchDiscriminator, TRANSLATE),
    "spade": Kind(configuration.SpadeConfig, Spade, PatchDiscriminator, TRANSLATE),
    "digan": Kind(
        configuration.DiganConfig, Digan, TeachersDiscriminator, "lift THIS_FOLDER --seed 0 --export head.glb"
    ),
}
"""The kinds of models by name."""


def kind_of(config: Any) -> str:
    """The kind of model that has this configuration."""
    return next(name for name, kind in KINDS.items() if isinstance(config, kind.config))


@dataclass(frozen=True)
class Model:
    """What `model.json` says of a network."""

    kind: str
    config: dict[str, Any]
    classes: list[str] = field(default_factory=list)
    """Names of the classes, in the order of their numbers; empty if unconditional."""
    images_seen: int = 0
    recipe: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    """Fingerprint, name, size, rights and licences of the pictures that trained it."""
    parent: str = ""
    """SHA-256 of the model it was fine-tuned from."""
    features: dict[str, str] = field(default_factory=dict)
    """Name and SHA-256 of the network whose features its training losses compared; empty where none did."""
    teacher: dict[str, str] = field(default_factory=dict)
    """Name and SHA-256 of the model it was distilled from; empty where there was none."""
    lianpu: str = lianpu.__version__
    sha256: str = ""
    """SHA-256 of model.safetensors."""
    discriminator_sha256: str = ""
    """SHA-256 of discriminator.safetensors; empty where there is none."""
    schema: int = SCHEMA

    def class_number(self, name: str | None) -> int | None:
        """None for a model without classes; a UsageError for a class that it does not know."""
        if not self.classes:
            if name is not None:
                raise UsageError(
                    f"this {self.kind} has no classes, so --class {name} means nothing to it.",
                    fix="Leave --class away.",
                )
            return None
        if name not in self.classes:
            raise UsageError(f"unknown class {name!r}.", fix=did_you_mean(str(name), self.classes))
        return self.classes.index(name)

    def class_of_seed(self, seed: int, asked: str | None = None) -> str | None:
        """The class that is asked for; where the model has some and none is asked for, seeds take turns."""
        if asked is not None:
            self.class_number(asked)
            return asked
        return self.classes[seed % len(self.classes)] if self.classes else None


# ---------------------------------------------------------------------------------------------------------------- models


def save_model(
    folder: Path,
    network: nn.Module,
    model: Model,
    *,
    discriminator: nn.Module | None = None,
    dtype: torch.dtype = torch.float32,
) -> Model:
    """Writes a self-describing model folder; with `discriminator`, the run can be fine-tuned from it later.

    dtype: float32, or float16 for half the size (weights are stored halved, computed in float32 after loading).
    """
    with files.new_folder(folder) as new:
        _save_tensors(new / "model.safetensors", network.state_dict(), dtype)
        digests = {"sha256": files.sha256(new / "model.safetensors"), "discriminator_sha256": ""}
        if discriminator is not None:
            _save_tensors(new / "discriminator.safetensors", discriminator.state_dict(), dtype)
            digests["discriminator_sha256"] = files.sha256(new / "discriminator.safetensors")
        model = replace(model, **digests)
        (new / "model.json").write_text(json.dumps(asdict(model), indent=2, ensure_ascii=False) + "\n", "utf-8")
        (new / "README.md").write_text(_card(model), "utf-8")
        _as_readable_as(new / "model.json", *new.glob("*.safetensors"))
    return model


def _save_tensors(path: Path, tensors: dict[str, Tensor], dtype: torch.dtype) -> None:
    save_file(
        {
            k: v.detach().to("cpu", dtype).contiguous() if v.is_floating_point() else v.cpu().contiguous()
            for k, v in tensors.items()
        },
        path,
    )


def _as_readable_as(example: Path, *paths: Path) -> None:
    """safetensors makes its files for their owner alone, whatever the umask: colleagues could not load the model."""
    for path in paths:
        shutil.copymode(example, path)


def _card(model: Model) -> str:
    rights = model.data.get("rights", "unknown")
    licences = " ".join(", ".join(model.data.get("licences", [])).split()) or "none stated"
    resolution = configuration.from_dict(KINDS[model.kind].config, model.config).resolution
    lines = [
        "---",
        "library_name: lianpu",
        "tags: [peking-opera, lianpu]",
        "---",
        f"# {model.recipe or model.kind}",
        "",
        f"A {model.kind} at {resolution} px, trained with lianpu {model.lianpu}.",
        "",
        f"- recipe: {model.recipe or 'not recorded'}; {model.images_seen / 1000:.1f} thousand pictures shown",
        *(f"- distilled from: {t['name']}, {t['sha256']}; what that was trained on:" for t in [model.teacher] if t),
        f"- classes: {', '.join(model.classes) or 'none'}",
        f"- trained on: {model.data.get('name', 'not recorded')} ({model.data.get('images', '?')} pictures), "
        f"fingerprint {model.data.get('fingerprint', 'not recorded')}",
        f"- rights of the training pictures: **{rights}** (licences: {licences})",
    ]
    if rights != "known":
        lines += [
            "",
            "**The rights of some training pictures are unknown. Do not publish this model or its pictures before that is settled.**",
        ]
    lines += ["", f"Use: `lianpu {KINDS[model.kind].use}`", ""]
    return "\n".join(lines)


def find_model(name: str | Path) -> Path:
    """The folder of a model: a folder, its model.safetensors, a run (its newest model), or the name of a shipped model."""
    path = Path(name)
    if path.is_file() and path.name == "model.safetensors":
        path = path.parent
    for folder in (path, path / "model", SHIPPED / str(name)):
        if (folder / "model.json").is_file():
            return folder
    known = _shipped()
    if not path.exists() and len(path.parts) > 1:
        raise ModelError(f"there is no {path}.", "", "Give a model folder, a run, or the name of a shipped model.")
    if path.is_file():
        raise ModelError(
            f"{path.name} is not a lianpu model.",
            f"file: {path}",
            "Give a model folder (model.safetensors with model.json); pickles (.pkl, .pt, .ckpt) are never read.",
        )
    if path.is_dir():
        raise ModelError(
            f"{path} holds no model.", "model.json is missing.", "Give a model folder or a run with a checkpoint."
        )
    raise ModelError(f"no model named {name}.", "", did_you_mean(str(name), known) if known else "")


def _shipped() -> dict[str, Path]:
    return {p.parent.name: p.parent for p in SHIPPED.glob("*/model.json")}


def shipped(name: str) -> Path:
    """The folder of a shipped model; `name` may come from a stranger's file and is never taken as a path."""
    known = _shipped()
    if name not in known:
        raise ModelError(f"no shipped model is named {name!r}.", "", "Say where the model is: --model FOLDER")
    return known[name]


def read_model(folder: Path, kind: str | None = None) -> Model:
    """What model.json says, checked."""
    values = _read_json(folder / "model.json", ModelError)
    if isinstance(values.get("schema"), int) and values["schema"] > SCHEMA:
        raise ModelError("this model was written by a newer lianpu.", f"in {folder}", "Upgrade lianpu.")
    known = {k: v for k, v in values.items() if k in Model.__dataclass_fields__}
    try:
        model = TypeAdapter(Model).validate_json(json.dumps(known), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(map(str, first["loc"]))
        raise ModelError(f"model.json: {entry}: {first['msg']}.", f"in {folder}", AGAIN) from None
    if model.kind not in KINDS:
        raise ModelError(f"unknown kind of model {model.kind!r}.", f"in {folder}", did_you_mean(str(model.kind), KINDS))
    if kind and model.kind != kind:
        raise ModelError(f"this is a {model.kind}, and the command needs a {kind}.", f"model: {folder}")
    for name, digest in (("sha256", model.sha256), ("discriminator_sha256", model.discriminator_sha256)):
        if not re.fullmatch("[0-9a-f]{64}", digest) and (digest or name == "sha256"):
            raise ModelError(f"model.json: {name} is no SHA-256.", f"in {folder}", AGAIN)
    return model


def _check_classes(model: Model, folder: Path, count: int) -> None:
    """Class names become file names: each is one plain word, and there are as many as the network has classes."""
    wrong = [name for name in model.classes if not re.fullmatch(r"[\w-]{1,64}", name)]
    if wrong or len(set(model.classes)) != len(model.classes) or len(model.classes) != count:
        raise ModelError(
            f"model.json: its classes are not {count} different plain names.",
            f"in {folder}: {model.classes[:8]}",
            AGAIN,
        )


def load_model(
    name: str | Path, kind: str | None = "stylegan2", device: torch.device | str = "cpu"
) -> tuple[nn.Module, Model]:
    """The network in evaluation mode and what is known of it. Raises ModelError for anything not exactly as its json says.

    The model of a run that is being trained may be replaced by a newer one between two reads: then it is read again.
    """
    for patience in (0.05, 0.3, 1.0):
        try:
            return _load_model(name, kind, device)
        except ModelError:
            if not (Path(name) / ".pid").exists():
                raise
            time.sleep(patience)
    return _load_model(name, kind, device)


def _load_model(name: str | Path, kind: str | None, device: torch.device | str) -> tuple[nn.Module, Model]:
    folder = find_model(name)
    model = read_model(folder, kind)
    config = _model_config(model, folder)
    _check_classes(model, folder, getattr(config, "classes", 0))
    if not (folder / "model.safetensors").is_file():
        raise ModelError("model.safetensors is missing.", f"in {folder}", AGAIN)
    network = _fill(KINDS[model.kind].network, config, folder / "model.safetensors")
    _require_digest(folder / "model.safetensors", model.sha256)
    return network.to(device).eval().requires_grad_(False), model


def load_discriminator(name: str | Path, kind: str = "stylegan2") -> nn.Module | None:
    """The discriminator saved beside a model, for fine-tuning; None where there is none."""
    folder = find_model(name)
    path = folder / "discriminator.safetensors"
    if not path.is_file():
        return None
    model = read_model(folder, kind)
    network = _fill(KINDS[kind].discriminator, _model_config(model, folder), path)
    _require_digest(path, model.discriminator_sha256)
    return network


def _require_digest(path: Path, digest: str) -> None:
    if files.sha256(path) != digest:
        raise ModelError(
            f"{path.name} is not the file that model.json describes.", f"in {path.parent}: its SHA-256 differs", AGAIN
        )


def _model_config(model: Model, folder: Path) -> Any:
    try:
        return configuration.from_dict(KINDS[model.kind].config, model.config)
    except LianpuError as error:
        raise ModelError("the configuration in model.json is refused.", f"in {folder}", str(error)) from None


def _fill(kind: type[nn.Module], config: Any, path: Path) -> nn.Module:
    """A network of `config` with the tensors of `path`: exactly its names, shapes and floating point type, all finite."""
    with torch.device(
        "meta"
    ):  # shapes without memory: nothing is allocated before the file has shown that it holds them
        want = kind(config).state_dict()
    have = _read_tensors(path, {name: tuple(t.shape) for name, t in want.items()})
    for name, tensor in have.items():
        if tensor.is_floating_point() != want[name].is_floating_point():
            raise ModelError(f"tensor {name} is {tensor.dtype}, not {want[name].dtype}.", f"in {path}")
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ModelError(
                f"tensor {name} holds NaN or infinity.", f"in {path}", "The file is damaged or its training diverged."
            )
    with torch.random.fork_rng(
        devices=[]
    ):  # its initial weights are thrown away and must not move the caller's randomness
        network = kind(config)
    network.load_state_dict(have)
    return network


def _read_tensors(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The tensors of a safetensors file, after its header alone has shown the expected names and shapes."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            if missing := sorted(shapes.keys() - found.keys()):
                raise ModelError(f"{len(missing)} tensors are missing (first: {missing[0]}).", f"in {path}")
            if extra := sorted(found.keys() - shapes.keys()):
                raise ModelError(f"{len(extra)} tensors are not of this model (first: {extra[0]}).", f"in {path}")
            for name, shape in shapes.items():
                if found[name] != shape:
                    raise ModelError(f"tensor {name} has shape {found[name]}, not {shape}.", f"in {path}")
            return {name: file.get_tensor(name) for name in found}
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise ModelError(
            f"{path.name} is not a readable safetensors file.",
            f"in {path.parent}: {error}",
            "Pickles and damaged files are refused unread. Copy the model again.",
        ) from None


def _read_json(path: Path, error: type[LianpuError]) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_JSON:
            raise error(f"{path.name} is larger than {MAX_JSON} bytes.", f"in {path.parent}")
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise error(f"{path.name} cannot be read.", f"in {path.parent}: {problem}") from None
    if not isinstance(values, dict):
        raise error(f"{path.name} is not a json object.", f"in {path.parent}")
    return values


# ---------------------------------------------------------------------------------------------------------------- states


def save_state(folder: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Writes tensors and facts with their digests; `folder` appears whole or not at all."""
    with files.new_folder(folder) as new:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, new / "state.safetensors")
        (new / "state.json").write_text(json.dumps({**facts, "schema": SCHEMA}, indent=2, ensure_ascii=False), "utf-8")
        _as_readable_as(new / "state.json", new / "state.safetensors")
        sums = {name: files.sha256(new / name) for name in ("state.safetensors", "state.json")}
        (new / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()), "utf-8")


def load_state(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts of a state whose digests hold; ModelError otherwise."""
    try:
        lines = (folder / "SHA256SUMS").read_text("utf-8").splitlines()
        sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
        whole = set(sums) == {"state.safetensors", "state.json"} and all(
            files.sha256(folder / n) == d for n, d in sums.items()
        )
    except (OSError, ValueError):
        whole = False
    if not whole:
        raise Damaged("this checkpoint is damaged: its digests do not hold.", f"checkpoint: {folder}")
    facts = _read_json(folder / "state.json", ModelError)
    if facts.get("schema", 0) > SCHEMA:
        raise ModelError("this checkpoint was written by a newer lianpu.", f"checkpoint: {folder}", "Upgrade lianpu.")
    return load_file(folder / "state.safetensors"), facts


def states(folder: Path) -> list[Path]:
    """The checkpoints under `folder`, oldest first."""
    return sorted(p for p in folder.glob("[0-9]*") if p.is_dir() and p.name.isdigit())


def newest_state(folder: Path) -> tuple[tuple[dict[str, Tensor], dict[str, Any]] | None, list[Path]]:
    """The newest checkpoint whose digests hold (None if there is none), and the damaged ones passed over on the way."""
    damaged: list[Path] = []
    for path in reversed(states(folder)):
        try:
            return load_state(path), damaged
        except Damaged:
            damaged.append(path)
    return None, damaged
