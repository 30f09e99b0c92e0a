"""Names of columns as people write them, in Vietnamese and English."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache, lru_cache

from pipeline.instruments import OVERALL, Instrument, shipped_instruments
from pipeline.text import one_line, without_marks
from server.tabular.labels import plain

ALIASES: dict[str, tuple[str, ...]] = {
    "form": ("form", "form_code", "mã phiếu", "mã phiếu khảo sát", "id"),
    "agency": (
        "agency",
        "agency_code",
        "cơ quan",
        "mã cơ quan",
        "đơn vị",
        "mã đơn vị",
        "tên cơ quan",
        "departmentName",
    ),
    "counter": ("counter", "quầy", "mã quầy"),
    "day": ("day", "date", "ngày", "ngày trả lời", "ngày khảo sát", "ngày phỏng vấn", "dấu thời gian", "timestamp"),
    "channel": ("channel", "kênh", "hình thức"),
    "service_group": ("service_group", "group", "lĩnh vực", "nhóm thủ tục", "mã lĩnh vực"),
    "service": ("service", "thủ tục", "mã thủ tục"),
    "handling": ("handling", "cơ quan giải quyết", "cơ quan thụ lý", "đơn vị giải quyết"),
    "deciding": ("deciding", "cơ quan quyết định", "cơ quan có thẩm quyền", "cơ quan có thẩm quyền giải quyết"),
    "reasons": ("reasons", "lý do", "lý do không hài lòng"),
    "month": ("month", "tháng"),
    "count": ("count", "transactions", "số giao dịch", "số hồ sơ", "số lượng", "số lượng hồ sơ"),
    "code": ("code", "mã"),
    "name_vi": ("name_vi", "name", "tên", "tên tiếng việt", "họ và tên", "họ tên"),
    "name_en": ("name_en", "tên tiếng anh"),
    "level": ("level", "cấp", "cấp hành chính"),
    "official_code": ("official_code", "departmentId", "mã định danh", "mã định danh đơn vị"),
    "area_code": ("area_code", "mã đơn vị hành chính", "mã hành chính"),
    "first_day": ("first_day", "hiệu lực từ", "ngày thành lập", "từ ngày"),
    "last_day": ("last_day", "hiệu lực đến", "ngày giải thể", "đến ngày"),
    "successor": ("successor", "cơ quan kế thừa", "đơn vị kế thừa", "cơ quan mới"),
    "rank": ("rank", "thứ bậc", "thứ tự"),
    "number": ("number", "số"),
    "field": ("field", "ngành", "mã ngành"),
    "phone": ("phone", "điện thoại", "số điện thoại", "sđt"),
    "organisation": ("organisation", "organization", "tổ chức", "đơn vị công tác", "bưu cục"),
    "expectation": ("expectation", "mong đợi", "kỳ vọng"),
    "review": ("review", "_validation_status", "ReviewState", "review_status", "trạng thái duyệt", "tình trạng duyệt"),
    "instance": (
        "instance",
        "_uuid",
        "ResponseId",
        "response_id",
        "submission_id",
        "mã lượt trả lời",
        "ec5_uuid",
        "interview__id",
        "respondent_id",
        "record_id",
    ),
    "instance_id": ("instanceID", "meta-instanceID", "form.meta.instanceID"),
    "key": ("KEY", "SubmissionKey"),
    "finished": ("finished", "completed", "is_complete", "complete", "đã hoàn thành", "hoàn thành"),
    "submitted": ("submitdate", "date_submitted", "submitted_at", "ngày gửi", "thời điểm gửi"),
    "status": ("status", "response_status", "trạng thái", "trạng thái phiếu", "tình trạng", "tình trạng phiếu"),
    "outcome": ("disposition", "outcome", "interview__status", "response_type", "kết quả phỏng vấn"),
    "sent_by": ("DistributionChannel", "collection_mode", "response_mode"),
    "test": ("test", "is_test", "test_data", "is_test_data", "is_test_response", "preview", "is_preview", "phiếu thử"),
    "flag": ("flag", "nghi vấn"),
    "counted": ("counted", "được tính"),
    "instrument": ("instrument", "bộ câu hỏi"),
    "instrument_version": ("instrument_version", "phiên bản bộ câu hỏi"),
    "period": ("period", "kỳ", "kỳ báo cáo"),
    "unit_type": ("unit_type", "departmentType", "loại đơn vị"),
    "late": ("late", "hồ sơ trễ hạn", "trễ hạn", "số hồ sơ trễ hạn"),
    "complained": ("complained", "hồ sơ bị phản ánh hoặc không hài lòng", "số hồ sơ bị phản ánh, không hài lòng"),
    "dossiers": ("dossiers", "DOSSIER_RECEIVING_SATISFACTION.denominator", "tổng số hồ sơ"),
    "dossiers_good": ("dossiers_good", "DOSSIER_RECEIVING_SATISFACTION.numerator", "hồ sơ hài lòng"),
    "petitions": ("petitions", "PETITION_PROCESSING_ON_TIME.denominator", "tổng số phản ánh, kiến nghị"),
    "petitions_in_time": (
        "petitions_in_time",
        "PETITION_PROCESSING_ON_TIME.numerator",
        "phản ánh, kiến nghị đúng hạn",
    ),
    "petitions_good": (
        "petitions_good",
        "PETITION_HANDLING_SATISFACTION.numerator",
        "phản ánh, kiến nghị hài lòng",
    ),
    "petitions_handled": ("petitions_handled", "PETITION_HANDLING_SATISFACTION.denominator"),
    "petitions_procedure": ("petitions_procedure", "PETITION_CLASSIFICATION_TTHC.numerator"),
    "petitions_staff": ("petitions_staff", "PETITION_CLASSIFICATION_STAFF.numerator"),
    "question": ("question", "câu hỏi về bản thân", "biên", "margin"),
    "choice": ("choice", "lựa chọn", "phương án"),
    "people": ("people", "dân số", "số người", "population"),
    "year": ("year", "năm"),
    "indicator": ("indicator", "chỉ tiêu", "tiêu chí"),
    "self_score": ("self_score", "tự chấm", "điểm tự chấm"),
    "verified_score": ("verified_score", "thẩm định", "điểm thẩm định"),
    "total_score": ("total_score", "totalScore", "tổng điểm"),
    "suggestion": ("suggestion", "giải pháp", "đề xuất", "kiến nghị giải pháp"),
}
_OWN = {
    plain(f"{prefix} {noun}"): name
    for prefix, name in (("mã", "code"), ("tên", "name_vi"))
    for noun in ("cơ quan", "đơn vị", "quầy", "thủ tục", "lĩnh vực", "cấp", "điều tra viên")
}
"""In a list of agencies `mã cơ quan` is the code and `tên cơ quan` the name of the row itself; elsewhere both name the
agency that a row belongs to."""
_BY_TEXT = {plain(text): name for name, texts in ALIASES.items() for text in texts}
_CODED = re.compile(
    r"^(?:(?:câu|câu hỏi|tiêu chí|mục|chỉ số|question|item|q)[ .]*)?([A-Z]\d{1,2})(?![A-Za-z0-9])(.*)$", re.IGNORECASE
)
"""A heading that begins with an item's code, such as `D2. Thái độ phục vụ`, `Câu D2`."""
_CODE_ALONE = re.compile(r"([A-Z]\d{1,2})(?:[.:) ]|$)", re.IGNORECASE)
_NUMBERED = re.compile(r"^\d{1,2} ?[.)] ?(?=\D)")
_QUESTION = re.compile(r"^(?:câu|câu hỏi|tiêu chí|question|item|q)[ .]*\d{1,2}(?![A-Za-z0-9])", re.IGNORECASE)
_SET = re.compile(r"<[^<>]{1,80}>|\*\*|__")
_LEADING = re.compile(r"^[\s*#(\[{•·–-]+(?=[A-Za-zÀ-ỹ])")
STATE = "state:"
"""How the name of a further column begins that says what became of a sheet, whatever its program calls it."""
_HOW_MANY = re.compile(
    r"(?:tong )?(?:so (?:luong|luot|phieu|y kien|cau tra loi|nguoi tra loi|lan xuat hien)|tan (?:so|suat)|luot)"
    r"(?: (?:phieu|y kien|nguoi|luot|tra loi|danh gia|khao sat|binh chon|hop le|thu ve))*"
    r"|(?:number of |total )?(?:counts?|frequency|freq|n|quantity|responses|respondents|votes|answers|sheets)"
    r"|(?:count|frequency|number) of (?:responses|respondents|sheets|answers)"
)
"""A heading that says for how many sheets a row stands."""
_STATE = re.compile(
    r"(?:^|[ _.-])(?:status|tags?|review_quality|disposition|preview|tests?|complete|completed|finished|validity"
    r"|trang thai|tinh trang|hop le|phieu thu)(?:$|[ _.:-])"
)
_OF_PROGRAMS = frozenset(
    (
        "form",
        "instance",
        "instance_id",
        "key",
        "review",
        "finished",
        "submitted",
        "status",
        "outcome",
        "sent_by",
        "test",
    )
)
"""Columns in which form programs say what became of a sheet."""
_WITH_TEXT = re.compile(r"^([A-Za-z_]\w*)(?:\. ?|: | \[)(?=\S)", re.ASCII)
"""A column's code before its wording, such as `submitdate. Date submitted`."""
_OF_A_REVIEW = re.compile(r"_?validation_status\.(?:by_whom|timestamp|color|(label))", re.IGNORECASE)
"""Fields beside `_validation_status.uid` of KoboToolbox; the label says the same in the reader's language."""
_FIELD = re.compile(r"(?:[A-Za-z_]\w*\.)+([A-Za-z_]\w*)", re.ASCII)
"""A field within an object of JSON, such as `__system.reviewState` of ODK Central."""
_GROUPS = re.compile(r"[A-Za-z_]\w*(?:\[\d{1,4}\])?(?:[/:-][A-Za-z_]\w*(?:\[\d{1,4}\])?)+", re.ASCII)
_TAIL = re.compile(r"\[|: |\.(?=\S)| [-–—|>] | ?/ ?")
"""Where in a heading the row of a grid may begin, as in `Đánh giá [Thái độ phục vụ]`."""
_BRACKETS = re.compile(r" ?(?:\([^()]*\)|:|\*)$")
MIN_LETTERS = 6
"""Of a wording with which a longer heading may begin by chance."""
_PART = re.compile(r"[._-]\d")
"""Behind an item's code: a part of the question, or a column that was there twice (`C1.1`)."""
_TURN = re.compile(r"\[\d+\]")
"""Which turn of a group that is asked again (`members[2]/C1`)."""
_NAME = re.compile(r"^name_[a-z]{2,3}$", re.ASCII)
"""A name in a language (ISO 639), such as `name_tyz` for Tày."""
_SLOT = re.compile(r"^a(\d\d)$")
_SHORT = re.compile(r"([A-Za-z])(\d)")
_OF_A_CODE = re.compile(r"([A-Za-z]{1,3}\d+)[^A-Za-z0-9]+\d+[^A-Za-z0-9]*")
"""A part of a question, or its second column (`A1.1` of pandas, `A1 (1)`): never what it is without its dot."""


