"""Which of our users a provider of log-ins means, and with which role: linked once by the user, or made at the first
log-in. The provider's claims say the role at every log-in; what they do not name gives no access.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from pipeline.calendar import today
from pipeline.errors import ConflictError, ForbiddenError, NotFoundError
from pipeline.language import Message
from server.auth.provider import Ended, Verified
from server.auth.roles import User
from server.auth.users import NO_PASSWORD, close_sessions, make_user, require_another_administrator
from server.core.changes import record_change
from server.core.config import OidcConfig
from server.core.provinces import find_province
from server.core.scope import Scope
from server.store.tables.agencies import agencies
from server.store.tables.users import Role, provider_accounts, sessions, users

_ASK = Message("Ask the administrator of this system.")


def values_of(claims: Mapping[str, Any], path: str) -> list[str]:
    """The texts at a place in the claims: one text, or a list of them. A name with dots may be a claim's own."""
    found: Any = claims
    for name in [path] if path in claims else path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    listed = found if isinstance(found, list) else [found]
    return [each for each in listed if isinstance(each, str) and each]


def role_of(settings: OidcConfig, claims: Mapping[str, Any]) -> Role:
    """The role that the claims give. Raises `ForbiddenError`."""
    said = set(values_of(claims, settings.role_claim))
    for name, role in settings.roles.items():
        if name in said:
            return role
    raise ForbiddenError(Message("You are known to the log-in service, but have no role in this system."), _ASK)


def shows_factor(settings: OidcConfig, claims: Mapping[str, Any]) -> bool:
    """Whether the provider says that a second factor was shown, in words that the settings name."""
    return bool(
        set(values_of(claims, "amr")) & set(settings.factor_amr)
        or set(values_of(claims, "acr")) & set(settings.factor_acr)
    )


def account_of(connection: Connection, settings: OidcConfig, verified: Verified) -> Row[Any]:
    """The user who has logged in by the provider, with the role that its claims give now; made where the settings say
    so. Raises `ForbiddenError`, `ConflictError` in words for whoever stands outside."""
    province_id = find_province(connection, settings.province or None).province_id
    role = role_of(settings, verified.claims)
    agency_id = _agency_of(connection, settings, province_id, role, verified.claims)
    row = _linked(connection, province_id, verified.subject_hash)
    if row is None:
        if settings.accounts != "made":
            raise ForbiddenError(
                Message("Nobody has linked an account of this system with this log-in yet."),
                Message("Log in with your password, then link it on the page of your account."),
            )
        row = _make(connection, settings, province_id, role, agency_id, verified)
    if not row.active:
        raise ForbiddenError(Message("This account has been shut out."), _ASK)
    if (row.role, row.agency_id) != (role.value, agency_id):
        _change_role(connection, row, role, agency_id)
    return connection.execute(select(users).where(users.c.id == row.id)).one()


def link(connection: Connection, settings: OidcConfig, user: User, verified: Verified) -> None:
    """Link a user's own account with whoever has just logged in at the provider. Raises `ConflictError` where either is
    linked, `ForbiddenError` for a user of another province, or one without a role there."""
    province_id = find_province(connection, settings.province or None).province_id
    if user.user_id is None or user.province_id != province_id:
        raise ForbiddenError(Message("The log-in service is not your province's."))
    role = role_of(settings, verified.claims)
    _agency_of(connection, settings, province_id, role, verified.claims)
    taken = (provider_accounts.c.user_id == user.user_id) | (provider_accounts.c.subject_hash == verified.subject_hash)
    if connection.execute(select(provider_accounts.c.id).where(taken)).first():
        raise ConflictError(
            Message("This account, or this log-in, is linked already."),
            Message("An administrator can take a link away."),
        )
    _add(connection, province_id, user.user_id, verified.subject_hash)
    record_change(connection, province_id, user.user_id, "provider_linked", {"user": user.user_id})


def unlink(connection: Connection, province_id: int, user_id: int, *, by: int | None) -> None:
    """Take a link away and end the user's sessions. Raises `NotFoundError` where there is none."""
    mine = Scope(province_id).delete(provider_accounts).where(provider_accounts.c.user_id == user_id)
    if connection.execute(mine).rowcount != 1:
        raise NotFoundError(Message("This account is not linked."))
    close_sessions(connection, province_id, user_id)
    record_change(connection, province_id, by, "provider_unlinked", {"user": user_id})


