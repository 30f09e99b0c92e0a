"""The notice says what the law asks for, and the page for everybody can be read by everybody."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from markupsafe import escape
from starlette.testclient import TestClient

from edge.config import load_config
from edge.legal import LegalSection
from edge.tablet.aloud import read_aloud
from edge.tablet.app import CounterTablet, TabletPages, make_app
from edge.tablet.counter import Counter
from edge.tablet.texts import EXPLAINED, NoticeFacts, notice_digest, notice_parts, steps
from models.catalogue import all_cards
from pipeline.instruments.library import load_instrument
from pipeline.instruments.questionnaire import make_questionnaire
from pipeline.language import Message, in_language, languages
from tests.edge.test_config import GOOD, write
from tests.edge.test_legal import STATE

CONSENT = NoticeFacts("Sở Tư pháp", "Văn phòng, tầng 1", "", LegalSection(basis="consent"), "face-affect", True)
BY_LAW = NoticeFacts("Sở Tư pháp", "Văn phòng, tầng 1", "", STATE, "face-geometry", False)


def words_of(facts: NoticeFacts, lang: str) -> str:
    return "\n".join(in_language(text, lang) for part in notice_parts(facts, True) for text in part)


@pytest.mark.parametrize("facts", [CONSENT, BY_LAW])
def test_the_notice_says_what_the_law_asks_for(facts: NoticeFacts) -> None:
    vi = words_of(facts, "vi")
    for said in (
        "trí tuệ nhân tạo",
        "Máy hay sai",
        "không ảnh hưởng đến hồ sơ",
        "Căn cứ pháp lý",
        "Sở Tư pháp",
        "2 ngày làm việc",
        "trong 10 ngày",
        "trong 15 ngày",
        "trong 20 ngày",
        "trẻ em dưới 16 tuổi",
        "khiếu nại",
    ):
        assert said in vi, said
    assert "artificial intelligence" in words_of(facts, "en")


def test_each_basis_says_its_own() -> None:
    assert "Nghị định 356/2025/NĐ-CP, Điều 6.2-6.4" in words_of(CONSENT, "vi")
    by_law = words_of(BY_LAW, "vi")
    for said in ("45/QĐ-UBND", "01/06/2026", "Văn phòng", "0207 3822 222", "Điều 19.1.c"):
        assert said in by_law


def test_the_models_pages_words_are_the_readers() -> None:
    """Names of models and what they learnt from: in Vietnamese, but for names of data sets."""
    page = client(CONSENT).get("/models").text
    for card in all_cards().values():
        assert f">{in_language(Message.marked(card.called), 'vi')}</h2>" in page
        for data in card.data:
            assert str(escape(in_language(Message.marked(data.name), "vi"))) in page
    assert "phần huấn luyện" in page
    assert "training split" not in page


def test_how_often_it_errs_is_the_cards_figure() -> None:
    """And where none was measured, that is said."""
    face = {metric.name: metric.value for metric in all_cards()["face-affect"].metrics}
    voice = {metric.name: metric.value for metric in all_cards()["speech-affect"].metrics}
    said = words_of(CONSENT, "en")
    wrong = round(100 * face["wrong among what is answered, held-out faces"])
    silent = round(100 * (1 - face["answered, held-out faces"]))
    assert f"read {wrong} of 100 faces wrongly, and said nothing of {silent} of 100" in said
    assert f"{round(100 * (1 - voice['UAR of valence, mean over corpora left out in turn']))} times of 100" in said
    assert "has not been measured" in words_of(BY_LAW, "en")
    assert "voice alone" not in words_of(BY_LAW, "en")


def test_every_change_of_the_notice_is_another_version() -> None:
    facts = [CONSENT, BY_LAW, NoticeFacts("Sở Tư pháp", "Phòng 2", "", LegalSection(basis="consent"))]
    assert len({notice_digest(each) for each in facts}) == 3


def test_a_confirmed_notice_has_a_contact(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD + '\n[notice]\nconfirmed = true\ncontact = "Văn phòng"\n'))
    assert NoticeFacts.of(config, config.counters[0]).contact == "Văn phòng"
    assert NoticeFacts.of(config, config.counters[0]).face is None


def sentences(text: str) -> list[list[str]]:
    """Sentences as lists of words; a Vietnamese word is what stands between spaces."""
    return [found for part in re.split(r"[.?!\n:]+", text) if (found := re.findall(r"[^\W\d_]+", part))]


def level_vi(text: str) -> float:
    """Nguyen and Henkin's first formula for Vietnamese (Journal of Reading 26, 1982): 2 x letters a word + 0.2 x words
    a sentence - 6, in grades of school."""
    found = sentences(text)
    words = [word for sentence in found for word in sentence]
    return 2 * sum(map(len, words)) / len(words) + 0.2 * len(words) / len(found) - 6


def level_en(text: str) -> float:
    """Flesch-Kincaid's grade; syllables are groups of vowels, a silent e at the end apart."""
    found = sentences(text)
    words = [word.lower() for sentence in found for word in sentence]
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"(?<=[^aeiouyl])e$", "", word)))) for word in words)
    return 0.39 * len(words) / len(found) + 11.8 * syllables / len(words) - 15.59


