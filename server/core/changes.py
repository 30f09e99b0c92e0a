"""The server's tamper-evident log of changes: a hash chain by province.

chain_i = SHA-256(chain_{i-1} || canonical JSON of row i), chain_0 = 64 zeros. Whoever keeps the newest chain value
(it stands on the privacy page and in every report) sees any later change of an older row. The boxes' own logs are
Merkle trees; here one writer and short logs make a chain enough.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert

from pipeline.calendar import today
from pipeline.errors import LogError
from pipeline.text import tidy
from pipeline.words import Words
from server.core.scope import Scope
from server.store.tables.changes import changes
from server.store.tables.users import users

START = "0" * 64

ACTIONS: dict[str, tuple[str, str]] = {
    "agency_active": ("Bật hoặc tắt một cơ quan", "Agency taken in or out"),
    "agencies_imported": ("Nhập tệp cơ quan", "Agencies imported"),
    "box clerks stated": ("Khai số cán bộ tại thiết bị", "Clerks of a box stated"),
    "box code issued": ("Cấp mã đăng ký thiết bị", "Enrolment code issued"),
    "box enrolled": ("Thiết bị đã đăng ký", "Box enrolled"),
    "box made": ("Thêm thiết bị", "Box added"),
    "box revoked": ("Thu hồi khóa thiết bị", "Key of a box revoked"),
    "catalogue": ("Sửa danh mục", "Catalogue changed"),
    "comment_coded": ("Mã hóa một ý kiến", "Comment coded"),
    "counters_imported": ("Nhập tệp quầy", "Counters imported"),
    "entry_decided": ("Quyết định phiếu nhập hai lần khác nhau", "Differing double entry decided"),
    "enumerator_added": ("Thêm điều tra viên", "Enumerator added"),
    "enumerators_imported": ("Nhập tệp điều tra viên", "Enumerators imported"),
    "feedback_status": ("Đổi trạng thái phản ánh", "State of a feedback changed"),
    "fields_imported": ("Nhập tệp ngành, lĩnh vực", "Fields imported"),
    "form_rechecked": ("Phúc tra một phiếu", "Form re-checked"),
    "forms_printed": ("In phiếu", "Forms printed"),
    "gateway_made": ("Thêm cổng SMS, gọi hoặc trực tuyến", "Gateway added"),
    "invitations_issued": ("Cấp đường dẫn dùng một lần", "One-time links issued"),
    "levels_imported": ("Nhập tệp cấp hành chính", "Levels imported"),
    "password_reset": ("Đặt lại mật khẩu của một người dùng", "A user's password reset"),
    "phones_imported": ("Nhập tệp số điện thoại", "Phone numbers imported"),
    "plan_made": ("Lập kế hoạch lấy mẫu", "Sampling plan made"),
    "rating_entered": ("Nhân viên nhập phiếu", "Ratings entered by staff"),
    "rating_restored": ("Tính lại một phiếu đã gác", "Rating counted again"),
    "rating_set_aside": ("Gác một phiếu nghi vấn", "Rating set aside"),
    "ratings_exported": ("Xuất dữ liệu phiếu", "Ratings exported"),
    "ratings_imported": ("Nhập tệp phiếu", "Ratings imported"),
    "retention": ("Xóa dữ liệu hết hạn lưu", "Data past its retention deleted"),
    "round_closed": ("Đóng đợt khảo sát", "Round closed"),
    "round_made": ("Mở đợt khảo sát", "Round made"),
    "sheets_unfit": ("Phiếu không hợp bộ câu hỏi, để riêng", "Sheets that do not fit, kept apart"),
    "service_groups_imported": ("Nhập tệp nhóm thủ tục", "Service groups imported"),
    "services_imported": ("Nhập tệp thủ tục", "Services imported"),
    "settings": ("Đổi thiết lập", "Settings changed"),
    "transactions_imported": ("Nhập tệp số giao dịch", "Transactions imported"),
    "user_active": ("Mở lại một người dùng", "User let in again"),
    "user_inactive": ("Khóa một người dùng", "User shut out"),
    "user_made": ("Thêm người dùng", "User added"),
}
"""What an action of the log means, in Vietnamese and English; the log keeps the code."""


def _chain(before: str, position: int, day: int, user_id: int | None, action: str, detail: str) -> str:
    row = json.dumps([position, day, user_id, action, detail], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(before.encode() + row.encode()).hexdigest()


def detail_text(detail: Mapping[str, Any]) -> str:
    """A change's detail as the log keeps it."""
    return json.dumps(dict(detail), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def record_change(
    connection: Connection, province_id: int, user_id: int | None, action: str, detail: Mapping[str, Any]
) -> str:
    """Append a change, in the caller's transaction, and return the new head of the chain.

    `detail` never holds a name, a phone number or an answer; ids, codes and counts only."""
    query = Scope(province_id).select(changes, changes.c.position, changes.c.chain)
    last = connection.execute(query.order_by(changes.c.position.desc()).limit(1)).first()
    position, before = (last.position + 1, last.chain) if last else (1, START)
    text = tidy(detail_text(detail))  # as the store keeps it, or the chain would not fit
    day = today()
    head = _chain(before, position, day, user_id, action, text)
    row = {"position": position, "day": day, "user_id": user_id, "action": action, "detail": text, "chain": head}
    connection.execute(insert(changes).values(province_id=province_id, **row))
    return head


def newest_changes(connection: Connection, scope: Scope, limit: int) -> list[Row[Any]]:
    """The newest entries of the log with their authors' names."""
    query = scope.select(changes, changes, users.c.name).outerjoin(users, users.c.id == changes.c.user_id)
    return list(connection.execute(query.order_by(changes.c.position.desc()).limit(limit)))


def verify_changes(connection: Connection, province_id: int) -> tuple[int, str]:
    """(number of entries, head) of a province's log. Raises `LogError` at the first entry that does not fit."""
    head, position = START, 0
    query = Scope(province_id).select(changes).order_by(changes.c.position)
    for row in connection.execute(query):
        position += 1
        expected = _chain(head, position, row.day, row.user_id, row.action, row.detail)
        if row.position != position or row.chain != expected:
            raise LogError(
                Words(
                    f"The log of changes was altered at entry {position}.",
                    f"Nhật ký thay đổi đã bị sửa ở mục {position}.",
                ),
                Words("Compare with a backup.", "Hãy so với bản sao lưu."),
            )
        head = expected
    return position, head
