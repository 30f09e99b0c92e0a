"""The week's digest by mail: once a week, to the addresses that a province's setting `digest_mail` names."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine

from pipeline.calendar import DayRange, day_at, day_date
from pipeline.errors import InvalidError
from server.core.config import ServerConfig
from server.core.provinces import Province, all_provinces, read_settings
from server.home.digest import make_digest
from server.outbox.outbox import Letter, Way, post, was_posted
from server.outbox.quiet import quiet_until_s, read_hours
from server.store.engine import read, write


def post_digests(engine: Engine, config: ServerConfig, now: int) -> int:
    """Put the digests of the week before into the outbox, of every province that has none of it yet; how many."""
    with read(engine) as connection:
        provinces = all_provinces(connection)
    return sum(post_digest(engine, config, province, now) for province in provinces)


def post_digest(engine: Engine, config: ServerConfig, province: Province, now: int) -> bool:
    """The same for one province: whether it was put there.

    From Monday on, after the quiet hours; a server that was away on Monday makes up for it."""
    today = day_date(day_at(now))
    monday = today - timedelta(days=today.weekday())
    week, once = DayRange(monday - timedelta(days=7), monday), f"digest {monday.isoformat()}"
    with read(engine) as connection:
        given = read_settings(connection, province.province_id, ("digest_mail", "alert_quiet_hours"))
        receiver = str(given["digest_mail"]).strip()
        if not receiver or was_posted(connection, province.province_id, once):
            return False
        made = make_digest(connection, province.province_id, week, url=config.web.public_url)
    later = quiet_until_s(now, read_hours(str(given["alert_quiet_hours"])))
    letter = Letter(Way.MAIL, receiver, made.text, made.subject, made.html, later)
    with write(engine) as connection:
        try:
            return post(connection, province.province_id, letter, now, once=once) is not None
        except InvalidError:  # a setting that somebody wrote by hand
            return False
