"""The main menu: each area adds its entries here."""

from __future__ import annotations

from dataclasses import dataclass

from server.auth.roles import Permission, User


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the menu; shown to those who have the permission."""

    path: str
    vi: str
    en: str
    permission: Permission


ENTRIES: tuple[Entry, ...] = (
    Entry("/survey/index", "Khảo sát", "Survey", Permission.READ_SCORES),
    Entry("/survey/entry", "Nhập phiếu", "Data entry", Permission.ENTER_RATINGS),
    Entry("/health", "Thiết bị", "Boxes", Permission.READ_HEALTH),
    Entry("/analysis", "Phân tích", "Analysis", Permission.ANALYSE),
    Entry("/catalogue", "Danh mục", "Catalogue", Permission.MANAGE_CATALOGUE),
    Entry("/settings", "Thiết lập", "Settings", Permission.MANAGE_USERS),
    Entry("/users", "Người dùng", "Users", Permission.MANAGE_USERS),
    Entry("/privacy", "Quyền riêng tư", "Privacy", Permission.READ_PRIVACY),
)


def home_path(user: User | None) -> str:
    """The first page that a user may read: the overview, else the first entry of the menu, else the account."""
    if user is None or user.may(Permission.READ_SCORES):
        return "/"
    return next((entry.path for entry in ENTRIES if user.may(entry.permission)), "/account")
