"""The closed schema, looked at from outside: every field of every message, its bits, and what a release can tell of
one visit."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Any

import msgspec

from pipeline import wire
from pipeline.audit.figures import figure_words
from pipeline.audit.verdict import Verdict
from pipeline.language import Joined, Message, Sentence

MSGPACK_MAX = 2**64 - 1
"""An integer of msgpack has 64 bits at most; `msgspec` cannot state a bound above 2^63 - 1."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `count`: numbers in it; `bits`: the most that they can carry together."""

    message: str
    name: str
    kind: str
    low: int
    high: int
    count: int
    bits: float


def describe(types: Any = wire.Message) -> tuple[list[Field], list[Sentence]]:
    """All fields of the message types, and what of them is not closed: text, bytes, floats, unbounded or optional
    values, unknown fields allowed."""
    fields: list[Field] = []
    problems: list[Sentence] = []
    info = msgspec.inspect.type_info(types)
    members = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    for member in members:
        if not isinstance(member, msgspec.inspect.StructType):
            problems.append(Message("{member} is not a struct", member=member))
            continue
        _struct(member, member.cls.__name__, "", 1, fields, problems)
    return fields, problems


def _struct(
    struct: msgspec.inspect.StructType,
    message: str,
    prefix: str,
    times: int,
    fields: list[Field],
    problems: list[Sentence],
) -> None:
    if not struct.forbid_unknown_fields and not struct.array_like:
        problems.append(Message("{message}: unknown fields are allowed", message=message))
    for entry in struct.fields:
        if not entry.required and not _has_one_spelling(struct.cls, entry):
            problems.append(Message("{field} may be left out", field=f"{message}.{prefix}{entry.name}"))
        _value(entry.type, message, prefix + entry.name, times, fields, problems)


def _has_one_spelling(cls: Any, entry: msgspec.inspect.Field) -> bool:
    """Whether leaving the field out is how one of its values is written, and the only way: then its absence says no
    more than that value would. `audit wire` shows a message that writes the value out all the same."""
    return bool(cls.__struct_config__.omit_defaults) and isinstance(entry.default, int)


def _value(kind: Any, message: str, name: str, times: int, fields: list[Field], problems: list[Sentence]) -> None:
    inspect = msgspec.inspect
    if isinstance(kind, inspect.Metadata):
        _value(kind.type, message, name, times, fields, problems)
    elif isinstance(kind, inspect.IntType):
        if kind.ge is None:
            problems.append(Message("{field} is an integer without bounds", field=f"{message}.{name}"))
            return
        high = MSGPACK_MAX if kind.le is None else kind.le
        fields.append(Field(message, name, "integer", kind.ge, high, times, times * math.log2(high - kind.ge + 1)))
    elif isinstance(kind, inspect.EnumType) and issubclass(kind.cls, enum.IntEnum):
        values = sorted(int(value) for value in kind.cls)
        fields.append(
            Field(message, name, kind.cls.__name__, values[0], values[-1], times, times * math.log2(len(values)))
        )
    elif isinstance(kind, inspect.LiteralType) and all(isinstance(value, int) for value in kind.values):
        values = sorted(value for value in kind.values if isinstance(value, int))
        fields.append(Field(message, name, "constant", values[0], values[-1], times, times * math.log2(len(values))))
    elif isinstance(kind, inspect.TupleType):
        if len({repr(item) for item in kind.item_types}) == 1:
            _value(kind.item_types[0], message, name, times * len(kind.item_types), fields, problems)
        else:
            for number, item in enumerate(kind.item_types):
                _value(item, message, f"{name}[{number}]", times, fields, problems)
    elif isinstance(kind, (inspect.VarTupleType, inspect.ListType)):
        if kind.min_length is None or kind.min_length != kind.max_length:
            problems.append(Message("{field} has no fixed length", field=f"{message}.{name}"))
            return
        _value(kind.item_type, message, name, times * kind.min_length, fields, problems)
    elif isinstance(kind, inspect.StructType):
        _struct(kind, message, name + ".", times, fields, problems)
    else:
        problems.append(
            Message(
                "{field} is {kind}: only bounded integers may leave a box",
                field=f"{message}.{name}",
                kind=type(kind).__name__.removesuffix("Type").lower(),
            )
        )


