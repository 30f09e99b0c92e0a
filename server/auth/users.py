"""Users of a province: making, changing, logging in; their sessions."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from pipeline.calendar import now_s, today
from pipeline.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from pipeline.language import Message
from server.auth.devices import browser_of, browser_words, place_of
from server.auth.factors import must_set_factor, reset_factor
from server.auth.passwords import hash_password, new_password, password_fits
from server.auth.roles import User
from server.core.changes import detail_text, record_change
from server.core.scope import Scope
from server.store.engine import insert_row
from server.store.tables.changes import changes
from server.store.tables.users import Role, sessions, users

_NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{2,59}$")
NO_PASSWORD = "!"  # noqa: S105
"""In the place of a hash: no password fits."""


def make_user(
    connection: Connection,
    province_id: int,
    name: str,
    role: Role,
    agency_id: int | None = None,
    *,
    by: int | None = None,
) -> str:
    """Make a user and return the one-time password, which has to be changed at the first log-in.

    Raises `ConflictError`, `InvalidError` for a name that is taken or malformed, or an agency reader without agency."""
    if not _NAME.match(name):
        raise InvalidError(
            Message("'{name}' is no user name.", name=name),
            Message("Use 3 to 60 of a-z, 0-9, dot, dash; the first a letter or digit."),
        )
    if (role is Role.AGENCY_READER) != (agency_id is not None):
        raise InvalidError(
            Message("An agency reader, and nobody else, has an agency."),
            Message("Choose one, or another role."),
        )
    if connection.execute(select(users.c.id).where(users.c.name == name)).first():
        raise ConflictError(
            Message("The user name '{name}' is taken.", name=name),
            Message("Choose another."),
        )
    password = new_password()
    values: dict[str, Any] = {"province_id": province_id, "name": name, "role": role.value, "agency_id": agency_id}
    values |= {"password_hash": hash_password(password), "active": True, "must_change_password": True}
    user_id = insert_row(connection, users, {**values, "created_day": today()})
    record_change(connection, province_id, by, "user_made", {"user": user_id, "role": role.value})
    return password


def all_users(connection: Connection, scope: Scope) -> list[Row[Any]]:
    """The province's users, by name."""
    return list(connection.execute(scope.select(users).order_by(users.c.name)))


def user_name(connection: Connection, scope: Scope, user_id: int) -> str:
    """The name under which a user logs in. Raises `NotFoundError`."""
    name = connection.execute(scope.select(users, users.c.name).where(users.c.id == user_id)).scalar_one_or_none()
    if name is None:
        raise NotFoundError(Message("There is no such user."))
    return str(name)


def find_user(connection: Connection, scope: Scope, name: str) -> int:
    """Id of the user who logs in with this name. Raises `NotFoundError`."""
    user_id = connection.execute(scope.select(users, users.c.id).where(users.c.name == name)).scalar_one_or_none()
    if user_id is None:
        raise NotFoundError(Message("There is no such user."))
    return int(user_id)


def new_one_time_password(connection: Connection, province_id: int, user_id: int, *, by: int | None) -> str:
    """Set a new one-time password and close the user's sessions."""
    password = new_password()
    _set_password(connection, province_id, user_id, password, must_change=True)
    record_change(connection, province_id, by, "password_reset", {"user": user_id})
    return password


def take_factor_away(connection: Connection, province_id: int, user_id: int, *, by: int | None) -> bool:
    """Reset another's second factor and close the user's sessions. False where there was none. Raises
    `NotFoundError`."""
    done = reset_factor(connection, province_id, user_id, by=by)
    if done:
        close_sessions(connection, province_id, user_id)
    return done


def resets(connection: Connection, province_id: int, user_id: int) -> list[tuple[int, str | None, str]]:
    """(day, by whom, action) of every reset of a user's password or second factor by somebody else, newest first, from
    the log of changes; None: by a command on the server."""
    query = (
        Scope(province_id)
        .select(changes, changes.c.day, users.c.name, changes.c.action)
        .outerjoin(users, users.c.id == changes.c.user_id)
        .where(
            changes.c.action.in_(("password_reset", "factor_reset")), changes.c.detail == detail_text({"user": user_id})
        )
        .order_by(changes.c.position.desc())
    )
    return [(row.day, row.name, row.action) for row in connection.execute(query)]


def require_password(connection: Connection, user: User, password: str) -> None:
    """Raises `InvalidError` where it is not this user's present password. Whoever has none is not asked."""
    row = connection.execute(select(users.c.password_hash).where(users.c.id == user.user_id)).one()
    if row.password_hash != NO_PASSWORD and not password_fits(row.password_hash, password):
        raise InvalidError(Message("The present password does not fit."))


def change_password(connection: Connection, user: User, old: str, new: str) -> None:
    """A user's own change; closes all sessions. Raises `InvalidError` where the old one does not fit or the new is
    short, `ForbiddenError` where there is none: who logs in by the provider alone makes no way past it."""
    query = select(users.c.password_hash).where(users.c.id == user.user_id)
    if connection.execute(query).scalar_one() == NO_PASSWORD:
        raise ForbiddenError(
            Message("This account has no password: its log-in is the log-in service's."),
            Message("An administrator can give it one."),
        )
    require_password(connection, user, old)
    if old == new:
        raise InvalidError(Message("The new password must differ."))
    _set_password(connection, user.province_id, user.user_id or 0, new, must_change=False)


