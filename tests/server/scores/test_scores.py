"""Scores from the store: both indices, what moves them, what must not, and never a figure from nothing."""

from __future__ import annotations

import argparse
import html
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, insert, update

from calibration.intervals import wilson
from pipeline.calendar import Period, month_of_day, parse_period
from pipeline.errors import InvalidError
from pipeline.language import Text, in_language
from server.catalogue.agencies import read_agencies
from server.catalogue.succession import Line
from server.commands import analyze
from server.core.provinces import make_province, write_setting
from server.scores.evidence import agency_months, spans
from server.scores.fused import agency_scores, newest_period, rated_quarters
from server.scores.tables import TABLES, material
from server.scores.trends import Pulse, channel_counts, pulses, trend
from server.scores.words import SHORT_VERDICTS, VERDICTS
from server.simulation.evidence import simulate_evidence
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from server.store.tables.boxes import boxes
from server.store.tables.ratings import RatingState, ratings
from server.store.tables.releases import cell_values, deliveries, releases
from server.store.tables.transactions import transactions
from server.store.tables.users import Role
from server.tabular.row_files import as_csv, as_parquet, columns_of, described
from server.tabular.writing import safe_cell
from tests.server.client import Browser
from tests.server.province import PERIOD, Province, add_ratings, application, fill_province


@pytest.fixture
def province(store: Engine) -> Province:
    return fill_province(store, "p1")


def test_explicit_index_is_the_share_of_satisfied_ratings(store: Engine, province: Province) -> None:
    first, second = agency_scores(store, province.province_id, PERIOD)
    assert (first.id, first.n_explicit) == ("p1-a", 40)
    assert first.index_explicit == pytest.approx(80.0)
    low, high = wilson(0.8, 40)
    assert first.explicit_low <= 100 * float(low) + 1e-9, "clustering can only widen Wilson's interval"
    assert first.explicit_high >= 100 * float(high) - 1e-9
    assert first.index_fused is None
    assert first.verdict == "not_calibrated"
    assert first.n_implicit == 129
    assert second.id == "p1-b"


def test_ratings_set_aside_do_not_count_and_restored_ones_do(store: Engine, province: Province) -> None:
    agency = province.agencies["p1-a"]
    add = {"flag": 1, "state": RatingState.SET_ASIDE.value}
    with write(store) as connection:
        add_ratings(connection, province.province_id, agency, 10, 0, **add)
    assert agency_scores(store, province.province_id, PERIOD)[0].n_explicit == 40
    with read(store) as connection:
        assert channel_counts(connection, province.province_id, agency, PERIOD)[0].set_aside == 10
    with write(store) as connection:
        connection.execute(update(ratings).where(ratings.c.flag == 1).values(state=RatingState.RESTORED.value))
    again = agency_scores(store, province.province_id, PERIOD)[0]
    assert again.n_explicit == 50
    assert again.index_explicit == pytest.approx(64.0)


def test_a_corrected_answer_shows_at_once(store: Engine, province: Province) -> None:
    assert agency_scores(store, province.province_id, PERIOD)[0].index_explicit == pytest.approx(80.0)
    with write(store) as connection:
        mine = ratings.c.agency_id == province.agencies["p1-a"]
        connection.execute(update(ratings).where(mine).values(a00=5))
    assert agency_scores(store, province.province_id, PERIOD)[0].index_explicit == pytest.approx(100.0)


def test_known_transactions_are_the_weights(store: Engine, province: Province) -> None:
    ids = {"province_id": province.province_id, "agency_id": province.agencies["p1-a"]}
    with write(store) as connection:
        add_ratings(connection, **ids, rated=40, satisfied=0, service_group=2)
        for group, number in ((1, 900), (2, 100)):
            row = {"service_group": group, "month": PERIOD.first_month, "count": number}
            connection.execute(insert(transactions).values(**ids, **row))
    score = agency_scores(store, province.province_id, PERIOD)[0]
    assert score.index_explicit == pytest.approx(0.9 * 80.0, abs=0.01)
    assert score.transactions == 1000
    assert score.response_rate == pytest.approx(0.08)


