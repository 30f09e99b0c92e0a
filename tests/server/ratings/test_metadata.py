"""What stands beside an export describes the files that are there: columns, types, values, sizes, digests."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from hailong.cli import main
from pipeline.instruments import load_instrument
from tests.server.client import Browser
from tests.server.province import application, fill_province


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
        assert datatype == {"base": "date", "format": "yyyy-MM-dd"}
        return bool(date.fromisoformat(cell))
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


@pytest.mark.parametrize(
    "path", ["/survey/index.csv?period=2026-Q3&by=channel", "/agencies/p1-a/figures.csv?period=2026-Q3"]
)
def test_a_page_s_file_leads_to_what_its_columns_are(path: str, store: Engine, tmp_path: Path) -> None:
    fill_province(store, "p1", simulated=False)
    browser = Browser(application(store, tmp_path))
    browser.log_in("analyst.p1")
    file = browser.get(path)
    address, relation, kind = (part.strip() for part in file.headers["link"].split(";"))
    assert (relation, kind) == ('rel="describedby"', 'type="application/csvm+json"')
    [table] = browser.get(address.strip("<>")).json()["tables"]
    assert table["url"] == path
    rows = list(csv.DictReader(file.text.lstrip("\ufeff").splitlines()))
    columns = {column["titles"]["und"]: column["datatype"] for column in table["tableSchema"]["columns"]}
    assert list(columns) == list(rows[0])
    numbers = [name for name, kind in columns.items() if kind == "number"]
    assert all(0.0 <= float(row[name]) <= 100.0 for row in rows for name in numbers if row[name])
    assert all(int(row["valid"]) >= 0 for row in rows if row["valid"])
    nobody = Browser(application(store, tmp_path))
    assert nobody.get(address.strip("<>")).status_code != 200
