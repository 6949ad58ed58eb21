"""Nothing in the data directory tells a phone number or a name: whatever the file, whatever the table."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import stores

ROOT = Path(__file__).resolve().parents[2]
PHONES = ("13912345678", "13712345678", "13612345678")
NAMES = ("欧阳锋利", "Zacharias Quill")
CONTROL = "controlsku7788"

SCRIPT = f"""
import os, shutil
from pathlib import Path
data = Path(os.environ["YUTANG_DATA"])
from yutang.kernel import encryption
encryption.install_keyring(encryption.Keyring.load_or_create(data / "secret.key"))
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.db import connection
from tests.people.pond import *
from yutang.intake import imports, pump
from yutang.intake.mirror import mirror_nodes
from yutang.log.services import record
from yutang.warehouse.contracts import Statement
from yutang.warehouse.engine import open_warehouse

found_pond()
warehouse = open_warehouse(data, threads=1)
mirror_nodes(warehouse)
phones, names = {PHONES!r}, {NAMES!r}
csv = data / ".." / "orders.csv"
good = f"o1,m1,2026-03-01 09:30:00,{CONTROL},1,1.00,{{phones[0]}},{{names[0]}}\\n"
bad = f"o2,m2,2026-03-01 09:30:00,sku,{{phones[1]}}x,{{names[1]}},{{phones[1]}},{{names[1]}}\\n"
csv.write_text("order_id,member,placed_at,sku,quantity,amount,phone,name\\n" + good + bad)
try:
    imports.import_orders(warehouse, csv, source="till")
except imports.BadRows as error:
    (data / ".." / "said.txt").write_text(error.en + error.zh)

def on_the_way(name):
    if name == "import.after_sealed":
        shutil.copytree(data, data / ".." / "sealed", ignore=shutil.ignore_patterns("*.sock"))
imports.failpoint = on_the_way
record([event("person.seen", member("m3"), phone(phones[2]), props={{"name": names[0], "phone": phones[2]}}),
        event("consent.given", member("m3"),
              props={{"purpose": "marketing", "channel": "*", "proof": f"signed {{names[1]}} {{phones[2]}}"}})])
pump.pump_until_empty(warehouse)
tables = warehouse.query(Statement("SELECT table_name FROM duckdb_tables()"))["table_name"].to_pylist()
dump = [repr(warehouse.query(Statement(f'SELECT * FROM "{{table}}"')).to_pylist()) for table in tables]
with connection.cursor() as cursor:
    for table in connection.introspection.table_names():
        cursor.execute(f'SELECT * FROM "{{table}}"')
        values = [value for row in cursor.fetchall() for value in row]
        dump += [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]
(data / ".." / "dump.txt").write_text("\\n".join(dump))
imports.import_orders(warehouse, csv, source="till", skip_bad=True)
lines = repr(warehouse.query(Statement("SELECT * FROM order_lines")).to_pylist())
(data / ".." / "lines.txt").write_text(lines)
"""


def _needles() -> list[bytes]:
    """Each planted value in the forms in which a file might hold it."""
    texts = [*PHONES, *(f"+86{one}" for one in PHONES), *NAMES]
    return [
        form for text in texts for form in (text.encode(), text.encode("utf-16-le"), text.encode("gb18030", "ignore"))
    ]


def _found(directory: Path, needles: list[bytes]) -> list[tuple[str, bytes]]:
    return [
        (path.name, needle)
        for path in directory.rglob("*")
        if path.is_file()
        for content in (path.read_bytes(),)
        for needle in needles
        if needle in content
    ]


@pytest.mark.long
def test_planted_phones_and_names_are_in_no_file_and_no_table(tmp_path: Path) -> None:
    data, sealed = tmp_path / "data", tmp_path / "sealed"
    data.mkdir()
    environment = os.environ | {
        **stores.environment(data),
        "DJANGO_SETTINGS_MODULE": "yutang.app.settings",
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
    }
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]

    assert _found(sealed, _needles()) == [], "while chunk files, spill and write-ahead logs stand"
    assert _found(data, _needles()) == []
    assert any((sealed / "imports" / "2").glob("chunk-*.arrow")), "chunk files were searched"
    assert any(path.name.endswith("-errors.csv") for path in (data / "imports").iterdir()), "error files were searched"
    for text in ("said.txt", "dump.txt"):
        assert not [needle for needle in _needles() if needle in (tmp_path / text).read_bytes()], text
    assert CONTROL in (tmp_path / "lines.txt").read_text(), "the dump shows what is there"
    assert _found(data, [CONTROL.encode()]), "and so does the search"
