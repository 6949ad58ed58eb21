"""Clients that others wrote, against the running server: only their host is changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.api.collect.conftest import Running

analytics = pytest.importorskip("segment.analytics", reason="segment-analytics-python is not installed")

SCRIPT = """
const { Analytics } = require('@segment/analytics-node')
const [host, writeKey] = process.argv.slice(2)
const client = new Analytics({ host, writeKey, flushAt: 15, flushInterval: 50 })
client.on('error', (error) => { console.error(error); process.exitCode = 1 })
for (let n = 0; n < 40; n++)
  client.track({ userId: 'node-1', event: 'Product Viewed', properties: { sku: `S-${n}` }, messageId: `node-${n}.` })
client.identify({ userId: 'node-1', traits: { name: '王小明', phone: '13800138000' }, messageId: 'node-i.' })
client.page({ userId: 'node-1', name: '首页', messageId: 'node-p.' })
client.closeAndFlush().then(() => console.log('done'))
"""


@pytest.mark.long
@pytest.mark.parametrize("packed", [False, True])
def test_segments_python_client_delivers_every_call(server: Running, packed: bool) -> None:
    wrong: list[Any] = []
    client = analytics.Client(
        server.keys["shop"], host=server.address, gzip=packed, upload_interval=0.05,
        on_error=lambda error, batch: wrong.append(error), max_retries=1,
    )  # fmt: skip
    mark = f"py{packed}"
    at = datetime(2026, 3, 1, tzinfo=UTC)
    for n in range(250):
        client.track("py-1", "Product Viewed", {"sku": f"S-{n}"}, timestamp=at, message_id=f"{mark}-{n}.")
    client.identify("py-1", {"name": "王小明", "phone": "13800138000"}, timestamp=at, message_id=f"{mark}-i.")
    client.page("py-1", "目录", "首页", {"path": "/"}, timestamp=at, message_id=f"{mark}-p.")
    client.screen("py-1", "目录", "首页", timestamp=at, message_id=f"{mark}-s.")
    client.group("py-1", "family", {"name": "一家"}, timestamp=at, message_id=f"{mark}-g.")
    client.alias("anon-1", "py-1", timestamp=at, message_id=f"{mark}-a.")
    client.flush()
    client.join()
    assert wrong == []
    found = [event for event in server.ask("inbox") if event["id"].startswith(f"shop/{mark}-")]
    assert len({event["id"] for event in found}) == len(found) == 255
    assert all(datetime.fromisoformat(event["occurred_at"]) == at for event in found)


@pytest.mark.long
@pytest.mark.parametrize(("key", "status"), [("wk_wrong", 401), ("shop", 400)])
def test_segments_python_client_is_told_why(server: Running, key: str, status: int) -> None:
    large = {"event": "x" * (40_000 if status == 400 else 1)}
    with pytest.raises(Exception, match=r"write key|32 kB") as caught:
        analytics.request.post(server.keys.get(key, key), server.address, batch=[large])
    assert caught.value.status == status


@pytest.fixture(scope="session")
def node_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which node finds @segment/analytics-node: $NODE_PATH's, or one that npm fills."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    for folder in os.environ.get("NODE_PATH", "").split(os.pathsep):
        if folder and (Path(folder) / "@segment" / "analytics-node").is_dir():
            return Path(folder).parent
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("node")
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), "@segment/analytics-node"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("@segment/analytics-node cannot be had")
    return folder


@pytest.mark.long
def test_segments_node_client_delivers_every_call(server: Running, node_client: Path) -> None:
    script = node_client / "send.js"
    script.write_text(SCRIPT)
    command = ["node", str(script), server.address, server.keys["shop"]]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=node_client, env=environment)
    assert done.returncode == 0, done.stderr
    found = [event for event in server.ask("inbox") if event["id"].startswith("shop/node-")]
    assert len({event["id"] for event in found}) == len(found) == 42
    (page,) = (event for event in found if event["type"] == "page.viewed")
    assert page["props"]["name"] == "首页"
    assert json.dumps(found, ensure_ascii=False).count("王小明") == 1
