"""Sampling: the official formula, allocation, the seeded draw's probabilities, returns."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from calibration.sampling import PlanSettings, draw_plan, required_size
from hailong.cli import main
from pipeline.calendar import day_index
from pipeline.errors import ConflictError, InvalidError, StatisticsError
from pipeline.language import Text, in_language
from server.catalogue.reading import read_catalogue
from server.rounds.rounds import make_round
from server.sampling.plan import agency_levels, make_plan, plan_state
from server.store.engine import read, write
from tests.server.worlds import add_sheets, add_transactions, small_province

FRAME = {("so-a", 1): 900, ("so-a", 2): 100, ("so-b", 1): 400, ("xa-c", 1): 3_000, ("xa-c", 2): 600}


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
    plan = draw_plan(frame, agency_levels(catalogue), PlanSettings("2026-07", seed=4))
    by_level: dict[str, int] = {}
    for stratum in plan:
        level = catalogue.levels[catalogue.agencies[stratum.agency_id].parent].code
        by_level[level] = by_level.get(level, 0) + stratum.forms
    assert by_level == {"tinh": required_size(1_400, 0.05), "xa": required_size(3_600, 0.05)}
    assert all(stratum.probability == stratum.forms / stratum.transactions for stratum in plan)
    assert plan == draw_plan(frame, agency_levels(catalogue), PlanSettings("2026-07", seed=4))
    assert plan != draw_plan(frame, agency_levels(catalogue), PlanSettings("2026-07", seed=5))


def test_three_stages_give_unbiased_totals(store: Engine) -> None:
    """Horvitz-Thompson: drawn transactions weighted by 1 / probability add up to the frame, on average."""
    province, frame = _frame(store)
    with read(store) as connection:
        catalogue = read_catalogue(connection, province)
    totals = []
    for seed in range(300):
        plan = draw_plan(frame, agency_levels(catalogue), PlanSettings("2026-07", seed=seed, agencies=0.5, groups=1))
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
        return sum(s.forms for s in draw_plan(frame, agency_levels(catalogue), one, spread) if s.agency_id == so_b)

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
        draw_plan(frame, agency_levels(catalogue), PlanSettings("2026-07", seed=1, **wrong))  # type: ignore[arg-type]
    with pytest.raises(StatisticsError, match="no transactions"):
        draw_plan({}, agency_levels(catalogue), PlanSettings("2026-07", seed=1))


def test_returns_and_who_still_has_to_be_asked(store: Engine) -> None:
    province, _ = _frame(store)
    with write(store) as connection:
        make_round(
            connection,
            province,
            code="r",
            name=Text.named(vi="Đợt"),
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


def test_a_call_back_is_drawn_priced_and_mends_the_figures(
    store: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    province, _ = _frame(store)
    with write(store) as connection:
        days = {"first_day": day_index(date(2026, 7, 1)), "last_day": day_index(date(2026, 7, 31))}
        make_round(connection, province, code="r", name=Text.named(vi="Đợt"), instrument="2640", user_id=None, **days)
        make_plan(connection, province, "r", "k", PlanSettings("2026-07", seed=1, forms=200, scope="province"), None)
        state = plan_state(connection, province, "k")
        largest = max(state.rows, key=lambda row: row.forms)
        add_sheets(connection, province, largest.agency, [{"overall": 5}] * 36 + [{"overall": 2}] * 4)
    command = ["server", "plan", "--store", str(store.url), "--show", "k"]
    assert main([*command, "--call-back", "50", "--seed", "7"]) == 0
    drawn = capsys.readouterr().out
    assert main([*command, "--call-back", "50", "--seed", "7"]) == 0
    assert capsys.readouterr().out == drawn
    assert in_language(largest.agency_name, "en") in drawn
    calls = tmp_path / "calls.csv"
    calls.write_text(f"agency,reached,satisfied\n{largest.agency},40,28\n", encoding="utf-8")
    assert main([*command, "--call-back-answers", str(calls)]) == 0
    told = capsys.readouterr().out
    assert "3.42" in told.replace(",", ".").splitlines()[0]  # (36 x 12 / 80 + 1/4) / (4 x 28 / 80 + 1/4)
    assumed, reached = told.splitlines()[2:4]
    assert "3.4" in assumed.replace(",", ".")
    assert "60 %" in reached
    calls.write_text(f"agency,called,reached,satisfied\n{largest.agency},50,40,28\n", encoding="utf-8")
    assert main([*command, "--call-back-answers", str(calls)]) == 0
    of_called = capsys.readouterr().out.splitlines()
    assert of_called[:2] == told.splitlines()[:2]
    assert of_called[2] != assumed, "nearly all were reached: less is left open"
    calls.write_text(f"agency,called,reached,satisfied\n{largest.agency},30,40,28\n", encoding="utf-8")
    assert main([*command, "--call-back-answers", str(calls)]) == 1
    calls.write_text(f"agency,reached,satisfied,called\n{largest.agency},40,28,\n", encoding="utf-8")
    assert main([*command, "--call-back-answers", str(calls)]) == 1, "the column is there, and says nothing"
    calls.write_text("agency,reached,satisfied\nno-such,4,2\n", encoding="utf-8")
    assert main([*command, "--call-back-answers", str(calls)]) == 1
    calls.write_text(f"agency,reached,satisfied\n{largest.agency},4,5\n", encoding="utf-8")
    assert main([*command, "--call-back-answers", str(calls)]) == 1
    assert main(["server", "plan", "--store", str(store.url), "--call-back", "5"]) == 1
