"""The process that does the work: python -m lianpu.studio.worker PROJECT. It reads frames from stdin and answers on stdout; when stdin
closes, because the studio has ended or was killed, it ends too. Between two pictures of a job it answers live requests, so that painting
goes on while forty drawings are coloured.
"""

from __future__ import annotations

import collections
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from lianpu.errors import Stopped
from lianpu.studio import frames
from lianpu.studio.project import Project

__all__ = ["main"]


class Bench:
    """What lies before the worker: requests from the studio, read by a thread of its own; and the way to answer."""

    def __init__(self, project: Project) -> None:
        # whatever a library prints must not end up among the frames
        self.out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self.source = os.fdopen(os.dup(0), "rb")
        self.project = project
        self.waiting: collections.deque[tuple[dict[str, Any], bytes]] = collections.deque()
        self.news = threading.Condition()
        self.stop: set[str] = set()
        self.job = ""
        self.training = False
        self.told = 0.0
        self.alone = False
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while (frame := frames.read(self.source)) is not None:
            head, body = frame
            with self.news:
                if head["do"] == "stop":
                    again = head["id"] in self.stop  # a second signal would cut the snapshot off
                    self.stop.add(head["id"])
                    if not again and self.training and head["id"] == self.job:
                        signal.raise_signal(signal.SIGINT)
                else:
                    if head["do"] == "job":
                        self.stop.discard(head["job"]["id"])  # it was stopped before, and now goes on
                    self.waiting.append((head, body))
                self.news.notify()
        self.alone = True
        if not self.training:
            os._exit(0)  # nobody is left to work for; what was being written has a temporary name
        if self.job not in self.stop:
            signal.raise_signal(signal.SIGINT)  # the run writes a snapshot and stops
        time.sleep(120)
        os._exit(1)  # it does not

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        try:
            frames.write(self.out, head, body)
        except (BrokenPipeError, ValueError):
            if not self.training:
                os._exit(0)

    def next(self) -> tuple[dict[str, Any], bytes]:
        with self.news:
            self.news.wait_for(lambda: self.waiting)
            return self.waiting.popleft()

    # ---------------------------------------------------------------------------------------------------------- a job

    def do(self, job: dict[str, Any]) -> None:
        from lianpu.studio import tasks

        self.job, self.training = job["id"], job["kind"] == "train"
        try:
            if job["id"] in self.stop:
                raise Stopped("stopped before it began.")
            result = tasks.carry_out(self.project, job, self)
            end: dict[str, Any] = {"state": "done", "result": result}
        except (Stopped, KeyboardInterrupt):
            end = {"state": "stopped", "error": None}
        except BaseException as error:
            end = {"state": "failed", "error": frames.failure(error)}
        self.send({"of": "job", "id": job["id"], "event": "end", **end})
        self.job, self.training = "", False
        if self.alone:
            os._exit(0)

    def breathe(self) -> None:
        """Answers live requests that wait, then says whether to go on."""
        if not self.training:
            while self.waiting and self.waiting[0][0]["do"] == "live":
                self.live(*self.waiting.popleft())
        if self.job in self.stop:
            raise KeyboardInterrupt

    def count(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        if done >= total or now - self.told > 0.1:
            self.told = now
            self.send({"of": "job", "id": self.job, "event": "count", "done": done, "total": total, "what": what})
        self.breathe()

    def say(self, text: str) -> None:
        self.send({"of": "job", "id": self.job, "event": "say", "text": text})

    def status(self, status: dict[str, Any], tick: bool) -> None:
        self.send({"of": "job", "id": self.job, "event": "status", "status": status, "tick": tick})

    # ----------------------------------------------------------------------------------------------------------- live

    def live(self, head: dict[str, Any], body: bytes) -> None:
        from lianpu.studio import tasks

        try:
            said, content = tasks.answer(self.project, head["ask"], body)
            self.send({"of": "live", "n": head["n"], "ok": True, **said}, content)
        except Exception as error:
            self.send({"of": "live", "n": head["n"], "ok": False, "error": frames.failure(error)})


def main() -> None:
    project = Project(Path(sys.argv[1]))
    bench = Bench(project)
    bench.send({"of": "ready", "pid": os.getpid()})
    while True:
        try:
            head, body = bench.next()
            if head["do"] == "job":
                bench.do(head["job"])
            else:
                bench.live(head, body)
        except KeyboardInterrupt:  # Ctrl-C in the terminal reaches all its processes; the studio tells us when to end
            continue


if __name__ == "__main__":
    main()
