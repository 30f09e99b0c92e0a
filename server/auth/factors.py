"""The second factor: codes of a telephone (TOTP, RFC 6238: HMAC-SHA-1, 6 digits, half minutes) and recovery codes.

A code is good for its half minute and the one on either side, and once: the store keeps the newest step taken. The
secret is sealed under a key that is not in the store (ADR 0181); of a recovery code there is only the SHA-256. Codes
that do not fit are counted in the store, by person and day: whoever knows a password could otherwise try some thousand
codes a day from many networks, and one in 333,333 fits at any moment.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import Connection, case, insert, or_

from pipeline.calendar import day_at, now_s
from pipeline.errors import ConflictError, ForbiddenError, NotFoundError
from pipeline.language import Message
from server.auth.roles import User
from server.core.changes import record_change
from server.core.provinces import read_setting, write_setting
from server.core.scope import Scope
from server.core.sealed import seal, unseal
from server.store.tables.users import Role, recovery_codes, second_factors, users

STEP_S = 30
DIGITS = 6
DRIFT = 1
"""Steps by which a telephone's clock may be off (RFC 6238, 5.2)."""
SECRET_BYTES = 20
"""As RFC 4226 asks (160 bits)."""
GUESSES_A_DAY = 20
"""Codes of the telephone that do not fit, of one person; then recovery codes alone are looked at until tomorrow."""
RECOVERY_CODES = 8
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_CODE = re.compile(f"[0-9]{{{DIGITS}}}")
_SETTING = "second_factor_roles"
TOO_MANY_CODES = (
    Message("Too many codes did not fit today: the telephone's codes are taken again tomorrow."),
    Message("Use a recovery code. If it was not you who tried, change the password: somebody knows it."),
)
WRONG_CODE = Message("The code does not fit, or was used before: wait for the next one.")


