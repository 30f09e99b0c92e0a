"""What a form program says of a sheet besides its answers: its number, whether it was finished, what became of it.

Tests, previews, drafts and what was thrown away there are no sheets: refused by row. Whatever else a column of states
says is counted by its words in the balance, so that nothing is taken in silence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from pipeline.language import Message
from pipeline.text import without_marks
from server.tabular.columns import STATE
from server.tabular.labels import plain

INSTANCES = ("instance", "instance_id", "key")
"""Columns by which form programs know what was sent once."""
STATES = ("status", "outcome", "sent_by")
"""Columns in which they say what became of it."""
MAX_STATES = 50
"""So many different ones are counted by name."""
_UNFINISHED = frozenset(
    ("0", "no", "n", "false", "f", "khong", "chua", "dangdo", "incomplete", "partial", "unfinished")
)
_REFUSED = frozenset((
    "rejected", "notapproved", "validationstatusnotapproved", "tuchoi", "khongduyet", "khongdat", "surveypreview",
    "surveytest", "spam",
))  # fmt: skip
_REFUSED_IN = re.compile(
    r"\b(?:validation_status_not_approved|not approved|rejected|từ chối|không duyệt)\b", re.IGNORECASE
)
_NO_SHEET = frozenset((
    "test", "tests", "testing", "preview", "spam", "demo", "sample", "training", "draft", "incomplete", "partial",
    "unfinished", "fake", "deleted", "removed", "disqualified", "terminated", "screened", "overquota", "invalid",
    "void", "voided", "duplicate", "cancelled", "canceled", "abandoned", "simulated",
))  # fmt: skip
"""English words that say it."""
_KHONG = frozenset(map(plain, (
    "thử", "thử nghiệm", "phiếu thử", "bản thử", "dữ liệu thử", "chạy thử", "nháp", "bản nháp", "phiếu nháp", "mẫu",
    "phiếu mẫu", "tập huấn", "không hợp lệ", "phiếu hỏng", "hỏng", "trùng", "trùng lặp", "đã xóa", "đã hủy", "hủy",
    "chưa hoàn thành", "chưa xong", "chưa gửi", "bỏ dở", "dở dang", "loại", "bị loại", "loại bỏ", "xem trước",
)))  # fmt: skip
_THIS_IS_NONE = frozenset(("", "0", "no", "n", "false", "f", "khong", "live", "real", "that"))
_COMPLETE = ("complete", "completed", "finished")
_INTERVIEWS = {"65": "RejectedBySupervisor", "125": "RejectedByHeadquarters"} | dict.fromkeys(
    ("0", "20", "40", "60", "80", "85", "95"), "not completed"
)
"""Numbers that Survey Solutions writes for an interview that is no sheet, or not yet; 100, 120 and 130 are one."""
_NUMBERED = frozenset(("responseid", "recordeddate", "distributionchannel"))
_NUMBERED_BITS = 1 | 2 | 8
"""Of the numbers that Qualtrics writes for a status: a preview, a test, probably spam."""


def form_of(cells: Mapping[str, str]) -> str:
    """The code of the form, or the number of what was sent; empty where there is none."""
    return (cells.get("form") or _instance(cells)).upper()


def _instance(cells: Mapping[str, str]) -> str:
    found = next((cells[name] for name in INSTANCES if cells.get(name)), "")
    return found.removeprefix("uuid:") if len(found.removeprefix("uuid:")) <= 40 else ""


class Sent:
    """What the file's program says of its sheets. `states`: what stands in columns of states and was let in."""

    def __init__(self) -> None:
        self.has_submitted = self._is_numbered = self._is_interview = False
        self.states: Counter[str] = Counter()

    def know(self, columns: Iterable[tuple[str, str]]) -> None:
        """The file's columns: (heading, the column that it was read as)."""
        for heading, name in columns:
            self.has_submitted = self.has_submitted or name == "submitted"
            self._is_numbered = self._is_numbered or plain(heading) in _NUMBERED
            self._is_interview = self._is_interview or plain(heading) == "interviewstatus"

    def check(self, cells: Mapping[str, str]) -> None:
        """Raises `ValueError` for what is no sheet."""
        finished = cells.get("finished", "")
        if plain(finished) in _UNFINISHED or (self.has_submitted and not cells.get("submitted")):
            raise _never_sent(finished)
        if _is_refused(review := cells.get("review", "")):
            raise _refused(review)
        if plain(test := cells.get("test", "")) not in _THIS_IS_NONE:
            raise _no_sheet(test)
        for name, text in cells.items():
            if text and (name in (*STATES, "review") or name.startswith(STATE)):
                self._check_state(text, name)

    def _check_state(self, text: str, name: str) -> None:
        if name == "outcome" and self._is_interview and (said := _INTERVIEWS.get(text)):
            raise _refused(f"{text} {said}") if said.startswith("Rejected") else _never_sent(text)
        words = set(re.findall(r"[a-z]+", without_marks(text).replace("over quota", "overquota")))
        is_number = name == "status" and self._is_numbered and text.isascii() and text.isdigit() and len(text) < 4
        if words & _NO_SHEET or plain(text) in _KHONG or (is_number and int(text) & _NUMBERED_BITS):
            raise _no_sheet(text)
        if _is_refused(text):
            raise _refused(text)
        if name.endswith(_COMPLETE) and plain(text) in _UNFINISHED:
            raise _never_sent(text)
        text = f"{name.removeprefix(STATE)}: {text}" if name.startswith(STATE) else text
        if text in self.states or len(self.states) < MAX_STATES:
            self.states[text] += 1


def _is_refused(text: str) -> bool:
    """Whether a reviewer refused the sheet: a word of it, or an object of KoboToolbox that holds one."""
    return plain(text) in _REFUSED or bool(_REFUSED_IN.search(text))


def _refused(text: str) -> ValueError:
    return ValueError(Message("its reviewer refused the sheet ('{text}'): take the row out", text=text[:30]))


def _never_sent(text: str) -> ValueError:
    return ValueError(Message("the sheet was begun and never sent ('{text}'): take the row out", text=text[:30]))


def _no_sheet(text: str) -> ValueError:
    return ValueError(
        Message(
            "its program says that it is a test, a draft or void ('{text}'): take the row out, or name the column as "
            "ignored where it says something else",
            text=text[:30],
        )
    )
