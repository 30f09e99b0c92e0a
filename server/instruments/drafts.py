"""Drafts of a province's instruments: cloned from one that is known, checked, signed, rolled out at a day.

A signed instrument is a file in the server's folder `instruments/`: the boxes' door sends it (`server.boxes`), rounds
and pages find it. It never changes again; what is to change is cloned as the next version, or as a variant.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace
from sqlalchemy import Connection, func, select

from pipeline.calendar import day_date, day_index, today
from pipeline.errors import ConflictError, HailongError, InvalidError, NotFoundError
from pipeline.instruments import KINDS, Instrument, find_problems, load_by_wire_code, shipped_instruments
from pipeline.instruments.instrument import MAX_BYTES
from pipeline.instruments.signed import open_signed, sign_file
from pipeline.instruments.writing import write_instrument
from pipeline.keys import KeyPair
from pipeline.language import Joined, Message, Sentence
from pipeline.wire import SignedFile
from server.core.changes import record_change
from server.core.scope import Scope
from server.store.engine import insert_row
from server.store.tables.instrument_drafts import instrument_drafts
from server.store.tables.ratings import ratings
from server.store.tables.sheet_answers import sheet_answers

OWN_CODES = range(10_000, 65_536)
"""Wire codes of provinces' own instruments."""
MAX_DRAFTS = 50


@dataclass(frozen=True, slots=True)
class Draft:
    """One draft or signed instrument. `digest`, `signature` (hex), `first_day`: of a signed one."""

    id: int
    state: str
    instrument: Instrument
    base: Instrument | None
    changed_day: int
    digest: str
    signature: str
    first_day: int | None

    @property
    def is_open(self) -> bool:
        """Whether it can still be changed."""
        return self.state == "draft"

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return f"{self.instrument.code}-v{self.instrument.version}.toml"


def _draft(row: Any) -> Draft:
    instrument = msgspec.json.decode(row.content, type=Instrument)
    base = next((one for one in shipped_instruments() if one.wire_code == row.base_wire_code), None)
    return Draft(row.id, row.state, instrument, base, row.changed_day, row.digest, row.signature, row.first_day)


def all_drafts(connection: Connection, scope: Scope) -> list[Draft]:
    """The province's drafts and signed instruments, the newest first."""
    query = scope.select(instrument_drafts).order_by(instrument_drafts.c.id.desc())
    return [_draft(row) for row in connection.execute(query)]


def find_draft(connection: Connection, scope: Scope, number: int) -> Draft:
    """One of them. Raises `NotFoundError`."""
    row = connection.execute(scope.select(instrument_drafts).where(instrument_drafts.c.id == number)).first()
    if row is None:
        raise NotFoundError(Message("There is no such draft."))
    return _draft(row)


def clone(connection: Connection, scope: Scope, base_wire_code: int, code: str, user_id: int | None) -> int:
    """Begin a draft from a known instrument: under its own code as the next version, under a new code as a variant.

    Raises `InvalidError`, `NotFoundError` (base), `ConflictError` where the code belongs to another."""
    known = shipped_instruments()
    base = next((one for one in known if one.wire_code == base_wire_code), None)
    if base is None:
        raise NotFoundError(Message("There is no such instrument."))
    mine = connection.execute(scope.select(instrument_drafts, func.count())).scalar_one()
    if mine >= MAX_DRAFTS:
        raise ConflictError(Message("There are {most} drafts: remove one first.", most=MAX_DRAFTS))
    taken = list(
        connection.execute(
            select(
                instrument_drafts.c.code,
                instrument_drafts.c.version,
                instrument_drafts.c.wire_code,
                instrument_drafts.c.province_id,
            )
        )
    )
    code = code.strip().lower() or base.code
    if code != base.code:
        others = {one.code for one in known} | {row.code for row in taken}
        if code in others:
            raise ConflictError(Message("There is an instrument '{code}': choose another code.", code=code))
    elif base.wire_code not in OWN_CODES:
        raise ConflictError(
            Message("Instrument {code} belongs to all provinces.", code=code),
            Message("Give your variant a code of its own."),
        )
    elif any(row.code == code and row.province_id != scope.province_id for row in taken):
        raise ConflictError(Message("This instrument belongs to another province."))
    versions = [one.version for one in known if one.code == code] + [row.version for row in taken if row.code == code]
    used = {one.wire_code for one in known} | {row.wire_code for row in taken}
    wire_code = next(number for number in OWN_CODES if number not in used)
    try:
        made = msgspec.convert(
            {
                **msgspec.to_builtins(base),
                "code": code,
                "version": max(versions, default=0) + 1,
                "wire_code": wire_code,
                "variant_of": base.variant_of if code == base.code else base.code,
                "starts": None,
            },
            Instrument,
        )
    except msgspec.ValidationError:
        raise InvalidError(
            Message("'{code}' is no code.", code=code), Message("Use up to 31 of a-z, 0-9 and dash.")
        ) from None
    values = {"code": code, "version": made.version, "wire_code": wire_code, "base_wire_code": base.wire_code}
    values |= {"state": "draft", "content": _json(made), "changed_day": today(), "changed_by": user_id}
    number = insert_row(connection, instrument_drafts, {"province_id": scope.province_id, **values})
    record_change(
        connection, scope.province_id, user_id, "instrument_cloned", {"instrument": wire_code, "base": base.wire_code}
    )
    return number


