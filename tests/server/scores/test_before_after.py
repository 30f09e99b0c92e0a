"""Before and after as an analyst's page: the effect from published figures alone, and what a leader may say of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, delete, insert, select

from calibration.before_after import BeforeAfter, Effect
from calibration.interrupted import interrupted
from pipeline.calendar import Period, month_of_day, parse_period
from pipeline.instruments import load_instrument
from server.catalogue.agencies import read_agencies
from server.catalogue.writing import import_catalogue
from server.scores.before_after import conclusion, course, series, series_conclusion
from server.store.engine import read, write
from server.store.tables.ratings import answer_values, ratings
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province
from tests.server.worlds import agency_id

QUARTERS = tuple(parse_period(f"2025-Q{n}") for n in (1, 2, 3))
FEW = 12


@pytest.fixture
def province(store: Engine) -> Province:
    """Ten more agencies with 60 sheets a quarter of 2025, 45 of them satisfied; from Q3 on 57 at c0 and c1. c9 has too
    few in Q2."""
    made = fill_province(store, "bbb", simulated=False)
    instrument = load_instrument("2640")
    with write(store) as connection:
        rows = [(n, {"code": f"c{n}", "name_vi": f"Sở thứ {n}", "level": "tinh"}) for n in range(10)]
        import_catalogue(connection, made.province_id, "agencies", rows)
        sheets = []
        for n in range(10):
            agency = agency_id(connection, made.province_id, f"c{n}")
            for number, quarter in enumerate(QUARTERS):
                satisfied = 57 if n < 2 and number == 2 else 45 + (n % 3)
                for sheet in range(FEW if n == 9 and number == 1 else 60):
                    values = [0] * 32
                    for code in ("overall", "A1", "C2"):
                        values[instrument.slot_of(code)] = 5 if sheet < satisfied else 2
                    day = quarter.first_day + sheet % 30
                    row: dict[str, object] = {"province_id": made.province_id, "agency_id": agency, "service_group": 0}
                    row |= {"channel": "paper", "day": day, "month": month_of_day(day), "received_day": day}
                    sheets.append({**row, "instrument": "2640", "instrument_version": 1, **answer_values(values)})
        connection.execute(insert(ratings), sheets)
    return made


def test_the_course_holds_published_figures_alone(store: Engine, province: Province) -> None:
    with read(store) as connection:
        found = course(connection, province.province_id, load_instrument("2640"), QUARTERS)
    place = found.codes.index("c9")
    assert found.valid[place, 1] == 0, "twelve sheets are no figure"
    assert found.valid[place, 0] > 0
    share = found.satisfied[found.codes.index("c1")] / found.valid[found.codes.index("c1")]
    assert share == pytest.approx([46 / 60, 46 / 60, 0.95])
    effect = found.effect({"c0", "c1"}, QUARTERS[2]).effect
    assert effect.estimate == pytest.approx(0.2, abs=0.03)


def test_the_page_tells_the_effect_and_keeps_it_from_others(store: Engine, province: Province, tmp_path: Path) -> None:
    app = application(store, tmp_path)
    browser = Browser(app)
    browser.log_in(province.users[Role.ANALYST])
    empty = browser.get("/analysis/before-after")
    assert empty.status_code == 200
    assert 'id="conclusion"' not in empty.text
    page = browser.get("/analysis/before-after?first=2025-Q3&agency=c0&agency=c1").text
    assert "tăng" in page
    assert 'id="conclusion"' in page
    assert "<svg" in page
    few = browser.get("/analysis/before-after?first=2025-Q3&" + "&".join(f"agency=c{n}" for n in range(4))).text
    assert 'role="alert"' in few, "six others are not enough"
    assert 'role="alert"' in browser.get("/analysis/before-after?first=2019-Q3&agency=c0").text
    assert browser.get("/analysis/before-after?first=nonsense&agency=c0").status_code == 422
    other = Browser(app)
    other.log_in(province.users[Role.AGENCY_READER])
    assert other.get("/analysis/before-after").status_code == 403


def _fill_months(store: Engine, province: Province, code: str, months: int, step_at: int) -> None:
    """40 sheets a month up to September 2025, 28 of them satisfied, 38 from the month `step_at` on."""
    instrument = load_instrument("2640")
    last = parse_period("2025-Q3").last_month
    with write(store) as connection:
        agency = agency_id(connection, province.province_id, code)
        sheets = []
        for number in range(months):
            month = last - months + 1 + number
            for sheet in range(40):
                values = [0] * 32
                values[instrument.slot_of("overall")] = 5 if sheet < (38 if number >= step_at else 28) else 2
                day = Period("", month, month).first_day + sheet % 20
                row: dict[str, object] = {"province_id": province.province_id, "agency_id": agency, "service_group": 0}
                row |= {"channel": "paper", "day": day, "month": month, "received_day": day}
                sheets.append({**row, "instrument": "2640", "instrument_version": 1, **answer_values(values)})
        connection.execute(insert(ratings), sheets)


def test_one_agency_has_the_series_of_its_months(store: Engine, province: Province, tmp_path: Path) -> None:
    _fill_months(store, province, "c3", 15, 12)
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ANALYST])
    page = browser.get("/analysis/before-after?first=2025-Q3&agency=c3").text
    assert 'id="alone-conclusion"' in page
    assert 'id="step"' in page
    assert "chưa đủ 24 tháng" in page
    both = browser.get("/analysis/before-after?first=2025-Q3&agency=c3&agency=c4").text
    assert 'id="alone-conclusion"' not in both, "a series is one agency's"
    short = browser.get("/analysis/before-after?first=2025-Q3&agency=c4").text
    assert 'id="alone-conclusion"' not in short
    assert "6" in short[short.index("alone-problem") :][:400]


def test_a_hidden_month_takes_no_part_in_the_series(store: Engine, province: Province) -> None:
    _fill_months(store, province, "c3", 15, 12)
    with write(store) as connection:
        agency = next(one for one in read_agencies(connection, province.province_id) if one.code == "c3")
        hidden = parse_period("2025-Q1").first_month
        mine = (ratings.c.agency_id == agency.agency_id) & (ratings.c.month == hidden)
        kept = connection.execute(select(ratings.c.id).where(mine).limit(12)).scalars().all()
        connection.execute(delete(ratings).where(mine, ratings.c.id.not_in(kept)))
    with read(store) as connection:
        found = series(connection, province.province_id, load_instrument("2640"), agency, QUARTERS[2], QUARTERS[2])
    shares = dict(zip(found.months, found.found.shares, strict=True))
    assert np.isnan(shares[hidden]), "twelve sheets are no figure"
    assert sum(np.isfinite(share) for share in shares.values()) >= 9


def _found(estimate: float, low: float, high: float, placebo: Effect | None = None) -> BeforeAfter:
    return BeforeAfter(Effect(estimate, low, high, 0.5), placebo, np.zeros(2), np.zeros(2), 1)


def test_a_leader_is_told_no_more_than_is_known() -> None:
    assert "rose" in str(conclusion(_found(0.1, 0.05, 0.15)))
    assert "fell" in str(conclusion(_found(-0.1, -0.15, -0.05)))
    assert "chance" in str(conclusion(_found(0.1, -0.05, 0.25)))
    another_way = Effect(-0.1, -0.15, -0.05, 0.01)
    assert "another way" in str(conclusion(_found(0.1, 0.05, 0.15, another_way)))
    assert "rose" in str(conclusion(_found(0.1, 0.05, 0.15, Effect(0.01, -0.05, 0.05, 0.8))))


@pytest.mark.parametrize(("months", "told"), [(20, "nothing is concluded"), (26, "rose by more")])
def test_less_than_two_years_tell_no_step(months: int, told: str) -> None:
    """The same step of 10 points, months without chance of their own."""
    rated = np.full(months, 100_000)
    found = interrupted(np.where(np.arange(months) >= 12, 90_000, 80_000), rated, 12)
    assert found.effect.low > 0
    assert told in str(series_conclusion(found))
