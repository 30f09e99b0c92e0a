"""The first page's statements: the official index, what changed, who surely stands out, and who only seems to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from calibration.changes import changes
from pipeline.calendar import parse_period
from pipeline.instruments import load_instrument
from pipeline.language import Number
from pipeline.text import tidy
from server.scores.comparing import Change, differences
from server.scores.course_plot import Drawn, Rule, course_plot
from server.scores.figures import Figure
from server.scores.held import Held
from server.scores.index import compute_index
from server.scores.interval_svg import Interval, interval_plot
from server.scores.row_plot import Look, ticks
from server.scores.standings import Standings, standings
from server.store.engine import read, write
from server.web.listing import holds, listing
from tests.server.worlds import add_sheets, small_province

PERIOD = parse_period("2026-Q2")
CODES = [item.code for item in load_instrument("2640").criteria]


def _sheets(number: int, satisfied: float) -> list[dict[str, int]]:
    good = round(number * satisfied)
    return [dict.fromkeys(CODES, 5 if one < good else 2) for one in range(number)]


def _fill(connection: Connection, shares: dict[tuple[str, int], float], number: int = 400) -> int:
    """Sheets of every agency on 40 days around the middle of a month: (agency, month) -> share satisfied."""
    province = small_province(connection)
    for (agency, month), share in shares.items():
        sheets = _sheets(number, share)
        np.random.default_rng(1).shuffle(sheets)
        for day in range(20):
            day_of = date(2025 if month < 0 else 2026, abs(month), day + 1)
            add_sheets(connection, province, agency, sheets[day::20], day=day_of)
    return province


def _standings(store: Engine, province: int) -> Standings:
    with read(store) as connection:
        return standings(connection, province, PERIOD)


def test_the_figure_is_the_official_index(store: Engine) -> None:
    with write(store) as connection:
        province = _fill(connection, {("so-a", 5): 0.9, ("so-b", 5): 0.5, ("xa-c", 5): 0.9})
    found = _standings(store, province)
    with read(store) as connection:
        official = compute_index(connection, province, load_instrument("2640"), PERIOD)
    assert found.figure == official.of("province")[0].figure("index")
    assert {one.code: one.figure for one in found.agencies} == {
        place.key: place.figure("index") for place in official.of("agency")
    }
    assert [one.code for one in found.low] == ["so-b"]
    assert not found.falling, "there is nothing to fall from"
    assert found.last.figure is None or found.last.figure.index is None


def test_who_falls_is_told_and_who_only_wobbles_is_not(store: Engine) -> None:
    with write(store) as connection:
        province = _fill(
            connection,
            {
                ("so-a", 2): 0.9,
                ("so-a", 5): 0.6,
                ("so-b", 2): 0.80,
                ("so-b", 5): 0.78,
                ("xa-c", -5): 0.9,
                ("xa-c", 5): 0.6,
            },
        )
    found = _standings(store, province)
    assert {one.code for one in found.falling} == {"so-a", "xa-c"}, "against last quarter, and against last year"
    by_code = {one.code: one for one in found.agencies}
    change = by_code["so-b"].last.change
    assert change is not None
    assert change.points == pytest.approx(-2.0)
    assert str(change.words) == "no difference seen"
    assert str(found.last.period.name) == "2026-Q1"
    assert str(found.year.period.name) == "2025-Q2"


def test_too_few_sheets_are_told_and_have_no_figure(store: Engine) -> None:
    with write(store) as connection:
        province = _fill(connection, {("so-a", 5): 0.9, ("so-b", 5): 0.5})
        add_sheets(connection, province, "xa-c", _sheets(35, 0.0)[:29], day=date(2026, 5, 5))
    found = _standings(store, province)
    few = {one.code for one in found.few}
    assert "xa-c" in few
    for one in found.few:
        assert not one.low, "nothing is said of whom too few answered about"
        assert not one.falling
        assert one.figure.valid is None


@given(st.floats(-50, 50), st.floats(0.01, 30))
def test_a_change_is_named_only_beyond_its_interval(points: float, half: float) -> None:
    words = str(Change(points, points - half, points + half).words)
    assert words == ("rises" if points > half else "falls" if points < -half else "no difference seen")


NAMES = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=120)


@settings(max_examples=60)
@given(st.lists(st.tuples(NAMES, st.floats(0, 100), st.floats(0, 40)), min_size=1, max_size=6))
def test_a_plot_is_well_formed_and_cuts_no_name(rows: Iterable[tuple[str, float, float]]) -> None:
    """What is drawn has no width of its own: in per cent of where it stands, with the name as text that wraps."""
    from xml.etree import ElementTree

    chosen = [Interval(name, x, max(0.0, x - half), min(100.0, x + half)) for name, x, half in rows]
    root = ElementTree.fromstring(f"<figure>{interval_plot(chosen, 'vi')}</figure>")
    assert ["".join(name.itertext()) for name in root.iter() if name.get("class") == "of"] == [
        tidy(one.name) for one in chosen
    ]
    assert [figure.text for figure in root.iter("b")] == [Number(one.index, 1).in_language("vi") for one in chosen]
    for svg in root.iter("svg"):
        assert not {"width", "height", "viewBox"} & set(svg.attrib)
        for line in svg.iter("line"):
            assert all(line.get(end, "0%").endswith("%") for end in ("x1", "x2"))
            assert 0 <= float(line.get("x1", "0%")[:-1]) <= float(line.get("x2", "")[:-1]) <= 100
    for part in root.iter():
        assert "style" not in part.attrib, "the pages' policy allows no inline style"


@given(st.floats(-1e4, 1e4), st.floats(0.01, 1e4))
def test_an_axis_has_few_round_values(low: float, width: float) -> None:
    found = ticks(low, low + width)
    assert 1 <= len(found) <= 7
    assert all(low - 1e-6 * width <= tick <= low + width * (1 + 1e-6) for tick in found)


def test_a_plot_of_nothing_is_empty() -> None:
    assert interval_plot([], "vi") == ""
    assert course_plot([], "x", [], "vi", key="x") == ""


def test_a_course_is_drawn_in_per_cent_of_its_own_size() -> None:
    from xml.etree import ElementTree

    lines = [Drawn(Look.MAIN, [(1, 70.0), (2, 80.0), (3, 90.0)], [(1, 60.0, 75.0)]), Drawn(Look.OTHER, [(2, 60.0)])]
    told = ["Tháng 1/2026", "Tháng 3/2026"]
    plot = course_plot(lines, "Chỉ số", told, "vi", key="x", rules=[Rule(x=2, words="<sáp nhập>"), Rule(y=65)])
    root = ElementTree.fromstring(f"<figure>{plot}</figure>")
    svg = next(root.iter("svg"))
    assert not {"width", "height", "viewBox"} & set(svg.attrib)
    assert [point.get("cx") for point in svg.iter("circle")] == ["9%", "53%", "97%"]
    assert len(list(svg.iter("use"))) == 1, "the second line is told apart by shape, too"
    assert "<sáp nhập>" in ["".join(text.itertext()) for text in svg.iter("text")]
    assert [span.text for span in root.iter("span")] == told


def test_a_list_is_sorted_cut_and_keeps_its_choices_in_the_address() -> None:
    rows: list[tuple[str, float | None]] = [("a", 3.0), ("b", None), ("c", 9.0), ("d", 1.0)]
    keys = {"x": lambda row: row[1]}
    found = listing("/", {"q": "xã", "sort": ""}, rows, keys, sort="-x", page=1, page_rows=3)
    assert [row[0] for row in found.rows] == ["c", "a", "d"]
    assert (found.found, found.pages) == (4, 2)
    assert found.href(page=2) == "/?q=x%C3%A3&page=2"
    assert found.href(only="low") == "/?q=x%C3%A3&only=low", "another choice begins at the first page"
    assert listing("/", {}, rows, keys, sort="x", page=99, page_rows=3).rows == [("b", None)], "no value: last"
    assert found.sort_href("x", "-") == "/?q=x%C3%A3&sort=x"
    assert found.aria_sort("x") == "descending"
    assert holds("xa song", "Xã Sông Xanh")
    assert not holds("xa nui", "Xã Sông Xanh")


def test_what_is_held_is_made_once_and_again_when_it_changes() -> None:
    made: list[int] = []
    held: Held[int] = Held(2)

    def make() -> int:
        made.append(len(made))
        return len(made)

    assert [held.get("a", (version,), make) for version in (1, 1, 2, 2, 1)] == [1, 1, 2, 2, 3]
    with pytest.raises(ZeroDivisionError):
        held.get("b", (1,), lambda: 1 // 0)
    assert held.get("b", (1,), lambda: 5) == 5, "a failure holds nobody up"
    held.get("c", (1,), lambda: 6)
    assert held.look("a", (1,)) is None, "the least used goes first"


def test_who_asks_while_it_is_made_waits_for_it() -> None:
    import threading
    import time

    held: Held[int] = Held(2)
    made: list[int] = []

    def slowly() -> int:
        time.sleep(0.1)
        made.append(1)
        return 1

    threads = [threading.Thread(target=lambda: held.get("a", (1,), slowly)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_the_version_moves_with_every_write_and_is_read_once_between(store: Engine) -> None:
    from sqlalchemy import event

    from server.scores.held import version_of

    with write(store) as connection:
        province = small_province(connection)
        add_sheets(connection, province, "so-a", _sheets(2, 0.5), day=date(2026, 5, 5))
    statements: list[str] = []
    event.listen(store, "before_cursor_execute", lambda *given: statements.append(given[2]))
    with read(store) as connection:
        first = version_of(connection, province)
        read_at_first = len(statements)
        assert version_of(connection, province) == first
        assert len(statements) == read_at_first + 1, "one PRAGMA"
    with write(store) as connection:
        add_sheets(connection, province, "so-a", _sheets(1, 1.0), day=date(2026, 5, 5))
        inside = version_of(connection, province)
        assert inside != first, "also on the connection that wrote"
    with read(store) as connection:
        assert version_of(connection, province) == inside


def test_many_differences_are_those_of_one_pair_each() -> None:
    def figure(index: float | None, *, watched: bool = False, degrees: float | None = 12.0) -> Figure:
        return Figure("index", "index", 90, 60, index, None, None, 1.5, None, None, None, None, False, degrees, watched)

    nows = [figure(80.0), figure(None), figure(64.5, watched=True), figure(91.0), figure(55.0, degrees=None)]
    befores = [figure(85.0), figure(70.0), figure(75.0), None, figure(100.0)]
    found = differences(list(zip(nows, befores, strict=True)), 40)
    for now, before, change in zip(nows, befores, found, strict=True):
        # calibration's own function, pair by pair
        if now.index is None or before is None or before.index is None:
            assert change is None
            continue
        points = changes(
            now.index / 100, 60.0, before.index / 100, 60.0, degrees_now=now.degrees or 1.0,
            degrees_before=before.degrees or 1.0, lines=40, watched=now.watched,
        )  # fmt: skip
        assert change is not None
        assert [change.points, change.low, change.high] == pytest.approx([100 * float(one) for one in points])
    assert [change is None for change in found] == [False, True, False, True, False]
    assert differences([]) == []
