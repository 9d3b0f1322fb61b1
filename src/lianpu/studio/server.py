"""The server: the studio's page, and under /api what it may ask. It answers, and hands work to `jobs`; it never fetches an address, never
opens a path it was given, and never shows a file as anything but what its first bytes say it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import filelock
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lianpu import __version__, files, images, recipes
from lianpu.errors import DataError, LianpuError, ResourceError
from lianpu.studio import commands, frames
from lianpu.studio.guard import Door, Guard, Refused
from lianpu.studio.jobs import Full, Jobs, require_there, shown
from lianpu.studio.project import ROLES, Project, media_type, recipe_of, svg_of
from lianpu.studio.wishes import live_of, wish_of

__all__ = ["create", "serve"]

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml", ".png": "image/png", ".woff2": "font/woff2",
}  # fmt: skip
VERBS = {"generate": "generate", "walk": "generate", "translate": "translate", "lift": "lift", "draw": "sample"}
"""Kind of a job -> the verb of the recipes in what it makes."""
SOCKETS = 32
PENDING = 128  # live requests that one page may have waiting
FRAME = 8 << 20  # bytes of one WebSocket message
STATUS = {2: 422, 3: 422, 4: 422, 5: 503, 6: 422}
SOURCE_FILES = 20_000


class _Title(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: str = Field("", max_length=80)


def create(project: Project, door: Door) -> Any:
    """The application, behind its guard."""
    jobs = Jobs(project)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        jobs.go_on()
        starting = asyncio.create_task(_starters(project, jobs))
        yield
        starting.cancel()
        await jobs.end()

    app = FastAPI(
        title="lianpu studio", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    app.state.jobs = jobs
    _errors(app)
    _page(app, door)
    _state(app, project, jobs)
    _files(app, project, jobs)
    _sources(app, project, jobs)
    _library(app, project, jobs)
    _live(app, project, jobs)
    return Guard(app, door)


async def _starters(project: Project, jobs: Jobs) -> None:
    if not (project.files_of("reference") or project.files_of("sketch")):
        with contextlib.suppress(LianpuError):
            await jobs.worker.live({"kind": "starters"})
            jobs._send({"event": "files"})


# ------------------------------------------------------------------------------------------------------------------ errors


def _errors(app: FastAPI) -> None:
    def said(status: int, what: str, where: str = "", fix: str = "", code: int = 2) -> JSONResponse:
        return JSONResponse({"error": {"what": what, "where": where, "fix": fix, "code": code}}, status)

    @app.exception_handler(LianpuError)
    async def ours(request: Request, error: LianpuError) -> JSONResponse:
        status = 429 if isinstance(error, Full) else STATUS.get(error.exit_code, 500)
        return said(status, error.what, error.where, error.fix, error.exit_code)

    @app.exception_handler(ValidationError)
    async def form(request: Request, error: ValidationError) -> JSONResponse:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return said(422, "this request is not understood.", ".".join(map(str, first["loc"])), first["msg"])

    @app.exception_handler(Refused)
    async def cut(request: Request, error: Refused) -> JSONResponse:
        answer = said(error.status, error.why)
        answer.headers["connection"] = "close"  # the rest of the body is not waited for
        return answer

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        return said(error.status_code, str(error.detail))


def _there(value: Any) -> Any:
    """404 for what is not there."""
    if value is None:
        raise HTTPException(404, "there is nothing under this id.")
    return value


def _require_unused(jobs: Jobs, id: str) -> None:
    if jobs.uses(id):
        raise HTTPException(409, "a job that waits or runs uses this: stop it first.")


def _refused(error: dict[str, Any]) -> HTTPException | LianpuError:
    return DataError(error["what"], error["where"], error["fix"])


def _picture(content: bytes, *, name: str = "") -> Response:
    """A picture by what its first bytes say; a name makes it a download."""
    kind = media_type(content)
    headers = {"cache-control": "private, max-age=31536000, immutable"}
    if kind is None or name:
        headers["content-disposition"] = f"attachment; filename*=utf-8''{_quoted(name or 'file')}"
    return Response(content, media_type=kind or "application/octet-stream", headers=headers)


def _download(content: bytes, name: str) -> Response:
    headers = {"content-disposition": f"attachment; filename*=utf-8''{_quoted(name)}"}
    return Response(content, media_type="application/octet-stream", headers=headers)


def _quoted(name: str) -> str:
    return quote(name, safe="")


# -------------------------------------------------------------------------------------------------------------------- page


def _page(app: FastAPI, door: Door) -> None:
    pages = {f"/{p.relative_to(STATIC).as_posix()}": p for p in STATIC.rglob("*") if p.suffix in TYPES}

    def page(path: Path) -> Callable[[], Response]:
        content = path.read_bytes()  # once: lianpu may be updated while its studio runs

        def give() -> Response:
            headers = {"cache-control": "no-cache" if path.suffix == ".html" else "max-age=31536000, immutable"}
            return Response(content, media_type=TYPES[path.suffix], headers=headers)

        return give

    for address, path in pages.items():
        app.add_api_route("/" if address == "/index.html" else address, page(path), methods=["GET", "HEAD"])

    @app.post("/api/logout")
    async def logout(request: Request) -> dict[str, Any]:
        door.forget(request.scope["lianpu.session"])
        return {}


def _state(app: FastAPI, project: Project, jobs: Jobs) -> None:
    @app.get("/api/state")
    def state() -> dict[str, Any]:
        return {
            "version": __version__, "project": project.path.name,
            "models": project.models(), "datasets": project.datasets(), "recipes": _recipes(),
            "jobs": [shown(job) for job in list(jobs.all.values())],
        }  # fmt: skip

    @app.post("/api/jobs", status_code=201)
    async def add(request: Request) -> dict[str, Any]:
        wish = wish_of(_json(await request.body()))
        require_there(wish, project)
        return shown(jobs.add(wish))

    @app.post("/api/command")
    async def command(request: Request) -> dict[str, str]:
        """The command line of a wish or a live request, without doing it."""
        value = _json(await request.body())
        try:
            wish = wish_of(value)
        except ValidationError:
            wish = live_of(value)
        return {"command": commands.command(wish, project)}

    @app.get("/api/jobs/{id}")
    def job(id: str) -> dict[str, Any]:
        return _there(jobs.all.get(id))

    @app.post("/api/jobs/{id}/stop")
    async def stop(id: str) -> dict[str, Any]:
        _there(jobs.all.get(id))
        return shown(await jobs.stop(id))

    @app.post("/api/jobs/{id}/resume")
    async def resume(id: str) -> dict[str, Any]:
        _there(jobs.all.get(id))
        return shown(jobs.resume(id))

    @app.delete("/api/jobs/{id}")
    async def remove(id: str) -> dict[str, Any]:
        job = _there(jobs.all.get(id))
        if job["state"] in ("queued", "running"):
            raise HTTPException(409, "this job is under way: stop it first.")
        _require_unused(jobs, id)
        await jobs.remove(id)
        return {}

    @app.get("/api/jobs/{id}/run")
    def run(id: str) -> dict[str, Any]:
        """Ticks and samples of a training run."""
        folder = _there(project.job_folder(id)) / "run"
        ticks = []
        with contextlib.suppress(OSError):
            for line in (folder / "run.jsonl").read_bytes().decode("utf-8", "replace").splitlines():
                with contextlib.suppress(ValueError):
                    event = json.loads(line)
                    if isinstance(event, dict) and event.get("event") == "tick":
                        ticks.append(event)
        samples = sorted(int(p.stem) for p in (folder / "samples").glob("*.png") if p.stem.isdecimal())
        return {"ticks": ticks, "samples": samples}

    @app.get("/api/jobs/{id}/files/{name}")
    def beside(id: str, name: str) -> Response:
        """A mesh or numbers that a job made: only ever a download."""
        path = _there(next((p for p in project.beside(id) if p.name == name), None))
        return _download(path.read_bytes(), path.name)

    @app.get("/api/jobs/{id}/samples/{number}")
    def sample(id: str, number: int) -> Response:
        path = _there(project.job_folder(id)) / "run" / "samples" / f"{number:09d}.png"
        return _picture(_there(path.read_bytes() if 0 <= number < 10**12 and path.is_file() else None))


def _recipes() -> list[dict[str, Any]]:
    """Recipes of generators that train at a size and regime the page can choose."""
    found = []
    for r in recipes.RECIPES.values():
        net = asdict(r.config.net)
        regime = getattr(getattr(r.config, "augment", None), "mode", None)
        if regime is not None:
            found.append(
                {
                    "name": r.name, "about": r.about, "cost": r.cost, "score": r.score, "resolution": net["resolution"],
                    "augment": regime, "kimg": r.config.kimg, "batch": r.config.batch,
                }
            )  # fmt: skip
    return found


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "this is no JSON.") from None


# ------------------------------------------------------------------------------------------------------ drawings, references


async def _received(request: Request, project: Project, *, empty: bool = False) -> tuple[Path, str]:
    """The body in a temporary file of the project, and its SHA-256. empty: whether nothing will do."""
    path = project.path / "files" / f".partial-{secrets.token_hex(8)}"
    digest = hashlib.sha256()
    try:
        with files.writing(path), open(path, "wb") as file:
            async for piece in request.stream():
                digest.update(piece)
                file.write(piece)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if not empty and path.stat().st_size == 0:
        path.unlink()
        raise DataError("the file is empty.")
    return path, digest.hexdigest()


def _name_of(request: Request) -> str:
    return unquote(request.headers.get("x-name", ""), errors="replace")[:1000] or "picture"


def _files(app: FastAPI, project: Project, jobs: Jobs) -> None:
    @app.get("/api/files")
    def listed(role: str) -> list[dict[str, Any]]:
        return project.files_of(role) if role in ROLES else _there(None)

    @app.put("/api/files", status_code=201)
    async def keep(request: Request, role: str) -> dict[str, Any]:
        if role not in ROLES:
            raise HTTPException(422, f"a file is one of {', '.join(ROLES)}.")
        path, sha256 = await _received(request, project)
        try:
            return await _keep(path, sha256, _name_of(request), role)
        finally:
            path.unlink(missing_ok=True)

    async def _keep(path: Path, sha256: str, name: str, role: str) -> dict[str, Any]:
        said, thumb = await jobs.worker.live({"kind": "receive", "path": str(path), "role": role})
        if not said["ok"]:
            error = said["error"]
            raise DataError(error["what"].replace(path.name, name), "", error["fix"])
        facts = {k: said[k] for k in ("width", "height", "notes")}
        about = project.keep_file(path, sha256, name, role, facts)
        files.atomic_write(project.path / "files" / f"{about['id']}.thumb.png", thumb, durable=False)
        return about

    @app.get("/api/files/{id}/picture")
    async def picture(id: str) -> Response:
        """What was kept, as a PNG where a browser would not show it."""
        path = _there(project.file(id))
        content = await asyncio.to_thread(images.read_bytes, path)
        if media_type(content) is None:
            said, content = await jobs.worker.live({"kind": "show", "path": str(path)})
            if not said["ok"]:
                raise _refused(said["error"])
        return _picture(content)

    @app.get("/api/files/{id}/thumb")
    def thumb(id: str) -> Response:
        _there(project.file(id))
        path = project.path / "files" / f"{id}.thumb.png"
        return _picture(_there(path.read_bytes() if path.is_file() else None))

    @app.delete("/api/files/{id}")
    async def remove(id: str) -> dict[str, Any]:
        _there(project.file(id))
        _require_unused(jobs, id)
        project.remove_file(id)
        (project.path / "files" / f"{id}.thumb.png").unlink(missing_ok=True)
        return {}

    @app.post("/api/library/{id}/keep")
    async def reuse(request: Request, id: str) -> dict[str, Any]:
        """A result as a reference."""
        path = _there(project.result(id))
        if path.suffix != ".png":
            raise HTTPException(422, "a film is no reference.")
        copy = project.path / "files" / f".partial-{secrets.token_hex(8)}"
        content = path.read_bytes()
        copy.write_bytes(content)
        try:
            return await _keep(copy, hashlib.sha256(content).hexdigest(), path.name, "reference")
        finally:
            copy.unlink(missing_ok=True)


# ----------------------------------------------------------------------------------------------------------------- sources


def _sources(app: FastAPI, project: Project, jobs: Jobs) -> None:
    held: dict[str, int] = {}  # files of each source that received some
    naming = asyncio.Lock()  # from finding a free name to taking it

    @app.get("/api/sources")
    def listed() -> list[dict[str, Any]]:
        return project.sources()

    @app.post("/api/sources", status_code=201)
    async def new(request: Request) -> dict[str, Any]:
        about = _Title.model_validate(_json(await request.body()))
        return {"id": project.new_source(about.title), "title": about.title}

    @app.put("/api/sources/{id}/files", status_code=201)
    async def put(request: Request, id: str) -> dict[str, Any]:
        _there(project.source(id))
        if held.get(id, SOURCE_FILES) >= SOURCE_FILES:  # unknown, or counted with what came twice
            held[id] = await asyncio.to_thread(project.source_files, id)
        if held[id] >= SOURCE_FILES:
            raise HTTPException(413, f"more than {SOURCE_FILES} files.")
        path, _ = await _received(request, project, empty=True)  # an empty file is for the quarantine to tell of
        try:
            async with naming:
                place = await asyncio.to_thread(project.keep_material, id, path, _name_of(request))
        finally:
            path.unlink(missing_ok=True)
        held[id] += 1
        return {"name": _there(place).name}

    @app.get("/api/sources/{id}")
    def rows(id: str) -> dict[str, Any]:
        """What the last look found: a row for each picture, and what was left out and why."""
        folder = _there(project.source(id))
        about = next((s for s in project.sources() if s["id"] == id), {})
        return {**about, **_looked(project, id, folder / "look")}

    @app.get("/api/sources/{id}/rows/{name}")
    def row(id: str, name: str) -> Response:
        folder = _there(project.source(id)) / "look" / "train"
        path = next((p for p in (folder.iterdir() if folder.is_dir() else ()) if p.name == name), None)
        return _picture(_there(path and path.read_bytes()))

    @app.delete("/api/sources/{id}")
    async def remove(id: str) -> dict[str, Any]:
        folder = _there(project.source(id))
        _require_unused(jobs, id)
        await asyncio.to_thread(files.remove, folder)
        return {}


def _looked(project: Project, id: str, look: Path) -> dict[str, Any]:
    from lianpu.data import archive, records

    try:
        found = records.read_records(look, "train")
        _, items, _ = archive.collect(project.source_paths(id), look)
    except LianpuError:
        return {"looked": False, "rows": [], "quarantine": []}
    finally:
        archive.close()
    number = {item.name: i for i, item in enumerate(items)}
    keys = ("file_name", "source", "colour", "colour_confidence", "group", "licence", "rights_source", "notes")
    rows = [{"number": number.get(r["source"], 0), **{k: r.get(k) for k in keys}} for r in found]
    left_out = []
    with contextlib.suppress(OSError, ValueError):
        left_out = [json.loads(line) for line in (look / "quarantine.jsonl").read_text("utf-8").splitlines()]
    return {"looked": True, "rows": rows, "quarantine": left_out}


# ----------------------------------------------------------------------------------------------------------------- library


def _library(app: FastAPI, project: Project, jobs: Jobs) -> None:
    known: dict[tuple[str, float], dict[str, Any]] = {}

    def brief(result: dict[str, Any], path: Path) -> dict[str, Any]:
        key = result["id"], result["made"]
        if key not in known:
            if len(known) > 20_000:
                known.clear()
            recipe = recipe_of(path)
            model, subject = recipe.get("model"), recipe.get("subject")
            known[key] = {
                "verb": recipe.get("verb"), "model": model.get("name") if isinstance(model, dict) else None,
                "seed": subject.get("seed") if isinstance(subject, dict) else None,
            }  # fmt: skip
        return {**result, **known[key]}

    @app.get("/api/library")
    def listed(offset: int = 0, limit: int = 120, verb: str = "") -> dict[str, Any]:
        """Newest first; verb: only what it made."""
        kinds = {id: VERBS.get(job["kind"]) for id, job in list(jobs.all.items())}
        found = [r for r in project.results() if not verb or kinds.get(r["job"]) == verb]
        part = found[max(offset, 0) :][: max(0, min(limit, 500))]
        return {
            "total": len(found),
            "items": [brief(r, project.path / "jobs" / r["job"] / "out" / r["name"]) for r in part],
        }

    @app.get("/api/library/{id}")
    def one(id: str) -> dict[str, Any]:
        path = _there(project.result(id))
        job, recipe = jobs.all.get(path.parent.parent.name, {}), recipe_of(path)
        return {
            "id": id, "name": path.name, "recipe": recipe, "job": job.get("id"), "made": path.stat().st_mtime,
            "svg": svg_of(path).is_file(), "command": commands.again(path, recipe, project) or job.get("command", ""),
            "made_by": job.get("command", ""), "beside": [p.name for p in project.beside(path.parent.parent.name)],
        }  # fmt: skip

    @app.get("/api/library/{id}/picture")
    def picture(id: str, download: bool = False) -> Response:
        path = _there(project.result(id))
        if path.suffix == ".mp4":
            headers = {"content-disposition": f"attachment; filename*=utf-8''{_quoted(path.name)}"} if download else {}
            return Response(path.read_bytes(), media_type="video/mp4", headers=headers)
        return _picture(path.read_bytes(), name=path.name if download else "")

    @app.get("/api/library/{id}/svg")
    def svg(id: str) -> Response:
        path = svg_of(_there(project.result(id)))
        content = _there(path.read_bytes() if path.is_file() else None)
        return _download(content, path.name)

    @app.delete("/api/library/{id}")
    async def remove(id: str) -> dict[str, Any]:
        path = _there(project.result(id))
        for each in (path, svg_of(path)):
            each.unlink(missing_ok=True)
        return {}

    @app.post("/api/library/{id}/again")
    async def again(id: str) -> dict[str, Any]:
        return await _again(_there(project.result(id)))

    @app.put("/api/restore")
    async def restore(request: Request) -> dict[str, Any]:
        """A picture dropped on the window: its settings, and whether it was made again to the pixel."""
        path, _ = await _received(request, project)
        try:
            return await _again(path)
        finally:
            path.unlink(missing_ok=True)

    async def _again(path: Path) -> dict[str, Any]:
        said, content = await jobs.worker.live({"kind": "again", "path": str(path)})
        if not said["ok"]:
            raise _refused(said["error"])
        ids = {}
        for key in ("sketch", "reference"):
            source = said["recipe"].get(key)
            if isinstance(source, dict):
                ids[key] = next((f["id"] for f in project.files_of(key) if f["sha256"] == source.get("sha256")), None)
        return {
            "recipe": said["recipe"], "same": said["same"], "why": said.get("why"), "model": said["model"],
            "found": said.get("found"), **ids,
            "sha256": hashlib.sha256(content).hexdigest() if content else None,
        }  # fmt: skip


# -------------------------------------------------------------------------------------------------------------------- live


def _live(app: FastAPI, project: Project, jobs: Jobs) -> None:
    sockets: set[WebSocket] = set()

    @app.websocket("/api/live")
    async def live(page: WebSocket) -> None:
        if len(sockets) >= SOCKETS:
            await page.close(1013)
            return
        await page.accept()
        sockets.add(page)
        news: asyncio.Queue[dict[str, Any]] = asyncio.Queue(512)
        jobs.listeners.add(news)
        one = _Page(page, jobs)
        tasks = [asyncio.create_task(t) for t in (one.listen(), one.work(), one.tell(news))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sockets.discard(page)
            jobs.listeners.discard(news)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await page.close()


class _Page:
    """One open page: of what it asks under the same key, only the newest is done."""

    def __init__(self, page: WebSocket, jobs: Jobs) -> None:
        self.page, self.jobs = page, jobs
        self.waiting: dict[str, tuple[Any, dict[str, Any], bytes]] = {}
        self.news = asyncio.Event()

    async def listen(self) -> None:
        with contextlib.suppress(WebSocketDisconnect, ValueError, KeyError):
            while True:
                head, body = frames.unpack(await self.page.receive_bytes())
                key = str(head.get("key", ""))[:64]
                if old := self.waiting.pop(key, None):
                    await self._send({"n": old[0], "ok": False, "dropped": True})
                if len(self.waiting) >= PENDING:
                    error = {"what": "too much is asked at once.", "where": "", "fix": "Wait a moment.", "code": 5}
                    await self._send({"n": head.get("n"), "ok": False, "error": error})
                    continue
                self.waiting[key] = head.get("n"), head.get("ask", {}), body
                self.news.set()

    async def work(self) -> None:
        while True:
            await self.news.wait()
            if not self.waiting:
                self.news.clear()
                continue
            key = next(iter(self.waiting))
            number, ask, body = self.waiting.pop(key)
            try:
                wish = live_of(ask)
                said, content = await self.jobs.worker.live(wish.model_dump(), body)
                said = {k: v for k, v in said.items() if k != "of"} | {"n": number}
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False, include_context=False)[0]
                where = ".".join(map(str, first["loc"]))
                told = {"what": "this request is not understood.", "where": where, "fix": first["msg"], "code": 2}
                said, content = {"n": number, "ok": False, "error": told}, b""
            except LianpuError as error:
                said, content = {"n": number, "ok": False, "error": frames.failure(error)}, b""
            await self._send(said, content)

    async def tell(self, news: asyncio.Queue[dict[str, Any]]) -> None:
        while True:
            await self._send(await news.get())

    async def _send(self, head: dict[str, Any], body: bytes = b"") -> None:
        await self.page.send_bytes(frames.pack(head, body))


# ------------------------------------------------------------------------------------------------------------------- serve


def serve(folder: Path, *, port: int = 7878, browser: bool = True, say: Callable[[str], object] = print) -> None:
    """Runs the studio of the project in `folder` on 127.0.0.1 until it is stopped. port: 0 takes a free one.

    say: told the link that opens the studio, and a new one whenever that was used. Raises ResourceError where the port or the project is
    taken.
    """
    folder = folder.resolve()  # so that commands shown hold anywhere
    if not (STATIC / "index.html").is_file():
        raise ResourceError("the studio's page is not built.", str(STATIC), "Run: make studio")
    project = Project(folder)
    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ResourceError(
            "another studio has this project open.", str(folder), "Use its window, or give another --project."
        ) from None
    project.tidy()
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name != "nt":  # where it means only that a port just left can be taken again
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen(128)  # so that the link holds from the moment it is told
    except (OSError, OverflowError):
        listening.close()
        lock.release()
        raise ResourceError(
            f"port {port} is taken.", "127.0.0.1", "Choose another: --port 0 takes a free one."
        ) from None
    door = Door(listening.getsockname()[1], folder / "sessions.json")
    door.told = lambda: say(f"Another browser: {door.link}")  # pyright: ignore[reportAttributeAccessIssue]
    options = uvicorn.Config(
        create(project, door), http="h11", ws="websockets-sansio", ws_max_size=FRAME, log_level="warning",
        access_log=False, server_header=False, proxy_headers=False, timeout_graceful_shutdown=3, lifespan="on",
    )  # fmt: skip
    say(door.link)
    page = folder / "open.html"
    if browser:
        door.page(page)
        threading.Timer(0.7, lambda: webbrowser.open(page.as_uri())).start()
    try:
        uvicorn.Server(options).run(sockets=[listening])
    finally:
        page.unlink(missing_ok=True)
        listening.close()
        lock.release()
