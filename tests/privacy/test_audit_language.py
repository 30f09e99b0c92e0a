"""What an audit says is said in the reader's language, with its figures; its JSON keeps English for programs."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from edge.audit.canary import make_canary, needles_of
from edge.audit.trace import _contents
from hailong.cli import main
from pipeline.audit.attack import audit_attack
from pipeline.audit.budget import audit_budget
from pipeline.audit.log import audit_log
from pipeline.audit.schema import audit_schema
from pipeline.audit.verdict import Verdict
from pipeline.audit.wire_records import audit_wire
from pipeline.language import Message, Text, is_spoken
from pipeline.privacy.policy import PrivacyPolicy
from server.core.provinces import make_province
from server.store.engine import connect, store_url, write
from server.store.upgrade import upgrade
from tests.privacy.bench import Bench

SENTENCE = re.compile(r"[^\W\d_]{3,} [^\W\d_]{2,}")
DAY_S = 86_400.0


def plain_texts(value: object) -> Iterator[str]:
    """Texts with two words or more that no catalogue knows: data are codes, names and numbers."""
    if isinstance(value, Mapping):
        yield from (text for each in (*value.keys(), *value.values()) for text in plain_texts(each))
    elif isinstance(value, list | tuple):
        yield from (text for each in value for text in plain_texts(each))
    elif isinstance(value, str) and not is_spoken(value) and SENTENCE.search(value):
        yield value


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A box's folder after two days, with a log that was altered."""
    folder = tmp_path_factory.mktemp("box")
    bench = Bench(folder)
    for _ in range(2):
        bench.count(4)
        bench.pass_time(DAY_S)
    bench.curator.close()
    with sqlite3.connect(folder / "release.sqlite3") as database:
        database.execute("DELETE FROM leaf WHERE number = 3")
        database.execute("UPDATE leaf SET data = x'00' WHERE number = 4")
    database.close()
    return folder


def attack() -> Verdict:
    return audit_attack(PrivacyPolicy(clerks_per_box=2), 36)  # far too few: every part has something to object


AUDITS: dict[str, Callable[[Path], Verdict]] = {
    "schema": lambda _: audit_schema(0.5, 1.5),
    "budget": lambda box: audit_budget(box / "release.sqlite3"),
    "log": lambda box: audit_log(box / "release.sqlite3", [], None),
    "wire": lambda box: audit_wire([box / "noise.record"]),
    "attack": lambda _: attack(),
}


@pytest.mark.parametrize("name", AUDITS)
def test_an_audit_holds_sentences_and_no_plain_text(box: Path, tmp_path: Path, name: str) -> None:
    place = tmp_path / "box"
    shutil.copytree(box, place)
    (place / "noise.record").write_bytes(bytes(8_192))
    verdict = AUDITS[name](place)
    if name != "schema":
        assert verdict.problems, "something to say"
    assert not list(plain_texts([verdict.claim, verdict.problems, verdict.facts, verdict.cannot_check]))
    found = verdict.as_dict()
    assert json.loads(json.dumps(found)) == found
    assert found["problems"] == [str(problem) for problem in verdict.problems]
    assert {type(each) for each in found["problems"]} <= {str}
    for problem, said in zip(verdict.problems, found.get("problems_vi", []), strict=True):
        assert (said, said != str(problem)) == (problem.in_language("vi"), True)
        assert f"VẤN ĐỀ: {said}" in verdict.text("vi")
        assert f"PROBLEM: {problem}" in verdict.text("en")
    assert ("KẾT LUẬN" in verdict.text("vi"), "VERDICT" in verdict.text("vi")) == (True, False)


def test_what_lies_in_a_file_is_said_by_a_sentence() -> None:
    needles = needles_of(make_canary())
    (_, strings), *_ = needles.forms.items()
    found = _contents("a.db", b"\xff\xd8\xff\xe0" + strings[0] + b" khong ai duoc nghe thay cau nay o dau ca", needles)
    assert len(found) == 3
    assert all(is_spoken(each) and each.in_language("vi") != str(each) for each in found)


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_retention_says_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lang: str
) -> None:
    """The whole sentence: it once said its second letter."""
    monkeypatch.setenv("LANGUAGE", lang)
    store = f"sqlite:///{tmp_path / 'store.sqlite'}"
    engine = connect(store_url(store))
    upgrade(engine)
    with write(engine) as connection:
        make_province(connection, "tinh", Text.named(vi="Tỉnh", en="Province"))
        connection.exec_driver_sql("CREATE TABLE photos (picture BLOB)")
    engine.dispose()
    words = Message("{name}: a table that is none of this program's", name="photos")
    assert main(["audit", "retention", "--store", store]) == 1
    assert words.in_language(lang) in capsys.readouterr().out
    assert main(["audit", "retention", "--store", store, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["provinces"]["tinh"]
    assert (told["findings"], told["findings_vi"]) == ([str(words)], [words.in_language("vi")])
