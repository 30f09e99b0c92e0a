"""The content of a province's yearly or quarterly report, in Vietnamese."""

from __future__ import annotations

from pipeline.calendar import Period
from pipeline.language import in_language
from server.core.labels import COMMENT_CODES, POOLING_NAMES
from server.reports.blocks import Block, Heading, Paragraph, Report, TableBlock
from server.reports.charts import Labelled, bar_chart, interval_chart, rank_chart
from server.reports.figures import HEAD, cells, difference, interval, number, ranking
from server.reports.sources import ReportInput, year_before
from server.scores.index import WHOLE, Figure, Place

SIMULATED = "SỐ LIỆU MÔ PHỎNG - không nói gì về một cơ quan có thật"


def make_report(data: ReportInput) -> Report:
    """The report's blocks, charts drawn."""
    yearly = len(data.period.name) == 4
    when = f"năm {data.period.name}" if yearly else _quarter_words(data.period)
    blocks: list[Block] = [
        *_summary(data, when),
        *_method(data),
        *_factors(data),
        *_agencies(data),
        *_groups(data),
        *_channels(data),
        *_compared(data),
        *_feedback(data),
        *_wishes(data),
        *_fused(data),
        *_suspicious(data),
    ]
    return Report(
        title="Báo cáo chỉ số hài lòng của người dân, tổ chức đối với sự phục vụ của cơ quan hành chính nhà nước",
        subtitle=f"{data.result.province_vi}, {when}",
        notice=SIMULATED if data.result.simulated else "",
        blocks=tuple(blocks),
    )


def _quarter_words(period: Period) -> str:
    year, dash, quarter = period.name.partition("-Q")
    if not dash:
        return f"kỳ {period.name}"
    return f"quý {('I', 'II', 'III', 'IV')[int(quarter) - 1]} năm {year}"


def _province(data: ReportInput) -> Place:
    return data.result.of("province")[0]


def _summary(data: ReportInput, when: str) -> list[Block]:
    place = _province(data)
    whole, overall = place.figure(WHOLE), place.figure("overall")
    blocks: list[Block] = [Heading("1. Tóm tắt")]
    if data.result.simulated:
        blocks.append(Paragraph(f"{SIMULATED}.", strong=True))
    if whole.index is None:
        blocks.append(Paragraph(f"Trong {when} chưa có đủ câu trả lời để công bố chỉ số.", strong=True))
        return blocks
    text = (
        f"Trong {when}, {number(place.sheets, 0)} phiếu hợp lệ được tính, với {number(whole.valid, 0)} câu trả lời cho "
        f"các tiêu chí. Chỉ số hài lòng chung là {number(whole.index)} (khoảng tin cậy 95 %: {interval(whole)}). "
        f"Câu hỏi hài lòng chung: {number(overall.index)} ({interval(overall)})."
    )
    if place.response_rate is not None:
        text += f" Số phiếu bằng {number(100 * place.response_rate)} % số giao dịch đã hoàn thành trong kỳ."
    if whole.weighted is not None:
        text += (
            f" Tính theo trọng số khung mẫu, chỉ số là {number(whole.weighted)} "
            f"({number(whole.weighted_low)} – {number(whole.weighted_high)})."
        )
    blocks.append(Paragraph(text))
    best = [f for factor in data.instrument.factors if (f := place.figure(factor.code)).index is not None]
    if best:
        names = {factor.code: factor.vi for factor in data.instrument.factors}
        high = max(best, key=lambda f: f.index or 0.0)
        low = min(best, key=lambda f: f.index or 0.0)
        blocks.append(
            Paragraph(
                f"Yếu tố cao nhất: {names[high.item]} ({number(high.index)}); thấp nhất: {names[low.item]} "
                f"({number(low.index)})."
            )
        )
    sets = ranking(data.result.of("agency"))
    apart = sum(1 for one in sets if one.worst - one.best + 1 < one.of)
    blocks.append(
        Paragraph(
            f"Thứ hạng của {len(sets)} cơ quan chỉ được nêu bằng khoảng hạng. Với {apart} cơ quan, số liệu cho "
            "phép loại "
            "trừ ít nhất một thứ hạng; các cơ quan có khoảng hạng chồng lên nhau không được coi là hơn kém nhau."
        )
    )
    return blocks


