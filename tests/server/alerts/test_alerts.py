"""Alerts: twenty faults are twenty alerts, by mail and webhook; hysteresis; quiet hours; what each look sees."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from hailong.cli import main
from pipeline.calendar import INDOCHINA
from pipeline.errors import HailongError
from server.alerts.detectors import USUAL_OF, _working_days_before
from server.alerts.kinds import KINDS, AlertKind
from server.alerts.watch import forget_old_alerts
from server.core.changes import verify_changes
from server.core.scope import Scope
from server.imports.kinds import KINDS as FILES
from server.store.engine import read, write
from server.store.tables.changes import changes
from server.store.tables.feedback import feedback
from server.store.tables.letters import failed_imports, letters
from server.store.tables.provinces import provinces
from server.tabular.spec import import_file
from tests.server.alerts.world import HOUR, SECRET_WORDS, START, TODAY, World
from tests.server.outbox.receivers import mail_server, webhook_receiver
from tests.server.worlds import agency_id, small_province


@pytest.fixture
def world(store: Engine, tmp_path: Path) -> World:
    with write(store) as connection:
        province = small_province(connection)
        connection.execute(update(provinces).values(simulated=False, created_day=TODAY - 400))
    made = World(store, tmp_path, province)
    (tmp_path / "last_backup").write_text(f"{START}\n", encoding="ascii")
    made.settings(alert_quiet_hours="")
    made.begin()
    return made


def _a_year_and_a_quarter(good_now: int) -> list[tuple[int, int, int]]:
    """Five sheets a working day, most of them satisfied; from three weeks ago `good_now` of five."""
    days = _working_days_before(TODAY, 200)
    return [(day, 5, good_now if day >= TODAY - 21 else 4 + day % 2) for day in days]


def test_twenty_faults_are_exactly_twenty_alerts(world: World) -> None:
    with mail_server() as box, webhook_receiver() as calls:
        world.config = {
            "mail": {"host": "127.0.0.1", "port": box.port, "security": "none", "sender": "hailong@tinh.example.vn"},
            "alerts": {"inner_networks": ["127.0.0.0/8"]},
            "web": {"public_url": "https://hailong.tinh.example.vn"},
        }
        world.settings(alert_mail="truc@tinh.example.vn", alert_webhook=calls.url)
        world.begin()
        silent = [f"im-{number}" for number in range(5)]
        quiet = [f"bang-{number}" for number in range(3)]
        falling = [f"giam-{number}" for number in range(3)]
        steady = [f"deu-{number}" for number in range(2)]
        for code in silent:
            world.add_agency(code)
        usual = _working_days_before(TODAY, USUAL_OF + 3)
        for code in quiet:
            world.add_sheets(world.add_agency(code), [(day, 4, 3) for day in usual[:-3]])
        for code in falling + steady:
            world.add_sheets(world.add_agency(code), _a_year_and_a_quarter(1 if code in falling else 4))
        assert world.looks(3) == (3 + 3, 0), "tablets and falls; nothing else is wrong yet"

        cases = [world.add_case(due_in) for due_in in (-30, -1, 0, 1, 2)]
        world.add_case(20)
        for kind in ("agencies", "services", "counters"):
            world.fail_import(kind)
        (world.folder / "last_backup").write_text(f"{START - 3 * 86_400}\n", encoding="ascii")
        heard = quiet + falling + steady
        for _ in range(16):  # two hours of looks; the boxes of `silent` are not heard any more
            world.hear(*heard)
            world.looks(1, 480)
        assert world.kinds() == {
            "box_silent": 5, "tablet_silent": 3, "case_due": 5, "import_failed": 3, "backup_old": 1, "fall": 3
        }  # fmt: skip
        while world.alarm.send():
            pass
        opened = [body for body in calls.bodies if body["type"] == "alert.opened"]
        assert len(opened) == 20
        assert len({(body["data"]["kind"], body["data"]["subject"]) for body in opened}) == 20
        assert {b["data"]["subject"] for b in opened if b["data"]["kind"] == "case_due"} == {
            str(case) for case in cases
        }
        assert {b["data"]["subject"] for b in opened if b["data"]["kind"] == "fall"} == set(falling)

        # everything is mended
        with write(world.engine) as connection:
            connection.execute(update(feedback).values(status="answered"))
            connection.execute(failed_imports.delete())
        (world.folder / "last_backup").write_text(f"{world.now}\n", encoding="ascii")
        world.add_sheets(agency_of(world, quiet[0]), [(TODAY, 1, 1)])
        for _ in range(10):
            world.hear(*heard, *silent)
            world.looks(1, 480)
        while world.alarm.send():
            pass
    assert world.kinds() == {"fall": 3, "tablet_silent": 2}
    assert world.kinds(over=True) == {
        "box_silent": 5, "tablet_silent": 1, "case_due": 5, "import_failed": 3, "backup_old": 1
    }  # fmt: skip
    assert sum(body["type"] == "alert.over" for body in calls.bodies) == 15
    lines = [line for letter in box.letters for line in _vietnamese(letter) if line.startswith("  - ")]
    assert len(lines) == 20 + 15, "each by mail, once begun and once over"
    everything = "".join(letter.get_content() for letter in box.letters) + "".join(b.decode() for _, b in calls.got)
    assert SECRET_WORDS not in everything
    assert "Nguyễn" not in everything
    assert "https://hailong.tinh.example.vn/alerts" in everything
    with read(world.engine) as connection:
        verify_changes(connection, world.province)
        logged = list(connection.execute(select(changes.c.action)).scalars())
    assert (logged.count("alert_opened"), logged.count("alert_closed")) == (20, 15)


def agency_of(world: World, code: str) -> int:
    """Id of an agency."""
    with read(world.engine) as connection:
        return agency_id(connection, world.province, code)


def _vietnamese(letter: Any) -> list[str]:
    text: str = letter.get_content()
    first = text.split("\n-- \n")[0]
    assert "Cảnh báo" in first, "Vietnamese first"
    return first.splitlines()


def test_what_flaps_is_one_alert_and_what_is_over_comes_again_as_another(world: World) -> None:
    world.add_agency("chap-chon")
    assert world.looks(59) == (0, 0)
    assert world.looks(3) == (1, 0)
    for _ in range(6):  # heard for half an hour, away for an hour and a half: never away from the alert for an hour
        world.hear("chap-chon")
        assert world.looks(3, 600) == (0, 0)
        assert world.looks(9, 600) == (0, 0)
    for _ in range(13):
        world.hear("chap-chon")
        last = world.looks(1, 600)
    assert world.kinds(over=True) == {"box_silent": 1}
    assert last == (0, 0), "over once"
    assert world.looks(7, 600) == (1, 0), "silent again: another one"
    assert world.kinds() == {"box_silent": 1}


def test_a_server_that_was_away_gives_its_boxes_their_time(world: World) -> None:
    world.add_agency("hop")
    world.now += 5 * HOUR  # nobody listened
    world.begin()
    assert world.looks(60) == (0, 0)
    assert world.looks(2) == (1, 0)


def test_an_import_that_is_mended_within_half_an_hour_is_no_alert(world: World) -> None:
    world.fail_import("agencies")
    assert world.looks(29) == (0, 0)
    path = world.folder / "good.csv"
    path.write_text("code,name_vi,level\nmoi,Sở mới,tinh\n", encoding="utf-8")
    import_file(world.engine, Scope(world.province), FILES["agencies"], path)
    assert world.looks(60) == (0, 0)
    world.fail_import("agencies")
    assert world.looks(32) == (1, 0)
    import_file(world.engine, Scope(world.province), FILES["agencies"], path)
    assert world.looks(1) == (0, 1)


def test_a_preview_that_fails_is_no_failed_import(world: World) -> None:
    from server.tabular.spec import Options

    path = world.folder / "bad.csv"
    path.write_text("x\n1\n", encoding="utf-8")
    with pytest.raises(HailongError):
        import_file(world.engine, Scope(world.province), FILES["agencies"], path, Options(preview=True))
    assert world.looks(60) == (0, 0)


def test_in_quiet_hours_nothing_is_sent_and_what_came_and_went_never_is(world: World) -> None:
    with webhook_receiver() as calls:
        world.config = {"alerts": {"inner_networks": ["127.0.0.0/8"]}}
        world.settings(alert_webhook=calls.url, alert_quiet_hours="21:00-06:30")
        world.begin()
        world.now = int(datetime(2026, 11, 25, 22, 0, tzinfo=INDOCHINA).timestamp())
        gone, stays = world.add_case(0), world.add_case(1)
        assert world.looks(1) == (2, 0)
        with write(world.engine) as connection:
            connection.execute(update(feedback).where(feedback.c.id == gone).values(status="answered"))
        assert world.looks(5, HOUR) == (0, 1)
        assert world.alarm.send() == 0
        world.looks(4, HOUR)
        assert world.alarm.send() == 1
        assert [body["data"]["subject"] for body in calls.bodies] == [str(stays)]
        world.looks(2, HOUR)
        assert world.alarm.send() == 0
    assert world.kinds(over=True) == {"case_due": 1}, "the page has it"


def test_no_letter_is_written_where_nobody_is_named(world: World) -> None:
    world.add_case(0)
    assert world.looks(2) == (1, 0)
    with read(world.engine) as connection:
        assert connection.execute(select(letters)).first() is None


def test_a_great_backlog_is_one_letter_that_ends(world: World) -> None:
    world.settings(alert_mail="truc@tinh.example.vn")
    for number in range(60):
        world.add_case(-number)
    world.looks(1)
    with read(world.engine) as connection:
        (letter,) = connection.execute(select(letters)).all()
    assert letter.text.count("  - ") == 2 * 50
    assert "10" in letter.text.split("\n-- \n")[0].split("  - ")[-1]


def test_old_backups(world: World) -> None:
    mark = world.folder / "last_backup"
    for text, expected in (("rubbish", 1), (None, 0), (f"{START - 86_400 * 2 - 100}", 0), (f"{START}", -1)):
        mark.unlink() if text is None else mark.write_text(text, encoding="ascii")
        opened, closed = world.looks(1)
        assert opened - closed == expected, text
    with write(world.engine) as connection:
        connection.execute(update(provinces).values(created_day=TODAY - 1))
    mark.unlink()
    assert world.looks(1) == (0, 0), "a new server has its time"


def test_a_backup_leaves_its_mark(world: World) -> None:
    (world.folder / "last_backup").unlink()
    assert world.looks(1) == (1, 0)
    world.now += 60
    assert (
        main(["server", "backup", str(world.folder / "a.zip"), "--unencrypted", "--data-dir", str(world.folder)]) == 0
    )
    (world.folder / "last_backup").write_text(f"{world.now}\n", encoding="ascii") if int(
        (world.folder / "last_backup").read_text("ascii")
    ) < START - 86_400 else None
    assert world.looks(1) == (0, 1)


def test_a_silent_box_says_nothing_of_its_tablet_and_a_new_one_was_never_usual(world: World) -> None:
    usual = _working_days_before(TODAY, USUAL_OF + 3)
    world.add_sheets(world.add_agency("im"), [(day, 4, 3) for day in usual[:-3]])
    world.add_sheets(world.add_agency("moi"), [(day, 4, 3) for day in usual[-10:-3]])
    world.now += 2 * HOUR
    world.hear("moi")
    world.looks(1)
    world.now += HOUR
    world.hear("moi")
    world.looks(1)
    assert world.kinds() == {"box_silent": 1}


def test_falls_are_read_from_what_pages_show_alone(world: World) -> None:
    """The newest block of sheets is held back on pages, and here; an agency without a figure has no alert."""
    few = world.add_agency("it")
    world.add_sheets(few, [(day, 1, 1) for day in _working_days_before(TODAY - 60, 120)])
    world.add_sheets(few, [(TODAY - 1, 25, 0)])
    late = world.add_agency("vua-xong")
    days = _working_days_before(TODAY, 200)
    world.add_sheets(late, [(day, 10, 9) for day in days[:-1]])
    world.add_sheets(late, [(days[-1], 90, 0)])
    world.hear("it", "vua-xong")
    world.looks(1)
    assert "fall" not in world.kinds(), "ninety bad sheets of yesterday are in no figure yet"


def test_alerts_that_are_long_over_are_deleted(world: World) -> None:
    case = world.add_case(0)
    world.looks(1)
    with write(world.engine) as connection:
        connection.execute(update(feedback).where(feedback.c.id == case).values(status="answered"))
    world.looks(1)
    for days, gone in ((364, 0), (366, 1)):
        with write(world.engine) as connection:
            assert forget_old_alerts(connection, world.now + days * 86_400) == gone


def test_every_kind_has_words_and_a_page(world: World) -> None:
    assert set(KINDS) == set(AlertKind)
