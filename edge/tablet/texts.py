"""What the notice says, part by part, the page for everybody, step by step, and what is told of a touch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from edge.config import EdgeConfig
from edge.counters import CounterSection
from edge.legal import LegalSection
from models.catalogue import all_cards
from pipeline.language import Day, Joined, Message, Number, Sentence, in_language, languages
from pipeline.law import provision

TITLE = Message("How satisfaction is measured here")
WRONG = "wrong among what is answered, held-out faces"
ANSWERED = "answered, held-out faces"
VOICE = "UAR of valence, mean over corpora left out in turn"
"""Names of the cards' metrics from which the notice says how often the machine errs and abstains."""


@dataclass(frozen=True, slots=True)
class NoticeFacts:
    """What the notice of one box is filled from."""

    agency: str = ""
    contact: str = ""
    url: str = ""
    legal: LegalSection = LegalSection(basis="consent")  # noqa: RUF009  (frozen)
    face: str | None = "face-affect"
    """The card of what reads faces, None without a camera."""
    voice: bool = False

    @classmethod
    def of(cls, config: EdgeConfig, counter: CounterSection) -> NoticeFacts:
        """Those of a counter, from the box's configuration."""
        return cls(
            counter.agency_label or config.box.agency_label,
            config.notice.contact,
            config.notice.url,
            config.legal,
            None if counter.camera.source == "none" else config.models.face,
            counter.microphone.source != "none",
        )


Part = tuple[Sentence, Sentence]


def _per_hundred(share: float) -> Number:
    return Number(100 * share)


def _errors(facts: NoticeFacts) -> Sentence:
    said: list[Sentence] = []
    if facts.face is not None:
        figures = {metric.name: metric.value for metric in all_cards()[facts.face].metrics}
        if WRONG in figures:
            said.append(
                Message(
                    "The machine is often wrong. On photographs it read {wrong} of 100 faces wrongly, and said nothing "
                    "of {silent} of 100.",
                    wrong=_per_hundred(figures[WRONG]),
                    silent=_per_hundred(1 - figures[ANSWERED]),
                )
            )
        else:
            said.append(
                Message("The machine is often wrong; how often has not been measured for what reads faces here.")
            )
    if facts.voice:
        figures = {metric.name: metric.value for metric in all_cards()["speech-affect"].metrics}
        said.append(
            Message(
                "By the sound of a voice alone it mistakes a good mood and a bad one for each other {wrong} times of "
                "100.",
                wrong=_per_hundred(1 - figures[VOICE]),
            )
        )
    said.append(
        Message("At a counter it may be worse. So one guess says nothing; only many visits together say something.")
    )
    return Joined(said, " ")


def _basis(legal: LegalSection) -> Sentence:
    if legal.asks_consent:
        return Message(
            "Your consent, by your own touch, for this visit alone ({cite}). Nobody may touch for you.",
            cite=provision("d356-6-3").cite,
        )
    return Message(
        "Lawful activity of a state agency ({cite}), by decision {number} of {day}. Responsible: {office}. Complaints: "
        "{complaints}.",
        cite=provision("pdpl-19-1").cite,
        number=legal.decision_number,
        day="" if legal.decision_date is None else Day(legal.decision_date),
        office=legal.office,
        complaints=legal.complaints,
    )


def _choice(legal: LegalSection) -> Sentence:
    if legal.asks_consent:
        return Message(
            "Touch “I do not agree”, or touch nothing: camera and microphone stay off. If you agreed, “Do not analyse "
            "me” ends it at once. If a child under 16 is with you, choose that: nothing is analysed. If you cannot "
            "reach the screen, nothing is analysed; with a switch of your own at the tablet you can choose yourself, "
            "the staff cannot choose for you."
        )
    return Message(
        "Touch “Do not analyse me” at any time: the analysis of this visit stops at once. If a child under 16 is with "
        "you, choose that: nothing is analysed. Your request is handled as usual. You can still rate."
    )


