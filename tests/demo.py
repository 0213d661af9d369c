"""The closed loop: a server decides, frauds change, `make retrain` trains and promotes a new model, and all of it can
be looked up and taken back. Exit status 1 and a sentence if a turning point does not happen.

    demo.py BIN [FOLDER [small|demo|full]]       the story
    demo.py BIN FOLDER small|full control        what must not be promoted

All files are in FOLDER (default build/demo), which is made anew. The server listens on a free port of 127.0.0.1.
"""
import csv
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request

from browser import start

ROOT, BIN = pathlib.Path(__file__).resolve().parents[1], pathlib.Path(sys.argv[1]).resolve()
WORK = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "build/demo").resolve()
SIZE, CONTROL = (sys.argv[3:] + ["demo"])[0], "control" in sys.argv[4:]
# Customers, terminals, how far customers go; weeks between looks; after the promotion the lowest AP, and alerts a day
# as shares of the budget (of few customers, more are blocked); seconds for all of it.
CUSTOMERS, TERMINALS, RADIUS, STEP, LEAST_AP, (FEWEST, MOST), LIMIT = {
    "small": (1000, 2000, 7, 2, 0.4, (0.1, 1.5), 290), "demo": (2000, 4000, 6, 1, 0.5, (0.2, 1.5), 1200),
    "full": (5000, 10000, 5, 1, 0.5, (0.5, 1.5), 1800)}[SIZE]
BUDGET, SEED = 100, 2 if not CONTROL else 102 if SIZE == "small" else 101
DAY, WEEK = datetime.timedelta(1), datetime.timedelta(7)
START, SHIFT = datetime.date(2018, 7, 4), datetime.date(2018, 7, 18)  # of serving; of the new frauds
END = START + (7 if CONTROL else 8 if SIZE == "small" else 10) * WEEK
MODELS, DATA, CONFIG, DATABASE = (WORK / x for x in ("models", "data.csv", "demo.ini", "assay.db"))
TABLE, SERVED, DRIFT = (WORK / x for x in ("features", "retrain/served", "monitor/drift.json"))
WIPE = "\r\x1b[K" if sys.stdout.isatty() else ""


def say(text, indent=""):
    if indent:
        text = textwrap.fill(text, 100, initial_indent=indent, subsequent_indent=indent)
    print(WIPE + text, flush=True)


def step(text):
    print(f"{WIPE}{text} ..." if WIPE else "", end="", flush=True)


def check(happened, text):
    if not happened:
        sys.exit(f"demo: it did not happen that {text}")


