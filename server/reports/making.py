"""Making a report, by a command or beside a page: every file of it at once, with word of how far it is."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from sqlalchemy import Engine

from pipeline.calendar import Period
from pipeline.errors import HailongError, StatisticsError
from pipeline.instruments import Instrument
from pipeline.language import Message
from server.documents.blocks import ChartBlock
from server.documents.docx import report_docx
from server.documents.pdf import report_pdf
from server.reports.content import make_report
from server.reports.sources import gather
from server.reports.workbook import index_sheets
from server.scores.fused import agency_scores
from server.scores.held import Version, version_of
from server.store.engine import read

_log = logging.getLogger(__name__)
WAITS, FIGURES, PLOTS = Message("waits until another report is done"), Message("figures"), Message("plots")
WORD, PDF, TABLES, DONE = Message("Word file"), Message("PDF"), Message("tables"), Message("done")
Progress = Callable[[float, Message], None]
Key = tuple[str, int, str, str, str]
OFFERED = (".pdf", ".docx", ".xlsx")
"""Endings of what pages offer; plots stand in these."""


def make_files(
    engine: Engine, province_id: int, instrument: Instrument, period: Period, lang: str, progress: Progress
) -> dict[str, bytes]:
    """The files of a report by name: DOCX, PDF, XLSX, and every plot as SVG and PNG.

    Raises `StatisticsError` where there are no ratings."""
    progress(0.02, FIGURES)
    fused = agency_scores(engine, province_id, period)
    progress(0.3, FIGURES)
    with read(engine) as connection:
        data = gather(connection, province_id, instrument, period, fused)
    if not data.result.of("province")[0].sheets:
        raise StatisticsError(
            Message("There are no ratings of instrument {code} in {name}.", code=instrument.code, name=period.name),
            Message("Import them, or name another."),
        )
    progress(0.43, PLOTS)
    report = make_report(data, lang)
    progress(0.56, WORD)
    stem = f"{data.result.province}-{period.name}-{instrument.code}"
    files = {f"bao-cao-{stem}.docx": report_docx(report)}
    progress(0.63, PDF)
    files[f"bao-cao-{stem}.pdf"] = report_pdf(report)
    progress(0.68, TABLES)
    book = io.BytesIO()
    index_sheets(data.result, instrument, lang).save(book)
    files[f"so-lieu-{stem}.xlsx"] = book.getvalue()
    for block in report.blocks:
        if isinstance(block, ChartBlock):
            files[f"bieu-do-{stem}-{block.name}.svg"] = block.svg.encode()
            files[f"bieu-do-{stem}-{block.name}.png"] = block.png
    progress(1.0, DONE)
    return files


@dataclass(slots=True)
class Making:
    """A report that is being made, one of its `key`'s. `share`: 0..1; `begun_s`: by the monotonic clock; `files`: what
    pages offer, once it is done; `error`: where it failed."""

    key: Key
    number: int
    version: Version
    begun_s: float
    share: float = 0.0
    words: Message = WAITS
    files: dict[str, bytes] = field(default_factory=dict)
    error: HailongError | None = None

    @property
    def over(self) -> bool:
        """Whether it is done or failed."""
        return bool(self.files) or self.error is not None

    def progress(self, share: float, words: Message) -> None:
        """How far it is."""
        self.share, self.words = share, words


class Reports:
    """The newest reports that pages asked for, made one after the other; held until the figures change.

    Whoever waits for one gets it by its number, whatever changed meanwhile: a store changes more often than a large
    report is made, and it would be begun again and again."""

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._made: OrderedDict[int, Making] = OrderedDict()
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._one = threading.Lock()

    def ask(
        self, engine: Engine, province_id: int, instrument: Instrument, period: Period, lang: str, number: int = 0
    ) -> Making:
        """The report, or how far it is; begun where nobody asked for it since the figures last changed. `number`: of
        the one that this reader waits for; 0 or one that is gone: the newest."""
        with read(engine) as connection:
            version = version_of(connection, province_id)
        key = (str(engine.url), province_id, f"{instrument.code} {instrument.version}", period.name, lang)
        with self._lock:
            for making in reversed(self._made.values()):
                waited_for = making.number == number or (making.version == version and making.error is None)
                if making.key == key and waited_for:
                    self._made.move_to_end(making.number)
                    return making
            making = Making(key, next(self._numbers), version, time.monotonic())
            self._made[making.number] = making
            for old in [one.number for one in self._made.values() if one.key == key and one.over][:-1]:
                del self._made[old]  # whoever waited for the last one may not have asked again yet
            while len(self._made) > self._most:
                self._made.popitem(last=False)

        def work() -> None:
            try:
                with self._one:
                    made = make_files(engine, province_id, instrument, period, lang, making.progress)
                making.files = {name: content for name, content in made.items() if name.endswith(OFFERED)}
            except HailongError as error:
                making.error = error
            except Exception:
                _log.exception("a report could not be made")
                making.error = StatisticsError(Message("The report could not be made; the administrator finds why."))

        threading.Thread(target=work, name="report", daemon=True).start()
        return making


REPORTS = Reports()
