"""`make soak`: the tests that are too long for the suite; then die at every named place once, then at random ones, for
as long as asked and at least a third of it; the books must agree."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import postgres
from tests.house.test_secrets import build
from tests.intake.kill import PLACES
from tests.soak import any_input, clients, coverage, erasing, exported, fuzz_collect, moved, walls, ways, worst
from tests.soak.kill import NOT_WITHDRAWN, every_place, one_place, random_kills

APART = 20  # kills of processes that run apart
WORST = 2.0  # minutes of answers dropped, callbacks lost and kill -9


def main() -> None:
    """Run and print what was done; an AssertionError says what did not agree."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--kills", type=int, default=50, help="random kills in one pond")
    chosen = parser.parse_args()
    end = time.monotonic() + chosen.minutes * 60
    subprocess.run([sys.executable, "-m", "pytest", "-n", "2", "-m", "long"], check=True)
    with tempfile.TemporaryDirectory(prefix="yutang-soak-") as folder:
        found = every_place(Path(folder) / "places")
        print("named places, each died at once:", json.dumps(found, ensure_ascii=False), flush=True)
        found = one_place(Path(folder) / "given_up", NOT_WITHDRAWN)
        print(f"{NOT_WITHDRAWN}, died at once:", json.dumps(found, ensure_ascii=False), flush=True)
        found = ways.every_place(Path(folder) / "ways")
        print("ways and reflexes, each place died at once:", json.dumps(found, ensure_ascii=False), flush=True)
        found = erasing.every_place(build(Path(folder) / "erasing" / "data"), Path(folder) / "erased")
        print("erasing, each place died at once:", json.dumps(found, ensure_ascii=False), flush=True)
        options = ["--random", str(chosen.kills), "--seed", "1"]
        command = [sys.executable, "-W", "ignore", "-m", "tests.intake.kill", *options]
        intake = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        print("pump, import and collect:", intake.strip(), flush=True)
        assert json.loads(intake)["failpoints"] == dict.fromkeys(PLACES, 1), (
            "a place of pump, import or collect was never hit"
        )
        command = [sys.executable, "-W", "ignore", "-m", "tests.operations.rotate", f"{folder}/keys"]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        print("keys rotated beside writers:", json.dumps(found), flush=True)
        command = [sys.executable, "-W", "ignore", "-m", "tests.soak.twice", "--lines", "1000000", "--kills", "3"]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        print("a file twice, and once more after kill -9:", json.dumps(found), flush=True)
        command = [sys.executable, "-W", "ignore", "-m", "tests.soak.handover", "--customers", "600", "--groups", "12"]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        print("a leaver's customers and groups, with faults and kills:", json.dumps(found), flush=True)
        (Path(folder) / "exported").mkdir()
        found = exported.run(Path(folder) / "exported", 40_000_000)
        print("an export of Excel in the browser:", json.dumps(found), flush=True)
        found = clients.run(Path(folder) / "clients", 2000, 1)
        print("SDKs while the house is killed:", json.dumps(found), flush=True)
        command = [sys.executable, "-W", "ignore", "-m", "tests.soak.taps", "--days", "8", "--seed", "1"]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        print("guides who tap at random hours, and write on their own:", json.dumps(found), flush=True)
        found = fuzz_collect.run(Path(folder) / "fuzz", 0.5, 1)
        print("rubbish at the collect API:", json.dumps(found), flush=True)
        (Path(folder) / "any").mkdir()
        found = any_input.run(Path(folder) / "any", 1, 1)
        print("Schemathesis on the whole API:", json.dumps(found), flush=True)
        found = worst.run(Path(folder) / "worst", WORST, 1)
        print("a platform on its worst day:", json.dumps(found, ensure_ascii=False), flush=True)
        chain = ["--persons", "10000", "--senders", "60", "--stores", "30", "--groups", "44"]
        subprocess.run([sys.executable, "-m", "tests.soak.chain", *chain], check=True)
        (Path(folder) / "moved").mkdir()
        found = moved.run(Path(folder).resolve() / "moved", 1, 1)
        print("the demo from DuckDB to ClickHouse and back, killed each way:", json.dumps(found), flush=True)
        found = coverage.run(pools=50, persons=600, seed=1)
        print("intervals of potential value held:", json.dumps(found), flush=True)
        found = walls.run(Path(folder) / "walls", 1, worlds=("growing_noisy", "flat_far_noisy"))
        print("driven into the platform's walls, warned before:", json.dumps(found), flush=True)
        if postgres.binaries() is None:
            print("processes apart: skipped, no PostgreSQL server on this machine", flush=True)
        else:
            with postgres.cluster() as address:
                command = [sys.executable, "-m", "tests.soak.apart", "--kills", str(min(chosen.kills, APART))]
                environment = {**os.environ, "YUTANG_DATABASE": address}
                apart = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
            print("processes apart, each killed in its turn:", apart.strip(), flush=True)
        end = max(end, time.monotonic() + chosen.minutes * 20)  # on a slow machine all of it was spent before this
        total, rounds = 0, 0
        while rounds == 0 or time.monotonic() < end - 120:
            rounds += 1
            found = random_kills(Path(folder) / f"random{rounds}", chosen.kills, seed=rounds, until=end - 60)
            total += int(str(found["kills"]))
            print(f"round {rounds}:", json.dumps(found, ensure_ascii=False), flush=True)
    print(f"soak: {total} random kills in {rounds} rounds, nothing lost, nothing doubled")
    print(f"{rounds + 15} passed, 0 failed")


if __name__ == "__main__":
    main()
