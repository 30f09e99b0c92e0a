"""Figures for the operator's monitoring, in Prometheus' text format, on a port of this machine alone.

Nothing here is moved by a visit or a rating: handshakes, refusals by reason, and how many boxes are heard. How many
batches of ratings came is not among them, as their number tells how many people rated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import HTTPServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from pipeline.calendar import now_s
from pipeline.errors import ConfigError
from pipeline.language import Message
from server.boxes.health import SILENT_AFTER_S
from server.boxes.ingest import Ingest
from server.store.engine import read
from server.store.tables.boxes import boxes, heartbeats

HOST = "127.0.0.1"


class ServerFigures(Collector):
    """Asked at every scrape. A store that does not answer leaves its figures out and says `hailong_store_up 0`."""

    def __init__(self, engine: Engine, ingest: Ingest, clock: Callable[[], float] = now_s) -> None:
        self._engine, self._ingest, self._clock = engine, ingest, clock

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: the store is not asked at registration."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The figures as they are now."""
        turned_away = CounterMetricFamily("hailong_handshakes_turned_away", "Handshakes not let in.", labels=["how"])
        for how, count in self._ingest.turned_away().items():
            turned_away.add_metric([how], count)
        yield turned_away
        dropped = CounterMetricFamily("hailong_messages_dropped", "Messages not taken, by reason.", labels=["reason"])
        for reason, count in sorted(self._ingest.tallies.dropped.items()):
            dropped.add_metric([reason], count)
        yield dropped
        yield from self._of_store()

    def _of_store(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("hailong_store_up", "1 where the store answers.")
        try:
            with read(self._engine) as connection:
                silent = func.coalesce(heartbeats.c.received_s, 0) < int(self._clock()) - SILENT_AFTER_S
                query = (
                    select(silent.label("silent"), func.count().label("boxes"))
                    .select_from(boxes.outerjoin(heartbeats, heartbeats.c.box_id == boxes.c.id))
                    .where(boxes.c.public_key.is_not(None), boxes.c.revoked_day.is_(None))
                    .group_by("silent")
                )
                counts = {bool(row.silent): row.boxes for row in connection.execute(query)}
        except SQLAlchemyError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        heard = GaugeMetricFamily("hailong_boxes", "Enrolled boxes, by whether they are heard.", labels=["heard"])
        heard.add_metric(["yes"], counts.get(False, 0))
        heard.add_metric(["no"], counts.get(True, 0))
        yield heard


def serve_figures(port: int, engine: Engine, ingest: Ingest) -> HTTPServer:
    """Serve `/metrics` on this machine's own `port`; 0 takes a free one. Raises `ConfigError` where it is taken."""
    registry = CollectorRegistry()
    registry.register(ServerFigures(engine, ingest))
    try:
        server, _thread = start_http_server(port, addr=HOST, registry=registry)
    except OSError as error:
        raise ConfigError(
            Message(
                "The address {host}:{port} cannot be opened ({strerror}).",
                host=HOST,
                port=port,
                strerror=error.strerror,
            ),
            Message("Change [metrics] port in server.toml."),
        ) from None
    return server
