"""The kinds of runs. A new one is a configuration, a task that reads like its paper, a `run.Run` around it, and a line here."""

from __future__ import annotations

from lianpu.config import LiftConfig, RunConfig, TrainConfig, TranslateConfig
from lianpu.train.generators import GeneratorRun
from lianpu.train.lifters import LifterRun
from lianpu.train.run import Run
from lianpu.train.translators import TranslatorRun

__all__ = ["KINDS", "kind_of"]

KINDS: dict[type, type[Run]] = {TrainConfig: GeneratorRun, TranslateConfig: TranslatorRun, LiftConfig: LifterRun}
"""A run's configuration -> its kind."""


def kind_of(config: RunConfig) -> type[Run]:
    return KINDS[type(config)]
