"""Files of enumerators and of phone numbers to ask."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table

from pipeline.calendar import today
from pipeline.errors import NotFoundError
from pipeline.language import Message
from pipeline.text import match_key
from server.catalogue.reading import known_agencies, known_groups, read_catalogue
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.store.tables.contacts import enumerators, phone_contacts
from server.store.tables.rounds import rounds
from server.tabular.spec import Cells, ImportSpec, Options, Problems
from server.tabular.values import read_phone


class EnumeratorReader:
    """Enumerators: code, name, organisation, phone; codes that are there stay as they are."""

    table: Table = enumerators
    key: tuple[str, ...] = ("code",)
    change: tuple[str, ...] = ()
    known_by = Message("code")

    def __init__(self, connection: Connection, scope: Scope, _options: Options) -> None:
        self._expires = today() + int(read_setting(connection, scope.province_id, "contact_days"))
        held = connection.execute(scope.select(enumerators, enumerators.c.code)).scalars()
        self._spelt = {match_key(code): code for code in held}

    def values(self, cells: Cells) -> dict[str, Any]:
        """Column values of a row. Raises `ValueError`."""
        problems = Problems()
        code, name, phone = cells.get("code", ""), cells.get("name_vi", ""), cells.get("phone", "")
        organisation = cells.get("organisation", "")
        if not code or not name:
            problems.add(Message("code and name are needed"))
        for text, limit, what in (
            (code, 20, Message("the code")),
            (name, 120, Message("the name")),
            (organisation, 200, Message("the organisation")),
        ):
            if len(text) > limit:
                problems.add(Message("{what} is longer than {limit} characters", what=what, limit=limit))
        number = problems.of(read_phone, phone, otherwise="") if phone else ""
        problems.end()
        return {
            "code": self._spelt.setdefault(match_key(code), code),
            "name": name,
            "organisation": organisation,
            "phone": number,
            "active": True,
            "expires_day": self._expires,
        }


class PhoneReader:
    """Phone numbers to ask in a round: phone, agency, service_group; numbers that are there stay as they are."""

    table: Table = phone_contacts
    key: tuple[str, ...] = ("round_id", "phone")
    change: tuple[str, ...] = ()
    known_by = Message("phone number")

    def __init__(self, connection: Connection, scope: Scope, options: Options) -> None:
        self._expires = today() + int(read_setting(connection, scope.province_id, "contact_days"))
        self._round_id = _round(connection, scope, options.round_code)
        catalogue = read_catalogue(connection, scope.province_id)
        self._agencies, self._groups = known_agencies(catalogue), known_groups(catalogue)

    def values(self, cells: Cells) -> dict[str, Any]:
        """Column values of a row. Raises `ValueError`."""
        problems = Problems()
        group = cells.get("service_group", "")
        values = {
            "round_id": self._round_id,
            "phone": problems.of(read_phone, cells.get("phone", ""), otherwise=""),
            "agency_id": problems.of(self._agencies.find, cells.get("agency", ""), otherwise=0),
            "service_group": problems.of(self._groups.find, group, otherwise=0) if group else 0,
            "state": "to_ask",
            "expires_day": self._expires,
        }
        problems.end()
        return values


def _round(connection: Connection, scope: Scope, code: str) -> int:
    found = connection.execute(scope.select(rounds, rounds.c.id).where(rounds.c.code == code)).scalar_one_or_none()
    if found is None:
        raise NotFoundError(
            Message("There is no round '{code}'.", code=code),
            Message("Name the round with --round; rounds are made on the page."),
        )
    return int(found)


ENUMERATORS = ImportSpec("enumerators", ("code", "name_vi"), ("organisation", "phone"), EnumeratorReader)
PHONES = ImportSpec("phones", ("phone", "agency"), ("service_group",), PhoneReader, options=("round_code",))
