"""What the impact assessment says, in Vietnamese and English, from configuration, cards and the audits' results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from edge.capture.redaction import redacted
from edge.config import EdgeConfig
from hailong.audit_report_blocks import Block, Document, bullets, heading, table, text
from hailong.audit_report_vi import FIGURES, SENTENCES
from models.catalogue import Card
from pipeline.audit.schema import evidence_bits, guess_among_levels

Language = Literal["vi", "en"]
_LEFT_OUT = frozenset({"fields", "why"})
"""Figures that `hailong audit schema` prints and that would fill a page here."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything that the document is filled from. `results`: verdicts as `Verdict.as_dict` gives them."""

    config: EdgeConfig
    config_name: str
    cards: tuple[Card, ...]
    results: tuple[dict[str, Any], ...]
    hashes: tuple[tuple[str, str], ...]
    version: str
    today: date

    @property
    def next_review(self) -> date:
        """Six months from now (Decree 356/2025)."""
        month = self.today.month + 6
        return date(self.today.year + (month > 12), (month - 1) % 12 + 1, min(self.today.day, 28))


def write(assessment: Assessment, language: Language) -> Document:
    """The document in one language."""
    page = _Page(assessment, language)
    return Document(language, page.title, page.subtitle, tuple(page.blocks()))


