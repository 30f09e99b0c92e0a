"""Users of the province: making them, a new one-time password, shutting them out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from pipeline.errors import NotFoundError, RequestError
from pipeline.language import Joined, Message
from server.auth.factors import users_with_factor
from server.auth.provider_accounts import linked_users
from server.auth.users import all_users, make_user, new_one_time_password, set_active, take_factor_away, user_name
from server.catalogue.agencies import read_agencies
from server.core.labels import ROLE_NAMES
from server.store.engine import read, write
from server.store.tables.users import Role
from server.web.confirm import FOR_GOOD, UNDONE_LATER, AskFirst, Sure
from server.web.context import RowId, UserManager, engine_of, error_text, render
from server.web.listing import PageNumber, Sought, holds, listing

router = APIRouter(include_in_schema=False)
_LOGGED_OUT = Message("The present password no longer works, and whoever is logged in under this name is logged out.")


def _page(
    request: Request, user: UserManager, status: int = 200, q: str = "", page: int = 1, **values: object
) -> Response:
    with read(engine_of(request)) as connection:
        found = all_users(connection, user.scope)
        agencies = read_agencies(connection, user.province_id)
        with_factor = users_with_factor(connection, user.scope)
        linked = linked_users(connection, user.scope)
    names = {one.agency_id: one.name for one in agencies}
    fitting = [
        one for one in found if holds(q, one.name, *(names[one.agency_id].texts if one.agency_id in names else ()))
    ]
    empty: dict[str, object] = {"problem": "", "made": None}
    return render(
        request,
        "users.html",
        status,
        table=listing("/users", {"q": q}, fitting, {}, sort="", page=page),
        q=q,
        agency_names=names,
        with_factor=with_factor,
        linked=linked,
        agencies=agencies,
        roles=list(Role),
        role_names=ROLE_NAMES,
        **{**empty, **values},
    )


@router.get("/users")
def users_page(request: Request, user: UserManager, q: Sought = "", page: PageNumber = 1) -> Response:
    """All users of the province."""
    return _page(request, user, q=q, page=page)


@router.post("/users")
def add_user(
    request: Request,
    user: UserManager,
    name: Annotated[str, Form(max_length=100)],
    role: Annotated[Role, Form()],
    agency: Annotated[str, Form(max_length=60)] = "",
) -> Response:
    """Make a user; the one-time password is shown once, on the answer's page."""
    name = name.strip().lower()
    try:
        with write(engine_of(request)) as connection:
            agency_id = None
            if agency and role is Role.AGENCY_READER:
                codes = {a.code: a.agency_id for a in read_agencies(connection, user.province_id)}
                if agency not in codes:
                    raise NotFoundError(Message("There is no such agency."))
                agency_id = codes[agency]
            password = make_user(connection, user.province_id, name, role, agency_id, by=user.user_id)
    except RequestError as error:
        return _page(request, user, error.status, problem=error_text(request, error))
    return _page(request, user, made=(name, password))


@router.post("/users/{user_id}/password")
def reset_password(request: Request, user: UserManager, user_id: RowId, sure: Sure = False) -> Response:
    """A new one-time password."""
    with write(engine_of(request)) as connection:
        password = new_one_time_password(connection, user.province_id, user_id, by=user.user_id)
        name = user_name(connection, user.scope, user_id)
        if not sure:
            raise AskFirst(
                Message("Give {name} a new one-time password?", name=name),
                then=Joined((_LOGGED_OUT, FOR_GOOD), " "),
                yes=Message("New password"),
                back="/users",
            )
    return _page(request, user, made=(name, password))


@router.post("/users/{user_id}/factor")
def reset_factor(request: Request, user: UserManager, user_id: RowId, sure: Sure = False) -> Response:
    """Take away the second factor of somebody whose telephone is lost."""
    with write(engine_of(request)) as connection:
        take_factor_away(connection, user.province_id, user_id, by=user.user_id)
        if not sure:
            raise AskFirst(
                Message("Take the second factor of {name} away?", name=user_name(connection, user.scope, user_id)),
                then=Joined((Message("Whoever is logged in under this name is logged out."), FOR_GOOD), " "),
                yes=Message("Reset second factor"),
                back="/users",
            )
    return RedirectResponse("/users", 303)


@router.post("/users/{user_id}/active")
def switch_user(
    request: Request, user: UserManager, user_id: RowId, active: Annotated[bool, Form()], sure: Sure = False
) -> Response:
    """Let a user in or shut them out."""
    try:
        with write(engine_of(request)) as connection:
            set_active(connection, user.province_id, user_id, active, by=user.user_id)
            if not active and not sure:
                raise AskFirst(
                    Message("Shut {name} out?", name=user_name(connection, user.scope, user_id)),
                    then=Joined((Message("Whoever is logged in under this name is logged out."), UNDONE_LATER), " "),
                    yes=Message("Shut out"),
                    fields={"active": "false"},
                    back="/users",
                )
    except RequestError as error:
        return _page(request, user, error.status, problem=error_text(request, error))
    return RedirectResponse("/users", 303)
