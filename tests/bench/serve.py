"""How fast the server decides, beside bare CivetWeb and FastAPI, and whether its memory stays flat.

    make bench-serve                        builds what is needed, runs this, writes docs/benchmarks.md
    /usr/bin/python3 tests/bench/serve.py --help

from the project's folder. Needs the results of `make pipeline`, and of Debian what packages.txt beside
this file lists. Takes 3 minutes where the server decides 25000 times a second, 2 at 50000 and 5 at 12000:
the rounds last as long as they last, but memory is watched over a number of requests. The machine should
have nothing else to do; the page says how much it had.

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
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from serve_page import page

HERE = Path(__file__).resolve().parent
CONNECTIONS, THREADS, PEER_WORKERS = 32, 512, 2
ROUNDS, ROUND_SECONDS, WARM_SECONDS = 5, 5, 2
# Before memory is watched the windows must have filled: rings hold up to 128 events of a terminal, and
# those that the state had not seen get one in 9973 requests (predict.lua).
WARM_REQUESTS, WATCHED_REQUESTS, PIECE_REQUESTS = 1_800_000, 1_000_000, 100_000
OPEN_RATE, OPEN_SECONDS, VECTORS = 5000, 10, 1000
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
    if done.returncode != 0:
        fail(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


# ---- the machine ---------------------------------------------------------------------------------


def proc(path):
    """A file of /proc; empty where the process is gone."""
    try:
        return Path("/proc", str(path)).read_text(encoding="utf-8")
    except OSError:
        return ""


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
    """Processes that listen on one port."""

    running = []

    def __init__(self, name):
        self.name, self.said, self.port, self.processes = name, "", None, []
        Server.running.append(self)

    def start(self, command, **how):
        """One process more."""
        self.processes.append(subprocess.Popen([str(c) for c in command], **how))

    def start_and_ask(self, command):
        """Its only process, whose first line on stdout names the port."""
        self.start(command, stdout=subprocess.PIPE, text=True)
        said = self.processes[0].stdout
        self.said = said.readline() if select.select([said], [], [], 60)[0] else ""
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.said)
        if not found:
            fail(f"{self.name} did not start: {self.said!r}")
        self.port = int(found[1])
        return self

    @property
    def url(self):
        """Where requests go."""
        return f"http://127.0.0.1:{self.port}/predict"

    @property
    def pids(self):
        """Of its processes."""
        return [p.pid for p in self.processes]

    @property
    def runs(self):
        """Whether all of its processes do."""
        return all(p.poll() is None for p in self.processes)

    def stop(self):
        """Ends it with SIGTERM, or SIGKILL after ten seconds."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        Server.running.remove(self)

    @classmethod
    def stop_all(cls):
        """Ends all that were started, the last first."""
        while cls.running:
            cls.running[-1].stop()


def start_ours(o):
    """Our server, with a database of its own."""
    command = [o.bin / "serve", "--models", o.models, "--state", o.features / "state.bin", "--port", 0,
               "--threads", THREADS, "--database", o.work / "assay.db"]
    return Server("assay").start_and_ask(command)


def start_bare(o, size):
    """CivetWeb with an answer of that many bytes."""
    return Server("bare").start_and_ask([o.bare, THREADS, size])