def code_at(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """The code of a step: half minutes since 1970 (RFC 6238 with T0 = 0, X = 30)."""
    return HOTP(secret, digits, SHA1()).generate(step).decode()  # noqa: S303 - the RFC's, and what telephones know


def uri(secret: bytes, name: str, issuer: str) -> str:
    """The `otpauth` address that an authenticator reads off a QR code."""
    return TOTP(secret, DIGITS, SHA1(), STEP_S).get_provisioning_uri(name, issuer)  # noqa: S303


def has_factor(connection: Connection, province_id: int, user_id: int) -> bool:
    """Whether a user logs in with a second factor."""
    return user_id in users_with_factor(connection, Scope(province_id))


def users_with_factor(connection: Connection, scope: Scope) -> set[int]:
    """Ids of the users who log in with a second factor."""
    query = scope.province.select(second_factors, second_factors.c.user_id).where(second_factors.c.confirmed)
    return set(connection.execute(query).scalars())


def begin_factor(connection: Connection, user: User, key: bytes) -> bytes:
    """A new secret [20 bytes] for a user, good for nothing before `confirm_factor`. Raises `ConflictError` where there
    is a factor already."""
    user_id = _id(user)
    if has_factor(connection, user.province_id, user_id):
        raise ConflictError(Message("There is a second factor already."), Message("Take it away first."))
    connection.execute(_mine(user).delete(second_factors).where(second_factors.c.user_id == user_id))
    secret = secrets.token_bytes(SECRET_BYTES)
    row = {"user_id": user_id, "secret": seal(secret, _owner(user_id), key), "confirmed": False, "last_step": 0}
    connection.execute(insert(second_factors).values(province_id=user.province_id, **row))
    return secret


def confirm_factor(connection: Connection, user: User, code: str, key: bytes) -> list[str] | None:
    """Put the factor into force with a first code; returns the recovery codes, None for a code that does not fit (which
    counts where the transaction is kept). Raises `NotFoundError` where nothing was begun, `ForbiddenError` after too
    many."""
    user_id = _id(user)
    row = connection.execute(_mine(user).select(second_factors).where(second_factors.c.user_id == user_id)).first()
    if row is None or row.confirmed:
        raise NotFoundError(Message("Nothing was begun that could be confirmed."), Message("Begin again."))
    if not _take_step(connection, user.province_id, user_id, _plain(code), key):
        return None
    of_user = _mine(user).update(second_factors).where(second_factors.c.user_id == user_id)
    connection.execute(of_user.values(confirmed=True))
    record_change(connection, user.province_id, user_id, "factor_set", {"user": user_id})
    return _make_codes(connection, user.province_id, user_id)


def pending_secret(connection: Connection, user: User, key: bytes) -> bytes | None:
    """The secret that was begun and is not confirmed, to be shown again."""
    query = _mine(user).select(second_factors, second_factors.c.secret)
    found = connection.execute(query.where(second_factors.c.user_id == _id(user), ~second_factors.c.confirmed))
    sealed = found.scalar_one_or_none()
    return None if sealed is None else unseal(sealed, _owner(_id(user)), key)


def take_code(connection: Connection, province_id: int, user_id: int, code: str, key: bytes) -> bool:
    """Whether a code of the telephone or a recovery code fits; it is used up. Count the guess before. The caller's
    transaction is kept where it does not fit, or the guess would not count. Raises `ForbiddenError` after too many."""
    code = _plain(code)
    if _CODE.fullmatch(code):
        return _take_step(connection, province_id, user_id, code, key)
    mine = Scope(province_id).delete(recovery_codes).where(recovery_codes.c.user_id == user_id)
    if connection.execute(mine.where(recovery_codes.c.code_hash == _digest(code))).rowcount != 1:
        return False
    record_change(connection, province_id, user_id, "recovery_code_used", {"user": user_id})
    return True


def _take_step(connection: Connection, province_id: int, user_id: int, code: str, key: bytes) -> bool:
    of_user = second_factors.c.user_id == user_id
    query = Scope(province_id).select(second_factors, second_factors.c.secret).where(of_user)
    sealed = connection.execute(query).scalar_one_or_none()
    secret = None if sealed is None else unseal(sealed, _owner(user_id), key)
    if secret is None:
        return False
    day = day_at(now_s())
    another = second_factors.c.guess_day != day
    guess = Scope(province_id).update(second_factors).where(of_user)
    counted = {"guesses": case((another, 1), else_=second_factors.c.guesses + 1), "guess_day": day}
    has_room = or_(another, second_factors.c.guesses < GUESSES_A_DAY)
    if connection.execute(guess.where(has_room).values(**counted)).rowcount != 1:
        raise ForbiddenError(*TOO_MANY_CODES)
    now = now_s() // STEP_S
    near = range(now - DRIFT, now + DRIFT + 1)
    fitting = [step for step in near if hmac.compare_digest(code_at(secret, step), code)]
    for step in fitting:  # the store itself says whether it was first: two at once cannot both be
        newer = guess.where(second_factors.c.last_step < step)
        done = {"last_step": step, "guesses": second_factors.c.guesses - 1}
        if connection.execute(newer.values(**done)).rowcount == 1:
            return True
    return False


def wrong_codes(connection: Connection, user: User) -> int:
    """How many codes of the telephone did not fit today."""
    today_s = second_factors.c.guess_day == day_at(now_s())
    query = _mine(user).select(second_factors, second_factors.c.guesses)
    return connection.execute(query.where(second_factors.c.user_id == user.user_id, today_s)).scalar() or 0


def new_recovery_codes(connection: Connection, user: User) -> list[str]:
    """New recovery codes; the old ones end."""
    record_change(connection, user.province_id, user.user_id, "recovery_codes_made", {"user": user.user_id})
    return _make_codes(connection, user.province_id, _id(user))


def _make_codes(connection: Connection, province_id: int, user_id: int) -> list[str]:
    mine = Scope(province_id).select(second_factors, second_factors.c.id).where(second_factors.c.user_id == user_id)
    connection.execute(mine.with_for_update())  # of two at once the second ends what the first has made
    connection.execute(Scope(province_id).delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
    codes = [
        "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4)) for _ in range(RECOVERY_CODES)
    ]
    rows = [{"province_id": province_id, "user_id": user_id, "code_hash": _digest(_plain(code))} for code in codes]
    connection.execute(insert(recovery_codes), rows)
    return codes


def recovery_codes_left(connection: Connection, user: User) -> int:
    """How many recovery codes are still good."""
    query = _mine(user).select(recovery_codes, recovery_codes.c.id).where(recovery_codes.c.user_id == user.user_id)
    return len(connection.execute(query).all())


def remove_factor(connection: Connection, user: User) -> None:
    """A user's own doing. Raises `ConflictError` where the province asks this role for one."""
    if user.role in required_roles(connection, user.province_id):
        raise ConflictError(Message("Your role has to log in with a second factor."))
    _delete(connection, user.province_id, _id(user))
    record_change(connection, user.province_id, user.user_id, "factor_removed", {"user": user.user_id})


def reset_factor(connection: Connection, province_id: int, user_id: int, *, by: int | None) -> bool:
    """Take away another's factor, whose telephone is lost; logged, and told to its user. False where there is none.
    Raises `NotFoundError` for an unknown user."""
    if connection.execute(Scope(province_id).select(users, users.c.id).where(users.c.id == user_id)).first() is None:
        raise NotFoundError(Message("There is no such user."))
    if not _delete(connection, province_id, user_id):
        return False
    record_change(connection, province_id, by, "factor_reset", {"user": user_id})
    return True


def _delete(connection: Connection, province_id: int, user_id: int) -> bool:
    scope = Scope(province_id)
    connection.execute(scope.delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
    return connection.execute(scope.delete(second_factors).where(second_factors.c.user_id == user_id)).rowcount > 0


def required_roles(connection: Connection, province_id: int) -> frozenset[Role]:
    """The roles that have to log in with a second factor."""
    return frozenset(Role(name) for name in str(read_setting(connection, province_id, _SETTING)).split())


def require_for(connection: Connection, province_id: int, roles: Collection[Role], *, by: int | None) -> None:
    """Set the roles that have to log in with a second factor; a change is logged. Whoever has none is led to the
    account's page with the next request."""
    before = " ".join(sorted(required_roles(connection, province_id)))
    after = " ".join(sorted(set(roles)))
    if after != before:
        write_setting(connection, province_id, _SETTING, after)
        record_change(connection, province_id, by, "settings", {_SETTING: [before, after]})


def must_set_factor(connection: Connection, province_id: int, user_id: int, role: Role) -> bool:
    """Whether a user has no second factor and needs one."""
    return role in required_roles(connection, province_id) and not has_factor(connection, province_id, user_id)


def _mine(user: User) -> Scope:
    return Scope(user.province_id)


def _id(user: User) -> int:
    if user.user_id is None:
        raise NotFoundError(Message("There is no such user."))
    return user.user_id


def _owner(user_id: int) -> str:
    return f"second factor {user_id}"


def _plain(code: str) -> str:
    """A code's letters and digits alone: people write spaces, dashes and capital letters."""
    return re.sub("[^a-z0-9]", "", code.lower())


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
