"""What each page's form puts into the draft. What is allowed is the configuration's reader's to say
(`edge.config.complaints`); here is only what a page knows and a file does not: which device was meant, what was left
empty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

from edge.assistant.devices import Devices, Eyes, Found, typed_address
from edge.assistant.draft import Draft, Table
from edge.assistant.onvif import with_password
from edge.config import complaints
from edge.counters import MAX_COUNTERS
from edge.one_picture import drawn_region
from pipeline.enrolment import parse_code
from pipeline.errors import InvalidError
from pipeline.language import Joined, Message

Form = Mapping[str, str]
SECTIONS = {
    "place": ("box", "privacy", "counter"),
    "devices": ("camera", "microphone", "counter"),
    "region": ("camera", "counter"),
    "basis": ("legal",),
    "notice": ("notice",),
    "tablet": ("tablet",),
    "server": ("server",),
}
"""The tables that each page fills."""
PAPERS = ("decision_number", "decision_date", "office", "complaints", "last_check")


@dataclass(slots=True)
class Seen:
    """What the pages know beside the draft, in memory alone: what was found, and the one-time code."""

    devices: Devices
    code: str = ""


def take_place(draft: Draft, form: Form, _told: Seen, _eyes: Eyes) -> None:
    """Agency, counters, clerks."""
    box, privacy = draft.table("box"), draft.table("privacy")
    box["agency_label"] = _needed(form, "agency_label", Message("Name the agency."))
    _take_counters(draft, form)
    if privacy.get("pools"):
        return  # a hall of several agencies says so itself
    clerks = privacy["clerks_per_box"] = _number(form, "clerks", 1, 64)
    met_before = box.pop("clerks_meet", False)
    if clerks == 1:
        privacy["pool_with"] = _needed(
            form,
            "pool_with",
            Message("A box that serves one clerk needs the label of the pool in which it is counted."),
        )
        privacy["pulse_epsilon_milli"] = 0
        return
    privacy.pop("pool_with", None)
    meet = _needed(form, "clerks_meet", Message("Say whether two clerks or more serve at every time."))
    if meet != "yes":
        privacy["pulse_epsilon_milli"] = 0
        return
    box["clerks_meet"] = True
    if not met_before and privacy.get("pulse_epsilon_milli") == 0:
        del privacy["pulse_epsilon_milli"]


def _take_counters(draft: Draft, form: Form) -> None:
    kept = []
    for counter in draft.counters:
        label = form.get(f"label-{counter['name']}", "").strip()
        if label or len(draft.counters) == 1:
            kept.append(counter)
            counter.pop("label", None)
            counter |= {"label": label} if label else {}
    if not kept:
        raise InvalidError(Message("There is no counter left."), Message("Name one at least."))
    draft.counters[:] = kept


def add_counter(draft: Draft) -> None:
    """One more, under the first free number. Raises `InvalidError`."""
    if len(draft.counters) >= MAX_COUNTERS:
        raise InvalidError(Message("A box serves {most} counters at the most.", most=MAX_COUNTERS))
    names = {each["name"] for each in draft.counters}
    draft.counters.append({"name": next(str(number) for number in range(1, 1000) if str(number) not in names)})


def take_devices(draft: Draft, form: Form, told: Seen, eyes: Eyes) -> None:
    """Camera and microphone of every counter."""
    for counter in draft.counters:
        name = counter["name"]
        before = counter.get("camera", {})
        camera = _camera(before, _of(form, name), told.devices, eyes)
        if camera.get("source") != before.get("source") or camera.get("sub_stream") != before.get("sub_stream"):
            camera.pop("region", None)
        counter["camera"] = camera
        microphone = _microphone(counter.get("microphone", {}), _of(form, name), told.devices)
        counter.pop("microphone", None)
        counter |= {"microphone": microphone} if microphone else {}


def _of(form: Form, name: str) -> Callable[[str], str]:
    """A counter's fields."""
    return lambda field: form.get(f"{field}-{name}", "").strip()


def _camera(before: Table, field: Callable[[str], str], devices: Devices, eyes: Eyes) -> Table:
    choice, user, password = field("camera"), field("user"), field("password")
    if choice == "keep" and before:
        return dict(before)
    if choice == "none":
        return {"source": "none"}
    rest = {name: value for name, value in before.items() if name not in ("source", "sub_stream")}
    if choice == "typed":
        return rest | {"source": with_password(typed_address(field("address")), user, password)}
    found = _chosen(choice, "camera", devices)
    if found.network is None:
        return rest | {"source": found.source}
    streams = eyes.streams(found.network, user, password)
    return rest | {"source": streams.main} | ({"sub_stream": streams.sub} if streams.sub else {})


