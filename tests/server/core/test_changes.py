"""The log of changes names object, old and new value, and holds with many writers."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from server.catalogue.writing import import_catalogue
from server.core.changes import record_change, verify_changes
from server.core.scope import Scope
from server.store.engine import read, write
from server.store.tables.agencies import agencies
from server.store.tables.changes import changes
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import application, fill_province


def _details(store: Engine, action: str) -> list[dict[str, object]]:
    with read(store) as connection:
        query = select(changes.c.detail).where(changes.c.action == action).order_by(changes.c.position)
        return [json.loads(text) for text in connection.execute(query).scalars()]


def test_exchanged_names_are_told(store: Engine) -> None:
    """Two agencies' names were exchanged, and the log said: changed 2."""
    province = fill_province(store, "nho")
    with write(store) as connection:
        held = connection.execute(Scope(province.province_id).select(agencies).order_by(agencies.c.code)).all()
        names = [row.name for row in held]
        rows = [
            (number, {"code": row.code, "name_vi": str(name), "level": "tinh"})
            for number, (row, name) in enumerate(zip(held, reversed(names), strict=True), start=2)
        ]
        import_catalogue(connection, province.province_id, "agencies", rows)
    (told,) = _details(store, "objects_changed")
    assert told == {
        "kind": "agencies",
        "objects": [
            {"code": row.code, "name_vi": [str(row.name), str(name)]}
            for row, name in zip(held, reversed(names), strict=True)
        ],
    }


def test_settings_and_states_are_told_with_their_old_values(store: Engine, tmp_path: Path) -> None:
    province = fill_province(store, "nho")
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ADMINISTRATOR])
    page = browser.get("/settings").text
    fields = re.findall(r'name="(\w+)" (?:type="number"|inputmode="decimal") required[^>]*? value="([^"]+)"', page)
    values = dict(fields)
    assert browser.post("/settings", {**values, "min_answers": "40"}, form="/settings").status_code == 303
    number = province.agencies["nho-a"]
    browser.post(f"/catalogue/agencies/{number}/active", {"active": "false", "sure": "true"}, form="/catalogue")
    assert _details(store, "settings") == [{"min_answers": [30, 40]}]
    assert _details(store, "agency_active") == [{"agency": number, "active": [True, False]}]


@pytest.mark.postgres
def test_writers_at_once_make_one_chain(any_store: Engine) -> None:
    province = fill_province(any_store, "nho").province_id
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                with write(any_store) as connection:
                    record_change(connection, province, None, "settings", {})
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with read(any_store) as connection:
        assert verify_changes(connection, province)[0] == 40
