#!/usr/bin/env python3
"""The pictures of README.md: a part of the champion's report, and the dashboard while replay sends it traffic.

Needs chromium and chromedriver (tests/packages.txt), nothing else. `make pictures` calls it.
"""

import argparse
import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

CHROMIUM = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--hide-scrollbars"]
TRAFFIC_SECONDS = 45
WIDTH = 1100


def start(command, pattern):
    """A program in the background, and what the pattern finds in its output."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in process.stdout:
        if found := re.search(pattern, line):
            return process, found.group(1)
    raise SystemExit(f"{command[0]} did not start")


class Browser:
    """One Chromium over WebDriver."""

    def __init__(self, profile):
        self.driver, port = start(["chromedriver", "--port=0"], r"successfully on port (\d+)")
        self.base = f"http://127.0.0.1:{port}"
        options = {"goog:chromeOptions": {"args": [*CHROMIUM, f"--user-data-dir={profile}"]}}
        self.base += "/session/" + self.ask("/session", {"capabilities": {"alwaysMatch": options}})["sessionId"]

    def ask(self, path, body):
        request = urllib.request.Request(self.base + path, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def cdp(self, command, **parameters):
        return self.ask("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def run(self, script):
        return self.ask("/execute/sync", {"script": script, "args": []})

    def open(self, url, width, height):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.ask("/url", {"url": url})

    def shoot(self, path, top, bottom):
        clip = {"x": 0, "y": top, "width": WIDTH, "height": bottom - top, "scale": 1}
        shot = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        Path(path).write_bytes(base64.b64decode(shot["data"]))

    def end(self):
        urllib.request.urlopen(urllib.request.Request(self.base, method="DELETE"), timeout=60).close()
        self.driver.terminate()
        self.driver.wait()


def report(browser, page, output):
    browser.open(page.resolve().as_uri(), WIDTH, 900)
    browser.run("document.querySelectorAll('figcaption, .intro').forEach((e) => e.remove())")
    top = browser.run("return document.getElementById('alerts').getBoundingClientRect().top + scrollY")
    bottom = browser.run("return document.querySelector('#ranking .two').getBoundingClientRect().bottom + scrollY")
    browser.shoot(output, top - 12, bottom + 12)


def dashboard(browser, a, output):
    server, url = start([a.bin / "serve", "--models", a.models, "--state", a.state, "--database", a.work / "served.db",
                         "--port", "0"], r"(http://127\.0\.0\.1:\d+)")
    replay = subprocess.Popen([a.bin / "replay", "--url", url, "--from", a.since, "--rate", "300", "--labels", "3",
                               a.data], stdout=subprocess.DEVNULL)
    try:
        browser.open(url, WIDTH, 900)
        time.sleep(TRAFFIC_SECONDS)
        browser.run("document.getElementById('unusual').click(); document.getElementById('send').click()")
        time.sleep(3)
        bottom = browser.run("return document.querySelector('.trio').getBoundingClientRect().bottom + scrollY")
        browser.shoot(output, 0, bottom + 16)
    finally:
        for process in (replay, server):
            process.terminate()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bin", "models", "state", "data", "docs"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--since", required=True, help="the day after that of the state")
    a = parser.parse_args()
    a.work = Path(tempfile.mkdtemp())
    browser = Browser(a.work / "profile")
    try:
        report(browser, a.models / "champion" / "report.html", a.docs / "report.png")
        dashboard(browser, a, a.docs / "dashboard.png")
    finally:
        browser.end()
        shutil.rmtree(a.work)


if __name__ == "__main__":
    main()
