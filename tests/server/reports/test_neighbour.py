"""Published figures for a neighbour: of closed periods, once, what pages show and nothing else, with a receipt."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select

from hailong.cli import main
from pipeline.calendar import parse_period
from pipeline.errors import ConflictError, InvalidError
from pipeline.language import Text
from server.core.changes import verify_changes
from server.core.config import ServerConfig, make_config
from server.core.provinces import make_province, write_setting
from server.core.secret_keys import ALERT_KEY, read_secret
from server.outbox.outbox import KEPT_S, RETRY_S, forget_old_letters
from server.outbox.sender import deliver
from server.outbox.webhook import secret_of, signature
from server.reports.neighbour import (
    SECRET_OF,
    make_figures,
    newest_closed_quarter,
    note_receipts,
    push,
    push_closed,
    pushes,
    try_again,
)
from server.store.engine import read, write
from server.store.tables.changes import changes
from server.store.tables.letters import letters
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.outbox.receivers import Calls, webhook_receiver
from tests.server.province import PERIOD, Province, application, fill_province

NOW = 1_795_000_000


@pytest.fixture
def province(store: Engine) -> Province:
    return fill_province(store, "aaa", simulated=False)


@pytest.fixture
def config(tmp_path: Path) -> ServerConfig:
    return make_config({"data_dir": tmp_path, "alerts": {"inner_networks": ["127.0.0.0/8"]}}, "test")


def settings(store: Engine, province: Province, **values: Any) -> None:
    with write(store) as connection:
        for name, value in values.items():
            write_setting(connection, province.province_id, name, value)


def sent(store: Engine, province: Province) -> list[Any]:
    with read(store) as connection:
        return pushes(connection, province.province_id)


def body_of(calls: Calls, number: int = -1) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(calls.got[number][1])
    return found


def test_a_closed_quarter_goes_once_signed_and_leaves_a_receipt(
    store: Engine, province: Province, config: ServerConfig
) -> None:
    with webhook_receiver() as calls:
        settings(store, province, neighbour_url=calls.url)
        assert push_closed(store, NOW) == 0, "nothing is closed"
        settings(store, province, closed_through="2026-08")
        assert push_closed(store, NOW) == 0, "a month of the quarter is open, and the one before has no figure"
        settings(store, province, closed_through="2026-09")
        assert push_closed(store, NOW) == 1
        assert deliver(store, config, lambda: NOW).sent == 1
        assert push_closed(store, NOW) == 0
        assert deliver(store, config, lambda: NOW).sent == 0
    [(headers, body)] = calls.got
    secret = secret_of(read_secret(config, ALERT_KEY), "aaa", SECRET_OF)
    signed = signature(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == signed
    assert secret != secret_of(read_secret(config, ALERT_KEY), "aaa"), "who gets figures cannot sign alerts"
    told = body_of(calls)
    assert told["type"] == "figures.published"
    assert (told["data"]["province"], told["data"]["period"], told["data"]["simulated"]) == ("aaa", "2026-Q3", False)
    [one] = sent(store, province)
    assert (one.period, one.letter, one.problem, one.given_up) == ("2026-Q3", headers["webhook-id"], None, False)
    assert one.received_day is not None
    with write(store) as connection:
        forget_old_letters(connection, NOW + KEPT_S)
        connection.execute(delete(letters))
        assert note_receipts(connection, province.province_id) == 0
    assert push_closed(store, NOW + KEPT_S) == 0, "the receipt outlives the letter"
    with read(store) as connection:
        actions = list(connection.execute(select(changes.c.action).order_by(changes.c.position)).scalars())
        verify_changes(connection, province.province_id)
    assert [each for each in actions if each.startswith("figures")] == ["figures_pushed", "figures_received"]


@pytest.mark.parametrize("least", [30, 41, 1_000])
def test_what_goes_out_is_what_the_page_shows(least: int, store: Engine, province: Province, tmp_path: Path) -> None:
    """Two agencies of 40 sheets; under a rule of 41 neither has a figure, under one of 1000 nor has the province."""
    settings(store, province, closed_through="2026-09", min_answers=least)
    with read(store) as connection:
        body = json.loads(make_figures(connection, province.province_id, PERIOD).body)
    rows = body["data"]["figures"]
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ANALYST])
    page = browser.get("/survey/index.csv?period=2026-Q3").text.removeprefix("\ufeff")
    shown = {(row["code"], row["figure"]): row["index"] for row in csv.DictReader(io.StringIO(page))}
    assert {(row["code"], row["figure"]) for row in rows} == set(shown)
    assert all(f"{row['index']:.6f}" == f"{float(shown[row['code'], row['figure']]):.6f}" for row in rows)
    agencies = {row["code"] for row in rows if row["dimension"] == "agency"}
    assert agencies == ({"aaa-a", "aaa-b"} if least == 30 else set())
    assert bool(rows) == (least < 1_000)


def test_another_version_goes_only_when_asked_for(store: Engine, province: Province, config: ServerConfig) -> None:
    with webhook_receiver() as calls:
        settings(store, province, neighbour_url=calls.url, closed_through="2026-09")
        assert push_closed(store, NOW) == 1
        settings(store, province, min_answers=41)
        assert push_closed(store, NOW) == 0
        for expected in (True, False):
            with write(store) as connection:
                figures = make_figures(connection, province.province_id, PERIOD)
                assert push(connection, province.province_id, figures, NOW) is expected
        assert deliver(store, config, lambda: NOW).sent == 2
    versions = [body_of(calls, number)["data"]["version"] for number in (0, 1)]
    assert versions[0] != versions[1]
    assert [one.version for one in sent(store, province)] == versions


def test_what_is_refused_is_told_and_can_be_tried_again(
    store: Engine, province: Province, config: ServerConfig
) -> None:
    with webhook_receiver() as calls:
        calls.answers = [503, 410]
        settings(store, province, neighbour_url=calls.url, closed_through="2026-09")
        push_closed(store, NOW)
        deliver(store, config, lambda: NOW)
        [one] = sent(store, province)
        assert (one.their_status, one.given_up, one.received_day) == (503, False, None)
        deliver(store, config, lambda: NOW + RETRY_S[0])
        [one] = sent(store, province)
        assert (one.their_status, one.given_up, one.received_day) == (410, True, None)
        assert "no more calls" in str(one.problem)
        with write(store) as connection:
            assert try_again(connection, province.province_id, NOW) == 1
        assert deliver(store, config, lambda: NOW).sent == 1
        push_closed(store, NOW)
    [one] = sent(store, province)
    assert (one.problem, one.given_up, one.received_day is None) == (None, False, False)
    assert len({headers["webhook-id"] for headers, _ in calls.got}) == 1, "the neighbour can tell it is the same"


def test_what_nobody_took_may_go_again_after_its_letter_is_gone(store: Engine, province: Province) -> None:
    settings(store, province, neighbour_url="https://neighbour.example.vn/figures", closed_through="2026-09")
    assert push_closed(store, NOW) == 1
    with write(store) as connection:
        connection.execute(delete(letters))
    [one] = sent(store, province)
    assert one.given_up
    with write(store) as connection:
        figures = make_figures(connection, province.province_id, PERIOD)
        assert push(connection, province.province_id, figures, NOW)
    [again] = sent(store, province)
    assert (again.letter, again.given_up) == (one.letter, False)


@pytest.mark.parametrize(
    ("through", "quarter"),
    [("", None), ("2026-09", "2026-Q3"), ("2026-10", "2026-Q3"), ("2026-12", "2026-Q4"), ("2026-01", "2025-Q4")],
)
def test_the_newest_closed_quarter(through: str, quarter: str | None, store: Engine, province: Province) -> None:
    settings(store, province, closed_through=through)
    with read(store) as connection:
        found = newest_closed_quarter(connection, province.province_id)
    assert (found.name if found else None) == quarter


def test_an_open_period_and_no_neighbour_are_refused(store: Engine, province: Province) -> None:
    settings(store, province, closed_through="2026-09")
    with write(store) as connection:
        with pytest.raises(ConflictError, match="not closed"):
            make_figures(connection, province.province_id, parse_period("2026"))
        figures = make_figures(connection, province.province_id, parse_period("2026-09"))
        with pytest.raises(InvalidError, match="No neighbour"):
            push(connection, province.province_id, figures)
    settings(store, province, neighbour_url="file:///etc/passwd")
    assert push_closed(store, NOW) == 0
    assert sent(store, province) == []


def test_the_page_takes_an_address_and_the_log_does_not_repeat_it(
    store: Engine, province: Province, tmp_path: Path
) -> None:
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ADMINISTRATOR])
    from server.accounts.settings_page import NAMES
    from server.core.provinces import read_settings

    with read(store) as connection:
        values = read_settings(connection, province.province_id, NAMES)
    wrong = browser.post("/settings", {**values, "neighbour_url": "file:///x"}, form="/settings")
    assert wrong.status_code == 422
    taken = browser.post("/settings", {**values, "neighbour_url": "https://n.example.vn/key-of-it"}, form="/settings")
    assert taken.status_code == 303
    with read(store) as connection:
        assert read_settings(connection, province.province_id, ("neighbour_url",)) == {
            "neighbour_url": "https://n.example.vn/key-of-it"
        }
        log = " ".join(connection.execute(select(changes.c.detail)).scalars())
    assert "neighbour_url" in log
    assert "key-of-it" not in log


def test_the_page_takes_the_portals_address_without_a_path(store: Engine, province: Province, tmp_path: Path) -> None:
    """The guide told to set it, and nothing did."""
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ADMINISTRATOR])
    from server.accounts.settings_page import NAMES
    from server.core.provinces import read_settings

    with read(store) as connection:
        values = read_settings(connection, province.province_id, NAMES)
    for wrong in ("https://p.example.vn/duong-dan", "p.example.vn", "*", "https://p.example.vn; script-src *"):
        refused = browser.post("/settings", {**values, "portal_origin": wrong}, form="/settings")
        assert refused.status_code == 422, wrong
        assert "dichvucong.example.vn" in refused.text
    taken = browser.post("/settings", {**values, "portal_origin": " https://p.example.vn/ "}, form="/settings")
    assert taken.status_code == 303
    with read(store) as connection:
        found = read_settings(connection, province.province_id, ("portal_origin",))
    assert found == {"portal_origin": "https://p.example.vn"}


def test_the_command_and_the_doctor_tell_the_same(
    store: Engine, province: Province, config: ServerConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = store.url.render_as_string(hide_password=False)
    where = ["--data-dir", str(tmp_path), "--store", url]

    def said(*words: str) -> Any:
        assert main(["server", "push", *words, *where, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    def doctor() -> dict[str, str]:
        main(["server", "doctor", *where, "--json"])
        findings = json.loads(capsys.readouterr().out)["findings"]
        return next(each for each in findings if each["what"] == "neighbour")

    with webhook_receiver() as calls:
        calls.answers = [500, 410]
        settings(store, province, neighbour_url=calls.url, closed_through="2026-09")
        assert json.loads(json.dumps(said("--period", "2026-Q3", "--show")))["data"]["period"] == "2026-Q3"
        assert said()["pushes"] == []
        [one] = said("--period", "2026-Q3")["pushes"]
        deliver(store, config)
        found = doctor()
        assert (found["state"], "500" in found["text"]) == ("note", True)
        deliver(store, config, lambda: NOW * 2)
        found = doctor()
        assert (found["state"], "410" in found["text"], "--again" in found["fix"]) == ("wrong", True, True)
        said("--again")
        deliver(store, config)
        [taken] = said()["pushes"]
        assert (taken["letter"], taken["problem"]) == (one["letter"], "")
        assert taken["received_day"] is not None
        assert doctor()["text"] == "1 of 1 periods have a receipt."
    assert said("--secret")["secret"].startswith("whsec_")
    assert main(["server", "push", *where]) == 0
    assert "2026-Q3" in capsys.readouterr().out
    assert main(["server", "push", "--show", *where]) != 0


@pytest.mark.parametrize("code", ["a|figures", "a/b", "A", "", "x" * 41, "-a", "tỉnh", "a\n"])
def test_a_provinces_code_holds_no_sign_of_keys_and_files(store: Engine, code: str) -> None:
    """`a|figures` had the secret of alerts that the province `a` has for its neighbour."""
    with write(store) as connection, pytest.raises(InvalidError, match="no code"):
        make_province(connection, code, Text.named(vi="Tỉnh"))
