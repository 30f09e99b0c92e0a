"""Making a report, by a command or beside a page: every file of it at once, with word of how far it is."""

from __future__ import annotations

import io
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

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
FIGURES, PLOTS, PDF, DONE = Message("figures"), Message("plots"), Message("PDF"), Message("done")
Progress = Callable[[float, Message], None]


def make_files(
    engine: Engine, province_id: int, instrument: Instrument, period: Period, lang: str, progress: Progress
) -> dict[str, bytes]:
    """The files of a report by name: DOCX, PDF, XLSX, and every plot as SVG and PNG.

    Raises `StatisticsError` where there are no ratings."""
    progress(0.02, FIGURES)
    fused = agency_scores(engine, province_id, period)
    progress(0.2, FIGURES)
    with read(engine) as connection:
        data = gather(connection, province_id, instrument, period, fused)
    if not data.result.of("province")[0].sheets:
        raise StatisticsError(
            Message("There are no ratings of instrument {code} in {name}.", code=instrument.code, name=period.name),
            Message("Import them, or name another."),
        )
    progress(0.4, PLOTS)
    report = make_report(data, lang)
    stem = f"{data.result.province}-{period.name}-{instrument.code}"
    files = {f"bao-cao-{stem}.docx": report_docx(report)}
    progress(0.7, PDF)
    files[f"bao-cao-{stem}.pdf"] = report_pdf(report)
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
    """A report that is being made. `share`: 0..1; `files`: once it is done; `error`: where it failed."""

    version: Version
    share: float = 0.0
    words: Message = FIGURES
    files: dict[str, bytes] = field(default_factory=dict)
    error: HailongError | None = None

    @property
    def over(self) -> bool:
        """Whether it is done or failed."""
        return bool(self.files) or self.error is not None

    def progress(self, share: float, words: Message) -> None:
        """How far it is."""
        self.share, self.words = share, words


Key = tuple[str, int, str, str, str]


class Reports:
    """The newest reports that pages asked for, made one after the other; held until the figures change."""

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._made: OrderedDict[Key, Making] = OrderedDict()
        self._lock = threading.Lock()
        self._one = threading.Lock()

    def ask(self, engine: Engine, province_id: int, instrument: Instrument, period: Period, lang: str) -> Making:
        """The report, or how far it is; begun where nobody asked for it since the figures last changed."""
        with read(engine) as connection:
            version = version_of(connection, province_id)
        key = (str(engine.url), province_id, f"{instrument.code} {instrument.version}", period.name, lang)
        with self._lock:
            making = self._made.get(key)
            if making is not None and making.version == version and making.error is None:
                self._made.move_to_end(key)
                return making
            making = self._made[key] = Making(version)
            while len(self._made) > self._most:
                self._made.popitem(last=False)

        def work() -> None:
            try:
                with self._one:
                    making.files = make_files(engine, province_id, instrument, period, lang, making.progress)
            except HailongError as error:
                making.error = error
            except Exception:
                _log.exception("a report could not be made")
                making.error = StatisticsError(Message("The report could not be made; the administrator finds why."))

        threading.Thread(target=work, name="report", daemon=True).start()
        return making


REPORTS = Reports()
