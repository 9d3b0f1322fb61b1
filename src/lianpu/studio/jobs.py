"""Jobs: a queue of files, one worker process that does them in turn, and a second one while a model trains. A job is what its job.json
says; this process may be killed at any moment, and the next one finds every job as it was, those in mid-work marked as interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from lianpu import files
from lianpu.errors import LianpuError, ResourceError, UsageError
from lianpu.studio import commands, frames
from lianpu.studio.project import Project, new_id
from lianpu.studio.wishes import Lift, Measure, Train, Wish

__all__ = ["FULL", "Full", "Hand", "Jobs"]

FULL = 32  # jobs that may wait
LIVE_FULL = 64  # live requests that may wait
LIVE_SECONDS = 600.0  # the first request waits until the worker has loaded torch, minutes on a slow disk
OPEN = ("queued", "running")
SAID = 200  # sentences kept of a job


class Full(LianpuError):
    """The queue is full: HTTP 429."""

    exit_code = 5


class Hand:
    """A worker process, started when it is first needed and again after it died."""

    def __init__(self, project: Project, heard: Callable[[dict[str, Any]], None], lost: Callable[[Hand], None]) -> None:
        self.project, self.heard, self.lost = project, heard, lost
        self.process: asyncio.subprocess.Process | None = None
        self.asked: dict[int, asyncio.Future[tuple[dict[str, Any], bytes]]] = {}
        self.number = 0
        self.starting = asyncio.Lock()
        self.listening: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.returncode is None else None

    async def _started(self) -> asyncio.subprocess.Process:
        async with self.starting:
            if self.process is None or self.process.returncode is not None:
                options: dict[str, Any] = {}
                if os.name == "nt":
                    options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP  # type: ignore[attr-defined]
                else:
                    options["start_new_session"] = True  # Ctrl-C in the terminal is ours to pass on
                try:
                    self.process = await asyncio.create_subprocess_exec(
                        sys.executable, "-m", "lianpu.studio.worker", str(self.project.path),
                        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, **options,
                    )  # fmt: skip
                except OSError as error:
                    raise ResourceError(
                        f"the worker cannot be started: {error.strerror}.",
                        sys.executable,
                        "Close other programs, then try again.",
                    ) from error
                self.listening = asyncio.create_task(self._listen(self.process))
            return self.process

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        try:
            while True:
                (length,) = struct.unpack(">I", await process.stdout.readexactly(4))
                head, body = frames.unpack(await process.stdout.readexactly(length))
                if head["of"] == "live":
                    if (future := self.asked.pop(head["n"], None)) and not future.done():
                        future.set_result((head, body))
                else:
                    self.heard(head)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Exception:
            process.kill()  # nobody listens to it any more
            raise
        finally:
            await process.wait()
            for future in self.asked.values():
                if not future.done():
                    future.set_exception(
                        ResourceError("the worker was stopped.", "", "Try again: it has been started anew.")
                    )
            self.asked.clear()
            if self.process is process:
                self.process = None
            self.lost(self)

    async def tell(self, head: dict[str, Any], body: bytes = b"") -> None:
        process = await self._started()
        assert process.stdin
        frame = frames.pack(head, body)
        with contextlib.suppress(ConnectionError):
            process.stdin.write(struct.pack(">I", len(frame)) + frame)
            await process.stdin.drain()

    async def live(self, ask: dict[str, Any], body: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """The answer to a live request; its `ok` says whether it is one."""
        if len(self.asked) >= LIVE_FULL:
            raise Full("too much is asked at once.", "", "Wait a moment.")
        self.number += 1
        number = self.number
        future: asyncio.Future[tuple[dict[str, Any], bytes]] = asyncio.get_running_loop().create_future()
        self.asked[number] = future
        try:
            await self.tell({"do": "live", "n": number, "ask": ask}, body)
            return await asyncio.wait_for(future, LIVE_SECONDS)
        except TimeoutError:
            raise ResourceError("this takes too long.", "", "Wait until the running job has ended.") from None
        finally:
            self.asked.pop(number, None)

    async def end(self, seconds: float = 5.0) -> None:
        """Lets the process end: a run writes its snapshot first."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        assert process.stdin
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self.listening:
            await asyncio.wait([self.listening])


