"""The survey on PostgreSQL as on SQLite: one generated province, every figure equal, every query run."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from calibration.sampling import PlanSettings
from pipeline.calendar import parse_period, today
from pipeline.instruments import load_instrument
from pipeline.language import Text
from server.channels.online import invitations
from server.channels.paper import paper
from server.core.scope import Scope
from server.feedback import feedback
from server.ratings.export import export_ratings
from server.ratings.imports import import_ratings
from server.reports.sources import gather
from server.retention.survey import enforce_survey_retention
from server.rounds.rounds import make_round
from server.sampling.plan import make_plan, plan_state
from server.scores.index import compute_index
from server.simulation.province import simulate_province
from server.store.engine import connect, read, write
from server.store.tables.agencies import agencies
from server.store.tables.ratings import ratings
from server.store.upgrade import upgrade

PERIOD = parse_period("2026-Q3")


@pytest.mark.postgres
@pytest.mark.slow
def test_postgresql_gives_what_sqlite_gives(store: Engine, postgres_url: str, tmp_path: Path) -> None:
    other = connect(postgres_url)
    upgrade(other)
    instrument = load_instrument("2640")
    results, plans, exported = [], [], []
    for engine in (store, other):
        with write(engine) as connection:
            made = simulate_province(connection, seed=2, quarters=2, sheets_a_quarter=400, communes=12)
        number = made.province_id
        settings = PlanSettings("2026-Q3", seed=3, method="neyman", agencies=0.6)
        with write(engine) as connection:
            plans.append(make_plan(connection, number, "2026-Q3", "k", settings, None))
            plan_state(connection, number, "k")
            survey_round = make_round(
                connection,
                number,
                code="now",
                name=Text.named(vi="x"),
                instrument="2640",
                first_day=today() - 1,
                last_day=today() + 1,
                user_id=None,
            )
            agency = connection.execute(select(agencies.c.id).order_by(agencies.c.id)).scalars().first()
            assert agency is not None
            invitations.issue(connection, number, survey_round.id, agency, count=3)
            links = invitations.returns(connection, Scope(number), survey_round)
            assert list(links.values()) == [invitations.LinkReturns(3, None)]
            paper.print_forms(connection, number, survey_round.id, agency, count=4, recheck_share=0.5)
            assert [row.forms for row in paper.supervision(connection, number, survey_round.id)] == [4]
            feedback.receive(connection, number, agency, category="delay", text="x", contact="y")
            assert feedback.items(connection, number)[0].contact in ("y", "")
            enforce_survey_retention(connection, number)
        path = tmp_path / "in.csv"
        path.write_text(
            "form,agency,day,overall\nP1,so-y-te,1/8/2026,4\nP2,xa-song-xanh,2/8/2026,2\n", encoding="utf-8"
        )
        assert import_ratings(engine, number, path, instrument, channel="sms", key=bytes(32)).added == 2
        assert import_ratings(engine, number, path, instrument, channel="sms", key=bytes(32)).existing == 2
        with read(engine) as connection:
            results.append(compute_index(connection, number, instrument, PERIOD))
            gather(connection, number, instrument, PERIOD)
            out = tmp_path / f"{engine.dialect.name}.csv"
            export_ratings(connection, number, instrument, PERIOD, out)
            exported.append(sorted(out.read_text(encoding="utf-8-sig").splitlines()))
            assert connection.execute(select(ratings.c.id)).first() is not None
    other.dispose()
    assert results[0] == results[1]
    assert plans[0] == plans[1]
    assert exported[0] == exported[1]
