"""The week's digest of a province, as text and as HTML of the same sentences: where the index stands, who stands out,
what cases wait, how rounds come in, what to do next.

What it says of sheets are the first page's figures, under its rule (whole days, enough sheets); no sentence is about a
person. It is made here, and sent by `server.home.digest_mail`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from sqlalchemy import Connection, func

from pipeline.calendar import DayRange, day_index, day_words
from pipeline.language import DEFAULT, Number, in_language, translator
from server.auth.roles import User
from server.boxes.health import box_states
from server.core.provinces import province_by_id
from server.core.scope import Scope
from server.home.next_steps import next_steps
from server.rounds.returns import round_returns
from server.rounds.rounds import all_rounds
from server.scores.fused import newest_period
from server.scores.standings import Against, Standing, Standings, standings
from server.store.tables.feedback import OPEN_STATES, feedback
from server.store.tables.users import Role

NAMED = 5
"""Agencies that a list names before it says how many more there are."""
_STYLE = "font-family:sans-serif;font-size:16px;line-height:1.5;color:#17212b;max-width:40em"


@dataclass(frozen=True, slots=True)
class Digest:
    """A letter: its subject, and what it says as text and as HTML."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Part:
    """A heading and its lines, each with an address or an empty one."""

    heading: str
    lines: tuple[tuple[str, str], ...]


Speaks = Callable[..., str]


def make_digest(connection: Connection, province_id: int, week: DayRange, lang: str = DEFAULT, url: str = "") -> Digest:
    """The digest of a week that is over. `url`: the server's public address, for links; empty: none."""
    _ = translator(lang)
    province = province_by_id(connection, province_id)
    found = standings(connection, province_id, newest_period(connection, province_id))
    days = {"first": in_language(day_words(day_index(week.start)), lang)}
    days["last"] = in_language(day_words(day_index(week.end) - 1), lang)
    parts = [
        _index(found, _, lang),
        *_lists(found, _, lang),
        _cases(connection, province_id, week, _),
        _rounds(connection, province_id, _),
        _steps(connection, province_id, found, lang, _),
    ]
    subject = _("{province}: week {first} to {last}", province=_(province.name), **days)
    notes = [_("Figures are of days that are over, and shown only where enough sheets are behind them.")]
    if province.simulated:
        notes.insert(0, _("Simulated figures."))
    shown = [part for part in parts if part.lines]
    return Digest(subject, _text(subject, shown, notes, url), _html(subject, shown, notes, url, lang))


def _index(found: Standings, _: Speaks, lang: str) -> Part:
    heading = _("SIPAS index (official), {period}", period=found.period.words(lang))
    figure = found.figure
    if figure.index is None:
        return Part(heading, ((_("There are not enough answers in this period for an index."), "/"),))
    words = _(
        "{index} ({low} to {high}), of {count} sheets",
        index=_one(figure.index, lang),
        low=_one(figure.low, lang),
        high=_one(figure.high, lang),
        count=_number(found.sheets, lang),
    )
    lines = [(words, f"/?period={found.period.name}")]
    if found.overall_alone:
        alone = _("{count} of them with the overall question alone", count=_number(found.overall_alone, lang))
        lines.append((alone, ""))
    lines += [(_against(one, _, lang), "") for one in (found.last, found.year)]
    return Part(heading, tuple(lines))


def _against(one: Against, _: Speaks, lang: str) -> str:
    period = one.period.words(lang)
    if one.figure is None or one.figure.index is None or one.change is None:
        return _("{period}: no figure to compare with", period=period)
    return f"{period}: {_one(one.figure.index, lang)} – {_(one.change.words)}"


