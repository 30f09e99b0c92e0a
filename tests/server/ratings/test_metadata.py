"""What stands beside an export describes the files that are there: columns, types, values, sizes, digests."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import Engine

from calibration.sampling import PlanSettings
from hailong.cli import main
from pipeline.calendar import day_index
from pipeline.instruments import load_instrument
from pipeline.language import Text, in_language
from server.rounds.rounds import make_round
from server.sampling.plan import make_plan
from server.store.engine import write
from server.store.tables.transactions import transactions
from server.tabular.row_files import described
from tests.server.client import Browser, described_columns
from tests.server.province import PERIOD, add_ratings, application, fill_province
from tests.server.web.test_isolation import routes


@pytest.fixture
def folder(store: Engine, tmp_path: Path) -> Path:
    fill_province(store, "p1")
    out = tmp_path / "out"
    words = ["server", "export", "ratings", "--period", "2026-Q3", "--out", str(out), "--data-dir", str(tmp_path)]
    assert main(words) == 0
    return out


def _fits(cell: str, datatype: Any) -> bool:
    """Whether a cell is of a type of CSV on the Web; an empty one is missing."""
    if cell == "" or datatype == "string":
        return True
    if isinstance(datatype, dict):
        if datatype["base"] == "boolean":
            return cell in str(datatype["format"]).split("|")
        assert datatype == {"base": "date", "format": "yyyy-MM-dd"}
        return bool(date.fromisoformat(cell))
    if datatype == "number":
        return math.isfinite(float(cell))
    return datatype == "integer" and cell.lstrip("-").isdigit()


def test_every_csv_file_is_as_it_is_described(folder: Path) -> None:
    found = json.loads((folder / "csv-metadata.json").read_text(encoding="utf-8"))
    assert found["@context"][0] == "http://www.w3.org/ns/csvw"
    assert {table["url"] for table in found["tables"]} == {path.name for path in folder.glob("*.csv")}
    for table in found["tables"]:
        with (folder / table["url"]).open(encoding="utf-8-sig", newline="") as file:
            head, *rows = list(csv.reader(file))
        columns = table["tableSchema"]["columns"]
        assert [column["titles"]["und"] for column in columns] == head
        assert len({column["name"] for column in columns}) == len(columns)
        assert rows
        for row in rows:
            for cell, column in zip(row, columns, strict=True):
                assert _fits(cell, column["datatype"]), (table["url"], column["name"], cell)
        assert all(column["dc:description"][0]["@language"] == "vi" for column in columns)


def test_values_are_those_of_the_instrument(folder: Path) -> None:
    found = json.loads((folder / "csv-metadata.json").read_text(encoding="utf-8"))
    sheets = next(table for table in found["tables"] if table["url"].startswith("ratings"))
    overall = next(one for one in sheets["tableSchema"]["columns"] if one["name"] == "overall")
    labels = {one["schema:value"]: one["schema:name"][0]["@value"] for one in overall["schema:valueReference"]}
    scale = {str(point.answer): point.vi for point in load_instrument("2640").scale}
    assert labels == {"0": "không trả lời", **scale}


def test_the_data_set_names_its_files_with_size_and_digest(folder: Path) -> None:
    found = json.loads((folder / "dataset.jsonld").read_text(encoding="utf-8"))
    assert found["@type"] == "dcat:Dataset"
    assert found["dct:publisher"]["foaf:name"] == "Tỉnh p1"
    assert found["dct:temporal"]["dcat:startDate"]["@value"] == "2026-07-01"
    assert found["dct:temporal"]["dcat:endDate"]["@value"] == "2026-09-30"
    assert found["dct:description"][0]["@value"] == "Số liệu mô phỏng"
    named = {one["dcat:downloadURL"]["@id"]: one for one in found["dcat:distribution"]}
    assert named.keys() == {"ratings-2026-Q3-2640-v1.csv", "dictionary-2640.csv", "csv-metadata.json"}
    for name, one in named.items():
        content = (folder / name).read_bytes()
        assert one["dcat:byteSize"] == len(content)
        assert one["spdx:checksum"]["spdx:checksumValue"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(("what", "form"), [("ratings", "parquet"), ("index", "csv")])
def test_other_forms_have_a_data_set_too(store: Engine, tmp_path: Path, what: str, form: str) -> None:
    fill_province(store, "p1", simulated=False)
    out = tmp_path / "out"
    words = ["server", "export", what, "--period", "2026-Q3", "--format", form, "--out", str(out)]
    assert main([*words, "--data-dir", str(tmp_path)]) == 0
    found = json.loads((out / "dataset.jsonld").read_text(encoding="utf-8"))
    assert "dct:description" not in found
    assert all((out / one["dcat:downloadURL"]["@id"]).is_file() for one in found["dcat:distribution"])


def test_a_download_leads_to_what_its_columns_are(store: Engine, tmp_path: Path) -> None:
    province = fill_province(store, "p1", simulated=False)
    browser = Browser(application(store, tmp_path))
    browser.log_in("analyst.p1")
    file = browser.get("/api/v1/ratings?period=2026-Q3")
    address, relation, kind = (part.strip() for part in file.headers["link"].split(";"))
    assert (relation, kind) == ('rel="describedby"', 'type="application/csvm+json"')
    answer = browser.get(f"/api/v1/{address.strip('<>')}")
    assert answer.headers["content-type"].startswith("application/csvm+json")
    columns = answer.json()["tables"][0]["tableSchema"]["columns"]
    head = next(csv.reader(file.text.lstrip("\ufeff").splitlines()))
    assert [column["titles"]["und"] for column in columns] == head
    assert "link" not in browser.get("/api/v1/ratings?period=2026-Q3&format=parquet").headers
    assert province.province_id


PAGES_FILES = (
    "/survey/index.csv?period=2026-Q3&by=channel",
    "/agencies/p1-a/figures.csv?period=2026-Q3",
    "/scores.csv?period=2026-Q3",
    "/heatmap.csv?period=2026-Q3",
    "/reasons.csv?period=2026-Q3&by=agency",
    "/compare.csv?period=2026-Q3&a=p1-a",
    "/survey/766.csv?period=2026-Q3&origin=own",
    "/analysis/estimates.csv?period=2026-Q3",
    "/survey/plan.csv?code=k",
)
ELSEWHERE = ("/survey/rounds/{round_id}/forms.csv",)
"""tests/server/channels/test_pages.py looks at it: it needs a round with forms."""


def _reads_the_same_as_a_workbook(browser: Browser, path: str, names: list[str], rows: list[dict[str, str]]) -> None:
    """Columns headed in Vietnamese, numbers that are numbers, and which column of the CSV is which."""
    book = load_workbook(io.BytesIO(browser.get(f"{path}&as=xlsx&lang=vi").content))
    table, about = (list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets)
    heads = [str(head) for head in table[0]]
    assert [list(row) for row in about[1:]] == [[head, name] for head, name in zip(heads, names, strict=True)]
    assert len(set(heads)) == len(heads), "two columns would read alike"
    assert not set(heads) & {in_language(described(name), "en") for name in names}, heads
    assert len(table) == len(rows) + 1
    for place, name in enumerate(names):
        highest = max((cell for row in table[1:] if isinstance(cell := row[place], (int, float))), default=0)
        assert highest <= 1 or not in_language(described(name), "en").endswith("0..1"), (path, name, highest)
    for cells, row in zip(table[1:], rows, strict=True):
        for cell, name in zip(cells, names, strict=True):
            said = row[name].removeprefix("'")
            is_number = isinstance(cell, (int, float)) and not isinstance(cell, bool)
            assert (
                (cell == pytest.approx(float(said), rel=1e-12))
                if is_number
                else ("" if cell is None else str(cell)) == said
            ), (path, name)


def test_every_page_s_file_leads_to_what_its_columns_are(store: Engine, tmp_path: Path) -> None:
    made = fill_province(store, "p1", simulated=False)
    with write(store) as connection:
        for agency in made.agencies.values():
            place = {"province_id": made.province_id, "agency_id": agency, "month": PERIOD.last_month}
            connection.execute(transactions.insert().values(**place, service_group=0, count=500, late=20))
            add_ratings(connection, made.province_id, agency, 200, 80, a01=2, a02=4, a03=5, a04=3, a05=4, reasons=3)
        first, last = day_index(date(2026, 9, 1)), day_index(date(2026, 9, 30))
        make_round(connection, made.province_id, code="r", name=Text.named(vi="Đợt"), instrument="2640",
                   first_day=first, last_day=last, user_id=None)  # fmt: skip
        settings = PlanSettings("2026-09", seed=1, forms=50, scope="province")
        make_plan(connection, made.province_id, "r", "k", settings, None)
    app = application(store, tmp_path)
    browser = Browser(app)
    browser.log_in("analyst.p1")
    there = {path.partition("?")[0] for path in PAGES_FILES}
    for route in routes(app):
        path = route.path.replace("{code}", "p1-a").replace("{table}.{ending}", "estimates.csv")
        assert not path.endswith(".csv") or path in there or path in ELSEWHERE, f"{path}: which columns has it?"
    filled: list[bool] = []
    for path in PAGES_FILES:
        file = browser.get(path)
        kinds = described_columns(browser, file)
        rows = list(csv.DictReader(file.text.lstrip("\ufeff").splitlines()))
        filled.append(bool(rows))
        for row in rows:
            for name, datatype in kinds.items():
                assert _fits(row[name], datatype), (path, name, row[name])
        _reads_the_same_as_a_workbook(browser, path, list(kinds), rows)
    assert dict(zip(PAGES_FILES, filled, strict=True)) == dict.fromkeys(PAGES_FILES, True)
    address = browser.get(PAGES_FILES[0]).headers["link"].partition(">")[0].strip("<")
    nobody = Browser(application(store, tmp_path))
    assert nobody.get(address).status_code != 200
    for bad in ("password:text", "index:picture", "index", ":text"):
        answer = browser.get(f"/survey/figures-metadata?of=/x.csv&column={bad}")
        assert answer.status_code == 422, bad
