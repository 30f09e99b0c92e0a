"""Receiving, handling and deciding body: the result counts where it was decided, and no view tells a few sheets."""

from __future__ import annotations

from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from pipeline.calendar import parse_period, today
from pipeline.errors import ImportRowError
from pipeline.instruments import load_instrument
from pipeline.language import in_language
from server.core.disclosure import Published
from server.core.scope import Scope
from server.ratings.audit import audit_ratings
from server.ratings.chain import seal
from server.ratings.imports import import_ratings
from server.ratings.origins import OriginKey
from server.scores.bodies import apart, by_body, result_slots
from server.scores.index import IndexResult, compute_index
from server.scores.sheets import Sheets
from server.store.engine import read, write
from server.store.tables.ratings import ratings
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import Province, add_ratings, application, fill_province

INSTRUMENT = load_instrument("2640")
PERIOD = parse_period("2026-Q3")
RECEPTION = INSTRUMENT.of_factor("A")[0].slot
RESULT = INSTRUMENT.of_factor("D")[0].slot
WITHIN = {f"a{RECEPTION:02d}": 5}


@pytest.fixture
def province(store: Engine) -> Province:
    made = fill_province(store, "xa", simulated=False)
    with write(store) as connection:
        connection.execute(ratings.delete())
    return made


def _add(
    store: Engine,
    province: Province,
    sheets: int,
    good: int,
    by: str | None = None,
    at: str = "xa-a",
    field: int | None = None,
) -> None:
    """Sheets received by `at` and decided `by`, all content with the reception, `good` with the result; of field 2
    where another body decides, else 1, or as said."""
    group = field or (1 if by is None else 2)
    deciding = None if by is None else province.agencies[by]
    with write(store) as connection:
        for count, answer in ((good, 5), (sheets - good, 1)):
            more: dict[str, Any] = {**WITHIN, f"a{RESULT:02d}": answer, "deciding_id": deciding, "service_group": group}
            if count:
                add_ratings(connection, province.province_id, province.agencies[at], count, count, **more)


def _index(store: Engine, province: Province, period: str = "2026-Q3") -> IndexResult:
    with read(store) as connection:
        return compute_index(connection, province.province_id, INSTRUMENT, parse_period(period))


def _figure(result: IndexResult, dimension: str, key: str, item: str) -> tuple[int, int] | None:
    """(valid, satisfied) of a figure; None where it is hidden."""
    (place,) = [one for one in result.of(dimension) if one.key == key]
    found = place.figure(item)
    return None if found.suppressed else (found.valid or 0, found.satisfied or 0)


def test_the_result_counts_where_it_was_decided_and_the_reception_where_it_was_received(
    store: Engine, province: Province
) -> None:
    _add(store, province, 60, 60)
    _add(store, province, 40, 10, by="xa-b")
    _add(store, province, 50, 45, at="xa-b")
    before = _index(store, province)
    assert by_body(INSTRUMENT) in before.notes
    assert _figure(before, "agency", "xa-a", "A") == (100, 100)
    assert _figure(before, "agency", "xa-a", "D") == (60, 60)
    assert _figure(before, "agency", "xa-b", "A") == (50, 50)
    assert _figure(before, "agency", "xa-b", "D") == (90, 55)
    assert _figure(before, "agency", "xa-a", "overall") == (100, 100)
    assert _figure(before, "province", "xa", "D") == (150, 115)
    assert _figure(before, "agency", "xa-a", "index") == (160, 160)
    with write(store) as connection:
        connection.execute(update(ratings).values(deciding_id=None))
    without = _index(store, province)
    assert by_body(INSTRUMENT) not in without.notes
    assert _figure(without, "agency", "xa-a", "D") == (100, 70)
    for item in ("A", "D", "overall", "index"):
        assert _figure(without, "province", "xa", item) == _figure(before, "province", "xa", item), item
        for result in (without, before):
            parts = [_figure(result, "agency", key, item) for key in ("xa-a", "xa-b")]
            sums = tuple(sum(part[at] for part in parts if part) for at in (0, 1))
            assert sums == _figure(result, "province", "xa", item), item


