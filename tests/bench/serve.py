"""How fast the server decides, beside bare CivetWeb and FastAPI, and whether its memory stays flat.

    make bench-serve                        builds what is needed, runs this, writes docs/benchmarks.md
    /usr/bin/python3 tests/bench/serve.py --help

from the project's folder. Needs the results of `make pipeline`, and of Debian what packages.txt beside
this file lists. Takes about three minutes; at a tenth of the speed at most two more, since memory is
watched over a million requests however long they take. The machine should have nothing else to do: the
page says how much it had.

Three servers are started on free ports of 127.0.0.1, kept for the whole run, and ended by pid:

    a  bare      tests/bench/bare.c: CivetWeb with our settings, a constant answer of our answer's size
    b  assay     build/bin/serve: new transactions, with state, database and metrics
    c  fastapi   tests/bench/peer.py: scikit-learn under uvicorn, ready vectors, neither state nor database

wrk loads them in turns (a b c a b c ...) with the requests of predict.lua. Then b alone answers a million
more while its memory is read, and last it gets transactions at a steady rate from build/bin/replay.
Every answer must be a good one: any other status, error or lost request ends the run.

Exit status: 0 the page is written; 1 something failed; 2 the command line was wrong.
"""
import argparse
import array
import datetime
import json
import os
import platform
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONNECTIONS, THREADS, PEER_WORKERS = 32, 512, 2
ROUNDS, ROUND_SECONDS, WARM_SECONDS = 5, 5, 2
# Before memory is watched the windows must have filled: the longest reaches back 58 days, and a request
# is 10 seconds (predict.lua).
WARM_REQUESTS, WATCHED_REQUESTS, PIECE_REQUESTS = 600_000, 1_000_000, 100_000
OPEN_SECONDS, RETAIN_DAYS, VECTORS = 10, 40, 1000
TICK = os.sysconf("SC_CLK_TCK")


def say(text):
    """Progress, to stderr."""
    print(text, file=sys.stderr, flush=True)


def fail(text):
    """Ends the run with exit status 1."""
    sys.exit(f"bench-serve: {text}")


