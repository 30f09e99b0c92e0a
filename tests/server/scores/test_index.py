"""The SIPAS index: a small province by hand, weights, mode effects, suppression, and the intervals' coverage."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import msgspec
import numpy as np
import pytest
from scipy.stats import t as student
from sqlalchemy import Engine

from calibration.days import DayCorrelation
from calibration.design import Design
from calibration.sampling import PlanSettings
from calibration.survey_shares import Answers, days_of, shares
from pipeline.calendar import parse_period
from pipeline.instruments import Instrument, Pooling, load_instrument
from pipeline.language import Text
from server.catalogue.reading import read_catalogue
from server.rounds.rounds import make_round
from server.sampling.plan import make_plan
from server.scores.figures import Figure
from server.scores.index import IndexResult, compute_index
from server.store.engine import read, write
from server.store.tables.ratings import RatingState
from tests.server.worlds import add_sheets, add_transactions, small_province

JULY = parse_period("2026-07")


def _compute(store: Engine, province: int, instrument: Instrument | None = None, below: int = 1) -> IndexResult:
    with read(store) as connection:
        return compute_index(connection, province, instrument or load_instrument("2640"), JULY, suppress_below=below)


@pytest.mark.postgres
def test_a_small_province_by_hand(any_store: Engine) -> None:
    """Every figure below was worked out on paper from the eight sheets.

    so-a, group 1 (paper):  overall 5 4 3 2, A1 5 4 4 3, C1 4 . 5 1
    so-a, group 2 (online): overall 4 4,     A1 2 5,     C1 5 4
    xa-c, group 1:       overall 1 5,     A1 1 5,     C1 3 3
    One more of so-a is set aside as a burst, one is of another instrument, one lies in June."""
    with write(any_store) as connection:
        province = small_province(connection)
        add_sheets(
            connection,
            province,
            "so-a",
            [
                {"overall": 5, "A1": 5, "C1": 4},
                {"overall": 4, "A1": 4},
                {"overall": 3, "A1": 4, "C1": 5},
                {"overall": 2, "A1": 3, "C1": 1},
            ],
        )
        online = [{"overall": 4, "A1": 2, "C1": 5}, {"overall": 4, "A1": 5, "C1": 4}]
        add_sheets(connection, province, "so-a", online, channel="online", group=2)
        far = [{"overall": 1, "A1": 1, "C1": 3}, {"overall": 5, "A1": 5, "C1": 3}]
        add_sheets(connection, province, "xa-c", far)
        burst = [{"overall": 5, "A1": 5}]
        add_sheets(connection, province, "so-a", burst, channel="online", flag=3, state=int(RatingState.SET_ASIDE))
        add_sheets(connection, province, "so-a", [{"overall": 1}], instrument=load_instrument("1383"))
        add_sheets(connection, province, "so-a", [{"overall": 1}], day=date(2026, 6, 30))
        add_transactions(connection, province, {("so-a", 1): 300, ("so-a", 2): 100, ("xa-c", 1): 600})
    result = _compute(any_store, province)

    so_a = next(place for place in result.of("agency") if place.key == "so-a")
    assert (so_a.sheets, so_a.transactions) == (6, 400)
    assert so_a.response_rate == pytest.approx(6 / 400)
    overall, a1, c1 = so_a.figure("overall"), so_a.figure("A1"), so_a.figure("C1")
    assert _row(overall) == (6, 4, 66.6667)
    assert _row(a1) == (6, 4, 66.6667)
    assert _row(c1) == (5, 4, 80.0)
    assert (so_a.figure("A").index, so_a.figure("C").index) == (a1.index, 80.0)
    # the whole: 4 of A1's 6 and 4 of C1's 5 answers; the overall question is no criterion
    assert (so_a.figure("index").valid, so_a.figure("index").satisfied) == (11, 8)
    assert so_a.figure("index").index == pytest.approx(100 * 8 / 11, abs=1e-4)
    assert (so_a.figure("B").valid, so_a.figure("B").index) == (0, None)

    province_row = result.of("province")[0]
    assert (province_row.figure("overall").valid, province_row.figure("overall").satisfied) == (8, 5)
    assert province_row.figure("index").index == pytest.approx(100 * 9 / 15, abs=1e-4)
    # fewer than five sheets a group: the weighting cells are the agencies, 400 and 600 transactions
    assert province_row.figure("overall").weighted == pytest.approx(0.4 * 66.6667 + 0.6 * 50.0, abs=1e-3)
    assert province_row.covered == 1.0
    by_channel = {place.key: place.figure("overall").index for place in result.of("channel")}
    assert (by_channel["paper"], by_channel["online"]) == (50.0, 100.0)
    by_level = {place.key: place.figure("overall").index for place in result.of("level")}
    assert by_level == {"tinh": pytest.approx(66.6667, abs=1e-4), "xa": 50.0}
    by_field = {place.key: place.figure("overall").valid for place in result.of("field")}
    assert by_field == {"lv-1": 6, "lv-2": 2}
    assert [(one.flag, one.sheets) for one in result.set_aside] == [("burst", 1)]


def _row(figure: Figure) -> tuple[object, ...]:
    index = None if figure.index is None else round(figure.index, 4)
    return figure.valid, figure.satisfied, index


def test_weighted_cells_are_agency_and_group_where_there_are_enough_sheets(store: Engine) -> None:
    with write(store) as connection:
        province = small_province(connection)
        add_sheets(connection, province, "so-a", [{"overall": 5}] * 6, group=1)
        add_sheets(connection, province, "so-a", [{"overall": 5}] * 2 + [{"overall": 2}] * 6, group=2)
        add_transactions(connection, province, {("so-a", 1): 100, ("so-a", 2): 300, ("so-b", 1): 600})
    so_a = _compute(store, province).of("agency")[0]
    assert so_a.figure("overall").index == pytest.approx(100 * 8 / 14, abs=1e-4)
    assert so_a.figure("overall").weighted == pytest.approx(100 * (0.25 * 1.0 + 0.75 * 0.25), abs=1e-4)
    # so-b was not asked at all: the province's figure covers 400 of 1,000 transactions
    assert _compute(store, province).of("province")[0].covered == pytest.approx(0.4)


def test_what_a_plan_drew_stands_for_what_it_left_out(store: Engine) -> None:
    """One of so-a and so-b is drawn by size, xa-c is certain: the drawn one stands for size / chance."""
    size = {"so-a": 900, "so-b": 300, "xa-c": 600}
    with write(store) as connection:
        province = small_province(connection)
        add_transactions(connection, province, {(agency, 1): n for agency, n in size.items()})
        make_round(
            connection, province, code="r", name=Text.named(vi="Đợt"), instrument="2640",
            first_day=JULY.first_day, last_day=JULY.last_day, user_id=None,
        )  # fmt: skip
        settings = PlanSettings("2026-07", seed=3, agencies=0.5, forms=60, scope="province")
        strata = make_plan(connection, province, "r", "k", settings, None)
        catalogue = read_catalogue(connection, province)
        code = {agency.id: agency.code for agency in catalogue.agencies.values()}
        for agency in size:
            good = {"so-a": 8, "so-b": 4, "xa-c": 10}[agency]
            add_sheets(connection, province, agency, [{"overall": 5}] * good + [{"overall": 2}] * (10 - good))
    (drawn,) = (code[s.agency_id] for s in strata if s.forms and code[s.agency_id] != "xa-c")
    chance = size[drawn] / 1200
    for one in strata:
        if code[one.agency_id] == drawn:
            assert one.probability == pytest.approx(chance * one.forms / one.transactions)
    result = _compute(store, province)
    found = result.of("province")[0].figure("overall")
    share = {"so-a": 0.8, "so-b": 0.4}[drawn]
    assert found.weighted == pytest.approx(100 * (1200 * share + 600 * 1.0) / 1800, abs=1e-3)
    assert found.index == pytest.approx(100 * 22 / 30, abs=1e-3)
    other = next(place for place in result.of("agency") if place.key not in (drawn, "xa-c"))
    assert other.figure("overall").weighted == other.figure("overall").index


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        (Pooling.POOLED_ANSWERS, 100 * 4 / 7),
        (Pooling.WEIGHTED_FACTORS, (3 * 100 * 3 / 4 + 1 * 100 * 1 / 3) / 4),
        (Pooling.OVERALL_QUESTION, 50.0),
    ],
)
def test_pooling_is_the_instruments_choice(store: Engine, pooling: Pooling, expected: float) -> None:
    base = load_instrument("2640")
    factors = tuple(
        msgspec.structs.replace(factor, weight=3.0 if factor.code == "A" else 1.0) for factor in base.factors
    )
    instrument = msgspec.structs.replace(base, pooling=pooling, factors=factors)
    sheets = [{"overall": 4, "A1": 5, "A2": 4, "C1": 2}, {"overall": 2, "A1": 3, "A2": 5, "C1": 3, "C2": 4}]
    with write(store) as connection:
        province = small_province(connection)
        add_sheets(connection, province, "so-a", sheets)
    figure = _compute(store, province, instrument).of("agency")[0].figure("index")
    assert figure.index == pytest.approx(expected, abs=1e-4)


def test_facts_stand_apart_from_the_index(store: Engine) -> None:
    instrument = load_instrument("1383")
    with write(store) as connection:
        province = small_province(connection)
        sheets = [{"overall": 4, "D1": 5, "D2": 6}, {"overall": 4, "D1": 5, "D2": 7}, {"overall": 4, "D2": 7}]
        add_sheets(connection, province, "so-a", sheets, instrument=instrument)
    place = _compute(store, province, instrument).of("agency")[0]
    assert _row(place.figure("D2")) == (3, 1, 33.3333)
    assert (place.figure("D").valid, place.figure("D").index) == (2, 100.0)


def test_too_few_answers_are_not_shown(store: Engine) -> None:
    with write(store) as connection:
        province = small_province(connection)
        add_sheets(connection, province, "so-a", [{"overall": 4, "A1": 2}] * 9 + [{"overall": 1}])
    place = _compute(store, province, below=10).of("agency")[0]
    assert (place.figure("overall").index, place.figure("overall").suppressed) == (90.0, False)
    hidden = place.figure("A1")
    assert (hidden.index, hidden.valid, hidden.satisfied, hidden.suppressed) == (None, None, None, True)


def test_sheets_count_for_what_is_shown_not_their_answers(store: Engine) -> None:
    """Eight sheets hold 32 answers of factor C: once enough for thirty, though eight people gave them."""
    with write(store) as connection:
        province = small_province(connection)
        sheet = {"overall": 4, "C1": 5, "C2": 4, "C3": 2, "C4": 5}
        add_sheets(connection, province, "so-a", [sheet] * 8)
    hidden = _compute(store, province, below=30).of("agency")[0]
    assert all(figure.suppressed for figure in (hidden.figure("C"), hidden.figure("index"), hidden.figure("overall")))
    shown = _compute(store, province, below=8).of("agency")[0]
    assert (shown.figure("C").valid, shown.figure("C").index) == (32, 75.0)


def test_an_empty_period_says_so(store: Engine) -> None:
    with write(store) as connection:
        province = small_province(connection)
    result = _compute(store, province)
    assert result.of("province")[0].sheets == 0
    assert all(figure.index is None and not figure.suppressed for figure in result.of("province")[0].figures)
    assert "no transactions" in result.notes[0]


def test_an_agency_asked_on_a_harsh_channel_is_adjusted(store: Engine) -> None:
    """so-a and so-b are equally good; so-b was asked online, where everybody is 30 points lower."""
    with write(store) as connection:
        province = small_province(connection)
        good, bad = {"overall": 5}, {"overall": 1}
        for agency, paper, online in (("so-a", 300, 100), ("so-b", 100, 300)):
            add_sheets(connection, province, agency, [good] * (paper * 9 // 10) + [bad] * (paper // 10))
            add_sheets(
                connection, province, agency, [good] * (online * 6 // 10) + [bad] * (online * 4 // 10), channel="online"
            )
    result = _compute(store, province)
    so_a, so_b = (place.figure("overall") for place in result.of("agency")[:2])
    assert (so_a.index, so_b.index) == (82.5, 67.5)
    assert so_a.adjusted == pytest.approx(75.0)
    assert so_b.adjusted == pytest.approx(75.0)
    effects = {effect.channel: effect.effect for effect in result.effects if effect.item == "overall"}
    assert effects["paper"] - effects["online"] == pytest.approx(30.0, abs=1e-6)


def test_interval_of_independent_sheets_is_wilsons_with_students_quantile() -> None:
    """One sheet a cluster, one answer a sheet: nothing hangs together, so the design effect is 1."""
    satisfied = np.array([[1.0]] * 40 + [[0.0]] * 10)
    answers = Answers(satisfied, np.ones((50, 1)), np.ones(50), Design(np.arange(50), np.zeros(50, dtype=np.int64)))
    (share,) = shares(answers, np.eye(1), replace(DayCorrelation.unknown(), degrees=1000.0))
    q2 = student.ppf(0.975, 49 + 30) ** 2
    effect = (49 / 79) * (50 / 49) + (30 / 79) * 1.0
    n = 50 / effect
    half = math.sqrt(q2 * 0.16 / n + (q2 / (2 * n)) ** 2) / (1 + q2 / n)
    centre = (0.8 + q2 / (2 * n)) / (1 + q2 / n)
    assert share.estimate == 0.8
    assert share.design_effect == pytest.approx(effect)
    assert share.low == pytest.approx(centre - half)
    assert share.high == pytest.approx(centre + half)


def _simulated_coverage(sheets: int, days: int, items: int, replications: int, seed: int) -> tuple[float, float]:
    """Coverage of agency 0's pooled index in a province of 20 agencies whose days and sheets move answers together."""
    rng = np.random.default_rng(seed)
    covered = 0
    widths = []
    for _ in range(replications):
        rows: list[tuple[float, float, int, int]] = []
        truth = 0.0
        for agency in range(20):
            centre = rng.normal(1.2, 0.3)
            if agency == 0:
                truth = _mean_share(centre)
            day_effect = rng.normal(0, 0.25, days)
            for _sheet in range(sheets):
                day = int(rng.integers(days))
                value = centre + day_effect[day] + rng.normal(0, 0.75)
                yes = int((value + rng.normal(0, 0.55, items) > 0).sum())
                rows.append((yes, items, day, agency))
        table = np.array(rows)
        design = Design(table[:, 2].astype(np.int64), table[:, 3].astype(np.int64))
        answers = Answers(table[:, :1], table[:, 1:2], np.ones(len(table)), design)
        model = days_of(answers)
        (share,) = shares(answers.take(answers.design.stratum == 0), np.eye(1), model)
        assert share.low is not None
        assert share.high is not None
        covered += share.low <= truth <= share.high
        widths.append(share.high - share.low)
    return covered / replications, float(np.mean(widths))


def _mean_share(centre: float) -> float:
    sd = math.sqrt(0.25**2 + 0.75**2 + 0.55**2)
    return 0.5 * (1 + math.erf(centre / sd / math.sqrt(2)))


@pytest.mark.slow
@pytest.mark.parametrize(("sheets", "days"), [(25, 20), (40, 60)])
def test_intervals_cover_though_answers_of_a_sheet_and_a_day_hang_together(sheets: int, days: int) -> None:
    """22 answers a sheet: an interval that took them as independent would cover about half of the time."""
    coverage, _ = _simulated_coverage(sheets, days, 22, 400, seed=sheets)
    assert 0.92 <= coverage <= 0.99


def test_shipped_poolings_are_named() -> None:
    for code in ("1383", "2640"):
        assert load_instrument(code).pooling is Pooling.POOLED_ANSWERS