def test_an_agency_s_page_says_which_questions_count_where(store: Engine, province: Province, tmp_path: Path) -> None:
    """Its figures of the result are of other sheets than the rest; the page of the whole province alone said so."""
    words = in_language(by_body(INSTRUMENT), "vi")
    codes = ", ".join(item.code for item in INSTRUMENT.of_factor("D"))
    assert f"kết quả ({codes})" in words
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ANALYST])
    _add(store, province, 60, 60)
    assert words not in unescape(browser.get("/agencies/xa-a?period=2026-Q3").text)
    _add(store, province, 40, 10, by="xa-b")
    _add(store, province, 50, 45, at="xa-b")
    for code in ("xa-a", "xa-b"):
        assert words in unescape(browser.get(f"/agencies/{code}?period=2026-Q3").text)
        assert words in unescape(browser.get("/survey/index?period=2026-Q3").text)
        assert words in unescape(browser.get(f"/agencies/{code}?period=2026-Q3").text), "where the whole is held, too"


def test_a_sheet_that_names_its_own_body_is_what_it_was(store: Engine, province: Province) -> None:
    _add(store, province, 60, 40)
    before = _index(store, province).to_dict()
    with write(store) as connection:
        connection.execute(update(ratings).values(deciding_id=ratings.c.agency_id, handling_id=ratings.c.agency_id))
    assert _index(store, province).to_dict() == before


@pytest.mark.parametrize(
    ("own", "others", "what"),
    [(60, 29, "a small pair"), (29, 40, "what is left of its own is small")],
)
def test_no_small_group_is_told_apart(store: Engine, province: Province, own: int, others: int, what: str) -> None:
    _add(store, province, own, own)
    _add(store, province, others, 0, by="xa-b")
    _add(store, province, 50, 45, at="xa-b")
    result = _index(store, province)
    assert _figure(result, "agency", "xa-a", "D") == (own + others, own), what
    assert _figure(result, "agency", "xa-b", "D") == (50, 45), what
    assert by_body(INSTRUMENT) not in result.notes


