"""Who is let in, and what a request may bring: every HTTP case of the security notes, against a real server."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from lianpu import images
from lianpu.studio import frames
from tests.studio.opened import WAIT, studio, wait_for

np = pytest.importorskip("numpy")


def raw(port: int, request: bytes, wait: float = 10.0) -> bytes:
    """Bytes as they are, and the answer's first bytes; none where the connection is cut. TimeoutError for silence."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as s:
        try:
            s.sendall(request)
            return s.recv(4096)
        except ConnectionError:
            return b""


def alive(opened) -> bool:
    return opened.ask("GET", "/api/state")[0].status == 200


# ---------------------------------------------------------------------------------------------------------------- entering


def test_nothing_is_shown_without_the_cookie(opened):
    for path in ("/", "/api/state", "/icon.svg", "/api/library", "/nowhere"):
        for cookie in ("", f"lianpu-{opened.port}=", f"lianpu-{opened.port}=wrong", opened.cookie[:-1]):
            assert opened.ask("GET", path, cookie=cookie)[0].status == 401, path
    assert alive(opened)


def test_a_token_opens_once_and_a_wrong_one_never(tmp_path):
    with studio(tmp_path / "p") as opened:
        path = opened.link.removeprefix(opened.origin)
        assert opened.ask("GET", path + "x")[0].status == 401
        assert opened.ask("GET", "/?token=")[0].status == 401
        answer, _ = opened.ask("GET", path)
        assert answer.status == 200
        cookie = answer.getheader("set-cookie")
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert opened.ask("GET", path)[0].status == 401  # used up
        assert opened.process.stdout.readline().startswith("Another browser: http://127.0.0.1")
        opened.cookie = cookie.partition(";")[0]
        assert alive(opened)
        assert opened.ask("GET", path)[0].status == 200  # used up, but used here
        opened.post("/api/logout")
        assert not alive(opened)  # a cookie replayed after logout
        assert opened.cookie.partition("=")[2] not in (opened.project / "sessions.json").read_text()


