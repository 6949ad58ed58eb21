"""A brand without any API, from an empty directory to what a plan earned, by nothing but the shell's commands, a list
filled in as a file, and the console on a phone. Prints what was answered as one line of JSON.

Run: python -m tests.channels.manual.whole_plan DIRECTORY
"""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

PERSONS = 360
START = datetime(2026, 3, 2, 2, tzinfo=UTC)  # ten in the morning in Shanghai
STORES = ("east", "west")
STAFF = {"ann": "east", "bob": "east", "cid": "west"}
SEGMENT = """
kind: segment
name: regulars
schema: 1
title: {zh: 熟客, en: Regulars}
where: {trait: orders_ever, at_least: 1}
"""
PLAN = """
kind: broadcast
name: by_hand
schema: 1
title: {zh: 会员日, en: Members' day}
audience: {segment: regulars}
purpose: marketing
channel: manual
message: {text: 会员日到店有礼，欢迎来坐坐。}
hold_out: 0.3
horizon_days: 7
within_hours: 8
attempts: 1
"""


def phone(who: int) -> str:
    """Somebody's number."""
    return f"1380013{who:04}"


def files(folder: Path) -> None:
    """The lists of a brand that has a till and spreadsheets, and nothing else."""

    def write(name: str, head: str, rows: list[str]) -> None:
        (folder / name).write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")

    write("stores.csv", "store,store_name", [f"{code},{code}" for code in STORES])
    write("staff.csv", "staff,name,store", [f"{userid},{userid},{store}" for userid, store in STAFF.items()])
    everyone = range(PERSONS)
    write("persons.csv", "phone,name,home_store", [f"{phone(who)},客{who},{STORES[who % 3 > 1]}" for who in everyone])
    write(
        "consent.csv",
        "phone,purpose,channel,granted,at,proof",
        [f"{phone(who)},marketing,manual,{'no' if who % 20 == 7 else 'yes'},2026-01-05 10:00,form" for who in everyone],
    )
    write("orders.csv", ORDERS, [order(f"o{who}", who, "2026-02-10 12:00", 30 + who % 9) for who in everyone])
    (folder / "regulars.yaml").write_text(SEGMENT, encoding="utf-8")
    (folder / "plan.yaml").write_text(PLAN, encoding="utf-8")


ORDERS = "order_id,placed_at,sku,quantity,amount,phone,store"


def order(number: str, who: int, at: str, amount: int) -> str:
    """A row of the till's list."""
    return f"{number},{at},sku,1,{amount},{phone(who)},{STORES[who % 3 > 1]}"


class Shop:
    """The brand's directory, and how it is spoken to."""

    def __init__(self, folder: Path) -> None:
        from yutang.app import house

        self.folder = folder
        self.told: dict[str, Any] = {}
        self.house = house.open_house(folder / "data")  # once, and not once for each command: that takes a minute

    def close(self) -> None:
        """A command closes the house behind it; this one stays open."""

    @property
    def warehouse(self) -> Any:
        """The warehouse of the open house."""
        return self.house.warehouse

    def shell(self, *words: str) -> Any:
        """A command as somebody types it; what it answered."""
        from click.testing import CliRunner

        from yutang.app.main import root

        done = CliRunner().invoke(root(lambda: self), [*words, "--json"])
        if done.exit_code:
            raise SystemExit(f"{words}: {done.exit_code} {done.output} {done.exception!r}")
        return json.loads(done.stdout)

    def clock(self, at: datetime) -> None:
        """Let it be that late, and let the house do what is due, as `yutang up` does by itself."""
        from yutang.app.channels import Channels
        from yutang.organisation.services import step_clock
        from yutang.reach.services import turn

        step_clock(at)
        self.house.clock.forget()
        turn(self.warehouse, Channels("http://127.0.0.1:9").mass_send())

    def on_the_phone(self, number: int) -> list[str]:
        """Work a list on its page: two not reached, one of them corrected, the others sent. The names on it."""
        from django.test import Client

        from yutang.organisation.contracts import RoleName
        from yutang.organisation.models import User
        from yutang.organisation.services import add_user, correct_brand

        correct_brand("手工", "CNY", "Asia/Shanghai", country="CN", currency_fixed=True)
        add_user("west_manager", "correct horse battery", RoleName.MANAGER, "west")
        client = Client()
        client.force_login(
            User.objects.get(username="west_manager"), "allauth.account.auth_backends.AuthenticationBackend"
        )
        page = client.get(f"/lists/{number}/").content.decode()
        for line, result in ((1, "not_reached"), (2, "not_reached")):
            client.post(f"/lists/{number}/note/", {"line": line, "result": result})
        client.post(f"/lists/{number}/back/", {"line": 2})
        answers = [
            client.post(f"/lists/{number}/note/", {"all": "1", "result": "sent"}),
            client.post(f"/lists/{number}/in/", {}),
        ]
        self.told["phone"] = [answer.status_code for answer in answers]
        self.told["elsewhere"] = client.get("/lists/1/").status_code
        rows = list(csv.reader(io.StringIO(b"".join(client.get(f"/lists/{number}/?export=csv")).decode())))
        assert rows[1][1] in page
        return [row[1] for row in rows[2:]]

    def on_paper(self, number: int) -> list[str]:
        """Take a list along, fill it in, and hand it in; the names that were sent to."""
        path = self.folder / f"list{number}.csv"
        self.shell("lists", "take", str(number), "--output", str(path))
        head, *rows = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"))))
        result = head.index("Outcome")
        for row in rows:
            row[result] = "Sent"
        rows[0][result] = "Not reached"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *rows])
        self.told.setdefault("imported", []).append(self.shell("lists", "import", str(number), str(path)))
        self.shell("lists", "hand-in", str(number))
        return [row[1] for row in rows[1:]]


def main() -> None:
    """Everything, in the order in which a brand would do it."""
    folder = Path(sys.argv[1])
    files(folder)
    shop = Shop(folder)
    told = shop.told

    def at(name: str) -> str:
        return str(folder / name)

    told["stores"] = shop.shell("stores", "import", at("stores.csv"))
    shop.clock(START)
    told["staff"] = shop.shell("staff", "import", at("staff.csv"))
    for kind in ("persons", "consent", "orders"):
        told[kind] = shop.shell("import", kind, at(f"{kind}.csv"))
    shop.shell("apply", at("regulars.yaml"))
    told["preview"] = shop.shell("plan", at("plan.yaml"))
    told["launched"] = shop.shell("apply", at("plan.yaml"))
    shop.clock(START + timedelta(minutes=1))
    told["lists"] = shop.shell("lists", "list")
    shop.clock(START + timedelta(hours=2))
    reached: list[str] = []
    for one in told["lists"]:
        reached += shop.on_the_phone(one["id"]) if one["staff"] == "cid" else shop.on_paper(one["id"])
    shop.clock(START + timedelta(hours=9))
    told["done"] = shop.shell("plans", "show", "1")
    bought = {int(name.removeprefix("客")) for name in reached}
    rows = [order(f"after{who}", who, "2026-03-04 12:00", 90 if who in bought else 20) for who in range(PERSONS)]
    (folder / "after.csv").write_text("\n".join([ORDERS, *rows]) + "\n", encoding="utf-8")
    shop.clock(START + timedelta(days=8))
    told["after"] = shop.shell("import", "orders", at("after.csv"))
    told["show"] = shop.shell("plans", "show", "1")
    told["reached"] = len(bought)
    shop.house.close()
    print(json.dumps(told))


if __name__ == "__main__":
    from yutang.app import house

    house.configure(Path(sys.argv[1]) / "data")
    main()