def recognise(instrument: Instrument | None = None) -> dict[str, str]:
    """Plain header text -> column name; the instrument's items as `item:CODE`."""
    known = dict(_BY_TEXT)
    if instrument is not None:
        known[plain("hài lòng chung")] = known[OVERALL] = f"item:{OVERALL}"
        for item in instrument.items:
            if item.kind == "text":  # free words do not come with a sheet
                continue
            known[plain(item.code)] = known[plain(item.vi)] = f"item:{item.code}"
            known.setdefault(plain(item.en), f"item:{item.code}")
        for item in instrument.items:  # `A01` is `A1`, where no item has that code of its own
            if item.kind != "text" and (short := _SHORT.fullmatch(item.code)):
                known.setdefault(plain(f"{short[1]}0{short[2]}"), f"item:{item.code}")
    return known


def is_answer_column(name: str | None) -> bool:
    """Whether a recognised column holds answers."""
    return name is not None and (name.startswith("item:") or name == "reasons")


Recogniser = Callable[[str], "str | None"]


def recogniser(
    instrument: Instrument | None = None, columns: Collection[str] | None = None, *, any_name: bool = False
) -> Recogniser:
    """What finds the column of a heading: `columns` of a kind (None: all), and the instrument's items as `item:CODE`.
    `any_name`: also `name_` and the code of a language, whichever it is.

    A heading that begins with an item's code is that item. One that looks like an item and is none of the instrument,
    or asks what another one asks, or says for how many sheets a row stands gets a name that begins with `?`: it is a
    mistake, not a remark."""
    known = recognise(instrument)
    others = _questions_of_others(instrument) if instrument is not None else frozenset()
    codes = frozenset(item.code.casefold() for item in instrument.items) if instrument is not None else frozenset()

    @lru_cache(maxsize=2_000)
    def name(heading: str) -> str | None:
        text = _bare(one_line(heading))
        if any_name and _NAME.match(text.casefold()):
            return text.casefold()
        found = known.get(plain(text)) or known.get(plain(_NUMBERED.sub("", text))) or _in_groups(text, known)
        part = _OF_A_CODE.fullmatch(text)
        if part and text.casefold() not in codes and any(map(is_answer_column, (found, known.get(plain(part[1]))))):
            return f"?{text}"
        if found is None and (head := _WITH_TEXT.match(text)) and known.get(plain(head[1])) in _OF_PROGRAMS:
            found = known[plain(head[1])]
        if beside := _OF_A_REVIEW.fullmatch(text):
            return _state(text) if beside[1] and instrument is not None else None
        if found is None and (field := _FIELD.fullmatch(text)) and known.get(plain(field[1])) in ("review", "outcome"):
            found = known[plain(field[1])]
        if instrument is not None and (found is None or found not in ALIASES):
            found = found or _item(text, known, others) or _set_about(text, known)
            found = found or _row_of_grid(text, known) or _state(text)
            if found is None and plain(text) in others:
                found = f"?{text}"
        if instrument is not None and (found in (None, "count")) and _HOW_MANY.fullmatch(without_marks(text)):
            found = f"?{text}"
        if columns is not None and (
            found is None or (not found.startswith(("item:", "?", STATE)) and found not in columns)
        ):
            own = _OWN.get(plain(text))
            return own if own in columns else None
        return found

    return name