def save(connection: Connection, scope: Scope, draft: Draft, changed: Instrument, user_id: int | None) -> None:
    """Keep a change of a draft. Raises `ConflictError` where it is signed, or was changed by somebody else meanwhile,
    `InvalidError` where it is too large."""
    if not draft.is_open:
        raise ConflictError(Message("A signed instrument is not changed: clone it."))
    content = _json(changed)
    if len(content) > 4 * MAX_BYTES:
        raise InvalidError(Message("The instrument is too large."))
    is_this = (instrument_drafts.c.id == draft.id, instrument_drafts.c.content == _json(draft.instrument))
    values = {"content": content, "changed_day": today(), "changed_by": user_id}
    if connection.execute(scope.update(instrument_drafts).where(*is_this).values(**values)).rowcount != 1:
        raise ConflictError(Message("Somebody else has changed this draft: load it again."))


def remove(connection: Connection, scope: Scope, draft: Draft, user_id: int | None) -> None:
    """Throw a draft away. Raises `ConflictError` where it is signed."""
    if not draft.is_open:
        raise ConflictError(Message("A signed instrument stays: answers name it."))
    connection.execute(scope.delete(instrument_drafts).where(instrument_drafts.c.id == draft.id))
    record_change(
        connection, scope.province_id, user_id, "instrument_removed", {"instrument": draft.instrument.wire_code}
    )


def check(connection: Connection, scope: Scope, instrument: Instrument) -> list[Sentence]:
    """Everything that keeps an instrument from being signed: what does not fit together, too large a file, and what
    would take away something that people have answered."""
    found: list[Sentence] = [*find_problems(instrument)]
    try:
        write_instrument(instrument)
    except HailongError as error:
        found.append(error.message)
    newer = [
        one.version for one in shipped_instruments() if one.code == instrument.code and one.version > instrument.version
    ]
    if newer:  # the newest that has begun is asked, whichever was signed last
        found.append(
            Message("version {version} is signed already: this one would never be asked. Clone that one.",
                    version=max(newer))
        )  # fmt: skip
    return found + _lost(connection, scope, instrument)


def _lost(connection: Connection, scope: Scope, instrument: Instrument) -> list[Sentence]:
    """Of the versions before it: slots that mean another question now, and choices that are gone though somebody chose
    them."""
    found: list[Sentence] = []
    now = {item.slot: item for item in instrument.items}
    by_code = {item.code: item for item in instrument.items}
    for old in (
        one for one in shipped_instruments() if one.code == instrument.code and one.version < instrument.version
    ):
        found += [
            Message("slot {slot} was {old} in version {version}: give {code} another one", slot=item.slot,
                    old=item.code, version=old.version, code=now[item.slot].code)
            for item in old.items
            if item.slot in now and now[item.slot].code != item.code
        ]  # fmt: skip
        for item in old.items:
            mine = by_code.get(item.code)
            if mine is None or not item.choices:
                continue
            gone = {choice.number for choice in item.choices} - {choice.number for choice in mine.choices}
            chosen = _chosen(connection, scope, old, item.slot, KINDS[item.kind].figure == "several") & gone
            if chosen:
                numbers = ", ".join(map(str, sorted(chosen)))
                found.append(
                    Message(
                        "{code}: choice {numbers} has been answered: keep it, marked [x]",
                        code=item.code,
                        numbers=numbers,
                    )
                )
    return list(dict.fromkeys(found))


