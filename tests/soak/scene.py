"""Whole processes on a small pond: `yutang up`, a sandbox of its own, kills, and the books at the end."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests import stores

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A port that nobody listens on now."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


def python(*arguments: str, env: dict[str, str], **settings: object) -> subprocess.Popen[str]:
    """A Python process of this project. Its output waits in a pipe that holds a megabyte: with Linux's usual 64 kB, a
    house that is refused again and again fills it with warnings, and then stands still."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **settings,  # type: ignore[call-overload]
    )
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 1 << 20)
    return process


def step(directory: Path, *arguments: str) -> dict[str, object]:
    """Run `tests.soak.steps` in a process of its own and read its answer."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak.steps", *arguments],
        cwd=ROOT,
        env={**os.environ, **stores.environment(directory)},
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"step {arguments} failed:\n{done.stdout}\n{done.stderr}")
    answer: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


@dataclass
class Scene:
    """A pond in `directory` with a sandbox process that outlives every kill of the house."""

    directory: Path
    port: int = field(default_factory=free_port)
    sandbox_port: int = field(default_factory=free_port)
    sandbox: subprocess.Popen[str] | None = None
    token: str = ""

    def build(self, *then: str, **pond: object) -> None:
        """Make the pond, do another step `then` in the same process, and start the sandbox."""
        more = ("--", *then) if then else ()
        self.token = str(step(self.directory, "build", json.dumps(pond), *more)["token"])
        self.start_sandbox()

    def start_sandbox(self) -> None:
        """Start the sandbox's process."""
        self.sandbox = python(
            *("-m", "yutang.sandbox", "--dir", str(self.directory / "sandbox"), "--port", str(self.sandbox_port)),
            *("--events-url", f"http://127.0.0.1:{self.port}/api/v1/events", "--events-token", self.token),
            env={},
        )
        assert self.sandbox.stdout is not None
        assert "ready" in self.sandbox.stdout.readline()

    @property
    def sandbox_url(self) -> str:
        """Where the sandbox answers."""
        return f"http://127.0.0.1:{self.sandbox_port}"

    def up(self, failpoint: str | None = None, log: Path | None = None) -> subprocess.Popen[str]:
        """Start the house; with a failpoint it dies there."""
        env = {**stores.environment(self.directory), "YUTANG_SANDBOX_URL": self.sandbox_url}
        env |= {"YUTANG_FAILPOINT": failpoint} if failpoint else {}
        env |= {"YUTANG_FAILPOINT_LOG": str(log)} if log else {}
        return python("-m", "yutang.app.main", "up", "--port", str(self.port), "--json", env=env)

    def more(self, names: str, hours: float, rate: float) -> None:
        """More plans and more time, the house being down."""
        step(self.directory, "more", names, str(hours), str(rate))

    def fault(self, api: str, kind: str, times: int | None = None, errcode: int = -1) -> None:
        """Let the sandbox answer a call wrongly so many times, or always (see `yutang.sandbox.faults`)."""
        body = {"faults": [{"api": api, "kind": kind, "times": times, "errcode": errcode}]}
        httpx.post(f"{self.sandbox_url}/control/faults", json=body, timeout=10).raise_for_status()

    def wait(self, process: subprocess.Popen[str], seconds: float) -> bool:
        """Wait until the house dies (True) or has reached the end of its fast-forward (False)."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            if process.poll() is not None:
                return True
            if self.at_rest():
                return False
            time.sleep(0.1)
        raise TimeoutError("the house neither died nor came to rest:\n" + self.kill(process))

    def at_rest(self) -> bool:
        """Whether the fast-forward is over."""
        return stores.rows(self.directory, "SELECT clock_until FROM organisation_brand") == [(None,)]

    @staticmethod
    def kill(process: subprocess.Popen[str]) -> str:
        """kill -9, and what it had printed."""
        process.send_signal(signal.SIGKILL)
        return process.communicate(timeout=20)[0]

    @staticmethod
    def stop(process: subprocess.Popen[str]) -> str:
        """Ctrl-C, and what it had printed."""
        process.send_signal(signal.SIGINT)
        return process.communicate(timeout=30)[0]

    def close(self) -> None:
        """End the sandbox."""
        if self.sandbox is not None:
            self.kill(self.sandbox)

    def books(self) -> dict[str, object]:
        """What the house's books say (see `steps.books`), the house being down."""
        return step(self.directory, "books")

    def world(self) -> dict[str, object]:
        """What really happened, by the sandbox's own file."""
        with closing(sqlite3.connect(self.directory / "sandbox" / "sandbox.sqlite3", timeout=20)) as connection:
            tasks = connection.execute("SELECT count(*) FROM tasks WHERE create_type = 0").fetchone()[0]
            reached = connection.execute("SELECT count(*) FROM recipients WHERE status = 1").fetchone()[0]
            twice = connection.execute(
                "SELECT count(*) FROM (SELECT r.external_userid, t.content FROM recipients r JOIN tasks t USING (msgid)"
                " WHERE r.status = 1 AND t.create_type = 0 GROUP BY 1, 2 HAVING count(*) > 1)"
            ).fetchone()[0]
            bought = connection.execute("SELECT count(*), coalesce(sum(cents), 0) FROM purchases WHERE posted = 1")
            count, cents = bought.fetchone()
        return {"tasks": tasks, "reached": reached, "twice": twice, "purchases": count, "cents": cents}


def check(scene: Scene) -> dict[str, object]:
    """Compare the books with the world. Raises AssertionError naming what does not agree."""
    books, world = scene.books(), scene.world()
    told = json.dumps({"books": books, "world": world})
    assert books["balances"], f"the ledger's equation does not hold: {told}"
    assert books["doubled_events"] == 0, f"an event stands twice: {told}"
    assert books["purchases"] == world["purchases"], f"purchases lost or doubled: {told}"
    assert books["cents"] == world["cents"], f"money lost or doubled: {told}"
    assert books["tasks"] == world["tasks"], f"a batch was issued twice, or a task was lost: {told}"
    assert books["sent"] == world["reached"], f"sent and reached differ: {told}"
    assert world["twice"] == 0, f"somebody got the same message twice: {told}"
    assert books["open_batches"] == 0, f"a batch was left open: {told}"
    return {"books": books, "world": world}
