"""What is held is never older than the store: every table that held figures read is known, every writer of one of them
too, and with each of them the version moves."""

from __future__ import annotations

import ast
import logging
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, insert, select, text

import server
from pipeline.calendar import today
from pipeline.errors import StatisticsError
from pipeline.instruments import RatingFlag, load_instrument
from pipeline.language import Message, Text
from pipeline.wire import PeriodKind
from server.boxes.pools import note_unknown_pool
from server.boxes.registry import state_clerks
from server.catalogue.writing import import_catalogue, switch_agency
from server.core.provinces import write_setting
from server.core.scope import Scope
from server.ratings import store as rating_store
from server.rounds.rounds import make_round, switch_round
from server.scores import analysis_tables as tables_module
from server.scores import beside
from server.scores import standings as standings_module
from server.scores.analysis_tables import analysis_tables
from server.scores.beside import Maker
from server.scores.drivers import drivers_of
from server.scores.fused import agency_scores, rated_quarters
from server.scores.held import version_of
from server.scores.kept_margins import keep_margins
from server.scores.own_place import own_place
from server.scores.raked import raked_index
from server.scores.reasons import reasons_of
from server.scores.signals import signals
from server.scores.standings import held_index, index_within, standings
from server.scores.warming import Warmer
from server.store.engine import read, write
from server.store.metadata import metadata
from server.store.tables.margins import margins
from server.store.tables.ratings import ratings
from server.store.tables.releases import cell_values, deliveries, releases
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import PERIOD, TABLE, Province, add_ratings, application, fill_province

SERVER = Path(server.__file__).parent
INSTRUMENT = load_instrument("2640")

READ = {
    "agencies", "box_pools", "boxes", "counters", "fields", "kept_margins", "levels", "margins", "plan_strata", "plans",
    "provinces", "ratings", "releases", "rounds", "service_groups", "services", "settings", "transactions",
}  # fmt: skip
"""Tables that figures are made of which are held. One more: say below who writes it, and see that the version moves."""


def _in_one(connection: Connection, province: int) -> None:
    """Everything that is held, but what needs an engine."""
    rated_quarters(connection, province)
    own_place(connection, province, INSTRUMENT, PERIOD, 1)
    standings(connection, province, PERIOD)
    held_index(connection, province, INSTRUMENT, PERIOD)
    reasons_of(connection, province, INSTRUMENT, PERIOD, "agency")
    drivers_of(connection, province, INSTRUMENT, PERIOD)
    raked_index(connection, province, INSTRUMENT, PERIOD)
    index_within(connection, province, INSTRUMENT, PERIOD, ("service_group", "counter"), 1)


HOLDERS = {
    "scores/analysis_tables.py", "scores/breakdowns.py", "scores/drivers.py", "scores/fused.py", "scores/index.py",
    "scores/own_place.py", "scores/raked.py", "scores/reasons.py", "scores/sheets.py", "scores/shown.py",
    "scores/signals.py", "scores/standings.py", "scores/within.py",
}  # fmt: skip
"""Modules with something `Held`; what they hold is made in `test_what_held_figures_read`."""


def _trees() -> dict[str, ast.Module]:
    names = {path.relative_to(SERVER).as_posix(): path for path in sorted(SERVER.rglob("*.py"))}
    skipped = ("store/migrations/", "simulation/")
    return {name: ast.parse(path.read_text("utf-8")) for name, path in names.items() if not name.startswith(skipped)}


def _called(node: ast.Call) -> str:
    function = node.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def test_everything_that_is_held_is_known() -> None:
    found = {name for name, tree in _trees().items() for node in ast.walk(tree)
             if isinstance(node, ast.Call) and _called(node) == "Held" and name.startswith("scores/")}  # fmt: skip
    assert found == HOLDERS, "make it in the test below, too"


