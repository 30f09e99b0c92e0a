"""What the implicit signal adds at every agency, made beside the page: no page waits for it longer than a moment."""

from __future__ import annotations

import logging
import threading
from collections.abc import Hashable, Mapping

from sqlalchemy import Engine

from pipeline.calendar import Period
from server.scores.fused import AgencyScore, agency_scores
from server.scores.held import Held, version_of
from server.store.engine import read

WAIT_S = 4.0
"""How long a page waits; then it is sent without, and says so."""
AGAIN_S = 0.2
"""How long it waits where another page has begun to: for hundreds of agencies the analysis takes minutes."""
_log = logging.getLogger(__name__)
_held: Held[Mapping[str, AgencyScore]] = Held(6)
_making: dict[Hashable, threading.Thread] = {}
_lock = threading.Lock()


def signals(engine: Engine, province_id: int, period: Period) -> Mapping[str, AgencyScore] | None:
    """By the agencies' codes; None while it is still being made."""
    with read(engine) as connection:
        version = version_of(connection, province_id)
    of = (province_id, period)
    found = _held.look(of, version)
    if found is not None:
        return found

    def make() -> None:
        try:
            _held.get(of, version, lambda: {one.id: one for one in agency_scores(engine, province_id, period)})
        except Exception:  # the page is there without it; the next one tries again
            _log.exception("the implicit signal of a province could not be analysed")

    with _lock:
        thread = _making.get((of, version))
        begun = thread is None or not thread.is_alive()
        if thread is None or begun:
            for old in [key for key, one in _making.items() if not one.is_alive()]:
                del _making[old]
            thread = _making[of, version] = threading.Thread(target=make, name="signals", daemon=True)
            thread.start()
    thread.join(WAIT_S if begun else AGAIN_S)
    return _held.look(of, version)
