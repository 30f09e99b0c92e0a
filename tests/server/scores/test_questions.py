"""Figures of a long instrument: blocks in the index, choices, numbers, who answered; what is hidden."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from pipeline.calendar import parse_period
from pipeline.instruments import DONT_KNOW, NOT_APPLICABLE, Instrument, Pooling, Sheet, load_instrument
from pipeline.wire import ANSWER_SLOTS
from server.core.scope import Scope
from server.ratings.admission import Gate
from server.ratings.rating import Place, Rating
from server.ratings.source import Source, SourceKind
from server.ratings.store import add
from server.scores.index import compute_index
from server.scores.questions import QuestionFigure, question_figures
from server.store.channels import PAPER
from server.store.engine import read, write
from tests.server.worlds import agency_id, small_province

LONG = load_instrument("1001")
QUARTER = parse_period("2026-Q1")
FIRST = QUARTER.first_day


def fill(store: Engine, sheets: int = 100) -> int:
    """A province of two agencies with sheets of 2026-Q1, 1001. By the number n of a sheet: policy is 5 where n < 60,
    else 2 (P11: who is 70 or more does not know); services are 4 where n < 80, else 3; N1 ticks 1
    always and 2 where n is even; K4 is n % 3; G1 is 1 but for 20 who are 2."""
    with write(store) as connection:
        province = small_province(connection)
        gate = Gate(connection, Scope(province), Source(SourceKind.SIMULATION))
        places = [Place(province, agency_id(connection, province, code)) for code in ("so-a", "so-b")]
        admitted = []
        for n in range(sheets):
            answers = [0] * ANSWER_SLOTS
            answers[0] = 4
            answers[1:20] = [4 if n < 80 else 3] * 19
            more = {item.slot: 5 if n < 60 else 2 for item in LONG.of_block("policy")}
            more |= {LONG.slot_of("P11"): DONT_KNOW if n >= 70 else 5, LONG.slot_of("N1"): 1 if n % 2 else 3}
            more |= {LONG.slot_of("K3"): 6, LONG.slot_of("K4"): n % 3, LONG.slot_of("G1"): 2 if n >= 80 else 1}
            more |= {LONG.slot_of("K6"): DONT_KNOW if n < 10 else 7 if n < 91 else 6}
            if n == 0:
                more[LONG.slot_of("E3")] = NOT_APPLICABLE
                answers[LONG.slot_of("E3")] = 0
            day, sheet = FIRST + n % 40, Sheet(tuple(answers), more)
            rating = Rating.checked(LONG, sheet, place=places[n % 2], channel=PAPER, day=day, today=FIRST + 300)
            admitted.append(gate.admit(rating))
        add(connection, admitted, received_day=FIRST + 60)
    return province


def _figures(store: Engine, province: int, agency: str = "") -> dict[str, QuestionFigure]:
    with read(store) as connection:
        chosen = agency_id(connection, province, agency) if agency else None
        return {one.item.code: one for one in question_figures(connection, province, LONG, QUARTER, chosen)}


def _whole(store: Engine, province: int, instrument: Instrument) -> dict[str, tuple[Any, Any]]:
    with read(store) as connection:
        result = compute_index(connection, province, instrument, QUARTER, dimensions=("province",))
    return {figure.item: (figure.valid, figure.index) for figure in result.of("province")[0].figures}


@pytest.mark.postgres
def test_the_index_of_a_long_instrument_by_hand(any_store: Engine) -> None:
    """P11: 70 valid, all satisfied. The other 31 of policy: 60 of 100. Services: 80 of 100, E3 79 of 99."""
    province = fill(any_store)
    found = _whole(any_store, province, LONG)
    assert found["P11"] == (70, 100.0)
    assert found["P12"] == (100, 60.0)
    assert found["E3"] == (99, pytest.approx(100 * 79 / 99))
    policy, services = 100 * (70 + 31 * 60) / (70 + 31 * 100), 100 * (18 * 80 + 79) / (18 * 100 + 99)
    assert found["policy"] == (3170, pytest.approx(policy))
    assert found["services"] == (1899, pytest.approx(services))
    assert found["index"][1] == pytest.approx((32 * policy + 19 * services) / 51)
    pooled = msgspec.structs.replace(LONG, pooling=Pooling.POOLED_ANSWERS)
    assert _whole(any_store, province, pooled)["index"][1] == pytest.approx(100 * (70 + 1860 + 1519) / (3170 + 1899))
    mean = msgspec.structs.replace(LONG, pooling=Pooling.MEAN_OF_INDICATORS)
    by_hand = (100 + 31 * 60 + 18 * 80 + 100 * 79 / 99) / 51
    assert _whole(any_store, province, mean)["index"][1] == pytest.approx(by_hand)


@pytest.mark.parametrize("pooling", list(Pooling))
def test_no_figure_depends_on_which_others_are_asked_for(store: Engine, pooling: Pooling) -> None:
    """The first page asks for the whole alone; its interval was another one than the index page's where blocks are
    weighted."""
    province, instrument = fill(store), msgspec.structs.replace(LONG, pooling=pooling)
    with read(store) as connection:
        every, alone = (
            compute_index(connection, province, instrument, QUARTER, dimensions=("province",), only=only)
            for only in (None, {"index", "services"})
        )
    for item in ("index", "services"):
        assert every.of("province")[0].figure(item) == alone.of("province")[0].figure(item), item


def test_choices_numbers_and_who_answered(store: Engine) -> None:
    province = fill(store)
    found = _figures(store, province)
    needs = found["N1"]
    assert needs.answered == 100
    assert [(line.sheets, line.share) for line in needs.lines[:3]] == [(100, 100.0), (50, 50.0), (0, 0.0)]
    low, high = needs.lines[1].low, needs.lines[1].high
    assert low is not None
    assert high is not None
    assert 30 < low < 45 < 55 < high < 70
    times = found["K4"]
    assert times.mean == pytest.approx(sum(n % 3 for n in range(100)) / 100)
    assert None not in (times.mean, times.mean_low, times.mean_high)
    assert (times.mean_low or 0) < (times.mean or 0) < (times.mean_high or 0)
    harassed = found["K6"]
    assert (harassed.answered, harassed.dont_know) == (90, 10)
    assert harassed.lines[0].share == pytest.approx(100 * 9 / 90)
    ages = found["G1"]
    # of 80 and 20 the small cell is hidden, and the other with it: the rest of all would tell it
    assert [line.sheets for line in ages.lines] == [None, None, 0, 0, 0]
    assert "N2" not in found, "free words are no figure"
    assert found["G2"].is_hidden, "nobody answered"
    own = _figures(store, province, "so-a")
    assert own["N1"].answered == 50
    assert "G1" not in own, "who answered is told of the whole province alone"


def test_few_sheets_show_nothing(store: Engine) -> None:
    assert all(one.is_hidden for one in _figures(store, fill(store, 20)).values())
