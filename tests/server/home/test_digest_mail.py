"""The week's digest goes out once a week, by mail, to whom the province names."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from pipeline.calendar import INDOCHINA
from server.core.config import make_config
from server.core.provinces import write_setting
from server.home.digest_mail import post_digests
from server.outbox.sender import deliver
from server.store.engine import read, write
from server.store.tables.letters import letters
from tests.server.outbox.receivers import mail_server
from tests.server.province import fill_province


def _at(day: int, hour: int) -> int:
    return int(datetime(2026, 11, day, hour, tzinfo=INDOCHINA).timestamp())


def test_once_a_week_after_the_quiet_hours_and_to_nobody_who_is_not_named(store: Engine, tmp_path: Path) -> None:
    province = fill_province(store, "p1", simulated=False)
    fill_province(store, "p2", simulated=False)
    with mail_server() as box:
        mail = {"host": "127.0.0.1", "port": box.port, "security": "none", "sender": "hailong@tinh.example.vn"}
        config = make_config({"data_dir": tmp_path, "mail": mail}, "test")
        assert post_digests(store, config, _at(23, 1)) == 0
        with write(store) as connection:
            write_setting(connection, province.province_id, "digest_mail", "lanh.dao@tinh.example.vn")
        assert post_digests(store, config, _at(23, 1)) == 1
        assert post_digests(store, config, _at(23, 2)) == 0, "once"
        assert deliver(store, config, lambda: _at(23, 2)).sent == 0, "quiet hours"
        assert deliver(store, config, lambda: _at(23, 7)).sent == 1
        assert post_digests(store, config, _at(29, 23)) == 0, "the same week"
        assert post_digests(store, config, _at(30, 8)) == 1, "the next"
    (letter,) = box.letters
    assert letter["To"] == "lanh.dao@tinh.example.vn"
    assert "16/11/2026" in letter["Subject"] and "22/11/2026" in letter["Subject"]  # noqa: PT018
    plain, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "Tỉnh p1" in plain.get_content()
    with read(store) as connection:
        assert len(connection.execute(select(letters)).all()) == 2


@pytest.mark.parametrize("hour", [3, 12])
def test_a_server_that_was_away_on_monday_makes_up_for_it(store: Engine, tmp_path: Path, hour: int) -> None:
    province = fill_province(store, "p1", simulated=False)
    with write(store) as connection:
        write_setting(connection, province.province_id, "digest_mail", "lanh.dao@tinh.example.vn")
    assert post_digests(store, make_config({"data_dir": tmp_path}, "test"), _at(25, hour)) == 1
