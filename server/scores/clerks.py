"""No figure of one clerk: which releases may be used, by the clerks whom the boxes of a window serve.

A box that serves one clerk sends that clerk's score (`docs/adr/0008`, `docs/adr/0057`). So releases of an agency are
used window by window, and only where the boxes that sent for the window serve two clerks or more together. A one-clerk
box with a pool label counts only with boxes of its pool. The rule is by the smallest period that is sent, not by the
quarter that is shown: otherwise a quarter less its other months would be one clerk's.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from pipeline.language import Message
from pipeline.release_kind import ReleaseKind
from server.core.scope import Scope
from server.scores.sums import RELEASES, run
from server.store.tables.releases import releases

CLERKS_NEEDED = 2

LEFT_OUT = Message(
    "Implicit tables were left out: the boxes that sent them serve one clerk, so that they would be this person's "
    "score. The explicit index stands."
)
"""For evidence."""

PULSES_LEFT_OUT = Message("Pulses are left out: the boxes that sent them serve one clerk.")
"""For pulses."""

_WINDOW = ("province_id", "agency_id", "kind", "period_kind", "period_index")


def releases_table() -> Any:
    """The table of releases as the rule reads it, not yet bound to a data base."""
    import ibis

    return ibis.table({"id": "int64", "held": "string", **RELEASES}, name="releases")


def boxes_table() -> Any:
    """The table of boxes as the rule reads it, not yet bound to a data base."""
    import ibis

    return ibis.table({"id": "int64", "clerks": "int64", "pool": "string"}, name="boxes")


def pools_table() -> Any:
    """The table of a hall's pools as the rule reads it, not yet bound to a data base."""
    import ibis

    return ibis.table({"box_id": "int64", "pool": "int64", "clerks": "int64"}, name="box_pools")


def marked_releases(releases: Any, boxes: Any, pools: Any) -> Any:
    """The releases with one more column, `shown` (boolean): whether they may be used.

    `releases`: all of a window or none (it may be narrowed by province, agency, kind and period, never by box). A
    box's pool counts once in a window, however many releases it sent, with the fewest clerks that were ever stated."""
    import ibis

    window = list(_WINDOW)
    serving = boxes.select(box_id=boxes.id, of_box=boxes.clerks, label=boxes.pool)
    stated = pools.group_by(["box_id", "pool"]).aggregate(stated=pools.clerks.min())
    sent = releases.select(*window, "box_id", "pool").distinct().inner_join(serving, "box_id")
    sent = sent.left_join(stated, ["box_id", "pool"]).select(*window, "box_id", "pool", "of_box", "label", "stated")
    sent = sent.mutate(clerks=sent.stated.coalesce(sent.of_box))
    sent = sent.mutate(of_label=sent.clerks.sum().over(ibis.window(group_by=[*window, "label"])))
    counted = (sent.label == "") | (sent.of_label >= CLERKS_NEEDED)
    sent = sent.mutate(counted=counted, counting=counted.ifelse(sent.clerks, 0))
    sent = sent.mutate(together=sent.counting.sum().over(ibis.window(group_by=window)))
    verdicts = sent.select(*window, "box_id", "pool", shown=sent.counted & (sent.together >= CLERKS_NEEDED))
    return releases.inner_join(verdicts, [*window, "box_id", "pool"])


def shown_releases(province_id: int, kind: ReleaseKind, agency_id: int | None = None, but: Collection[int] = ()) -> Any:
    """The releases of one kind of a province (or of one agency) that may be used, but for those of some ids."""
    marked = _marked(province_id, kind, agency_id, frozenset(but))
    return marked.filter(marked.shown)


def any_release(connection: Connection, province_id: int, kind: ReleaseKind, agency_id: int | None = None) -> bool:
    """Whether there is any release of a kind at all, shown or not."""
    query = Scope(province_id, agency_id).select(releases, releases.c.id).where(releases.c.kind == kind.name).limit(1)
    return connection.execute(query).first() is not None


def left_out(connection: Connection, province_id: int, kind: ReleaseKind, agency_id: int | None = None) -> list[Any]:
    """The windows of which something may not be used. Rows: agency_id, period_kind, period_index, last_day (of
    receipt)."""
    if not any_release(connection, province_id, kind, agency_id):
        return []
    marked = _marked(province_id, kind, agency_id)
    hidden = marked.filter(~marked.shown)
    keys = ["agency_id", "period_kind", "period_index"]
    return run(connection, hidden.group_by(keys).aggregate(last_day=hidden.received_day.max()))


@lru_cache(maxsize=128)
def _marked(province_id: int, kind: ReleaseKind, agency_id: int | None, but: frozenset[int] = frozenset()) -> Any:
    """What is held back (`server.boxes.release_gate`) is as if it had not come."""
    rows = Scope(province_id, agency_id).filter(releases_table())
    rows = rows.filter(rows.kind == kind.name, rows.held.isnull())
    if but:
        rows = rows.filter(~rows.id.isin(sorted(but)))
    return marked_releases(rows, boxes_table(), pools_table())