def output_of(*command):
    """What a command prints."""
    command = [str(c) for c in command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as e:
        fail(f"{command[0]} did not run: {e}")
    return done.stdout + done.stderr


# ---- the machine ---------------------------------------------------------------------------------


def proc(path):
    """A file of /proc; empty where the process is gone."""
    try:
        return Path("/proc", str(path)).read_text(encoding="utf-8")
    except OSError:
        return ""


def family(pid):
    """A process and its children."""
    return [pid, *(int(p) for p in proc(f"{pid}/task/{pid}/children").split())]


def cpu_seconds(pids):
    """User and system time of processes."""
    stats = [proc(f"{p}/stat").rpartition(")")[2].split() for p in pids]
    return sum((int(s[11]) + int(s[12])) / TICK for s in stats if s)


def busy_seconds():
    """Time in which any core had something to do, or was taken away by the host."""
    user, nice, system, _, _, irq, softirq, steal = map(int, proc("stat").split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def memory(pid, name):
    """VmRSS or VmHWM in MiB."""
    return int(re.search(rf"^{name}:\s+(\d+) kB", proc(f"{pid}/status"), re.M)[1]) / 1024


# ---- servers -------------------------------------------------------------------------------------


class Server:
    """A process that listens on a port."""

    running = []

    def __init__(self, name, command, environment=None):
        self.name, self.said, self.port = name, "", None
        self.process = subprocess.Popen(
            [str(c) for c in command], stdout=subprocess.PIPE, text=True,
            env=os.environ | (environment or {}))
        Server.running.append(self)

    def read_port(self):
        """Waits for the line on stdout that names the port."""
        self.said = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.said)
        if not found:
            fail(f"{self.name} did not start: {self.said!r}")
        self.port = int(found[1])
        return self

    def wait_for_port(self, port, seconds):
        """Waits until something listens there."""
        self.port, end = port, time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return self
            except OSError:
                time.sleep(0.1)
        return fail(f"{self.name} does not listen on port {port}")

    @property
    def url(self):
        """Where requests go."""
        return f"http://127.0.0.1:{self.port}/predict"

    @property
    def pids(self):
        """Itself and its workers."""
        return family(self.process.pid)

    def stop(self):
        """Ends it with SIGTERM, and kills what is left after ten seconds."""
        pids = self.pids
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            for pid in pids:
                if Path(f"/proc/{pid}").exists():
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()

    @classmethod
    def stop_all(cls):
        """Ends all that were started, the last first."""
        while cls.running:
            cls.running.pop().stop()


def free_port():
    """A port that nothing listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_ours(o):
    """Our server, with a database of its own where it has one."""
    serve, known = o.bin / "serve", output_of(o.bin / "serve", "--help")
    command = [serve, "--models", o.models, "--state", o.features / "state.bin", "--port", 0,
               "--threads", THREADS]
    if "--database" in known:
        command += ["--database", o.work / "assay.db"]
    if "--retain" in known:
        command += ["--retain", RETAIN_DAYS]
    return Server("assay", command).read_port()


def start_bare(o, size):
    """CivetWeb with an answer of that many bytes."""
    return Server("bare", [o.bare, THREADS, size]).read_port()


def start_peer(o):
    """FastAPI; one thread for BLAS, since the workers are as many as the cores."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--app-dir", HERE, "--host", "127.0.0.1", "--port",
               port, "--workers", PEER_WORKERS, "--loop", "uvloop", "--http", "httptools",
               "--no-access-log", "--log-level", "warning", "peer:app"]
    return Server("fastapi", command, {
        "PEER_MODEL": str(o.models / "champion/model.json"), "PEER_FEATURES": str(o.features),
        "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}).wait_for_port(port, 60)


# ---- requests ------------------------------------------------------------------------------------


def newest_time(ours):
    """Of the events in our server's state, from the line it prints, in seconds since 1970."""
    text = re.search(r"up to (\S+Z)", ours.said)
    return int(datetime.datetime.fromisoformat(text[1].replace("Z", "+00:00")).timestamp())


def answer_size(server, body):
    """Bytes of an answer with its head, which must be 200, as they come from the socket."""
    head = (f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Type: application/json"
            f"\r\nContent-Length: {len(body)}\r\n\r\n")
    got = b""
    with socket.create_connection(("127.0.0.1", server.port), 30) as s:
        s.sendall((head + body).encode())
        while not (m := re.search(rb"(?i)content-length: (\d+).*?\r\n\r\n", got, re.S)) or \
                len(got) < m.end() + int(m[1]):
            piece = s.recv(65536)
            if not piece:
                break
            got += piece
    if not got.startswith(b"HTTP/1.1 200 "):
        fail(f"{server.name} answers {got[:500]!r}")
    return len(got)


def column(path, last):
    """The last values of a column of float32 (NumPy's .npy, format 1.0)."""
    with path.open("rb") as f:
        start = f.read(10)
        kind = f.read(int.from_bytes(start[8:], "little"))
        if start[:8] != b"\x93NUMPY\x01\x00" or b"'<f4'" not in kind:
            fail(f"{path} is no column of float32")
        f.seek(-4 * last, os.SEEK_END)
        return array.array("f", f.read())


def write_vectors(o, path):
    """Bodies for the peer from the newest rows of the feature table, one a line; how many inputs."""
    model = json.loads((o.models / "champion/model.json").read_text(encoding="utf-8"))
    columns = [column(o.features / f"{i['name']}.npy", VECTORS) for i in model["inputs"]]
    with path.open("w", encoding="utf-8") as f:
        for row in zip(*columns):
            f.write('{"features":[%s]}\n' % ",".join(f"{x:.9g}" for x in row))
    return len(columns)


class Load:
    """What wrk sends to a server, and how far it has come: no number is sent twice."""

    def __init__(self, server, source):
        self.server, self.source, self.first = server, source, 0

    def run(self, seconds):
        """Full load for some seconds: what predict.lua reports, and who used how much of the cores."""
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s",
                   HERE / "predict.lua", self.server.url, "--", self.first, self.source]
        pids, start = self.server.pids, time.monotonic()
        served, busy = cpu_seconds(pids), busy_seconds()
        wrk = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = output_of(*command)
        seconds_passed = time.monotonic() - start
        busy, served = busy_seconds() - busy, cpu_seconds(pids) - served
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - wrk.ru_utime - wrk.ru_stime
        report = re.search(r"^\{.*\}$", said, re.M)
        if not report:
            fail(f"wrk does not report on {self.server.name}:\n{said}")
        result = json.loads(report[0])
        self.check(result)
        self.first += result["sent"]
        result |= {"rate": result["answered"] / result["seconds"],
                   "cores": served / seconds_passed, "wrk": used / seconds_passed,
                   "others": max(0.0, busy - served - used) / seconds_passed}
        return result

    def check(self, result):
        """Every request answered, with 200."""
        wrong = {k: result[k] for k in ("status", "connect", "read", "write", "timeout") if result[k]}
        # wrk makes one request to see whether it parses, and ends with one on each connection under way.
        lost = result["sent"] - result["answered"] - CONNECTIONS - 1
        if lost > 0:
            wrong["lost"] = lost
        if wrong or not result["answered"] or self.server.process.poll() is not None:
            fail(f"{self.server.name}: of {result['answered']} answers these are wrong: {wrong}")


# ---- measurements --------------------------------------------------------------------------------


def run_rounds(o, loads):
    """{name: [result of each round]}."""
    for load in loads:
        say(f"warm up {load.server.name}")
        load.run(WARM_SECONDS)
    results = {load.server.name: [] for load in loads}
    for r in range(o.rounds):
        for load in loads:
            result = load.run(o.seconds)
            results[load.server.name].append(result)
            say(f"round {r + 1} {load.server.name:8} {result['rate']:9.0f} a second, "
                f"p99 {result['p99'] / 1e3:.2f} ms, wrk {result['wrk']:.2f} cores, "
                f"others {result['others']:.2f}")
    return results


def file_mib(*paths):
    """Sizes of the files that exist."""
    return sum(p.stat().st_size for p in paths if p.exists()) / 2**20


def watch_memory(o, load):
    """[(requests since the start, RSS in MiB, database in MiB)], from the warm-up's end on."""
    pid, rate, rows = load.server.process.pid, 20_000.0, []
    database = [o.work / f"assay.db{end}" for end in ("", "-wal")]
    end = None
    while end is None or load.first < end:
        if load.first >= WARM_REQUESTS:
            end = end or load.first + o.requests
            rows.append((load.first, memory(pid, "VmRSS"), file_mib(*database)))
            say(f"{rows[-1][0]:9} requests, resident {rows[-1][1]:.1f} MiB")
        rate = load.run(max(1, round(PIECE_REQUESTS / rate)))["rate"]
    rows.append((load.first, memory(pid, "VmRSS"), file_mib(*database)))
    return rows


def slope(points):
    """Of the line of least squares through (x, y)."""
    x, y = zip(*points)
    mean = statistics.fmean(x)
    return (sum((a - mean) * (b - statistics.fmean(y)) for a, b in points) /
            sum((a - mean)**2 for a in x))


def write_transactions(path, first, start, count):
    """A CSV like that of `simulate`, of transactions that follow number first of predict.lua."""
    with path.open("w", encoding="utf-8") as f:
        f.write("TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_FRAUD\n")
        for n in range(first, first + count):
            when = datetime.datetime.fromtimestamp(start + 10 * n, datetime.timezone.utc)
            f.write(f"R{n},{when:%Y-%m-%d %H:%M:%S},{n * 1913 % 5000},{n * 4789 % 9973},"
                    f"{n * 7919 % 14983 / 100:.2f},0\n")


def open_loop(o, load, rate):
    """{"rate", "p50", "p90", "p99", "p99.9", "max"} at a steady rate, as replay prints them; None
    where there is no such program yet."""
    replay, data = o.bin / "replay", o.work / "open.csv"
    if not replay.exists():
        return None
    say(f"{rate} a second for {OPEN_SECONDS} s by replay")
    write_transactions(data, load.first, load.source, rate * OPEN_SECONDS)
    said = output_of(replay, "--config", "datasets/simulated.ini", "--port", load.server.port,
                     "--connections", CONNECTIONS, "--rate", rate, "--batch", 1, data)
    found = dict(re.findall(r"\b(p50|p90|p99|p99\.9|max)[ =:]+([\d.]+ ?[mu\u00b5]?s?)(?= |$|,|\))", said,
                            re.M))
    if len(found) != 5:
        fail(f"replay does not say p50, p90, p99, p99.9 and max:\n{said}")
    return found | {"rate": rate}


# ---- the page ------------------------------------------------------------------------------------


def markdown(head, rows):
    """An aligned table; the first column left, the others right."""
    width = [max(map(len, c)) for c in zip(head, *rows)]
    rule = ["-" * (w - (i > 0)) + (":" if i else "") for i, w in enumerate(width)]
    cells = [[c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(row, width))]
             for row in (head, rule, *rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def spread(values, form):
    """Median, and from the least to the largest."""
    middle, least, most = (form.format(f(values)) for f in (statistics.median, min, max))
    return f"{middle} ({least} to {most})"


def versions(ours):
    """(what, version) of all that takes part."""
    peer = output_of(sys.executable, "-c", "import fastapi, uvicorn, uvloop, sklearn, numpy, pydantic\n"
                     "print(fastapi.__version__, uvicorn.__version__, uvloop.__version__,"
                     " pydantic.VERSION, sklearn.__version__, numpy.__version__)").split()
    package = "${Version}"
    civetweb, wrk, sqlite = (output_of("dpkg-query", "-W", "-f", package, p)
                             for p in ("libcivetweb1", "wrk", "libsqlite3-0"))
    return [("serve", output_of(ours, "--version").split()[-1]), ("CivetWeb", civetweb),
            ("SQLite", sqlite), ("wrk", wrk), ("Python", platform.python_version()),
            *zip(("FastAPI", "uvicorn", "uvloop", "pydantic", "scikit-learn", "numpy"), peer)]


def processor():
    """The processor's name."""
    found = re.search(r"^model name\s*: (.*)", proc("cpuinfo"), re.M)
    return found[1] if found else platform.machine()


def speed_table(results):
    """A row for each server: medians over the rounds."""
    names = {"bare": "a  bare CivetWeb, constant", "assay": "b  assay, /predict",
             "fastapi": "c  FastAPI, scikit-learn"}
    middle = {s: {k: statistics.median(r[k] for r in rounds) for k in rounds[0]}
              for s, rounds in results.items()}
    return markdown(
        ["", "requests a second (least to most)", "p50 ms", "p90 ms", "p99 ms", "cores", "wrk's cores"],
        [[names[s], spread([r["rate"] for r in rounds], "{:.0f}"),
          *(f"{middle[s][p] / 1e3:.3f}" for p in ("p50", "p90", "p99")),
          f"{middle[s]['cores']:.2f}", f"{middle[s]['wrk']:.2f}"] for s, rounds in results.items()])


def ratios(results, other):
    """Our rate over another's, round by round."""
    return spread([b["rate"] / x["rate"] for b, x in zip(results["assay"], results[other])], "{:.2f}")


def memory_section(rows, peak):
    """The table over time, and growth by the million."""
    growth = slope([(n / 1e6, rss) for n, rss, _ in rows])
    table = markdown(["requests", "resident MiB", "database MiB"],
                     [[f"{n}", f"{rss:.1f}", f"{db:.1f}"] for n, rss, db in rows])
    return f"""After {rows[0][0]} requests, when the windows have filled, {rows[-1][0] - rows[0][0]} more at full
load. Resident memory grew by {rows[-1][1] - rows[0][1]:+.1f} MiB from the first line to the last; by a line of
least squares through all, **{growth:+.2f} MiB per million requests**. The peak was {peak:.1f} MiB.

{table}"""


def open_section(figures, most):
    """The steady rate."""
    if not figures:
        return ""
    table = markdown(["p50", "p90", "p99", "p99.9", "max"],
                     [[figures[p] for p in ("p50", "p90", "p99", "p99.9", "max")]])
    return f"""
## At a steady rate

{figures["rate"]} transactions a second, half of the {most:.0f} of full load, for {OPEN_SECONDS} seconds, sent when they are due
whether or not those before them were answered (`build/bin/replay --rate`); the time counts from when
they were due. So a stall of the server shows in every transaction that had to wait for its end.

{table}
"""


def page(o, ours, results, rows, peak, opened, size):
    """docs/benchmarks.md."""
    what = ", ".join(f"{name} {version}" for name, version in versions(o.bin / "serve"))
    others = statistics.median(r["others"] for rounds in results.values() for r in rounds)
    most = statistics.median(r["rate"] for r in results["assay"])
    state = re.search(r"state of .*", ours.said)[0].strip()
    return f"""# Benchmarks

`make bench-serve` measures all of this anew, in one run on one machine, and writes this page.

Made on {datetime.date.today()} on {os.cpu_count()} cores of {processor()}, Linux {platform.release()};
{what}.
All else that ran on the machine used {others:.2f} cores meanwhile.

## Full load

{CONNECTIONS} connections that are kept alive; wrk sends the next request on each when the last is answered.
{o.rounds} rounds of {o.seconds} seconds in turns, a b c a b c, after a warm-up. Medians over the rounds.

{speed_table(results)}

b / a is **{ratios(results, "bare")}**: what is left of the HTTP library's speed when each request is
parsed, checked, counted in the windows of its customer and terminal, scored, explained, and kept.
b / c is **{ratios(results, "fastapi")}**. Both are medians of the rounds' ratios, with the least and the most.

How to read it:

- *a* answers {size} bytes, as many as *b* did to its first request, from memory, under the settings of *b*
  ({THREADS} threads), and reads the same transactions without looking at them.
- *b* gets a new transaction each time, 10 seconds after the one before, of a customer and a terminal
  that change; it began with the {state}.
- *c* has {PEER_WORKERS} uvicorn workers with uvloop and httptools. It gets the {o.inputs} features ready and answers
  probability and decision: no state, no database, no reasons. It is there because it is how a model
  is often served, not because it does the same work: it does less.
- *cores* is the processor time of the server, *wrk's cores* that of wrk, for each second that passed.
  Client and server share the {os.cpu_count()} cores, so all three would be faster with a client elsewhere, *a* most.
- wrk's loop is closed: a connection that waits sends nothing, so while the server stalls no request
  is there to be late, and the percentiles look better than what clients would see who come when they
  please. A stall shows in them as one slow answer for each connection.
{open_section(opened, most)}
## Memory

{memory_section(rows, peak)}
"""


# ---- the run -------------------------------------------------------------------------------------


def measure(o):
    """Starts the servers, measures, and returns the page."""
    ours = start_ours(o)
    newest = newest_time(ours)
    size = answer_size(ours, json.dumps({
        "id": "B", "time": datetime.datetime.fromtimestamp(newest, datetime.timezone.utc).strftime(
            "%Y-%m-%dT%H:%M:%SZ"), "customer": "1", "terminal": "1", "amount": 57.16}))
    vectors = o.work / "vectors.txt"
    o.inputs = write_vectors(o, vectors)
    bare, peer = start_bare(o, size), start_peer(o)
    answer_size(peer, vectors.read_text(encoding="utf-8").partition("\n")[0])
    load = Load(ours, newest + 10)
    results = run_rounds(o, [Load(bare, newest + 10), load, Load(peer, vectors)])
    bare.stop()
    peer.stop()
    rows = watch_memory(o, load)
    peak = memory(ours.process.pid, "VmHWM")
    rate = round(statistics.median(r["rate"] for r in results["assay"]) / 2)
    opened = open_loop(o, load, rate)
    return page(o, ours, results, rows, peak, opened, size)


def parse_options():
    """The command line."""
    options = argparse.ArgumentParser(description="Measure the server beside CivetWeb and FastAPI.",
                                      formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    paths = {"bin": ("build/bin", "our programs"), "bare": ("build/tests/bench/bare", "bare.c"),
             "models": ("models/simulated", "registry"),
             "features": ("build/simulated/features", "feature table and state"),
             "work": ("build/bench", "scratch folder, emptied first"),
             "output": ("docs/benchmarks.md", "the page")}
    for name, (path, text) in paths.items():
        options.add_argument(f"--{name}", type=Path, default=Path(path), help=text)
    for name, number, text in (("rounds", ROUNDS, "rounds"), ("seconds", ROUND_SECONDS, "of each round"),
                               ("requests", WATCHED_REQUESTS, "while memory is watched")):
        options.add_argument(f"--{name}", type=int, default=number, help=text)
    return options.parse_args()


def main():
    """Runs all, writes and prints the page."""
    o = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench-serve: ended by SIGTERM"))
    shutil.rmtree(o.work, ignore_errors=True)
    o.work.mkdir(parents=True)
    try:
        text = measure(o)
    finally:
        Server.stop_all()
    temporary = o.output.with_name(o.output.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, o.output)
    print(text, end="")


if __name__ == "__main__":
    main()
