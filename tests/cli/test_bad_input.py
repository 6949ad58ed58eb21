"""Bad input gets one clear sentence in both languages, and nothing of it is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import stores
from tests.cli.shell import Said, alone, run, run_in
from yutang.kernel.encryption import Keyring

HEAD = "order_id,placed_at,sku,quantity,amount,member\n"
GOOD = (
    HEAD + "1,2026-03-01 10:00:00,a,1,19.90,m1\n2,2026-03-01 11:00:00,free,1,0,m1\n3,2026-03-01 12:00:00,none,0,0,m2\n"
)
DOCUMENT = "kind: {kind}\nname: bad\nschema: 1\ntitle: {{zh: 坏, en: Bad}}\n"
FILES: dict[str, tuple[bytes, str, str]] = {
    "encoding.csv": (HEAD.encode() + b"1,2026-03-01,\xff\xfe\x80,1,1,m1\n", "UTF-8", "UTF-8"),
    "columns.csv": (b"order_id,placed_at\n1,2026-03-01\n", "quantity", "quantity"),
    "text.csv": (f"{HEAD}1,2026-03-01,a,one,1,m1\n".encode(), "第 2 行的 quantity", "Row 2, quantity"),
    "negative.csv": (f"{HEAD}1,2026-03-01,a,-1,1,m1\n".encode(), "第 2 行的 quantity", "Row 2, quantity"),
    "line.csv": (b"", "第 2 行超过 1 MB", "Line 2"),
    "empty.csv": (b"", "空的", "empty"),
    "missing.csv": (b"", "没有文件", "no file"),
    "trait.yaml": (
        DOCUMENT.format(kind="segment").encode() + b"where: {trait: nonsense, is: 3}\n",
        "没有属性「nonsense」",
        "no trait “nonsense”",
    ),
    "purpose.yaml": (
        DOCUMENT.format(kind="broadcast").encode() + b"audience: {everyone: true}\nmessage: {text: hi}\n",
        "purpose：缺少",
        "purpose",
    ),
    "binary.yaml": (b"\x80\x81", "YAML", "YAML"),
}


def command(name: str) -> list[str]:
    """The command that reads a file."""
    return ["apply" if name == "trait.yaml" else "plan", name] if name.endswith(".yaml") else ["import", "orders", name]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[Said]]]:
    """What was said of each bad file in Chinese, in English and in JSON; the totals before and after."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "good.csv").write_text(GOOD, encoding="utf-8")
    for name, (content, _, _) in FILES.items():
        if name != "missing.csv":
            (folder / name).write_bytes(content)
    with (folder / "line.csv").open("wb") as file:
        file.write(HEAD.encode() + b"1,2026-03-01,")
        file.writelines([b"x" * (1 << 20)] * 200)
    words: list[tuple[str, list[str]]] = [("en", ["import", "orders", "good.csv", "--json"])]
    words.append(("en", ["doctor", "--json"]))
    for name in FILES:
        words += [("zh", command(name)), ("en", command(name)), ("en", [*command(name), "--json"])]
    words += [("en", ["doctor", "--json"]), ("en", ["segments", "list", "--json"]), ("en", ["plans", "list", "--json"])]
    answers = run_in(folder / "data", words)
    told = {name: answers[2 + 3 * index : 5 + 3 * index] for index, name in enumerate(FILES)}
    return folder, {**told, "before": answers[:2], "after": answers[-3:]}


@pytest.mark.long
@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_gets_one_sentence_in_each_language(said: tuple[Path, dict[str, list[Said]]], name: str) -> None:
    chinese, english, data = said[1][name]
    _, zh, en = FILES[name]
    for answer, expected in ((chinese, zh), (english, en)):
        assert answer.code == 1
        assert answer.out == ""
        assert len(answer.err.strip().splitlines()) == 1
        assert expected in answer.err
    assert data.code == 1
    assert zh in data.data["error"]["zh"]
    assert en in data.data["error"]["en"]


@pytest.mark.long
def test_zero_and_free_lines_are_good_and_nothing_bad_was_kept(said: tuple[Path, dict[str, list[Said]]]) -> None:
    folder, told = said
    assert told["before"][0].data["accepted"] == 3
    assert told["before"][1].data["totals"] == told["after"][0].data["totals"]
    assert told["after"][0].data["totals"]["orders"] == 3
    assert "bad" not in [segment["name"] for segment in told["after"][1].data]
    assert told["after"][2].data == []
    left = [path for path in (folder / "data" / "imports").rglob("*") if not path.name.endswith("-errors.csv")]
    assert left == []


@pytest.mark.long
def test_a_wrong_key_is_said_and_nothing_is_touched(said: tuple[Path, dict[str, list[Said]]], tmp_path: Path) -> None:
    directory = tmp_path / "data"
    shutil.copytree(said[0] / "data", directory)
    stores.copy(said[0] / "data", directory)
    key = directory / "secret.key"
    own = key.read_bytes()
    key.unlink()
    Keyring.load_or_create(key)
    chinese = alone(directory, "import", "orders", str(said[0] / "good.csv"), language="zh")
    assert (chinese.code, chinese.out) == (1, "")
    assert "另一把密钥" in chinese.err
    assert len(chinese.err.strip().splitlines()) == 1
    (english,) = run(directory, ["doctor", "--json"])
    assert "another key" in english.data["error"]["en"]
    key.write_bytes(own)
    assert run(directory, ["doctor", "--json"])[0].data["totals"]["orders"] == 3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that fills up soon."""
    if os.geteuid() != 0:
        pytest.skip("a small disk is mounted by root only")
    where = tmp_path / "disk"
    where.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(where)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine mounts no small disk")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", str(where)], check=True)


@pytest.mark.long
def test_a_full_disk_is_said_and_what_stood_stands(small_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text(GOOD, encoding="utf-8")
    rows = (f"{10 + n},2026-03-01 10:00:00,sku{n},1,{n}.50,m{n}\n" for n in range(60_000))
    (tmp_path / "large.csv").write_text(HEAD + "".join(rows), encoding="utf-8")
    directory = small_disk / "data"
    good, full, after = run(
        directory,
        ["import", "orders", str(tmp_path / "good.csv"), "--json"],
        ["import", "orders", str(tmp_path / "large.csv"), "--json"],
        ["doctor", "--json"],
    )
    assert good.code == 0, good.out
    assert full.code == 1
    assert "磁盘已满" in full.data["error"]["zh"]
    assert "disk is full" in full.data["error"]["en"]
    assert after.data["totals"] == {"persons": 2, "orders": 3, "lines": 3, "spend": 19.9}
