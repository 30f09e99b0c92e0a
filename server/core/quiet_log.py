"""The server's log: what failed and where, without the words of errors that may hold what somebody sent.

`invalid literal for int(): '0912345678'`, a `KeyError`, what Pydantic says of a body: an error's words quote values. Of
an error that is neither ours, nor of the disk or the data base (which quotes no row: `server.store.engine`), the log
has its kind and the lines of code that led to it.
"""

from __future__ import annotations

import logging
import traceback
from types import TracebackType
from typing import TextIO

from sqlalchemy.exc import SQLAlchemyError

from pipeline.errors import HailongError

_TELL = (HailongError, OSError, SQLAlchemyError)
_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class QuietFormatter(logging.Formatter):
    """Formats an error without its words."""

    def formatException(self, ei: _Raised) -> str:  # noqa: N802
        """The traceback of an error, and of those before it."""
        return "" if ei[1] is None else "".join(_told(ei[1])).rstrip()


def _told(error: BaseException) -> list[str]:
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = [*_told(before), "\nThereupon:\n\n"] if before is not None else []
    lines += ["Traceback (most recent call last):\n", *traceback.format_tb(error.__traceback__)]
    words = f": {error}" if isinstance(error, _TELL) else ""
    lines.append(f"{type(error).__name__}{words}\n")
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            lines += _told(each)
    return lines


def begin_log(stream: TextIO) -> None:
    """All that the server's process logs goes there, from here on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(QuietFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
