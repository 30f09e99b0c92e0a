"""What goes beside exported tables so that other programs understand them: CSV on the Web (W3C, 2015) for the tables
and their columns, DCAT (W3C, version 3) for the data set, both as JSON-LD.

    csv-metadata.json   which columns a table has, of which type, what each and each of its values means
    dataset.jsonld      title, publisher, period, and every file with its size and SHA-256

Nothing in them is counted from answers but the files themselves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.calendar import Period, day_date

CSVW_NAME = "csv-metadata.json"
DCAT_NAME = "dataset.jsonld"
CSVW_TYPE = "application/csvm+json"
_TYPES: dict[str, Any] = {
    "text": "string",
    "integer": "integer",
    "number": "number",
    "boolean": {"base": "boolean", "format": "True|False"},
    "day": {"base": "date", "format": "yyyy-MM-dd"},
}
KINDS = frozenset(_TYPES)
_MEDIA = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".parquet": "application/vnd.apache.parquet",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `kind`: one of `KINDS`; `values`: code -> label in Vietnamese; empty `en`: none."""

    name: str
    kind: str
    vi: str
    en: str = ""
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A table: its file's name (or address), what it is, its columns in order."""

    url: str
    vi: str
    en: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """What an export is: of whom, about what, for which period, made on which day. `simulated`: of a generated
    province."""

    vi: str
    en: str
    publisher: str
    period: Period
    issued: date
    simulated: bool


def csvw(tables: Sequence[CsvTable]) -> dict[str, Any]:
    """The description of some CSV files as CSV on the Web has it."""
    context: list[Any] = ["http://www.w3.org/ns/csvw", {"@language": "vi"}]
    return {
        "@context": context,
        "dialect": {"encoding": "utf-8", "delimiter": ",", "header": True},
        "tables": [_table(table) for table in tables],
    }


def _words(vi: str, en: str) -> list[dict[str, str]]:
    both = (("vi", vi), ("en", en))
    return [{"@value": text, "@language": language} for language, text in both if text]


def _table(table: CsvTable) -> dict[str, Any]:
    columns = [_column(column) for column in table.columns]
    title = {"dc:title": said} if (said := _words(table.vi, table.en)) else {}
    return {"url": table.url, **title, "tableSchema": {"columns": columns}}


def _column(column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": column.name.replace(".", "_"),
        "titles": {"und": column.name},
        "datatype": _TYPES[column.kind],
        "dc:description": _words(column.vi, column.en),
    }
    if column.values:
        found["schema:valueReference"] = [
            {"@type": "schema:PropertyValue", "schema:value": code, "schema:name": _words(label, "")}
            for code, label in column.values
        ]
    return found


def dcat(about: Dataset, files: Sequence[Path]) -> dict[str, Any]:
    """The description of an export as a data catalogue has it."""
    note = _words("Số liệu mô phỏng", "Simulated figures") if about.simulated else []
    return {
        "@context": {
            "dcat": "http://www.w3.org/ns/dcat#",
            "dct": "http://purl.org/dc/terms/",
            "foaf": "http://xmlns.com/foaf/0.1/",
            "spdx": "http://spdx.org/rdf/terms#",
            "xsd": "http://www.w3.org/2001/XMLSchema#",
        },
        "@type": "dcat:Dataset",
        "dct:title": _words(about.vi, about.en),
        **({"dct:description": note} if note else {}),
        "dct:publisher": {"@type": "foaf:Agent", "foaf:name": about.publisher},
        "dct:issued": _day(about.issued),
        "dct:temporal": {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": _day(day_date(about.period.first_day)),
            "dcat:endDate": _day(day_date(about.period.last_day)),
        },
        "dct:language": ["vi", "en"],
        "dcat:distribution": [_distribution(path) for path in files],
    }


def _day(day: date) -> dict[str, str]:
    return {"@value": day.isoformat(), "@type": "xsd:date"}


def _distribution(path: Path) -> dict[str, Any]:
    content = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            content.update(part)
    found: dict[str, Any] = {
        "@type": "dcat:Distribution",
        "dct:title": path.name,
        "dcat:downloadURL": {"@id": path.name},
        "dcat:byteSize": path.stat().st_size,
        "spdx:checksum": {
            "@type": "spdx:Checksum",
            "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
            "spdx:checksumValue": content.hexdigest(),
        },
    }
    if path.suffix in _MEDIA:
        found["dcat:mediaType"] = _MEDIA[path.suffix]
    if path.suffix == ".csv":
        found["dct:conformsTo"] = {"@id": "https://www.w3.org/TR/tabular-data-model/"}
        found["dcat:qualifiedRelation"] = {"@id": CSVW_NAME}
    return found


def write_metadata(folder: Path, about: Dataset, tables: Sequence[CsvTable], files: Sequence[Path]) -> list[Path]:
    """Write both beside the files of an export; what was written. Without CSV files the first is left out."""
    made = []
    if tables:
        made.append(folder / CSVW_NAME)
        made[0].write_text(_text(csvw(tables)), encoding="utf-8")
    last = folder / DCAT_NAME
    last.write_text(_text(dcat(about, [*files, *made])), encoding="utf-8")
    return [*made, last]


def _text(found: dict[str, Any]) -> str:
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"
