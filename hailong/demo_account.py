"""Is what the boxes handed to the network what the server stored? Cell by cell, answer by answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select

from pipeline import wire
from pipeline.audit.sources import read_record
from pipeline.framing import unpad
from pipeline.release_kind import Release
from server.store.engine import read
from server.store.tables.ratings import ANSWER_COLUMNS, ratings
from server.store.tables.releases import CELL_COLUMNS, releases

Cells = tuple[int, ...]
"""A release as one row: whose it is, of when, its epsilon, its counts."""


@dataclass(frozen=True, slots=True)
class Account:
    """What went out and what came in."""

    releases_sent: int
    releases_stored: int
    ratings_sent: int
    ratings_stored: int
    sent_is_stored: bool


def compare(records: Mapping[int, Path], engine: Engine) -> Account:
    """`records`: each box's number at the server, and the file in which its sender recorded every frame."""
    sent: set[Cells] = set()
    answers: Counter[tuple[int, ...]] = Counter()
    for box, path in records.items():
        batches: set[tuple[int, int]] = set()
        for _, frame in read_record(path):
            message = wire.decode(unpad(frame))
            if isinstance(message, Release):
                place = (box, message.epoch, message.sequence, int(message.period), message.index)
                sent.add((*place, message.epsilon_milli, *message.counts))
            elif isinstance(message, wire.Ratings) and (message.epoch, message.sequence) not in batches:
                batches.add((message.epoch, message.sequence))
                answers.update(row.answers for row in message.rows if row.instrument)
    with read(engine) as connection:
        stored = {_release(tuple(row)) for row in connection.execute(select(*_RELEASE))}
        # the server holds others, too: simulated answers of earlier quarters
        of_boxes = select(*(ratings.c[name] for name in ANSWER_COLUMNS)).where(
            ratings.c.source.in_([f"box:{box}" for box in records])
        )
        kept = Counter(tuple(row) for row in connection.execute(of_boxes))
    return Account(len(sent), len(stored), answers.total(), kept.total(), sent == stored and answers == kept)


_PLACE = ("box_id", "epoch", "sequence", "period_kind", "period_index", "epsilon_milli")
_RELEASE = [releases.c[name] for name in (*_PLACE, *CELL_COLUMNS)]


def _release(row: tuple[int | None, ...]) -> Cells:
    return tuple(int(value) for value in row if value is not None)
