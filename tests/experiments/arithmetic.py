"""An experiment that adds numbers: the real runner with the smallest possible stages, each of which leaves its file."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from lianpu import files
from lianpu.errors import DataError
from lianpu.experiments.stages import Reporter, Stage


@dataclass(frozen=True)
class Arithmetic:
    """c = a + b, d = c + 1; `failing` names stages that fail, `slow` those that take their time; both are read from the folder."""

    folder: Path

    @classmethod
    def open(cls, folder: Path) -> Arithmetic:
        return cls(folder)

    def _word(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().split() if path.exists() else []

    def stages(self) -> list[Stage]:
        return [
            Stage("a", "data"),
            Stage("b", "data"),
            Stage("c", "train", ("a", "b")),
            Stage("d", "evaluate", ("c",)),
            Stage("alone", "data"),
        ]

    def done(self, stage: Stage) -> bool:
        return (self.folder / "results" / f"{stage.name}.json").exists()

    def value(self, name: str) -> int:
        return json.loads((self.folder / "results" / f"{name}.json").read_text())

    def perform(self, stage: Stage, report: Reporter, minutes: float | None) -> bool:
        (self.folder / f"pid-{stage.name}").write_text(str(os.getpid()))
        with open(self.folder / "history", "a") as history:
            history.write(stage.name + "\n")
        if stage.name in self._word("failing"):
            raise DataError(f"{stage.name} cannot be had.", "here", "Mend it.")
        if stage.name in self._word("empty"):
            return True  # claims to be done and leaves nothing
        if stage.name in self._word("slow"):
            time.sleep(60)
        if stage.name in self._word("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        result = {"a": 1, "b": 2, "alone": 0}.get(stage.name)
        if result is None:
            result = self.value("a") + self.value("b") if stage.name == "c" else self.value("c") + 1
        files.atomic_write(self.folder / "results" / f"{stage.name}.json", json.dumps(result))
        return True
