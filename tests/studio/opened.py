"""A real studio in a process of its own, and a plain HTTP client that says exactly what it is told to."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

WAIT = 900  # seconds that a busy machine may take; nothing waits longer than it must


class Studio:
    """A running studio; `ask` speaks to it as its own page does, unless told otherwise."""

    def __init__(self, project: Path, open: bool = False) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lianpu", "studio", "--project", str(project), "--port", "0", "--open" if open else "--no-open"],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert self.process.stdout
        self.project, self.link = project, self.process.stdout.readline().strip()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=[\w-]+", self.link)
        assert found, self.link
        self.port = int(found[1])
        self.origin = f"http://127.0.0.1:{self.port}"
        self.cookie = ""

    def enter(self) -> Studio:
        """Exchanges the link's token for the cookie."""
        answer, _ = self.ask("GET", self.link.removeprefix(self.origin), cookie="")
        assert answer.status == 200, answer.status
        self.cookie = str(answer.getheader("set-cookie")).partition(";")[0]
        return self

    def ask(
        self, method: str, path: str, body: Any = None, *, cookie: str | None = None, **headers: str | None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """headers: with _ for -; None leaves one of the usual ones away."""
        said = {"Origin": self.origin, "Cookie": self.cookie if cookie is None else cookie}
        if isinstance(body, dict | list):
            body, said["Content-Type"] = json.dumps(body).encode(), "application/json"
        said |= {k.replace("_", "-").title(): v for k, v in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
        connection.putrequest(method, path, skip_host="Host" in said, skip_accept_encoding=True)
        if body is not None and "Content-Length" not in said:
            said["Content-Length"] = str(len(body))
        for name, value in said.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body)
        try:
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        answer, body = self.ask("GET", path)
        assert answer.status == 200, (answer.status, body)
        return json.loads(body)

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        answer, said = self.ask("POST", path, {} if body is None else body)
        assert answer.status == status, (answer.status, said)
        return json.loads(said)

    def job(self, wish: dict[str, Any]) -> dict[str, Any]:
        return self.post("/api/jobs", wish, 201)

    def ended(self, id: str, state: str = "done") -> dict[str, Any]:
        """The job when it is over."""
        found = wait_for(lambda: (j := self.get(f"/api/jobs/{id}"))["state"] not in ("queued", "running") and j)
        assert found["state"] == state, found
        return found

    def starters(self, drawings: int = 5) -> tuple[list[str], list[str]]:
        """Ids of the example drawings and references, of which there are six; but a test takes a drawing away from the shared studio."""

        def of(role: str) -> list[str]:
            return [f["id"] for f in self.get(f"/api/files?role={role}") if f.get("starter")]

        wait_for(lambda: len(of("reference")) == 6 and len(of("sketch")) >= drawings)
        return of("sketch"), of("reference")

    def kill(self) -> None:
        """As a power cut does: nothing is said goodbye to."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(WAIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
        assert self.process.stdout
        self.process.stdout.close()


def wait_for(look: Callable[[], Any], seconds: float = WAIT) -> Any:
    """What `look` finds, as soon as it is anything."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError("waited in vain")


@contextlib.contextmanager
def studio(project: Path, open: bool = False) -> Iterator[Studio]:
    opened = Studio(project, open)
    try:
        yield opened
    finally:
        opened.close()


def tiny_lifter(project: Path, size: int = 32) -> str:
    """A model that knows shapes, untrained, where the studio of `project` finds it; its id."""
    import torch

    from lianpu import checkpoint
    from lianpu.config import DiganConfig, StyleGAN2Config, to_dict
    from lianpu.nets.digan import Digan

    teacher = StyleGAN2Config(
        resolution=size, channel_base=128, channel_max=8, z_dim=8, w_dim=8, mapping_layers=2, classes=3
    )
    net = DiganConfig(teacher=teacher, hidden=8, transform_hidden=4, width=4)
    torch.manual_seed(0)
    network = Digan(net)
    with torch.no_grad():
        network.G2D.mapping.w_avg.normal_()
        network.G3D.DS.head[-1].weight.mul_(20)  # relief from the nearest to the farthest
    about = checkpoint.Model("digan", to_dict(net), ["red", "black", "white"], data={"rights": "known"})
    checkpoint.save_model(project / "models" / "tiny-lifter", network, about)
    return "tiny-lifter"