def _method(data: ReportInput) -> list[Block]:
    recalled = ", ".join(data.instrument.recalled)
    lines = [
        f"Bộ câu hỏi: {data.instrument.title.vi}, phiên bản {data.instrument.version}. Thang đo năm mức; chỉ số = "
        "100 × "
        "(số câu trả lời “hài lòng” + “rất hài lòng”) / số câu trả lời hợp lệ. "
        f"Chỉ số chung: {in_language(POOLING_NAMES[data.result.pooling], 'vi')}.",
        "Khoảng tin cậy là khoảng Wilson với số câu trả lời hiệu dụng: các câu trong một phiếu và các phiếu trong một "
        "ngày của một cơ quan giống nhau, nên được coi là một cụm; “Deff” là hiệu ứng thiết kế. “Trọng số”: theo số "
        "giao dịch của từng cơ quan và lĩnh vực. “Theo kênh”: nếu mọi cơ quan có cùng cơ cấu kênh như toàn tỉnh.",
        f"Không công bố số liệu dựa trên dưới {data.result.suppress_below} câu trả lời. Chỉ số SIPAS chỉ "
        "tính từ câu "
        "trả lời của người dân, tổ chức; tín hiệu ngầm (khuôn mặt, giọng nói) không tham gia chỉ số này.",
    ]
    if recalled:
        lines.append(
            f"Các phần của bộ câu hỏi chưa đối chiếu với văn bản gốc, có thể cấu hình lại: {recalled}. "
            "Cần xác nhận trước khi công bố chính thức."
        )
    lines += [in_language(note, "vi") for note in data.result.notes]
    return [Heading("2. Phương pháp"), *(Paragraph(line) for line in lines)]


def _factors(data: ReportInput) -> list[Block]:
    place = _province(data)
    rows: list[tuple[str, ...]] = [("Chỉ số chung", *cells(place.figure(WHOLE)))]
    rows.append(("Hài lòng chung (câu 0)", *cells(place.figure("overall"))))
    bold = {0, 1}
    charted = []
    for factor in data.instrument.factors:
        bold.add(len(rows))
        rows.append((f"{factor.code}. {factor.vi}", *cells(place.figure(factor.code))))
        charted.append(Labelled(f"{factor.code}. {factor.vi}", place.figure(factor.code)))
        rows += [
            (f"{item.code}. {item.vi}", *cells(place.figure(item.code)))
            for item in data.instrument.items
            if item.factor == factor.code and item.kind == "criterion"
        ]
    criteria = [Labelled(f"{item.code}. {item.vi}", place.figure(item.code)) for item in data.instrument.criteria]
    blocks: list[Block] = [Heading("3. Kết quả theo yếu tố và tiêu chí")]
    blocks.append(
        TableBlock("Chỉ số theo yếu tố và tiêu chí, toàn tỉnh", ("Nội dung", *HEAD), tuple(rows), bold=frozenset(bold))
    )
    if any(row.figure.index is not None for row in charted):
        blocks.append(interval_chart(charted, "yeu-to", "Chỉ số theo yếu tố với khoảng tin cậy 95 %"))
    if any(row.figure.index is not None for row in criteria):
        blocks.append(interval_chart(criteria, "tieu-chi", "Chỉ số theo tiêu chí với khoảng tin cậy 95 %"))
    facts = [(f"{item.code}. {item.vi}", place.figure(item.code)) for item in data.instrument.facts]
    if facts:
        fact_rows = tuple((text, number(f.valid, 0), number(f.index), interval(f)) for text, f in facts)
        blocks.append(
            TableBlock(
                "Câu hỏi thực tế: tỷ lệ trả lời “Có” (%), không tính vào chỉ số",
                ("Nội dung", "Câu trả lời", "Tỷ lệ", "Khoảng 95 %"),
                fact_rows,
            )
        )
    return blocks


def _agencies(data: ReportInput) -> list[Block]:
    places = data.result.of("agency")
    sets = {one.name: one for one in ranking(places)}
    names = {place.key: place.name_vi for place in places}
    ordered = sorted(places, key=lambda place: -(place.figure(WHOLE).index or -1.0))
    rows = [
        (
            place.name_vi,
            number(place.sheets, 0),
            number(None if place.response_rate is None else 100 * place.response_rate),
            *cells(place.figure(WHOLE))[1:],
            str(sets[place.key]).replace("-", "–") if place.key in sets else "–",
        )
        for place in ordered
    ]
    blocks: list[Block] = [
        Heading("4. Kết quả theo cơ quan"),
        Paragraph(
            "Cột “Khoảng hạng” nêu mọi thứ hạng mà số liệu không thể loại trừ, đúng đồng thời cho tất cả các cơ "
            "quan với "
            "độ tin cậy 95 %. Bảng xếp theo chỉ số để dễ tra cứu, không phải là thứ hạng."
        ),
        TableBlock("Chỉ số chung theo cơ quan", ("Cơ quan", "Phiếu", "TL (%)", *HEAD[1:], "Khoảng hạng"), tuple(rows)),
    ]
    shown = [Labelled(place.name_vi, place.figure(WHOLE)) for place in ordered]
    if sets:
        reference = _province(data).figure(WHOLE).index
        caption = "Chỉ số chung theo cơ quan với khoảng tin cậy 95 %; đường đứt: toàn tỉnh"
        blocks.append(interval_chart(shown, "co-quan", caption, reference=reference))
        caption = "Khoảng hạng của từng cơ quan (đồng thời 95 %)"
        blocks.append(rank_chart(list(sets.values()), names, "khoang-hang", caption))
    return blocks


