"""Every kind of import answers with a balance that adds up, told alike in the page, in `--json` and in the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from hailong.cli import main
from pipeline.calendar import today
from pipeline.instruments import load_instrument
from pipeline.language import Text
from server.imports.kinds import KINDS
from server.rounds.rounds import make_round
from server.store.engine import read, write
from server.store.tables.changes import changes
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province

ITEMS = [code for code in load_instrument("2640").slots if code != "overall"]
GOOD: dict[str, dict[str, str]] = {
    "ratings": {"agency": "p1-a", "day": "5/8/2026", "channel": "paper", "overall": "4", **dict.fromkeys(ITEMS, "4")},
    "transactions": {"agency": "p1-a", "month": "2026-07", "count": "1.234"},
    "margins": {"question": "G1", "choice": "1", "people": "1.234", "year": "2024"},
    "indicators766": {
        "agency": "p1-a",
        "dossiers": "10",
        "dossiers_good": "9",
        "petitions": "8",
        "petitions_in_time": "7",
        "petitions_good": "6",
        "period": "2026-09",
    },
    "scores61": {"agency": "p1-a", "indicator": "1", "self_score": "2", "period": "2026-Q3"},
    "levels": {"code": "new", "name_vi": "Cấp mới", "rank": "9"},
    "fields": {"code": "new", "name_vi": "Ngành mới"},
    "agencies": {"code": "new", "name_vi": "Sở Mới", "level": "tinh"},
    "counters": {"agency": "p1-a", "code": "q1", "name_vi": "Quầy 1"},
    "service_groups": {"number": "77", "name_vi": "Nhóm mới"},
    "services": {"code": "new", "name_vi": "Thủ tục mới"},
    "successors": {"agency": "p1-a", "successor": "p1-b", "day": "1/10/2026"},
    "enumerators": {"code": "new", "name_vi": "Nguyễn Văn A"},
    "phones": {"phone": "0912345678", "agency": "p1-a"},
}
"""A row that fits, for each kind."""
TITLE, NOTE, TOTALS = "Bảng tổng hợp", "một điều", "Tổng cộng"


@pytest.fixture
def province(store: Engine) -> Province:
    made = fill_province(store, "p1", simulated=False)
    with write(store) as connection:
        make_round(
            connection,
            made.province_id,
            code="q4",
            name=Text.named(vi="Quý IV"),
            instrument="2640",
            first_day=today() - 1,
            last_day=today() + 30,
            user_id=None,
        )
    return made


def _file(folder: Path, kind: str, *, bad: bool) -> tuple[Path, int, int]:
    """(file, its rows, its cells with content): a title, the header, the good row, an ignored column; and where `bad`,
    a row of totals, which no kind takes."""
    row = GOOD[kind]
    head = [*row, "Ghi chú"]
    lines = [[TITLE], [], head, [*row.values(), NOTE], *([[TOTALS]] if bad else [])]
    path = folder / f"{kind}.csv"
    path.write_text("\n".join(";".join(line) for line in lines), encoding="utf-8")
    return path, len(lines) - 1, sum(len([cell for cell in line if cell]) for line in lines)


def test_every_kind_has_a_row() -> None:
    assert set(GOOD) == set(KINDS)


def test_rows_cells_and_columns_add_up_wherever_they_are_told(
    store: Engine, province: Province, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ADMINISTRATOR])
    csrf = browser.token("/survey/import")
    for kind in KINDS:
        refused = _told(store, capsys, kind, _file(tmp_path, kind, bad=True), code=1)
        assert (refused["rows"]["refused"], refused["cells"]["refused"]) == (1, 1), kind
        path, rows, cells = good = _file(tmp_path, kind, bad=False)
        data = {"kind": kind, "what": "preview", "round_code": "q4", "csrf": csrf}
        page = browser.http.post("/survey/import", data=data, files={"file": (path.name, path.read_bytes())}).text
        told = _told(store, capsys, kind, good, code=0)
        used = len(GOOD[kind])
        assert (told["rows"]["used"], told["cells"]["used"], told["cells"]["ignored"]) == (1, used, 1), kind
        for name in ("rows", "cells"):
            counts = [told[name][part] for part in ("read", "heading", "used", "ignored", "refused")]
            assert "".join(f'<td class="n">{count}</td>' for count in counts) in page, (kind, name)
        assert "Ghi chú" in page
        with read(store) as connection:
            action = changes.c.action == f"{kind}_imported"
            (logged,) = connection.execute(select(changes.c.detail).where(action)).scalars()  # nothing of the others
        wanted = {"rows_read": rows, "rows_used": 1, "cells_read": cells, "cells_used": used}
        assert {**wanted, "cells_ignored": 1, "columns_ignored": 1}.items() <= json.loads(logged).items(), kind


def _told(
    store: Engine, capsys: pytest.CaptureFixture[str], kind: str, file: tuple[Path, int, int], *, code: int
) -> dict[str, Any]:
    """The balance that the command tells as JSON, once what holds for every file was looked at."""
    path, rows, cells = file
    url = store.url.render_as_string(hide_password=False)
    assert main(["server", "import", "--store", url, kind, str(path), "--json", "--round", "q4"]) == code, kind
    told: dict[str, Any] = json.loads(capsys.readouterr().out)["balance"]
    assert told["adds_up"]
    assert (told["rows"]["read"], told["rows"]["heading"], told["cells"]["read"]) == (rows, 2, cells)
    assert told["columns"]["ignored"] == ["Ghi chú"]
    return told
