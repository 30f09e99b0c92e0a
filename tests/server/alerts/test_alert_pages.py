"""Alerts where people meet them: the page, the settings, the command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, select, update

from hailong.cli import main
from pipeline.language import in_language
from server.alerts.kinds import KINDS, AlertKind, title
from server.core.provinces import write_setting
from server.store.engine import insert_row, read, write
from server.store.tables.changes import changes
from server.store.tables.feedback import feedback
from server.store.tables.letters import alerts
from server.store.tables.provinces import provinces
from server.store.tables.users import Role
from tests.server.alerts.world import SECRET_WORDS, TODAY, World
from tests.server.client import Browser
from tests.server.outbox.receivers import mail_server, webhook_receiver
from tests.server.province import application, fill_province
from tests.server.worlds import agency_id, small_province


@pytest.fixture
def app(store: Engine, tmp_path: Path) -> FastAPI:
    fill_province(store, "p1", simulated=False)
    return application(store, tmp_path)


def test_the_page_lists_open_and_closed_alerts(app: FastAPI, store: Engine, tmp_path: Path) -> None:
    with read(store) as connection:
        province = connection.execute(select(provinces.c.id)).scalar_one()
    world = World(store, tmp_path, province)
    world.begin()
    with write(store) as connection:
        row = {
            "province_id": province,
            "channel": "web",
            "category": "cost",
            "received_day": TODAY - 9,
            "due_day": TODAY,
        }
        agency = agency_id(connection, province, "p1-a")
        for number in range(2):
            insert_row(
                connection, feedback, {**row, "agency_id": agency, "code_hash": str(number), "text": SECRET_WORDS}
            )
    world.looks(1)
    with write(store) as connection:
        connection.execute(update(feedback).where(feedback.c.code_hash == "0").values(status="answered"))
    world.looks(1)
    browser = Browser(app)
    browser.log_in("analyst.p1")
    page = browser.get("/alerts").text
    opened, over = page.split('id="over"')
    assert "Sở p1 a" in opened
    assert 'href="/survey/feedback/2"' in opened
    assert "25/11/2026" in over
    assert SECRET_WORDS not in page
    english = browser.get("/alerts?lang=en").text
    assert "Case no. 2" in english
    reader = Browser(app)
    reader.log_in("agency-reader.p1")
    assert reader.get("/alerts").status_code == 403


@pytest.mark.parametrize(
    "wrong", [{"alert_mail": "nobody"}, {"alert_webhook": "file:///x"}, {"alert_quiet_hours": "tối"}]
)
def test_settings_that_cannot_be_used_are_refused_and_addresses_are_not_logged(
    wrong: dict[str, str], app: FastAPI, store: Engine
) -> None:
    from server.core.provinces import SETTINGS

    browser = Browser(app)
    browser.log_in("administrator.p1")
    given = {name: str(value) for name, value in SETTINGS.items()}
    assert browser.post("/settings", {**given, **wrong}, form="/settings").status_code == 422
    good = {"alert_mail": "nguyen.van.thu@tinh.example.vn", "alert_webhook": "https://e.example.vn/khoa-bi-mat"}
    assert browser.post("/settings", {**given, **good}, form="/settings").status_code == 303
    with read(store) as connection:
        said = " ".join(connection.execute(select(changes.c.detail)).scalars())
    assert "alert_mail" in said
    assert "nguyen.van.thu" not in said
    assert "bi-mat" not in said


def test_open_alerts_are_listed_by_urgency_and_can_be_looked_at_by_kind(
    app: FastAPI, store: Engine, tmp_path: Path
) -> None:
    """A silent box is not lost behind a hundred cases; of cases the longest overdue comes first."""
    with write(store) as connection:
        province = connection.execute(select(provinces.c.id)).scalar_one()
        named = {"agency_vi": "Sở", "agency_en": "Department"}
        for number, (kind, subject, detail) in enumerate(
            [
                (AlertKind.CASE_DUE, "11", {**named, "day": TODAY - 3}),
                (AlertKind.CASE_DUE, "12", {**named, "day": TODAY - 40}),
                (AlertKind.BOX_SILENT, "quay-1", {**named, "minutes": 60}),
                (AlertKind.CASE_DUE, "13", {**named, "day": TODAY + 1}),
            ]
        ):
            row = {"province_id": province, "kind": kind, "subject": subject, "detail": json.dumps(detail)}
            seen = {"seen_s": number, "first_s": number, "opened_s": number}
            insert_row(connection, alerts, {**row, **seen})
    browser = Browser(app)
    browser.log_in("analyst.p1")

    def rows(address: str) -> list[str]:
        page = browser.get(address).text
        return re.findall(r'<td data-label="Sự việc">(.+?)</td>', page.split('id="over"')[0])

    listed = rows("/alerts")
    assert ["quay-1" in listed[0], *("số 12" in one for one in listed[1:])] == [True, True, False, False]
    assert "số 11" in listed[2]
    assert len(rows("/alerts?kind=case_due")) == 3
    assert rows("/alerts?kind=box_silent") == listed[:1]
    assert browser.get("/alerts?kind=nothing").status_code == 422
    assert "chưa gửi" not in browser.get("/alerts").text  # nobody is told: no column says when
    with write(store) as connection:
        write_setting(connection, province, "alert_mail", "a@b.example")
    assert browser.get("/alerts").text.count("chưa gửi") == 4


def test_a_case_that_is_late_is_not_called_about_to_be() -> None:
    """An alert stays open after the day that it warned of."""
    detail = json.dumps({"day": TODAY})
    said = [in_language(title(AlertKind.CASE_DUE, detail, day), "vi") for day in (TODAY, TODAY + 1)]
    assert said == ["Phản ánh sắp quá hạn", "Phản ánh quá hạn"]
    assert title(AlertKind.BACKUP_OLD, "{}", TODAY) == KINDS[AlertKind.BACKUP_OLD].name


def test_the_command_tests_every_way_and_tells_the_secret(
    store: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with write(store) as connection:
        province = small_province(connection)
    words = ["server", "alerts", "--data-dir", str(tmp_path)]
    assert main([*words, "--test"]) != 0
    assert "Settings" in capsys.readouterr().err
    with mail_server() as box, webhook_receiver() as calls:
        (tmp_path / "server.toml").write_text(
            f'[mail]\nhost = "127.0.0.1"\nport = {box.port}\nsecurity = "none"\nsender = "h@tinh.example.vn"\n'
            '[alerts]\ninner_networks = ["127.0.0.0/8"]\n',
            encoding="utf-8",
        )
        with write(store) as connection:
            write_setting(connection, province, "alert_mail", "a@b.example")
            write_setting(connection, province, "alert_webhook", calls.url)
        assert main([*words, "--test"]) == 0
        assert box.letters[0]["Subject"].startswith("Hài Lòng")
        assert calls.bodies[0]["type"] == "alert.test"
        calls.answers = [204, 500]
        capsys.readouterr()
        assert main([*words, "--test", "--json"]) == 1
        told = json.loads(capsys.readouterr().out)
        assert told["problems"]["mail"] == ""
        assert "500" in told["problems"]["webhook"]
        assert main([*words, "--secret"]) == 0
        secret = capsys.readouterr().out.strip()
        headers, body = calls.got[0]
    from base64 import b64decode

    from server.outbox.webhook import signature

    key = b64decode(secret.removeprefix("whsec_"))
    assert headers["webhook-signature"] == signature(
        key, headers["webhook-id"], int(headers["webhook-timestamp"]), body
    )
    assert main(words) == 0
    assert "0 open" in capsys.readouterr().out


def test_roles_that_read_alerts() -> None:
    from server.auth.roles import PERMISSIONS, Permission

    assert {role for role in Role if Permission.READ_HEALTH in PERMISSIONS[role]} == {
        Role.ADMINISTRATOR, Role.ANALYST, Role.PRIVACY_OFFICER
    }  # fmt: skip
