"""Letters by mail: to a real server, by TLS and with a log-in, and to servers that refuse, hang and drip."""

from __future__ import annotations

import datetime
import ipaddress
import time
from email.utils import getaddresses
from pathlib import Path
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipeline.errors import InvalidError
from server.core.config import MailConfig
from server.outbox import delivery, mail
from server.outbox.delivery import Problem, UndeliveredError
from tests.server.outbox.receivers import mail_server, talker

LETTER = mail.compose(
    "hailong@tinh.example.vn", "mot.cua@tinh.example.vn, truc@tinh.example.vn", "Cảnh báo: hộp im lặng",
    "Hộp ở quầy 2 đã im lặng.\n", "", "msg_1", 1_790_000_000,
)  # fmt: skip


def _config(port: int, security: str = "none", **more: str) -> MailConfig:
    given = {"host": "127.0.0.1", "port": port, "security": security, "sender": "hailong@tinh.example.vn", **more}
    return MailConfig.model_validate(given)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that nobody but its own file vouches for, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    cert, secret = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert, secret


def test_a_letter_arrives_as_it_was_written() -> None:
    with mail_server() as box:
        assert mail.send(_config(box.port), LETTER) == 0
    (got,) = box.letters
    assert got["Subject"] == "Cảnh báo: hộp im lặng"
    assert got["To"] == "mot.cua@tinh.example.vn, truc@tinh.example.vn"
    assert got["Message-ID"] == "<msg_1@tinh.example.vn>"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["Date"].startswith("Mon, 21 Sep 2026") and got["Date"].endswith("+0700")  # noqa: PT018
    assert got.get_content().strip() == "Hộp ở quầy 2 đã im lặng."


def test_a_letter_with_html_has_both() -> None:
    with mail_server() as box:
        letter = mail.compose("a@b.example", "c@d.example", "s", "chữ", "<p>chữ</p>", "msg_2", 0)
        mail.send(_config(box.port), letter)
    plain, html = box.letters[0].get_body(("plain",)), box.letters[0].get_body(("html",))
    assert plain is not None
    assert html is not None
    assert (plain.get_content().strip(), html.get_content().strip()) == ("chữ", "<p>chữ</p>")


