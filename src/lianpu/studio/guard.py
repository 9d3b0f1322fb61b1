"""Who may speak to the studio. A server on 127.0.0.1 can be reached by every page the browser shows and every user of the machine; so each
request, HTTP or WebSocket, must name this server as its host, come from its own page, and carry the cookie that a one-time token was
exchanged for. What a request may bring is limited while it arrives.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from lianpu import files

__all__ = ["CSP", "Door", "Guard", "Refused"]

JSON_CAP = 1 << 20  # bytes of a request
UPLOAD_CAP = 64 << 20  # of a picture
ZIP_CAP = 1 << 30
PATIENCE = 30.0  # seconds for a body to begin; and then at least SLOWEST bytes a second
SLOWEST = 32_768
SESSIONS = 16
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE"}
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self'; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"geolocation=(), microphone=(), payment=(), usb=()"),
]
CLOSED_PAGE = """<!doctype html><html lang="zh"><meta charset="utf-8"><link rel="icon" href="data:,"><title>lianpu 脸谱</title>
<body><h1>lianpu 脸谱</h1><p>请用终端里显示的新链接打开工作室。每个链接只能用一次。</p>
<p lang="en">Open the studio with the newest link in the terminal. Each link works once.</p></body></html>"""
ON = """<!doctype html><html lang="zh"><meta charset="utf-8"><link rel="icon" href="data:,"><title>lianpu 脸谱</title>
<meta http-equiv="refresh" content="0;url={}"></html>"""
"""Leads on. After a redirect the browser would keep back the cookie of a visit that began in a file; what a page leads to, it began."""


class Door:
    """Tokens, and the cookies they were exchanged for. Only hashes are kept, in a file of the project, so that a restart of the studio
    leaves its pages open.
    """

    def __init__(self, port: int, memory: Path) -> None:
        self.port, self.memory = port, memory
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.cookie = f"lianpu-{port}"
        self.token = secrets.token_urlsafe(24)
        self.told = lambda: None
        """Called when a token was used up and a new one holds."""
        try:
            self.sessions: list[str] = [str(s) for s in json.loads(memory.read_text())][-SESSIONS:]
        except (OSError, ValueError, TypeError):
            self.sessions = []

    @property
    def link(self) -> str:
        """Opens the studio, once."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    def exchange(self, token: str) -> str | None:
        """A new cookie's value for the token; None for a wrong or used one."""
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            return None
        self.token = secrets.token_urlsafe(24)
        value = secrets.token_urlsafe(32)
        self.sessions = [*self.sessions, _hash(value)][-SESSIONS:]
        self._remember()
        self.told()
        return value

    def knows(self, value: str) -> bool:
        digest = _hash(value)
        return any(hmac.compare_digest(digest, each) for each in self.sessions)

    def forget(self, value: str) -> None:
        digest = _hash(value)
        self.sessions = [each for each in self.sessions if each != digest]
        self._remember()

    def page(self, path: Path) -> None:
        """Writes a page that only its user can read and that leads to the link: a browser's command line is for all to see."""
        _write_private(path, ON.format(self.link))

    def _remember(self) -> None:
        _write_private(self.memory, json.dumps(self.sessions))


def _write_private(path: Path, text: str) -> None:
    with files.new_file(path) as temporary:
        temporary.touch(mode=0o600)
        temporary.write_text(text, "utf-8")


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


class Refused(Exception):
    """What the guard does not let through; also raised where a body is read."""

    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(why)


