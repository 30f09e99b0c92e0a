"""A clerk's browser, for a machine that has nothing but Python: runs `hailong edge assist`, types the code, sends every
page's form and prints what the pages say. Copied into the container; imports nothing of ours.

    python3 clerk.py ADDRESS KEY CODE HOST
"""

from __future__ import annotations

import http.cookiejar
import re
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

_BEGUN_S = time.monotonic()


def tell(text: str) -> None:
    print(f"{time.monotonic() - _BEGUN_S:5.1f} s  {text}", flush=True)


class Browser:
    """Follows the pages of one address."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
        )
        self.token = ""

    def send(self, path: str, **fields: str) -> str:
        """Send a form; returns the page that comes after it."""
        named = {name.replace("_1", "-1"): value for name, value in fields.items()}
        body = urllib.parse.urlencode({"token": self.token, **named}).encode()
        try:
            with self.opener.open(f"{self.address}{path}", body, timeout=400) as answer:
                page = str(answer.read(), "utf-8")
        except urllib.error.HTTPError as error:
            page = str(error.read(), "utf-8")
        found = re.search(r'name="token" value="([^"]+)"', page)
        self.token = found[1] if found else self.token
        wrong = re.findall(r'class="problem"[^>]*>(.*?)</(?:p|div)>', page, re.DOTALL)
        tell(f"{path}: {'; '.join(wrong) if wrong else 'taken'}")
        return page


def main(server: str, key: str, code: str, host: str) -> None:
    command = ["hailong", "edge", "assist", "--host", host, "--network-closed"]
    assisting = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert assisting.stdout is not None
    said = [assisting.stdout.readline().strip() for _ in range(3)]
    tell(" | ".join(re.sub(r"Code: .*", "Code: (a code)", line) for line in said))
    browser = Browser(said[0].removeprefix("Open: "))
    browser.send("/enter", code=said[1].removeprefix("Code: "))
    browser.send("/step/place", agency_label="Sở Tư pháp", label_1="Quầy 1", clerks="2", clerks_meet="yes")
    browser.send("/step/devices", camera_1="none", microphone_1="none")
    browser.send("/step/basis", basis="consent")
    browser.send("/step/notice", contact="Văn phòng Sở, tầng 1", confirmed="yes")
    browser.send("/step/tablet", host=host, network_closed="yes", form="short")
    browser.send("/step/server", label=f"{code} {server} {key}")
    browser.send("/write")
    browser.send("/enrol")
    page = browser.send("/check")
    for state, words in re.findall(r'<li class="(\w+)"><strong>.*?<span>(.*?)</span>', page, re.DOTALL):
        tell(f"  {state}: {' '.join(re.sub(r'<[^>]+>', ' ', words).split())}")
    page = browser.send("/start")
    tell(f"the last page: {' '.join(re.sub(r'<[^>]+>', ' ', page.partition('<main>')[2]).split())}")
    tell(f"the command: {assisting.communicate(timeout=120)[0].strip()} (exit code {assisting.returncode})")
    try:
        urllib.request.urlopen(browser.address, timeout=5)
    except urllib.error.URLError as error:
        tell(f"afterwards: {error.reason}")


if __name__ == "__main__":
    main(*sys.argv[1:])