def test_by_starttls_and_log_in_with_a_certificate_that_is_checked(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    password = tmp_path / "mail.secret"
    password.write_text("đúng mật khẩu\n", encoding="utf-8")
    wrong = tmp_path / "wrong.secret"
    wrong.write_text("sai\n", encoding="utf-8")
    with mail_server(tls=certificate, user=("hailong", "đúng mật khẩu")) as box:
        more = {"user": "hailong", "password_file": str(password), "ca_file": str(certificate[0])}
        mail.send(_config(box.port, "starttls", **more), LETTER)
        assert (len(box.letters), box.logged_in) == (1, 1)
        for change, problem in (
            ({"ca_file": ""}, Problem.TLS),
            ({"password_file": str(wrong)}, Problem.LOG_IN),
            ({"password_file": str(tmp_path / "none")}, Problem.LOG_IN),
        ):
            with pytest.raises(UndeliveredError) as told:
                mail.send(_config(box.port, "starttls", **{**more, **change}), LETTER)
            assert told.value.problem is problem
        with pytest.raises(UndeliveredError) as told:
            mail.send(_config(box.port), LETTER)  # it demands STARTTLS
        assert told.value.problem is Problem.REFUSED
    assert len(box.letters) == 1


def test_no_letter_goes_in_the_clear_where_tls_was_asked_for() -> None:
    with mail_server() as box:
        with pytest.raises(UndeliveredError) as told:
            mail.send(_config(box.port, "starttls"), LETTER)
        assert told.value.problem is Problem.TLS
        assert box.letters == []
    with pytest.raises(ValueError, match="in the clear"):
        _config(25, "none", user="hailong", password_file="x")


def test_a_server_that_refuses_some_addresses_or_all() -> None:
    with mail_server() as box:
        box.refuses["truc@tinh.example.vn"] = "550 no such user"
        assert mail.send(_config(box.port), LETTER) == 1
        box.refuses["mot.cua@tinh.example.vn"] = "451 come again"
        with pytest.raises(UndeliveredError) as told:
            mail.send(_config(box.port), LETTER)
    assert (told.value.problem, told.value.their_status) == (Problem.REFUSED, 451)
    assert len(box.letters) == 1


@pytest.mark.parametrize(
    ("says", "again_s"),
    [(b"", 0.0), (b"220 ready\r\n", 0.0), (b"220 ", 0.01), (b"554 go away\r\n", 0.0), (b"\x16\x03\x01\x00", 0.0)],
    ids=["silent", "then silent", "dripping", "refusing", "no mail server"],
)
def test_whoever_hangs_or_drips_is_left_after_a_bound(
    says: bytes, again_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MAX_S", 0.3)
    with talker(says, again_s=again_s) as port, pytest.raises(UndeliveredError) as told:
        mail.send(_config(port), LETTER)
    assert told.value.problem in (Problem.NO_ANSWER, Problem.REFUSED)


@pytest.mark.parametrize("first", [b"220-a\r\n", b"220 a\r\n250-b\r\n"], ids=["greeting", "its abilities"])
def test_whoever_talks_without_end_is_left_before_it_is_kept(first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library keeps every line of an answer: as much memory as comes within the bound of time."""
    monkeypatch.setattr(delivery, "MAX_S", 30.0)
    begun = time.monotonic()
    with talker(first + first.splitlines(keepends=True)[-1] * 20_000) as port, pytest.raises(UndeliveredError) as told:
        mail.send(_config(port), LETTER)
    assert told.value.problem is Problem.NO_ANSWER
    assert time.monotonic() - begun < 20


def test_no_server_at_all() -> None:
    with mail_server() as box:
        port = box.port
    with pytest.raises(UndeliveredError) as told:
        mail.send(_config(port), LETTER)
    assert told.value.problem is Problem.NO_ANSWER
    with pytest.raises(UndeliveredError) as told:
        mail.send(MailConfig(), LETTER)
    assert told.value.problem is Problem.NOT_SET


@pytest.mark.parametrize(
    "text",
    ["x", "a@", "@b", "a b@c.vn", "a@b.vn\r\nBcc: c@d.vn", "<a@b.vn>", "trực@tinh.vn", "a@b.vn," * 21 + "c@d.vn"],
)
def test_what_is_no_address_is_refused_and_adds_no_header(text: str) -> None:
    with pytest.raises(InvalidError):
        mail.addresses(text)


def test_a_subject_of_two_lines_is_one_line() -> None:
    letter = mail.compose("a@b.example", "c@d.example", "một\r\nBcc: x@y.example", "t", "", "m", 0)
    assert letter["Subject"] == "một Bcc: x@y.example"
    assert letter["Bcc"] is None


POISONED = [
    ".:@|;", "(x):[1.2.3.4]|@{#", "(x)..`!@#", "%\\\x0b=@b.c", "=?utf-8?q?a?=@b.c", "a@[10.0.0.1]", "a@b_c", "a@-b",
    "a..b@c.vn", ".a@c.vn", "a@b..c", "a\x00@b.vn", "\x7f@b.vn", "a:b@c.vn", "(a)b@c.vn", "a@c.vn(x)",
]  # fmt: skip


@pytest.mark.parametrize("text", POISONED)
def test_an_address_that_the_reader_of_headers_stumbles_over_is_none(text: str) -> None:
    """The library raised AttributeError, IndexError or TypeError for some of them, read another address in others."""
    with pytest.raises(InvalidError):
        mail.addresses(text)


def test_whatever_is_taken_as_an_address_can_be_written_and_is_read_back_as_itself() -> None:
    random = Random(20261129)
    atoms = [
        "a",
        "b.c",
        "@",
        ".",
        "(x)",
        "[1.2.3.4]",
        ":",
        "\\",
        "!",
        "%",
        "=?utf-8?q?x?=",
        "?",
        "_",
        "/",
        "-",
        "\x0b",
        "|",
    ]
    taken = 0
    for _ in range(3_000):
        drawn = ["".join(random.choices(atoms, k=random.randint(1, 2))) for _ in range(2)]
        try:
            found = mail.addresses("@".join(drawn))
        except InvalidError:
            continue
        taken += 1
        letter = mail.compose("x@y.vn", ", ".join(found), "s", "t", "", "m", 0)
        assert [address for _name, address in getaddresses([letter["To"]])] == list(found)
    assert taken > 20


@pytest.mark.parametrize(
    "subject",
    ["=?utf-8?q?=0aBcc:_x@evil.example?=", "=?utf-8?b?CkJjYzogeEBldmlsLmV4YW1wbGU=?=", "s\r\nBcc: x@evil.example"],
)
def test_no_subject_begins_another_header(subject: str) -> None:
    """An encoded word was read as what it encodes: a line break, and a header of its own."""
    with mail_server() as box:
        mail.send(_config(box.port), mail.compose("a@b.example", "c@d.example", subject, "t", "", "msg_3", 0))
    (got,) = box.letters
    assert "Bcc" not in got
    assert got.get_content().strip() == "t"
