"""The health of boxes as the server sees it: heartbeats, releases that came, gaps in what a box sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func

from pipeline.box_states import STATE_WORDS
from pipeline.calendar import now_s, today
from pipeline.language import Message, Text
from pipeline.release_kind import EVIDENCE, PULSE
from pipeline.wire import BoxState
from server.boxes.pools import PoolHealth, pool_states
from server.boxes.release_gate import Held, held_by_box
from server.boxes.views import boxes_without_anybody
from server.core.provinces import province_by_id
from server.core.scope import Scope
from server.store.tables.agencies import agencies
from server.store.tables.boxes import boxes, heartbeats
from server.store.tables.releases import deliveries, releases, tree_heads

SILENT_AFTER_S = 900
"""A box that has not been heard for so long is shown as silent."""

HELD_WORDS: dict[Held, Message] = {
    Held.REPEATED: Message("second table of one window"),
    Held.FUTURE: Message("window that has not ended"),
    Held.BEFORE_EPOCH: Message("window before the box was enrolled"),
    Held.TERMS: Message("epsilon or window other than enrolled"),
    Held.IMPOSSIBLE: Message("impossible counts"),
    Held.OVER_TRANSACTIONS: Message("more visits than transactions allow"),
    Held.OVER_RATINGS: Message("more rated visits than the tablet's ratings"),
}


@dataclass(frozen=True, slots=True)
class BoxHealth:
    """One box on the health page."""

    label: str
    agency: Text
    enrolled: bool
    revoked: bool
    demo: bool
    simulated: bool
    """Of a generated province: its tables were drawn, no box ever ran."""
    state: BoxState | None
    """None: never heard."""
    silent: bool
    heard_ago_s: int | None
    software: str
    gpu: bool
    pulses: int
    evidence: int
    late: int
    held: dict[str, int]
    """Releases in no figure, by reason (`server.boxes.release_gate.Held`)."""
    missing: int
    """Sequence numbers below the newest one that never came."""
    pools: list[PoolHealth]
    """Of a hall's box, each of its pools; empty for a box of one."""
    log_size: int | None
    log_verified: bool | None
    box_id: int = 0
    nobody: bool = False
    """Whether its releases of the last days say that hardly anybody is seen (`server.boxes.views`)."""

    @property
    def fine(self) -> bool:
        """Whether nobody needs to look at this box."""
        usable = self.enrolled and not self.revoked and not self.silent
        return (
            usable
            and self.state is BoxState.OK
            and self.missing == 0
            and not self.held
            and self.pools_fine
            and not self.nobody
        )

    @property
    def pools_fine(self) -> bool:
        """Whether every pool is an agency's and lacks no window."""
        return all(pool.fine for pool in self.pools)

    @property
    def held_words(self) -> list[tuple[int, Message]]:
        """Releases in no figure: how many, and why."""
        return [(count, HELD_WORDS[Held(reason)]) for reason, count in sorted(self.held.items())]

    @property
    def words(self) -> Message:
        """The state as a page says it."""
        if self.simulated:
            return Message("Simulated")
        if self.revoked:
            return Message("Key revoked")
        if not self.enrolled:
            return Message("Not enrolled yet")
        if self.state is None:
            return Message("Never heard")
        if self.silent:
            return Message("Silent")
        return STATE_WORDS[self.state]


def overview(states: Sequence[BoxHealth]) -> list[tuple[Message, int]]:
    """How many boxes are in which state, as the page says it; the most first."""
    return Counter(box.words for box in states).most_common()


def by_urgency(states: Sequence[BoxHealth]) -> list[BoxHealth]:
    """Those that somebody should look at first; each kind by label."""
    return sorted(states, key=lambda box: (box.fine or box.simulated, box.label))


def box_states(connection: Connection, province_id: int) -> list[BoxHealth]:
    """Every box of a province, by label."""
    now = now_s()
    generated = province_by_id(connection, province_id).simulated
    scope = Scope(province_id)
    kinds = scope.select(
        releases,
        releases.c.box_id,
        func.count().filter(releases.c.kind == PULSE.name).label("pulses"),
        func.count().filter(releases.c.kind == EVIDENCE.name).label("evidence"),
        func.count().filter(releases.c.late).label("late"),
    )
    sent = {row.box_id: row for row in connection.execute(kinds.group_by(releases.c.box_id))}
    held = held_by_box(connection, province_id)
    nobody = boxes_without_anybody(connection, province_id, today())
    pools = pool_states(connection, province_id)
    came = scope.select(
        deliveries, deliveries.c.box_id, deliveries.c.epoch, func.count(), func.max(deliveries.c.sequence)
    ).group_by(deliveries.c.box_id, deliveries.c.epoch)
    missing: dict[int, int] = {}
    for box_id, _epoch, count, newest in connection.execute(came):
        missing[box_id] = missing.get(box_id, 0) + max(0, newest - count)
    newest_head = scope.select(tree_heads, func.max(tree_heads.c.id))
    heads = {
        row.box_id: row
        for row in connection.execute(
            scope.select(tree_heads).where(tree_heads.c.id.in_(newest_head.group_by(tree_heads.c.box_id)))
        )
    }
    query = (
        scope.select(boxes, boxes, agencies.c.name, heartbeats.c.state, heartbeats.c.software)
        .add_columns(heartbeats.c.provider, heartbeats.c.received_s)
        .join(agencies, agencies.c.id == boxes.c.agency_id)
        .outerjoin(heartbeats, heartbeats.c.box_id == boxes.c.id)
        .order_by(boxes.c.label)
    )
    found = []
    for row in connection.execute(query):
        ago = None if row.received_s is None else max(0, now - row.received_s)
        counts, head = sent.get(row.id), heads.get(row.id)
        found.append(
            BoxHealth(
                box_id=row.id,
                label=row.label,
                agency=row.name,
                enrolled=row.public_key is not None,
                revoked=row.revoked_day is not None,
                demo=bool(row.demo),
                simulated=generated and row.public_key is None and row.state is None and counts is not None,
                state=None if row.state is None else BoxState(row.state),
                silent=ago is not None and ago > SILENT_AFTER_S,
                heard_ago_s=ago,
                software=row.software or "",
                gpu=row.provider == 1,
                pulses=counts.pulses if counts else 0,
                evidence=counts.evidence if counts else 0,
                late=counts.late if counts else 0,
                held=held.get(row.id, {}),
                missing=missing.get(row.id, 0),
                pools=pools.get(row.id, []),
                log_size=head.size if head else None,
                log_verified=bool(head.verified) if head else None,
                nobody=row.state == BoxState.OK and row.id in nobody,
            )
        )
    return found
