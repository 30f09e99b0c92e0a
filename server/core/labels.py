"""Names that pages, reports and files show, in Vietnamese and English."""

from __future__ import annotations

POOLING_NAMES: dict[str, tuple[str, str]] = {
    "pooled_answers": ("gộp mọi câu trả lời của các tiêu chí", "all answers to the criteria pooled"),
    "weighted_factors": ("trung bình có trọng số của các yếu tố", "weighted mean of the factors"),
    "overall_question": ("câu hỏi hài lòng chung", "the overall question alone"),
}
DIMENSION_NAMES: dict[str, tuple[str, str]] = {
    "province": ("Toàn tỉnh", "Province"),
    "agency": ("Cơ quan", "Agency"),
    "level": ("Cấp hành chính", "Level"),
    "field": ("Lĩnh vực", "Field"),
    "service_group": ("Nhóm thủ tục", "Service group"),
    "service": ("Thủ tục", "Service"),
    "channel": ("Kênh", "Channel"),
    "month": ("Tháng", "Month"),
}
FEEDBACK_CATEGORIES: dict[str, tuple[str, str]] = {
    "procedure": ("Thủ tục, hồ sơ", "Procedure, dossier"),
    "attitude": ("Thái độ phục vụ", "Attitude"),
    "delay": ("Chậm trễ", "Delay"),
    "cost": ("Chi phí ngoài quy định", "Costs beyond the fee"),
    "facility": ("Cơ sở vật chất", "Facilities"),
    "other": ("Khác", "Other"),
}
FEEDBACK_STATES: dict[str, tuple[str, str]] = {
    "received": ("Đã tiếp nhận", "Received"),
    "forwarded": ("Đã chuyển xử lý", "Forwarded"),
    "answered": ("Đã trả lời", "Answered"),
    "rejected": ("Không thuộc thẩm quyền", "Not within competence"),
}
COMMENT_CODES: dict[str, tuple[str, str]] = {
    "shorter_time": ("Rút ngắn thời gian giải quyết", "Shorter time"),
    "online": ("Mở rộng dịch vụ trực tuyến", "More online services"),
    "attitude": ("Cải thiện thái độ phục vụ", "Better attitude"),
    "skills": ("Nâng cao năng lực công chức", "Better skilled staff"),
    "information": ("Công khai, cung cấp thông tin tốt hơn", "Better information"),
    "facilities": ("Cải thiện cơ sở vật chất", "Better facilities"),
    "simpler_dossier": ("Đơn giản hóa hồ sơ, giấy tờ", "Simpler dossiers"),
    "lower_cost": ("Giảm phí, lệ phí", "Lower fees"),
    "feedback": ("Xử lý tốt hơn góp ý, phản ánh", "Better handling of feedback"),
    "other": ("Khác", "Other"),
}
PLAN_WORDS: dict[str, tuple[str, str]] = {
    "province": ("toàn tỉnh", "the province"),
    "level": ("từng cấp", "each level"),
    "agency": ("từng cơ quan", "each agency"),
    "proportional": ("theo số giao dịch", "by transactions"),
    "neyman": ("Neyman, có chi phí", "Neyman, with cost"),
}
IMPORT_FIGURES: dict[str, tuple[str, str]] = {
    "rows": ("dòng trong tệp", "rows in the file"),
    "added": ("thêm mới", "added"),
    "existing": ("đã có trong kho", "already in the store"),
    "changed": ("sửa", "changed"),
    "unchanged": ("giữ nguyên", "unchanged"),
    "set_aside": ("gác vì nghi vấn", "set aside as suspicious"),
    "by_agency": ("theo cơ quan", "by agency"),
}
IMPORT_KINDS: dict[str, tuple[str, str]] = {
    "ratings": ("phiếu trả lời", "answer sheets"),
    "transactions": ("số giao dịch (khung mẫu)", "transactions (sampling frame)"),
    "levels": ("cấp hành chính", "levels"),
    "fields": ("ngành, lĩnh vực", "fields"),
    "agencies": ("cơ quan", "agencies"),
    "counters": ("quầy", "counters"),
    "service_groups": ("nhóm thủ tục", "service groups"),
    "services": ("thủ tục", "services"),
    "enumerators": ("điều tra viên", "enumerators"),
    "phones": ("số điện thoại để hỏi", "phone numbers to ask"),
}
