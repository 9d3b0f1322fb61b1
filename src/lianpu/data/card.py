"""The data card: a README.md that Hugging Face shows and a curator reads, written from dataset.json alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lianpu import files
from lianpu.data import records

__all__ = ["text", "write"]

CROPS = {
    "pad": "padded to a square on the colour of its ground",
    "centre": "cut to its middle square",
    "subject": "cut to the face, told from its ground",
    "face": "turned and cut so that the face MTCNN found in it stands upright",
}
NAMES = {"red": "红", "black": "黑", "white": "白", "blue": "蓝", "green": "绿", "yellow": "黄", "purple": "紫"}


def write(path: Path | str) -> Path:
    """Write README.md into the data set at `path`, counts as they are now (labels edited by hand included); returns
    its path.
    """
    path = Path(path)
    info = records.read_info(path)
    splits = {name: records.read_records(path, name) for name in info["splits"]}
    rows = [row for lines in splits.values() for row in lines]
    info = info | records.counts(splits) | {"fingerprint": records.fingerprint(rows)}
    files.atomic_write(path / "README.md", text(info))
    return path / "README.md"


def text(info: dict[str, Any]) -> bytes:
    """The card of a data set described as in dataset.json, Markdown in UTF-8."""
    licences = info["rights"]["licences"]
    known = info["rights"]["status"] == "known"
    settings = info["settings"]
    lines = [
        "---",
        f"license: {_hub_licence(licences, known)}",
        "task_categories: [unconditional-image-generation, image-classification]",
        "tags: [peking-opera, lianpu, cultural-heritage]",
        f"size_categories: [{_size_category(info['pictures'])}]",
        "configs:",
        "- config_name: default",
        "  data_files:",
        *(f"  - {{split: {name}, path: '{name}/*'}}" for name in info["splits"]),
        "---",
        "",
        "# Opera masks",
        "",
        f"{info['pictures']} pictures of {info['size']} x {info['size']} pixels from {info['originals']} originals "
        f"in {info['groups']} groups of near-duplicates.",
        "",
        "## Rights",
        "",
        *(_rights_unknown() if not known else []),
        "| licence | pictures |",
        "|---|---|",
        *(f"| {_cell(name)} | {count} |" for name, count in licences.items()),
        "",
        *(f"* {_cell(source)}" for source in info["rights"]["sources"]),
        "",
        "Each line of `metadata.jsonl` names the source and licence of its picture.",
        "",
        "## Colours",
        "",
        "| | " + " | ".join(info["splits"]) + " |",
        "|---|" + "---|" * len(info["splits"]),
        *(
            f"| {name} {zh} | " + " | ".join(str(s["colours"].get(name, 0)) for s in info["splits"].values()) + " |"
            for name, zh in NAMES.items()
        ),
        "| all | " + " | ".join(str(s["pictures"]) for s in info["splits"].values()) + " |",
        "",
        "## How it was made",
        "",
        f"* Every picture was decoded to 8-bit sRGB, {CROPS[settings['crop']]}, and resized by an antialiasing filter.",
        "* The colour is that of the paint which covers most of the face in CIE Lab, ground, lines and eyes left out; "
        "`colour_confidence` is its lead over the second. A colour given by the source goes first (`colour_from`).",
        *(_expansion(settings) if settings["expand"] else []),
        f"* About {settings['test']:.0%} of each colour is kept for testing. Originals, variants and near-duplicates "
        "(one drawing resized, recompressed, reframed, mirrored) share a `group` and lie on one side of the split.",
        *(_sketches(settings) if settings["sketches"] else []),
        f"* {info['quarantined']} files could not be used; `quarantine.jsonl` says which and why.",
        "",
        "## Known limits",
        "",
        "* A class names one colour; many masks have two main ones. Flesh, pink and grey are no class of their own.",
        "* Drawings from one template may be grouped; two photographs of one mask from different sides are not.",
        "* The colour change follows paint, not convention: a recoloured mask is no traditional role.",
        "",
        f"Made by {info['made_by']}; fingerprint `{info['fingerprint'][:16]}`. `lianpu data check` proves it.",
        "",
    ]
    return "\n".join(lines).encode()


def _expansion(settings: dict[str, Any]) -> list[str]:
    return [
        f"* Each original appears four times: mirrored or not, its main paint changed or not (seed {settings['seed']}). "
        "`recolour` says which paint became which; a recoloured picture bears the label of its new colour."
    ]


def _sketches(settings: dict[str, Any]) -> list[str]:
    return [f"* `sketches/` holds an XDoG line drawing of each picture, style {settings['sketches']}."]


def _rights_unknown() -> list[str]:
    return [
        "**Rights unknown.** Some of these pictures have no known source or licence. Models trained on them and the "
        "pictures those models make carry this note; do not publish them before it is settled.",
        "",
    ]


def _hub_licence(licences: dict[str, int], known: bool) -> str:
    """The Hub's identifier where all pictures share one well-known licence, else "other" or "unknown"."""
    if not known:
        return "unknown"
    names = {_cell(name).lower() for name in licences}
    if len(names) == 1 and (name := names.pop()).startswith(("cc-", "cc0-", "apache-", "mit")) and " " not in name:
        return name
    return "other"


def _size_category(n: int) -> str:
    return "n<1K" if n < 1000 else "1K<n<10K" if n < 10_000 else "10K<n<100K"


def _cell(value: str) -> str:
    """Foreign text in a Markdown table: one line, no markup."""
    return " ".join(value.replace("|", "/").replace("<", "(").replace(">", ")").split())