def test_no_command_line_shows_the_token(tmp_path, monkeypatch):
    """The browser is told of a page that only its user can read, and comes from there as from another site."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said.new\nmv {tmp_path}/said.new {tmp_path}/said\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    with studio(tmp_path / "p", open=True) as opened:
        wait_for((tmp_path / "said").is_file)
        address = (tmp_path / "said").read_text().strip()
        page = tmp_path / "p" / "open.html"
        assert address == page.as_uri()
        assert page.stat().st_mode & 0o777 == 0o600
        assert opened.link in page.read_text()
        path = opened.link.removeprefix(opened.origin)
        answer, body = opened.ask("GET", path, origin=None, sec_fetch_site="cross-site")
        assert answer.status == 200
        assert b'content="0;url=/"' in body
        assert (
            opened.ask("GET", "/", cookie=answer.getheader("set-cookie"), sec_fetch_site="cross-site")[0].status == 403
        )
    assert not page.exists()


def test_a_page_stays_open_when_the_studio_is_started_again(tmp_path):
    with studio(tmp_path / "p") as first:
        first.enter()
    with studio(tmp_path / "p") as second:
        second.cookie = first.cookie.replace(str(first.port), str(second.port))
        assert alive(second)


# ---------------------------------------------------------------------------------------------------------- host and origin


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "localhost:1", "127.0.0.1.evil.example", ""]
)
def test_a_foreign_host_is_refused(opened, host):
    assert opened.ask("GET", "/api/state", host=host)[0].status == 403
    assert opened.ask("POST", "/api/jobs", {}, host=host)[0].status == 403


def test_two_hosts_are_refused(opened):
    said = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{opened.port}\r\nHost: evil.example\r\n\r\n".encode()
    assert raw(opened.port, said).split(b" ")[1] in (b"400", b"403")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1", "file://"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_foreign_origin_is_refused(opened, origin, method):
    assert opened.ask(method, "/api/state", origin=origin)[0].status == 403
    answer, _ = opened.ask(method, "/api/state", origin=origin)
    assert answer.getheader("access-control-allow-origin") is None


def test_a_change_without_an_origin_is_refused(opened):
    for method in ("POST", "PUT", "DELETE"):
        assert opened.ask(method, "/api/jobs", origin=None)[0].status == 403
    assert opened.ask("GET", "/api/state", sec_fetch_site="cross-site")[0].status == 403


def test_no_preflight_is_answered(opened):
    answer, _ = opened.ask("OPTIONS", "/api/jobs", origin="http://evil.example")
    assert answer.status in (403, 405)
    assert answer.getheader("access-control-allow-origin") is None


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_only_json_is_read(opened, kind):
    before = len(opened.get("/api/state")["jobs"])
    wish = b'{"kind": "draw", "count": 1}'
    assert opened.ask("POST", "/api/jobs", wish, content_type=kind)[0].status == 415
    assert len(opened.get("/api/state")["jobs"]) == before


# --------------------------------------------------------------------------------------------------------------- WebSocket


def page(opened, **changes):
    headers = {"Cookie": opened.cookie, **changes.pop("headers", {})}
    origin = changes.pop("origin", opened.origin)
    return connect(f"ws://127.0.0.1:{opened.port}/api/live", origin=origin, additional_headers=headers, **changes)


def test_a_socket_needs_the_cookie_and_its_own_origin(opened):
    with page(opened) as socket:
        socket.ping().wait(10)
    for changes in (
        {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": None}, {"headers": {"Cookie": "x=y"}},
    ):  # fmt: skip
        with pytest.raises(InvalidStatus) as refused, page(opened, **changes):
            pass
        assert refused.value.response.status_code == 403


def test_a_frame_of_200_mb_ends_its_socket_and_nothing_else(opened):
    with page(opened) as socket:
        # the header of a message that would be 200 MB: the server must not wait for the rest
        socket.socket.sendall(b"\x82\xff" + struct.pack(">Q", 200 << 20) + b"\0\0\0\0" + bytes(1 << 16))
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=WAIT)
    assert alive(opened)


@pytest.mark.parametrize("frame", [b"", b"\xff\xff\xff\xff", b"\0\0\0\2[]", b"\0\0\0\1{", b"\0\0\x40\0" + b"[" * 16384])
def test_what_is_no_frame_ends_its_socket(opened, frame):
    with page(opened) as socket:
        socket.send(frame)
        with pytest.raises(ConnectionClosed):
            heard(socket, 0)
    assert alive(opened)


def test_idle_sockets_are_counted(opened):
    refused = 0
    with contextlib.ExitStack() as held:
        for _ in range(500):
            try:
                held.enter_context(page(opened))
            except InvalidStatus:
                refused += 1
        assert refused == 468  # 32 are served
        assert alive(opened)

    def again():
        try:
            with page(opened):
                return True
        except InvalidStatus:
            return False

    wait_for(again)  # the places are free again


# -------------------------------------------------------------------------------------------------------------------- paths

BAD = [
    "..%2f..%2fetc%2fpasswd", "%2e%2e", "..", "%00", "x%00.png", "%2fetc%2fpasswd", "%5c%5cserver%5cshare", "C:%5cWindows%5cwin.ini",
    "windows/win.ini", "....//", "%c0%af", "a" * 300, "-", "0",
]  # fmt: skip


@pytest.mark.parametrize("id", BAD)
def test_an_id_is_never_a_path(opened, id):
    for path in (
        f"/api/jobs/{id}", f"/api/jobs/{id}/run", f"/api/jobs/{id}/samples/0", f"/api/jobs/{id}/files/x.glb",
        f"/api/library/{id}/picture", f"/api/library/{id}/svg",
        f"/api/files/{id}/picture", f"/api/files/{id}/thumb", f"/api/sources/{id}", f"/{id}", f"/assets/{id}",
    ):  # fmt: skip
        answer, body = opened.ask("GET", path)
        assert answer.status == 404, path
        assert b"root:" not in body
    assert opened.ask("DELETE", f"/api/files/{id}")[0].status in (404, 405)
    wish = {"kind": "translate", "model": id, "sketches": [id], "references": [id]}
    assert opened.ask("POST", "/api/jobs", wish)[0].status == 422


def test_a_row_of_a_table_is_never_a_path(opened):
    id = opened.post("/api/sources", {"title": "x"}, 201)["id"]
    for name in ("..%2f..%2fsource.json", "%2e%2e%2fsource.json", "source.json"):
        assert opened.ask("GET", f"/api/sources/{id}/rows/{name}")[0].status == 404


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../etc/x.png", "files/etc/x.png"), ("/abs/x.png", "files/abs/x.png"), ("C:\\a\\x.png", "files/C_/a/x.png"),
        ("a/CON.png", "files/a/_CON.png"), ("x\0y\n.png", "files/x_y_.png"), ("脸谱/关羽.png", "files/脸谱/关羽.png"),
        ("..", "files/_"), ("a" * 300 + ".png", "files/" + "a" * 96 + ".png"), ("masks.zip", "zips/masks.zip"),
    ],
)  # fmt: skip
def test_a_received_name_stays_in_its_folder(opened, name, kept):
    from urllib.parse import quote

    id = opened.post("/api/sources", {"title": "x"}, 201)["id"]
    answer, _ = opened.ask("PUT", f"/api/sources/{id}/files", b"x", x_name=quote(name, safe=""))
    assert answer.status == 201
    folder = opened.project / "sources" / id
    assert [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != "source.json"] == [
        kept
    ]


# ------------------------------------------------------------------------------------------------------------ sizes and times


def test_ten_gigabytes_are_refused_unread(opened):
    for method, path in (("PUT", "/api/files?role=sketch"), ("POST", "/api/jobs"), ("PUT", "/api/restore")):
        answer, _ = opened.ask(method, path, b"", content_length="10000000000", content_type="application/json")
        assert answer.status == 413
        answer, _ = opened.ask(method, path, b"", content_length="100000000", content_type="application/zip")
        assert answer.status in (413, 415)  # only material may be so large
    assert alive(opened)


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "99999999999999999999999", "1, 2"])
def test_a_length_that_is_none_is_refused(opened, length):
    answer, _ = opened.ask("PUT", "/api/files?role=sketch", b"", content_length=length)
    assert answer.status in (400, 413)


def test_chunks_without_end_are_cut_at_the_cap(opened):
    head = f"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1:{opened.port}\r\nOrigin: {opened.origin}\r\nCookie: {opened.cookie}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", opened.port), timeout=20) as s:
        s.sendall(head.encode())
        answer, sent = b"", 0
        with contextlib.suppress(ConnectionError):
            while not answer and sent < 64:
                s.settimeout(60)
                s.sendall(piece)
                sent += 1
                s.settimeout(0.02)
                with contextlib.suppress(TimeoutError):
                    answer = s.recv(100)
        assert b" 413 " in answer or sent < 40  # said, or closed: within 40 of the pieces, of which 16 are a MiB
    assert alive(opened)


@pytest.mark.slow
def test_a_slow_body_is_cut(opened):
    head = f"PUT /api/files?role=sketch HTTP/1.1\r\nHost: 127.0.0.1:{opened.port}\r\nOrigin: {opened.origin}\r\n"
    head += f"Cookie: {opened.cookie}\r\nContent-Length: 1000\r\n\r\n"
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", opened.port), timeout=WAIT) as s:
        s.sendall(head.encode())
        stop = threading.Event()

        def drip():
            while not stop.wait(1):
                try:
                    s.sendall(b"x")
                except OSError:
                    return

        threading.Thread(target=drip, daemon=True).start()
        answer = s.recv(4096)
        stop.set()
    assert b" 408 " in answer
    assert time.monotonic() - began > 25  # it is given time to begin


def test_header_bombs_and_a_thousand_parts_do_no_harm(opened):
    head = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{opened.port}\r\n"
    many = "".join(f"X-{i}: y\r\n" for i in range(20_000))
    for bomb in ("X: " + "a" * 200_000 + "\r\n", many):
        said = raw(opened.port, (head + bomb + "\r\n").encode(), 60)
        assert said[:13] in (b"", b"HTTP/1.1 400 ", b"HTTP/1.1 431 ")  # cut off, or refused
    parts = (
        b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _ in range(1000)) + b"--x--\r\n"
    )
    assert opened.ask("POST", "/api/jobs", parts, content_type="multipart/form-data; boundary=x")[0].status == 415
    assert alive(opened)


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind": "generate", "model": "opera-mask-64", "subjects": [{"seed": 1, "mix_seed": 2, "morph_seed": 3}]}',
        b"",
        b"{",
        b"[" * 100_000,
        b"null",
        b"[]",
        b'{"kind": "erase"}',
        b'{"kind": ["draw"]}',
        b"\xff",
    ],
)
def test_what_is_no_wish_is_refused(opened, body):
    answer, said = opened.ask("POST", "/api/jobs", body, content_type="application/json")
    assert answer.status in (400, 422)
    assert json.loads(said)["error"]["what"]


def test_ranges_mean_nothing(opened):
    sketches, _ = opened.starters()
    for span in ("bytes=0-0", "bytes=" + ",".join("0-" for _ in range(1000)), "bytes=-99999999999999999999"):
        answer, body = opened.ask("GET", f"/api/files/{sketches[0]}/picture", range=span)
        assert answer.status == 200
        assert body.startswith(images.PNG_MAGIC)


# -------------------------------------------------------------------------------------------------------- addresses, scripts


def test_an_address_in_any_field_is_never_fetched(opened):
    """A listener on this machine hears nothing, whichever field names it."""
    with socket.create_server(("127.0.0.1", 0)) as bait:
        bait.settimeout(2)
        address = f"http://127.0.0.1:{bait.getsockname()[1]}/x.png"
        sketches, references = opened.starters()
        wishes = [
            {"kind": "translate", "model": address, "sketches": sketches[:1], "references": references[:1]},
            {"kind": "translate", "sketches": [address], "references": [address]},
            {"kind": "generate", "model": address, "subjects": [{"seed": 1, "label": address}]},
            {"kind": "build", "source": address, "title": address, "licence": address, "origin": address},
            {"kind": "train", "data": address, "recipe": address, "kimg": 1, "device": address},
            {"kind": "look", "source": address, "url": address},
            {"kind": "lift", "model": address, "face": {"seed": 1}},
            {"kind": "lift", "model": "matcher", "face": {"picture": address}},
            {"kind": "lift", "model": "matcher", "face": {"found": address}, "export": [address]},
        ]
        for wish in wishes:
            assert opened.ask("POST", "/api/jobs", wish)[0].status == 422
        for ask in (
            {"kind": "colour", "reference": address},
            {"kind": "head", "model": address, "face": {"seed": 1}},
            {"kind": "receive", "path": address, "role": "sketch"},
        ):
            with page(opened) as socket_:
                socket_.send(frames.pack({"n": 1, "key": "k", "ask": ask}))
                assert frames.unpack(heard(socket_, 1))[0]["ok"] is False
        opened.ask("PUT", "/api/files?role=sketch", b"x", x_name=address)
        opened.post("/api/sources", {"title": address[:80]}, 201)
        opened.ask("PUT", f"/api/restore?url={address}", b"x")
        with pytest.raises(TimeoutError):
            bait.accept()


def heard(socket_, number: int) -> bytes:
    while True:
        frame = socket_.recv(timeout=WAIT)
        if frames.unpack(frame)[0].get("n") == number:
            return frame


def test_the_worker_s_own_requests_cannot_come_from_a_page(opened):
    with page(opened) as socket_:
        for n, ask in enumerate(({"kind": "again", "path": "/etc/passwd"}, {"kind": "starters"}, {"kind": "receive"})):
            socket_.send(frames.pack({"n": n, "key": f"{n}", "ask": ask}))
            assert frames.unpack(heard(socket_, n))[0]["error"]["what"] == "this request is not understood."


def test_scripts_in_names_and_texts_stay_text(opened, tmp_path):
    script = "<script>document.title='owned'</script><img src=x onerror=document.title='owned'>"
    pixels = np.zeros((64, 64, 3), np.uint8) + 255
    pixels[20:40, 30:33] = 0
    content = images.encode_png(pixels, {"lianpu": json.dumps({"verb": script, "model": {"name": script}})})
    answer, _ = opened.ask("PUT", "/api/restore", content)
    assert answer.getheader("content-type") == "application/json"
    assert answer.getheader("x-content-type-options") == "nosniff"
    id = opened.post("/api/sources", {"title": script[:80]}, 201)["id"]
    assert opened.ask("GET", f"/api/sources/{id}")[0].getheader("content-type") == "application/json"
    page_of_html = b"<!doctype html><script>alert(1)</script>"
    answer, _ = opened.ask("PUT", "/api/files?role=reference", page_of_html, x_name="a.html")
    assert answer.status == 422  # it is no picture, so it is never served


def test_every_answer_is_told_to_be_harmless(opened):
    for path in ("/", "/api/state", "/api/nowhere", "/icon.svg"):
        answer, _ = opened.ask("GET", path)
        policy = answer.getheader("content-security-policy")
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.getheader("x-content-type-options") == "nosniff"
        assert answer.getheader("server") is None


def test_the_page_names_no_other_host(opened):
    import re

    from lianpu.studio.server import STATIC

    for path in STATIC.rglob("*"):
        if path.suffix in (".html", ".js", ".css"):
            found = set(re.findall(r"https?://[\w.-]+", path.read_text("utf-8")))
            # names of XML vocabularies, and where Svelte explains its errors; none is ever fetched
            assert found <= {"http://www.w3.org", "https://svelte.dev"}, path


def test_one_guard_less_and_the_door_is_open(opened, monkeypatch):
    """The tests above hold because of the guard: without its look, a stranger gets in."""
    import asyncio

    from lianpu.studio.guard import Door, Guard

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def status(guard) -> int:
        said = []

        async def send(message):
            said.append(message)

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {
            "type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [(b"host", b"evil.example")],
        }  # fmt: skip
        asyncio.run(guard(scope, receive, send))
        return said[0]["status"]

    guard = Guard(app, Door(1, opened.project / "none.json"))
    assert status(guard) == 403
    monkeypatch.setattr(guard, "_look", lambda scope: "anyone")
    assert status(guard) == 200
