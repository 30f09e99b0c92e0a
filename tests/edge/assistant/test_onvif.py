"""Network cameras are found by a real multicast question and asked by real SOAP; nothing else is believed."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from edge.assistant import devices
from edge.assistant.onvif import NetworkCamera, ask_streams, discover, read_match, with_password
from pipeline.errors import SourceError

PASSWORD = "s3cret & <p@ss>"
MATCH = """<?xml version="1.0" encoding="UTF-8"?>
<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><SOAP-ENV:Body><d:ProbeMatches><d:ProbeMatch>
<d:Types>dn:NetworkVideoTransmitter</d:Types>
<d:Scopes>onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/Qu%E1%BA%A7y%203
 onvif://www.onvif.org/hardware/IPC-4K</d:Scopes>
<d:XAddrs>http://169.254.3.4/onvif/device_service http://127.0.0.1:{port}/onvif/device_service</d:XAddrs>
</d:ProbeMatch></d:ProbeMatches></SOAP-ENV:Body></SOAP-ENV:Envelope>"""
PROFILE = (
    '<trt:Profiles token="{token}"><tt:VideoSourceConfiguration><tt:Bounds width="9999"/></tt:VideoSourceConfiguration>'
    "<tt:VideoEncoderConfiguration><tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>9</tt:Height></tt:Resolution>"
    "</tt:VideoEncoderConfiguration></trt:Profiles>"
)
ANSWER = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:tt="http://www.onvif.org/ver10/schema" '
    'xmlns:trt="http://www.onvif.org/ver10/media/wsdl" xmlns:tds="http://www.onvif.org/ver10/device/wsdl">'
    "<s:Body>{body}</s:Body></s:Envelope>"
)


class Camera:
    """A camera as the ONVIF specification has it, on the loopback: answers probes, and SOAP with a digest token."""

    def __init__(self) -> None:
        self.widths = {"main": 3840, "mid": 1280, "sub": 640, "tiny": 320}
        self.stream = "rtsp://127.0.0.1:554/{token}?profile=1"
        self.answer: Callable[[str], str | None] = lambda _asked: None
        self.heard: list[str] = []
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
                camera.heard.append(asked)
                status, body = camera.say(asked)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None: ...

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        self.threads = [threading.Thread(target=self.http.serve_forever, args=(0.02,))]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("239.255.255.250", 0))  # the group's address: other programs' questions do not come here
        self.group: tuple[str, int] = self.udp.getsockname()
        member = socket.inet_aton(self.group[0]) + socket.inet_aton("127.0.0.1")
        self.udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self.threads.append(threading.Thread(target=self._answer_probes))
        for each in self.threads:
            each.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self._wake()
        for each in self.threads:
            each.join(10)
        self.udp.close()

    def _wake(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waking:
            waking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            waking.sendto(b"end", self.group)

    def _answer_probes(self) -> None:
        self.udp.settimeout(60)
        while True:
            data, asker = self.udp.recvfrom(65_535)
            if data == b"end":
                return
            self.heard.append(data.decode())
            for answer in (b"garbage", b"", MATCH.format(port=self.port).encode()):
                self.udp.sendto(answer, asker)

    def say(self, asked: str) -> tuple[int, str]:
        said = self.answer(asked)
        if said is not None:
            return (302, "") if said == "elsewhere" else (200, said)
        if "GetSystemDateAndTime" in asked:
            date = "".join(f"<tt:{n}>{v}</tt:{n}>" for n, v in (("Year", 2031), ("Month", 2), ("Day", 3)))
            time = "".join(f"<tt:{n}>{v}</tt:{n}>" for n, v in (("Hour", 4), ("Minute", 5), ("Second", 6)))
            clock = f"<tt:UTCDateTime><tt:Time>{time}</tt:Time><tt:Date>{date}</tt:Date></tt:UTCDateTime>"
            return 200, ANSWER.format(body=clock)
        if not self.knows(asked):
            return 401, ""
        if "GetCapabilities" in asked:
            address = f"http://127.0.0.1:{self.port}/onvif/media"
            return 200, ANSWER.format(body=f"<tt:Media><tt:XAddr>{address}</tt:XAddr></tt:Media>")
        if "GetProfiles" in asked:
            profiles = "".join(PROFILE.format(token=token, width=width) for token, width in self.widths.items())
            return 200, ANSWER.format(body=profiles)
        token = re.search("<ProfileToken>(.*)</ProfileToken>", asked)
        assert token is not None
        address = self.stream.format(token=token[1]).replace("&", "&amp;")
        return 200, ANSWER.format(body=f"<tt:Uri>{address}</tt:Uri>")

    @staticmethod
    def knows(asked: str) -> bool:
        """Base64(SHA-1(nonce + created + password)), as the user name token's profile has it; its clock is its own."""
        found = re.search(r'PasswordDigest">(.+?)<.*?:Nonce[^>]*>(.+?)<.*?:Created[^>]*>(.+?)<', asked)
        if found is None or not found[3].startswith("2031-02-03T04:0"):
            return False
        digest = hashlib.sha1(base64.b64decode(found[2]) + found[3].encode() + PASSWORD.encode()).digest()
        return base64.b64encode(digest).decode() == found[1]


@pytest.fixture
def camera() -> Iterator[Camera]:
    found = Camera()
    yield found
    found.close()


def found(camera: Camera) -> NetworkCamera:
    (one,) = discover(["127.0.0.1", "203.0.113.9"], wait_s=30, group=camera.group, enough=1)
    return one