def _groups(data: ReportInput) -> list[Block]:
    blocks: list[Block] = [Heading("5. Theo cấp hành chính, lĩnh vực và tháng")]
    for dimension, caption, first in (
        ("level", "Chỉ số chung theo cấp hành chính", "Cấp"),
        ("field", "Chỉ số chung theo lĩnh vực", "Lĩnh vực"),
        ("month", "Chỉ số chung theo tháng", "Tháng"),
    ):
        rows = tuple(
            (place.name_vi, number(place.sheets, 0), *cells(place.figure(WHOLE))[1:])
            for place in data.result.of(dimension)
        )
        if rows:
            blocks.append(TableBlock(caption, (first, "Phiếu", *HEAD[1:]), rows))
    return blocks


def _channels(data: ReportInput) -> list[Block]:
    effects = {one.channel: one for one in data.result.effects if one.item == WHOLE}
    rows = []
    for place in data.result.of("channel"):
        if not place.sheets:
            continue
        effect = effects.get(place.key)
        sign = "–" if effect is None else f"{'+' if effect.effect > 0 else ''}{number(effect.effect)}"
        error = "–" if effect is None else f"± {number(effect.error)}"
        rows.append((place.name_vi, number(place.sheets, 0), *cells(place.figure(WHOLE))[1:4], sign, error))
    return [
        Heading("6. Khác biệt giữa các kênh"),
        Paragraph(
            "Cùng một cơ quan có thể được đánh giá khác nhau ở các kênh khác nhau. Cột “Chênh lệch” so với trung "
            "bình toàn "
            "tỉnh, trong cùng cơ quan (điểm chỉ số, ± sai số chuẩn). Chênh lệch gồm cả cách kênh tác động tới "
            "câu trả lời "
            "lẫn việc ai trả lời ở kênh đó."
        ),
        TableBlock(
            "Chỉ số chung theo kênh",
            ("Kênh", "Phiếu", "Chỉ số", "Khoảng 95 %", "Deff", "Chênh lệch", "Sai số"),
            tuple(rows),
        ),
    ]


def _compared(data: ReportInput) -> list[Block]:
    blocks: list[Block] = [Heading("7. So với cùng kỳ năm trước")]
    before_words = year_before(data.period).words("vi")
    if not data.before.of("province")[0].sheets:
        blocks.append(Paragraph(f"Không có số liệu của {before_words} với cùng bộ câu hỏi và phiên bản."))
        return blocks
    before = {place.key: place for place in data.before.of("agency")}
    pairs: list[tuple[str, Figure, Figure]] = []
    now_place, then_place = _province(data), data.before.of("province")[0]
    pairs.append(("Chỉ số chung toàn tỉnh", now_place.figure(WHOLE), then_place.figure(WHOLE)))
    pairs += [
        (f"{factor.code}. {factor.vi}", now_place.figure(factor.code), then_place.figure(factor.code))
        for factor in data.instrument.factors
    ]
    bold = frozenset(range(len(pairs)))
    pairs += [
        (place.name_vi, place.figure(WHOLE), before[place.key].figure(WHOLE))
        for place in data.result.of("agency")
        if place.key in before
    ]
    rows = []
    for name, now, then in pairs:
        change = difference(now, then)
        if change is None:
            rows.append((name, number(then.index), number(now.index), "–", "–", "không so được"))
            continue
        verdict = "tăng" if change[1] > 0 else "giảm" if change[2] < 0 else "chưa thấy khác"
        sign = "+" if change[0] > 0 else ""
        rows.append(
            (
                name,
                number(then.index),
                number(now.index),
                f"{sign}{number(change[0])}",
                f"{number(change[1])} đến {number(change[2])}",
                verdict,
            )
        )
    blocks.append(
        Paragraph(
            "“Tăng” hoặc “giảm” chỉ được nêu khi khoảng tin cậy 95 % của chênh lệch không chứa 0; xét từng dòng "
            "riêng, trong "
            "hai mươi dòng thì trung bình một dòng có thể sai vì ngẫu nhiên."
        )
    )
    header = ("Nội dung", before_words, data.period.words("vi"), "Chênh lệch", "Khoảng 95 %", "Kết luận")
    blocks.append(TableBlock("So sánh với cùng kỳ năm trước", header, tuple(rows), bold=bold))
    return blocks


