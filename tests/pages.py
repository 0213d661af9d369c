"""The pages in a browser: the dashboard against real servers, and a report as a file. test_page.c runs it:

    pages.py FOLDER BIN URL CLASS...     FOLDER: the artifacts of tests/server.h; URL: a server on them

Checks in the pages' own language are in checks.js.
"""

import copy
import datetime
import functools
import json
import os
import signal
import subprocess
import sys
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from browser import Browser, start

FOLDER, BIN, URL = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
MINE = str(os.getpid())  # part of names, since two of these run at once
CHECKS = Path("tests/checks.js").read_text(encoding="utf-8")
LIVE = "document.body.dataset.state === 'live'"
DECIDED = "!document.getElementById('result-full').hidden"
TOKEN = "0123456789abcdef"
# Would end the script that holds it, or a cell of a table, or become an element, if it were not escaped.
HOSTILE = r"</script><script>window.ran = true</script><!-- <b> \\ & | * [x](javascript:1) `x`"


def text(name):
    return f"document.getElementById('{name}').textContent"


@functools.cache
def hostile():
    """A registry whose model has hostile texts in its settings."""
    config = FOLDER / "hostile.ini"
    sample = Path("datasets/sample.ini").read_text(encoding="utf-8")
    config.write_text(f"{sample}\n[card]\nlimits = {HOSTILE}\n")
    subprocess.run([BIN / "train", "--config", config, "--output", FOLDER / "hostile", "--promote", FOLDER / "features"],
                   check=True, stdout=subprocess.DEVNULL)
    return FOLDER / "hostile"


@functools.cache
def browser():
    return Browser(FOLDER / MINE)


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = browser()
        cls.browser.size(1280)
        cls.browser.complaints()  # of the tests before

    def page(self, url):
        self.browser.open(url)
        self.browser.wait("document.body.dataset.state !== 'starting'")

    def check(self, call):
        """A function of checks.js finds nothing wrong."""
        found = self.browser.ask("/execute/sync", {"script": f"{CHECKS}; return {call}", "args": []})
        self.assertEqual(found, "", call)

    def assert_fits_and_is_readable(self, widths=(1440, 1024, 768, 390)):
        for width in widths:
            dark = width == widths[0]  # colours depend on this, the layout on the width
            self.browser.size(width, dark=dark)
            self.browser.wait(
                f"innerWidth === {width} && matchMedia('(prefers-color-scheme: {'dark' if dark else 'light'})')"
                ".matches && Object.values(window.Chart?.instances ?? {}).every((c) => "
                "Math.abs(c.width - c.canvas.parentElement.clientWidth) <= 1)")
            self.check("[flaws(), palette(), cut()].join('')")
        self.browser.size(1280)


class Served(Pages):
    def server(self, *more, models=FOLDER / "models", name=""):
        server, url = start([BIN / "serve", "--models", models, "--state", FOLDER / "before/state.bin",
                             "--key", FOLDER / "key", "--database", FOLDER / f"{self.id()}{name}.db", "--port", "0",
                             "--threads", "64", *more], r"(http://127\.0\.0\.1:\d+)")
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        self.addCleanup(self.browser.open, "about:blank")
        return server, url

    def post(self, url, value):
        urllib.request.urlopen(urllib.request.Request(url, json.dumps(value).encode(),
                                                      {"Content-Type": "application/json"})).close()

    def server_with_token(self):
        path = FOLDER / f"{MINE}.token"
        path.touch(0o600)
        path.write_text(TOKEN)
        return self.server("--token-file", path, name="-token")[1]

    def unlock(self, url):
        """A page without the token shows nothing and asks for it."""
        b = self.browser
        self.page(url)
        b.wait("document.body.dataset.state === 'locked'"
               " && ![...document.querySelectorAll('section, article')].some((e) => e.checkVisibility())")
        b.type("#token", "of-another-server")
        b.click("#access button")
        b.wait(text("token-error") + ".includes('not take')")
        b.type("#token", TOKEN)
        b.click("#access button")
        b.wait(LIVE + " && !document.getElementById('access').checkVisibility()")
        b.complaints()  # the browser's about status 401
        self.page(url)
        b.wait(LIVE)
        self.assertTrue(b.value("localStorage.length === 0 && document.cookie === ''"))


