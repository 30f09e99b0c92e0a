"""Updates of the boxes as a page: what is offered to whom, and who stops it or lets it go on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response

from pipeline.calendar import now_s
from pipeline.language import Joined, Message
from server.boxes import updates
from server.boxes.updates import RING_WORDS, Ring
from server.store.engine import read, write
from server.web.confirm import FOR_GOOD, UNDONE_LATER, AskFirst, Sure
from server.web.context import BoxManager, RowId, back, engine_of, render, web

router = APIRouter(prefix="/health/updates", include_in_schema=False)
PATH = "/health/updates"
Release = Annotated[str, Path(pattern="^[0-9a-f]{8}$")]
QUIET = Message("A box takes it in its quiet hours, tries it, and goes back by itself where it does not work.")
KEPT = Message("Boxes that have it keep it.")


@router.get("")
def updates_page(request: Request, user: BoxManager) -> Response:
    """Every offer with what can be done to it, and the ring of every box."""
    with read(engine_of(request)) as connection:
        return render(
            request,
            "updates.html",
            offers=updates.offer_states(connection, user.province_id, now_s()),
            boxes=updates.rings_of_boxes(connection, user.province_id),
            rings=RING_WORDS,
        )


@router.post("/{release}/offer")
def offer(request: Request, user: BoxManager, release: Release, sure: Sure = False) -> Response:
    """Offer a release that lies ready to the pilot boxes, or let one that was stopped go on."""
    with write(engine_of(request)) as connection:
        row = updates.find_offer(connection, user.province_id, release)
        updates.set_state(connection, user.province_id, release, updates.OPEN, now_s(), user.user_id)
        if not sure:
            pilots = ", ".join(updates.pilots(connection, user.scope))
            if row.since_s == updates.NEVER_S:
                question = Message("Offer the update {software} to the pilot boxes: {boxes}?", software=row.software,
                                   boxes=pilots)  # fmt: skip
            else:
                question = Message("Let the update {software} go on?", software=row.software)
            raise AskFirst(question, then=QUIET, yes=Message("Offer"), back=PATH)
    return back(PATH)


@router.post("/{release}/stop")
def stop(request: Request, user: BoxManager, release: Release, sure: Sure = False) -> Response:
    """Nobody gets it any more, until it is let go on."""
    with write(engine_of(request)) as connection:
        row = updates.find_offer(connection, user.province_id, release)
        updates.set_state(connection, user.province_id, release, updates.STOPPED, now_s(), user.user_id)
        if not sure:
            question = Message("Stop the update {software}?", software=row.software)
            then = Joined((KEPT, UNDONE_LATER), " ")
            raise AskFirst(question, then=then, yes=Message("Stop"), back=PATH)
    return back(PATH)


@router.post("/{release}/open")
def open_ring(
    request: Request, user: BoxManager, release: Release, ring: Annotated[Ring, Form()], sure: Sure = False
) -> Response:
    """Do not wait for the rings before."""
    with write(engine_of(request)) as connection:
        row = updates.find_offer(connection, user.province_id, release)
        updates.open_ring(connection, user.province_id, release, ring, now_s(), user.user_id)
        if not sure:
            question = Message("Offer the update {software} to this ring now, without waiting: {ring}?",
                               software=row.software, ring=RING_WORDS[ring])  # fmt: skip
            fields = {"ring": str(int(ring))}
            raise AskFirst(question, then=QUIET, yes=Message("Offer"), fields=fields, back=PATH)
    return back(PATH)


@router.post("/{release}/withdraw")
def withdraw(request: Request, user: BoxManager, release: Release, sure: Sure = False) -> Response:
    """End it, and remove its file here."""
    with write(engine_of(request)) as connection:
        row = updates.find_offer(connection, user.province_id, release)
        updates.set_state(connection, user.province_id, release, updates.WITHDRAWN, now_s(), user.user_id)
        if not sure:
            question = Message("Withdraw the update {software} and remove its file from the server?",
                               software=row.software)  # fmt: skip
            raise AskFirst(question, then=Joined((KEPT, FOR_GOOD), " "), yes=Message("Withdraw"), back=PATH)
    updates.wipe_bundle(engine_of(request), web(request).config.data_dir, release)
    return back(PATH)


@router.post("/boxes/ring")
def state_ring(
    request: Request, user: BoxManager, box: Annotated[RowId, Form()], ring: Annotated[Ring | None, Form()] = None
) -> Response:
    """Put a box into a ring; without one: by its number."""
    with write(engine_of(request)) as connection:
        updates.state_ring(connection, user.province_id, box, ring, user.user_id)
    return back(PATH)