def evidence_bits(epsilon: float) -> dict[str, float]:
    """What pure epsilon-differential privacy lets anybody learn about one visit.

    `odds_factor`: the most by which the odds of "took place" against "did not" change. `pointwise_bits` = epsilon / ln
    2: the same as information. `mean_bits` = epsilon tanh(epsilon / 2) / ln 2: the most on average (Kullback-Leibler
    divergence; Bun and Steinke 2016, Lemma on pure DP). `yes_no_bits`: mutual information with a fair yes-no secret
    under the best such mechanism (randomised response)."""
    sure = 1.0 / (1.0 + math.exp(-epsilon))
    entropy = -(sure * math.log2(sure) + (1 - sure) * math.log2(1 - sure)) if sure < 1.0 else 0.0
    return {
        "odds_factor": math.exp(epsilon),
        "pointwise_bits": epsilon / math.log(2),
        "mean_bits": epsilon * math.tanh(epsilon / 2) / math.log(2),
        "yes_no_bits": 1.0 - entropy,
    }


def guess_among_levels(epsilon: float, levels: int = 6) -> float:
    """Chance of the best guess of one visit's level, for somebody who knows its rating, that it took place, and all
    other visits.

    The noisy rest of a cell is 1 or more with chance p = e^eps / (1 + e^eps) where the visit lies and q = 1 - p
    elsewhere, and nothing else in it tells; the best guess picks among the cells with 1 or more: p (1 - (1-q)^m) / (m
    q) + (1-p) (1-q)^(m-1) / m."""
    p = 1.0 / (1.0 + math.exp(-epsilon))
    q, m = 1.0 - p, levels
    return float(p * (1 - (1 - q) ** m) / (m * q) + (1 - p) * (1 - q) ** (m - 1) / m)


def audit_schema(pulse_epsilon: float, evidence_epsilon: float) -> Verdict:
    """Whether the schema is closed, and what a release can carry about one visit at these epsilons."""
    verdict = Verdict(
        "schema",
        Message(
            "Everything that leaves a box is bounded integers: no text, no bytes, no instant, no identifier of a "
            "person."
        ),
    )
    fields, verdict.problems = describe()
    messages: dict[str, float] = {}
    for each in fields:
        messages[each.message] = messages.get(each.message, 0.0) + each.bits
    total = pulse_epsilon + evidence_epsilon
    verdict.facts = {
        "schema_version": wire.SCHEMA_VERSION,
        "fields": [
            Joined(
                (f"{each.message}.{each.name}: {each.count} x", figure_words(each.kind), f"{each.low}..{each.high}"),
                " ",
            )
            for each in fields
        ],
        "capacity_bits": {name: round(bits, 1) for name, bits in messages.items()},
        "about_one_visit_pulse": evidence_bits(pulse_epsilon) if pulse_epsilon else {},
        "about_one_visit_evidence": evidence_bits(evidence_epsilon),
        "about_one_visit_together": evidence_bits(total),
        "about_one_visit_replace_one": evidence_bits(2 * total),
        "level_guess_before": 1 / 6,
        "level_guess_knowing_rating_and_all_others": guess_among_levels(evidence_epsilon),
        "why": [
            Message(
                "A visit adds one to one cell of a pulse and one cell of the evidence, or, where its citizen did not "
                "agree, of the count of those; every cell has discrete Laplace "
                "noise, so the odds of any two answers to 'did this visit take place, and how' change by at most "
                "e^epsilon, however large the table and whatever else is known."
            ),
            Message(
                "The capacity is what a dishonest box could put into the fields (noise and nonces are random); the "
                "bound on a visit is the mechanism's."
            ),
            Message(
                "Ratings are voluntary answers: up to their whole row is told, exactly, outside this bound; the day is "
                "their finest time."
            ),
            Message(
                "Head, hello, heartbeat and the questions about updates and about what the server reads are moved by "
                "no visit; every message has the same size on the network and goes at fixed times, the questions about "
                "updates in quiet hours."
            ),
        ],
    }
    verdict.cannot_check = [
        Message(
            "that the program that runs on the box is this one (compare the bundle's signature and the log's leaves of "
            "models);"
        ),
        Message(
            "that a dishonest box does not hide signals in noise or nonces: the schema bounds the room, not the "
            "intention."
        ),
    ]
    return verdict
