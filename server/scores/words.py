"""The words of the statistics' codes: verdicts, and reasons why a figure is wide, missing or was not fused."""

from __future__ import annotations

from collections.abc import Iterable

from calibration.reasons import Reason, Why
from calibration.results import Estimate
from calibration.verdicts import Verdict

VERDICTS: dict[Verdict, tuple[str, str]] = {
    Verdict.EXPLICIT: ("Chỉ từ phiếu đánh giá.", "From ratings alone."),
    Verdict.NOT_CALIBRATED: (
        "Tín hiệu ngầm chưa được hiệu chuẩn: chưa hợp nhất.",
        "The implicit signal is not calibrated yet: nothing was fused.",
    ),
    Verdict.HELPED: ("Tín hiệu ngầm đã thu hẹp khoảng tin cậy.", "The implicit signal narrowed the interval."),
    Verdict.NO_GAIN: (
        "Tín hiệu ngầm không bổ sung thông tin ở đây: giữ kết quả từ phiếu.",
        "The implicit signal adds nothing here: the explicit result stands.",
    ),
    Verdict.MISLEADS: (
        "Tín hiệu ngầm trái với phiếu đánh giá ở đây: giữ kết quả từ phiếu.",
        "The implicit signal contradicts the ratings here: the explicit result stands.",
    ),
    Verdict.NOT_AT_RANDOM: (
        "Người trả lời có mức ngầm khác mọi lượt giao dịch: giữ kết quả từ phiếu, xem kết quả hiệu chỉnh.",
        "Those who rated differ in level from all visits: the explicit result stands, read the corrected one.",
    ),
    Verdict.CORRECTED: (
        "Đã hiệu chỉnh theo mức ngầm của mọi lượt giao dịch.",
        "Re-weighted to the implicit levels of all visits.",
    ),
    Verdict.TOO_FEW: ("Quá ít phiếu: khoảng tin cậy rất rộng.", "Too few ratings: the interval is very wide."),
    Verdict.NO_EVIDENCE: ("Không có bảng tín hiệu ngầm dùng được.", "No usable evidence table."),
    Verdict.NOT_SEPARABLE: (
        "Nhiều nhóm thủ tục chung một bảng mà tỷ lệ trả lời khác nhau: không hợp nhất.",
        "Service groups share a table but respond at different rates: not fused.",
    ),
    Verdict.SUPPRESSED: ("Không công bố: số liệu chưa đủ.", "Not shown: too little to publish."),
}
"""Verdict -> (Vietnamese, English)."""


