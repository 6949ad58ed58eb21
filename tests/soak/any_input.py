"""Schemathesis on the whole OpenAPI of a running house: no crash, and every answer as the API says of itself.

`python -m tests.soak.any_input --minutes 10` serves the small pond of the console's tests and lets Schemathesis make
requests that fit the API's own description and requests that do not, alone and one after another, until the time is
over; then the house must still answer. Prints a line of JSON; on a failure, what Schemathesis found.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

from tests.console.conftest import served
from tests.soak.scene import ROOT

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
COLLECT = "^/v1/"
SCOPES = ("read", "events:write", "plans:write")
PARTS = {"api": 0.8, "collect": 0.2}


def command(directory: Path, *words: str) -> Any:
    """A command of the shell beside the running house; its answer."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "yutang.app.main", *words, "--json"],
        env={**os.environ, "YUTANG_DATA": str(directory)}, capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def ask(schema: Path, address: str, part: str, seconds: float, seed: int, *auth: str) -> dict[str, int]:
    """Let Schemathesis ask one part of the API. Raises AssertionError with its own words; returns how many operations
    and requests there were."""
    report = schema.parent / f"{part}-{seed}.ndjson"
    chosen = ["--include-path-regex" if part == "collect" else "--exclude-path-regex", COLLECT]
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")), "run", str(schema), "--url", address, *chosen, *auth,
            "--checks", ",".join(CHECKS), "--max-time", str(max(1, int(seconds))), "--seed", str(seed),
            "--request-timeout", "60", "--report", "ndjson", "--report-ndjson-path", str(report), "--warnings", "off",
            "--suppress-health-check", "all", "--no-color",
        ],
        capture_output=True, text=True, check=False, cwd=schema.parent,
        env={name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
    )  # fmt: skip
    assert done.returncode == 0, f"{part}: {done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    return summed(report)


def summed(report: Path) -> dict[str, int]:
    """How many requests a report tells of, and how many of their answers had which hundred."""
    counts: dict[str, int] = {"requests": 0}
    for line in report.read_text(encoding="utf-8").splitlines():
        for scenario in _recorders(json.loads(line)):
            for interaction in scenario.get("interactions", {}).values():
                status = (interaction.get("response") or {}).get("status_code")
                counts["requests"] += 1
                if status:
                    counts[f"{status // 100}xx"] = counts.get(f"{status // 100}xx", 0) + 1
    return counts


def _recorders(value: Any) -> list[dict[str, Any]]:
    """Every part of an event that holds interactions."""
    if isinstance(value, dict):
        return [value] if "interactions" in value else [one for item in value.values() for one in _recorders(item)]
    return [one for item in value for one in _recorders(item)] if isinstance(value, list) else []


def run(folder: Path, minutes: float, seed: int) -> dict[str, object]:
    """Ask everything for so long. Returns the figures."""
    with served(folder / "pond") as world:
        address, directory = str(world["address"]), Path(str(world["directory"]))
        token = command(directory, "tokens", "issue", "any-input", *(w for s in SCOPES for w in ("--scope", s)))[
            "token"
        ]
        key = command(directory, "keys", "add", "any-input", "--source", "any", "--trusted")["key"]
        described = httpx.get(f"{address}/api/v1/openapi.json", timeout=60, trust_env=False).json()
        schema = folder / "openapi.json"
        schema.write_text(json.dumps(described))
        auth = {"api": ("-H", f"Authorization: Bearer {token}"), "collect": ("--auth", f"{key}:")}
        found = {
            part: ask(schema, address, part, minutes * 60 * share, seed, *auth[part]) for part, share in PARTS.items()
        }
        assert httpx.get(f"{address}/healthz", timeout=60, trust_env=False).json()["ok"]
    return {"operations": sum(len(methods) for methods in described["paths"].values()), **found}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yutang-any-") as root:
        print(json.dumps(run(Path(root), given.minutes, given.seed)))