def _feedback(data: ReportInput) -> list[Block]:
    rows = tuple(
        (
            data.catalogue.agencies[one.agency_id].name_vi,
            number(one.received, 0),
            number(one.answered, 0),
            number(one.in_time, 0),
            number(100 * one.in_time / one.received if one.received else None),
        )
        for one in data.feedback
    )
    total = sum(one.received for one in data.feedback)
    return [
        Heading("8. Phản ánh, kiến nghị (bên cạnh yếu tố E)"),
        Paragraph(f"Tiếp nhận {number(total, 0)} phản ánh, kiến nghị thuộc thẩm quyền trong kỳ."),
        *(
            [
                TableBlock(
                    "Tiếp nhận và trả lời phản ánh, kiến nghị",
                    ("Cơ quan", "Tiếp nhận", "Đã trả lời", "Đúng hạn", "Đúng hạn (%)"),
                    rows,
                )
            ]
            if rows
            else []
        ),
    ]


def _wishes(data: ReportInput) -> list[Block]:
    blocks: list[Block] = [Heading("9. Mong đợi và giải pháp đề xuất")]
    blocks.append(
        Paragraph(
            f"Ý kiến bằng lời do cán bộ đọc và mã hóa. {number(data.uncoded, 0)} ý kiến của kỳ này chưa được mã hóa."
        )
    )
    for kind, caption, name in (
        ("expectation", "Mong đợi của người dân, tổ chức", "mong-doi"),
        ("suggestion", "Giải pháp được đề xuất", "giai-phap"),
    ):
        rows = [(in_language(COMMENT_CODES.get(code, code), "vi"), count) for k, code, count in data.coded if k == kind]
        if rows:
            blocks.append(bar_chart(rows, name, caption, "Số ý kiến"))
            table = tuple((label, number(count, 0)) for label, count in rows)
            blocks.append(TableBlock(caption, ("Nội dung", "Số ý kiến"), table))
    return blocks


def _fused(data: ReportInput) -> list[Block]:
    shown = [one for one in data.fused if one.index_fused is not None]
    if not shown:
        return []
    rows = tuple(
        (
            one.name_vi,
            number(one.index_explicit),
            f"{number(one.explicit_low)} – {number(one.explicit_high)}",
            number(one.index_fused),
            f"{number(one.fused_low)} – {number(one.fused_high)}",
            in_language(one.verdict_words, "vi"),
        )
        for one in shown
    )
    header = ("Cơ quan", "Từ phiếu", "95 %", "Hợp nhất", "95 %", "Tín hiệu ngầm")
    return [
        Heading("10. Ước lượng hợp nhất với tín hiệu ngầm (tham khảo)"),
        Paragraph(
            "Chỉ cho câu hỏi hài lòng chung; đặt bên cạnh, không thay chỉ số SIPAS. Tín hiệu ngầm không nói "
            "gì về phí, "
            "thời hạn hay tính hợp pháp, và không tính cho từng công chức."
        ),
        TableBlock("Hài lòng chung: từ phiếu và hợp nhất", header, rows),
    ]


def _suspicious(data: ReportInput) -> list[Block]:
    by_reason: dict[str, int] = {}
    for one in data.result.set_aside:
        by_reason[one.reason_vi] = by_reason.get(one.reason_vi, 0) + one.sheets
    rows = tuple((reason, number(count, 0)) for reason, count in sorted(by_reason.items(), key=lambda r: -r[1]))
    return [
        Heading("11. Phiếu nghi vấn và nhật ký thay đổi"),
        Paragraph(
            f"{number(sum(by_reason.values()), 0)} phiếu được để riêng vì nghi vấn: không tính, không xóa. Mọi "
            "thay đổi được ghi "
            f"vào nhật ký {number(data.log_entries, 0)} mục; mã kiểm tra cuối: {data.log_head[:32]}."
        ),
        *([TableBlock("Phiếu để riêng theo lý do", ("Lý do", "Số phiếu"), rows)] if rows else []),
    ]