class Dashboard(Served):
    def test_each_file_comes_whole_with_its_type_and_a_policy(self):
        files = {"web/style.css": "text/css", "web/page.js": "text/javascript", "web/chart.js": "text/javascript",
                 "web/form.js": "text/javascript", "web/dashboard.js": "text/javascript", "web/icon.svg": "image/svg+xml",
                 "web/report.js": "text/javascript", "web/card.js": "text/javascript", "web/docs.js": "text/javascript",
                 "web/chart.min.js": "text/javascript", "": "text/html", "card": "text/html", "docs": "text/html"}
        places = {"": "web/dashboard.html", "card": "web/shell.html", "docs": "web/shell.html",
                  "web/chart.min.js": "/usr/share/javascript/chart.js/chart.min.js"}
        for path, kind in files.items():
            with urllib.request.urlopen(f"{URL}/{path}") as answer:
                self.assertEqual(answer.read(), Path(places.get(path, path)).read_bytes(), path)
                self.assertTrue(answer.headers["Content-Type"].startswith(kind), path)
                self.assertTrue(answer.headers["Content-Security-Policy"].startswith("default-src 'none'; "), path)
        with self.assertRaises(urllib.error.HTTPError) as e:
            urllib.request.urlopen(f"{URL}/web/none.js")
        self.assertEqual(e.exception.code, 404)
        e.exception.close()

    def test_a_transaction_is_decided_and_its_reasons_are_shown(self):
        b = self.browser
        self.page(URL)
        b.click("#unusual")
        b.type("#field-customer", "58")
        b.type("#field-amount", "612.5")
        b.click("#send")
        b.wait(DECIDED)
        with urllib.request.urlopen(f"{URL}/decisions") as answer:
            newest = json.load(answer)["decisions"][0]
        p = newest["probability"]
        self.assertEqual(b.value(text("result-probability")), "> 0.9999" if p > 0.99995 else f"{p:.4f}")
        self.assertEqual(b.value(text("result-decision")), newest["decision"])
        self.check("reasons()")
        self.assertEqual(b.complaints(), [])

    def test_charts_and_table_follow_what_is_decided(self):
        b = self.browser
        self.page(URL)
        self.check("prometheus()")
        b.wait(LIVE + " && Chart.getChart('chart-scores') !== undefined"
               " && Chart.getChart('chart-rate').data.datasets[0].data.length > 0")
        self.check("remember()")
        rows = [{"id": f"d{i}", "time": f"2018-07-01T10:00:{i:02d}Z", "customer": 100 + i, "terminal": 200 + i,
                 "amount": 10 + 40 * i} for i in range(20)]
        self.post(f"{URL}/predict", rows)
        b.wait("grown() === '20 20 20'")
        b.wait("['chart-rate', 'chart-latency'].every((id) => "
               "Chart.getChart(id).data.datasets[1].data.some((point) => point.y > 0))")
        self.check("drawnDrift()")
        self.check("unlike()")
        self.assertEqual(b.complaints(), [])

    def test_inputs_that_follow_the_calendar_are_not_counted_as_drifted(self):
        b = self.browser
        _, url = self.server()
        rows = [{"id": f"c{i}", "time": "2018-07-01T10:00:00Z", "customer": i, "terminal": i, "amount": 10 + i % 90}
                for i in range(1000)]  # on a Sunday: all of them at the weekend
        self.post(f"{url}/predict", rows)
        self.page(url)
        b.wait(text("drift-note") + ".includes(' of 13 inputs drifted')")  # and two follow the calendar
        self.assertIn("; the score ", b.value(text("drift-note")))
        self.assertIn("Grey bars follow the calendar", b.value(text("drift-note")))
        with urllib.request.urlopen(f"{url}/model") as answer:
            self.assertEqual(json.load(answer)["calendar"], ["weekend", "night"])
        self.check("drawnDrift()")

    def test_the_traffic_since_the_page_was_opened_and_the_labels_before_a_restart_are_shown(self):
        b = self.browser
        server, url = self.server()
        self.page(url)
        b.wait(LIVE)
        self.check("traffic(0)")
        self.post(f"{url}/predict", [{"id": f"t{i}", "time": "2018-07-02T10:00:00Z", "customer": i, "terminal": i,
                                      "amount": 9 + i} for i in range(20)])
        self.post(f"{url}/feedback", [{"id": f"t{i}", "label": i < 4} for i in range(15)])
        b.wait("Chart.getChart('chart-decisions').data.datasets.flatMap((set) => set.data)"
               ".reduce((sum, point) => sum + (point.y ?? 0), 0) === 20")
        self.check("traffic(20)")
        server.terminate()
        server.wait()
        _, url = self.server()
        self.page(url)
        b.wait(LIVE)
        self.assertEqual(b.value(text("tile-labels")), "15")
        self.assertEqual(b.value(text("tile-labels-note")), "4 frauds among them")
        self.assertEqual(b.value(text("tile-quality-note")), "of the newest 15 labels")

    def test_a_problem_is_shown_at_its_field_in_plain_words(self):
        b = self.browser
        cases = (("amount", "12,50", "Amount needs a number, such as "), ("amount", "", "Amount needs a number, such as "),
                 ("amount", "-3", "Amount cannot be less than 0."), ("customer", "", "Customer needs a name or a number, such as 1000."),
                 ("time", "tomorrow", "Time needs a date with its time, such as 20"),
                 ("time", "2199-01-01T00:00:00Z", "in the future"))  # the server's own words
        self.page(URL)
        b.wait(LIVE)
        for name, value, words in cases:
            b.click("#usual")
            b.value(f"void (() => {{ const field = document.getElementById('field-{name}'); field.value = {value!r};"
                    " field.dispatchEvent(new Event('input')); })()")  # at once: examples of the time follow the server
            b.click("#send")
            b.wait(text(f"error-{name}") + f".includes({words!r}) && "
                   f"document.querySelector('#field-{name}[aria-invalid=true]') === document.activeElement")
        b.click("#usual")
        b.click("#send")
        b.wait(DECIDED + " && !document.querySelector('[aria-invalid]')")
        self.assertEqual(b.value(text("error-time")), "")
        self.assertEqual(len(b.complaints()), len(cases))  # the browser's about status 422

    def test_the_examples_of_a_form_are_whole_where_training_was_and_rows_have_no_time(self):
        columns = [{"name": "time", "kind": "time"}, {"name": "port", "kind": "category", "missing": "none"},
                   {"name": "rooms", "kind": "number"}, {"name": "fare", "kind": "number"}, {"name": "y", "kind": "label"}]
        inputs = [{"name": name, "mean": 2.4, "scale": 0.3, "min": 0, "max": 3, "reference": {"edges": edges}}
                  for name, edges in (("rooms", [1, 2]), ("fare", [1.5]))]
        features = [{"name": "port", "expression": 'onehot(port, "S", "C", *)'}, {"name": "rooms", "expression": "hinges(rooms, 2.0)"},
                    {"name": "fare", "expression": "fare"}]
        model = {"plan": {"schema": {"time_format": "row", "columns": columns}, "features": features}, "inputs": inputs}
        self.page(URL)
        for call, expected in (("fill(0)", {"port": "S", "rooms": 2, "fare": 2.4}), ("fill(6)", {"port": "S", "rooms": 3, "fare": 4.2})):
            self.assertEqual(self.browser.value(f"(makeForm({json.dumps(model)}), {call}, transaction())"), expected)

    def decisions(self, url, query=""):
        with urllib.request.urlopen(f"{url}/decisions{query}") as answer:
            return json.load(answer)["decisions"]

    def press(self, selector, key):
        self.browser.element(selector, "value", {"text": key})

    def test_reviews_are_filtered_and_an_open_row_stays(self):
        b = self.browser
        server, url = self.server()
        self.addCleanup(server.kill)  # SIGTERM does not end a stopped one
        rows = [{"id": f"f{i}", "time": "2018-07-01T10:00:00Z", "customer": i, "terminal": i, "amount": 900 if i < 2 else 9}
                for i in range(60)]
        self.post(f"{url}/predict", rows)
        self.assertEqual({d["decision"] for d in self.decisions(url)}, {"approve"})  # the reviews are older than these
        self.page(url)
        b.wait("document.querySelectorAll('#decisions > tr').length === 50")
        b.click("#reviews")
        b.wait("document.querySelectorAll('#decisions > tr').length === 2 && " + LIVE)
        second = "#decisions > tr:nth-child(2) .open"
        self.press(second, "\ue007")  # Enter
        self.check(f"opened({json.dumps(self.decisions(url, '?decision=review')[1])})")
        self.post(f"{url}/predict", [{**rows[0], "id": "another"}])
        b.wait(text("tile-rate-note") + ".startsWith('61 ')")
        b.wait(text("decisions-note") + ".includes('waits')")
        kept = f"document.querySelector({second!r}) === document.activeElement && document.querySelector('.more')"
        self.assertTrue(b.value(f"{kept} !== null && document.querySelectorAll('#decisions > tr:not(.more)').length === 2"))
        self.press(second, "\ue007")
        self.assertTrue(b.value("!document.querySelector('.more')"))
        b.value("document.activeElement.blur()")
        b.wait("document.querySelectorAll('#decisions > tr').length === 3")
        b.click("#every")
        b.wait("document.querySelectorAll('#decisions > tr').length === 50")
        os.kill(server.pid, signal.SIGSTOP)
        b.click("#reviews")
        b.wait(text("decisions-note") + ".includes('has not answered')")
        self.assertEqual(b.value("document.querySelectorAll('#decisions > tr').length"), 50)
        os.kill(server.pid, signal.SIGCONT)
        b.wait("document.querySelectorAll('#decisions > tr').length === 3")
        self.assertEqual(b.complaints(), [])

    def test_a_row_gives_its_label(self):
        b, said = self.browser, "document.querySelector('.more [role=status]').textContent"
        server, url = self.server()
        self.post(f"{url}/predict", [{"id": f"l{i}", "time": "2018-07-01T10:00:00Z", "customer": i, "terminal": i, "amount": 5}
                                     for i in range(2)])
        self.page(url)
        b.wait("document.querySelectorAll('#decisions > tr').length === 2")
        b.click("#decisions > tr:last-child")
        fraud, genuine = ".more .presets button:first-child", ".more .presets button:last-child"
        for button, words, label in ((fraud, "Stored: it was fraud.", 1), (fraud, "That is known already: it was fraud.", 1),
                                     (genuine, "Stored: it was genuine.", 0)):
            b.click(button)
            b.wait(f"{said} === {words!r}")
            self.assertEqual([d.get("label") for d in self.decisions(url)], [None, label])
            self.assertTrue(b.value(f"document.querySelector({button!r}).ariaPressed === 'true'"))
        self.page(url)
        b.wait("document.querySelectorAll('#decisions > tr').length === 2 && "
               "document.querySelector('#decisions > tr:last-child .truth').textContent === 'was genuine'")
        b.click("#decisions > tr:last-child .open")
        self.assertTrue(b.value(f"document.querySelector({genuine!r}).ariaPressed === 'true'"))
        b.click("#decisions > tr:nth-child(2) .open")  # closes it
        x, y = b.value("(({ x, y }) => [x + 9, y + 9])(document.querySelector('#decisions > tr').getBoundingClientRect())")
        b.cdp("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.post(f"{url}/predict", [{"id": "l2", "time": "2018-07-01T10:00:00Z", "customer": 2, "terminal": 2, "amount": 5}])
        b.wait(text("tile-rate-note") + ".startsWith('3 ')")
        b.wait("document.querySelectorAll('#decisions > tr').length === 2 && " + text("decisions-note") + ".includes('waits')")
        b.cdp("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)  # away from the list
        b.wait("document.querySelectorAll('#decisions > tr').length === 3")
        b.click("#decisions > tr:last-child .open")
        self.assertEqual(b.complaints(), [])
        server.terminate()
        server.wait()
        b.click(fraud)
        b.wait(f"{said}.startsWith('The server did not answer.')")
        b.complaints()

    def test_a_label_needs_the_token(self):
        b, url = self.browser, self.server_with_token()
        self.unlock(url)  # for as long as the tab is open
        b.click("#send")
        b.wait(DECIDED + " && document.querySelectorAll('#decisions > tr').length === 1")
        self.assertEqual(b.complaints(), [])
        b.click("#decisions .open")
        b.value("void (sessionStorage.setItem('token', 'of-another-server'),"  # at once, before the page polls
                " document.querySelector('.more .presets button').click())")
        b.wait("document.querySelector('.more [role=status]').textContent.startsWith('Not stored') && "
               "document.body.dataset.state === 'locked'")
        b.type("#token", TOKEN)
        b.click("#access button")
        b.wait(LIVE + " && document.querySelector('.more [role=status]').checkVisibility()")  # the row is still open
        b.click(".more .presets button")
        b.wait("document.querySelector('.more [role=status]').textContent === 'Stored: it was fraud.'")
        b.complaints()  # the browser's about status 401

    def test_a_slider_asks_what_if_and_nothing_is_stored(self):
        b = self.browser
        slider, shown, end, home = "#fields input[type=range]", text("result-probability"), "\ue010", "\ue011"
        _, url = self.server()
        self.page(url)
        b.wait(LIVE)
        b.click("#usual")
        self.press(slider, end)
        b.wait(DECIDED + " && document.getElementById('result-kind').checkVisibility()")
        most = b.value(shown)
        self.assertGreater(b.value("Number(document.getElementById('field-amount').value)"), 200)
        # The answer to this comes after that to the next one.
        b.value("void (() => { const real = ask; let held = false; window.ask = async (...sent) => { const answer = await real(...sent);"
                "  if (!held) { held = true; await new Promise((go) => { window.release = go; }); } return answer; }; })()")
        b.value("document.querySelector('#fields input[type=range]').focus()")
        self.press(slider, "\ue012")  # the left arrow
        b.wait("window.release !== undefined")
        self.press(slider, home)
        b.wait(f"{shown} !== {most!r}")
        least = b.value(shown)
        b.value("void (window.release(), setTimeout(() => { window.released = true; }, 100))")
        b.wait("window.released")
        self.assertEqual(b.value(shown), least)
        self.assertEqual(self.decisions(url), [])
        b.click("#send")
        b.wait("!document.getElementById('result-kind').checkVisibility() && " + text("result-model") + ".startsWith('Decided')")
        self.assertEqual(b.value(shown), least)
        self.assertEqual(len(self.decisions(url)), 1)
        b.type("#field-amount", "x")
        self.assertEqual(b.complaints(), [])

    def test_an_answer_to_what_if_follows_all_fields(self):
        b, shown = self.browser, text("result-probability")
        _, url = self.server()
        self.page(url)
        b.wait(LIVE)
        self.press("#fields input[type=range]", "\ue010")  # End
        b.wait(DECIDED)
        for change in ("document.getElementById('usual').click()",
                       "(() => { const field = document.getElementById('field-amount'); field.value = '900';"
                       " field.dispatchEvent(new Event('input', { bubbles: true })); })()"):
            before = b.value(shown)
            b.value(f"void {change}")
            b.wait(f"{shown} !== {before!r} && document.getElementById('result-kind').checkVisibility()")
        self.assertEqual(self.decisions(url), [])
        self.assertEqual(b.complaints(), [])

    def test_a_transaction_without_an_answer_can_be_sent_again(self):
        b, time = self.browser, "document.getElementById('field-time').value"
        server, url = self.server()
        self.addCleanup(server.kill)  # SIGTERM does not end a stopped one
        self.page(url)
        b.wait(LIVE)
        os.kill(server.pid, signal.SIGSTOP)
        b.click("#send")
        b.wait(text("try-error") + ".startsWith('The server did not answer. Send it again')")
        os.kill(server.pid, signal.SIGCONT)
        sent = b.value("transaction()")
        self.post(f"{url}/predict", sent)  # it may have arrived or not
        b.wait(LIVE + " && " + text("tile-rate-note") + ".startsWith('1 ')")  # examples of the time are later now
        b.click("#send")
        b.wait(DECIDED)
        self.assertIn(f"transaction {sent['id']}.", b.value(text("result-model")))
        self.assertEqual(len(self.decisions(url)), 1)
        b.wait(f"{time} > {sent['time']!r}")
        self.assertEqual(b.complaints(), [])

    def test_the_policy_refuses_an_inline_script(self):
        """Without this no test could tell that the console works."""
        self.page(URL)
        self.check("inlined()")
        self.assertIn("Content Security Policy", self.browser.complaints()[0])

    def test_a_server_that_stops_answering_is_told_and_so_is_its_return(self):
        server, url = self.server()
        self.page(url)
        os.kill(server.pid, signal.SIGSTOP)
        self.browser.wait("document.body.dataset.state === 'away' && " + text("alarm") + ".includes('does not answer')")
        os.kill(server.pid, signal.SIGCONT)
        self.browser.wait(LIVE + " && document.getElementById('alarm').hidden")
        self.assertEqual(self.browser.complaints(), [])

    def test_a_token_that_no_header_can_have_is_refused(self):
        b, url = self.browser, self.server_with_token()
        self.page(url)
        b.type("#token", "кириллица")
        b.click("#access button")
        b.wait(text("token-error") + ".includes('not take') && document.body.dataset.state === 'locked'")
        b.type("#token", TOKEN)
        b.click("#access button")
        b.wait(LIVE)
        b.complaints()  # the browser's about status 401

    def test_the_loop_is_shown_and_so_is_what_is_missing_or_damaged(self):
        b, drift, models = self.browser, FOLDER / "loop.json", hostile()
        cells = "[...document.querySelectorAll('#table-{} tbody td')].map((td) => td.textContent)"
        _, url = self.server("--drift", drift, models=models)
        self.page(url)
        b.wait(text("drift-verdict") + ".includes('has not run yet')")
        self.assertIn("No comparison yet", b.value(text("compared")))
        self.assertEqual(b.value(cells.format("ledger"))[1:3], ["promote", "1"])
        drift.write_text("{")
        b.wait(text("drift-verdict") + ".includes('is damaged')")
        verdict = {"drift": True, "sentence": HOSTILE, "notes": [HOSTILE]}
        drift.write_text(json.dumps({"model": {"version": 7}, "verdict": verdict, "performance": {"alarm": True}, "periods": {
            "current": {"rows": 5, "to": "2018-07-01T10:00:00Z", "mature_rows": 3, "mature_until": "2018-06-24T00:00:00Z"}}}))
        alerts = {"metric": "alerts_per_day", "title": HOSTILE, "a": 9, "b": 7.5, "value": -1.5, "low": -2, "high": None}
        (models / "1/comparison.json").write_text(json.dumps({"verdict": verdict, "a": {"version": 7}, "b": {"version": 1},
            "differences": [alerts], "period": {"rows": 5, "days": 2}, "worst_slice": {**alerts, "slicing": "s", "name": HOSTILE}}))
        subprocess.run([BIN / "registry", "--models", models, "promote", "1"], check=True, stdout=subprocess.DEVNULL)
        b.wait(text("compared") + f" === {json.dumps(HOSTILE)} && " + text("drift-verdict") + f" === {json.dumps(HOSTILE)}")
        self.assertEqual(b.value(cells.format("compared"))[:6], [HOSTILE, "9.0", "7.5", "−1.5", "–", f"Worst slice: s {HOSTILE}"])
        self.assertIn("7; 1 decides now", b.value(text("drift-facts")))
        self.assertIn("3, up to 2018-06-24", b.value(text("drift-facts")))
        self.assertTrue(b.value("window.ran === undefined"))
        self.assert_fits_and_is_readable(widths=(1440, 390))
        self.assertEqual(b.complaints(), [])

    def test_it_fits_phones_and_desktops_and_is_readable(self):
        self.page(URL)
        self.browser.click("#unusual")
        self.browser.click("#send")
        self.browser.wait(DECIDED + " && Object.keys(Chart.instances).length === 5 && document.querySelector('#decisions .open')")
        self.browser.value("document.querySelector('#decisions .open').click()")  # not replaced between two commands
        self.press("#fields input[type=range]", "\ue011")
        self.browser.wait("document.getElementById('result-kind').checkVisibility() && document.querySelector('.more')")
        self.assert_fits_and_is_readable()
        self.assertEqual(self.browser.complaints(), [])


class Shells(Served):
    """Pages that the server sends without content, which they fetch with the token."""
    DRAWN = LIVE + " && Object.keys(Chart.instances).length === document.querySelectorAll('canvas').length"

    def test_the_report_of_the_model_that_decides(self):
        self.page(f"{URL}/report")
        self.browser.wait(self.DRAWN)
        with open(FOLDER / "models/1/metrics.json", encoding="utf-8") as f:
            self.assertEqual(self.browser.value("report"), json.load(f))
        self.browser.wait("document.getElementById('champion').checkVisibility()")
        self.check("figures()")
        self.assert_fits_and_is_readable()
        self.assertEqual(self.browser.complaints(), [])

    def test_the_card_of_the_model_that_decides(self):
        b, (_, url) = self.browser, self.server(models=hostile())
        self.page(f"{url}/card")
        self.check(f"card({json.dumps(HOSTILE)})")
        self.assertTrue(b.value("window.ran === undefined"))
        with open(hostile() / "1/metrics.json", encoding="utf-8") as f:
            test = json.load(f)["test"]
        self.assertIn(f"{test['average_precision']:.4f}", b.value(text("content")))
        self.assert_fits_and_is_readable(widths=(1440, 390))
        self.assertEqual(b.complaints(), [])

    def test_pages_lead_to_each_other_and_ask_no_other_server(self):
        b, paths = self.browser, ["/", "/report", "/card", "/docs"]
        self.page(URL)
        for path in [*paths[1:], paths[0]]:
            b.click(f".site a[href='{path}']")
            b.wait(f"location.pathname === '{path}' && {LIVE}")
            links = b.value("[...document.querySelectorAll('.site a')].map((a) => [a.getAttribute('href'), a.ariaCurrent])")
            self.assertEqual(links, [[p, "page" if p == path else None] for p in paths])
            places = b.value("performance.getEntriesByType('resource').map((e) => new URL(e.name).origin)")
            self.assertEqual(set(places), {URL}, path)
        self.assertEqual(b.complaints(), [])

    def test_each_page_asks_for_the_token(self):
        url = self.server_with_token()
        for path in ("report", "card"):
            self.unlock(f"{url}/{path}")
            self.assertEqual(self.browser.complaints(), [], path)
            self.browser.value("sessionStorage.clear()")

    def test_a_file_that_is_gone_is_told_and_so_is_its_return(self):
        metrics = FOLDER / "models/1/metrics.json"
        self.addCleanup(lambda: metrics.with_suffix(".moved").exists() and metrics.with_suffix(".moved").rename(metrics))
        metrics.rename(metrics.with_suffix(".moved"))
        self.page(f"{URL}/report")
        self.browser.wait("document.body.dataset.state === 'away' && "
                          + text("alarm") + ".includes('metrics.json of the model that decides is gone')")
        metrics.write_text('{"test": {}}')  # as of a program before this one
        self.browser.wait(text("alarm") + ".includes('older program')")
        self.browser.complaints()  # the browser's about status 404
        whole = metrics.with_suffix(".moved").read_text()
        for damaged in ("null", whole[:5000], '{"training": {}}'):
            metrics.write_text(damaged)
            self.page(f"{URL}/report")
            self.browser.wait("document.body.dataset.state === 'away' && " + text("alarm") + ".includes('is damaged')")
        other = json.loads(whole)
        other["about"]["sha256"] = "0" * 64
        metrics.write_text(json.dumps(other))
        self.page(f"{URL}/report")
        self.browser.wait(text("alarm") + ".includes('of another model')")
        self.assertTrue(self.browser.value("document.getElementById('champion').hidden"))
        metrics.with_suffix(".moved").rename(metrics)
        self.browser.open("about:blank")  # else only the part after # would change
        self.page(f"{URL}/report#slices")
        self.browser.wait(self.DRAWN + " && document.getElementById('alarm').hidden && scrollY > 1000")
        self.assertEqual(self.browser.complaints(), [])

    def send(self, operation):
        """The status that a form of the API page shows."""
        b, state = self.browser, f"document.querySelector('#{operation} [aria-live]').textContent"
        b.value(f"void (document.getElementById('{operation}').open = true)")
        b.click(f"#{operation} .primary")
        b.wait(f"{state} !== ''")
        return b.value(state)

    def curl(self, operation, *more):
        """What the line of a form prints when a shell runs it."""
        line = self.browser.value(f"document.querySelector('#{operation} .curl').textContent")
        return subprocess.run(["sh", "-c", " ".join([line, *more])], check=True, capture_output=True, text=True,
                              env=os.environ | {"TOKEN": TOKEN}, cwd=FOLDER).stdout

    def test_each_request_of_the_api_page_is_answered_and_so_is_its_curl_line(self):
        b = self.browser
        self.unlock(f"{self.server_with_token()}/docs")
        operations = b.value("[...document.querySelectorAll('.operation')].map((e) => e.id)")
        self.assertEqual(sorted(operations), sorted(b.value(
            "Object.values(api.paths).flatMap((item) => Object.values(item).map((op) => op.operationId))")))
        for operation in operations:
            status = self.send(operation).split()[0]
            self.assertEqual(self.curl(operation, "-o /dev/null -w '%{http_code}'"), status, operation)
            if operation != "post_feedback":  # of a transaction that may not be stored
                self.assertEqual(status, "200", operation)
            b.value(f"void (document.getElementById('{operation}').open = false)")  # long answers are slow to lay out
        b.complaints()  # the browser's about that

    def test_a_shell_takes_the_curl_line_as_it_is_meant(self):
        b, url = self.browser, self.server()[1]
        self.page(f"{url}/docs")
        b.click("#post_predict .presets button")
        row = json.loads(b.value("document.getElementById('post_predict-body').value"))
        row["id"] = "it's $(touch ran) `touch ran` \\ \"%s\" é"
        b.type("#post_predict-body", json.dumps(row, ensure_ascii=False))
        b.type("[id='post_predict-X-Request-Id']", "o'k $PATH")
        self.assertEqual(self.send("post_predict").split()[0], "200")
        shown = json.loads(b.value("document.querySelector('#post_predict .body').textContent"))
        self.assertEqual(shown["id"], row["id"])
        self.assertEqual(json.loads(self.curl("post_predict")), shown)
        self.assertFalse((FOLDER / "ran").exists())
        self.assertEqual(b.complaints(), [])

    def test_the_api_page_says_why_there_is_no_answer(self):
        b, url = self.browser, self.server_with_token()
        self.page(f"{url}/docs")
        b.type("#token", TOKEN)
        b.click("#access button")
        b.wait(LIVE)
        b.value("sessionStorage.clear()")
        b.click("#post_predict .primary")
        b.wait("document.body.dataset.state === 'locked'")
        b.type("#token", TOKEN)
        b.click("#access button")
        b.wait("document.querySelector('#post_predict [aria-live]').textContent.startsWith('200 ')")
        server, url = self.server()
        self.addCleanup(server.kill)  # SIGTERM does not end a stopped one
        self.page(f"{url}/docs")
        b.wait(LIVE)
        os.kill(server.pid, signal.SIGSTOP)
        self.assertIn("did not answer within five seconds", self.send("get_model"))
        os.kill(server.pid, signal.SIGCONT)
        server.kill()
        server.wait()
        b.click("#get_model .primary")
        b.wait("document.querySelector('#get_model [aria-live]').textContent.includes('cannot be reached')")
        b.complaints()

    def test_the_api_page_fits_prints_and_is_readable(self):
        b = self.browser
        b.open("about:blank")  # else only the part after # would change
        self.page(f"{URL}/docs#post_v2_infer")
        self.send("post_predict")
        self.assert_fits_and_is_readable()
        self.assertEqual(b.value("[...document.querySelectorAll('.operation[open]')].map((e) => e.id)"),
                         ["post_predict", "post_v2_infer"])
        b.cdp("Page.printToPDF")
        self.assertTrue(b.value("[...document.querySelectorAll('details')].every((e) => e.open)"))
        self.assertEqual(b.complaints(), [])


class Report(Pages):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        hostile()

    def setUp(self):
        self.browser.open((FOLDER / "hostile/1/report.html").as_uri())
        self.browser.wait("Object.keys(Chart.instances).length === document.querySelectorAll('canvas').length")

    def tearDown(self):
        self.assertEqual(self.browser.complaints(), [])

    def test_it_shows_the_figures_and_loads_nothing(self):
        b = self.browser
        with open(FOLDER / "hostile/1/metrics.json", encoding="utf-8") as f:
            self.assertEqual(b.value("report"), json.load(f))
        self.assertEqual(b.value("document.title"), "Assay: hostile, version 1")
        self.check("figures()")
        self.assertTrue(b.value("document.querySelector('.site') === null"))
        self.check("explained()")
        self.assertTrue(b.value("document.getElementById('champion').hidden"))  # a file cannot know
        written = datetime.datetime.fromtimestamp((FOLDER / "hostile/1/report.html").stat().st_mtime, datetime.timezone.utc)
        self.assertIn(f"written on {written.date()}", b.value(text("identity")))
        self.assertEqual(b.value(text("card-limits")), HOSTILE)
        self.assertTrue(b.value("window.ran === undefined"))
        self.assertTrue(b.value("performance.getEntriesByType('resource').length === 0"))

    def test_it_fits_prints_and_is_readable(self):
        self.assert_fits_and_is_readable()
        self.browser.size(1280, dark=True)
        self.check("watchPrint()")
        self.browser.cdp("Page.printToPDF")
        self.check("printed()")
        self.browser.size(1280)


class Drift(Pages):
    """The monitor's page on data that the simulator shifts, and the same page with changes in its JSON."""
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = FOLDER / "shifted"
        cls.folder.mkdir()
        config = Path("datasets/simulated.ini").read_text(encoding="utf-8")
        (cls.folder / "s.ini").write_text(config.replace("build/data/simulated.csv", "s.csv").replace("folds = 7", "folds = 1"))
        run = f"PATH={BIN.resolve()}:$PATH; cd {cls.folder}; exec >/dev/null; config='--config s.ini'; set -e;"
        subprocess.run(run + """
            simulate --customers 300 --terminals 600 --days 183 --shift 2018-08-29 --output s.csv
            ingest $config --key key --output table; features $config --output features table
            train $config --output models --promote features
            monitor $config --models models --output drift.json features
            monitor $config --models models --from 2018-11-01 --output none.json features""", shell=True, check=True)
        cls.drift = json.loads((cls.folder / "drift.json").read_text())

    def show(self, name="drift", change=None):
        """The page, after change(drift.json)."""
        path = self.folder / f"{name}.html"
        if change:
            drift = copy.deepcopy(self.drift)
            change(drift)
            head, rest = (self.folder / "drift.html").read_text().split('id="embedded">')
            path.write_text(f'{head}id="embedded">{json.dumps(drift)}{rest[rest.index("</script>"):]}')
        self.browser.open("about:blank")
        self.browser.open(path.as_uri())
        self.browser.wait(LIVE + " && document.querySelector('#table-measures tbody') !== null")

    def tearDown(self):
        self.assertEqual(self.browser.complaints(), [])

    def seen(self, name):
        return self.browser.value(f"document.getElementById('{name}').checkVisibility()")

    def test_the_verdict_comes_first_and_nothing_is_loaded(self):
        b = self.browser
        self.show()
        self.assertEqual(b.value("drift"), self.drift)
        self.assertTrue(self.drift["verdict"]["drift"])
        self.assertEqual(b.value("document.querySelector('main').innerText.split('\\n')[0]"), self.drift["verdict"]["sentence"])
        self.assertEqual(b.value("[...document.querySelectorAll('#notes li')].map((e) => e.textContent)"), self.drift["verdict"]["notes"])
        self.assertIn(f"→ {self.drift['verdict']['ap']:.2f}", b.value(text("tiles")))
        self.assertFalse(b.value("document.getElementById('outcome').classList.contains('good')"))
        self.assertTrue(b.value("performance.getEntriesByType('resource').length === 0"))

    def test_the_heat_map_has_a_cell_for_each_number(self):
        self.show()
        self.check("heatMap()")

    def test_the_measures_are_sorted_by_click_and_by_key(self):
        def unknown(drift):
            drift["columns"][0]["ks"] = None
        self.show("unknown", unknown)
        column = "[...document.querySelectorAll('#table-measures tbody tr')].map((tr) => tr.cells[{}].textContent)"
        order = "document.querySelector('#table-measures th:nth-child({})').ariaSort"
        ks = "#table-measures th:nth-child(5) button"
        self.browser.click(ks)
        falling = self.browser.value(column.format(4))
        self.assertEqual(falling, sorted(falling[:-1], reverse=True) + ["–"])
        self.assertEqual(self.browser.value(order.format(5)), "descending")
        self.browser.element(ks, "value", {"text": "\ue007"})  # Enter
        rising = self.browser.value(column.format(4))
        self.assertEqual(rising, sorted(falling[:-1]) + ["–"])
        self.assertGreater(len(set(rising)), 10)
        self.browser.click("#table-measures th:first-child button")
        names = self.browser.value(column.format(0))
        self.assertEqual(names, sorted(names))
        self.assertEqual([self.browser.value(order.format(i)) for i in (1, 2, 5)], ["ascending", None, None])

    def test_the_concept_changed_only_where_labels_and_estimate_say_so(self):
        def same_fall_in_the_estimate(drift):
            drift["performance"]["estimate"]["average_precision"] = drift["performance"]["current"]["average_precision"]
            drift["verdict"]["limits"]["estimate_blind"] = False

        self.show()
        self.assertTrue(self.seen("concept"))
        self.assertIn(f"{self.drift['verdict']['ap']:.2f} in the week to {self.drift['verdict']['week']}", self.browser.value(text("concept")))
        actions = self.browser.value(text("actions"))
        self.assertIn("Train a new version.", actions)
        for command in ("make retrain", "make pipeline"):
            self.assertIn(command, actions)
        self.show("estimated", same_fall_in_the_estimate)
        self.assertFalse(self.seen("concept"))

    def without_labels(self, drift):
        quality = drift["performance"]
        quality.update(current=None, difference=None, alarm=False)
        quality["calibration"]["current"] = None
        for week in quality["weeks"]:
            week.update(average_precision=None, difference=None, precision=None, recall=None, alarm=False)
        drift["periods"]["current"].update(mature_until=None, mature_rows=0)
        drift["verdict"]["limits"]["estimate_blind"] = False

    def test_without_mature_labels_it_says_so(self):
        self.show("unlabelled", self.without_labels)
        self.assertTrue(self.seen("unknown"))
        self.assertFalse(self.seen("concept"))
        self.assertIn("No row of the current period has a mature label.", self.browser.value(text("labels")))
        self.assertIn("Get labels.", self.browser.value(text("actions")))
        self.assertNotIn("Train a new version.", self.browser.value(text("actions")))

    def test_a_period_without_rows_shows_nothing_of_them(self):
        self.show("none")
        self.assertEqual(self.browser.value("document.querySelectorAll('#actions li').length"), 1)
        self.assertIn("Nothing yet.", self.browser.value(text("actions")))
        self.assertFalse(any(self.seen(name) for name in ("weeks", "worst", "quality", "score", "measures")))

    def calm(self, drift):
        for column in drift["columns"]:
            column.update(alarm=False, moved=None, over=0)
        drift["verdict"].update(drift=False, notes=[], week=None, ap=None, once=[])
        drift["verdict"]["limits"]["estimate_blind"] = False
        drift["performance"].update(alarm=False, difference={"average_precision": [0, -0.03, 0.03]})
        drift["alerts_per_day"].update(current=drift["alerts_per_day"]["reference"], cards="not blocked")

    def test_a_quiet_period_asks_for_nothing(self):
        self.show("calm", self.calm)
        self.assertIn("Nothing.", self.browser.value(text("actions")))
        self.assertTrue(self.browser.value("document.getElementById('outcome').classList.contains('good')"))

    def test_one_week_beyond_a_bound_is_said_to_be_no_alarm_yet(self):
        def once(drift):
            self.calm(drift)
            self.score = next(c for c in drift["columns"] if c["kind"] == "score")
            self.score.update(over=1)

        def fell_once(drift):
            self.calm(drift)
            drift["verdict"].update(week=drift["weeks"][-1]["to"], ap=0.25)

        self.show("fell-once", fell_once)
        actions = self.browser.value(text("actions"))
        self.assertTrue(actions.startswith("Look again next week. In the week to "), actions)
        self.assertFalse(self.browser.value("document.getElementById('outcome').classList.contains('good')"))
        self.show("once", once)
        actions = " ".join(self.browser.value(text("actions")).split())
        self.assertIn("Lately score reached its bound. That is no alarm yet, which takes 2 of the last 3 weeks.", actions)
        self.assertNotIn("Nothing.", actions)
        self.assertIn("reached in 1 of the last 3 weeks", self.browser.value(text("tiles")))
        self.assertFalse(self.browser.value("document.getElementById('outcome').classList.contains('good')"))

    def test_alerts_are_advised_on_where_both_sides_count_the_same_cards(self):
        def more(drift, **values):
            self.calm(drift)
            drift["alerts_per_day"].update(reference=[10, 9, 11], current=[20, 18, 22], **values)

        self.show("alerts", lambda drift: more(drift, cards="all"))
        self.assertIn("Alerts a day, cards blocked or not10 → 20", self.browser.value(text("tiles")))
        self.assertIn("They get 20 alerts a day, not 10", self.browser.value(text("actions")))
        self.show("alerts", lambda drift: more(drift, cards="not blocked"))
        self.assertIn("Alerts a day, cards not blocked10 → 20", self.browser.value(text("tiles")))
        self.show("alerts", lambda drift: more(drift, cards=None))
        self.assertNotIn("Prepare the reviewers.", self.browser.value(text("actions")))

    def test_a_period_without_a_week_shows_nothing_of_weeks(self):
        def short(drift):
            self.calm(drift)
            for rows in (drift["weeks"], drift["performance"]["weeks"], *(c["weeks"] for c in drift["columns"])):
                rows.clear()
            drift["verdict"].update(possible=False)

        self.show("days", short)
        self.assertFalse(any(self.seen(name) for name in ("weeks", "by-week", "quality-weeks", "plot-psi-0", "plot-quality")))
        self.assertTrue(self.seen("worst") and self.seen("plot-reliability") and self.seen("plot-shares-0"))
        tiles = self.browser.value(text("tiles"))
        self.assertNotIn("newest week", self.browser.value("document.querySelector('main').innerText"))
        self.assertIn("Inputs moved–no verdict; most: ", tiles)
        self.assertIn("PSI of the score, whole period", tiles)
        self.assertTrue(self.browser.value("[...document.querySelectorAll('table')].every((t) => !t.checkVisibility() || t.tBodies[0].rows.length)"))
        self.assert_fits_and_is_readable(widths=(1440, 390))

    def test_it_bears_what_is_not_defined(self):
        def undefined(drift):
            self.without_labels(drift)
            for column in drift["columns"]:
                column.update({key: None for key, value in column.items() if isinstance(value, float)},
                              weeks=[None for _ in drift["weeks"]], edges=[], reference=[9], current=[0])
            drift["columns"] = [c for c in drift["columns"] if c["kind"] != "decision"]
            drift["alerts_per_day"]["current"] = [None, None, None]
            drift["performance"]["estimate"] = {"average_precision": None, "precision": None, "recall": None}
            drift["performance"]["reference"].update(average_precision=None, precision=None, recall=None)
            drift["performance"]["calibration"]["reference"] = []
            drift["performance"]["weeks"] = [None for _ in drift["weeks"]]
            drift["threshold"] = 1e-5

        def one_week(drift):
            for rows in (drift["weeks"], drift["performance"]["weeks"], *(c["weeks"] for c in drift["columns"])):
                del rows[:-1]
            drift["weeks"][0]["counts"] = False

        self.show("undefined", undefined)
        self.assertFalse(self.browser.value("/NaN|undefined|null|Infinity/.test(document.querySelector('main').innerText)"))
        self.assertIn("Label the test window.", self.browser.value(text("actions")))
        self.show("short", one_week)
        self.check("heatMap()")
        self.assertIn("Wait for more weeks.", self.browser.value(text("actions")))

    def test_it_fits_and_is_printed_whole_with_many_inputs_or_weeks(self):
        def many_inputs(drift):
            inputs = [c for c in drift["columns"] if c["kind"] == "input"]
            drift["columns"] = [c for c in drift["columns"] if c["kind"] != "input"]
            drift["columns"] += [{**inputs[i % len(inputs)], "name": f"{i:03}_{'customer_mean_30d_' * 5}"[:80]} for i in range(60)]

        def many_weeks(drift):
            for rows in (drift["weeks"], drift["performance"]["weeks"], *(c["weeks"] for c in drift["columns"])):
                rows[:] = (rows * 9)[:52]

        for change in (None, many_inputs, many_weeks):
            self.show(change.__name__ if change else "drift", change)
            self.assert_fits_and_is_readable(widths=(1440, 390) if change else (1440, 1024, 768, 390))
            self.browser.size(703)  # of A4 between the margins
            self.browser.cdp("Emulation.setEmulatedMedia", media="print")
            self.browser.value("void dispatchEvent(new Event('beforeprint'))")
            self.check("cut(true)")
            self.browser.cdp("Emulation.setEmulatedMedia", media="")
            self.browser.size(1280)


if __name__ == "__main__":
    done = unittest.main(argv=[sys.argv[0], *sys.argv[4:]], exit=False)
    browser().end()
    sys.exit(not done.result.wasSuccessful())
