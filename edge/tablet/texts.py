"""Everything the tablet says, Vietnamese and English."""

from __future__ import annotations

from typing import Literal

Language = Literal["vi", "en"]

_TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Đánh giá sự phục vụ", "Rate the service"),
    "welcome": ("Ông/Bà có hài lòng về sự phục vụ hôm nay không?", "How satisfied are you with today's service?"),
    "begin": ("Bắt đầu đánh giá", "Start rating"),
    "begin_hint": ("{count} câu hỏi · tự nguyện, không ghi tên", "{count} questions · voluntary, without your name"),
    "begin_hint_one": ("1 câu hỏi · tự nguyện, không ghi tên", "1 question · voluntary, without your name"),
    "other_language": ("English", "Tiếng Việt"),
    "notice": ("Thông báo về quyền riêng tư", "Privacy notice"),
    "notice_short": (
        "Tại quầy này, máy nhận biết cảm xúc qua khuôn mặt và giọng nói để đo sự hài lòng. "
        "Không ghi hình, không ghi âm, không nhận ra Ông/Bà là ai.",
        "At this counter, a machine estimates satisfaction from face and voice. "
        "No picture or sound is kept, and it does not recognise who you are.",
    ),
    "notice_off": (
        "Tại quầy này không có phân tích khuôn mặt hay giọng nói. Chỉ có phiếu đánh giá tự nguyện.",
        "No face or voice is analysed at this counter. There is only the voluntary rating.",
    ),
    "more": ("Đọc thông báo đầy đủ", "Read the full notice"),
    "m_title": ("Các mô hình trong hộp này", "The models in this box"),
    "m_lead": (
        "Thẻ của từng mô hình: nguồn, giấy phép, dữ liệu đã học, kết quả đo, giới hạn. Nội dung thẻ bằng tiếng Anh.",
        "Each model's card: source, licence, data that it learnt from, measured results, limits.",
    ),
    "m_link": ("Các mô hình trong hộp", "The models in this box"),
    "m_licence": ("Giấy phép", "Licence"),
    "m_data": ("Dữ liệu và điều khoản", "Data and their terms"),
    "m_metrics": ("Kết quả đo", "Measured"),
    "m_limits": ("Giới hạn", "Limits"),
    "m_not_for": ("Không được dùng để", "Must not be used for"),
    "opt_out": ("Không phân tích tôi", "Do not analyse me"),
    "opt_out_hint": (
        "Dừng ngay cho lượt này. Không ảnh hưởng đến việc giải quyết hồ sơ.",
        "Stops at once for this visit. It changes nothing about your request.",
    ),
    "opted_out": ("Đã dừng phân tích cho lượt này.", "The analysis of this visit has stopped."),
    "opted_out_hint": (
        "Hộp chỉ còn xem có người ở quầy hay không, để biết lượt này đã kết thúc. Ông/Bà vẫn có thể đánh giá nếu muốn.",
        "The box only looks whether somebody is at the counter, to know when this visit is over. You can still rate.",
    ),
    "pair": ("Ghép máy tính bảng này với hộp", "Pair this tablet with the box"),
    "pair_hint": (
        "Nhập mã dùng một lần. Mã hiện trong nhật ký của hộp và khi chạy: hailong edge check.",
        "Type the one-time code. It stands in the box's journal, and in: hailong edge check.",
    ),
    "pair_code": ("Mã ghép", "Code"),
    "pair_send": ("Ghép", "Pair"),
    "pair_wrong": (
        "Mã không đúng hoặc đã hết hiệu lực. Tạo mã mới: hailong edge check --pair-tablet.",
        "The code is wrong, or void. A new one: hailong edge check --pair-tablet.",
    ),
    "question": ("Câu {number}/{count}", "Question {number} of {count}"),
    "skip": ("Bỏ qua câu này", "Skip this question"),
    "back": ("Quay lại", "Back"),
    "cancel": ("Thôi, không đánh giá", "Stop, do not rate"),
    "reasons": ("Điều gì khiến Ông/Bà chưa hài lòng?", "What were you not satisfied with?"),
    "reasons_hint": ("Có thể chọn nhiều mục, hoặc không chọn mục nào.", "Choose several, or none."),
    "send": ("Gửi đánh giá", "Send rating"),
    "thanks": ("Xin cảm ơn Ông/Bà!", "Thank you!"),
    "thanks_hint": ("Đánh giá đã được ghi nhận, không kèm tên.", "Your rating has been taken, without your name."),
    "already": ("Lượt này đã được đánh giá.", "This visit has been rated already."),
    "already_hint": ("Mỗi lượt giao dịch đánh giá một lần. Xin cảm ơn!", "Each visit is rated once. Thank you!"),
    "over": ("Phiếu này đã kết thúc.", "This rating is over."),
    "over_hint": (
        "Câu trả lời dở dang không được gửi đi. Ông/Bà có thể bắt đầu lại.",
        "Unfinished answers were not sent. You can start again.",
    ),
    "failed": ("Chưa lưu được đánh giá.", "The rating could not be saved."),
    "failed_hint": ("Xin báo cho cán bộ tại quầy, hoặc thử lại.", "Please tell the staff, or try again."),
    "home": ("Về trang đầu", "To the start"),
    "idle": ("Ông/Bà còn ở đó không?", "Are you still there?"),
    "idle_hint": (
        "Chạm vào màn hình để tiếp tục. Nếu không, trang sẽ trở về đầu sau {seconds} giây và câu trả "
        "lời dở dang bị xóa.",
        "Touch the screen to go on. Otherwise the page returns to the start in {seconds} seconds and "
        "unfinished answers are deleted.",
    ),
    "idle_button": ("Tôi còn ở đây", "I am here"),
    "print": ("In thông báo", "Print the notice"),
    "demo": ("Bản trình diễn: dữ liệu mô phỏng", "Demonstration: simulated data"),
    "n_title": ("Thông báo về việc đo mức độ hài lòng", "How satisfaction is measured here"),
    "n_what": ("Việc gì diễn ra", "What happens"),
    "n_what_text": (
        "Trong lúc Ông/Bà làm việc tại quầy, một thiết bị tại chỗ ước lượng mức độ hài lòng từ khuôn "
        "mặt và giọng nói "
        "của người dân. Thiết bị chỉ nhìn và nghe phía người dân, không phân tích cán bộ.",
        "While you are at the counter, a device on the spot estimates satisfaction from the "
        "citizen's face and voice. "
        "It looks at and listens to the citizen's side only; the staff are not analysed.",
    ),
    "n_kept": ("Điều gì được giữ lại", "What is kept"),
    "n_kept_text": (
        "Hình ảnh và âm thanh chỉ nằm trong bộ nhớ tạm và bị xóa ngay. Không có hình, tiếng, lời nói "
        "hay đặc điểm nhận dạng "
        "nào được lưu hoặc gửi đi. Chỉ có bảng tổng số lượt theo kỳ, đã cộng thêm nhiễu ngẫu nhiên, "
        "được gửi tới máy chủ.",
        "Pictures and sound exist in working memory only and are gone at once. No picture, sound, "
        "word or feature of a person "
        "is stored or sent. Only tables of counts for a period, with random noise added, are sent to the server.",
    ),
    "n_rating": ("Phiếu đánh giá", "The rating"),
    "n_rating_text": (
        "Đánh giá trên màn hình là tự nguyện và không ghi tên. Câu trả lời được gửi cùng phiếu của "
        "người khác, chỉ kèm ngày.",
        "The rating on the screen is voluntary and without a name. It is sent together with those of "
        "others, with the day only.",
    ),
    "n_choice": ("Quyền của Ông/Bà", "Your choice"),
    "n_choice_text": (
        "Chạm nút “Không phân tích tôi” bất cứ lúc nào: việc phân tích lượt này dừng ngay. Hồ sơ của "
        "Ông/Bà vẫn được giải quyết "
        "như bình thường. Ông/Bà vẫn có thể đánh giá.",
        "Touch “Do not analyse me” at any time: the analysis of this visit stops at once. Your "
        "request is handled as usual. "
        "You can still rate.",
    ),
    "n_purpose": ("Mục đích", "Purpose"),
    "n_purpose_text": (
        "Đo mức độ hài lòng đối với cơ quan, không chấm điểm từng cán bộ, không quyết định điều gì về Ông/Bà.",
        "To measure satisfaction with the agency. No civil servant is scored and nothing is decided about you.",
    ),
    "n_contact": ("Hỏi đáp, phản đối", "Questions and objections"),
    "n_contact_text": ("Xin hỏi cán bộ tại quầy.", "Please ask the staff at the counter."),
    "n_qr": ("Quét mã để đọc giải thích đầy đủ", "Scan for the full explanation"),
    "n_off_text": (
        "Hiện nay tại quầy này không có khuôn mặt hay giọng nói nào được phân tích.",
        "At present no face or voice is analysed at this counter.",
    ),
}


def text(name: str, language: Language, **values: object) -> str:
    """A text by its name."""
    return _TEXTS[name][0 if language == "vi" else 1].format(**values)


def names() -> frozenset[str]:
    """Every name (for tests)."""
    return frozenset(_TEXTS)