@pytest.mark.parametrize(("rated", "satisfied"), [(0, 0), (1, 1), (1, 0), (5, 5)])
def test_few_or_equal_answers(store: Engine, rated: int, satisfied: int) -> None:
    province = fill_province(store, "p2")
    with write(store) as connection:
        connection.execute(ratings.delete())
        if rated:
            add_ratings(connection, province.province_id, province.agencies["p2-a"], rated, satisfied)
    if rated:
        hidden = agency_scores(store, province.province_id, PERIOD)[0]
        assert (hidden.n_explicit, hidden.index_explicit) == (0, None), "fewer sheets than may be shown"
    with write(store) as connection:
        write_setting(connection, province.province_id, "min_answers", 1)  # what the figures are where it may be
    score = agency_scores(store, province.province_id, PERIOD)[0]
    assert score.n_explicit == rated
    assert (score.index_explicit is None) == (rated == 0)
    assert 0 <= score.ci_low < score.ci_high <= 100
    assert score.ci_high - score.ci_low > 40
    assert not any(isinstance(v, float) and math.isnan(v) for v in score.to_dict().values())


def test_a_province_without_agencies(store: Engine) -> None:
    with write(store) as connection:
        empty = make_province(connection, "leer", Text.named(vi="Trống"))
    assert agency_scores(store, empty.province_id, PERIOD) == []
    with read(store) as connection:
        assert rated_quarters(connection, empty.province_id)
        assert newest_period(connection, empty.province_id).name


def test_an_inactive_agency_is_not_scored(store: Engine, province: Province) -> None:
    with write(store) as connection:
        connection.execute(update(agencies).where(agencies.c.code == "p1-a").values(active=False))
        assert [a.code for a in read_agencies(connection, province.province_id)] == ["p1-b"]
    assert [s.id for s in agency_scores(store, province.province_id, PERIOD)] == ["p1-b"]


def test_the_confidence_setting_widens_the_interval(store: Engine, province: Province) -> None:
    usual = agency_scores(store, province.province_id, PERIOD)[0]
    with write(store) as connection:
        write_setting(connection, province.province_id, "confidence", 0.99)
        with pytest.raises(InvalidError, match="takes a float"):
            write_setting(connection, province.province_id, "confidence", "high")
    wide = agency_scores(store, province.province_id, PERIOD)[0]
    assert wide.ci_low < usual.ci_low


def test_tables_of_a_box_become_evidence_with_their_noise(store: Engine, province: Province) -> None:
    with read(store) as connection:
        months = agency_months(connection, province.province_id, PERIOD)
    month = next(m for m in months if m.agency == str(province.agencies["p1-a"]) and m.tables)
    assert month.tables[0].counts.sum() == 129
    assert month.tables[0].cell_variance == pytest.approx(0.739, abs=0.001)


def test_a_row_whose_month_does_not_go_with_its_day(store: Engine, province: Province) -> None:
    with write(store) as connection:
        mine = ratings.c.agency_id == province.agencies["p1-a"]
        connection.execute(update(ratings).where(mine).values(day=PERIOD.last_day + 2))
    first, second = agency_scores(store, province.province_id, PERIOD)
    assert (first.n_explicit, second.n_explicit) == (0, 40)


def test_history_is_single_months_before_the_period() -> None:
    found = spans(parse_period("2026-Q3"))
    assert found[-1].name == "2026-Q3"
    assert [s.first_month for s in found[:-1]] == list(range(66, 78))
    assert len(spans(Period("", 0, 2))) == 1


