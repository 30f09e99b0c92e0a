"""Vietnamese phrases of service talk, written for this project (no corpus), with the polarity a listener would give.

They teach the network what the open corpora lack: people at counters, hotels, shops, clinics and on buses, and that
asking, telling and instructing are neutral.  `text_templates` combines them; {x} stands for a paper or a thing.
"""

from __future__ import annotations


def phrases(block: str) -> tuple[str, ...]:
    """The comma-separated phrases of a block, each on one line."""
    return tuple(" ".join(part.split()) for part in block.split(",") if part.strip())


STAFF = phrases("""
nhân viên, cán bộ, anh cán bộ, chị cán bộ, cô cán bộ, nhân viên ở đây, cán bộ ở đây, các bạn nhân viên, nhân viên
tiếp nhận, nhân viên hỗ trợ, bạn nhân viên, lễ tân, phục vụ, bảo vệ, bác sĩ, y tá, điều dưỡng, tài xế, shipper, chủ
quán, chủ shop, người bán, shop, nhân viên tư vấn, tổng đài, nhân viên ngân hàng, giao dịch viên, hướng dẫn viên,
thu ngân, thầy, cô, giảng viên, giáo viên, người hướng dẫn, anh công an, cô tiếp dân, em nhân viên, mấy bạn ở quầy,
người ở cửa một cửa, bộ phận một cửa, đội ngũ nhân viên, kỹ thuật viên, nhân viên giao hàng, cậu lái xe, bên hỗ trợ,
cháu, các cháu
""")
STAFF_GOOD = phrases("""
nhiệt tình, thân thiện, dễ thương, vui vẻ, lịch sự, chu đáo, tận tâm, tận tình, ân cần, niềm nở, lễ phép, chuyên
nghiệp, hòa nhã, nhẹ nhàng, tử tế, tốt bụng, hướng dẫn dễ hiểu, hướng dẫn tận tình, hướng dẫn rõ ràng, giải thích
cặn kẽ, giải thích kỹ, tư vấn nhiệt tình, tư vấn kỹ, hỗ trợ nhanh, hỗ trợ hết mình, trả lời nhanh, làm việc nhanh,
làm việc hiệu quả, xử lý nhanh gọn, giải quyết nhanh chóng, cởi mở, quan tâm khách, gần gũi, tâm lý, có tâm, có
trách nhiệm, đáng yêu, hiếu khách, phục vụ tốt, phục vụ chu đáo, nói chuyện dễ nghe, nhanh nhẹn, giỏi, mến khách,
cười tươi, tươi cười, kiên nhẫn, trung thực, đúng giờ, đúng mực, cẩn thận, thật thà
""")
STAFF_BAD = phrases("""
khó chịu, cau có, cáu kỉnh, thô lỗ, bất lịch sự, hách dịch, quát tháo, quát mắng, mất lịch sự, lạnh nhạt, thờ ơ, vô
trách nhiệm, vô tâm, làm việc chậm, chậm chạp, lề mề, thiếu chuyên nghiệp, thiếu tôn trọng, thiếu nhiệt tình, hướng
dẫn sai, hướng dẫn qua loa, giải thích khó hiểu, trả lời cộc cằn, trả lời trống không, nói trống không, coi thường
khách, làm ăn gian dối, hỗ trợ kém, gắt gỏng, nhăn nhó, mặt nặng mày nhẹ, sửng cồ, hỗn láo, láo, vòi vĩnh, gây khó
dễ, hạch sách, nhũng nhiễu, đùn đẩy trách nhiệm, đẩy qua đẩy lại, không nghe máy, không trả lời, không thèm trả lời,
không giải thích gì, không tôn trọng khách, không hướng dẫn gì, không quan tâm, làm sai hồ sơ, bắt chờ lâu, chặt
chém, mải nói chuyện riêng, ngồi chơi điện thoại, đến muộn, bỏ đi đâu mất, tính sai tiền, lừa đảo, dạy khó hiểu, nói
nhỏ không nghe được, chửi khách, đuổi khách, khinh khỉnh, ỡm ờ, cẩu thả
""")
THINGS = phrases("""
dịch vụ, dịch vụ ở đây, thủ tục, cách làm việc, quy trình, thái độ phục vụ, nơi này, chỗ này, ở đây, phòng chờ, nhà
vệ sinh, bãi xe, chỗ ngồi, hệ thống, trang web, ứng dụng, app, phần mềm, phòng, phòng ốc, khách sạn, giường, bữa
sáng, hồ bơi, đồ ăn, món ăn, quán, nhà hàng, nước uống, cà phê, phở, không gian, vị trí, giá, giá cả, sản phẩm,
hàng, chất lượng, áo, giày, vải, túi, máy, điện thoại, pin, màn hình, camera, âm thanh, loa, tai nghe, laptop, giao
hàng, đóng gói, ship, chuyến đi, xe, chuyến bay, tour, môn học, bài giảng, tài liệu, phòng học, bệnh viện, phòng
khám, kết quả, wifi, điều hòa
""")
THINGS_GOOD = phrases("""
tốt, rất tốt, tuyệt vời, tuyệt, ổn áp, xuất sắc, hoàn hảo, ngon, đẹp, sạch, sạch sẽ, gọn gàng, tiện lợi, thuận tiện,
nhanh, nhanh chóng, nhanh gọn, rõ ràng, đơn giản, dễ dàng, dễ dùng, dễ hiểu, thoải mái, rộng rãi, thoáng mát, yên
tĩnh, hiện đại, hợp lý, phải chăng, rẻ, chất lượng, đáng tiền, đúng như mô tả, đúng hẹn, chuẩn, bền, mượt, êm, chắc
chắn, xịn, ưng ý, vừa ý, tiến bộ, cải thiện nhiều, minh bạch, công khai, hữu ích, bổ ích, thú vị, hấp dẫn, tươi,
thơm ngon, đậm đà, đầy đặn, mát mẻ, ấm cúng, sang trọng, lung linh, sáng sủa, an toàn, uy tín, ok, ngon bổ rẻ, đỉnh,
xuất sắc
""")
THINGS_BAD = phrases("""
tệ, quá tệ, rất tệ, kém, chán, dở, dở ẹc, dở tệ, bẩn, dơ, hôi, bốc mùi, ẩm thấp, chật chội, ồn ào, nóng nực, xuống
cấp, cũ kỹ, hỏng, hư, lỗi, bị lỗi, hay lỗi, lỗi liên tục, chậm, quá chậm, chậm trễ, lâu lắc, phức tạp, rắc rối, rườm
rà, lằng nhằng, phiền phức, bất tiện, khó dùng, khó hiểu, đắt, mắc, quá đắt, cắt cổ, mắc mà dở, không đáng tiền, phí
tiền, không như quảng cáo, không giống hình, sai mẫu, rách, nhăn nhúm, bể, móp, nguội, nhạt, mặn chát, tanh, dai, ôi
thiu, không tươi, giật lag, lag, đơ, treo máy, nóng máy, tụt pin, mờ, rè, yếu, vớ vẩn, lộn xộn, thiếu thốn, trễ hẹn,
quá tải, mất thời gian, mất công, kém chất lượng, giả, đáng thất vọng, nhàm chán, buồn ngủ, thất vọng, rác, tồi, tồi
tệ, nhếch nhác, không ra gì, chẳng ra sao
""")
GOOD_FELT = phrases("""
hài lòng, rất hài lòng, vô cùng hài lòng, thích, rất thích, ưng, ưng lắm, yên tâm, vui, vui lắm, thoải mái, ấn
tượng, biết ơn, cảm kích, tin tưởng, an tâm, phấn khởi, mê, khoái, thấy được tôn trọng, thấy nhẹ cả người
""")
BAD_FELT = phrases("""
thất vọng, rất thất vọng, bực mình, bực bội, bực cả mình, tức, tức giận, khó chịu, mệt mỏi, chán nản, ức chế, bức
xúc, rất bức xúc, lo lắng, hối hận, nản, buồn, phát điên, hết kiên nhẫn, thấy bị coi thường, mất niềm tin, không hài
lòng, không vui, không ưng, không thích, chưa hài lòng, không yên tâm, không đồng tình, không chấp nhận được
""")
SAID_GOOD = phrases("""
cảm ơn, cảm ơn nhé, cảm ơn em nhiều, cảm ơn anh, cảm ơn chị nhiều lắm, cảm ơn cháu, cảm ơn cán bộ, xin cảm ơn, chân
thành cảm ơn, cảm ơn đã giúp đỡ, may quá, tốt quá, hay quá, thế thì tốt quá, tuyệt quá, giỏi quá, quý hóa quá, nhanh
thật, nhanh ghê, thế là xong rồi à nhanh nhỉ, được việc ghê, làm nhanh thế, sẽ giới thiệu cho bạn bè, sẽ quay lại,
sẽ ủng hộ tiếp, nhất định quay lại, lần sau lại đến, mua lần thứ ba rồi vẫn ưng, năm sao, mười điểm, 10 điểm, cho 5
sao, đáng để thử, nên thử, nên mua, đáng đồng tiền bát gạo, không chê vào đâu được, không có điểm nào để chê, không
còn gì để nói quá tốt, chẳng chê được gì, không hối hận khi mua, không thất vọng chút nào, không uổng công đi, không
phải lo gì cả, không phải đi lại nhiều lần, không phải chờ lâu, không mất thời gian, không tốn đồng nào, không hề
phiền hà, không gặp khó khăn gì, không ngờ lại nhanh vậy, không nghĩ là dễ thế, chưa bao giờ thấy nhanh vậy, chưa
thấy ở đâu tốt như ở đây, tốt hơn trước nhiều, đỡ vất vả hơn trước, bây giờ làm một lần là xong, đi một lần là xong,
mới mười phút đã xong, chưa đến mười lăm phút là có kết quả, có kết quả sớm hơn hẹn, trả kết quả đúng hẹn, được
hướng dẫn từng bước, được giúp điền tờ khai, khen các bạn, xin khen ngợi, tuyên dương, yêu quá, quá đỉnh, chất lượng
khỏi bàn, khỏi chê, hết ý, trên cả tuyệt vời, hơn cả mong đợi, vượt mong đợi, xứng đáng, ấm lòng, mát lòng mát dạ,
chúc các bạn mạnh khỏe, chúc shop đắt hàng, sớm hơn hẹn ba ngày, có kết quả trước hẹn, được trả sớm, tưởng lâu ai dè
nhanh, tưởng khó hóa ra dễ, tưởng mất cả buổi ai ngờ mười phút, không cần xếp hàng, chẳng phải đợi, chẳng phải chạy
đi chạy lại, không phải quay lại lần nữa, lần đầu thấy cán bộ nhiệt tình vậy, lần đầu làm mà dễ vậy, chưa từng thấy
nơi nào chu đáo thế, đỡ phải đi xa, tiện cho dân quá, dân được nhờ, nhờ em mà xong, may nhờ có cháu, có người chỉ
cho từng chỗ, hỏi gì cũng trả lời, hỏi gì đáp nấy, nói năng nhẹ nhàng, vào là được tiếp ngay, tới là có người hướng
dẫn, ngồi mát có nước uống, mọi việc suôn sẻ, suôn sẻ hết, trôi chảy, đâu vào đấy, gọn gàng ngăn nắp, khỏe re, nhẹ
cả người, yên tâm rồi, thế này thì ai cũng muốn đến, đáng khen, phải khen các cháu, mười trên mười, hơn hẳn chỗ cũ,
khác hẳn ngày trước, tiến bộ thật, văn minh hẳn
""")
SAID_BAD = phrases("""
làm ăn chán quá, thế này thì chịu, quá đáng, quá đáng thật, hết nói nổi, không thể chấp nhận được, không chấp nhận
nổi, bực quá, tức quá, mệt quá, chán quá, nản quá, lâu quá, sao lâu thế, sao mà lâu vậy, chờ mãi, đợi mãi không
thấy, chờ dài cổ, chờ hai tiếng rồi, đợi cả buổi sáng, đợi từ bảy giờ, đứng chờ mỏi chân, ngồi cả buổi không ai hỏi,
gọi mãi không ai nghe, gọi số mà bỏ qua số của tôi, có người chen ngang mà không ai nói gì, lần này là lần thứ tư
rồi, đi tới đi lui mấy lần, chạy lên chạy xuống, hẹn tới hẹn lui, lại hẹn tuần sau, hẹn rồi mà không có, quá hẹn
mười ngày chưa có, trễ hẹn cả tháng, hồ sơ bị thất lạc, làm mất giấy tờ của tôi, sai tên tôi rồi, sai ngày sinh phải
làm lại, viết sai phải làm lại từ đầu, mỗi người nói một kiểu, hôm trước nói khác hôm nay nói khác, thiếu một tờ mà
không nói từ đầu, sao không nói ngay từ đầu, sao lúc trước không nói, tại sao lại phải nộp thêm, tại sao lại không
nhận, lại phải về à, lại phải quay lại à, vô lý, vô lý thế, vô lý quá, hành dân, hành là chính, làm khó dân, quan
liêu, tiêu cực, thu tiền không biên lai, thu thêm tiền không rõ lý do, đòi bồi dưỡng, tôi sẽ kiện, tôi sẽ khiếu nại,
tôi muốn khiếu nại, tôi muốn gặp lãnh đạo, cho tôi gặp cấp trên, tôi sẽ phản ánh, tôi phản ánh lên chủ tịch, đừng
làm mất thời gian của tôi, mất cả ngày công, nghỉ làm để đi mà không xong, không bao giờ quay lại, không quay lại
lần hai, một đi không trở lại, cạch mặt, tránh xa, đừng mua, đừng đến đây, không đáng một sao, một sao, 1 sao, trả
lại tiền đi, đòi hoàn tiền, mua về vứt xó, tiền mất tật mang, bị lừa, bị lừa rồi, quảng cáo láo, treo đầu dê bán
thịt chó, không hài lòng, chẳng hài lòng tí nào, không hài lòng với kết quả, chẳng được tích sự gì, chẳng giúp được
gì, không giúp ích gì, không ai giải thích, không ai hướng dẫn, không có ai tiếp, không ai trực, không chịu tiếp
nhận, không cho nộp, không xin lỗi một câu, không bằng một góc quảng cáo, chưa thấy ở đâu chán như ở đây, chưa bao
giờ thấy tệ như vậy, chưa đạt yêu cầu, cần chấn chỉnh, cần xem lại thái độ, nên đổi người khác, nên cải thiện, cần
cải thiện nhiều, mong khắc phục, nên dạy lại nhân viên, thà đi chỗ khác còn hơn, biết thế không đến, biết vậy đã
không mua, đừng có hứa suông, chờ mòn mỏi, đợi mấy tiếng đồng hồ, chờ hoài không tới lượt, từ sáng tới trưa chưa
xong, đến lượt thì hết giờ, đóng cửa sớm, đi ba lần chưa xong, bắt làm lại từ đầu, bắt về lấy giấy, thiếu cái này
thiếu cái kia, đòi hết giấy này đến giấy nọ, hứa rồi để đó, im lặng không trả lời, gọi thì không bắt máy, hỏi thì
gắt, hỏi không thèm đáp, mặt lạnh như tiền, nói như tát nước, đuổi về, không nhận hồ sơ mà không nói lý do, tiền thì
thu mà việc không làm, mất tiền oan, mất công đi xa, xa xôi mà bắt đi lại, phiền hà quá, khổ dân, dân kêu mãi không
sửa, lại mất mạng, mạng treo hoài, máy hỏng suốt, hệ thống sập, phần mềm lỗi không nộp được, chen lấn, nóng không
chịu nổi, không có chỗ ngồi, ghế hỏng, bẩn thỉu, sai sót hoài, nhầm hồ sơ người khác, trễ hẹn mãi, hẹn lần lữa, kéo
dài cả tháng, ngâm hồ sơ, thái độ như ban ơn, ra vẻ bề trên, thiên vị người quen, ưu tiên người nhà, phải quen biết
mới xong, phải có phong bì, vòi tiền
""")
NEUTRAL_WHOLE = phrases("""
dạ, vâng, dạ vâng, ừ, ờ, alo, vâng ạ, được rồi, tôi hiểu rồi, để tôi xem, chờ tôi một chút, đợi em một lát, mời anh
ngồi, mời số tiếp theo, mời chị vào cửa số ba, xin chào, chào anh, chào chị, chào em, em chào bác, thế à, vậy à, thế
nhé, chào nhé, đúng rồi, không phải, chưa ạ, có ạ, không ạ, rồi ạ, ký vào đây ạ, anh ký tên ở dưới, chị điền vào ô
này, ghi rõ họ tên, anh đọc số điện thoại đi, đây là giấy hẹn, đây là biên lai của bác, bác giữ lấy tờ này, một bản
chính hai bản sao, tờ này photo hai mặt, ảnh ba nhân bốn, lăn tay ở đây, nhìn vào máy ảnh, đọc mã số hồ sơ, quét mã
này, để mình xem lại, để hỏi nhà tôi đã, tôi để quên ở nhà, tôi mới chuyển về đây, tôi ở tổ năm, nhà tôi ở phường
bên, tôi làm nghề tự do, cháu học lớp một, con tôi ba tuổi, mẹ tôi đi cùng, hai vợ chồng cùng đứng tên, đất của ông
bà để lại, giấy này cấp năm 2010, tôi có mang theo đây, tôi chưa mang theo, tôi không mang theo bản gốc, mình đang
cân nhắc, mình chưa mua, chưa dùng nên chưa biết, mới nhận chưa dùng, để dùng thử xem sao, dùng thử rồi đánh giá
sau, hàng đã nhận, đã nhận được hàng, đặt thứ ba nhận thứ năm, shop ở hà nội, giao trong hai ngày, màu đen cỡ L, mua
cho mẹ, mua làm quà, mua thử một cái, có hai loại, bình thường, cũng bình thường, tạm được, tạm ổn, cũng tạm, cũng
được, tàm tạm, không tốt cũng không xấu, không khen không chê, bình thường như bao chỗ khác, không có gì nổi bật,
không có gì đặc biệt, ở mức trung bình, trung bình, vừa phải, không ý kiến, chưa có ý kiến, không có ý kiến gì,
không biết nữa, sao cũng được, giá nào chất lượng đó, đúng giá tiền, có tốt có xấu, được cái này mất cái kia, tùy
người, tùy khẩu vị, tiền nào của đó, chấp nhận được
""")
PAPERS = phrases("""
giấy khai sinh, căn cước, căn cước công dân, hộ khẩu, sổ hộ khẩu, giấy kết hôn, đăng ký kết hôn, giấy chứng tử, khai
tử, sổ đỏ, giấy phép xây dựng, giấy phép kinh doanh, đăng ký hộ kinh doanh, hộ chiếu, bằng lái, giấy phép lái xe, lý
lịch tư pháp, xác nhận độc thân, giấy tạm trú, đăng ký tạm trú, đăng ký thường trú, bảo hiểm y tế, thẻ bảo hiểm, bảo
hiểm xã hội, trợ cấp, trợ cấp thất nghiệp, trợ cấp người cao tuổi, bản sao trích lục, chứng thực chữ ký, công chứng
hợp đồng, đăng ký xe, sang tên xe, tách thửa, chuyển mục đích đất, thuế đất, thuế môn bài, mã số thuế, học bạ, bằng
tốt nghiệp, giấy ủy quyền, giấy xác nhận, đơn xin, hồ sơ, giấy tờ này, tờ khai
""")
OBJECTS = phrases("""
phòng đôi, phòng đơn, vé khứ hồi, vé tháng, áo size m, màu đỏ, loại nhỏ, loại lớn, cái này, mẫu này, combo hai
người, suất trưa, bàn bốn người, tour một ngày, gói cước, thẻ tín dụng, sổ tiết kiệm, khoản vay, tài khoản, mật
khẩu, máy này, con này, tai nghe, sạc dự phòng, bản cập nhật, lịch khám, kết quả xét nghiệm, đơn thuốc, môn này,
khóa học, học phí, chuyến xe, đơn hàng, mã giảm giá
""")
QUESTIONS = phrases("""
cần giấy tờ gì, làm {x} cần những giấy tờ gì, {x} làm ở đâu, {x} nộp ở cửa nào, {x} bao lâu thì có, {x} mất bao
nhiêu ngày, {x} bao nhiêu tiền, lệ phí {x} bao nhiêu, {x} có mất phí không, làm {x} có lâu không, {x} có khó không,
{x} có phức tạp không, cho hỏi {x} làm thế nào, cho tôi hỏi về {x}, {x} thì hỏi ai, {x} có cần bản chính không, {x}
có nộp trên mạng được không, {x} nộp online được không, làm {x} có cần đi cùng không, {x} ủy quyền được không, khi
nào lấy được {x}, bao giờ có {x}, mấy giờ làm việc, mấy giờ đóng cửa, thứ bảy có làm không, chiều mấy giờ mở cửa, ở
đây có làm {x} không, {x} có phải xếp hàng không, {x} hết hạn thì làm sao, mất {x} thì phải làm gì, {x} có được gia
hạn không, {x} điền chỗ nào, ghi thế nào ở mục này, ký ở đâu, photo ở đâu, chụp ảnh ở đâu, nhà vệ sinh ở đâu, gửi xe
ở đâu, lấy số ở đâu, sao lại cần {x}, có phải nộp {x} không, chưa có {x} thì sao, không có {x} có được không, {x}
với cái kia khác gì nhau, {x} còn không, {x} giá bao nhiêu, {x} có bảo hành không, {x} có mấy màu, {x} dùng thế nào,
{x} ship về tỉnh được không, có nên mua {x} không, ai dùng {x} chưa cho hỏi, {x} có tốt không, {x} có đẹp không, {x}
có bền không mọi người, {x} có lỗi gì không, xin giá {x}, còn {x} không shop, đặt {x} thế nào, {x} đổi được không,
hủy {x} có mất phí không, {x} khi nào ra
""")
STATEMENTS = phrases("""
tôi đến làm {x}, tôi muốn làm {x}, tôi cần xin {x}, em đến nộp {x}, tôi đến lấy {x}, tôi đi làm {x} cho con, làm lại
{x} cho bố tôi, tôi hỏi về {x}, đây là {x} của tôi, {x} của tôi đây, tôi có {x} rồi, tôi chưa có {x}, tôi không có
{x}, tôi để {x} ở nhà, mai tôi mang {x} đến, tôi gửi {x} hôm qua, tôi nộp {x} tuần trước, {x} cấp ở quận, {x} hết
hạn tháng sau, anh nộp {x} ở cửa số hai, chị photo {x} hai bản, bác cầm {x} sang bên kia, {x} thì ba ngày có, {x}
nộp lệ phí ba mươi nghìn, {x} thì làm ở công an, chị ghi {x} vào đây, {x} phải có chữ ký, {x} cần mang theo bản
chính, làm {x} thì đợi năm ngày làm việc, {x} nộp qua bưu điện, hẹn thứ sáu đến lấy {x}, em nhập {x} vào máy, anh
đợi em kiểm tra {x}, {x} có hiệu lực sáu tháng, mình đặt {x} hôm thứ hai, mình đang dùng {x}, mình mua {x} cho bạn,
{x} gồm hai phần, {x} có hai loại, {x} dùng pin, {x} ra năm ngoái, {x} dành cho trẻ em, {x} gần bến xe, {x} nằm trên
đường lớn, {x} mở cửa từ tám giờ, {x} tầm trung, {x} giống cái cũ, {x} dùng cũng bình thường, {x} tạm được, {x} ở
mức trung bình, {x} không có gì đặc biệt, {x} như bao chỗ khác
""")
ASKERS = phrases("""
anh ơi, em ơi, chị ơi, cô ơi, cháu ơi, bác ơi, cho hỏi, cho tôi hỏi, cho em hỏi, cho mình hỏi, xin hỏi, ad ơi, shop
ơi, dạ cho hỏi, mọi người cho hỏi, à mà, thế
""")
TAILS = phrases("""
ạ, nhỉ, vậy, vậy ạ, thế, hả em, hả chị, vậy bạn, đấy, em nhé, nha, hả, á, vậy mọi người, nhé, đi, với ạ
""")
PERSONS = phrases("""
tôi, mình, chúng tôi, chúng ta, anh ấy, chị ấy, ông ấy, bà tôi, bố tôi, mẹ em, con tôi, cháu nhà tôi, vợ tôi, chồng
em, hàng xóm, bạn tôi, mọi người, cả nhà, người ta, họ, hai đứa, các cháu, đoàn khách, công ty, xã tôi, thôn bên, ủy
ban, lớp học, đội thợ, em trai tôi, chị gái, ông bà nội, anh hàng xóm, một người đàn ông, cô bé, cậu bé, học sinh,
công nhân, nông dân, kỹ sư
""")
DEEDS = phrases("""
đi chợ, đi làm, đi học, nấu cơm, trồng lúa, trồng rau, nuôi gà, sửa nhà, xây nhà, mua đất, bán xe, thuê nhà, chuyển
nhà, đi công tác, về quê, đón con, gọi điện, nhắn tin, đọc báo, xem tin tức, viết đơn, ký giấy, gửi thư, nhận lương,
đóng học phí, khám sức khỏe, tiêm phòng, đi bộ, chạy xe, bắt xe buýt, đi tàu, chờ xe, uống nước, ăn sáng, ăn trưa,
ngủ trưa, tưới cây, quét sân, giặt quần áo, họp tổ dân phố, họp phụ huynh, học tiếng anh, làm bài tập, thi đại học,
tìm việc, mở cửa hàng, giao hàng, đặt bàn, lắp điện, lắp máy lạnh, đo đất, chia đất, đăng ký học, cưới vợ, sinh con,
đặt tên cho con, đổi số điện thoại, quay phim, chụp ảnh, nghe nhạc, kể chuyện, áp dụng cách này, dùng cách khác,
tính toán lại, so sánh hai bên, chuẩn bị giấy tờ, bàn với gia đình, đánh bắt cá, cắt cỏ, đào giếng, chở hàng, bơm
nước, dạy trẻ, nuôi con, hát ru, kiểm tra lại, ghi vào sổ, đếm tiền, đổi tiền, rút tiền, chuyển khoản, trả góp, vay
ngân hàng
""")
WHEN = phrases("""
hôm qua, hôm nay, ngày mai, tuần trước, tháng sau, năm ngoái, sáng nay, chiều mai, tối qua, lúc bảy giờ, lúc ba giờ
chiều, cuối tuần, đầu năm, hồi nhỏ, trước tết, sau tết, từ năm 2015, ba năm rồi, mỗi ngày, thỉnh thoảng, lâu lâu,
khi rảnh, vừa nãy, sắp tới, cuối thế kỷ trước, mùa hè
""")
WHERE = phrases("""
ở nhà, ở xã, ở huyện, ở thành phố, ở quê, ngoài đồng, trong phòng, trên đường, ở cơ quan, ở trường, ở chợ, ở ngân
hàng, ở bến xe, bên kia sông, gần cầu, ở tầng hai, ở miền nam, ở hà nội, ở sài gòn, ở đằng xa, cạnh nhà, trước cổng,
dưới bếp, ngoài sân
""")
MODALS = phrases("""
có thể, sẽ, đang, đã, phải, cần, muốn, định, vừa, mới, thường, hay, chưa, không, không chỉ, cũng, lại, nên, được,
bắt đầu, từng, vẫn, chỉ
""")
JOINED = phrases("""
rồi, và, sau đó, thì, để, vì, nên, mà còn, trước khi, trong khi, còn, hoặc, xong
""")
