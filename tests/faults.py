"""Injects faults into the programs that change artifacts: with strace an error, and a kill, at each system
call that touches a file, and with a preloaded malloc (faults.c) a failure of some allocations.

After each fault: either nothing changed, or everything as without the fault; the exit status is 0 or 1, and
with 1 there is one message; link and ledger agree. After a kill each artifact is the old or the new one.
Then the same command without a fault succeeds and leaves nothing behind but the new artifacts.

    faults.py BIN [EVERY]     EVERY: only each so many-th point
"""

import collections
import concurrent.futures
import hashlib
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BIN = pathlib.Path(sys.argv[1]).resolve()
EVERY = int(sys.argv[2]) if len(sys.argv) > 2 else 1
TESTS = pathlib.Path(__file__).resolve().parent
SANITIZED = b"__asan_init" in (BIN / "ingest").read_bytes()
NO_SPACE = "write pwrite64 mkdir symlinkat".split()
CALLS = NO_SPACE + """openat read fsync getdents64 rename renameat renameat2 unlink unlinkat rmdir link linkat
    ftruncate truncate flock""".split()
READS = 12       # a manifest is read byte by byte: so many of a command's reads
ALLOCATIONS = 40  # of a command's
KILL = -9
ENVIRONMENT = {"PATH": os.environ["PATH"], "OPENBLAS_NUM_THREADS": "1",
               "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1"}
NOTES = re.compile(r"ingest: .*: 1 of .* rows .* break the schema.*|.*: a crash had left half a change; it is taken back")


