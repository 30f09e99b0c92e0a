"""A new channel is one entry of the registry: then imports, pages, the plan, charts, files and reports know it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from calibration.sampling import PlanSettings
from pipeline.calendar import day_index, parse_period
from pipeline.instruments import load_instrument
from pipeline.language import Text
from server.catalogue.reading import read_catalogue
from server.core.scope import Scope
from server.ratings.export import columns, export_ratings
from server.ratings.imports import import_ratings
from server.reports.content import make_report
from server.reports.sources import gather
from server.rounds.rounds import make_round
from server.sampling.plan import make_plan, plan_state
from server.scores.index import compute_index
from server.simulation.province import simulate_province
from server.store.channels import CHANNELS, PAPER, AskedBy, Channel, Form
from server.store.engine import connect, read, write
from server.store.tables.channels import channels
from server.store.tables.ratings import ratings
from server.store.tables.transactions import transactions
from server.store.tables.users import Role
from server.store.upgrade import upgrade
from tests.server.client import Browser
from tests.server.province import application, fill_province

POST = Channel(
    "post_office",
    Text.named(vi="Bưu điện", en="Post office"),
    Form.SHORT,
    AskedBy.STAFF,
    sheets_a_day=100,
    simulated_share=0.1,
)
SHEETS = 12


@pytest.fixture
def post(store: Engine) -> Iterator[Channel]:
    yield CHANNELS.add(POST)
    CHANNELS.remove(POST.code)


def _import(store: Engine, province: int, folder: Path, name: str) -> int:
    lines = [f"B{number},nho-a,5/7/2026,{name},{2 + number % 4},4" for number in range(SHEETS)]
    path = folder / "in.csv"
    path.write_text("\n".join(["form,agency,day,channel,overall,C1", *lines]), encoding="utf-8")
    return import_ratings(store, province, path, load_instrument("2640"), key=bytes(32)).added


@pytest.mark.parametrize("name", ["post_office", "Bưu điện", "POST OFFICE"])
def test_a_new_channel_is_seen_everywhere(store: Engine, tmp_path: Path, post: Channel, name: str) -> None:
    upgrade(store)  # as `hailong server upgrade` after the new program was installed
    province, period = fill_province(store, "nho"), parse_period("2026-Q3")
    questionnaire, number = load_instrument("2640"), province.province_id
    first, last = day_index(date(2026, 7, 1)), day_index(date(2026, 7, 31))
    with write(store) as connection:
        make_round(connection, number, code="r", name=Text.named(vi="Đợt"), instrument="2640", first_day=first,
                   last_day=last, user_id=None)  # fmt: skip
        place = {"province_id": number, "agency_id": province.agencies["nho-a"], "service_group": 0}
        connection.execute(insert(transactions).values(**place, month=78, count=500))
        make_plan(connection, number, "r", "k", PlanSettings("2026-07", seed=1, forms=50, scope="province"), None)
    assert _import(store, number, tmp_path, name) == SHEETS
    with write(store) as connection:  # figures are made of days that are over: they came on their own days
        connection.execute(Scope(number).update(ratings).values(received_day=ratings.c.day))

    with read(store) as connection:
        assert plan_state(connection, number, "k").returned == SHEETS
        result = compute_index(connection, number, questionnaire, period)
        data = gather(connection, number, questionnaire, period)
        export_ratings(connection, number, questionnaire, period, tmp_path / "out.csv")
    (shown,) = [place for place in result.of("channel") if place.key == post.code]
    assert (shown.sheets, shown.name.columns()) == (SHEETS, {"name_vi": "Bưu điện", "name_en": "Post office"})
    assert "Bưu điện" in repr(make_report(data))
    assert (tmp_path / "out.csv").read_text("utf-8").count(post.code) == SHEETS
    assert (post.code, "Bưu điện") in next(c for c in columns(questionnaire) if c.name == "channel").values

    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ANALYST])
    for path in ("/?period=2026-Q3", "/agencies/nho-a?period=2026-Q3", "/survey/index?period=2026-Q3&by=channel"):
        page = browser.get(path)
        assert page.status_code == 200, path
        assert "Bưu điện" in page.text, path
    assert f'<option value="{post.code}">' in browser.get("/survey/import").text
    assert '<option value="counter_tablet">' not in browser.get("/survey/import").text


def test_a_new_channel_is_simulated(store: Engine, post: Channel) -> None:
    upgrade(store)
    with write(store) as connection:
        made = simulate_province(connection, seed=1, quarters=1, sheets_a_quarter=400, communes=12)
        query = select(ratings.c.channel, func.count()).group_by(ratings.c.channel)
        counts = {code: int(count) for code, count in connection.execute(query)}
        assert read_catalogue(connection, made.province_id)
    assert set(counts) == {channel.code for channel in CHANNELS if channel.simulated_share}
    assert 15 < counts[post.code] < 80


def test_a_name_of_another_channel_is_refused() -> None:
    for taken in (replace(POST, code="paper"), replace(POST, aliases=("kiosk",)), replace(POST, code="1022")):
        with pytest.raises(ValueError, match="another one has"):
            CHANNELS.add(taken)
    assert POST.code not in {channel.code for channel in CHANNELS}


def test_a_channel_that_this_program_lacks_stands_for_itself() -> None:
    assert CHANNELS.names["pigeon"] == "pigeon"
    assert CHANNELS.names["paper"] == PAPER.name


@pytest.mark.postgres
def test_an_older_store_gets_the_channels(empty_store_url: str) -> None:
    """Rows, their checks and borders stay; the closed list of channels becomes a foreign key."""
    engine = connect(empty_store_url)
    upgrade(engine, "0005")
    rows = {"agency_id": 1, "day": 2400, "month": 78, "instrument": "'2640'", "instrument_version": 1, "reasons": 0}
    rows |= {"service_group": 0, "flag": 0, "province_id": 1, "origin": "'form:P1'", "a00": 4, "channel": "'paper'"}
    statements = (
        "INSERT INTO provinces (id, code, name_vi, name_en, simulated, created_day) VALUES (1, 'p', 'p', 'p', TRUE, 1)",
        "INSERT INTO levels (id, province_id, code, name_vi, name_en, rank) VALUES (1, 1, 'l', 'l', 'l', 1)",
        "INSERT INTO agencies (id, province_id, code, name_vi, name_en, level_id, active) "
        "VALUES (1, 1, 'a', 'a', 'a', 1, TRUE)",
        f"INSERT INTO ratings ({', '.join(rows)}) VALUES ({', '.join(map(str, rows.values()))})",
    )
    with write(engine) as connection:
        for statement in statements:
            connection.execute(text(statement))
    upgrade(engine)
    with read(engine) as connection:
        row = connection.execute(select(ratings)).one()
        assert (row.channel, row.a00, row.origin, row.source, row.author_id) == ("paper", 4, "form:P1", "", None)
        codes = set(connection.execute(select(channels.c.code)).scalars())
    assert codes == {channel.code for channel in CHANNELS}

    def insert_rating(**more: object) -> None:
        found = {**rows, "origin": "'other'", **more}
        with write(engine) as connection:
            names, values = ", ".join(found), ", ".join(map(str, found.values()))
            connection.execute(text(f"INSERT INTO ratings ({names}) VALUES ({values})"))

    wrong: tuple[dict[str, object], ...] = (
        {"a00": 6},
        {"channel": "'pigeon'"},
        {"agency_id": 7},
        {"author_id": 7},
        {"origin": "'form:P1'"},
    )
    for bad in wrong:
        with pytest.raises(IntegrityError):
            insert_rating(**bad)
    with write(engine) as connection:
        connection.execute(insert(channels).values(code="pigeon"))
    insert_rating(channel="'pigeon'")
    engine.dispose()


def test_a_portal_brings_no_answers() -> None:
    assert CHANNELS.of_gateway("portal") is None
    assert CHANNELS.of_gateway("") is None