def _set_password(connection: Connection, province_id: int, user_id: int, password: str, *, must_change: bool) -> None:
    is_this_user = Scope(province_id).update(users).where(users.c.id == user_id)
    values = {"password_hash": hash_password(password), "must_change_password": must_change}
    if connection.execute(is_this_user.values(**values)).rowcount != 1:
        raise NotFoundError(Message("There is no such user."))
    close_sessions(connection, province_id, user_id)


def set_active(connection: Connection, province_id: int, user_id: int, active: bool, *, by: int | None) -> None:
    """Let a user in or shut them out; the last active administrator stays. Raises `ConflictError`, `NotFoundError`."""
    row = connection.execute(Scope(province_id).select(users).where(users.c.id == user_id)).first()
    if row is None:
        raise NotFoundError(Message("There is no such user."))
    if not active and row.role == Role.ADMINISTRATOR:
        require_another_administrator(connection, Scope(province_id), user_id)
    connection.execute(Scope(province_id).update(users).where(users.c.id == user_id).values(active=active))
    if not active:
        close_sessions(connection, province_id, user_id)
    record_change(connection, province_id, by, "user_active" if active else "user_inactive", {"user": user_id})


def require_another_administrator(connection: Connection, scope: Scope, user_id: int) -> None:
    """Raises `ConflictError` where nobody else could let people in."""
    is_other = (users.c.role == Role.ADMINISTRATOR, users.c.active, users.c.id != user_id)
    if connection.execute(scope.select(users, users.c.id).where(*is_other)).first() is None:
        raise ConflictError(Message("This is the last administrator."))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Began:
    """How a session began, other than with a password: the hash of the provider's own session, and whether the provider
    says that a second factor was shown to it."""

    provider_session: str = ""
    factor_shown: bool = False


BY_PASSWORD = Began()


def open_session(
    connection: Connection,
    province_id: int,
    user_id: int,
    life_s: int,
    *,
    address: str = "",
    user_agent: str = "",
    began: Began = BY_PASSWORD,
) -> str:
    """A new session's random token; the store keeps its hash alone, and of the address and the browser what
    `server.auth.devices` says. Expired sessions are removed."""
    connection.execute(delete(sessions).where(sessions.c.expires_s < now_s()))
    token = secrets.token_urlsafe(32)
    values: dict[str, Any] = {"token_hash": _digest(token), "province_id": province_id, "user_id": user_id}
    values |= {"begun_day": today(), "place": place_of(address), "browser": browser_of(user_agent)}
    values |= {"provider_session": began.provider_session, "factor_shown": began.factor_shown}
    connection.execute(insert(sessions).values(**values, expires_s=now_s() + life_s))
    return token


def session_user(connection: Connection, token: str) -> User | None:
    """The user of an open session, or None."""
    query = (
        select(users, sessions.c.provider_session, sessions.c.factor_shown)
        .join(sessions, sessions.c.user_id == users.c.id)
        .where(sessions.c.token_hash == _digest(token), sessions.c.expires_s >= now_s(), users.c.active)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    role = Role(row.role)
    must_set = not row.factor_shown and must_set_factor(connection, row.province_id, row.id, role)
    must_change = bool(row.must_change_password) and not row.provider_session
    return User(row.id, row.name, role, row.province_id, row.agency_id, must_change, must_set)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One of a user's sessions, as its owner sees it. `number`: names it on the page; the token cannot be had of it."""

    number: str
    begun_day: int
    place: str
    browser: Message
    is_here: bool


def open_sessions(connection: Connection, user: User, token: str) -> list[OpenSession]:
    """The user's open sessions, the newest day first; `token`: that of the session that asks."""
    mine = Scope(user.province_id).select(sessions).where(sessions.c.user_id == user.user_id)
    rows = connection.execute(
        mine.where(sessions.c.expires_s >= now_s()).order_by(sessions.c.begun_day.desc(), sessions.c.token_hash)
    )
    return [
        OpenSession(
            row.token_hash, row.begun_day, row.place, browser_words(row.browser), row.token_hash == _digest(token)
        )
        for row in rows
    ]


def end_session(connection: Connection, user: User, number: str) -> None:
    """End one of the user's own sessions. Raises `NotFoundError` for another's, or one that has ended."""
    mine = Scope(user.province_id).delete(sessions).where(sessions.c.user_id == user.user_id)
    if connection.execute(mine.where(sessions.c.token_hash == number)).rowcount != 1:
        raise NotFoundError(Message("There is no such session, or it has ended."))


def close_session(connection: Connection, token: str) -> bool:
    """Close one session. Whether a provider of log-ins had begun it."""
    this = sessions.c.token_hash == _digest(token)
    by_provider = connection.execute(select(sessions.c.provider_session).where(this)).scalar_one_or_none()
    connection.execute(delete(sessions).where(this))
    return bool(by_provider)


def close_sessions(connection: Connection, province_id: int, user_id: int, *, but: str = "") -> None:
    """Close all sessions of a user; `but`: the token of one that stays."""
    of_user = Scope(province_id).delete(sessions).where(sessions.c.user_id == user_id)
    connection.execute(of_user.where(sessions.c.token_hash != _digest(but)))
