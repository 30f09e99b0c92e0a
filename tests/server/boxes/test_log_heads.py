"""What goes with an export so that a third party can check the logs later, without this server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, update

from hailong.cli import main
from pipeline.audit.sources import read_heads
from pipeline.keys import KeyPair, new_keys, public_key_bytes
from pipeline.transparency.heads import from_words, make_head, verify_head
from server.core.changes import record_change, verify_changes
from server.store.engine import read, write
from server.store.tables.boxes import boxes
from server.store.tables.releases import tree_heads
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province


@pytest.fixture
def province(store: Engine) -> Province:
    return fill_province(store, "p1")


def _add_head(store: Engine, province: Province, box: int, keys: KeyPair, size: int, *, verified: bool = True) -> None:
    head = make_head(1, size, bytes([size]) * 32, keys.sign)
    values = {"size": size, "root": from_words(head.root).hex(), "signature": from_words(head.signature).hex()}
    with write(store) as connection:
        connection.execute(update(boxes).where(boxes.c.id == box).values(log_key=keys.signing_public.hex()))
        place = {"province_id": province.province_id, "box_id": box, "epoch": 1, "sequence": size, "received_day": 1}
        connection.execute(insert(tree_heads).values(**place, **values, verified=verified))


def test_heads_in_an_export_are_checked_with_the_box_s_key_alone(
    store: Engine, province: Province, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = {box: new_keys("box") for box in province.boxes.values()}
    for box, pair in keys.items():
        for size in (3, 7):
            _add_head(store, province, box, pair, size)
    _add_head(store, province, min(keys), keys[min(keys)], 9, verified=False)
    with write(store) as connection:
        record_change(connection, province.province_id, None, "settings", {"late_days": 3})
        length, chain = verify_changes(connection, province.province_id)
    out = tmp_path / "out"
    words = ["server", "export", "index", "--store", str(store.url), "--period", "2026-Q3", "--out", str(out), "--json"]
    assert main(words) == 0
    files = [Path(name).name for name in json.loads(capsys.readouterr().out)["files"]]
    assert files[-2:] == ["heads.jsonl", "changes.json"]
    lines = [json.loads(line) for line in (out / "heads.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["box"], line["size"]) for line in lines] == [(box, 7) for box in keys]
    for line in lines:
        (head,) = read_heads(out / "heads.jsonl", line["box"])
        assert verify_head(head, public_key_bytes(line["key"]))
        assert not verify_head(head, new_keys("box").signing_public)
    assert len(read_heads(out / "heads.jsonl")) == 2
    kept = json.loads((out / "changes.json").read_text(encoding="utf-8"))
    assert (kept["entries"], kept["head"]) == (length, chain)


@pytest.mark.parametrize(("role", "status"), [(Role.ANALYST, 200), (Role.AGENCY_READER, 403), (Role.DATA_ENTRY, 403)])
def test_heads_are_downloaded_by_those_who_export(
    store: Engine, province: Province, tmp_path: Path, role: Role, status: int
) -> None:
    other = fill_province(store, "p2")
    _add_head(store, other, min(other.boxes.values()), new_keys("box"), 5)
    _add_head(store, province, min(province.boxes.values()), new_keys("box"), 6)
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[role])
    answer = browser.get("/api/v1/heads.jsonl")
    assert (answer.status_code, browser.get("/api/v1/changes-head").status_code) == (status, status)
    if status == 200:
        assert [json.loads(line)["size"] for line in answer.text.splitlines()] == [6]
        with read(store) as connection:
            head = verify_changes(connection, province.province_id)[1]
        assert browser.get("/api/v1/changes-head").json()["head"] == head