def test_what_held_figures_read(store: Engine) -> None:
    province = fill_province(store, "nho")
    seen: set[str] = set()
    names = "|".join(sorted(metadata.tables, key=len, reverse=True))

    def look(*given: object) -> None:
        seen.update(re.findall(rf'(?:FROM|JOIN)\s+"?({names})\b', str(given[2])))

    event.listen(store, "before_cursor_execute", look)
    with read(store) as connection:
        _in_one(connection, province.province_id)
    assert signals(store, province.province_id, PERIOD, 600.0)
    assert analysis_tables(store, province.province_id, PERIOD, 600.0)
    assert agency_scores(store, province.province_id, PERIOD)
    with read(store) as connection:
        version_of(connection, province.province_id)
    # the version looks at the log, too; channels are filled when a store is made or upgraded, by nobody else
    # strata are read where there is a plan, margins where there are enough sheets
    # (test_raked.py imports them while a figure is held)
    assert (seen - {"changes", "channels"}) | {"plan_strata", "margins", "kept_margins"} == READ


WRITERS = {
    "boxes/pools.py", "boxes/registry.py", "boxes/release_gate.py", "boxes/store_messages.py", "catalogue/writing.py",
    "core/provinces.py", "ratings/store.py", "rounds/rounds.py", "sampling/plan.py",
    "scores/kept_margins.py", "store/archive.py", "tabular/spec.py",
}  # fmt: skip
"""Modules that write a table of `READ`. `store/archive.py` fills an empty store."""
_WRITES = {"insert", "update", "delete", "insert_row", "upsert", "insert_if_absent"}