def run(*command):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run([str(x) for x in command], cwd=ROOT, env=clean, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"demo: {' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def registry(*command):
    return run(BIN / "registry", "--models", MODELS, "--config", CONFIG, *command)


def champion_at(*at):
    return next(line.split()[0] for line in registry("list", *at).splitlines() if "  champion  " in line)


def retrain(*more):
    """What `make retrain` says in our folder, and the monitor's result. The table of before serving stays as it is."""
    said = run("make", "-s", "-o", "programs", "-o", TABLE / "manifest.json", "retrain", "DATASET=demo", f"BIN={BIN}",
               f"D={WORK}", f"M={MODELS}", f"CONFIG={CONFIG}", f"DATABASE={DATABASE}", *more)
    return re.findall(r"(?m)^(?:Not due|Promoted|Kept out).*", said)[-1], json.loads(DRIFT.read_text())


def prepare(*shift):
    """The data, and a first model of the days before serving."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    text = (ROOT / "datasets/simulated.ini").read_text()
    for key, value in {"file": WORK / "before.csv", "train": f"{START - 42 * DAY} .. {START - 15 * DAY}",
                       "test": f"{START - WEEK} .. {START - DAY}", "folds": 1, "alerts_per_day": BUDGET}.items():
        text = re.sub(rf"(?m)^({key} *=).*", rf"\1 {value}", text)
    CONFIG.write_text(text)
    step("simulating transactions")
    run(BIN / "simulate", "--customers", CUSTOMERS, "--terminals", TERMINALS, "--radius", RADIUS, "--seed", SEED,
        "--days", (END - datetime.date(2018, 4, 1)).days, *shift, "--output", DATA)
    with DATA.open() as rows, (WORK / "before.csv").open("w") as before:
        before.writelines(row for row in rows if not row[0].isdigit() or row.split(",", 2)[1] < str(START))
    step("the batch pipeline on the days before serving")
    run(BIN / "ingest", "--config", CONFIG, "--key", WORK / "key", "--output", WORK / "table")
    run(BIN / "features", "--config", CONFIG, "--output", TABLE, WORK / "table")
    run(BIN / "train", "--config", CONFIG, "--output", MODELS, "--decide", TABLE)
    say("\n".join(registry("show").splitlines()[:2]))


class Server:
    def __enter__(self):
        self.process, self.url = start(
            [BIN / "serve", "--models", MODELS, "--state", TABLE / "state.bin", "--key", WORK / "key", "--drift", DRIFT,
             "--database", DATABASE, "--port", "0", "--threads", "16"], r"(http://127\.0\.0\.1:\d+)")
        say(f"It decides on {self.url}, where the dashboard is, too.\n")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)

    def ask(self, path, body=None):
        data = body and json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def follows(self):
        """The registry's champion decides within five seconds, although nobody tells the server."""
        champion, end = champion_at(), time.monotonic() + 5
        while self.ask("/model")["model"] != champion:
            check(time.monotonic() < end, f"the server decides with version {champion} by itself")
            time.sleep(0.05)
        return champion

    def replay(self, since, until):
        step(f"replaying {since} .. {until - DAY}")
        run(BIN / "replay", "--config", CONFIG, "--url", self.url, "--connections", 1, "--batch", 1000, "--labels", 7,
            "--labels-from", max(START, since - 8 * DAY), "--from", since, "--until", until, "--output",
            WORK / f"served-{since}.csv", DATA)


def watch(server):
    """Serves and retrains until the end; the weeks, with AP once their labels are mature, and the promotions."""
    weeks, promotions, until, two = [], [], START, lambda x: "-" if x is None else f"{x:.2f}"
    say("week to     the input that moved most    PSI     AP, a week before   alerts  version\n"
        "                                                estimate   found    a day")
    while until < END:
        server.replay(until, until + STEP * WEEK)
        until += STEP * WEEK
        step(f"make retrain on {until}")
        said, drift = retrain()
        ends, version = [w["to"] for w in drift["weeks"]], drift["model"]["version"]
        inputs = [(c["weeks"][-1] or 0, c["name"]) for c in drift["columns"] if c["kind"] == "input" and ends]
        psi, name = max(inputs, default=(None, "-"))
        weeks.append({"to": str(until - DAY), "psi": psi, "version": version, "alarm": drift["verdict"]["drift"]})
        before = weeks[-2 if STEP == 1 and len(weeks) > 1 else -1]
        found = dict(zip(ends, drift["performance"]["weeks"])).get(str(until - WEEK - DAY))
        ap = (found["estimate"], found["average_precision"][0]) if found else (None, None)
        if before["version"] == version:  # else another version has decided about that week
            before["estimated"], before["found"] = ap
        say(f"{until - DAY}  {name:27}{two(psi):>6}  {two(ap[0]):>8}{two(ap[1]):>8}"
            f"{drift['alerts_per_day']['current'][0] or 0:9.0f}{version:7}")
        if weeks[-1]["alarm"] and not any(w["alarm"] for w in weeks[:-1]):
            say(drift["verdict"]["sentence"], "    ")
        say(said, "    ")
        if said.startswith("Promoted"):
            promotions.append((server.follows(), str(until)))
    for w, (new, _) in zip([w for w in weeks if "found" not in w and w["to"] < str(END - 8 * DAY)], promotions):
        # Its labels came when another version decided already. Both have scores for its rows.
        end = datetime.date.fromisoformat(w["to"]) + DAY
        registry("compare", w["version"], new, TABLE, SERVED, "--from", end - WEEK, "--until", end, "--output",
                 WORK / "week.json")
        w["found"] = json.loads((WORK / "week.json").read_text())["a"]["metrics"]["average_precision"]
    return weeks, promotions


def page(**data):
    """FOLDER/loop.html, one file: web/page.html with its parts."""
    web = {name.replace(".", "_"): (ROOT / "web" / name).read_text() for name in ("style.css", "page.js", "chart.js")}
    web |= {"name": "the loop", "body": (ROOT / "web/loop.html").read_text(), "data": json.dumps(data),
            "script": (ROOT / "web/loop.js").read_text(),
            "chart_min_js": pathlib.Path("/usr/share/javascript/chart.js/chart.min.js").read_text()}
    text = re.sub(r"(?s)\{\{\^data}}.*?\{\{/}}|\{\{#data}}|\{\{/}}", "", (ROOT / "web/page.html").read_text())
    (WORK / "loop.html").write_text(re.sub(r"\{\{(\w+)(:raw)?}}", lambda m: web[m[1]], text))


def flip(server, flips):
    """The served decision that differs most from version 1's, found by time and probability, as its sender knows it."""
    with DATA.open() as rows:
        times = {r["TRANSACTION_ID"]: r["TX_DATETIME"].replace(" ", "T") + "Z" for r in csv.DictReader(rows)}
    ids = {}
    for path in WORK.glob("served-*.csv"):
        with path.open() as rows:
            ids |= {(times[r["id"]], float(r["probability"])): r["id"] for r in csv.DictReader(rows)}
    x = next((x for x in flips if (x["time"], x["b"]) in ids), None)
    check(x, "a decision is another one than version 1's")
    d = server.ask(f"/decisions?id={ids[x['time'], x['b']]}")
    say(f"Transaction {d['id']}, {'a fraud' if x['fraud'] else 'genuine'}: version 1 gives {x['a']:.4f}; "
        f"version {d['model']} gave {d['probability']:.4f}: {d['decision']} (GET /decisions?id={d['id']}).")
    return d["model"]


def story():
    prepare("--shift", SHIFT)
    with Server() as server:
        began = datetime.datetime.now(datetime.timezone.utc).strftime("%FT%TZ")
        weeks, promotions = watch(server)
        page(weeks=weeks, shift=str(SHIFT), promotions=promotions)
        alarm = next((w["to"] for w in weeks if w["alarm"]), "")
        check(str(SHIFT) < alarm < str(SHIFT + 3 * WEEK), "an alarm comes within three weeks of the change, not before")
        worst = min((w for w in weeks if w.get("estimated")), key=lambda w: w["found"])
        check(worst["found"] < 0.4 < 0.6 < worst["estimated"], "AP falls below .4 and its estimate stays above .6")
        check(promotions and promotions[0][1] <= str(SHIFT + 7 * WEEK), "a version is promoted within seven weeks")
        new, since = [p for p in promotions if p[1] <= str(END - 2 * WEEK)][-1]
        registry("compare", "1", new, TABLE, SERVED, "--from", since, "--output", WORK / "after.json")
        after = json.loads((WORK / "after.json").read_text())
        ap, *_, alerts = after["differences"]
        say(f"\nFrom {since} to {END - 8 * DAY}, version 1 has AP {ap['a']:.2f} and {alerts['a']:.0f} alerts a day; "
            f"version {new} has {ap['b']:.2f} and {alerts['b']:.0f}.")
        check(ap["b"] >= max(LEAST_AP, 1.5 * ap["a"]), f"AP is at least {LEAST_AP} after the promotion")
        check(FEWEST <= alerts["b"] / BUDGET <= MOST, f"alerts a day are {FEWEST} to {MOST} times {BUDGET}")
        check(flip(server, after["flips"]["rows"]) == new, f"version {new} decided from then on")
        who = champion_at("--at", began)
        say(f"Who decided at {began}? Version {who}.")
        check(who == "1", "the ledger knows who decided before the promotion")
        registry("rollback", "--reason", "demo")
        back = server.follows()
        registry("promote", promotions[-1][0], "--reason", "demo")
        say(f"Rolled back to version {back} and forward to {server.follows()}: the server follows.\n{registry('verify')}")
        say(f"The weeks as a plot: {os.path.relpath(WORK / 'loop.html')}")
        if WIPE and sys.stdin.isatty():
            signal.alarm(0)
            input(f"The server still answers on {server.url}; Enter ends it. ")


def control():
    """No change, so nothing is due; a version that is asked for is as good as the champion, one of wrong labels worse."""
    prepare()
    with Server() as server:
        for since, until in ((0, 3), (3, 5), (5, 7)):
            server.replay(START + since * WEEK, START + until * WEEK)
            said, drift = retrain()
            say(said)
            check(not drift["verdict"]["drift"] and said.startswith("Not due"), "nothing is due without a change")
        said, _ = retrain("FORCE=1")
        say(said)
        check(said.startswith("Kept out version 2: No difference shown"), "a version as good as the champion is kept out")
        with DATA.open() as rows:
            trains = [r for r in csv.DictReader(rows) if str(START) <= r["TX_DATETIME"] < str(END - 22 * DAY)]
        wrong = [{"id": r["TRANSACTION_ID"], "label": 1 - int(r["TX_FRAUD"])}
                 for i, r in enumerate(trains) if i % 30 == 0 or r["TX_FRAUD"] == "1"]
        for i in range(0, len(wrong), 1000):
            server.ask("/feedback", wrong[i:i + 1000])
        said, _ = retrain("FORCE=1")
        say(f"After {len(wrong)} wrong labels: {said}")
        check(said.startswith("Kept out version 3: Worse"), "a version of wrong labels is refused")
        check(server.follows() == "1", "version 1 is still the champion")


def stop(number, _):
    sys.exit(f"demo: ended by {signal.Signals(number).name}" + f" after {LIMIT} s" * (number == signal.SIGALRM))


if __name__ == "__main__":
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.alarm(LIMIT)
    control() if CONTROL else story()