class Jobs:
    """All jobs of a project, and who does them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.listeners: set[asyncio.Queue[dict[str, Any]]] = set()
        self.worker = Hand(project, self._heard, self._lost)
        self.trainer = Hand(project, self._heard, self._lost)
        self.all: dict[str, dict[str, Any]] = {}
        self.running: dict[str, Hand] = {}
        self.resting: set[Hand] = set()
        """Hands that are ending their process before the next job."""
        self.ending = False
        for job in project.jobs():
            if job["state"] == "running":
                job |= {"state": "interrupted", "ended": time.time()}
                self._changed(job)
            self.all[job["id"]] = job

    # ---------------------------------------------------------------------------------------------------------- asking

    def add(self, wish: Wish) -> dict[str, Any]:
        """A new job at the end of the queue."""
        if sum(job["state"] == "queued" for job in self.all.values()) >= FULL:
            raise Full(f"{FULL} jobs wait already.", "", "Wait until some are done, or remove some.")
        if files.free_bytes(self.project.path) < 200e6:
            raise ResourceError("the disk is nearly full.", str(self.project.path), "Free some space.")
        id = new_id()
        folder = self.project.path / "jobs" / id
        job = {
            "id": id, "kind": wish.kind, "wish": wish.model_dump(), "state": "queued", "created": time.time(),
            "command": commands.command(wish, self.project, folder), "done": 0, "total": 0, "said": [],
        }  # fmt: skip
        self.project.write_job(job)
        self.all[id] = job
        self._tell(job)
        self.go_on()
        return job

    def resume(self, id: str) -> dict[str, Any]:
        """Queues a job that was stopped, interrupted or failed; it goes on where it was."""
        job = self._find(id)
        if job["state"] in OPEN:
            raise UsageError("this job is under way already.")
        if sum(j["state"] == "queued" for j in self.all.values()) >= FULL:
            raise Full(f"{FULL} jobs wait already.", "", "Wait until some are done, or remove some.")
        done = job["done"] if job["kind"] == "train" else 0  # other jobs count what is there anew
        job |= {"state": "queued", "queued": time.time(), "error": None, "done": done}
        self._changed(job)
        self.go_on()
        return job

    async def stop(self, id: str) -> dict[str, Any]:
        """Stops a job between two pictures; a run writes a snapshot first."""
        job = self._find(id)
        if job["state"] == "queued":
            job |= {"state": "stopped", "ended": time.time()}
            self._changed(job)
        elif job["state"] == "running":
            await self.running[id].tell({"do": "stop", "id": id})
        return job

    async def remove(self, id: str) -> None:
        """Removes a job and all it made."""
        job = self._find(id)
        if job["state"] in OPEN:
            raise UsageError("this job is under way.", "", "Stop it first.")
        del self.all[id]
        try:
            await asyncio.to_thread(files.remove, self.project.path / "jobs" / id)
        except ResourceError:
            self.all[id] = job
            raise
        self._send({"event": "removed", "id": id})

    def uses(self, id: str) -> bool:
        """Whether the wish of a job that waits or runs names this file, material, job or model."""
        return any(job["state"] in OPEN and f'"{id}"' in json.dumps(job["wish"]) for job in self.all.values())

    def _find(self, id: str) -> dict[str, Any]:
        if id not in self.all:
            raise KeyError(id)
        return self.all[id]

    # ----------------------------------------------------------------------------------------------------------- doing

    def go_on(self) -> None:
        """Gives each free hand its next job."""
        if self.ending:
            return
        for hand, training in ((self.worker, False), (self.trainer, True)):
            if hand in self.running.values() or hand in self.resting:
                continue
            waiting = (j for j in self.all.values() if j["state"] == "queued" and (j["kind"] == "train") == training)
            if job := min(waiting, key=lambda j: j.get("queued", j["created"]), default=None):
                self.running[job["id"]] = hand
                job |= {"state": "running", "started": time.time(), "said": []}
                self._changed(job)
                asked = {k: job[k] for k in ("id", "kind", "wish")}
                asyncio.get_running_loop().create_task(self._give(hand, asked))

    async def _give(self, hand: Hand, asked: dict[str, Any]) -> None:
        try:
            await hand.tell({"do": "job", "job": asked})
        except ResourceError as error:
            self._ended(self.all[asked["id"]], {"state": "failed", "error": frames.failure(error)})

    def _heard(self, head: dict[str, Any]) -> None:
        if head["of"] != "job" or (job := self.all.get(head["id"])) is None:
            return
        match head["event"]:
            case "count":
                job |= {"done": head["done"], "total": head["total"], "what": head["what"]}
                self._tell(job)
            case "say":
                job["said"] = [*job["said"][1 - SAID :], head["text"]]
                self._tell(job)
            case "status":
                job |= {"status": head["status"], "done": head["status"]["kimg"], "total": head["status"]["of_kimg"]}
                self._tell(job)
            case "end":
                ended = {"state": head["state"], "error": head.get("error"), "result": head.get("result", {})}
                self._ended(job, ended)

    def _ended(self, job: dict[str, Any], how: dict[str, Any]) -> None:
        hand = self.running.pop(job["id"], None)
        job |= {**how, "ended": time.time()}
        self._changed(job)
        if hand is self.trainer and not self.ending:  # its memory is given back; the next run starts a new one
            self.resting.add(self.trainer)
            asyncio.get_running_loop().create_task(self._rest())
        self.go_on()

    async def _rest(self) -> None:
        await self.trainer.end()
        self.resting.discard(self.trainer)
        self.go_on()

    def _lost(self, hand: Hand) -> None:
        """A worker has died: what it was at is marked, and the next job starts another."""
        for id in [id for id, other in self.running.items() if other is hand]:
            self._ended(self.all[id], {"state": "interrupted"})

    def _changed(self, job: dict[str, Any]) -> None:
        try:
            self.project.write_job(job)
        except ResourceError as error:  # it goes on without; what is on the disk is only older
            job["error"] = job.get("error") or frames.failure(error)
        self._tell(job)

    # --------------------------------------------------------------------------------------------------------- hearing

    def _tell(self, job: dict[str, Any]) -> None:
        self._send({"event": "job", "job": shown(job)})

    def _send(self, news: dict[str, Any]) -> None:
        for queue in self.listeners:
            if queue.full():  # a page that does not listen reads the whole list when it comes back
                with contextlib.suppress(asyncio.QueueEmpty):
                    queue.get_nowait()
            queue.put_nowait(news)

    async def end(self) -> None:
        """Stops all: called when the studio ends. Jobs under way are marked as interrupted."""
        self.ending = True
        await asyncio.gather(self.worker.end(2.0), self.trainer.end(60.0))


def shown(job: dict[str, Any]) -> dict[str, Any]:
    """A job as the browser sees it: with the newest of what was said."""
    return job | {"said": job["said"][-20:]}


def require_there(wish: Wish, project: Project) -> None:
    """UsageError for a wish that names what is not there."""
    missing: list[str] = []
    if isinstance(wish, Train | Measure):
        missing += [] if project.dataset(wish.data) else ["data set"]
        missing += ["model"] if isinstance(wish, Measure) and project.model(wish.run) is None else []
    else:
        model = getattr(wish, "model", None)
        missing += ["model"] if model is not None and project.model(model) is None else []
        source = getattr(wish, "source", None)
        missing += ["material"] if source is not None and not project.source_paths(source) else []
        ids = [*getattr(wish, "sketches", []), *getattr(wish, "references", [])] if wish.kind == "translate" else []
        if isinstance(wish, Lift):
            ids = [wish.face.picture] if wish.face.picture is not None else []
            found = wish.face.found
            missing += ["face"] if found is not None and project.found_face(found) is None else []
        missing += ["picture"] if any(project.file(id) is None for id in ids) else []
    if missing:
        raise UsageError(f"there is no such {missing[0]} in this project.", "", "Reload the page.")