def _written(tree: ast.AST) -> set[str]:
    """Tables that a module writes, by the names that it calls them; `table`: one that is handed to it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in _WRITES:
            named = [one.id for one in node.args if isinstance(one, ast.Name)]
            named += [one.attr for one in node.args if isinstance(one, ast.Attribute)]
            if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                named.append(node.func.value.id)
            found |= {name.removesuffix("_table") for name in named}
    return found & (READ | {"table"})


def test_every_writer_of_what_held_figures_read_is_known() -> None:
    # the engine's and the scope's own functions are handed what their callers name
    found = {name for name, tree in _trees().items() if _written(tree)} - {"store/engine.py", "core/scope.py"}
    assert found == WRITERS, "add it, and a case below that shows the version moving"


def _new_release(connection: Connection, made: Province) -> None:
    box = {"province_id": made.province_id, "box_id": made.boxes["nho-a"], "epoch": 1, "sequence": 2}
    sent = {**box, "kind": "evidence", "received_day": today()}
    connection.execute(insert(deliveries).values(**sent, digest="d"))
    period = {"period_kind": int(PeriodKind.MONTH), "period_index": PERIOD.first_month + 1, "epsilon_milli": 1500}
    of = {"agency_id": made.agencies["nho-a"], **sent, **period, **cell_values(TABLE)}
    connection.execute(insert(releases).values(**of))


def _first_rating(connection: Connection, made: Province) -> int:
    return int(connection.execute(Scope(made.province_id).select(ratings, ratings.c.id)).scalars().first() or 0)


def _scope(made: Province) -> Scope:
    return Scope(made.province_id)


def _there_and_back(connection: Connection, made: Province) -> None:
    rating = _first_rating(connection, made)
    rating_store.set_aside(connection, _scope(made), rating, RatingFlag.BURST, None)
    rating_store.restore(connection, _scope(made), rating, None)


def _kept(connection: Connection, made: Province) -> None:
    of = {"instrument": "1001", "item": "G1", "choice": 1, "year": 2024, "people": 5}
    _scope(made).insert(connection, margins, of)
    keep_margins(connection, made.province_id, load_instrument("1001"), PERIOD, None)


CASES: dict[str, Callable[[Connection, Province], object]] = {
    "ratings/store.py: a sheet of a day that is over": lambda c, made: add_ratings(
        c, made.province_id, made.agencies["nho-a"], 1, 1
    ),
    "ratings/store.py: set aside": lambda c, made: rating_store.set_aside(
        c, _scope(made), _first_rating(c, made), RatingFlag.BURST, None
    ),
    "ratings/store.py: counted again": lambda c, made: rating_store.restore(
        c, _scope(made), _first_rating(c, made), None
    ),
    "ratings/store.py: taken back": lambda c, made: c.execute(
        _scope(made).delete(ratings).where(ratings.c.id == _first_rating(c, made))
    ),
    "ratings/store.py: set aside and counted again, so that counts and sums stay": _there_and_back,
    "boxes/store_messages.py: evidence": _new_release,
    "boxes/pools.py: an unknown pool": lambda c, made: note_unknown_pool(c, made.province_id, made.boxes["nho-a"], 7),
    "catalogue/writing.py: an agency taken out": lambda c, made: switch_agency(
        c, _scope(made), made.agencies["nho-b"], False, None
    ),
    "tabular/spec.py: an agency renamed": lambda c, made: import_catalogue(
        c, made.province_id, "agencies", [(2, {"code": "nho-a", "name_vi": "Sở khác", "level": "tinh"})]
    ),
    "core/provinces.py: a setting": lambda c, made: write_setting(c, made.province_id, "min_answers", 10),
    "rounds/rounds.py: a round, and its end": lambda c, made: switch_round(
        c,
        made.province_id,
        make_round(
            c, made.province_id, code="r", name=Text.named(vi="r"), instrument="2640", first_day=PERIOD.first_day,
            last_day=PERIOD.last_day, user_id=None,
        ).id, False,
        None),
    "scores/kept_margins.py: a period's margins": _kept,
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_version_moves_with_every_writer(store: Engine, case: str) -> None:
    made = fill_province(store, "nho")
    with read(store) as connection:
        before = version_of(connection, made.province_id)
    with write(store) as connection:
        CASES[case](connection, made)
    with read(store) as connection:
        assert version_of(connection, made.province_id) != before


def test_a_boxs_clerks_move_the_version(store: Engine) -> None:
    made = fill_province(store, "nho")
    with read(store) as connection:
        before = version_of(connection, made.province_id)
    state_clerks(store, made.province_id, made.boxes["nho-a"], 5)
    with read(store) as connection:
        assert version_of(connection, made.province_id) != before


def test_the_version_is_read_once_while_nobody_writes(any_store: Engine) -> None:
    made = fill_province(any_store, "nho")
    asked: list[str] = []
    event.listen(any_store, "before_cursor_execute", lambda *given: asked.append(str(given[2])))
    with read(any_store) as connection:
        before = version_of(connection, made.province_id)
        again = []
        for _ in range(20):  # PostgreSQL's own housekeeping writes, too, at times of its own
            del asked[:]
            assert version_of(connection, made.province_id) == before
            again.append(any("FROM ratings" in one for one in asked))
        assert again.count(False) >= 15
    with write(any_store) as connection:
        for moved in range(2):
            seen = version_of(connection, made.province_id)
            assert (seen == before) is (moved == 0), "within the transaction that writes, too"
            add_ratings(connection, made.province_id, made.agencies["nho-a"], 1, 1)
            assert version_of(connection, made.province_id) != seen
        after = version_of(connection, made.province_id)
    with read(any_store) as connection:
        assert version_of(connection, made.province_id) == after


def test_answers_and_pulses_of_today_leave_it(store: Engine) -> None:
    """They are in no figure that is held, and come all day."""
    made = fill_province(store, "nho")
    with read(store) as connection:
        before = version_of(connection, made.province_id)
    with write(store) as connection:
        add_ratings(connection, made.province_id, made.agencies["nho-a"], 3, 1, received_day=today())
        pulse = {"kind": "pulse", "sequence": 5, "received_day": today(), "box_id": made.boxes["nho-a"], "epoch": 1}
        pulse |= {"province_id": made.province_id}
        connection.execute(insert(deliveries).values(**pulse, digest="p"))
        window = {"period_kind": int(PeriodKind.DAY), "period_index": today() - 1, "epsilon_milli": 500}
        of = {**pulse, **window, "agency_id": made.agencies["nho-a"], **cell_values([1, 2, 3, 4])}
        connection.execute(insert(releases).values(**of))
    with read(store) as connection:
        assert version_of(connection, made.province_id) == before
        assert connection.execute(select(text("count(*)")).select_from(releases)).scalar_one() == 3


def test_what_is_made_beside_pages_is_made_once_in_turn_and_a_failure_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, gate = threading.Event(), threading.Event()
    made: list[str] = []
    maker = Maker("test", most=2)

    def wait() -> None:
        begun.set()
        gate.wait(60)
        made.append("first")

    first, again = maker.ask("a", wait), maker.ask("a", wait)
    assert first is not None
    assert again is not None
    assert (first[1], again[1]) == (True, False), "who asks again waits for the same"
    assert begun.wait(60)
    assert maker.ask("a", wait) == (first[0], False), "also while it is being made"
    assert maker.ask("bad", lambda: 1 // 0) is not None
    last = maker.ask("b", lambda: made.append("last"))
    assert last is not None
    assert maker.ask("c", wait) is None, "two wait already"
    gate.set()
    assert last[0].wait(60)
    assert made == ["first", "last"]
    assert "could not be made" in caplog.text


def test_what_is_not_to_be_had_yet_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    """A province's first days have no figures: its journal holds a sentence, and no traceback of ours."""

    def nothing() -> None:
        raise StatisticsError(Message("No agency has figures for {period}.", period="2026-Q4"))

    maker = Maker("test", most=2)
    with caplog.at_level(logging.INFO):
        asked = maker.ask("a", nothing)
        assert asked is not None
        assert asked[0].wait(60)
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("INFO", None)
    assert "No agency has figures for 2026-Q4." in record.getMessage()