REASONS: dict[Why, tuple[str, str]] = {
    Why.NO_RATINGS: ("Chưa có phiếu nào trong kỳ này.", "No ratings in this period."),
    Why.NO_SERVICE_GROUPS: ("Không có nhóm thủ tục nào trong kỳ này.", "No service groups in this period."),
    Why.ONE_RATING: (
        "Chỉ có một phiếu: khoảng tin cậy gần như là cả thang đo.",
        "One rating only: the interval is nearly the whole scale.",
    ),
    Why.ALL_EQUAL: (
        "Mọi phiếu giống nhau: khoảng tin cậy chỉ dựa vào số phiếu.",
        "All ratings are equal: the interval comes from their number alone.",
    ),
    Why.CLUSTERED: (
        "Phiếu cùng ngày giống nhau: tính bằng một phần {times}.",
        "Ratings of one day resemble each other: they count {times} times less.",
    ),
    Why.FEWER_THAN_TWO: ("Dưới hai phiếu: không có gì để hợp nhất.", "Fewer than two ratings: nothing to fuse with."),
    Why.NO_TABLE: (
        "Không có bảng tín hiệu ngầm nào phân biệt được với nhiễu.",
        "No evidence table that can be told from its noise.",
    ),
    Why.SHARED_BOXES: (
        "Thiết bị phục vụ cả nhóm thủ tục khác: không có bảng riêng.",
        "Its boxes serve other service groups too: no table of its own.",
    ),
    Why.FEW_PAIRS_BEFORE: (
        "Các kỳ trước mới có {pairs} cặp mức ngầm – phiếu.",
        "{pairs} earlier pairs of level and rating.",
    ),
    Why.DIFFERENT_RESPONSE: (
        "Các nhóm thủ tục dùng chung thiết bị mà tỷ lệ trả lời khác nhau.",
        "Service groups share boxes and respond differently.",
    ),
    Why.FEW_PAIRS_NOW: ("Dưới hai phiếu gặp được lượt giao dịch.", "Fewer than two ratings met a visit."),
    Why.WEAK_SIGNAL: (
        "Tương quan {rho} với {ratings} phiếu và mức nhiễu này không thu hẹp được khoảng tin cậy.",
        "Correlation {rho} with {ratings} ratings and this noise would not narrow it.",
    ),
    Why.CONTRADICTED: (
        "Các cặp của chính cơ quan này thấp hơn hẳn đường cong của nhóm.",
        "This agency's own pairs lie far below its group's curve.",
    ),
    Why.CORRECTION_RESTS_ON_FEW: (
        "Các cặp của chính cơ quan này trái với đường cong của nhóm: kết quả hiệu chỉnh dựa vào ít phiếu.",
        "This agency's own pairs contradict its group's curve: the correction rests on few answers.",
    ),
    Why.SELECTED: (
        "Mức ngầm của lượt có phiếu lệch {z} sai số chuẩn so với mọi lượt.",
        "Rated visits lie {z} standard errors off all visits in level.",
    ),
    Why.UNKNOWN_TRANSACTIONS: (
        "Chưa biết số giao dịch của mọi nhóm thủ tục: phiếu được gộp không có trọng số.",
        "Transactions are not known for every service group: ratings are pooled without weights.",
    ),
    Why.SILENT_GROUPS: (
        "Không có phiếu của nhóm {groups}: trọng số được chuyển cho các nhóm khác.",
        "No ratings of {groups}: its weight was given to the other service groups.",
    ),
    Why.MORE_RATINGS_THAN_TRANSACTIONS: (
        "Có {ratings} phiếu, nhiều hơn {transactions} giao dịch: trọng số không chắc chắn.",
        "More ratings ({ratings}) than transactions ({transactions}): the weights are doubtful.",
    ),
    Why.FEW_AREAS: ("Dưới năm nơi: không mượn thông tin.", "Fewer than five areas: nothing was borrowed."),
    Why.BORROWS: (
        "Mượn thông tin của các nơi khác; số liệu riêng có trọng số {trust}.",
        "Borrows from the other areas; its own figure weighs {trust}.",
    ),
    Why.NO_VISITS: ("Không có lượt nào phân biệt được với nhiễu.", "No visits that can be told from noise."),
    Why.FEW_PAIRS: ("{pairs} cặp mức ngầm – phiếu: quá ít.", "{pairs} pairs of level and rating: too few."),
    Why.NO_VARIATION: ("Mức ngầm hoặc phiếu không thay đổi.", "Level or rating does not vary."),
    Why.FEW_AGENCIES: ("{agencies} cơ quan: quá ít để so sánh.", "{agencies} agencies: too few to compare."),
    Why.AGENCIES_ALIKE: (
        "Các cơ quan không khác nhau quá sai số của chỉ số.",
        "Agencies do not differ beyond the error of their indices.",
    ),
}
"""Reason -> (Vietnamese, English), with the names of its figures in braces."""


def verdict_words(verdict: str, lang: str) -> str:
    """A verdict in words."""
    return VERDICTS[Verdict(verdict)][lang != "vi"]


def reason_words(reason: Reason | str, lang: str) -> str:
    """A reason, or its text as tables hold it, in words."""
    found = Reason.parse(reason) if isinstance(reason, str) else reason
    return REASONS[found.why][lang != "vi"].format(**dict(found.figures))


def reasons_words(texts: Iterable[str], lang: str) -> str:
    """Several reasons' texts in words."""
    return " ".join(reason_words(text, lang) for text in texts)


def estimate_words(estimate: Estimate, lang: str) -> str:
    """An estimate in a few lines."""
    vi = lang == "vi"
    value = ("chưa có" if vi else "none") if estimate.estimate is None else f"{100 * estimate.estimate:.1f}"
    span = f"{100 * estimate.interval.low:.1f} - {100 * estimate.interval.high:.1f}"
    lines = [
        f"{'Hài lòng chung' if vi else 'Overall satisfaction'}: {value}   "
        f"[{100 * estimate.interval.level:.0f}%: {span}]   ({estimate.method})",
        f"n = {estimate.n}   n_eff = {estimate.n_eff:.0f}   N = {estimate.visits:.0f}   rho = {estimate.rho:.2f}   "
        f"lambda = {estimate.lam:.2f}   deff = {estimate.design_effect:.2f}",
        VERDICTS[estimate.verdict][not vi],
    ]
    if estimate.labels_saved > 0:
        saved = f"{estimate.labels_saved:.0f}"
        lines.append(f"Tương đương {saved} phiếu thêm." if vi else f"Worth {saved} more ratings.")
    return "\n".join([*lines, *(f"- {reason_words(reason, lang)}" for reason in estimate.reasons)])