def notice_parts(facts: NoticeFacts, analysing: bool) -> list[Part]:
    """Headings and texts of the notice; where nothing is analysed, of the voluntary rating alone."""
    rating: Part = (
        Message("The rating"),
        Message(
            "The rating on the screen is voluntary and without a name. It is sent together with those of others, with "
            "the day only."
        ),
    )
    responsible: Part = (Message("Who is responsible"), Message("{agency}", agency=facts.agency))
    if not analysing:
        return [rating, responsible]
    return [
        (
            Message("What happens"),
            Message(
                "A machine with artificial intelligence guesses how satisfied a citizen is with the visit: low, middle "
                "or high. It uses face and voice on the citizen's side only; the staff are not analysed."
            ),
        ),
        (
            Message("How it works"),
            Message(
                "The machine compares the look of a face and the tone of a voice with many examples. It makes one "
                "guess for the whole visit. The guess is added to a table of counts, to which random noise is added "
                "before it is sent."
            ),
        ),
        (Message("How often it is wrong"), _errors(facts)),
        (
            Message("What is kept"),
            Message(
                "Pictures and sound are in working memory only and are gone at once. No picture, sound, word or "
                "feature of a person is stored or sent. Nobody is recognised."
            ),
        ),
        (
            Message("What it is for"),
            Message(
                "To measure satisfaction with the agency. Nothing is decided about you, and it changes nothing about "
                "your dossier. No civil servant is scored."
            ),
        ),
        (Message("Legal basis"), _basis(facts.legal)),
        (Message("Your choice"), _choice(facts.legal)),
        (
            Message("Your rights"),
            Joined(
                (
                    Message("You can ask to view or correct data about you, to have them erased, or complain."),
                    provision("d356-5").says,
                    Message(
                        "The machine keeps nothing under your name, so that nothing of one visit can be found again."
                    ),
                ),
                " ",
            ),
        ),
        responsible,
        rating,
    ]


@dataclass(frozen=True, slots=True)
class Step:
    """One picture of the page for everybody, and what it says."""

    picture: str
    """Name of a macro of `pictures.html`."""
    text: Message


EXPLAINED = Message("What does this machine do?")
_ASKS = (
    Step("ask", Message("The machine asks you first. Its eye and ear are shut.")),
    Step("yes", Message("Touch “I agree” and it opens them. Only for you, only this time.")),
)
_LOOKS = (
    Step("look", Message("The machine looks at you and listens to you at the counter.")),
    Step("no", Message("You do not want that? Touch “Do not analyse me”. It stops.")),
)
_ALWAYS = (
    Step("guess", Message("It guesses: are you happy, so-so, or unhappy with the service?")),
    Step("wrong", Message("It is artificial intelligence. It can guess wrong.")),
    Step("forget", Message("It keeps no picture and no sound. It does not know who you are.")),
    Step("count", Message("It only counts: how many people were happy this month.")),
    Step("paper", Message("Your papers are handled the same, yes or no.")),
)


def steps(legal: LegalSection) -> tuple[Step, ...]:
    """What the machine does, for a child of twelve."""
    return (*(_ASKS if legal.asks_consent else _LOOKS), *_ALWAYS)


def notices_digest(config: EdgeConfig) -> bytes:
    """SHA-256 (32 bytes) of the notices of all counters: of the one, where they all say the same."""
    found = sorted({notice_digest(NoticeFacts.of(config, counter)) for counter in config.counters})
    return found[0] if len(found) == 1 else hashlib.sha256(b"".join(found)).digest()


def notice_digest(facts: NoticeFacts) -> bytes:
    """SHA-256 (32 bytes) of what the notice says in every language, for the transparency log: its version."""
    words = [
        [in_language(text, lang) for part in ((TITLE, TITLE), *notice_parts(facts, True)) for text in part]
        for lang in sorted(languages())
    ]
    return hashlib.sha256(json.dumps([words, facts.contact, facts.url], ensure_ascii=False).encode()).digest()


BECAME = {
    "/thanks": (Message("Thank you!"), Message("Your rating has been taken, without your name."), 5),
    "/already": (
        Message("This visit has been rated already."),
        Message("Each visit is rated once. Thank you!"),
        3,
    ),
    "/over": (
        Message("This rating is over."),
        Message("If you had touched a face, that rating is kept; what was not sent besides is deleted."),
        3,
    ),
    "/not-yet": (
        Message("Nothing is analysed."),
        Message("Your visit has not begun, or is over. You can agree once you have been called."),
        3,
    ),
}
"""What became of a touch, by page: heading, sentence, and the face beside them."""