def _questions_of_others(instrument: Instrument) -> frozenset[str]:
    """Plain wordings of what other shipped instruments ask, and this one does not."""
    return _questions_of_all() - _questions((instrument,))


@cache
def _questions_of_all() -> frozenset[str]:
    return _questions(shipped_instruments())


def _questions(instruments: Iterable[Instrument]) -> frozenset[str]:
    return frozenset(plain(words) for one in instruments for item in one.items for words in (item.vi, item.en))


def _state(text: str) -> str | None:
    return f"{STATE}{plain(text)}" if _STATE.search(without_marks(text)) else None


def _bare(text: str) -> str:
    """A heading without what form programs set it with: `<b>D2</b>`, `**D2.**`, `(D2)`, `[D2]`."""
    return _LEADING.sub("", _SET.sub("", text)) or text


def _in_groups(text: str, known: Mapping[str, str]) -> str | None:
    """The column of a name with the form's groups before it (`sec_c/C1`, `sec_c:C1`; an item also as `sec_c-C1`). A
    part of a question, such as `reasons/r1`, is no column, but looks like answers."""
    if not _GROUPS.fullmatch(text):
        return None
    if text.casefold() == "formhub/uuid":  # of the form, not of what was sent
        return None
    *groups, last = (known.get(plain(part)) for part in re.split("[/:-]", _TURN.sub("", text)))
    if any(is_answer_column(group) for group in groups):
        return f"?{text}"
    return last if "-" not in text or is_answer_column(last) else None


