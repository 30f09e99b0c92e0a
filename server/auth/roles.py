"""Permissions and the roles that have them. A route asks for a permission, never for a role."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from server.core.scope import Scope
from server.store.tables.users import Role


class Permission(StrEnum):
    """What a route may ask for."""

    READ_SCORES = "read_scores"
    READ_HEALTH = "read_health"
    ANALYSE = "analyse"
    EXPORT = "export"
    ENTER_RATINGS = "enter_ratings"
    REVIEW_RATINGS = "review_ratings"
    """Count a rating that was set aside again, or set one aside."""
    MANAGE_SURVEY = "manage_survey"
    """Instruments in force, sampling plan, links, imports, enumerators."""
    MANAGE_CATALOGUE = "manage_catalogue"
    MANAGE_BOXES = "manage_boxes"
    MANAGE_USERS = "manage_users"
    READ_PRIVACY = "read_privacy"
    """Access log, log of changes, tree heads, retention."""
    HANDLE_RIGHTS = "handle_rights"
    """Requests of data subjects, incidents."""


_P = Permission

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: frozenset(
        {
            _P.READ_SCORES,
            _P.READ_HEALTH,
            _P.ENTER_RATINGS,
            _P.MANAGE_SURVEY,
            _P.MANAGE_CATALOGUE,
            _P.MANAGE_BOXES,
            _P.MANAGE_USERS,
            _P.EXPORT,
            _P.ANALYSE,
        }
    ),
    Role.DATA_ENTRY: frozenset({_P.ENTER_RATINGS}),
    Role.ANALYST: frozenset(
        {_P.READ_SCORES, _P.READ_HEALTH, _P.ANALYSE, _P.EXPORT, _P.REVIEW_RATINGS, _P.MANAGE_SURVEY}
    ),
    Role.PRIVACY_OFFICER: frozenset({_P.READ_SCORES, _P.READ_HEALTH, _P.READ_PRIVACY, _P.HANDLE_RIGHTS}),
    Role.AGENCY_READER: frozenset({_P.READ_SCORES}),
}
"""An administrator does not read the access log: those whom it watches do not keep it."""

DEMO_PERMISSIONS = frozenset({_P.READ_SCORES, _P.READ_HEALTH, _P.ANALYSE})
"""A visitor of a demo, without log-in: reading only."""


@dataclass(frozen=True, slots=True)
class User:
    """Who asks. `user_id` and `role` are None for a visitor of a demo.

    `agency_id`: an agency reader sees this agency alone, in every query; None: all of the province."""

    user_id: int | None
    name: str
    role: Role | None
    province_id: int
    agency_id: int | None = None
    must_change_password: bool = False
    must_set_factor: bool = False
    """The province asks this role for a second factor, and there is none yet."""

    @property
    def scope(self) -> Scope:
        """The rows that this user's statements reach."""
        return Scope(self.province_id, self.agency_id)

    @property
    def permissions(self) -> frozenset[Permission]:
        """What this user may do."""
        return DEMO_PERMISSIONS if self.role is None else PERMISSIONS[self.role]

    def may(self, permission: Permission | str) -> bool:
        """Whether this user has a permission."""
        return permission in self.permissions
