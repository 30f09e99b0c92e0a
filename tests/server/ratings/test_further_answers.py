"""Answers beyond the columns: stored with their sheet and in its chain, taken back with it, exported and imported as
they were; and the rows of short instruments as they always were."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text

from pipeline.calendar import parse_period, today
from pipeline.errors import ImportRowError
from pipeline.instruments import DONT_KNOW, Sheet, load_instrument
from pipeline.wire import ANSWER_SLOTS
from server.core.scope import Scope
from server.imports.kinds import find_kind
from server.ratings.admission import Gate
from server.ratings.audit import audit_ratings
from server.ratings.chain import row_text
from server.ratings.export import export_ratings
from server.ratings.imports import RatingImport
from server.ratings.rating import Place, Rating
from server.ratings.sheet_answers import answers_of, more_text, read_more
from server.ratings.source import Source, SourceKind
from server.ratings.store import add, state_of, take_back
from server.store.channels import PAPER
from server.store.engine import read, write
from server.store.tables.ratings import ANSWER_COLUMNS, ratings
from server.store.tables.sheet_answers import sheet_answers
from server.tabular.answers import read_item, write_item
from server.tabular.spec import Options, import_file
from tests.server.worlds import agency_id, small_province

LONG = load_instrument("1001")
GIVEN = {LONG.slot_of("N1"): 0b101, LONG.slot_of("P11"): 5, LONG.slot_of("G1"): 2, LONG.slot_of("P12"): DONT_KNOW}
WIDE = (4, *([4] * 19), *([0] * (ANSWER_SLOTS - 20)))


def _rating(place: Place, number: int, more: dict[int, int]) -> Rating:
    sheet = Sheet(WIDE, {**{item.slot: 3 for item in LONG.of_block("policy")}, **more})
    return Rating.checked(LONG, sheet, place=place, channel=PAPER, day=today() - 1, today=today(), origin=f"f{number}")


@pytest.mark.postgres
@pytest.mark.parametrize("together", [True, False])
def test_further_answers_come_and_go_with_their_sheet(any_store: Engine, together: bool) -> None:
    with write(any_store) as connection:
        province = small_province(connection)
        scope, source = Scope(province), Source(SourceKind.IMPORT)
        place = Place(province, agency_id(connection, province, "so-a"))
        before = state_of(connection, scope, source)
        gate = Gate(connection, scope, source)
        sheets = [gate.admit(_rating(place, number, GIVEN if number else {})) for number in range(3)]
        for part in [sheets] if together else [[one] for one in sheets]:
            add(connection, part)
        ids = {row.origin: row.id for row in connection.execute(scope.select(ratings))}
        held = answers_of(connection, scope, list(ids.values()))
        assert dict(held[ids["f1"]]) == dict(held[ids["f2"]]) == {**dict(held[ids["f0"]]), **GIVEN}
        assert audit_ratings(connection, scope).differences == ()
        connection.execute(text("UPDATE sheet_answers SET value = 1 WHERE value = 5"))
        changed = audit_ratings(connection, scope).differences
        assert [one.text for one in changed] == ["a row was changed, or its order"]
        connection.execute(text("DELETE FROM sheet_answers WHERE slot = 150"))
        assert audit_ratings(connection, scope).differences == changed
        take_back(connection, scope, before)
        assert connection.execute(select(sheet_answers)).first() is None


def test_a_short_sheet_has_the_text_in_its_chain_that_it_always_had() -> None:
    row: dict[str, object] = {**dict.fromkeys(ANSWER_COLUMNS, 0)}
    row |= {"agency_id": 1, "counter_id": None, "service_id": None}
    row |= {"service_group": 0, "channel": "paper", "day": 2_400, "month": 78, "instrument": "2640"}
    row |= {"instrument_version": 1, "reasons": 0, "origin": None, "source": "", "author_id": None, "received_day": 0}
    old = "1|None|None|0|paper|2400|78|2640|1|0|None||None|0|" + "0" * 32 + "|0|0"
    assert row_text(row, 0, 0) == old.replace("|", "\x1f").encode()
    assert row_text(row, 0, 0, ((34, 5),)) == (old + "|34=5").replace("|", "\x1f").encode()
    assert read_more(more_text({150: 0, 34: -2}.items())) == {150: 0, 34: -2}


@pytest.mark.parametrize(
    ("code", "cell", "value"),
    [
        ("P11", "Rất hài lòng", 5),
        ("P11", "không biết", DONT_KNOW),
        ("K1", "1;3", 0b101),
        ("K1", "Báo, tạp chí", 0b100),
        ("K1", "Báo, tạp chí; 1", None),
        ("K1", "0", 0),
        ("K1", "", None),
        ("K2", "2", 2),
        ("K2", "Rất quan tâm", 3),
        ("K4", "0", 0),
        ("K4", "3", 3),
        ("K6", "có", 6),
        ("K6", "-2", DONT_KNOW),
        ("G2", "nữ", 2),
    ],
)
def test_a_cell_is_read_by_the_kind_of_its_question(code: str, cell: str, value: int | None) -> None:
    item = LONG.item(code)
    if cell == "Báo, tạp chí; 1":  # a wording with a comma beside another choice cannot be told apart
        with pytest.raises(ValueError, match="none of the choices"):
            read_item(item, cell)
        return
    assert read_item(item, cell) == value
    assert read_item(item, write_item(item, value)) == value


@pytest.mark.parametrize(
    ("code", "cell"), [("K2", "4"), ("K1", "1;9"), ("K4", "51"), ("G1", "già"), ("P11", "6"), ("A1", "-2")]
)
def test_a_cell_that_is_none_of_its_question_is_refused(code: str, cell: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_item(LONG.item(code), cell)


def test_a_long_sheet_is_imported_exported_and_imported_again(store: Engine, tmp_path: Path) -> None:
    """Every kind of question through a file, the same file once more, and one with another answer."""
    with write(store) as connection:
        first, second = small_province(connection, "mot"), small_province(connection, "hai")
    codes = [item.code for item in LONG.criteria]
    other = {"K1": "1;3", "K2": "2", "K3": "có", "K4": "2", "K6": "-2", "N1": "0", "G1": "3"}
    rows = [f"F{n},so-a,15/8/2026,paper,4,{','.join('4' * 51)},{','.join(other.values())}" for n in range(30)]
    rows.append(f"F99,so-a,15/8/2026,paper,4,{','.join('4' * 51)},,,khong,,,,")
    path = tmp_path / "in.csv"
    path.write_text("\n".join([f"form,agency,day,channel,overall,{','.join(codes)},{','.join(other)}", *rows]), "utf-8")
    options = Options(instrument=LONG, sheet_key=bytes(32))
    kind = find_kind("ratings")
    done = import_file(store, Scope(first), kind, path, options)
    assert isinstance(done, RatingImport)
    assert done.added == 31
    again = import_file(store, Scope(first), kind, path, options)
    assert isinstance(again, RatingImport)
    assert (again.added, again.existing) == (0, 31)
    path.write_text(path.read_text("utf-8").replace("1;3", "1;2", 1), "utf-8")
    with pytest.raises(ImportRowError, match="1 of 31"):
        import_file(store, Scope(first), kind, path, options)
    exported = tmp_path / "out.csv"
    with read(store) as connection:
        assert export_ratings(connection, first, LONG, parse_period("2026-Q3"), exported) == 31
    assert exported.read_text("utf-8-sig").splitlines()[0].count("G1") == 1
    result = import_file(store, Scope(second), kind, exported, options)
    assert isinstance(result, RatingImport)
    assert result.added == 31

    def held(province: int) -> list[tuple[int, int]]:
        with read(store) as connection:
            query = Scope(province).select(sheet_answers, sheet_answers.c.slot, sheet_answers.c.value)
            return sorted((slot, value) for slot, value in connection.execute(query))

    assert held(first) == held(second)
    assert len(held(first)) == 31 * 32 + 30 * 7 + 1
