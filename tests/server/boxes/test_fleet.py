"""Many boxes from a list: all of them or none, each with a label, in order of urgency on one page."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from hailong.cli import main
from pipeline.errors import ImportRowError, InvalidError
from pipeline.language import Text
from pipeline.wire import BoxState
from server.boxes.fleet import enrol_list
from server.boxes.health import BoxHealth, by_urgency, overview
from server.boxes.registry import list_boxes
from server.store.engine import read
from server.store.tables.boxes import boxes
from tests.server.province import Province, fill_province

GOOD = "agency,label,clerks\np1-a,Quầy 1,2\np1-b,Quầy 2,3\n"


@pytest.fixture
def province(store: Engine) -> Province:
    return fill_province(store, "p1")


def count(store: Engine) -> int:
    with read(store) as connection:
        return int(connection.execute(select(func.count()).select_from(boxes)).scalar_one())


def test_every_row_becomes_a_box_with_a_code(store: Engine, province: Province, tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(
        GOOD.replace("agency,label,clerks", "Mã cơ quan;Tên thiết bị;Số công chức").replace(",", ";"), "utf-8"
    )
    made = enrol_list(store, province.province_id, path, 1_000.0)
    assert [(box.label, box.clerks) for box in made] == [("Quầy 1", 2), ("Quầy 2", 3)]
    assert len({box.code for box in made}) == 2
    known = {box["box"]: box for box in list_boxes(store, province.province_id)}
    assert [(known[box.box_id]["label"], known[box.box_id]["clerks"]) for box in made] == [("Quầy 1", 2), ("Quầy 2", 3)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "nowhere,Quầy 3,2\n", "nowhere"),
        (GOOD + "p1-a,Quầy 1,2\n", "taken"),
        (GOOD + "p1-a,,2\n", "A label has"),
        (GOOD + "p1-a,Quầy 3,0\n", "clerks"),
        (GOOD + "p1-a,Quầy 3,hai\n", "clerks"),
        (GOOD + "p1-a,Quầy 3,²\n", "clerks"),
        ("agency,label,clerks,counter\np1-a,Quầy 1,2,nowhere\n", "nowhere"),
        ("agency,label,clerks\n", "no row below it"),
        ("agency,label\np1-a,Quầy 1\n", "clerks"),
    ],
)
def test_a_list_with_one_bad_row_makes_no_box(
    store: Engine, province: Province, tmp_path: Path, text: str, said: str
) -> None:
    before = count(store)
    path = tmp_path / "boxes.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(InvalidError) as caught:
        enrol_list(store, province.province_id, path, 1_000.0)
    rows = caught.value.rows if isinstance(caught.value, ImportRowError) else []
    assert said in " ".join([str(caught.value), *(reason for _, reason in rows)])
    assert count(store) == before


def test_the_sheet_is_its_owner_s_and_holds_every_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--data-dir", str(tmp_path / "data")]
    for arguments in (["init", "--province", "p", "--name", "Tỉnh"],):
        assert main(["server", *arguments, *where, "--json"]) == 0
    for kind, text in (
        ("levels", "code,name_vi,rank\nct,Cấp tỉnh,1\n"),
        ("agencies", "code,name_vi,level\nso-tu-phap,<b>Sở & Phòng,ct\n"),
    ):
        (tmp_path / f"{kind}.csv").write_text(text, "utf-8")
        assert main(["server", "import", kind, str(tmp_path / f"{kind}.csv"), *where]) == 0
    (tmp_path / "boxes.csv").write_text("agency,label,clerks\nso-tu-phap,Quầy <1>,2\nso-tu-phap,Quầy 2,2\n", "utf-8")
    capsys.readouterr()
    sheet = tmp_path / "labels.html"
    given = ["server", "enroll", *where, "--from-list", str(tmp_path / "boxes.csv")]
    (tmp_path / "bad.csv").write_text("agency,label,clerks\nnowhere,Quầy 9,2\n", "utf-8")
    assert main([*given[:-1], str(tmp_path / "bad.csv"), "--sheet", str(tmp_path / "bad.html")]) == 1
    assert "nowhere" in capsys.readouterr().err, "every row that does not fit is told"
    assert main(given) == 1, "codes without a place are lost"
    assert main([*given, "--sheet", str(sheet), "--json"]) == 0
    made = json.loads(capsys.readouterr().out.splitlines()[-1])["boxes"]
    text = sheet.read_text("utf-8")
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    assert all(box["code"] in text for box in made)
    assert text.count("<svg") == len(made) == 2
    assert "<b>Sở" not in text
    assert "Quầy &lt;1&gt;" in text
    assert "hết hạn" in text
    assert main([*given, "--sheet", str(sheet)]) == 1, "a sheet replaces no file"
    assert main([*given, "--sheet", str(tmp_path / "again.html")]) == 1, "the labels are taken"
    assert not (tmp_path / "again.html").exists()


def test_who_needs_somebody_stands_first() -> None:
    def health(label: str, state: BoxState, silent: bool = False) -> BoxHealth:
        return BoxHealth(
            label,
            Text.named(vi="Sở", en="Office"),
            True,
            False,
            False,
            False,
            state,
            silent,
            10,
            "1",
            False,
            0,
            0,
            0,
            {},
            0,
            [],
            None,
            None,
        )

    states = [
        health("a", BoxState.OK), health("b", BoxState.CAMERA_LOST), health("c", BoxState.OK),
        health("d", BoxState.OK, silent=True),
    ]  # fmt: skip
    assert [box.label for box in by_urgency(states)] == ["b", "d", "a", "c"]
    assert overview(states) == [("Working", 2), ("Camera lost", 1), ("Silent", 1)]