def _chosen(connection: Connection, scope: Scope, old: Instrument, slot: int, several: bool) -> set[int]:
    """Choices of a question that somebody has chosen."""
    of_it = (ratings.c.instrument == old.code, ratings.c.instrument_version == old.version)
    query = (
        scope.select(sheet_answers, sheet_answers.c.value)
        .join(ratings, ratings.c.id == sheet_answers.c.rating_id)
        .where(sheet_answers.c.slot == slot, sheet_answers.c.value > 0, *of_it)
        .distinct()
    )
    values = [int(value) for value in connection.execute(query).scalars()]
    if not several:
        return set(values)
    return {bit + 1 for value in values for bit in range(value.bit_length()) if value >> bit & 1}


def refuse_to_sign(connection: Connection, scope: Scope, draft: Draft, first: date) -> None:
    """Raises what keeps a draft from being signed to begin on `first`: `InvalidError` with everything that the check
    finds, `ConflictError` where it is signed."""
    if not draft.is_open:
        raise ConflictError(Message("This instrument has been signed."))
    if day_index(first) < today():
        raise InvalidError(Message("It can begin today at the earliest."))
    problems = check(connection, scope, draft.instrument)
    if problems:
        raise InvalidError(Joined(problems), Message("Correct the draft first."))


def sign(
    connection: Connection, scope: Scope, draft: Draft, *, first: date, keys: KeyPair, folder: Path, user_id: int | None
) -> SignedFile:
    """Sign a draft with the server's key and put its file where boxes, rounds and pages find it, to begin on `first`.

    The signature is checked before the file is put there. Raises as `refuse_to_sign` does."""
    refuse_to_sign(connection, scope, draft, first)
    final = replace(draft.instrument, starts=first)
    key = Ed25519PrivateKey.from_private_bytes(keys.signing_secret)
    file = sign_file(draft.file_name, write_instrument(final), key)
    open_signed(file, key.public_key())
    digest = hashlib.sha256(file.content).hexdigest()
    values: dict[str, Any] = {
        "state": "signed",
        "content": _json(final),
        "digest": digest,
        "signature": file.signature.hex(),
    }
    values |= {"first_day": day_index(first), "changed_day": today(), "changed_by": user_id}
    is_this = (instrument_drafts.c.id == draft.id, instrument_drafts.c.state == "draft")
    if connection.execute(scope.update(instrument_drafts).where(*is_this).values(**values)).rowcount != 1:
        raise ConflictError(Message("This instrument has been signed."))
    detail = {"instrument": final.wire_code, "sha256": digest, "first_day": day_index(first)}
    record_change(connection, scope.province_id, user_id, "instrument_signed", detail)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = folder / f"{file.name}.part"
    part.write_bytes(file.content)
    part.rename(folder / file.name)
    return file


def begins(draft: Draft) -> date | None:
    """The day on which a signed instrument begins to ask."""
    return None if draft.first_day is None else day_date(draft.first_day)


def variants(instrument: Instrument) -> Sequence[Instrument]:
    """Other known instruments of the same family: versions, variants, and what it is a variant of."""
    family = instrument.variant_of or instrument.code
    return [
        one
        for one in shipped_instruments()
        if one.wire_code != instrument.wire_code and family in (one.code, one.variant_of)
    ]


def known(wire_code: int) -> Instrument:
    """A known instrument by its wire code. Raises `NotFoundError`."""
    try:
        return load_by_wire_code(wire_code)
    except HailongError:
        raise NotFoundError(Message("There is no such instrument.")) from None


def _json(instrument: Instrument) -> str:
    return msgspec.json.encode(instrument).decode()