def run(folder, command, *wrapper, **more):
    """Exit status (negative: the signal), stdout, and the lines on stderr that are no notes."""
    program, *arguments = command
    done = subprocess.run([*wrapper, BIN / program, *arguments], cwd=folder, env=ENVIRONMENT | more,
                          capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, [x for x in done.stderr.splitlines() if not NOTES.fullmatch(x)]


def must(folder, *commands):
    for command in commands:
        status, _, errors = run(folder, command.split())
        if status:
            raise RuntimeError(f"{command}: {errors}")


def ledger(path):
    return tuple((line["action"], line["version"]) for line in map(json.loads, path.read_text().splitlines()))


def state(folder):
    """The artifacts by name, each as a value that can be compared, and the names of what else there is."""
    artifacts, others = collections.defaultdict(dict), []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if re.search(r"\.tmp|key\.", str(name)):
            others.append(str(name))
        elif path.is_symlink():
            artifacts[str(name)] = os.readlink(path)
        elif path.name == "ledger.jsonl":
            artifacts[str(name)] = ledger(path) or {}
        elif path.is_file():
            artifact = "/".join(name.parts[:2 if name.parts[0] == "models" else 1])
            artifacts[artifact][str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return {name: value for name, value in artifacts.items() if value}, others


def differences(expected, found):
    """The names of the files that differ."""
    files = [{(k, str(v)) for name, x in a.items() for k, v in (x.items() if isinstance(x, dict) else [(name, x)])}
             for a in (expected, found)]
    return sorted({k for k, _ in files[0] ^ files[1]})


class Case:
    """A command, the folder that it is run in, and what the folder is afterwards."""

    def __init__(self, base, name, command, *before, again=True):
        self.name, self.command, self.again = name, command.split(), again
        self.before, after = base / f"{name}.before", base / f"{name}.after"
        shutil.copytree(base / "base", self.before, symlinks=True)
        for step in before:
            if step.startswith("rm "):
                subprocess.run(["rm", "-r", *step.split()[1:]], cwd=self.before, check=True)
            else:
                must(self.before, step)
        shutil.copytree(self.before, after, symlinks=True)
        self.old = state(self.before)[0]
        must(after, command)
        self.new = state(after)[0]
        self.between = []  # a training may be recorded and its promotion fail
        if self.command[0] == "train":
            recorded = dict(self.new)
            recorded["models/ledger.jsonl"] = self.new["models/ledger.jsonl"][:-1]
            recorded.pop("models/champion")
            if "models/champion" in self.old:
                recorded["models/champion"] = self.old["models/champion"]
            self.between = [recorded]
        if self.command[0] == "monitor":  # each of its files is whole, drift.json the last
            written = [x for x in ("drift.prom", "drift.html") if x in self.new]
            self.between = [self.old | {x: self.new[x] for x in written[:n]} for n in (1, 2)]
        self.key = self.new["key"] != self.old.get("key")  # random: the table's bytes, too

    def points(self, base):
        """(call, number) of each call of the command that concerns its files."""
        work, log = base / f"{self.name}.trace", base / f"{self.name}.log"
        shutil.copytree(self.before, work, symlinks=True)
        status, _, errors = run(work, self.command, "strace", "-f", "-y", "-qq", "-o", log, "-e",
                                "trace=" + ",".join(CALLS))
        if status:
            print(f"strace cannot trace here: {errors}")
            sys.exit(77)
        seen, found, begun = collections.Counter(), collections.defaultdict(set), False
        for line in log.read_text().splitlines():
            thread, call, arguments = re.fullmatch(r"(\d+) +(?:(\w+)\()?(.*)", line).groups()
            if not call:
                continue
            seen[thread, call] += 1
            ours = not re.search(r'[<"]/(usr|lib|etc|proc|sys|dev/urandom)\b', arguments)
            begun = begun or (ours and call == "openat")
            if begun and ours:
                found[call].add(seen[thread, call])
        for call, numbers in found.items():
            numbers = sorted(numbers)
            if call == "read" and len(numbers) > READS:
                numbers = numbers[::len(numbers) // READS]
            for number in numbers:
                yield call, number

    def allocations(self, base, library):
        """The numbers of some allocations, among them the last ones."""
        work, count = base / f"{self.name}.count", base / f"{self.name}.allocations"
        shutil.copytree(self.before, work, symlinks=True)
        run(work, self.command, LD_PRELOAD=str(library), COUNT=str(count))
        n = int(count.read_text())
        return sorted({*range(1, n, max(1, n // (ALLOCATIONS // 2))), *range(max(1, n - ALLOCATIONS // 2), n + 1)})

    def check(self, what, status, errors, found):
        """What is wrong after a fault; nothing if it is as it should be."""
        if " at write " in what and not errors:  # of another thread, the message's too
            errors = [f"{self.command[0]}: not seen"]
        if self.key:  # which is random
            found = {k: v for k, v in found.items() if k not in ("key", "table")}
            old, new = ({k: v for k, v in x.items() if k not in ("key", "table")} for x in (self.old, self.new))
        else:
            old, new = self.old, self.new
        if status == 0 and found != new:
            return "exit status 0, but not the new artifacts"
        if status == 1 and (len(errors) != 1 or not re.match(rf"{self.command[0]}: .|out of memory", errors[0])):
            return "not one message"
        if status == 1 and found not in (old, new, *self.between):
            return "neither the old artifacts nor the new ones"
        for name in {*found, *old, *new}:
            if found.get(name) not in [x.get(name) for x in (old, new, *self.between)]:
                return f"{name} is neither the old nor the new one"
        return None if status in (0, 1, KILL) else f"exit status {status}"

    def check_secret(self, folder):
        key = folder / "key"
        for path in folder.rglob("*"):
            if path.is_file() and path != key and key.exists() and key.read_bytes() in path.read_bytes():
                return f"{path.name} has a copy of the secret key"
        return None

    def after(self, work, found):
        """The same command without a fault."""
        if self.again or found != self.new:
            status, _, errors = run(work, self.command)
            if status or errors:
                return f"the second run: exit status {status}"
        found, others = state(work)
        drop = {"models/ledger.jsonl"} | ({"key", "table"} if self.key else set())
        if others or any(found.get(k) != self.new.get(k) for k in {*found, *self.new} - drop):
            return f"after the second run: {others} or other artifacts"
        if "models/champion" in found:
            rows = run(work, ["registry", "--models", "models", "list"])[1].splitlines()
            who = next(row.split()[0] for row in rows if "  champion  " in row)
            if who != found["models/champion"]:
                return f"after the second run: the ledger's champion is {who}"
        return None

    def inject(self, base, number, what, wrapper, more):
        work = base / f"{self.name}.{number}"
        shutil.copytree(self.before, work, symlinks=True)
        status, _, errors = run(work, self.command, *wrapper, **more)
        found = state(work)[0]
        why = self.check(what, status, errors, found) or self.check_secret(work) or self.after(work, found)
        if why:
            print(f"{self.name}, {what}: {why}\n  {status} {errors}", *differences(self.old, found), "|",
                  *differences(self.new, found), flush=True)
        shutil.rmtree(work)
        return why is None

    def faults(self, base, library):
        for call, number in self.points(base):
            error = "ENOSPC" if call in NO_SPACE else "EIO"
            for effect in f"error={error}", "signal=KILL":
                yield (f"{effect} at {call} {number}", ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null",
                       "-e", f"trace={call}", "-e", f"inject={call}:{effect}:when={number}"], {})
        for number in [] if SANITIZED else self.allocations(base, library):
            yield f"no memory at allocation {number}", [], {"LD_PRELOAD": str(library), "FAIL": str(number)}


def make_base(base):
    folder = base / "base"
    folder.mkdir()
    (folder.parent / "input").mkdir()
    sample = (TESTS.parent / "datasets/sample.csv").read_text().splitlines()
    text = (TESTS.parent / "datasets/sample.ini").read_text()
    text = re.sub(r"(?m)^(weekend|customer_(count|mean_1|mean_3)|terminal_(count|risk_[13])).*\n", "", text)
    for name, rows in ("old", sample[:-9]), ("new", sample):
        rows = [*rows, rows[-1].replace(".", ".x")]
        (base / f"input/{name}.csv").write_text("\n".join(rows) + "\n")
        (base / f"input/{name}.ini").write_text(re.sub("l2 = .*", f"l2 = {1e-2 if name == 'new' else 1e-3}", text)
                                                + "[retrain]\ntrain = 14d\n")
    return folder


def ingest(which):
    return f"ingest --config ../input/old.ini --key key --output table ../input/{which}.csv"


FEATURES = "features --config ../input/old.ini --threads 1 --output features table"
REGISTRY = "registry --models models "


MONITOR = "monitor --config ../input/old.ini --threads 1 --models models --output drift.json features"


def train(which):
    return f"train --config ../input/{which}.ini --threads 1 --promote --output models features"


def cases(base):
    must(make_base(base), ingest("old"), FEATURES, train("old"))
    yield Case(base, "ingest", ingest("new"), "rm features models")
    yield Case(base, "first-ingest", ingest("new"), "rm features models key table rejects.csv")
    yield Case(base, "features", FEATURES, ingest("new"), "rm models")
    yield Case(base, "train", train("new"), "rm table")
    yield Case(base, "first-train", train("new"), "rm table models")
    yield Case(base, "promote", REGISTRY + "promote 1", train("new"), "rm table features")
    yield Case(base, "monitor", MONITOR, "rm table rejects.csv")
    yield Case(base, "retrain", "train --config ../input/old.ini --threads 1 --retrain drift.json --force --output models "
               "features", MONITOR, "rm table")
    yield Case(base, "simulate", "simulate --customers 20 --days 9 --output data.csv",
               "simulate --customers 20 --days 8 --output data.csv", "rm table features models rejects.csv")
    yield Case(base, "rollback", REGISTRY + "rollback", train("new"), "rm table features", again=False)


def main():
    with tempfile.TemporaryDirectory(prefix="assay-faults-", dir=os.environ.get("TMPDIR")) as base:
        base = pathlib.Path(base)
        library = base / "faults.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, TESTS / "faults.c"], check=True)
        passed = failed = 0
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for case in cases(base):
                faults = itertools.islice(enumerate(case.faults(base, library)), 0, None, EVERY)
                results = list(pool.map(lambda f, case=case: case.inject(base, f[0], *f[1]), faults))
                print(f"{case.name}: {len(results)} faults, {results.count(False)} failed", flush=True)
                passed += results.count(True)
                failed += results.count(False)
        print(f"{passed} passed, {failed} failed")
        return failed > 0


if __name__ == "__main__":
    sys.exit(main())
