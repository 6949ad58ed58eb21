"""Starting the house, as somebody at a terminal sees it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shell import environment, run

ORDERS = "order_id,placed_at,sku,quantity,amount,member\n1,2026-03-01 10:00:00,a,1,19.90,m1\n"


@pytest.mark.long
def test_after_an_import_into_nothing_it_says_where_to_confirm_what_was_presumed(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    assert run(tmp_path / "data", ["import", "orders", "orders.csv"])[0].code == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "yutang.app.main", "up", "--port", "0"],
        env={**environment(tmp_path / "data"), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if "one-time password" in line:
                break
    finally:
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=300)[0]
    text = "".join(said)
    assert "http://127.0.0.1:" in text
    assert "/set-up/" in text
    assert "one-time password" in text
    assert "Traceback" not in text + rest
    assert process.returncode == 0