def _page_and_command_agree(
    store: Engine, province: Province, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The analysis page and `hailong analyze` show the same rho and the same verdict of every agency."""
    browser = Browser(application(store, folder))
    browser.log_in(province.users[Role.ANALYST])
    page = browser.get(f"/analysis?period={PERIOD.name}").text
    table = page.split('aria-label="Bảng ước lượng"')[1].split("</table>")[0]
    shown = {}
    for row in table.split("<tr>")[2:]:
        cells = [re.sub("<[^>]+>", "", cell).strip() for cell in re.findall("<td.*?</td>", row, re.S)]
        shown[re.search("/agencies/([^?]+)", row)[1]] = (cells[3], cells[8])  # type: ignore[index]
    capsys.readouterr()
    parser = argparse.ArgumentParser()
    analyze.add_arguments(parser)
    assert analyze.run(parser.parse_args(["--store", str(store.url), "--period", PERIOD.name])) == 0
    printed = capsys.readouterr().out
    assert set(shown) == set(province.agencies)
    in_full = {
        short.in_language("vi"): VERDICTS[verdict].in_language("vi") for verdict, short in SHORT_VERDICTS.items()
    }
    for code, (rho, verdict) in shown.items():
        part = printed.split(f"({code})")[1].split("(ước lượng kết hợp)")[1]
        assert re.search(r"ρ = ([\d,]+)", part)[1] == rho  # type: ignore[index]
        assert in_full[html.unescape(verdict)] in part
        assert rho > "0,3", "a signal that is there: the comparison could fail"


def test_what_the_signal_saves_is_seen_where_it_correlates(
    store: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year of simulated tablets and boxes: calibrated, and fused intervals never more than 3 % wider."""
    monkeypatch.setenv("LANGUAGE", "vi")  # as the page is
    made = fill_province(store, "p3")
    rng = np.random.default_rng(5)
    with write(store) as connection:
        for table in (releases, deliveries, ratings):
            connection.execute(table.delete())
        for agency in made.agencies.values():
            ids: dict[str, Any] = {"province_id": made.province_id, "agency_id": agency, "service_group": 1}
            for month in range(72, 81):
                sheet = {
                    **ids,
                    "month": month,
                    "channel": "counter_tablet",
                    "instrument": "2640",
                    "instrument_version": 1,
                }
                first_day = Period("", month, month).first_day
                rows = [
                    {**sheet, "day": first_day + int(rng.integers(25)), "a00": 5 if rng.random() < 0.8 else 2}
                    for _ in range(150)
                ]
                connection.execute(insert(ratings), rows)
                connection.execute(insert(transactions).values(**ids, month=month, count=3_000))
        connection.execute(update(boxes).values(label=boxes.c.label + " old"))
        simulate_evidence(connection, made.province_id, Period("", 72, 80), seed=3, rho=0.55)
    for score in agency_scores(store, made.province_id, PERIOD):
        assert score.verdict == "helped"
        assert score.index_fused is not None
        assert score.fused_low is not None
        assert score.fused_high is not None
        assert score.fused_high - score.fused_low < score.explicit_high - score.explicit_low
        assert score.labels_saved > 10
    _page_and_command_agree(store, made, tmp_path, capsys)
    for name, make in TABLES.items():
        rows = make(material(store, made.province_id, PERIOD))
        assert rows, name
        assert as_csv(rows).startswith(b"\xef\xbb\xbf")
        assert as_parquet(rows, simulated=True)[:4] == b"PAR1"
        for column in columns_of(rows):
            assert all(described(column))
        for row in rows:
            assert not any(isinstance(v, float) and math.isnan(v) for v in row.values()), name


def test_evidence_is_simulated_for_simulated_provinces_only(store: Engine) -> None:
    real = fill_province(store, "real", simulated=False)
    with write(store) as connection, pytest.raises(InvalidError, match="simulated"):
        simulate_evidence(connection, real.province_id, PERIOD)


@pytest.mark.parametrize("name", list(TABLES))
def test_an_empty_province_gives_tables_without_figures(store: Engine, name: str) -> None:
    made = fill_province(store, "p4")
    with write(store) as connection:
        for table in (releases, deliveries, ratings):
            connection.execute(table.delete())
    for row in TABLES[name](material(store, made.province_id, PERIOD)):
        assert not any(isinstance(v, float) and math.isnan(v) for v in row.values())
        assert row.get("index") is None


def test_trend_and_pulses(store: Engine, province: Province) -> None:
    agency = province.agencies["p1-a"]
    with write(store) as connection:
        for number, counts in enumerate(((5, 10, 20, 1), (-2, 0, 3, 1))):
            sent: dict[str, Any] = {
                "province_id": province.province_id,
                "agency_id": agency,
                "box_id": province.boxes["p1-a"],
            }
            sent |= {
                "epoch": 1,
                "sequence": 10 + number,
                "kind": "pulse",
                "period_kind": 3,
                "period_index": 2430 + number,
            }
            row = {**sent, "epsilon_milli": 500, "received_day": 2431, **cell_values(counts)}
            connection.execute(insert(releases).values(**row))
        found = pulses(connection, province.province_id, agency)
        points = trend(connection, province.province_id, Line.alone(agency), PERIOD)
    assert [(p.low, p.high) for p in found] == [(5, 20), (-2, 3)]
    assert found[0].noise_sd == pytest.approx(2.8, abs=0.1)
    assert len(points) == 12
    assert [p.rated for p in points][-3:] == [40, 0, 0]
    assert points[-1].index is None


@pytest.mark.parametrize(
    ("kind", "index", "name"),
    [
        (1, 25, "02/01/2020 01–02"),
        (2, 7, "02/01/2020 04–08"),
        (3, 366, "01/01/2021"),
        (4, 81, "Tháng 10/2026"),
        (101, 5, "demo 5"),
    ],
)
def test_window_names(kind: int, index: int, name: str) -> None:
    assert Pulse(kind, index, 0, 0, 0, 0, 1.0).window("vi") == name


@pytest.mark.parametrize(
    ("text", "vi", "en"),
    [
        ("2026", "Năm 2026", "2026"),
        ("2026-Q3", "Quý III/2026", "Q3 2026"),
        ("2026-07", "Tháng 7/2026", "Jul 2026"),
        ("2026-01..2026-07", "Tháng 1/2026 – Tháng 7/2026", "Jan 2026 – Jul 2026"),
        ("2026-02..2026-04", "Tháng 2/2026 – Tháng 4/2026", "Feb 2026 – Apr 2026"),
    ],
)
def test_periods_in_words(text: str, vi: str, en: str) -> None:
    period = parse_period(text)
    assert (period.words("vi"), period.words("en")) == (vi, en)


@pytest.mark.parametrize(("added", "opened"), [(0, "2026-Q3"), (1, "2026-Q3"), (29, "2026-Q3"), (30, "2026-Q4")])
def test_pages_open_with_the_newest_quarter_that_has_enough(
    store: Engine, province: Province, added: int, opened: str
) -> None:
    with write(store) as connection:
        newer = parse_period("2026-Q4").first_day
        if added:
            more = {"day": newer, "month": month_of_day(newer)}
            add_ratings(connection, province.province_id, province.agencies["p1-a"], added, 0, **more)
        found = rated_quarters(connection, province.province_id)
        assert newest_period(connection, province.province_id).name == opened
    assert [(q.period.name, q.ratings) for q in found] == [("2026-Q4", added), ("2026-Q3", 80)][0 if added else 1 :]


def test_an_agency_without_ratings_says_so(store: Engine, province: Province) -> None:
    score = agency_scores(store, province.province_id, parse_period("2026-Q1"))[0]
    assert (score.n_explicit, score.index_explicit) == (0, None)
    assert in_language(score.verdict_words, "vi") == "Chưa có phiếu nào được tính trong kỳ này."


@pytest.mark.parametrize(
    ("text", "first", "last", "name"),
    [
        ("2026", 72, 83, "2026"),
        ("2026-Q3", 78, 80, "2026-Q3"),
        ("2026-07", 78, 78, "2026-07"),
        ("2026-01..2026-07", 72, 78, "2026-01..2026-07"),
        ("2026-Q1..2026-Q4", 72, 83, "2026"),
    ],
)
def test_periods(text: str, first: int, last: int, name: str) -> None:
    period = parse_period(text)
    assert (period.first_month, period.last_month, period.name) == (first, last, name)
    assert month_of_day(period.first_day) == first
    assert month_of_day(period.last_day) == last
    assert month_of_day(period.last_day + 1) == last + 1
    assert period.before().last_month == first - 1


@pytest.mark.parametrize("text", ["", "2026-13", "2026-Q5", "26", "2019", "2026-07..2026-01", "a..b"])
def test_periods_that_are_none(text: str) -> None:
    with pytest.raises(InvalidError):
        parse_period(text)


@pytest.mark.parametrize(
    ("given", "kept"), [("=1+1", "'=1+1"), ("@x", "'@x"), ("Sở", "Sở"), (-3, -3), (None, None), ("-x", "'-x")]
)
def test_cells_that_a_spreadsheet_would_run(given: object, kept: object) -> None:
    assert safe_cell(given) == kept