def _microphone(before: Table, field: Callable[[str], str], devices: Devices) -> Table | None:
    choice = field("microphone")
    if choice == "keep" and before:
        source = before["source"]
    elif choice == "none":
        return None
    else:
        source = _chosen(choice, "microphone", devices).source
    if field("staff") != "yes":
        raise InvalidError(
            Message("A microphone is used only where it does not hear the civil servant."),
            Message("Tick the statement, or choose no microphone."),
        )
    channel = field("channel") or "0"
    if not channel.isdecimal() or int(channel) > 31:
        raise InvalidError(Message("A channel is a number from 0."), Message("Write 0 where there is one alone."))
    return before | {"source": source, "channel": int(channel), "staff_not_heard": True}


def _chosen(key: str, kind: str, devices: Devices) -> Found:
    found = devices.by_key(key, kind)
    if found is None:
        raise InvalidError(
            Message("That device is not there (any more)."), Message("Look for devices again, and choose one.")
        )
    return found


def take_region(draft: Draft, form: Form, _told: Seen, _eyes: Eyes) -> None:
    """One counter's region."""
    try:
        counter = draft.counter(form.get("counter", ""))
    except KeyError:
        raise InvalidError(Message("There is no such counter.")) from None
    if counter not in draft.cameras:
        raise InvalidError(Message("Counter {name} has no camera.", name=counter["name"]))
    counter["camera"]["region"] = drawn_region(form.get("region", ""))


def take_basis(draft: Draft, form: Form, _told: Seen, _eyes: Eyes) -> None:
    """The legal basis, which has no default."""
    basis = _needed(form, "basis", Message("Choose the legal basis. There is no default."))
    legal: dict[str, Any] = {"basis": basis}
    if months := draft.tables.get("legal", {}).get("check_every_months"):
        legal["check_every_months"] = months
    if basis == "state_activity":
        for name in PAPERS:
            value = form.get(name, "").strip()
            if name in ("decision_date", "last_check"):
                with suppress(ValueError):
                    legal[name] = date.fromisoformat(value)
            elif value:
                legal[name] = value
    draft.tables["legal"] = legal


def take_notice(draft: Draft, form: Form, _told: Seen, _eyes: Eyes) -> None:
    """Whom to ask, and whether it hangs."""
    notice = draft.table("notice")
    notice["contact"] = form.get("contact", "").strip()
    notice["confirmed"] = form.get("confirmed") == "yes"


def take_tablet(draft: Draft, form: Form, _told: Seen, _eyes: Eyes) -> None:
    """Where the tablet's page is, and what it asks."""
    tablet = draft.table("tablet")
    tablet["host"] = _needed(form, "host", Message("Choose where the tablet's page is."))
    tablet["network_closed"] = form.get("network_closed") == "yes"
    tablet["form"] = form.get("form", "")


def take_server(draft: Draft, form: Form, told: Seen, _eyes: Eyes) -> None:
    """Server and one-time code; the whole text of a label's QR code may be given in place of the three."""
    server, label = draft.table("server"), form.get("label", "").split()
    code, address, key = (
        label if len(label) == 3 else [form.get(n, "").strip() for n in ("code", "address", "public_key")]
    )
    if label and len(label) != 3:
        raise InvalidError(
            Message("That is not the text of a box's label: it has a code, an address and a key."),
            Message("Copy the QR code's whole text, or fill in the three fields."),
        )
    server["address"], server["public_key"] = address, key
    if "//SERVER:" in address:
        raise InvalidError(
            Message("The label does not say where the server is."),
            Message("Write the server's address in place of SERVER; ask its operator."),
        )
    if code:
        parse_code(code)
        told.code = code


TAKERS: dict[str, Callable[[Draft, Form, Seen, Eyes], None]] = {
    "place": take_place,
    "devices": take_devices,
    "region": take_region,
    "basis": take_basis,
    "notice": take_notice,
    "tablet": take_tablet,
    "server": take_server,
}


def require_right(draft: Draft, step: str) -> None:
    """What the configuration's reader says of the tables that a page has filled. Raises `InvalidError`."""
    wrong = [said for section, said in complaints(draft.values()) if section in SECTIONS[step]]
    if step == "region":
        wrong = []  # of each counter in turn; the others' are still to come
    if wrong:
        raise InvalidError(Joined(wrong, " "), Message("Correct it here; nothing was written."))


def _needed(form: Form, name: str, missing: Message) -> str:
    value = form.get(name, "").strip()
    if not value:
        raise InvalidError(missing)
    return value


def _number(form: Form, name: str, least: int, most: int) -> int:
    text = form.get(name, "").strip()
    if not text.isdecimal() or len(text) > 4 or not least <= int(text) <= most:
        raise InvalidError(Message("Write a whole number from {least} to {most}.", least=least, most=most))
    return int(text)
