"""One function over many inputs on all cores, results in order. A worker that a picture kills (a decoder's fault,
memory) costs that picture, not the run.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from typing import TypeVar

__all__ = ["cores", "each"]

A = TypeVar("A")
B = TypeVar("B")
AHEAD = 4
FEW = 24  # inputs up to which starting processes costs more than it saves


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(
    function: Callable[[A], B], inputs: Sequence[A], lost: Callable[[A], B], workers: int | None = None
) -> Iterator[B]:
    """`function` of each input, in order; `lost(input)` where the process died of it. With 1 worker all is done in this process;
    with None few inputs are, and many on all cores.
    """
    if workers is None:
        workers = cores() if len(inputs) > FEW else 1
    if min(workers, len(inputs)) <= 1:
        yield from map(function, inputs)
        return
    done = 0
    while done < len(inputs):
        for result in _until_a_death(function, inputs[done:], workers):
            yield result
            done += 1
        # one of those under way killed its worker: take them one at a time, so that each death is known by its input
        for item in inputs[done : done + 2 * workers]:
            survived = list(_until_a_death(function, [item], 1))
            yield survived[0] if survived else lost(item)
            done += 1


def _until_a_death(function: Callable[[A], B], inputs: Sequence[A], workers: int) -> Iterator[B]:
    """Results in order, ending early where a worker dies. Never more than AHEAD inputs a worker are under way: results wait
    in little memory, and what a stop finds unbegun stays so.
    """
    workers = min(workers, len(inputs))
    waiting: deque[Future[B]] = deque()
    with _pool(workers) as pool:
        try:
            for item in inputs:
                waiting.append(pool.submit(function, item))
                if len(waiting) == AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            return
        except BaseException:  # Ctrl-C, or the consumer stopped: drop what has not begun
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _pool(workers: int) -> ProcessPoolExecutor:
    # spawn: forking a process that holds torch's threads can hang
    return ProcessPoolExecutor(workers, get_context("spawn"), initializer=_leave_signals_to_parent)


def _leave_signals_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever, and keep the terminal's pipe open."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