def _set_about(text: str, known: Mapping[str, str]) -> str | None:
    """An item's wording, or `overall`, with something behind it: in brackets it is that item (`Hài lòng chung (1-5)`);
    else it looks like answers."""
    bare = _BRACKETS.sub("", text)
    if bare != text and is_answer_column(found := known.get(plain(bare))):
        return found
    whole = plain(text)
    is_longer = (name for name, column in known.items() if len(name) >= MIN_LETTERS and is_answer_column(column))
    return f"?{text}" if any(whole.startswith(name) for name in is_longer) else None


def _row_of_grid(text: str, known: Mapping[str, str]) -> str | None:
    """A question with an item behind it looks like answers, but may be reasons: whoever knows says it."""
    for cut in _TAIL.finditer(text):
        tail = text[cut.end() :].rstrip("] ")
        coded = _CODE_ALONE.match(tail)
        if is_answer_column(known.get(plain(tail))) or (coded and is_answer_column(known.get(plain(coded[1])))):
            return f"?{text}"
    return None


def _item(text: str, known: Mapping[str, str], others: Collection[str]) -> str | None:
    if match := _CODED.match(text):
        found = known.get(plain(match[1]))
        says = known.get(plain(match[2]))  # the wording behind the code, where it is an item's own
        is_own = says == found or (says is None and plain(match[2]) not in others and not _PART.match(match[2]))
        return found if found and found.startswith("item:") and is_own else f"?{text}"
    return f"?{text}" if _SLOT.match(text) or _QUESTION.match(text) else None
