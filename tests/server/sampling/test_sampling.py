"""Sampling: the official formula, allocation, the seeded draw's probabilities, returns."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from pipeline.calendar import day_index
from pipeline.errors import ConflictError, InvalidError, StatisticsError
from server.catalogue.reading import read_catalogue
from server.rounds.rounds import make_round
from server.sampling.plan import (
    PlanSettings,
    allocate,
    draw_by_size,
    draw_ordinals,
    make_plan,
    make_strata,
    official_size,
    plan_state,
)
from server.store.engine import read, write
from tests.server.worlds import add_sheets, add_transactions, small_province


@pytest.mark.parametrize(
    ("population", "error", "expected"),
    [
        (0, 0.05, 0),
        (1, 0.05, 1),
        (100, 0.05, 80),
        (500, 0.05, 223),
        (10_000, 0.05, 385),
        (10**9, 0.05, 400),
        (400, 0.1, 80),
    ],
)
def test_official_formula(population: int, error: float, expected: int) -> None:
    assert official_size(population, error) == expected


def test_neyman_allocation_by_hand() -> None:
    """Cochran 1977, 5.5: n_h ~ N_h S_h / sqrt(c_h). 600 x .5 / 1 = 300, 300 x .3 / 1 = 90, 100 x .4 / 2 = 20."""
    weights = [600 * 0.5, 300 * 0.3, 100 * 0.4 / math.sqrt(4)]
    assert allocate(weights, [600, 300, 100], 205, least=0) == [150, 45, 10]


@given(
    st.lists(st.tuples(st.just(0.0) | st.floats(1e-3, 1e6), st.integers(0, 5_000)), min_size=1, max_size=20),
    st.integers(0, 20_000),
    st.integers(0, 10),
)
@example([(0.0, 3), (1.0, 154)], 155, 2)
@settings(max_examples=60, deadline=None)
def test_allocation_keeps_limits_minima_and_the_total(strata: list[tuple[float, int]], total: int, least: int) -> None:
    weights, limits = [w for w, _ in strata], [n for _, n in strata]
    sizes = allocate(weights, limits, total, least)
    minima = [min(least, limit) for limit in limits]
    assert all(low <= size <= limit for low, size, limit in zip(minima, sizes, limits, strict=True))
    open_room = sum(limit for w, limit in strata if w > 0)
    closed = sum(low for (w, _), low in zip(strata, minima, strict=True) if w == 0)
    assert sum(sizes) == max(sum(minima), min(total, open_room + closed))


def test_draw_by_size_has_the_probabilities_it_says() -> None:
    sizes, count, draws = [50, 100, 150, 20, 400, 80, 0], 3, 5_000
    rng = np.random.default_rng(3)
    hits = np.zeros(len(sizes))
    for _ in range(draws):
        places, probability = draw_by_size(sizes, count, rng)
        assert len(set(places)) == count
        hits[places] += 1
    assert probability[4] == 1.0
    assert sum(probability) == pytest.approx(count)
    assert np.abs(hits / draws - probability).max() < 4 * 0.5 / math.sqrt(draws)


@given(st.integers(1, 5_000), st.integers(0, 2**31))
def test_ordinals_are_distinct_and_in_the_register(population: int, seed: int) -> None:
    count = max(1, population // 3)
    picks = draw_ordinals(population, count, np.random.default_rng(seed))
    assert len(set(picks)) == count
    assert min(picks) >= 1
    assert max(picks) <= population


FRAME = {("so-a", 1): 900, ("so-a", 2): 100, ("so-b", 1): 400, ("huyen-c", 1): 3_000, ("huyen-c", 2): 600}


def _frame(store: Engine) -> tuple[int, dict[tuple[int, int], int]]:
    with write(store) as connection:
        province = small_province(connection)
        add_transactions(connection, province, FRAME)
        catalogue = read_catalogue(connection, province)
    return province, {(catalogue.agency(agency).id, group): n for (agency, group), n in FRAME.items()}


def test_sizes_by_level_and_the_same_draw_for_the_same_seed(store: Engine) -> None:
    province, frame = _frame(store)
    with read(store) as connection:
        catalogue = read_catalogue(connection, province)
    plan = make_strata(frame, catalogue, PlanSettings("2026-07", seed=4))
    by_level: dict[str, int] = {}
    for stratum in plan:
        level = catalogue.levels[catalogue.agencies[stratum.agency_id].parent].code
        by_level[level] = by_level.get(level, 0) + stratum.forms
    assert by_level == {"tinh": official_size(1_400, 0.05), "huyen": official_size(3_600, 0.05)}
    assert all(stratum.probability == stratum.forms / stratum.transactions for stratum in plan)
    assert plan == make_strata(frame, catalogue, PlanSettings("2026-07", seed=4))
    assert plan != make_strata(frame, catalogue, PlanSettings("2026-07", seed=5))


def test_three_stages_give_unbiased_totals(store: Engine) -> None:
    """Horvitz-Thompson: drawn transactions weighted by 1 / probability add up to the frame, on average."""
    province, frame = _frame(store)
    with read(store) as connection:
        catalogue = read_catalogue(connection, province)
    totals = []
    for seed in range(300):
        plan = make_strata(frame, catalogue, PlanSettings("2026-07", seed=seed, agencies=0.5, groups=1))
        totals.append(sum(s.forms / s.probability for s in plan if s.forms))
    error = float(np.std(totals)) / math.sqrt(len(totals))
    assert np.mean(totals) == pytest.approx(5_000, abs=4 * error)


def test_neyman_asks_more_where_opinions_differ(store: Engine) -> None:
    province, frame = _frame(store)
    with read(store) as connection:
        catalogue = read_catalogue(connection, province)
    spread = {key: 0.5 if key[0] == catalogue.agency("so-b").id else 0.1 for key in frame}
    chosen = PlanSettings("2026-07", seed=1, scope="province", method="neyman", forms=300)
    plain = PlanSettings("2026-07", seed=1, scope="province", forms=300)
    so_b = catalogue.agency("so-b").id

    def forms_of(one: PlanSettings) -> int:
        return sum(s.forms for s in make_strata(frame, catalogue, one, spread) if s.agency_id == so_b)

    assert forms_of(chosen) > 2 * forms_of(plain)
    costly = PlanSettings("2026-07", seed=1, scope="province", method="neyman", forms=300, costs=(("tinh", 16.0),))
    assert forms_of(costly) < forms_of(chosen)


@pytest.mark.parametrize(
    "wrong",
    [{"method": "x"}, {"scope": "x"}, {"error": 0.0}, {"agencies": 0.0}, {"groups": -1}, {"costs": (("tinh", 0.0),)}],
)
def test_settings_that_cannot_be(store: Engine, wrong: dict[str, object]) -> None:
    province, frame = _frame(store)
    with read(store) as connection:
        catalogue = read_catalogue(connection, province)
    with pytest.raises(InvalidError):
        make_strata(frame, catalogue, PlanSettings("2026-07", seed=1, **wrong))  # type: ignore[arg-type]
    with pytest.raises(StatisticsError, match="no transactions"):
        make_strata({}, catalogue, PlanSettings("2026-07", seed=1))


def test_returns_and_who_still_has_to_be_asked(store: Engine) -> None:
    province, _ = _frame(store)
    with write(store) as connection:
        make_round(
            connection,
            province,
            code="r",
            name_vi="Đợt",
            name_en="",
            instrument="2640",
            first_day=day_index(date(2026, 7, 1)),
            last_day=day_index(date(2026, 7, 31)),
            user_id=None,
        )
        make_plan(connection, province, "r", "k", PlanSettings("2026-07", seed=1, forms=100, scope="province"), None)
        add_sheets(connection, province, "so-b", [{"overall": 4}] * 3)
        add_sheets(connection, province, "so-b", [{"overall": 4}], channel="counter_tablet")
        add_sheets(connection, province, "so-b", [{"overall": 4}], day=date(2026, 8, 1))
        with pytest.raises(ConflictError, match="taken"):
            make_plan(connection, province, "r", "k", PlanSettings("2026-07", seed=1), None)
        state = plan_state(connection, province, "k")
    so_b = next(row for row in state.rows if row.agency == "so-b")
    assert (state.forms, state.returned) == (100, 3)
    assert (so_b.returned, so_b.to_ask) == (3, so_b.forms - 3)
    assert len(so_b.picks) == so_b.forms
