#!/usr/bin/env python3
"""The pictures of README.md: a part of the champion's report; the dashboard, light and dark, while replay sends it
traffic; and the demo's weeks.

Needs chromium and chromedriver (tests/packages.txt), nothing else. `make pictures` calls it.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from browser import Browser, start  # noqa: E402

TRAFFIC_SECONDS = 120
WIDTH = 1100


def report(browser, page, output):
    browser.open(page.resolve().as_uri())
    browser.value("document.querySelectorAll('figcaption, .intro').forEach((e) => e.remove())")
    top = browser.value("document.getElementById('alerts').getBoundingClientRect().top + scrollY")
    bottom = browser.value("document.querySelector('#ranking .two').getBoundingClientRect().bottom + scrollY")
    browser.shoot(output, WIDTH, top - 12, bottom + 12)


def dashboard(browser, a, docs):
    server, url = start([a.bin / "serve", "--models", a.models, "--state", a.state, "--database", a.work / "served.db",
                         "--port", "0"], r"(http://127\.0\.0\.1:\d+)")
    replay = subprocess.Popen([a.bin / "replay", "--url", url, "--from", a.since, "--rate", "300", "--labels", "3",
                               a.data], stdout=subprocess.DEVNULL)
    try:
        browser.open(url)
        time.sleep(TRAFFIC_SECONDS)
        browser.type("#field-amount", "170")
        browser.click("#send")
        time.sleep(3)
        bottom = browser.value("document.querySelector('.trio').getBoundingClientRect().bottom + scrollY")
        for name, dark in (("dashboard.png", False), ("dashboard-dark.png", True)):
            browser.size(WIDTH, int(bottom) + 16, dark=dark)  # a picture beyond the window has empty charts
            time.sleep(3)  # the page draws its charts again
            browser.shoot(docs / name, WIDTH, 0, bottom + 16)
    finally:
        for process in (replay, server):
            process.terminate()
            process.wait()


def loop(browser, page, docs):
    for name, dark in (("loop.png", False), ("loop-dark.png", True)):
        browser.size(WIDTH, dark=dark)
        browser.open(page.resolve().as_uri())
        browser.value("document.querySelector('figcaption').remove()")
        time.sleep(3)  # the chart fits the figure
        bottom = browser.value("document.querySelector('figure').getBoundingClientRect().bottom + scrollY")
        browser.shoot(docs / name, WIDTH, 0, bottom + 16)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bin", "models", "state", "data", "loop", "docs"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--since", required=True, help="the day after that of the state")
    a = parser.parse_args()
    a.work = Path(tempfile.mkdtemp())
    browser = Browser(a.work / "profile")
    try:
        browser.size(WIDTH)
        report(browser, a.models / "champion" / "report.html", a.docs / "report.png")
        loop(browser, a.loop, a.docs)
        dashboard(browser, a, a.docs)
    finally:
        browser.end()
        shutil.rmtree(a.work)


if __name__ == "__main__":
    main()