class _Page:
    def __init__(self, assessment: Assessment, language: Language) -> None:
        self.a = assessment
        self._vi = language == "vi"
        self.title = self.t("Đánh giá tác động bảo vệ dữ liệu cá nhân", "Data protection impact assessment")
        self.subtitle = self.t(
            f"{assessment.config.box.agency_label} · Hài Lòng {assessment.version} · ngày {assessment.today:%d/%m/%Y} "
            f"· "
            f"soát xét lại trước {assessment.next_review:%d/%m/%Y}",
            f"{assessment.config.box.agency_label} · Hài Lòng {assessment.version} · {assessment.today.isoformat()} · "
            f"to be reviewed before {assessment.next_review.isoformat()}",
        )

    def t(self, vi: str, en: str) -> str:
        return vi if self._vi else en

    def blocks(self) -> list[Block]:
        return [
            *self._summary(),
            *self._processing(),
            *self._necessity(),
            *self._guarantee(),
            *self._risks(),
            *self._citizen_and_staff(),
            *self._models(),
            *self._audits(),
            *self._limits(),
            *self._hashes(),
        ]

    def _summary(self) -> list[Block]:
        failed = [result["audit"] for result in self.a.results if not result["holds"]]
        checked = len(self.a.results)
        claim = Block(
            "verdict",
            self.t(
                f"{checked - len(failed)} trên {checked} phép kiểm tra xác nhận."
                + (f" Không xác nhận: {', '.join(failed)}." if failed else ""),
                f"{checked - len(failed)} of {checked} audits hold."
                + (f" Not confirmed: {', '.join(failed)}." if failed else ""),
            ),
            holds=not failed,
        )
        t = self.t
        demo = (
            [text(t("Đây là cấu hình trình diễn.", "This is a demo's configuration."))]
            if self.a.config.box.demo
            else []
        )
        return [
            claim,
            *demo,
            text(
                t(
                    "Không khuôn mặt, giọng nói, lời nói hay tín hiệu suy luận chưa thêm nhiễu nào rời thiết bị tại "
                    "quầy. Câu trả lời tự nguyện rời thiết bị mà không kèm tên, "
                    "nhưng có thể liên kết được.",
                    "No face, voice, transcript or un-noised inferred signal leaves the box at the counter. Voluntary "
                    "answers leave without a name and may be linkable.",
                )
            ),
        ]

    def _processing(self) -> list[Block]:
        t, config = self.t, self.a.config
        yes, no = t("có", "yes"), t("không", "no")
        return [
            heading(t("1. Mô tả việc xử lý", "1. Description of the processing")),
            text(
                t(
                    "Thiết bị suy luận từ hình ảnh và âm thanh, chỉ trong bộ nhớ, mức hài lòng ngầm của một lượt giao "
                    "dịch (năm mức, hoặc bỏ trống). Mỗi lượt cộng một vào một ô của bảng đếm. "
                    "Hết kỳ, bảng được thêm nhiễu và gửi qua kênh mã hoá. Máy chủ kết hợp với điểm đánh giá tự nguyện "
                    "thành chỉ số của cơ quan.",
                    "The box infers from pictures and sound, in memory only, the implicit satisfaction of a visit "
                    "(five levels, or abstained). Each visit adds one to one cell of a table. "
                    "At the period's end noise is added, and the table is sent over an encrypted channel. The server "
                    "combines it with voluntary ratings into an agency's index.",
                )
            ),
            table(
                (t("Thiết lập", "Setting"), t("Giá trị", "Value")),
                (t("Cơ quan", "Agency"), config.box.agency_label),
                (t("Máy quay", "Camera"), redacted(config.camera.source)),
                (
                    t("Vùng người dân trong ảnh", "Citizen's region in the picture"),
                    t(f"đa giác {len(config.camera.region)} góc", f"polygon of {len(config.camera.region)} corners")
                    if config.camera.region
                    else t("không có: hộp trình diễn hoặc không có máy quay", "none: a demo, or no camera"),
                ),
                (
                    t("Micrô", "Microphone"),
                    f"{redacted(config.microphone.source)}, {t('kênh', 'channel')} {config.microphone.channel}",
                ),
                (t("Nhận dạng lời nói", "Recognition of words"), yes if config.models.asr else no),
                (t("Lượt bắt đầu và kết thúc theo", "Visits start and end by"), config.visit.by),
                (t("Đã xác nhận treo thông báo", "Notice confirmed"), yes if config.notice.confirmed else no),
                (t("Liên hệ", "Contact"), config.notice.contact or t("chưa ghi", "not given")),
                (t("Máy chủ", "Server"), config.server.address),
            ),
            table(
                (t("Dữ liệu", "Data"), t("Ở đâu, bao lâu", "Where, how long")),
                (
                    t("Khung hình, âm thanh, lời nói, đặc trưng", "Frames, sound, words, features"),
                    t("chỉ trong bộ nhớ thiết bị, trong lượt giao dịch", "in the box's memory only, during the visit"),
                ),
                (
                    t("Bảng đếm chưa có nhiễu", "Counts without noise"),
                    t(
                        f"trong bộ nhớ, và trong một tệp niêm phong; khoá: {config.privacy.at_rest.value}",
                        f"in memory, and in one sealed file; key: {config.privacy.at_rest.value}",
                    ),
                ),
                (
                    t("Bảng đã thêm nhiễu", "Tables with noise"),
                    t(
                        "gửi máy chủ; điều có thể biết về bất kỳ lượt nào bị giới hạn (Mục 3)",
                        "sent to the server; what they tell of any visit is bounded (section 3)",
                    ),
                ),
                (
                    t("Phiếu trả lời tự nguyện", "Voluntary answer sheets"),
                    t("gửi máy chủ, mốc thời gian mịn nhất là ngày", "sent to the server; the day is the finest time"),
                ),
            ),
        ]

    def _necessity(self) -> list[Block]:
        t = self.t
        return [
            heading(t("2. Cần thiết và tương xứng", "2. Necessity and proportionality")),
            bullets(
                t(
                    "Mục đích: đo sự hài lòng ở nơi ít người trả lời phiếu. Chỉ số chính thức chỉ dựa vào điểm đánh "
                    "giá tự nguyện; ước lượng kết hợp luôn đứng bên cạnh, có khoảng tin cậy, và ghi rõ khi tín hiệu "
                    "ngầm không giúp gì.",
                    "Purpose: to measure satisfaction where few people answer. The official index rests on voluntary "
                    "ratings alone; the fused estimate stands beside it with its interval, and it is said where the "
                    "implicit signal does not help.",
                ),
                t(
                    "Ít xâm phạm hơn: không lưu, không gửi hình, tiếng, lời; không nhận dạng ai; không có điểm cho "
                    "từng người dân hay từng cán bộ.",
                    "Less intrusive: no picture, sound or word is kept or sent; nobody is recognised; there is no "
                    "score of a citizen or a named civil servant.",
                ),
                t(
                    "Căn cứ: Luật Bảo vệ dữ liệu cá nhân 91/2025/QH15 và Nghị định 356/2025 (khử nhận dạng được ghi "
                    "chép, kiểm tra định kỳ, không đảo ngược; đánh giá tác động sáu tháng một lần); Luật Trí tuệ nhân "
                    "tạo 134/2025/QH15. Tham chiếu: Đạo luật AI của EU, Điều 5(1)(f), 50(3), Phụ lục III 1(c); NIST "
                    "SP 800-226.",
                    "Law: Personal Data Protection Law 91/2025/QH15 and Decree 356/2025 (de-identification "
                    "documented, audited, never reversed; assessment every six months); AI Law 134/2025/QH15. For "
                    "reference: EU AI Act Art. 5(1)(f), 50(3), Annex III 1(c); NIST SP 800-226.",
                ),
            ),
        ]

    def _guarantee(self) -> list[Block]:
        t, policy = self.t, self.a.config.privacy
        pulse, evidence = policy.pulse_epsilon_milli / 1_000, policy.evidence_epsilon_milli / 1_000
        total = pulse + evidence
        bits, replaced = evidence_bits(total), evidence_bits(2 * total)
        return [
            heading(t("3. Bảo đảm riêng tư", "3. The privacy guarantee")),
            table(
                (t("Mục", "Item"), t("Giá trị", "Value")),
                (t("Đơn vị được bảo vệ", "Privacy unit"), t("một lượt giao dịch", "one visit")),
                (
                    t("Mô hình tin cậy", "Trust model"),
                    t(
                        "tin thiết bị khi đang chạy; không tin mạng, máy chủ, người vận hành",
                        "the running box is trusted; network, server and operators are not",
                    ),
                ),
                (
                    t("Cơ chế", "Mechanism"),
                    t("nhiễu Laplace rời rạc, rút một lần", "discrete Laplace noise, drawn once"),
                ),
                (
                    t("Epsilon của pulse", "Epsilon of a pulse"),
                    f"{pulse:g} ({policy.pulse_kind.name.lower()})" if pulse else t("không gửi", "none"),
                ),
                (
                    t("Epsilon của bảng tháng", "Epsilon of the evidence"),
                    f"{evidence:g} ({policy.evidence_kind.name.lower()})",
                ),
                (
                    t("Một lượt tốn nhiều nhất", "A visit costs at most"),
                    t(
                        f"{total:g} (ngân sách {policy.budget_epsilon_milli / 1_000:g}); với người biết lượt đó có "
                        f"diễn ra: {2 * total:g}",
                        f"{total:g} (budget {policy.budget_epsilon_milli / 1_000:g}); against somebody who knows that "
                        f"it took place: {2 * total:g}",
                    ),
                ),
                (
                    t("Điều có thể biết về một lượt", "What one visit can tell"),
                    t(
                        f"tỷ lệ cược đổi nhiều nhất {bits['odds_factor']:.1f} lần ({replaced['odds_factor']:.1f}); "
                        f"{bits['pointwise_bits']:.1f} bit ({replaced['pointwise_bits']:.1f})",
                        f"odds change by a factor of {bits['odds_factor']:.1f} at most "
                        f"({replaced['odds_factor']:.1f}); {bits['pointwise_bits']:.1f} bits "
                        f"({replaced['pointwise_bits']:.1f})",
                    ),
                ),
                (
                    t(
                        "Đoán đúng mức của một lượt khi biết điểm và mọi lượt khác",
                        "Guess of a level, knowing the rating and all other visits",
                    ),
                    f"{guess_among_levels(evidence):.3f} ({t('trước đó', 'before')} 0.167)",
                ),
                (
                    t("Số cán bộ dùng chung thiết bị", "Clerks on this box"),
                    f"{policy.clerks_per_box}"
                    + (f", {t('gộp', 'pooled')}: {policy.pool_with}" if policy.pool_with else ""),
                ),
            ),
            text(
                t(
                    "Ngoài bảo đảm này: điểm đánh giá tự nguyện; người giao dịch k lần tốn k lần; một lượt bị bộ theo "
                    "dõi tách đôi tính là nhiều lượt.",
                    "Outside of it: voluntary ratings; a person with k visits pays k times; a visit that the tracker "
                    "splits counts as several.",
                )
            ),
        ]

    def _risks(self) -> list[Block]:
        t = self.t
        return [
            heading(t("4. Rủi ro và biện pháp", "4. Risks and measures")),
            table(
                (
                    t("Rủi ro", "Risk"),
                    t("Biện pháp", "Measure"),
                    t("Kiểm chứng", "Verified by"),
                    t("Còn lại", "Residual"),
                ),
                (
                    t("Hình, tiếng, lời bị lưu hoặc gửi", "Pictures, sound or words are kept or sent"),
                    t(
                        "chỉ xử lý trong bộ nhớ; lược đồ khép kín; ghi đè bộ nhớ đã giải phóng",
                        "memory only; closed schema; freed memory is overwritten",
                    ),
                    "audit trace, memory, wire, schema",
                    t("quyền root trên thiết bị đang chạy", "root on the running box"),
                ),
                (
                    t("Suy ra một lượt từ bảng", "A visit is inferred from tables"),
                    t("nhiễu; mỗi kỳ công bố một lần; sổ ngân sách", "noise; one release a period; ledger"),
                    "audit attack, budget",
                    t("như Mục 3", "as in section 3"),
                ),
                (
                    t("Rút nhiễu lần hai từ bản sao đĩa", "A second noise from an old disk"),
                    t("neo vào đỉnh cây mà máy chủ giữ", "anchored to the head that the server keeps"),
                    "audit attack, log",
                    t(
                        "máy chủ thông đồng với người phục hồi đĩa",
                        "a server that conspires with whoever restores the disk",
                    ),
                ),
                (
                    t("Mất cắp thiết bị", "Theft of the box"),
                    t(
                        "tháng đang chạy được niêm phong, khoá không nằm trên đĩa",
                        "the running month is sealed, the key is not on the disk",
                    ),
                    t("ADR 0004, thử nghiệm", "ADR 0004, tests"),
                    t("thiết bị bị lấy khi đang bật", "a box taken while it runs"),
                ),
                (
                    t("Chấm điểm cán bộ", "Scoring of civil servants"),
                    t(
                        "vùng ảnh và kênh áp dụng trước mọi mô hình; gộp từ hai cán bộ",
                        "region and channel before any model; two clerks or more pooled",
                    ),
                    t("nhật ký (số cán bộ)", "the log (number of clerks)"),
                    t("khai báo của người vận hành", "the operator's statement"),
                ),
                (
                    t("Người dân không biết", "Citizens are not aware"),
                    t(
                        "không phân tích khi chưa xác nhận thông báo; từ chối bằng một chạm",
                        "no analysis before the notice is confirmed; one touch opts out",
                    ),
                    t("nhật ký (thông báo)", "the log (notice)"),
                    t("tờ thông báo bị gỡ", "the paper is taken down"),
                ),
                (
                    t("Sai lệch của mô hình", "Errors and bias of models"),
                    t(
                        "bỏ trống khi không chắc; chỉ số chính thức không dùng tín hiệu ngầm",
                        "abstains in doubt; the official index does not use the signal",
                    ),
                    t("thẻ mô hình", "model cards"),
                    t(
                        "khác biệt giữa các nhóm chưa đo tại Việt Nam",
                        "differences between groups are not measured in Vietnam",
                    ),
                ),
            ),
        ]

    def _citizen_and_staff(self) -> list[Block]:
        t = self.t
        return [
            heading(t("5. Quyền của người dân và của cán bộ", "5. Rights of citizens and civil servants")),
            bullets(
                t(
                    "Được thông báo trước, bằng tiếng Việt và tiếng Anh, tại quầy và trên màn hình.",
                    "Notice beforehand, in Vietnamese and English, at the counter and on the tablet.",
                ),
                t(
                    "Từ chối bằng một chạm, bất cứ lúc nào trong lượt; suy luận dừng trong một khung hình. Vẫn được "
                    "đánh giá mà không bị phân tích.",
                    "One touch opts out at any time of the visit; inference stops within one frame. Rating without "
                    "being analysed is possible.",
                ),
                t(
                    "Không có dữ liệu của riêng ai để truy cập, sửa hay xoá: không gì được lưu theo người.",
                    "There are no data of a single person to access, correct or erase: nothing is kept by person.",
                ),
                t(
                    "Khuôn mặt và giọng nói của cán bộ không bao giờ được suy luận; không có điểm theo tên cán bộ.",
                    "The civil servant's face and voice are never inferred; there is no score by a civil servant's "
                    "name.",
                ),
            ),
        ]

    def _models(self) -> list[Block]:
        t = self.t
        rows = [
            (
                card.title,
                f"{card.licence}{' · ' + card.restriction if card.restriction else ''}",
                card.intended_use,
                "; ".join(card.limits[:3]),
            )
            for card in self.a.cards
        ]
        return [
            heading(t("6. Mô hình đang dùng (theo thẻ mô hình)", "6. Models in use (from their cards)")),
            table(
                (
                    t("Mô hình", "Model"),
                    t("Giấy phép", "Licence"),
                    t("Dùng cho", "Intended use"),
                    t("Giới hạn", "Limits"),
                ),
                *rows,
            ),
        ]

    def _audits(self) -> list[Block]:
        t = self.t
        found: list[Block] = [heading(t("7. Kết quả kiểm tra", "7. Results of the audits"))]
        for result in self.a.results:
            claim = result.get("claim_vi" if self._vi else "claim_en", "")
            word = t("ĐÚNG", "holds") if result["holds"] else t("KHÔNG XÁC NHẬN", "does not hold")
            found.append(Block("verdict", f"{result['audit']}: {word}. {claim}", holds=bool(result["holds"])))
            rows = [
                (FIGURES.get(name, name) if self._vi else name.replace("_", " "), shown)
                for name, value in result.get("facts", {}).items()
                if name not in _LEFT_OUT and (shown := _shown(value))
            ]
            if rows:
                found.append(
                    table((t("Số liệu", "Figure"), f"{t('Giá trị', 'Value')} ({result.get('date', '')})"), *rows)
                )
            if result.get("problems"):
                found.append(bullets(*(f"{t('Vấn đề', 'Problem')}: {problem}" for problem in result["problems"][:12])))
            left = [SENTENCES.get(each, each) if self._vi else each for each in result.get("cannot_check", [])]
            if left:
                found.append(bullets(*(f"{t('Không kiểm tra được', 'Not checked')}: {each}" for each in left)))
        return found

    def _limits(self) -> list[Block]:
        t = self.t
        missing = sorted(
            {"schema", "wire", "budget", "log", "attack", "trace", "memory", "retention"}
            - {result["audit"] for result in self.a.results}
        )
        return [
            heading(t("8. Điều chưa được kiểm tra", "8. What has not been checked")),
            text(
                t("Phép kiểm tra không có trong tài liệu này: ", "Audits that this document does not contain: ")
                + (", ".join(missing) or t("không có", "none"))
                + "."
            ),
            text(
                t(
                    "Tài liệu do máy điền từ cấu hình, thẻ mô hình và kết quả kiểm tra. Người phụ trách bảo vệ dữ "
                    "liệu phải đọc, bổ sung hoàn cảnh địa phương và ký.",
                    "This document was filled by a machine from configuration, cards and audits. A data protection "
                    "officer has to read it, add local circumstances, and sign.",
                )
            ),
            table(
                (
                    t("Người lập", "Prepared by"),
                    t("Người phụ trách bảo vệ dữ liệu", "Data protection officer"),
                    t("Ngày", "Date"),
                ),
                ("\u00a0", "\u00a0", "\u00a0"),
            ),
        ]

    def _hashes(self) -> list[Block]:
        t = self.t
        return [
            heading(t("9. Dấu vết (SHA-256)", "9. Fingerprints (SHA-256)")),
            table((t("Tệp", "File"), "SHA-256"), *self.a.hashes),
        ]


def _shown(value: Any) -> str:
    """A figure in a cell; lists of many entries are shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_shown(each)}" for name, each in value.items())
    if isinstance(value, list):
        parts = [_shown(each) for each in value]
        return "; ".join(parts[:8]) + (f"; ... ({len(parts)})" if len(parts) > 8 else "")
    return str(value)
