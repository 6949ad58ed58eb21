"""The process is killed between two writes of the phone's work; what follows finds all or nothing of it.

`python -m tests.mobile.kill DIRECTORY build|choose|note` is one life of it; `YUTANG_FAILPOINT` ends it early.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

PLACES = ("standing.run_opened", "standing.decisions_written", "standing.before_commit", "phone.before_commit")
ROOT = Path(__file__).resolve().parents[2]
GUIDE = "guide-s1-b"
KEY = "0123456789abcdef0123456789abcdef"


def life(directory: Path, step: str, place: str = "") -> dict[str, object] | None:
    """One life; None where it was killed."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "YUTANG_FAILPOINT": place}
    environment.pop("YUTANG_DATABASE", None)
    command = [sys.executable, "-W", "ignore", "-m", "tests.mobile.kill", str(directory), step]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    if done.returncode == -9:
        return None
    assert done.returncode == 0, done.stderr[-4000:]
    told: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return told


def every_place(directory: Path) -> dict[str, int]:
    """Die once at each of PLACES, and go on. Raises AssertionError for what is lost or doubled."""
    template = directory / "template"
    assert life(template, "build") is not None
    for place in PLACES:
        pond = directory / place
        shutil.copytree(template, pond)
        step = "note" if place.startswith("phone") else "choose"
        if step == "note":
            assert life(pond, "choose") is not None
        assert life(pond, step, place) is None, f"{place} was not passed"
        for _ in range(2):
            told = life(pond, step)
        assert told is not None
        assert told["cards"] == told["sends"] == 4, (place, told)
        assert told["runs"] == 1, (place, told)
        if step == "note":
            assert (told["sent"], told["events"], told["receipts"]) == (1, 1, 1), told
    return dict.fromkeys(PLACES, 1)


def main() -> None:
    """One life."""
    from django.conf import settings

    from tests.console.pond import NOW, found, loosen
    from yutang.app import house
    from yutang.kernel.clock import business_clock

    directory, step = Path(sys.argv[1]), sys.argv[2]
    house.configure(directory)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    opened = house.open_house(directory)
    if step == "build":
        told: object = found(opened, directory)
        loosen()
    else:
        with business_clock(NOW):
            told = _work(opened.warehouse, step)
    opened.close()
    print(json.dumps(told, default=str), flush=True)


def _work(warehouse, step: str) -> dict[str, object]:  # type: ignore[no-untyped-def]  # needs Django
    from django.contrib.auth.models import update_last_login
    from django.test import Client

    from tests.console.pond import CORP
    from yutang.intake.pump import pump_until_empty
    from yutang.organisation.phones import staff_by_account, user_of_staff
    from yutang.reach.ledger import committed
    from yutang.reach.models import Run
    from yutang.tasks import today
    from yutang.tasks.models import Card
    from yutang.warehouse.contracts import Statement

    user = user_of_staff(staff_by_account("wecom", CORP, GUIDE))
    update_last_login(None, user)
    if step == "choose":
        today.turn(warehouse)
    else:
        client = Client(headers={"Accept": "application/json"})
        client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
        first = Card.objects.order_by("place", "touch").values_list("touch", flat=True)[0]
        body = {"id": KEY, "at": "2026-03-02T02:00:00Z", "card": str(first), "result": "sent"}
        answer = client.post("/m/today/note/", json.dumps(body), content_type="application/json")
        assert answer.status_code == 200, answer.content
        pump_until_empty(warehouse)
        today.tell_ends(warehouse)

    def count(sql: str) -> int:
        return int(warehouse.query(Statement(sql, {}, {"committed": committed()})).column(0)[0].as_py())

    ours = "occasion LIKE '2026%' AND outcome = 'send'"
    return {
        "cards": Card.objects.count(),
        "sent": Card.objects.filter(sent_at__isnull=False).count(),
        "sends": count(f"SELECT count(*) FROM decisions d SEMI JOIN committed c ON c.run = d.run WHERE {ours}"),
        "runs": Run.objects.filter(plan__standing=True, state="committed").count(),
        "events": count("SELECT count(*) FROM events WHERE type = 'message.sent' AND source = 'guide'"),
        "receipts": count("SELECT count(*) FROM receipts WHERE state = 'sent' AND receipt_key LIKE '%today'"),
    }


if __name__ == "__main__":
    main()
