"""What a page of figures is asked for: the period and the agency, within what the user may see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fastapi import HTTPException, Request

from pipeline.calendar import Period, parse_period
from pipeline.errors import InvalidError
from pipeline.language import Message, in_language, languages
from pipeline.text import match_key, without_marks
from server.auth.roles import User
from server.catalogue.agencies import Agency, read_agencies
from server.scores.fused import newest_period
from server.store.engine import read
from server.web.context import engine_of


def asked_period(request: Request, user: User, text: str) -> Period:
    """The period of `?period=`, or the newest quarter with enough ratings."""
    if text:
        return parse_period(text)
    with read(engine_of(request)) as connection:
        return newest_period(connection, user.province_id)


def own_agency(request: Request, user: User, code: str | None = None) -> Agency:
    """The agency of a code in the user's province (and, for an agency reader, the user's own; without a code that
    one); otherwise 404."""
    with read(engine_of(request)) as connection:
        for agency in read_agencies(connection, user.province_id, user.agency_id):
            if code in (None, agency.code):
                return agency
    raise HTTPException(404, Message("There is no such agency."))


def agency_labels(found: Sequence[Agency], lang: str) -> dict[str, str]:
    """What a field to type into calls each agency, by code: its name, with the code where several bear one name."""
    names = {one.code: in_language(one.name, lang) for one in found}
    often = Counter(names.values())
    return {code: name if often[name] == 1 else f"{name} ({code})" for code, name in names.items()}


def typed_agency(request: Request, user: User, text: str) -> Agency:
    """The agency that a field was given, within what the user may see: by code (as links have it), by name in any
    language, or by a part of a name that only one has. Raises `InvalidError` where several have it, 404 for none."""
    with read(engine_of(request)) as connection:
        found = {one.code: one for one in read_agencies(connection, user.province_id, user.agency_id)}
    if text in found:
        return found[text]
    names = [
        (code, match_key(name)) for lang in languages() for code, name in agency_labels([*found.values()], lang).items()
    ]
    wanted, plain = match_key(text), without_marks(text)
    codes = {code for code, name in names if name == wanted} or {
        code for code, name in names if plain and plain in without_marks(name)
    }
    if len(codes) > 1:
        raise InvalidError(
            Message("{count} agencies have “{text}” in their names.", count=len(codes), text=text),
            Message("Choose one from the list."),
        )
    if not codes:
        raise HTTPException(404, Message("There is no such agency."))
    return found[codes.pop()]
