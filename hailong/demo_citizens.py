"""Made-up citizens who use a real tablet page over real HTTP, by its own forms, as a browser without scripts would."""

from __future__ import annotations

import http.cookiejar
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from html.parser import HTMLParser

from hailong.demo_media import Script
from pipeline.language import Message

READING_S = 0.6
"""Time in which a question is read; faster answers are flagged by the box."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What one citizen does in a visit: touches yes, no, or nothing when the page asks whether a machine may look and
    listen; and gives an overall rating of 1..5, or none."""

    rating: int = 0
    agrees: bool | None = True


_LOOK_AGAIN_S = 0.3

DEEDS = {
    1: (Deed(5), Deed(4), Deed(agrees=False), Deed(5), Deed(2), Deed(), Deed(4, agrees=None)),
    2: (Deed(4), Deed(3), Deed(5), Deed(agrees=None), Deed(2), Deed(4, agrees=False), Deed()),
}
"""What the citizens of each film do, in the order of its scenes."""


class _Forms(HTMLParser):
    """The forms of a page: where each leads, and its fields (the value of a button only where `submit` asks for it)."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((values.get("action", ""), {}))
        elif tag == "input" and self.forms and values.get("type") == "hidden":
            self.forms[-1][1][values.get("name", "")] = values.get("value", "")


class TabletVisitor:
    """A browser of one tablet, whose first page is at `address`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), urllib.request.ProxyHandler({})
        )
        self._page, self._url = "", ""

    def _open(self, path: str, form: dict[str, str] | None = None) -> None:
        data = None if form is None else urllib.parse.urlencode(form).encode()
        with self._opener.open(urllib.parse.urljoin(self._address, path), data, timeout=10) as answer:
            self._page, self._url = answer.read().decode(), answer.url

    def _submit(self, ending: str, to: str = "", **fields: str) -> bool:
        """Send the form that leads to `ending`; `to`: by a button that leads elsewhere."""
        parser = _Forms()
        parser.feed(self._page)
        for action, hidden in parser.forms:
            if action.endswith(ending):
                self._open(action.removesuffix(ending) + to if to else action, {**hidden, **fields})
                return True
        return False

    def is_asked(self) -> bool:
        """Whether the page offers to rate."""
        self._open("")
        parser = _Forms()
        parser.feed(self._page)
        return any(action.endswith("/begin") for action, _ in parser.forms)

    def rate(self, overall: int) -> bool:
        """Give an overall rating and about the same to what else is asked, with a reason where one is; True where the
        tablet thanked for it."""
        self._open("")
        if not self._submit("/begin", value=str(overall)):
            return False
        answers = 1
        while True:
            time.sleep(READING_S)
            if self._submit("/answer", value=str(max(1, overall - answers % 2))):
                answers += 1
            elif not self._submit("/send", reason="0"):
                break
        return self._url.endswith("/thanks")

    def choose(self, agrees: bool) -> bool:
        """Touch yes or no where the page asks; False where it does not ask."""
        self._open("")
        return self._submit("/consent", to="" if agrees else "/opt-out")


class QueueSystem:
    """A made-up queue system that calls citizens by the box's local HTTP interface."""

    def __init__(self, address: str, token: str) -> None:
        self._address, self._token = address, token

    def post(self, event: str, body: bytes = b"") -> bool:
        """POST `/visit/start` or `/visit/end`; True where the box took it."""
        request = urllib.request.Request(  # noqa: S310  (the address is the demo's own tablet)
            f"{self._address}/visit/{event}", body, {"X-Queue-Token": self._token}, method="POST"
        )
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).close()
        return True


class Citizens(threading.Thread):
    """Lives through one film's scenes in front of one box's tablet, and again where the film is played again.

    `ratings` and `failed` count what the tablet took and what it did not."""

    def __init__(
        self,
        script: Script,
        address: str,
        queue: QueueSystem | None,
        stop: threading.Event,
        tell: Callable[[Message], None],
        again: bool,
    ) -> None:
        super().__init__(name="citizens", daemon=True)
        self.ratings = 0
        self.failed = 0
        self._script, self._visitor, self._queue = script, TabletVisitor(address), queue
        self._stop_event, self._tell, self._again = stop, tell, again
        self._begun_s = time.monotonic()

    def run(self) -> None:
        """Follow the film's clock."""
        deeds = DEEDS[self._script.seed]
        while not self._stop_event.is_set():
            for number, scene in enumerate(self._script.scenes):
                if self._wait_until(scene.start_s + 0.3):
                    return
                if self._queue is not None:
                    self._do(partial(self._queue.post, "start", b'{"service_group": 1}'))
                deed = deeds[number % len(deeds)]
                if deed.agrees is not None and not self._wait_until(scene.start_s + 0.5):
                    self._do(partial(self._visitor.choose, deed.agrees))
                if deed.rating and not self._wait_until(scene.start_s + 3.2):
                    self._rate(deed.rating, scene.end_s - 1.0)
                if self._wait_until(scene.end_s - 0.1):
                    return
                if self._queue is not None:
                    self._do(partial(self._queue.post, "end"))
            if not self._again:
                return
            self._begun_s += self._script.duration_s

    def _rate(self, overall: int, until_film_s: float) -> None:
        """Rate as soon as the page asks: on a busy machine the film's clock and the citizen's are seconds apart."""
        while not self._do(self._visitor.is_asked) and self._film_s() < until_film_s:
            if self._stop_event.wait(_LOOK_AGAIN_S):
                return
        if self._do(lambda: self._visitor.rate(overall)):
            self.ratings += 1
            self._tell(Message("a (simulated) citizen rated a visit on the tablet: {overall} of 5", overall=overall))
        else:
            self.failed += 1
            self._tell(Message("the tablet did not take a rating (the visit was over, or had been rated)"))

    def _do(self, deed: Callable[[], bool]) -> bool:
        try:
            return deed()
        except (OSError, urllib.error.URLError) as error:
            self._tell(Message("the tablet did not answer: {error}", error=type(error).__name__))
            return False

    def _film_s(self) -> float:
        """The second of the film, by the citizen's clock."""
        return time.monotonic() - self._begun_s

    def _wait_until(self, film_s: float) -> bool:
        """Sleep until that second of the film; True where the demo ends meanwhile."""
        return self._stop_event.wait(max(0.0, film_s - self._film_s()))
