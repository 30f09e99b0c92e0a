"""Sentences that mean the other thing than their words say, made of this project's phrases, seeded.

Praise that mocks what it names, relief told by a negation, praise that begins with a mishap and complaint that begins
with thanks.  A bag of pieces cannot tell them; an encoder that has seen such turns may.
"""

from __future__ import annotations

import random

from models.training import text_phrases as p
from models.training import text_phrases_public as public
from models.training.text_phrases import phrases
from models.training.text_templates import NEGATIVE, POSITIVE, Row

MOCKING = phrases("""
giỏi thật, giỏi ghê, hay thật đấy, hay nhỉ, hay quá nhỉ, tuyệt vời thật, tuyệt ghê, nhanh thật đấy, nhanh gớm, nhanh
quá cơ, quý hóa quá, sung sướng quá, sướng thật, tiện lợi ghê, tiện thật, chuyên nghiệp thật, chu đáo quá nhỉ, chu đáo
gớm, nhiệt tình gớm, nhiệt tình ghê, lịch sự ghê, vâng tốt quá, dạ tốt quá ha, cảm ơn nhiều nhé, cảm ơn lắm, khen thật,
phục thật, đáng khen ghê, văn minh quá, hiện đại thật, hiện đại ghê, đúng giờ thật, đúng hẹn ghê, gương mẫu quá, vì dân
quá, phục vụ tận tình ghê, may mắn quá, vinh hạnh quá, hân hạnh quá, thương dân ghê, công bằng thật, năm sao luôn, xứng
đáng năm sao thật, mười điểm cho chất lượng, đỉnh thật, đẳng cấp thật, có tâm ghê, còn gì bằng, thích nhỉ, vui ghê
""")
MOCKED = phrases("""
có mỗi con dấu mà mất hai tuần, mới đợi có bốn tiếng thôi, mới đi có sáu lần chứ mấy, hỏi thì lơ đi như không nghe,
giấy tờ nộp vào là bay mất, chưa hết giờ đã khóa cửa, dân đứng chật hành lang, cứ hẹn rồi lại hẹn, họ tên viết sai hết
cả, một tờ đơn sửa đi sửa lại năm bận, ngồi tám chuyện để dân chờ, máy hỏng từ tết đến giờ, gọi mười cuộc không ai nghe,
bắt chạy ba cơ quan, hệ thống sập đúng lúc tôi nộp, tờ khai dài mười hai trang, tiền thì thu đủ mà việc thì chưa, cả
phòng có một người làm, người quen thì vào trước, nghỉ làm ba hôm để xin một chữ ký, mời về đọc lại trên mạng, đến nơi
thì cán bộ đi vắng, ghế ngồi cũng không có, nói như mắng con, cứ bảo do hệ thống, mỗi ngày đổi một mẫu, đợi đến khi tóc
bạc, chắc con tôi lớn rồi mới có giấy, chắc sang năm mới xong, trả lời một chữ không biết, đọc số rồi lại bỏ qua số của
tôi, đi họp hết cả, lại phải nộp lại từ đầu, cái gì cũng đổ cho cấp trên
""")
SPARED = phrases("""
đi lại nhiều lần, chạy đi chạy lại, chờ lâu, xếp hàng, đợi đến chiều, lên tỉnh, lên huyện, đi xa, nhờ người quen, mất
tiền, mất công, tốn tiền xe, nghỉ làm, làm lại từ đầu, viết lại đơn, chứng thực nữa, nộp bản giấy, mang theo sổ hộ
khẩu, in ra giấy, về nhà lấy thêm giấy, đóng thêm phí, chen lấn, chầu chực, năn nỉ ai, quà cáp gì, lo lắng gì, thức
đêm xếp lốt, gửi xe mất tiền, ra bưu điện, khai nhiều tờ
""")
SPARING = phrases("""
khỏi phải, khỏi, đỡ phải, không phải, không còn phải, chẳng phải, chả phải, không cần, chẳng cần, hết cảnh, thoát cảnh,
khỏi cần, không bị, không mất công, không bắt
""")
SPARED_AFTER = phrases("""
nữa, nữa rồi, nữa mừng quá, như trước, như hồi trước, nhẹ cả người, khỏe re, thế là yên tâm, cho mệt, là mừng rồi, gì
hết, gì cả, tiện thật, sướng thật
""")
MISHAPS = phrases("""
tôi quên mất giấy, tôi đến muộn, tôi điền sai tờ khai, máy bị lỗi một lúc, mất điện giữa chừng, lúc đầu hơi đông, tôi
nộp nhầm quầy, thiếu một tờ, giấy của tôi bị ướt, tôi không biết chữ, tôi nghe không rõ, tên tôi bị sai từ hồi trước,
tôi tưởng bị phạt, tôi tưởng phải về, ban đầu tôi lo lắm, hồi đầu tôi cũng bực, lần trước bị trả lại, mạng chậm, hệ
thống báo lỗi, tôi làm mất biên nhận, con tôi khóc suốt, tôi đau chân
""")
MENDED = phrases("""
nhưng cán bộ giúp làm lại ngay, nhưng chị ấy vẫn vui vẻ nhận, mà em ấy vẫn kiên nhẫn chỉ, may mà có người giúp, may có
cháu tra lại trên máy, ai dè được giải quyết luôn, thế mà vẫn xong trong buổi, nhưng vẫn được làm xong, mà không ai la
mắng gì, mà anh ấy in lại cho ngay, rồi được xin lỗi tử tế, mà vẫn được ưu tiên làm trước, hóa ra xong luôn, mà họ xử
lý êm, nhưng cuối cùng đâu vào đấy, mà được hướng dẫn lại cẩn thận, vậy mà xong rất nhanh
""")
POLITE = phrases("""
cảm ơn anh chị, cảm ơn các bạn, cảm ơn em, cám ơn nha, em ấy cũng ngoan, cô ấy nói năng lễ phép, chú bảo vệ tốt, phòng
thì mát, ghế thì đẹp, chỗ để xe rộng, nhân viên cũng dễ thương, ai cũng cười, tiếp thì niềm nở, nghe thì hay, nói thì
ngọt, nhà mới xây khang trang, bảng biểu đẹp, trà nước đầy đủ, hỏi thì trả lời nhẹ nhàng
""")
BUT = ("nhưng", "nhưng mà", "mà", "có điều", "chỉ tội", "mỗi tội", "song")