def _lists(found: Standings, _: Speaks, lang: str) -> list[Part]:
    kinds: tuple[tuple[str, str, Sequence[Standing]], ...] = (
        ("low", _("Surely low"), found.low),
        ("falling", _("Surely falling"), found.falling),
        ("few", _("Too few answers to tell"), found.few),
    )
    parts = []
    for key, heading, agencies in kinds:
        period = found.period.name
        lines = [
            (
                _(one.name) if one.figure.index is None else f"{_(one.name)}: {_one(one.figure.index, lang)}",
                f"/agencies/{one.code}?period={period}",
            )
            for one in agencies[:NAMED]
        ]
        if len(agencies) > NAMED:
            more = _("and {count} more", count=_number(len(agencies) - NAMED, lang))
            lines.append((more, f"/?period={period}&only={key}"))
        parts.append(Part(heading, tuple(lines)))
    return parts


def _cases(connection: Connection, province_id: int, week: DayRange, _: Speaks) -> Part:
    first, last = day_index(week.start), day_index(week.end) - 1

    def count(*where: object) -> int:
        query = Scope(province_id).select(feedback, func.count())
        return int(connection.execute(query.where(*where)).scalar_one())  # type: ignore[arg-type]

    is_open = feedback.c.status.in_(OPEN_STATES)
    come = count(feedback.c.received_day.between(first, last))
    done = count(feedback.c.answered_day.between(first, last))
    late = count(is_open, feedback.c.due_day <= last)
    words = _(
        "Received in the week: {come}. Answered: {done}. Overdue: {late}.",
        come=str(come),
        done=str(done),
        late=str(late),
    )
    return Part(_("Feedback and complaints"), ((words, "/survey/feedback"),) if come or done or late else ())


def _rounds(connection: Connection, province_id: int, _: Speaks) -> Part:
    going = [one for one in all_rounds(connection, province_id) if one.open_now]
    returns = round_returns(connection, province_id, going)
    lines = []
    for one in going:
        how = returns[one.id]
        received = str(how.received) if how.planned is None else f"{how.received} / {how.planned}"
        words = _(
            "{round}: {received} received, {days} days left", round=_(one.name), received=received, days=how.days_left
        )
        lines.append((words, f"/survey/rounds/{one.id}"))
    return Part(_("Survey rounds"), tuple(lines))


def _steps(connection: Connection, province_id: int, found: Standings, lang: str, _: Speaks) -> Part:
    """What an administrator's first page says to do next."""
    states = box_states(connection, province_id)
    silent = sum(not (one.fine or one.simulated or one.revoked) for one in states)
    steps = next_steps(connection, User(None, "", Role.ADMINISTRATOR, province_id), found, silent)
    return Part(_("What to do next"), tuple((in_language(step.words, lang), step.href) for step in steps))


def _number(value: int, lang: str) -> str:
    return in_language(Number(value, 0), lang)


def _one(value: float | None, lang: str) -> str:
    return in_language(Number(value, 1), lang)


def _text(subject: str, parts: Sequence[Part], notes: Sequence[str], url: str) -> str:
    lines = [subject, "=" * len(subject)]
    for part in parts:
        lines += ["", part.heading, "-" * len(part.heading)]
        for words, href in part.lines:
            lines.append(f"* {words}")
            if href and url:
                lines.append(f"  {url}{href}")
    return "\n".join([*lines, "", *notes]) + "\n"


def _html(subject: str, parts: Sequence[Part], notes: Sequence[str], url: str, lang: str) -> str:
    body = [Markup("<h1>{}</h1>").format(subject)]
    for part in parts:
        body.append(Markup("<h2>{}</h2><ul>").format(part.heading))
        for words, href in part.lines:
            link = Markup('<li><a href="{}{}">{}</a></li>').format(url, href, words)
            body.append(link if href and url else Markup("<li>{}</li>").format(words))
        body.append(Markup("</ul>"))
    body += [Markup("<p>{}</p>").format(note) for note in notes]
    head = Markup(
        '<!doctype html><html lang="{}"><head><meta charset="utf-8"><title>{}</title></head><body style="{}">'
    )
    return str(head.format(lang, subject, _STYLE) + Markup("\n").join(body) + Markup("</body></html>\n"))