def start_peer(o, body):
    """FastAPI in as many processes as cores, one thread for BLAS in each.

    Each has a socket of its own on one port, between which the kernel deals the connections out. Under
    uvicorn's --workers, which share a socket, mostly one process took all 32 and the other had nothing
    to do.
    """
    server, sockets = Server("fastapi"), []
    environment = os.environ | {
        "PEER_MODEL": str(o.models / "champion/model.json"), "PEER_FEATURES": str(o.features),
        "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    for _ in range(PEER_WORKERS):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(("127.0.0.1", server.port or 0))
        s.listen(128)
        server.port = s.getsockname()[1]
        sockets.append(s)
        server.start([sys.executable, "-m", "uvicorn", "--app-dir", HERE, "--fd", s.fileno(), "--loop",
                      "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
                      "peer:app"], env=environment, pass_fds=[s.fileno()])
    for s in sockets:
        s.close()  # the processes have theirs
    for _ in range(16):  # one connection would tell of one process only
        answer_size(server, body)
    return server


# ---- requests ------------------------------------------------------------------------------------


def utc(seconds):
    """A time since 1970 as a date."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


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
        if wrong or not result["answered"] or not self.server.runs:
            fail(f"{self.server.name}: of {result['answered']} answers these are wrong: {wrong}; the slowest "
                 f"took {result['max'] / 1e3:.0f} ms")


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
    pid, rate, rows = load.server.pids[0], 20_000.0, []
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


def write_transactions(path, first, start, count):
    """A CSV like that of `simulate`, of transactions that follow number first of predict.lua."""
    with path.open("w", encoding="utf-8") as f:
        f.write("TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_FRAUD\n")
        for n in range(first, first + count):
            f.write(f"R{n},{utc(start + 10 * n):%Y-%m-%d %H:%M:%S},{n * 1913 % 5000},{n * 4789 % 9973},"
                    f"{n * 7919 % 14983 / 100:.2f},0\n")


def open_loop(o, load, rate):
    """{"rate", "p50", "p90", "p99", "p99.9", "max"} at a steady rate, as replay prints them in
    milliseconds."""
    replay, data = o.bin / "replay", o.work / "open.csv"
    say(f"{rate} a second for {OPEN_SECONDS} s by replay")
    write_transactions(data, load.first, load.source, rate * OPEN_SECONDS)
    said = output_of(replay, "--config", "datasets/simulated.ini", "--url", load.server.url[:-8],
                     "--connections", CONNECTIONS, "--rate", rate, "--batch", 1, data)
    found = dict(re.findall(r"\b(p50|p90|p99|p99\.9|max)[ \"=:]+([\d.]+ ?[mu\u00b5]?s?)(?= |$|,|\))", said,
                            re.M))
    if len(found) != 5:
        fail(f"replay does not say p50, p90, p99, p99.9 and max:\n{said}")
    return found | {"rate": rate}


# ---- what the page says beside ---------------------------------------------------------------------


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


def setup(o, ours, size):
    """What serve_page.py needs to know of the run."""
    processor = re.search(r"^model name\s*: (.*)", proc("cpuinfo"), re.M)
    return {"processor": processor[1] if processor else platform.machine(), "cores": os.cpu_count(),
            "kernel": platform.release(), "versions": versions(o.bin / "serve"),
            "state": re.search(r"state of [^,]*", ours.said)[0].strip(), "bytes": size,
            "rounds": o.rounds, "seconds": o.seconds, "connections": CONNECTIONS, "threads": THREADS,
            "workers": PEER_WORKERS, "open_seconds": OPEN_SECONDS}


# ---- the run -------------------------------------------------------------------------------------


def measure(o):
    """Starts the servers, measures, and returns the page."""
    ours = start_ours(o)
    start = newest_time(ours)
    first = {"id": "B", "time": f"{utc(start):%Y-%m-%dT%H:%M:%SZ}", "customer": "1", "terminal": "1",
             "amount": 57.16}
    size = answer_size(ours, json.dumps(first))
    vectors = o.work / "vectors.txt"
    inputs = write_vectors(o, vectors)
    bare = start_bare(o, size)
    peer = start_peer(o, vectors.read_text(encoding="utf-8").partition("\n")[0])
    load = Load(ours, start + 10)
    results = run_rounds(o, [Load(bare, start + 10), load, Load(peer, vectors)])
    bare.stop()
    peer.stop()
    rows = watch_memory(o, load)
    peak = memory(ours.pids[0], "VmHWM")
    opened = open_loop(o, load, OPEN_RATE)
    return page(setup(o, ours, size) | {"inputs": inputs, "peak": peak}, results, rows, opened)


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
