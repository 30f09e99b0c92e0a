"""The server's hourly work: one province, or one step, that fails keeps nothing else from being done."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from pipeline.calendar import now_s, today
from server.core.config import make_config
from server.core.provinces import write_setting
from server.service import keep_house
from server.store.engine import read, write
from server.store.tables.changes import changes
from server.store.tables.letters import letters
from server.store.tables.provinces import settings
from server.store.tables.rating_chains import rating_chains
from server.store.tables.users import access_log
from tests.server.province import fill_province


@pytest.mark.parametrize("broken", ["access_log_days", "contact_days", "case_reminder_days", "alert_quiet_hours"])
def test_a_province_that_fails_holds_up_no_other(
    any_store: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    """A setting that nobody can read, written by hand into the first province."""
    bad, good = (fill_province(any_store, code, simulated=False).province_id for code in ("hong", "tot"))
    old = {"at_s": now_s() - 86_400 * 4_000, "method": "GET", "route": "/", "status": 200, "user_id": None}
    with write(any_store) as connection:
        for province_id in (bad, good):
            write_setting(connection, province_id, "digest_mail", "lanh.dao@tinh.example.vn")
            write_setting(connection, province_id, broken, 7 if broken != "alert_quiet_hours" else "21:00-06:30")
            connection.execute(access_log.insert().values(province_id=province_id, **old))
        connection.execute(rating_chains.update().values(received_day=today() - 3))
        of_bad = (settings.c.province_id == bad, settings.c.name == broken)
        connection.execute(update(settings).where(*of_bad).values(value='["?"]'))
    assert keep_house(any_store, make_config({"data_dir": tmp_path}, "test")) == 1
    assert [one.getMessage().split(" of ")[1][:4] for one in caplog.records if one.exc_info] == ["hong"]
    with read(any_store) as connection:
        sealed = select(changes.c.province_id).where(changes.c.action == "ratings_sealed")
        assert set(connection.execute(sealed).scalars()) == {bad, good}, "seals are held up by nothing"
        assert good in set(connection.execute(select(letters.c.province_id)).scalars())
        left = set(connection.execute(select(access_log.c.province_id)).scalars())
        assert left == ({bad} if broken in ("access_log_days", "contact_days") else set())
