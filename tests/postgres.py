"""A PostgreSQL of the tests' own: `python -m tests.postgres [pytest's options]` starts one, runs pytest on it, ends it.

The cluster is made from the machine's own binaries, in a temporary directory, and listens on a socket there and on a
free port of loopback. It runs as another user where we are root, since the server refuses root. `fsync` is on, as it
must be; but the directory is in memory where there is room, for what is tested here is logic, and kills of *our*
processes, which lose nothing that the server was told. (`--disk` puts it on the disk, as a bench of durable writes
must.)
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOMES = ("/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt", "/usr/pgsql")
MEMORY, ROOM = Path("/dev/shm"), 4_000_000_000
SETTINGS = ("max_connections=200", "shared_buffers=64MB", "log_min_messages=fatal", "autovacuum_naptime=10s")


def binaries() -> Path | None:
    """Where the newest server's programs are; None where there is none."""
    found = shutil.which("postgres")
    if found:
        return Path(found).resolve().parent
    homes = [path for home in HOMES for path in Path(home).glob("*/bin") if (path / "initdb").exists()]
    return max(homes, key=lambda path: (len(path.parent.name), path.parent.name), default=None)


def _other() -> pwd.struct_passwd | None:
    """Who runs the server where we are root: the package's own user, else nobody."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise SystemExit("there is no user as whom a server may run (postgres, nobody)")


@contextmanager
def cluster(*, on_disk: bool = False) -> Iterator[str]:
    """A running server; yields the address of its database `yutang`. Everything is removed at the end."""
    home = binaries()
    assert home is not None, "no PostgreSQL server on this machine"
    other = _other()
    whom = {} if other is None else {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}
    in_memory = not on_disk and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    place = Path(tempfile.mkdtemp(prefix="yutang-pg-", dir=MEMORY if in_memory else None))
    try:
        if other is not None:
            os.chown(place, other.pw_uid, other.pw_gid)
        data = place / "data"
        with closing(socket.create_server(("127.0.0.1", 0))) as probe:
            port = probe.getsockname()[1]
        made = ["initdb", "-D", data, "-U", "yutang", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
        _run([home / made[0], *made[1:]], whom, place)
        settings = [*SETTINGS, f"port={port}", f"unix_socket_directories={place}"]
        settings.append("listen_addresses=127.0.0.1")
        command = [home / "postgres", "-D", data, *(part for one in settings for part in ("-c", one))]
        with (place / "log").open("w") as log:
            server = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, cwd=place, **whom)  # type: ignore[call-overload]
        try:
            ready = ["pg_isready", "-q", "-t", "1", "-h", str(place), "-p", str(port)]
            while subprocess.run([str(home / ready[0]), *ready[1:]], check=False).returncode:
                assert server.poll() is None, (place / "log").read_text()
            _run([home / "createdb", "-h", place, "-p", str(port), "-U", "yutang", "yutang"], whom, place)
            yield f"postgresql://yutang@/yutang?host={place}&port={port}"
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: nothing here is to be kept
            server.wait(30)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _run(command: list[object], whom: dict[str, object], place: Path) -> None:
    done = subprocess.run(list(map(str, command)), cwd=place, capture_output=True, text=True, check=False, **whom)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr


def main() -> int:
    """Run what the arguments say (pytest's own; after `--`, any command) with YUTANG_DATABASE set."""
    if binaries() is None:
        print("skipped: no PostgreSQL server on this machine (Debian: apt install postgresql)")
        return 0
    given = sys.argv[1:]
    on_disk = "--disk" in given
    given = [one for one in given if one != "--disk"]
    command = given[1:] if given[:1] == ["--"] else [sys.executable, "-m", "pytest", *given]
    with cluster(on_disk=on_disk) as address:
        environment = {**os.environ, "YUTANG_DATABASE": address}
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
