"""Many boxes at once: a list of them is enrolled whole or not at all, and their codes go onto a sheet of labels."""

from __future__ import annotations

import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import segno
from sqlalchemy import Connection, Engine

from pipeline.errors import InvalidError
from pipeline.language import DEFAULT, Message, translator
from server.boxes.pools import MAX_CLERKS
from server.boxes.registry import make_box, make_code
from server.core.scope import Scope
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from server.store.tables.boxes import boxes
from server.store.tables.counters import counters
from server.tabular.labels import plain
from server.tabular.reading import opened
from server.tabular.tables import Table

HEADINGS = {
    "agency": ("agency", "mã cơ quan", "cơ quan"),
    "label": ("label", "tên thiết bị", "thiết bị"),
    "clerks": ("clerks", "số công chức", "công chức"),
    "counter": ("counter", "mã quầy", "quầy"),
}
_BY_HEADING = {plain(text): column for column, texts in HEADINGS.items() for text in texts}
_REQUIRED = ("agency", "label", "clerks")
MAX_LABEL = 100


@dataclass(frozen=True, slots=True)
class NewBox:
    """A row of the list."""

    agency_id: int
    agency: str
    label: str
    clerks: int
    counter_id: int | None


@dataclass(frozen=True, slots=True)
class EnrolledBox:
    """A box that was made, and its one-time code, which is in no store."""

    box_id: int
    agency: str
    label: str
    clerks: int
    code: str


def enrol_list(engine: Engine, province_id: int, path: Path, now_s: float) -> list[EnrolledBox]:
    """Make a box and a code for every row of a CSV or XLSX file. Raises `ImportRowError` with every row that does not
    fit, `InvalidError`, `ConflictError`; nothing was made then."""
    with opened(path, set(_BY_HEADING)) as raw:
        table = Table(raw, path.name, lambda heading: _BY_HEADING.get(plain(heading)), _REQUIRED)
        with read(engine) as connection:
            known = _Known(connection, Scope(province_id))
        rows: list[NewBox] = []
        for row in table:
            found, problems = known.row(row.cells)
            if row.problems or found is None:
                table.refuse(row, [*row.problems, *problems])
            else:
                rows.append(found)
        table.finish()
    if not rows:
        raise InvalidError(Message("The list holds no box."), Message("A row for each: agency, label, clerks."))
    with write(engine) as connection:
        return [_make(connection, province_id, row, now_s) for row in rows]


def _make(connection: Connection, province_id: int, row: NewBox, now_s: float) -> EnrolledBox:
    box_id = make_box(connection, province_id, row.agency_id, row.label, row.counter_id, clerks=row.clerks)
    code = make_code(connection, province_id, box_id, now_s)
    return EnrolledBox(box_id, row.agency, row.label, row.clerks, code)


class _Known:
    """What a province has, for the rows of a list."""

    def __init__(self, connection: Connection, scope: Scope) -> None:
        query = scope.select(agencies, agencies.c.code, agencies.c.id, agencies.c.name)
        self._agencies = {row.code: (row.id, row.name) for row in connection.execute(query)}
        places = scope.select(counters, counters.c.agency_id, counters.c.code, counters.c.id)
        self._counters = {(row.agency_id, row.code): row.id for row in connection.execute(places)}
        self._labels = set(connection.execute(scope.select(boxes, boxes.c.label)).scalars())

    def row(self, cells: Mapping[str, str]) -> tuple[NewBox | None, list[Message]]:
        """The row's box, or what is wrong with it."""
        problems = []
        agency_id, name = self._agencies.get(cells.get("agency", ""), (None, ""))
        if agency_id is None:
            problems.append(Message("This province has no agency '{agency}'.", agency=cells.get("agency", "")))
        label = cells.get("label", "")
        if not 1 <= len(label) <= MAX_LABEL:
            problems.append(Message("A label has 1 to {most} characters.", most=MAX_LABEL))
        elif label in self._labels:
            problems.append(Message("The label '{label}' is taken.", label=label))
        self._labels.add(label)
        clerks = int(cells["clerks"]) if cells.get("clerks", "").isascii() and cells["clerks"].isdecimal() else 0
        if not 1 <= clerks <= MAX_CLERKS:
            problems.append(Message("A box serves 1 to {most} clerks.", most=MAX_CLERKS))
        counter = cells.get("counter", "")
        counter_id = self._counters.get((agency_id, counter)) if agency_id is not None else None
        if counter and counter_id is None:
            problems.append(Message("This agency has no counter '{counter}'.", counter=counter))
        if problems or agency_id is None:
            return None, problems
        return NewBox(agency_id, name, label, clerks, counter_id), []


def sheet_of_labels(made: Sequence[EnrolledBox], address: str, public_key: str, lang: str = DEFAULT) -> str:
    """A page to print and cut: for each box its name, its agency and its code, which the QR code holds, too, with the
    server's address and key. It says for how long the codes hold."""
    _ = translator(lang)
    labels = []
    for box in made:
        buffer = io.BytesIO()
        command = f"hailong keys enroll --config /etc/hailong/edge.toml --code {box.code}"
        segno.make(f"{box.code} {address} {public_key}", error="m").save(
            buffer, kind="svg", border=2, scale=3, xmldecl=False
        )
        words = (box.agency, Message("{count} clerks", count=box.clerks))
        rows = "".join(f"<p>{html.escape(_(each))}</p>" for each in words)
        labels.append(
            f"<section>{buffer.getvalue().decode()}<div><h2>{html.escape(box.label)}</h2>{rows}"
            f"<p><code>{html.escape(command)}</code></p></div></section>"
        )
    server = f"[server] address = {address}, public_key = {public_key}"
    return _SHEET.format(
        lang=html.escape(lang, quote=True),
        title=html.escape(_(Message("Labels for new boxes"))),
        said=html.escape(_(Message("Each code works once, and for a day. Destroy what was not used."))),
        server=html.escape(server),
        labels="".join(labels),
    )


_SHEET = """<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 10pt "Noto Sans", "DejaVu Sans", sans-serif; margin: 10mm; }}
main {{ display: grid; grid-template-columns: 1fr 1fr; gap: 4mm; }}
section {{ display: flex; gap: 3mm; border: 1px dashed #000; padding: 3mm; break-inside: avoid; }}
svg {{ width: 32mm; height: 32mm; flex: none; }} h2 {{ font-size: 12pt; margin: 0; }} p {{ margin: 1mm 0; }}
code {{ font-size: 7pt; overflow-wrap: anywhere; }}
</style></head><body><h1>{title}</h1><p>{said}</p><p><code>{server}</code></p><main>{labels}</main></body></html>
"""