@pytest.mark.parametrize("legal", [CONSENT.legal, STATE])
def test_a_child_of_twelve_can_read_what_the_machine_does(legal: LegalSection) -> None:
    """Twelve is the sixth grade; no sentence is longer than fifteen words."""
    for lang, level in (("vi", level_vi), ("en", level_en)):
        text = "\n".join(in_language(each, lang) for each in (EXPLAINED, *(step.text for step in steps(legal))))
        assert max(map(len, sentences(text))) <= 15, lang
        assert level(text) <= 6, (lang, level(text))


@pytest.mark.parametrize("facts", [CONSENT, BY_LAW])
def test_the_notice_is_no_statute(facts: NoticeFacts) -> None:
    """Lower secondary school is enough; the deadlines of the law are its own words."""
    for lang, level in (("vi", level_vi), ("en", level_en)):
        assert level(words_of(facts, lang)) <= 9, (lang, level(words_of(facts, lang)))


def test_the_measure_tells_a_statute_from_a_picture_book() -> None:
    hard = (
        "Cơ quan có thẩm quyền tiếp nhận và giải quyết yêu cầu theo trình tự thủ tục được quy định tại khoản này trong "
    )
    hard += "thời hạn hai mươi ngày kể từ ngày nhận được đầy đủ hồ sơ hợp lệ theo quy định của pháp luật hiện hành."
    assert level_vi(hard) > 6 > level_vi("Máy hỏi trước. Máy không giữ hình.")
    assert level_en("Notwithstanding any provision regarding identification, the controller shall be accountable.") > 12


def client(facts: NoticeFacts) -> TestClient:
    pages = TabletPages("Sở Tư pháp", "", "vi", 30, True, False, "", facts.contact, facts)
    counter = Counter(make_questionnaire(load_instrument("2640"), "one"), None, lambda row: None, 30)
    return TestClient(make_app(CounterTablet(pages, counter)), base_url="http://127.0.0.1")


@pytest.mark.parametrize("lang", languages())
def test_the_page_for_everybody_has_a_picture_for_each_sentence(lang: str) -> None:
    tablet = client(CONSENT)
    tablet.post("/language", data={"language": lang, "path": "/machine"})
    page = tablet.get("/machine").text
    assert page.count('<svg class="picture"') == len(steps(CONSENT.legal)) == 7
    assert not re.search(r'<svg class="picture"[^>]*>\s*</svg>', page), "no picture is empty"
    for step in steps(CONSENT.legal):
        assert in_language(step.text, lang) in page.replace("&#39;", "'")
    tablet.post("/text-size", data={"size": "large", "path": "/machine"})
    assert 'class="large"' in tablet.get("/machine").text


def test_the_page_is_read_aloud_by_a_machine_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    tablet = client(CONSENT)
    if shutil.which("espeak-ng"):
        assert "giọng máy" in tablet.get("/machine").text
        found = {lang: tablet.get(f"/machine/aloud?language={lang}") for lang in ("vi", "en")}
        assert all(answer.headers["content-type"] == "audio/wav" for answer in found.values())
        assert all(len(answer.content) > 200_000 for answer in found.values())
        assert found["vi"].content != found["en"].content
    monkeypatch.setenv("PATH", "/nowhere")
    read_aloud.cache_clear()
    assert "<audio" not in tablet.get("/machine").text
    assert tablet.get("/machine/aloud").status_code == 404
