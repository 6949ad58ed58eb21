"""A large export "from Excel" is imported on the console's pages in a browser, and every bad row of it is named.

`python -m tests.soak.exported --bytes 40000000` prints a JSON line. Must-show 7.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from contextlib import closing
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.bench.exported import write_export
from tests.conftest import CHROMIUM, FLAGS
from tests.console.conftest import log_in, served
from tests.console.test_imports_pages import import_in_browser


def run(folder: Path, size: int) -> dict[str, object]:
    """In a pond of its own. Raises AssertionError where a bad row is not named, or a good one is."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    export = write_export(folder / "收银导出.csv", size)
    with served(folder / "pond") as world, closing(log_in(str(world["address"]))) as owner, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        checked, result, named, took = import_in_browser(browser, owner, export, 1_200)
        browser.close()
    assert f"{len(export.bad):,}" in checked, checked
    assert f"{export.rows:,}" in result, result
    assert named == set(export.bad), f"{len(named)} rows named, {len(export.bad)} are bad"
    return {"bytes": export.path.stat().st_size, "rows": export.rows, "bad": len(export.bad), "seconds": round(took, 1)}


def main() -> None:
    """Run as asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=40_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yutang-exported-") as folder:
        print(json.dumps(run(Path(folder), given.bytes)))


if __name__ == "__main__":
    main()
