"""Export answer sheets or the index, with a data dictionary, for R, SPSS and notebooks.

    hailong server export ratings --period 2026-Q3 --instrument 2640 --out data/
    hailong server export ratings --period 2026 --format parquet --out data/
    hailong server export index --period 2026-Q3 --out data/

`ratings` holds one line a sheet with every answer under its item's code; sheets that were set aside are in it with
`counted` 0. The SIPAS index is 100 x (answers 4 and 5) / (answers 1 to 5) over the lines with `counted` 1.

What the files hold, for programs: `csv-metadata.json` (CSV on the Web: columns, types, meanings, values) and
`dataset.jsonld` (DCAT: title, publisher, period, every file with its size and SHA-256).

Beside them stand `heads.jsonl` (the newest signed head of every box's log) and `changes.json` (the head of the log of
changes): whoever keeps them can check later that neither log was rewritten.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.language import Message, Number, in_language
from pipeline.language.console import say

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from pipeline.calendar import Period
    from server.tabular.metadata import Dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    from server.commands.options import add_store

    parser.add_argument("what", choices=("ratings", "index"), help="answer sheets, or the computed index")
    add_store(parser)
    parser.add_argument("--period", required=True, help="2026, 2026-Q3, 2026-07 or 2026-01..2026-07")
    parser.add_argument("--instrument", default="2640", help="code of the instrument (2640)")
    parser.add_argument("--version", type=int, help="version of the instrument (the newest)")
    parser.add_argument("--format", default="csv", help="csv or parquet (csv); the index comes as XLSX and JSON")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files; made where there is none")
    parser.add_argument("--json", action="store_true", help="list the files as JSON")


def run(args: argparse.Namespace) -> int:
    """Write the files."""
    from pipeline.calendar import parse_period
    from pipeline.instruments import load_instrument
    from server.commands.options import open_engine, province_id
    from server.core.config import keys_if_any, load_config
    from server.core.log_heads import write_heads
    from server.ratings.export import DICTIONARY, described_sheets, export_ratings, write_dictionary
    from server.reports.workbook import index_sheets
    from server.scores.index import compute_index
    from server.store.engine import read
    from server.tabular.metadata import CsvTable, write_metadata

    period = parse_period(args.period)
    engine = open_engine(args)
    instrument = load_instrument(args.instrument, args.version)
    args.out.mkdir(parents=True, exist_ok=True)
    stem = f"{period.name}-{instrument.code}-v{instrument.version}"
    count = 0
    with read(engine) as connection:
        province = province_id(connection, args)
        if args.what == "ratings":
            files = [args.out / f"ratings-{stem}.{args.format}", args.out / f"dictionary-{instrument.code}.csv"]
            count = export_ratings(connection, province, instrument, period, files[0], form=args.format)
            write_dictionary(instrument, files[1])
        else:
            result = compute_index(connection, province, instrument, period)
            files = [args.out / f"index-{stem}.xlsx", args.out / f"index-{stem}.json"]
            index_sheets(result, instrument).save(files[0])
            text = json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False)
            files[1].write_text(text, encoding="utf-8")
            count = sum(place.sheets for place in result.of("province"))
        tables = []
        if args.what == "ratings":
            words = CsvTable(files[1].name, "Từ điển dữ liệu", "Data dictionary", DICTIONARY)
            tables = [*([described_sheets(instrument, files[0].name)] if args.format == "csv" else []), words]
        files += write_metadata(args.out, _about(connection, province, args.what, period), tables, files)
        files += write_heads(connection, province, args.out, keys_if_any(load_config(args)))
    engine.dispose()
    if args.json:
        print(json.dumps({"files": [str(path) for path in files], "sheets": count}))
    else:
        say(Message("{count} sheets: {files}", count=Number(count), files=" ".join(map(str, files))))
    return 0


_TITLES = {
    "ratings": ("Phiếu đánh giá mức độ hài lòng", "Answer sheets of the satisfaction survey"),
    "index": ("Chỉ số hài lòng (SIPAS)", "Satisfaction index (SIPAS)"),
}


def _about(connection: Connection, province_id: int, what: str, period: Period) -> Dataset:
    from pipeline.calendar import day_date, today
    from server.core.provinces import province_by_id
    from server.tabular.metadata import Dataset

    province = province_by_id(connection, province_id)
    vi, en = _TITLES[what]
    of_vi, of_en = (in_language(province.name, lang) for lang in ("vi", "en"))
    named = f"{vi}, {of_vi}, {period.words('vi')}", f"{en}, {of_en}, {period.words('en')}"
    return Dataset(*named, of_vi, period, day_date(today()), province.simulated)
