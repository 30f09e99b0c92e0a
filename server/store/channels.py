"""The channels by which an answer can come: one entry each, and nowhere else a list of them.

Labels, imports, the plan's returns, charts, reports, the simulation and the admission gate read this registry; the
store's table `channels` is filled from it (`server.store.upgrade`). A new channel is one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pipeline.language import Message, Text, in_language, languages


class Form(StrEnum):
    """How much of the instrument a channel shows."""

    FULL = "full"
    """Every question, so that the rule of the least share applies."""
    SHORT = "short"
    """The instrument's short form, one question after the other."""
    KIOSK = "kiosk"
    """The questions of a tablet at the counter."""


class AskedBy(StrEnum):
    """Who puts the answer in."""

    BOX = "box"
    """The citizen, at a tablet that a box serves: its ratings meet visits there."""
    SELF = "self"
    STAFF = "staff"
    SYSTEM = "system"
    """The citizen, led by a gateway."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel. `str(channel)` is its code, as rows and files have it."""

    code: str
    name: Message | Text
    form: Form
    asked_by: AskedBy
    sheets_a_day: int
    """Planning figure: the most sheets that one source (a clerk's counter, a member of the staff, a gateway) can take
    in one day. What comes beyond it is set aside."""
    aliases: tuple[str, ...] = ()
    """What files call it, beside its code and names: plain letters and digits (`server.tabular.labels.plain`)."""
    in_files: bool = True
    """Whether its answers may come in a file."""
    for_plan: bool = True
    """Whether its sheets count as returns of a sampling plan."""
    shows_form: bool = False
    """Whether a form of this server is shown, whose signed time comes back with every answer."""
    gateway: str = ""
    """The kind of gateway that brings its answers."""
    simulated_share: float = 0.0
    """Share of a simulated province's sheets; made up."""
    simulated_shift: float = 0.0
    """How much higher a simulated person answers on it, in latent units; made up."""

    def __str__(self) -> str:
        return self.code


class _Names(dict[str, Message | Text | str]):
    """Names by code; a code that this program does not know stands for itself."""

    def __missing__(self, code: str) -> str:
        return code


class ChannelRegistry:
    """Channels by code, in the order in which they are shown."""

    def __init__(self, *channels: Channel) -> None:
        self._by_code: dict[str, Channel] = {}
        for channel in channels:
            self.add(channel)

    def add(self, channel: Channel) -> Channel:
        """Take a channel in. Raises `ValueError` where its code or an alias is taken."""
        taken = {name for one in self for name in (one.code, *one.aliases)}
        double = sorted(taken & {channel.code, *channel.aliases})
        if double:
            raise ValueError(f"The channel {channel.code} has names that another one has: {', '.join(double)}.")
        self._by_code[channel.code] = channel
        return channel

    def remove(self, code: str) -> None:
        """Take a channel out again."""
        del self._by_code[code]

    def __iter__(self) -> Iterator[Channel]:
        return iter(tuple(self._by_code.values()))

    def get(self, code: str) -> Channel | None:
        """The channel of a code, as rows have it."""
        return self._by_code.get(code)

    def __getitem__(self, code: str) -> Channel:
        return self._by_code[code]

    def by_text(self, plain: Callable[[str], str]) -> dict[str, Channel]:
        """What files call the channels: codes, aliases, and the names in every language as `plain` writes texts."""
        return {
            text: channel
            for channel in self
            for text in (
                *(plain(in_language(channel.name, lang)) for lang in languages()),
                channel.code,
                *channel.aliases,
            )
        }

    def of_gateway(self, kind: str) -> Channel | None:
        """The channel whose answers a gateway of that kind brings."""
        return next((channel for channel in self if channel.gateway and channel.gateway == kind), None)

    @property
    def names(self) -> dict[str, Message | Text | str]:
        """Name by code: a message, or the code itself of a channel that this program does not know."""
        return _Names((channel.code, channel.name) for channel in self)


COUNTER_TABLET = Channel(
    "counter_tablet",
    Message("Tablet at the counter"),
    Form.KIOSK,
    AskedBy.BOX,
    sheets_a_day=60,
    aliases=("maytinhbang", "maytinhbangtaiquay", "kiosk"),
    in_files=False,
    for_plan=False,
    simulated_share=0.40,
    simulated_shift=0.15,
)
ONLINE = Channel(
    "online",
    Message("Online"),
    Form.FULL,
    AskedBy.SELF,
    sheets_a_day=2_000,
    aliases=("tructuyen",),
    shows_form=True,
    simulated_share=0.15,
    simulated_shift=-0.40,
)
RECEIPT = Channel(
    "receipt",
    Message("Link on the receipt"),
    Form.FULL,
    AskedBy.SELF,
    sheets_a_day=2_000,
    aliases=("giaytiepnhan", "maqrgiaytiepnhan"),
    shows_form=True,
    simulated_share=0.05,
    simulated_shift=-0.30,
)
SMS = Channel(
    "sms",
    Message("SMS"),
    Form.SHORT,
    AskedBy.SYSTEM,
    sheets_a_day=5_000,
    aliases=("tinnhan", "tinnhansms"),
    gateway="sms",
    simulated_share=0.10,
    simulated_shift=-0.20,
)
ZALO = Channel(
    "zalo",
    Message("Zalo message"),
    Form.SHORT,
    AskedBy.SYSTEM,
    sheets_a_day=5_000,
    aliases=("zns", "tinnhanzalo", "tinzalo"),
)
CALL_1022 = Channel(
    "call_1022",
    Message("1022 automated call"),
    Form.SHORT,
    AskedBy.SYSTEM,
    sheets_a_day=5_000,
    aliases=("1022", "goitudong", "cuocgoitudong1022"),
    gateway="call",
    simulated_share=0.08,
    simulated_shift=0.0,
)
HOTLINE = Channel(
    "hotline",
    Message("Hotline"),
    Form.FULL,
    AskedBy.STAFF,
    sheets_a_day=80,
    aliases=("duongdaynong",),
    simulated_share=0.02,
    simulated_shift=-0.90,
)
PAPER = Channel(
    "paper",
    Message("Paper"),
    Form.FULL,
    AskedBy.STAFF,
    sheets_a_day=600,
    aliases=("phieugiay", "giay"),
    simulated_share=0.25,
    simulated_shift=0.30,
)
CHANNELS = ChannelRegistry(COUNTER_TABLET, ONLINE, RECEIPT, SMS, ZALO, CALL_1022, HOTLINE, PAPER)
