"""One try to hand a letter to the mail server (SMTP, RFC 5321), by the standard library alone.

STARTTLS or TLS with checked certificates; a try ends within `MAX_S`, whatever the other side does.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from base64 import b64encode
from contextlib import ExitStack
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses
from pathlib import Path
from typing import BinaryIO

from pipeline.calendar import INDOCHINA
from pipeline.errors import InvalidError
from pipeline.language import Message
from server.core.config import MailConfig
from server.outbox.delivery import MAX_S, Deadline, Problem, UndeliveredError, bounded, connected, look_up

MAX_ADDRESSES = 20
MAX_SAID_BYTES = 65_536
"""Of what the mail server says while it takes a letter."""
_ATOM = r"[A-Za-z0-9!#$%&*+/?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=.{{3,120}}\Z){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*", re.ASCII)
"""What an address is here: RFC 5321's dot-string at a domain of RFC 1035. Nothing that is quoted, encoded ("=?"), a
comment or a group: the library's reader of headers stumbles over some of these, and a letter that cannot be written
would stand before all others."""


def addresses(text: str) -> tuple[str, ...]:
    """The addresses of a text, with commas between. Raises `InvalidError` for one that is none."""
    found = tuple(part.strip() for part in text.replace(";", ",").split(",") if part.strip())
    for one in found:
        if not _ADDRESS.fullmatch(one):
            raise InvalidError(Message("'{text}' is no mail address.", text=one[:60]))
    if len(found) > MAX_ADDRESSES:
        raise InvalidError(Message("At most {most} addresses.", most=MAX_ADDRESSES))
    return found


def compose(sender: str, to: str, subject: str, text: str, html: str, message_id: str, at_s: int) -> EmailMessage:
    """The letter. `message_id` is the same at every try, so that one that came twice is known as such."""
    letter = EmailMessage()
    letter["From"] = sender
    letter["To"] = ", ".join(addresses(to))
    # "=?" begins an encoded word, which the library would read, and a line break of it would begin another header
    letter["Subject"] = " ".join(subject.split()).replace("=?", "= ?")
    letter["Date"] = format_datetime(datetime.fromtimestamp(at_s, INDOCHINA))
    letter["Message-ID"] = f"<{message_id}@{getaddresses([sender])[0][1].partition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(text)
    if html:
        letter.add_alternative(html, subtype="html")
    return letter


class _Smtp(smtplib.SMTP):
    """A connection whose every step together ends within `MAX_S`."""

    def __init__(self, config: MailConfig, stack: ExitStack) -> None:
        self._stack, self._config = stack, config
        self.context = ssl.create_default_context(cafile=config.ca_file or None)
        self._deadline = Deadline()
        super().__init__(config.host, config.port, timeout=MAX_S)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connection = connected(look_up(host, port, self._deadline), port, self._deadline)
        self._stack.callback(connection.close)
        self._stack.enter_context(bounded(connection, self._deadline))
        if self._config.security == "tls":
            connection = self.context.wrap_socket(connection, server_hostname=host)
            self._stack.callback(connection.close)
        return connection

    def getreply(self) -> tuple[int, bytes]:
        """The library keeps whatever lines come, as fast as they come."""
        if self.file is None:
            assert self.sock is not None
            self.file = _Reader(self.sock.makefile("rb"))
        return super().getreply()


class _Reader:
    """Lines of a mail server, of which all answers to one letter are short. Raises `OSError` after `MAX_SAID_BYTES`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, MAX_SAID_BYTES

    def readline(self, size: int = -1) -> bytes:
        """The next line."""
        line = self._file.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("the mail server says too much")
        return line

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def send(config: MailConfig, letter: EmailMessage) -> int:
    """Hand a letter to the mail server; how many of its addresses were refused for good while others were taken.

    Raises `UndeliveredError`."""
    if not config.host:
        raise UndeliveredError(Problem.NOT_SET)
    try:
        with ExitStack() as stack:
            smtp = _Smtp(config, stack)
            stack.callback(smtp.close)
            smtp.ehlo()
            if config.security == "starttls":
                if not smtp.has_extn("starttls"):
                    raise UndeliveredError(Problem.TLS)
                smtp.starttls(context=smtp.context)
                smtp.ehlo()
            if config.user:
                _log_in(smtp, config.user, _password(config))
            refused = smtp.send_message(letter)
            smtp.quit()
            return len(refused)
    except ssl.SSLError:
        raise UndeliveredError(Problem.TLS) from None
    except smtplib.SMTPAuthenticationError as error:
        raise UndeliveredError(Problem.LOG_IN, error.smtp_code) from None
    except smtplib.SMTPRecipientsRefused as error:
        code = next((code for code, _ in error.recipients.values()), 0)
        raise UndeliveredError(Problem.REFUSED, code) from None
    except smtplib.SMTPServerDisconnected:
        raise UndeliveredError(Problem.NO_ANSWER) from None
    except smtplib.SMTPResponseException as error:
        raise UndeliveredError(Problem.REFUSED, error.smtp_code) from None
    except (smtplib.SMTPNotSupportedError, UnicodeEncodeError):
        raise UndeliveredError(Problem.LOG_IN) from None
    except (OSError, smtplib.SMTPException):
        raise UndeliveredError(Problem.NO_ANSWER) from None


def _log_in(smtp: smtplib.SMTP, user: str, password: str) -> None:
    """By PLAIN in UTF-8 (RFC 4616; the library's own knows ASCII alone), else by whatever both sides know."""
    if "PLAIN" not in smtp.esmtp_features.get("auth", "").upper().split():
        smtp.login(user, password)
        return
    code, said = smtp.docmd("AUTH", "PLAIN " + b64encode(f"\0{user}\0{password}".encode()).decode())
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, said)


def _password(config: MailConfig) -> str:
    try:
        return Path(config.password_file).read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError):
        raise UndeliveredError(Problem.LOG_IN) from None