def test_nobody_puts_the_bad_ones_alone_on_another(store: Engine, province: Province) -> None:
    """Where a result is handed over the clerk knows how it went: the link of each bad one named the department."""
    _add(store, province, 100, 100)
    _add(store, province, 50, 0, by="xa-b", field=1)
    _add(store, province, 60, 60, at="xa-b")
    result = _index(store, province)
    assert _figure(result, "agency", "xa-b", "D") == (60, 60)
    assert _figure(result, "agency", "xa-a", "D") == (150, 100)
    assert by_body(INSTRUMENT) not in result.notes
    _add(store, province, 40, 10, by="xa-b")  # another procedure, of which all name it
    result = _index(store, province)
    assert _figure(result, "agency", "xa-b", "D") == (100, 70)
    assert _figure(result, "agency", "xa-a", "D") == (150, 100)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_who_decides_never_hangs_on_the_answer(seed: int) -> None:
    """Whatever is named: where sheets count elsewhere, all of their procedure, quarter and channel do."""
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 60))
    agency, deciding, service, field = (random.integers(low, 3, count) for low in (1, 0, 0, 1))
    month = random.integers(24_312, 24_318, count)
    channel = np.array(["file", "online"])[random.integers(0, 2, count)]
    answers = random.integers(1, 6, (count, 40)).astype(np.uint8)
    rows, zero = np.arange(count), np.zeros(count, dtype=np.int64)
    sheets = Sheets(rows, agency, field, service, channel, month, zero, zero, deciding, answers, zero)
    found = apart(sheets, INSTRUMENT, Published(1, PERIOD, True, {}, {}))
    moved = set() if found is None else set(found.row[count:].tolist())
    keys = [
        (agency[at], service[at], 0 if service[at] else field[at], month[at] // 3, channel[at]) for at in range(count)
    ]
    for key in {keys[at] for at in moved}:
        alike = {at for at in range(count) if keys[at] == key}
        assert alike <= moved
        assert len({int(deciding[at]) for at in alike}) == 1


def test_a_body_that_decides_all_that_another_received_and_receives_nothing(store: Engine, province: Province) -> None:
    _add(store, province, 40, 30, by="xa-b")
    result = _index(store, province)
    assert _figure(result, "agency", "xa-b", "D") == (40, 30)
    assert _figure(result, "agency", "xa-b", "A") in (None, (0, 0))
    assert _figure(result, "agency", "xa-a", "A") == (40, 40)
    assert (_figure(result, "agency", "xa-a", "D") or (0, 0))[0] == 0


def test_months_and_a_quarter_that_is_not_settled_count_where_they_were_received(
    store: Engine, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    _add(store, province, 60, 60)
    _add(store, province, 40, 10, by="xa-b")
    assert by_body(INSTRUMENT) not in _index(store, province, "2026-07").notes
    assert by_body(INSTRUMENT) in _index(store, province).notes
    monkeypatch.setattr("server.core.disclosure.today", lambda: PERIOD.last_day + 30)
    running = _index(store, province)
    assert by_body(INSTRUMENT) not in running.notes


def test_only_instruments_in_the_five_factors_have_a_result() -> None:
    for code in ("2640", "1383", "1001"):
        slots = result_slots(load_instrument(code))
        assert slots == tuple(item.slot for item in load_instrument(code).of_factor("D")) != ()


def test_files_bring_the_bodies_and_what_names_none_is_told(store: Engine, province: Province, tmp_path: Path) -> None:
    lines = ["form,cơ quan,cơ quan giải quyết,cơ quan có thẩm quyền,ngày,overall"]
    lines += ["P1,xa-a,,xa-b,5/7/2026,5", "P2,xa-a,xa-b,,5/7/2026,4", "P3,xa-a,xa-a,xa-a,5/7/2026,3"]
    path = tmp_path / "phieu.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    for added in (3, 0):
        done = import_ratings(store, province.province_id, path, INSTRUMENT, channel="sms", key=bytes(32))
        assert done.added == added
    a, b = province.agencies["xa-a"], province.agencies["xa-b"]
    with read(store) as connection:
        rows = connection.execute(select(ratings).order_by(ratings.c.id)).all()
    assert [(row.agency_id, row.handling_id, row.deciding_id) for row in rows] == [
        (a, None, b), (a, b, None), (a, None, None)
    ]  # fmt: skip
    path.write_text("\n".join([lines[0], "P9,xa-a,,so-la,5/7/2026,5"]), encoding="utf-8")
    with pytest.raises(ImportRowError) as told:
        import_ratings(store, province.province_id, path, INSTRUMENT, channel="sms", key=bytes(32))
    assert "so-la" in str(told.value.rows)


def test_a_deciding_body_that_is_changed_behind_the_servers_back_is_found(
    store: Engine, province: Province, tmp_path: Path
) -> None:
    path = tmp_path / "phieu.csv"
    path.write_text(
        "form,agency,deciding,day,overall\nP1,xa-a,xa-b,5/7/2026,5\nP2,xa-a,,5/7/2026,5\n", encoding="utf-8"
    )
    import_ratings(store, province.province_id, path, INSTRUMENT, channel="sms", key=bytes(32))
    scope = Scope(province.province_id)
    with write(store) as connection:
        seal(connection, scope)
        assert not audit_ratings(connection, scope).differences
        sealed = "sheet:" + OriginKey(bytes(32), province.province_id).seal("form:P2")
        connection.execute(
            update(ratings).where(ratings.c.origin == sealed).values(deciding_id=province.agencies["xa-b"])
        )
        assert audit_ratings(connection, scope).differences
    assert today() > PERIOD.last_day