def linked_users(connection: Connection, scope: Scope) -> dict[int, int]:
    """User id -> the day on which the account was linked."""
    query = scope.province.select(provider_accounts, provider_accounts.c.user_id, provider_accounts.c.linked_day)
    return {row.user_id: row.linked_day for row in connection.execute(query)}


def may_use_password(connection: Connection, settings: OidcConfig, province_id: int, user_id: int) -> bool:
    """Whether a password lets this user in: of a linked account only where the settings say so."""
    if not settings.issuer or settings.linked_passwords:
        return True
    return user_id not in linked_users(connection, Scope(province_id))


def end_sessions(connection: Connection, ended: Ended) -> int:
    """End what the provider has ended: its session, or without one all that it began for a person. How many."""
    named = {each for each in (ended.session_hash, ended.subject_hash) if each}
    gone = connection.execute(delete(sessions).where(sessions.c.provider_session.in_(named))).rowcount
    if not ended.session_hash:
        whose = select(provider_accounts.c.user_id).where(provider_accounts.c.subject_hash == ended.subject_hash)
        rest = delete(sessions).where(sessions.c.provider_session != "", sessions.c.user_id.in_(whose))
        gone += connection.execute(rest).rowcount
    return gone


def shut_out(connection: Connection, settings: OidcConfig, verified: Verified) -> int:
    """End what the provider began for a person to whom it now gives no role. How many."""
    row = _linked(connection, find_province(connection, settings.province or None).province_id, verified.subject_hash)
    if row is None:
        return 0
    begun = (sessions.c.user_id == row.id, sessions.c.provider_session != "")
    return connection.execute(Scope(row.province_id).delete(sessions).where(*begun)).rowcount


def _linked(connection: Connection, province_id: int, subject_hash: str) -> Row[Any] | None:
    query = Scope(province_id).select(users).join(provider_accounts, provider_accounts.c.user_id == users.c.id)
    return connection.execute(query.where(provider_accounts.c.subject_hash == subject_hash)).first()


def _agency_of(
    connection: Connection, settings: OidcConfig, province_id: int, role: Role, claims: Mapping[str, Any]
) -> int | None:
    if role is not Role.AGENCY_READER:
        return None
    codes = values_of(claims, settings.agency_claim) if settings.agency_claim else []
    query = Scope(province_id).select(agencies, agencies.c.id).where(agencies.c.code.in_(codes), agencies.c.active)
    found = connection.execute(query).scalars().all()
    if len(found) != 1:
        raise ForbiddenError(Message("The log-in service names no agency of yours that this system knows."), _ASK)
    return int(found[0])


def _make(
    connection: Connection,
    settings: OidcConfig,
    province_id: int,
    role: Role,
    agency_id: int | None,
    verified: Verified,
) -> Row[Any]:
    said = next(iter(values_of(verified.claims, settings.name_claim)), "").lower()
    name = re.sub("[^a-z0-9._-]+", "-", said).strip("._-")[:60]
    if len(name) < 3:
        name = f"user-{verified.subject_hash[:12]}"
    make_user(connection, province_id, name, role, agency_id)
    of_name = Scope(province_id).update(users).where(users.c.name == name)
    connection.execute(of_name.values(password_hash=NO_PASSWORD, must_change_password=False))
    row = connection.execute(Scope(province_id).select(users).where(users.c.name == name)).one()
    _add(connection, province_id, row.id, verified.subject_hash)
    record_change(connection, province_id, None, "provider_linked", {"user": row.id})
    return row


def _change_role(connection: Connection, row: Row[Any], role: Role, agency_id: int | None) -> None:
    """Raises `ConflictError` where the province would lose its last administrator."""
    scope = Scope(row.province_id)
    if row.role == Role.ADMINISTRATOR:
        require_another_administrator(connection, scope, row.id)
    change = scope.update(users).where(users.c.id == row.id)
    connection.execute(change.values(role=role.value, agency_id=agency_id))
    close_sessions(connection, row.province_id, row.id)
    before, after = [row.role, row.agency_id], [role.value, agency_id]
    record_change(connection, row.province_id, row.id, "role_by_provider", {"user": row.id, "role": [before, after]})


def _add(connection: Connection, province_id: int, user_id: int, subject_hash: str) -> None:
    values = {"province_id": province_id, "user_id": user_id, "subject_hash": subject_hash, "linked_day": today()}
    connection.execute(insert(provider_accounts).values(**values))
