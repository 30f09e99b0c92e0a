# ruff: noqa: E501  (a sentence is one string, as the audits say it)
"""Vietnamese for what the audits say in English: figures' names, and what was not checked."""

from __future__ import annotations

FIGURES = {
    "about_one_visit_evidence": "về một lượt, từ bảng tháng",
    "about_one_visit_pulse": "về một lượt, từ pulse",
    "about_one_visit_replace_one": "về một lượt, khi biết lượt đó có diễn ra",
    "about_one_visit_together": "về một lượt, cả hai",
    "addresses_contacted": "địa chỉ đã liên lạc",
    "addresses_listened_at": "địa chỉ lắng nghe",
    "attacks": "các cuộc tấn công",
    "budget_epsilon": "ngân sách epsilon",
    "by_kind": "theo loại",
    "calls": "lời gọi hệ thống đã xem",
    "cells": "từng ô của bảng, tấn công riêng",
    "canaries": "lượt thử cài vào",
    "capacity_bits": "dung lượng bản tin (bit)",
    "claims": "epsilon công bố",
    "confidence": "độ tin cậy",
    "consistency_proofs_verified": "chứng minh nhất quán đã kiểm",
    "differencing": "tấn công hiệu số",
    "distinct_epsilons_milli": "các epsilon (phần nghìn)",
    "engine": "tấn công bộ phân tích: một lượt thay đổi bao nhiêu ô",
    "entries": "các mục",
    "epochs": "số epoch",
    "face_was_found": "đã tìm thấy khuôn mặt thử",
    "files_searched": "tệp đã lục soát",
    "files_written": "tệp đã ghi",
    "found_during_the_visit": "tìm thấy trong lượt",
    "found_when_it_had_ended": "tìm thấy ngay khi lượt kết thúc",
    "found_with_the_counter_empty": "tìm thấy khi quầy trống",
    "inclusion_proofs_verified": "chứng minh có mặt đã kiểm",
    "leaves": "số mục nhật ký",
    "level_guess_before": "xác suất đoán đúng mức, trước công bố",
    "level_guess_knowing_rating_and_all_others": "xác suất đoán đúng mức, khi biết điểm và mọi lượt khác",
    "lower_bounds": "cận dưới của epsilon",
    "messages": "số bản tin",
    "messages_sent": "bản tin đã gửi",
    "mutant_with_half_the_noise": "bản cố ý giảm nửa nhiễu (phải bị phát hiện)",
    "needles": "chuỗi cần tìm",
    "outside_heads": "đỉnh cây do bên khác giữ",
    "own_heads": "đỉnh cây của thiết bị",
    "periods_refused": "kỳ bị từ chối công bố",
    "provinces": "tỉnh, thành",
    "releases": "số lần công bố",
    "schema_version": "phiên bản lược đồ",
    "seen_by": "quan sát bằng",
    "sent_again": "bản tin gửi lại",
    "sent_releases_found_in_log": "bản đã gửi có trong nhật ký",
    "visit_level_was_inferred": "đã suy luận được mức",
    "visits": "số lượt",
    "worst_visit_epsilon": "epsilon tốn nhiều nhất của một lượt",
    "worst_visit_epsilon_replace_one": "như trên, khi biết lượt đó có diễn ra",
}

SENTENCES = {
    "the signature: give the box's key with --key.": "chữ ký: cần khoá của thiết bị (--key).",
    "a log that was rewritten as a whole together with its own heads: give heads that the server kept (--heads).": (
        "nhật ký bị viết lại toàn bộ cùng các đỉnh cây của chính nó: cần đỉnh cây do máy chủ giữ (--heads)."
    ),
    "that the signing key is the enrolled one: give it with --key.": "khoá ký có đúng là khoá đã đăng ký không: cần --key.",
    "that nothing was sent past the log: see hailong audit budget with a record, and audit trace.": (
        "có gì được gửi ngoài nhật ký không: xem audit budget (kèm bản ghi) và audit trace."
    ),
    "what was sent by another program or while nothing was recorded: see hailong audit trace.": (
        "những gì chương trình khác gửi, hoặc gửi khi không ghi: xem audit trace."
    ),
    "that the program that runs on the box is this one (compare the bundle's signature and the log's leaves of models);": (
        "chương trình đang chạy có đúng là bản này không (so chữ ký gói cài đặt và mục mô hình trong nhật ký);"
    ),
    "that a dishonest box does not hide signals in noise or nonces: the schema bounds the room, not the intention.": (
        "thiết bị gian dối có giấu tín hiệu trong nhiễu hay số ngẫu nhiên không: lược đồ chỉ giới hạn dung lượng."
    ),
    "that the noise had the logged scale: see hailong audit attack;": "nhiễu có đúng độ lớn đã ghi không: xem audit attack;",
    "that one visit was counted once: a visit that the tracker splits counts as several, and a person with k visits pays k times;": (
        "một lượt có được đếm một lần không: lượt bị tách tính là nhiều lượt; người giao dịch k lần tốn k lần;"
    ),
    "ratings, which are voluntary answers and outside the budget.": "điểm đánh giá: là câu trả lời tự nguyện, ngoài ngân sách.",
    "that epsilon is no larger than the claim: an attack gives a lower bound, the proof gives the upper one;": (
        "epsilon không lớn hơn mức công bố: tấn công chỉ cho cận dưới, chứng minh toán học cho cận trên;"
    ),
    "a server that, together with whoever restores an old disk, tells the box an old tree head (docs/privacy.md).": (
        "máy chủ thông đồng với người phục hồi đĩa cũ, báo một đỉnh cây cũ (docs/privacy.md)."
    ),
    "other forms than those listed, such as activations inside a network, from which a picture might be reconstructed;": (
        "các dạng khác ngoài danh sách, như giá trị bên trong mạng nơ-ron mà từ đó có thể dựng lại ảnh;"
    ),
    "pages that were swapped out, the graphics processor's memory, the camera's and the kernel's own buffers;": (
        "trang nhớ đã đưa ra đĩa, bộ nhớ bộ xử lý đồ hoạ, bộ đệm của máy quay và nhân hệ điều hành;"
    ),
    "the threads of capture, and speech recognition itself, unless its weights are there: the sentence is fed in after it.": (
        "luồng thu hình và thu tiếng, và chính bộ nhận dạng lời nói: câu thử được đưa vào sau bước đó."
    ),
    "the sentence: the weights that read sentences are not there.": "câu nói thử: chưa có trọng số đọc câu.",
    "what another clip, a longer time or another configuration would do;": "đoạn phim khác, thời gian dài hơn hay cấu hình khác;",
    "a picture or sound in a form that is not searched for, such as encrypted: the sealed running month is bounded by its constant size.": (
        "ảnh hay âm thanh ở dạng không tìm, như đã mã hoá: tệp niêm phong có kích thước không đổi."
    ),
    "files and sockets of native libraries, ZeroMQ's too: install strace and repeat.": (
        "tệp và kết nối của thư viện gốc, kể cả ZeroMQ: cài strace rồi chạy lại."
    ),
}
