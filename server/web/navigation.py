"""The main menu: each area adds its entries here."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.language import Message
from server.auth.roles import Permission, User


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the menu; shown to those who have the permission."""

    path: str
    name: Message
    permission: Permission


ENTRIES: tuple[Entry, ...] = (
    Entry("/reasons", Message("Why not satisfied"), Permission.READ_SCORES),
    Entry("/reports", Message("Reports"), Permission.READ_SCORES),
    Entry("/survey/index", Message("Survey"), Permission.READ_SCORES),
    Entry("/survey/entry", Message("Data entry"), Permission.ENTER_RATINGS),
    Entry("/health", Message("Boxes"), Permission.READ_HEALTH),
    Entry("/alerts", Message("Alerts"), Permission.READ_HEALTH),
    Entry("/analysis", Message("Analysis"), Permission.ANALYSE),
    Entry("/catalogue", Message("Catalogue"), Permission.MANAGE_CATALOGUE),
    Entry("/settings", Message("Settings"), Permission.MANAGE_USERS),
    Entry("/users", Message("Users"), Permission.MANAGE_USERS),
    Entry("/privacy", Message("Privacy"), Permission.READ_PRIVACY),
    Entry("/privacy/rights", Message("Rights desk"), Permission.HANDLE_RIGHTS),
)


def home_path(user: User | None) -> str:
    """The first page that a user may read: the overview, else the first entry of the menu, else the account."""
    if user is None or user.may(Permission.READ_SCORES):
        return "/"
    return next((entry.path for entry in ENTRIES if user.may(entry.permission)), "/account")