def test_a_camera_that_answers_the_multicast_question_is_found_by_its_own_address(camera: Camera) -> None:
    assert found(camera) == NetworkCamera(
        "127.0.0.1", "Quầy 3 IPC-4K", f"http://127.0.0.1:{camera.port}/onvif/device_service"
    )
    assert "NetworkVideoTransmitter" in camera.heard[0]


def test_its_largest_stream_and_a_small_one_that_is_enough_are_asked_for(camera: Camera) -> None:
    streams = ask_streams(found(camera), "admin", PASSWORD)
    user = "rtsp://admin:s3cret%20%26%20%3Cp%40ss%3E@127.0.0.1:554"
    assert (streams.main, streams.sub) == (f"{user}/main?profile=1", f"{user}/sub?profile=1")
    assert not any(PASSWORD in said for said in camera.heard), "the password itself never goes"


def test_a_wrong_password_is_told_and_not_shown(camera: Camera) -> None:
    with pytest.raises(SourceError, match=r"refuses the question \(40[01]\)") as told:
        ask_streams(found(camera), "admin", "wrong-one")
    assert "wrong-one" not in str(told.value)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "no XML",
        "elsewhere",
        "<a/>" + " " * 300_000,
        '<!DOCTYPE a [<!ENTITY b "' + "x" * 1000 + '">]><a>&b;</a>',
        "<a>" * 5_000,
    ],
    ids=["nothing", "text", "redirect", "endless", "entity", "unclosed"],
)
def test_an_answer_that_is_none_is_refused_in_words(camera: Camera, answer: str) -> None:
    one = found(camera)
    camera.answer = lambda _asked: answer
    with pytest.raises(SourceError) as told:
        ask_streams(one, "", "")
    assert told.value.fix


def test_a_camera_cannot_point_elsewhere(camera: Camera) -> None:
    one = found(camera)
    for stream in ("rtsp://10.9.9.9/{token}", "file:///etc/passwd", "http://127.0.0.1/{token}", "rtsp://127.0.0.1:0/x"):
        camera.stream = stream
        with pytest.raises(SourceError, match="not its own"):
            ask_streams(one, "admin", PASSWORD)
    with pytest.raises(SourceError, match="no address of its own"):
        ask_streams(NetworkCamera("10.0.0.9", "x", ""), "admin", PASSWORD)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe<\x00!\x00",
        b"<a/>",
        b'<!DOCTYPE x><ProbeMatch xmlns="d"/>',
        MATCH.encode("utf-16"),
    ],
)
def test_what_is_no_answer_is_no_camera(data: bytes) -> None:
    assert read_match(data, "10.0.0.3") is None


def test_an_answer_is_believed_about_its_sender_alone() -> None:
    match = read_match(MATCH.format(port=80).encode(), "10.0.0.3")
    assert match == NetworkCamera("10.0.0.3", "Quầy 3 IPC-4K", "")


def test_user_and_password_are_part_of_an_address_whatever_they_hold() -> None:
    assert with_password("rtsp://a:b@10.0.0.1:554/x", "u/:@", "p#?") == "rtsp://u%2F%3A%40:p%23%3F@10.0.0.1:554/x"
    assert with_password("rtsp://a:b@10.0.0.1/x", "", "") == "rtsp://10.0.0.1/x"


def _http(body: str) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body.encode()


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"HELLO\r\n\r\n", b"HTTP/1.1 200 OK\r\na: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 401 x\r\nWWW-Authenticate: Digest realm=\r\nContent-Length: 0\r\n\r\n",
        b'HTTP/1.1 401 x\r\nWWW-Authenticate: Digest realm="a", nonce="b", algorithm="c"\r\nContent-Length: 0\r\n\r\n',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        _http(ANSWER.format(body="<tt:Media><tt:XAddr>http://127.0.0.1:1/\x7f</tt:XAddr></tt:Media>")),
        _http(ANSWER.format(body=PROFILE.format(token="a", width="9" * 5_000))),
        _http("<a>" * 50_000 + "</a>" * 50_000),
    ],
)  # fmt: skip
def test_whatever_a_false_camera_says_it_is_told_in_words(answer: bytes) -> None:
    """Seven of these were an error that nobody expected: the assistant's page failed."""
    with false_camera(answer) as one, pytest.raises(SourceError):
        ask_streams(one, "admin", "x")


def test_a_camera_that_drips_holds_the_assistant_no_longer_than_any_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte every few seconds was read for as long as it came, by root, while no page answered."""
    monkeypatch.setattr(devices, "LOOK_S", 3.0)
    with (
        false_camera(b"HTTP/1.1 200 OK\r\n\r\n", drips=True) as one,
        pytest.raises(SourceError, match="does not answer"),
    ):
        devices.MachineEyes([]).streams(one, "admin", "x")


@contextmanager
def false_camera(answer: bytes, drips: bool = False) -> Iterator[NetworkCamera]:
    """A camera that says what a test gives it, to every question; `drips`: and then a space now and again."""
    over = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                if over.is_set():
                    return
                connection.recv(65_536)
                connection.sendall(answer)
                while drips and not over.wait(0.1):
                    connection.sendall(b" ")

    thread = threading.Thread(target=serve)
    thread.start()
    port = server.getsockname()[1]
    try:
        yield NetworkCamera("127.0.0.1", "false", f"http://127.0.0.1:{port}/")
    finally:
        over.set()
        socket.create_connection(("127.0.0.1", port)).close()
        thread.join(60)
        server.close()