def test_the_analysis_says_that_it_is_under_way(store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "WAIT_S", 0.0)
    monkeypatch.setattr(beside, "PAGES", Maker("test", most=0))
    made = fill_province(store, "nho")
    browser = Browser(application(store, tmp_path))
    browser.log_in(made.users[Role.ANALYST])
    page = browser.get("/analysis?period=2026-Q3")
    assert page.status_code == 200
    assert 'http-equiv="refresh"' in page.text


def test_figures_are_warm_after_the_start_and_after_a_change_that_stands_still(store: Engine) -> None:
    made = fill_province(store, "nho")
    warmer = Warmer(store)
    assert warmer.look() == [made.province_id]
    assert warmer.look() == []
    with read(store) as connection:
        version = version_of(connection, made.province_id)
    assert standings_module._held.look((made.province_id, PERIOD), version) is not None
    assert tables_module._held.look((made.province_id, PERIOD), version) is not None
    with write(store) as connection:
        add_ratings(connection, made.province_id, made.agencies["nho-a"], 1, 1)
    assert warmer.look() == [], "a file may still be coming in"
    assert warmer.look() == [made.province_id]


def test_the_index_is_sorted_searched_and_cut_into_pages_by_its_address(store: Engine, tmp_path: Path) -> None:
    made = fill_province(store, "nho")
    browser = Browser(application(store, tmp_path))
    browser.log_in(made.users[Role.ANALYST])
    page = browser.get("/survey/index?period=2026-Q3&item=overall&sort=-sheets&q=so+nho+b").text
    table = page[page.index('id="places"') : page.index("</table>", page.index('id="places"'))]
    assert "Sở nho b" in table
    assert "Sở nho a" not in table
    assert "sort=sheets" in table, "the other way round"
    assert "item=overall" in table, "a link keeps the choices"
