"""The Khronos glTF Validator, in Python's own process."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from py_mini_racer import MiniRacer

SCRIPT = Path(__file__).with_name("gltf_validator.dart.js")
SEVERITIES = ["error", "warning", "information", "hint"]


@functools.cache
def _engine() -> MiniRacer:
    engine = MiniRacer()
    # what the script takes from its surroundings
    engine.eval(
        "var exports = {}, setTimeout = f => { Promise.resolve().then(() => f()); }, setImmediate = setTimeout;"
    )
    engine.eval(SCRIPT.read_text(encoding="utf-8"))
    return engine


def report(glb: bytes) -> dict[str, Any]:
    """All that the validator says of a GLB."""
    engine = _engine()
    engine.eval("var said = null, failed = null;")
    engine.eval(
        f"exports.validateBytes(Uint8Array.from({json.dumps(list(glb))}), {{writeTimestamp: false, maxIssues: 0}})"
        ".then(r => { said = JSON.stringify(r); }, e => { failed = String(e); }); 0"
    )
    said = engine.eval("said")
    if said is None:
        raise RuntimeError(f"the validator did not answer: {engine.eval('failed')}")
    return json.loads(str(said))


def issues(glb: bytes) -> list[str]:
    """Its issues of every severity, in one line each; none but that it does not know KHR_xmp_json_ld."""
    return [
        f"{SEVERITIES[issue['severity']]} {issue['code']} {issue.get('pointer', '')}: {issue['message']}"
        for issue in report(glb)["issues"]["messages"]
        if not (issue["code"] == "UNSUPPORTED_EXTENSION" and "KHR_xmp_json_ld" in issue["message"])
    ]