def turned(count: int, seed: int) -> list[Row]:
    """About `count` distinct sentences, the four turns by equal chance."""
    rng = random.Random(seed)
    rows: dict[str, int] = {}
    for _ in range(count * 4):
        if len(rows) >= count:
            break
        text, label = rng.choice((_mocking, _relieved, _mended, _polite))(rng)
        rows.setdefault(" ".join(text.split()), label)
    return list(rows.items())


def _bad(rng: random.Random) -> str:
    """Something bad told as a fact."""
    return rng.choice(
        (
            rng.choice(MOCKED),
            f"{rng.choice(public.WAITED)} {rng.choice(public.LONG_SPANS)} {rng.choice(public.UNFINISHED)}",
            f"{rng.choice(public.TRIPS)} {rng.choice(public.TRIPS_FOR)}",
            f"{rng.choice(public.PROMISED)} {rng.choice(public.BROKEN)}",
            f"{rng.choice(public.EACH_TIME)} {rng.choice(public.DEMANDED)}",
            rng.choice(public.COMPLAINT),
        )
    )


def _mocking(rng: random.Random) -> Row:
    parts = [rng.choice(MOCKING), _bad(rng)]
    if rng.random() < 0.2:
        parts.reverse()
    return " ".join(parts), NEGATIVE


def _relieved(rng: random.Random) -> Row:
    opening = rng.choice(("", "", "thế là", "vậy là", "giờ", "may quá", "bây giờ", "làm ở đây"))
    return f"{opening} {rng.choice(SPARING)} {rng.choice(SPARED)} {rng.choice(SPARED_AFTER)}", POSITIVE


def _mended(rng: random.Random) -> Row:
    end = rng.choice((rng.choice(MENDED), f"{rng.choice(('nhưng', 'mà', 'may mà'))} {rng.choice(public.PRAISE)}"))
    thanks = rng.choice(("", "", rng.choice(p.SAID_GOOD)))
    return f"{rng.choice(MISHAPS)} {end} {thanks}", POSITIVE


def _polite(rng: random.Random) -> Row:
    return f"{rng.choice(POLITE)} {rng.choice(BUT)} {_bad(rng)}", NEGATIVE
