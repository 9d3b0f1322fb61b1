"""One function over many inputs on all cores, results in order. A worker that a picture kills (a decoder's fault,
memory) costs that picture, not the run.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

__all__ = ["cores", "each"]

A = TypeVar("A")
B = TypeVar("B")
FEW = 24  # inputs up to which starting processes costs more than it saves


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(
    function: Callable[[A], B], inputs: Sequence[A], lost: Callable[[A], B], workers: int | None = None
) -> Iterator[B]:
    """`function` of each input, in order; `lost(input)` where the process died of it. `workers` 1 stays in this
    process.
    """
    if workers is None:
        workers = cores() if len(inputs) > FEW else 1
    if min(workers, len(inputs)) <= 1:
        yield from map(function, inputs)
        return
    done = 0
    with _pool(min(workers, len(inputs))) as pool:
        try:
            for result in pool.map(function, inputs, chunksize=1):
                yield result
                done += 1
        except BrokenProcessPool:
            pass
        except BaseException:  # Ctrl-C, or the consumer stopped: drop what has not begun
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    while done < len(inputs):  # one at a time, each death known by its input
        with _pool(1) as pool:
            try:
                for item in inputs[done:]:
                    yield pool.submit(function, item).result()
                    done += 1
            except BrokenProcessPool:
                yield lost(inputs[done])
                done += 1


def _pool(workers: int) -> ProcessPoolExecutor:
    # spawn: forking a process that holds torch's threads can hang
    return ProcessPoolExecutor(workers, get_context("spawn"), initializer=_leave_signals_to_parent)


def _leave_signals_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
