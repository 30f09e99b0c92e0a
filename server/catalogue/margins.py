"""Files of known margins: how many people of the population give each answer to a question about oneself."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table

from pipeline.calendar import day_date, today
from pipeline.errors import NotFoundError
from pipeline.instruments import Instrument, Item, load_instrument, shipped_instruments
from pipeline.language import Message, in_language
from pipeline.text import match_key
from server.core.scope import Scope
from server.store.tables.margins import margins
from server.tabular.spec import Cells, ImportSpec, Options, Problems
from server.tabular.values import read_whole

MIN_YEAR = 1990


def about_oneself(instrument: Instrument) -> list[Item]:
    """Questions of an instrument that margins can be known of: those of its demographic blocks with one choice."""
    blocks = {block.code for block in instrument.blocks if block.demographic}
    return [item for item in instrument.items if item.block in blocks and item.kind == "single"]


class MarginReader:
    """Rows: question, choice (its number or words), people; the instrument where it is not the long one, the year."""

    table: Table = margins
    key: tuple[str, ...] = ("instrument", "item", "choice", "year")
    change: tuple[str, ...] = ("people",)
    known_by = Message("instrument, question, choice and year")

    def __init__(self, _connection: Connection, _scope: Scope, _options: Options) -> None:
        long = [one for one in shipped_instruments() if about_oneself(one)]
        self._usual = max(long, key=lambda one: one.wire_code, default=None)

    def values(self, cells: Cells) -> dict[str, Any]:
        """Column values of a row. Raises `ValueError` with everything that is wrong."""
        problems = Problems()
        instrument = problems.of(self._instrument, cells.get("instrument", ""), otherwise=None)
        item = problems.of(_item, instrument, cells.get("question", ""), otherwise=None) if instrument else None
        year = cells.get("year", "")
        values = {
            "instrument": "" if instrument is None else instrument.code,
            "item": "" if item is None else item.code,
            "choice": 0 if item is None else problems.of(_choice, item, cells.get("choice", ""), otherwise=0),
            "year": problems.of(read_whole, year, MIN_YEAR, day_date(today()).year + 1, otherwise=0) if year else 0,
            "people": problems.of(read_whole, cells.get("people", ""), otherwise=0),
        }
        problems.end()
        return values

    def _instrument(self, code: str) -> Instrument:
        if code:
            try:
                return load_instrument(code)
            except NotFoundError as error:
                raise ValueError(error.message) from None
        if self._usual is None:
            raise ValueError(Message("no instrument asks about the person who answers"))
        return self._usual


def _item(instrument: Instrument, code: str) -> Item:
    asked = about_oneself(instrument)
    for item in asked:
        names = (item.code, in_language(item, "vi"), in_language(item, "en"))
        if match_key(code) in map(match_key, names):
            return item
    known = ", ".join(item.code for item in asked)
    raise ValueError(Message("'{text}' is no question about oneself; known: {known}", text=code[:40], known=known))


def _choice(item: Item, text: str) -> int:
    for choice in item.choices:
        names = (str(choice.number), in_language(choice, "vi"), in_language(choice, "en"))
        if match_key(text) in map(match_key, names):
            return choice.number
    raise ValueError(Message("{item} has no choice '{text}'", item=item.code, text=text[:40]))


MARGINS = ImportSpec("margins", ("question", "choice", "people"), ("instrument", "year"), MarginReader)
