"""More Vietnamese phrases, written for this project (no corpus): what is said at public counters and of public
services, remarks that understate, and remarks that praise and complain in one breath.

Each entry is a whole remark; `text_templates` joins some of them and adds particles.
"""

from __future__ import annotations

from models.training.text_phrases import phrases

CLERK_SAYS = phrases("""
bác cho cháu xin số thứ tự, anh cho em mượn căn cước một lát, chị đứng lùi lại một chút để em chụp ảnh, bác nhìn thẳng
vào ống kính, anh đặt ngón trỏ lên đây, chị đọc giúp em mã trên giấy hẹn, phần này để trống cũng được, mục bảy ghi
nghề nghiệp hiện tại, mục quê quán ghi theo giấy khai sinh, anh gạch chéo chỗ không dùng, chị ký nháy từng trang,
trang cuối ký đầy đủ, bên em giữ lại một bản, bản này anh cầm về, anh sang quầy bên cạnh nộp lệ phí, nộp phí xong quay
lại đây, em in cho chị tờ biên nhận, hồ sơ này thuộc thẩm quyền cấp huyện, việc này bên tư pháp phụ trách, cái đó chị
hỏi bên địa chính, em chuyển hồ sơ lên lãnh đạo ký, có kết quả hệ thống sẽ nhắn tin, anh để lại số điện thoại, chị mở
ứng dụng lên giúp em, anh nhập mã xác thực vừa gửi về máy, tài khoản định danh mức hai mới nộp được, chị bấm vào ô
đồng ý, anh chọn tỉnh rồi chọn xã, tải ảnh mặt trước trước rồi mặt sau, tệp tối đa năm mê ga, bác đi cùng ai ạ, bác
nghe rõ không ạ, cháu đọc lại thông tin bác nghe nhé, ngày tháng năm sinh bác đọc giúp cháu, địa chỉ hiện nay ở đâu ạ,
dân tộc kinh đúng không ạ, tôn giáo ghi không, trình độ mười hai trên mười hai, người làm chứng ký ở đây, hai bên cùng
có mặt mới ký được, giấy này có hạn sáu tháng, giấy xác nhận này dùng một lần, trường hợp này cần thêm giấy ủy quyền,
thiếu trang thứ hai chị bổ sung sau cũng được, anh ghi thêm chữ đã nhận đủ, mời bác ngồi uống nước, mời người có số
tiếp theo, quầy bốn đang đóng hồ sơ, buổi chiều làm từ một giờ rưỡi, thứ bảy chỉ nhận đến mười một giờ, ngày mai là
ngày lễ nên nghỉ, chị đi thang bộ lên tầng hai rẽ phải, phòng photo ở cạnh cổng, cây rút tiền ở bên kia đường, anh chờ
em gọi điện hỏi lại, để em tra trên máy, tên này có hai người trùng, số này của ai ạ, mất bao lâu thì tùy hồ sơ, thông
thường là ba ngày làm việc, theo quy định là mười lăm ngày, không thu phí trẻ em dưới sáu tuổi, người cao tuổi được
miễn, hộ nghèo nộp kèm giấy chứng nhận, không cần công chứng chỉ cần bản chính đối chiếu, không bắt buộc phải đi cùng
chồng, chưa đến ngày hẹn nên chưa có trên hệ thống, hồ sơ đang ở bước thẩm định, hồ sơ đã trả qua bưu điện hôm thứ
hai, mã vận đơn ghi trong tin nhắn
""")
CITIZEN_SAYS = phrases("""
tôi lên xin dấu giáp lai, em đến nhập hộ khẩu cho vợ, tôi đến bổ sung tờ hôm trước còn thiếu, tôi xin trích lục bản đồ
thửa đất, tôi xin tách khẩu cho con trai, cháu đến làm thẻ lần đầu, em xin giấy giới thiệu, tôi nộp hồ sơ tuyển sinh
cho con, mẹ tôi đi lại khó nên tôi đi thay, bố em nằm viện nên ủy quyền cho em, giấy ủy quyền đây, tôi quên mang kính
nên đọc giúp tôi, tôi không biết chữ nhờ cháu ghi hộ, tôi không dùng điện thoại thông minh, tôi dùng tài khoản của
con, số cũ tôi bỏ rồi giờ dùng số này, tôi đổi tên đệm năm ngoái, chứng minh cũ chín số, thẻ của tôi bị mờ chữ, giấy
cũ rách một góc, nhà tôi ở cuối xóm, tôi ở trọ gần khu công nghiệp, tôi về hưu được hai năm, tôi bán tạp hóa ở chợ,
tôi chạy xe ôm, chồng tôi đi biển, vợ tôi làm công nhân may, cháu đang học đại học năm hai, con tôi sinh ở bệnh viện
tỉnh, ông nội mất hồi tháng ba, đất này bố mẹ cho từ trước, mảnh ruộng ngoài đê, căn nhà cấp bốn có gác lửng, tôi muốn
biết mình thuộc diện nào, tôi thuộc diện chính sách, tôi là thương binh hạng ba, tôi nhận trợ cấp qua thẻ, tôi đóng
bảo hiểm được mười hai năm, tôi định mở quán cơm, tôi đăng ký ngành nghề bán lẻ, tôi tạm ngừng kinh doanh ba tháng,
cho tôi một tờ khai, cho tôi xin thêm tờ nữa tôi viết nhầm, tôi viết bút xanh được chứ, ngày hôm nay là ngày bao
nhiêu, chỗ này viết hoa hay viết thường, ghi tên thường gọi hay tên khai sinh, tôi ký thay vợ được không, con dưới
mười bốn tuổi có phải đến không, sáng mai đến sớm thì mấy giờ phát số, tôi gửi bưu điện về nhà thì thêm bao nhiêu, có
gửi về tận nhà không, nếu vắng nhà thì ai nhận thay, tôi đến đúng ngày hẹn lấy kết quả, tôi có giấy hẹn ngày hai mươi,
hôm nay tôi đi lấy hộ hàng xóm, anh em tôi ba người cùng đứng tên, cả nhà tôi sáu khẩu, tôi về bàn lại với vợ rồi mai
lên, để tôi chạy về lấy bản chính, để tôi ra ngoài nghe điện thoại, tôi ra photo rồi vào liền, tôi đứng ở quầy số năm,
tôi đang đợi con gái tới, tôi đi xe buýt tới đây, tôi từ huyện lên, tôi ngồi hàng ghế sau, xong bước này thì tới bước
nào, vậy là còn thiếu tờ nào nữa, thế chiều tôi quay lại, ừ để tôi ký, rồi tôi ghi xong, đây em coi đi, đủ chưa em,
như vậy là được phải không, thôi để mai cũng được, tôi nghe nói giờ làm trên mạng, hôm trước cô kia dặn mang hai bản,
lần trước tôi làm ở xã cũ, hồi đó sổ màu xanh, tôi tính hỏi cho biết thôi
""")
PRAISE = phrases("""
làm đâu ra đó, nói một lần là hiểu, hướng dẫn tới nơi tới chốn, giải quyết thấu tình đạt lý, trả lời đầy đủ từng câu
hỏi, thấy mình được lắng nghe, coi dân như người nhà, cán bộ gần dân, cán bộ trẻ mà chững chạc, thái độ rất đúng mực,
chủ động gọi điện báo kết quả, chủ động nhắc tôi thiếu giấy gì, ưu tiên người già và phụ nữ có thai, nhường ghế cho bà
cụ, dìu bố tôi lên tận bàn, điền giúp tôi tờ khai từ đầu đến cuối, ở lại quá giờ để làm cho xong, trả hồ sơ tận nhà,
kết quả gửi về tận tay, một lần đến là xong hết, giảm được bao nhiêu giấy tờ, bớt hẳn đi lại, ngồi nhà cũng nộp được,
quét mã cái là xong, hệ thống chạy mượt, trang web dễ tìm, biểu mẫu có sẵn rất tiện, bảng chỉ dẫn rõ ràng, số thứ tự
chạy đều, phòng chờ thoáng đãng, có máy lạnh có sách báo, chỗ để xe rộng, giữ xe không lấy tiền, thu phí đúng niêm
yết, công khai từng khoản, minh bạch ai cũng xem được, đổi mới thấy rõ, cải cách thật sự, đúng là chính quyền phục vụ,
đáng đồng tiền đóng thuế, tôi đánh giá cao, tôi rất trân trọng, tôi xin gửi lời khen, xin biểu dương tập thể, chúc anh
chị công tác tốt, cảm ơn vì đã kiên trì với tôi, cảm ơn cả phòng, mừng quá cuối cùng cũng xong, vui ghê không phải đi
nữa, nhẹ hết cả lòng, bất ngờ vì quá nhanh, ngoài mong đợi, hết sức hài lòng, hài lòng từ đầu đến cuối, lần nào đến
cũng thấy dễ chịu, nơi khác nên học theo, nên nhân rộng, giữ vững phong độ nhé, mong các bạn cứ thế phát huy, đúng
người đúng việc, giờ giấc nghiêm túc, thủ tục gọn nhẹ, được việc lắm, thiệt là dễ thương hết sức, thương mấy đứa nhỏ
làm ở đây ghê, nói chuyện nghe mát ruột, không phân biệt giàu nghèo, không nhũng nhiễu, không vòi vĩnh, không bắt chạy
tới chạy lui, không thiếu sót chỗ nào
""")
COMPLAINT = phrases("""
nói năng với dân như thế à, hỏi một câu thì bị mắng, làm như tôi đi xin không bằng, coi dân không ra gì, cửa quyền,
sách nhiễu, quan cách, vô cảm, tắc trách, làm cho có, làm qua quýt, ỷ mình là cán bộ, cười cợt trước mặt dân, vừa làm
vừa lướt điện thoại, tán gẫu để dân đứng đợi, mới ba giờ đã nghỉ, quầy thì nhiều mà chỉ một người làm, cả sáng gọi
được mấy số, số nhảy lung tung, chen ngang mà bảo vệ làm ngơ, hồ sơ nằm im một chỗ, hồ sơ bị trả lại không lý do, trả
hồ sơ vì lỗi của chính họ, nhập sai rồi đổ cho dân, ghi nhầm giới tính con tôi, mất hồ sơ rồi chối, kêu đi sửa hết lần
này tới lần khác, mỗi lần lên lại một kiểu, người này chỉ người kia, phòng này đẩy phòng nọ, đá qua đá lại như quả
bóng, chạy giấy tờ muốn khùng, đi mòn cả dép, nghỉ làm ba ngày công vì tờ giấy, hẹn rồi lại lùi, quá hạn hai tháng vẫn
im re, nói chờ mà chờ tới bao giờ, không ai chịu trách nhiệm, không ai đứng ra nhận lỗi, gửi đơn mà không hồi âm, phản
ánh như nước đổ lá khoai, góp ý mãi vẫn thế, tổng đài bận suốt, gọi thì tắt ngang, nhắn tin thì bơ, trang web quay
mòng mòng, không gửi được tệp, mã xác thực không về, đang điền thì bị thoát, phải điền lại từ đầu, giao diện rối như
canh hẹ, mẫu đơn khó hiểu, chữ nhỏ xíu người già sao đọc nổi, không có lối cho xe lăn, ghế không đủ ngồi, quạt hỏng
nóng hầm hập, nhà xe thu tiền quá giá, thu phí mà không đưa hóa đơn, phí một đằng thu một nẻo, thu lắt nhắt đủ thứ,
gợi ý bồi dưỡng, phải nhờ cò mới xong, có tiền là xong ngay, bất công, bất hợp lý, lãng phí thời gian của dân, trên
bảo dưới không nghe, cải cách chỉ trên giấy, khẩu hiệu thì hay mà làm thì dở, càng ngày càng tệ, càng sửa càng rối,
thua xa chỗ khác, xấu hổ thay cho các anh, tôi bực lắm rồi, tôi hết chịu nổi, tôi không phục, tôi không chấp nhận, yêu
cầu trả lời bằng văn bản, yêu cầu xử lý người này, đề nghị đổi cán bộ khác, đề nghị kiểm điểm, tôi sẽ làm đơn tố cáo,
để tôi đưa lên báo, sao có mỗi cái dấu mà lâu thế, có mỗi chữ ký mà bắt đợi, giải thích mà như không, nói cho xong
chuyện, hướng dẫn nửa vời, bảo sao làm vậy mà vẫn sai, thất hứa, vô tổ chức, chẳng đâu vào đâu, mệt mỏi với thủ tục,
ngán ngẩm, phát nản, phát bực, đau đầu, khổ sở vì giấy tờ, oan ức, thiệt thòi
""")
MILD_PRAISE = phrases("""
không tệ, không tệ chút nào, không tệ đâu, cũng không tệ, quả không tệ, không hề tệ, không dở, không dở chút nào,
không đến nỗi tệ, không đến nỗi nào, không đến nỗi lâu, không chê được, không thua gì chỗ khác, không kém gì tư nhân,
không phải dạng vừa, không uổng, không phí công, không đáng ngại, không có vấn đề gì tốt lắm, khá ổn, khá tốt, khá hài
lòng, tương đối hài lòng, nhìn chung là tốt, nói chung hài lòng, cũng nhanh, cũng khá, ổn mà, ổn phết, ngon phết, được
phết, được đấy, được lắm, có tiến bộ, đỡ hơn trước, khá hơn năm ngoái, dễ chịu hơn tôi tưởng, nhanh hơn tôi nghĩ, đỡ
khổ hơn xưa, ít phiền hơn trước
""")
SO_SO = phrases("""
bình bình, bình thường thôi, cũng bình thường thôi, chẳng có gì để nói, cũng được thôi, cũng thường, tạm chấp nhận,
tạm được thôi, tàm tạm thôi, ở mức chấp nhận, ở mức khá, không nhanh không chậm, không hơn không kém, không tốt không
xấu, nửa này nửa kia, lúc được lúc không, khi nhanh khi chậm, tùy hôm, tùy người trực, chỗ được chỗ chưa, vừa đủ dùng,
đủ xài, không có gì mới, vẫn như cũ, giống lần trước, như mọi năm, y như hồi trước, không thay đổi gì, chưa rõ thế
nào, chưa biết ra sao, để xem đã, chờ xem kết quả rồi nói, tôi không đánh giá, tôi không có ý kiến, không khen cũng
chẳng chê, không có góp ý gì thêm, không ý kiến gì thêm, không có gì thêm, chấm trung bình, cho ba sao, ba trên năm,
năm mươi năm mươi
""")
WAITED = phrases("""
chờ, đợi, ngồi đợi, đứng chờ, xếp hàng, chờ đợi, ngồi chờ, tôi chờ, tôi đợi, bà con chờ, dân đợi
""")
LONG_SPANS = phrases("""
hai tiếng, ba tiếng đồng hồ, cả buổi, nửa ngày, từ sáng, từ tám giờ, gần một tháng, hơn tuần nay, hai tuần, mấy hôm,
cả buổi chiều, lâu lắc, mãi
""")
UNFINISHED = phrases("""
mà chưa tới lượt, mà không ai gọi, vẫn chưa xong, mà chưa thấy đâu, rồi mà vẫn vậy, mới được gọi, mới gặp được người,
mà cuối cùng lại bảo về, mà họ nghỉ trưa, vẫn không ai giải quyết, mà chẳng ai nói gì
""")
TRIPS = phrases("""
đi ba lần, lên đây lần thứ hai, đây là lần thứ tư, quay lại lần nữa, chạy năm lần bảy lượt, mất bốn buổi, đi đi về về,
lần thứ ba rồi
""")
TRIPS_FOR = phrases("""
vì một tờ giấy, chỉ để xin cái dấu, vẫn một chuyện đó, mà chưa xong, vẫn bảo thiếu, vì lỗi của cán bộ, mà không được
việc, chỉ vì một chữ viết sai
""")
EACH_TIME = phrases("""
lần nào, mỗi lần đến, hôm nào, cứ lên là, hễ hỏi là, lần nào lên
""")
DEMANDED = phrases("""
cũng bảo thiếu, cũng đòi thêm giấy, lại thêm một thứ, cũng phải về, cũng kêu hệ thống lỗi, cũng bị từ chối, cũng phải
làm lại, cũng chờ dài người
""")
PROMISED = phrases("""
hẹn hôm qua, hẹn thứ hai, ghi ngày mười lăm, bảo ba ngày, hứa tuần trước, nói là sáng nay, giấy hẹn tuần rồi
""")
BROKEN = phrases("""
mà hôm nay vẫn chưa có, giờ lại bảo chờ, rồi lại khất, mà chưa ai ký, mà giờ im lặng, mà nay kêu chưa làm, rồi bảo
tuần sau
""")
ONLY = phrases("""
chỉ, mới, chưa đến, chưa đầy, vỏn vẹn, loáng cái, vèo cái, mất có
""")
SHORT_SPANS = phrases("""
năm phút, mười phút, nửa tiếng, một buổi, vài phút, hai mươi phút, một lát, chốc lát
""")
DONE = phrases("""
là xong, đã xong, là có giấy, là được gọi tên, là có kết quả, đã trả hồ sơ, là giải quyết xong, là ra về
""")
EARLY = phrases("""
kết quả có trước hẹn, nhận giấy sớm hơn hẹn, trả hồ sơ sớm, lấy sổ trước hẹn, được giải quyết sớm hơn giấy hẹn
""")
EARLY_BY = phrases("""
một ngày, ba hôm, cả tuần, một buổi, năm ngày
""")
EASIER = phrases("""
dễ hơn xưa, nhanh hơn trước, tiện hơn hồi trước nhiều, gọn hơn trước, đỡ cực hơn hồi xưa, khác xưa tốt hơn hẳn
""")
SOON = phrases("""
nữa nhé, nữa ạ, thì có, nữa quay lại, nữa gọi tên, là đến hạn, kể từ ngày nộp, theo lịch hẹn
""")
TERMS = phrases("""
ba ngày làm việc, năm ngày, mười lăm phút, hai hôm, một tuần, một lát, bảy ngày, nửa tiếng, đến thứ năm, đến chiều mai
""")
"""What waiting and coming back mean depends on what is told with it: `WAITED` to `BROKEN` complain, `ONLY` to `EASIER`
praise, `SOON` and `TERMS` inform."""