class Guard:
    """ASGI: lets through what may pass."""

    def __init__(self, app: Any, door: Door) -> None:
        self.app, self.door = app, door

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        started = False

        async def answering(message: dict[str, Any]) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                mine = {name for name, _ in HEADERS}
                kept = [(k, v) for k, v in message["headers"] if k.lower() not in mine]
                cache = [] if any(k.lower() == b"cache-control" for k, _ in kept) else [(b"cache-control", b"no-store")]
                message = {**message, "headers": [*kept, *HEADERS, *cache]}
            await send(message)

        try:
            value = self._look(scope)
            if value is None:
                return await self._enter(scope, answering)
            scope["lianpu.session"] = value
            if scope["type"] == "http":
                receive = await self._limited(scope, receive)
            await self.app(scope, receive, answering)
        except Refused as refused:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            elif not started:
                await _say(answering, refused.status, refused.why)
            else:
                raise

    def _look(self, scope: dict[str, Any]) -> str | None:
        """The session's cookie; None where a token is offered instead. Raises Refused."""
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        one = {name: values[0].decode("latin-1") for name, values in headers.items()}
        if len(headers.get(b"host", [])) != 1 or one[b"host"] not in self.door.hosts:
            raise Refused(403, "This is not the host it was asked for.")
        method = scope.get("method", "GET") if scope["type"] == "http" else "WEBSOCKET"
        if method not in METHODS and method != "WEBSOCKET":
            raise Refused(405, "No such method.")
        origin = one.get(b"origin")
        safe = method in ("GET", "HEAD")
        if (origin is None and not safe) or (origin is not None and origin != f"http://{one[b'host']}"):
            raise Refused(403, "The request comes from another page.")
        if method == "GET" and scope["path"] == "/" and b"token=" in scope["query_string"]:
            return None  # from wherever it comes: who knows the token may enter
        if one.get(b"sec-fetch-site", "none") not in ("same-origin", "none"):
            raise Refused(403, "The request comes from another site.")
        if method == "POST" and one.get(b"content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused(415, "Only application/json is read.")
        value = _cookie(one.get(b"cookie", ""), self.door.cookie)
        if not value or not self.door.knows(value):
            raise Refused(401, CLOSED_PAGE if safe else "No session.")
        return value

    async def _enter(self, scope: dict[str, Any], send: Any) -> None:
        """A token for a cookie, and on to the address without it."""
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        value = self.door.exchange(token)
        if value is not None:
            cookie = f"{self.door.cookie}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000"
            return await _say(send, 200, ON.format("/"), (b"set-cookie", cookie.encode()))
        held = next((v.decode("latin-1") for k, v in scope["headers"] if k.lower() == b"cookie"), "")
        inside = self.door.knows(_cookie(held, self.door.cookie))  # a used link, opened again where it was used
        await (_say(send, 200, ON.format("/")) if inside else _say(send, 401, CLOSED_PAGE))

    async def _limited(self, scope: dict[str, Any], receive: Any) -> Any:
        """`receive` with a cap on bytes and on time. All but uploads are read whole, before anything else happens."""
        upload = scope["method"] == "PUT"
        zips = scope["path"].startswith("/api/sources/")
        headers = {k.lower(): v for k, v in scope["headers"]}
        cap = JSON_CAP
        if upload:
            cap = ZIP_CAP if zips and headers.get(b"content-type") == b"application/zip" else UPLOAD_CAP
        if b"transfer-encoding" not in headers:
            declared = headers.get(b"content-length", b"0")
            if not declared.isdigit():
                raise Refused(400, "A length is a number.")
            if int(declared) > cap:
                raise Refused(413, f"More than {cap >> 20} MiB.")
        began, seen = time.monotonic(), 0

        async def limited() -> dict[str, Any]:
            nonlocal seen
            left = began + PATIENCE + seen / SLOWEST - time.monotonic()
            try:
                message = await asyncio.wait_for(receive(), max(left, 0.001))
            except TimeoutError:
                raise Refused(408, "The request came too slowly.") from None
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > cap:
                    raise Refused(413, f"More than {cap >> 20} MiB.")
            return message

        if upload:
            return limited
        body = bytearray()
        while True:
            message = await limited()
            if message["type"] != "http.request":
                break
            body += message.get("body", b"")
            if not message.get("more_body"):
                message = {"type": "http.request", "body": bytes(body), "more_body": False}
                break
        given = iter([message])

        async def whole() -> dict[str, Any]:
            return next(given, None) or await receive()

        return whole


def _cookie(text: str, name: str) -> str:
    """The value of a cookie; other programs on this machine may have set others, whatever is in them."""
    for part in text.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


async def _say(send: Any, status: int, text: str, *more: tuple[bytes, bytes]) -> None:
    kind = b"text/html; charset=utf-8" if text.startswith("<") else b"text/plain; charset=utf-8"
    body = text.encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"connection", b"close"), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
