"""Chromium without a screen, controlled over WebDriver (W3C) by Debian's chromedriver."""

import base64
import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request

CHROMIUM = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--hide-scrollbars"]
WAIT = 60  # seconds; no answer in this time is a failure, never a measure of speed


def start(command, pattern, env=None):
    """A program in the background, and what the pattern finds in its output."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
    for line in process.stdout:
        if found := re.search(pattern, line):
            return process, found.group(1)
    raise RuntimeError(f"{command[0]} did not start")


class Browser:
    """One session with a new profile in a folder. Nothing waits for a fixed time."""

    def __init__(self, profile):
        # Chromium leaves folders behind in TMPDIR; these go with the profile.
        os.makedirs(profile, exist_ok=True)
        self.driver, port = start(["chromedriver", "--port=0"], r"successfully on port (\d+)",
                                  os.environ | {"TMPDIR": str(profile)})
        self.base = f"http://127.0.0.1:{port}"
        wanted = {"goog:loggingPrefs": {"browser": "ALL"},
                  "goog:chromeOptions": {"args": [*CHROMIUM, f"--user-data-dir={profile}"]}}
        self.base += "/session/" + self.ask("/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def ask(self, path, body, method="POST"):
        request = urllib.request.Request(self.base + path, json.dumps(body).encode(), method=method)
        try:
            with urllib.request.urlopen(request, timeout=WAIT) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise RuntimeError(f"{path}: {e.read().decode()[:600]}") from None

    def end(self):
        """Chromium ends with its session."""
        self.ask("", {}, "DELETE")
        self.driver.terminate()
        self.driver.wait()

    def cdp(self, command, **parameters):
        """A command of Chrome's own protocol."""
        return self.ask("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url):
        self.ask("/url", {"url": url})

    def size(self, width, height=900, dark=False):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                 mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.cdp("Emulation.setEmulatedMedia", features=[scheme])

    def value(self, expression):
        return self.ask("/execute/sync", {"script": f"return {expression}", "args": []})

    def wait(self, expression):
        end = time.monotonic() + WAIT
        while not self.value(expression):
            if time.monotonic() > end:
                raise RuntimeError(f"it did not become true: {expression}; the page:\n"
                                   + self.value("document.body.innerText.slice(0, 1500)"))
            time.sleep(0.1)

    def element(self, selector, action, body):
        found = self.ask("/element", {"using": "css selector", "value": selector})
        self.ask(f"/element/{next(iter(found.values()))}/{action}", body)

    def click(self, selector):
        """Like a person: a covered element cannot be reached."""
        self.element(selector, "click", {})

    def type(self, selector, text):
        """Replaces the text of a field."""
        self.element(selector, "clear", {})
        self.element(selector, "value", {"text": text})

    def complaints(self):
        """Errors and warnings in the console since the last call."""
        return [entry["message"] for entry in self.ask("/se/log", {"type": "browser"})
                if entry["level"] in ("SEVERE", "WARNING")]

    def shoot(self, path, width, top, bottom):
        clip = {"x": 0, "y": top, "width": width, "height": bottom - top, "scale": 1}
        shot = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))
