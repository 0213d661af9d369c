"""How often the monitor raises a false alarm, and how soon it sees a real change.

Each simulator seed goes through simulate, ingest, features, train and monitor: its data has no shift, so
every alarm is false. Each week of the period is looked at as if it were the newest one. The same is done
with small datasets, whose weeks differ more. On the first seeds the simulator's shift is added, and the monitor looks at the data up to each day after it. Writes its part
of a page of Markdown. `make bench-monitor` runs it from the project's folder.

Exit status: 0 measured; 1 a program failed; 2 the command line was wrong.
"""
import argparse
import concurrent.futures
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from scipy.special import kolmogorov
from serve_page import markdown

CONFIG = "datasets/simulated.ini"
BEGIN, END = (f"<!-- bench-monitor: {x} -->\n" for x in ("begin", "end"))
SHIFT, LAST = datetime.date(2018, 9, 3), datetime.date(2018, 9, 30)
SMALL = ("--customers", "300", "--terminals", "600", "--radius", "20")
DAY, DRAWS, Z = 86400, 10000, 1.959963984540054


def run(*command):
    """Runs a program; its stdout."""
    command = [str(c) for c in command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    except (OSError, subprocess.SubprocessError) as e:
        sys.exit(f"monitor: {' '.join(command)}: {e} {getattr(e, 'stderr', '')}")
    return done.stdout


def features(programs, work, *options):
    """From the simulator to a features table."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    config = ("--config", CONFIG)
    run(programs / "simulate", *options, "--output", work / "data.csv")
    run(programs / "ingest", *config, "--key", work / "key", "--output", work / "table", work / "data.csv")
    run(programs / "features", *config, "--threads", 1, "--output", work / "features", work / "table")
    for name in "data.csv", "table":
        path = work / name
        (shutil.rmtree if path.is_dir() else os.remove)(path)


def monitor(programs, work, models, *options):
    """drift.json."""
    run(programs / "monitor", "--config", CONFIG, "--threads", 1, "--models", models, "--output",
        work / "drift.json", *options, work / "features")
    return json.loads((work / "drift.json").read_text(encoding="utf-8"))


def ks_p(table, drift):
    """p[week][input] of the two-sample test of Kolmogorov and Smirnov, against the training window."""
    time = np.load(table / "time.npy", mmap_mode="r")

    def rows(first, days):
        begin = int(np.datetime64(first, "s").astype(int))
        return slice(*np.searchsorted(time, (begin, begin + days * DAY)))

    def p(a, b):
        both = np.concatenate([a, b])
        d = np.abs(np.searchsorted(a, both, "right") / len(a) - np.searchsorted(b, both, "right") / len(b)).max()
        return kolmogorov(d * np.sqrt(len(a) * len(b) / len(both)))

    train, result = rows(drift["periods"]["train"]["from"][:10], 7), []
    for week in drift["weeks"]:
        result.append([])
        for c in drift["columns"]:
            if c["kind"] == "input":
                x = np.load(table / f"{c['name']}.npy", mmap_mode="r")
                result[-1].append(p(np.sort(x[train]), np.sort(x[rows(week["from"], 7)])))
    return np.array(result)


def looks(drift, p):
    """For each rule, whether it alarms in each week."""
    least, last = drift["settings"]["alarm"]
    columns = [c for c in drift["columns"] if c["bound"] is not None]
    over = np.array([np.array(c["weeks"]) >= c["bound"] for c in columns])  # [column][week]
    ap = drift["performance"]["weeks"]
    fell = np.array([[w["alarm"] for w in ap]])
    worse = np.array([w["difference"][2] < 0 or w["difference"][1] > 0 for w in ap])

    def k_of_n(beyond):
        return np.array([(beyond[:, max(0, w + 1 - last):w + 1].sum(1) >= least).any()
                         for w in range(beyond.shape[1])])

    return {f"**columns and AP, {least} of {last} weeks**": k_of_n(over) | k_of_n(fell),
            f"columns alone, {least} of {last} weeks": k_of_n(over), f"AP alone, {least} of {last} weeks": k_of_n(fell),
            "a column beyond its bound once": over.any(0), "AP fallen by ap_drop once": fell[0],
            "PSI > 0.2 once, of any column":
                np.array([np.array(c["weeks"]) > 0.2 for c in drift["columns"]]).any(0),
            "AP's interval without 0 once": worse, "KS p < 0.05 of any input once": (p < 0.05).any(1)}


def plain(programs, work, seed, *options):
    """A seed without a shift: the alarms of each rule, and of all pairs of column and week."""
    features(programs, work, "--seed", seed, *options)
    run(programs / "train", "--config", CONFIG, "--threads", 1, "--promote", "--output", work / "models",
        work / "features")
    drift = monitor(programs, work, work / "models")
    p = ks_p(work / "features", drift)
    shutil.rmtree(work / "features")
    columns = [c for c in drift["columns"] if c["kind"] != "calendar"]
    pairs = {"beyond their bound": sum(x >= c["bound"] for c in columns for x in c["weeks"]),
             "with KS p < 0.05": int((p < 0.05).sum()), "weeks": len(drift["weeks"]),
             "columns": len(columns), "inputs": p.shape[1],
             "highest": max(x for c in columns for x in c["weeks"]),
             "rows": np.mean([w["rows"] for w in drift["weeks"]])}
    aps = [w["average_precision"][0] for w in drift["performance"]["weeks"]]
    say(f"seed {seed} {' '.join(options)}: {drift['verdict']['sentence']}")
    return looks(drift, p), pairs, (drift["performance"]["reference"]["average_precision"], min(aps), max(aps))


def shifted(programs, work, seed):
    """Days after the shift until columns and performance alarm, and the last look."""
    features(programs, work / "shift", "--seed", seed, "--shift", SHIFT)
    days = {}
    for day in range(1, (LAST - SHIFT).days + 2):
        drift = monitor(programs, work / "shift", work / "models", "--until", SHIFT + datetime.timedelta(day))
        if any(c["alarm"] for c in drift["columns"]):
            days.setdefault("columns", day)
        if drift["performance"]["alarm"]:
            days.setdefault("performance", day)
        if len(days) == 2:
            break
    drift = monitor(programs, work / "shift", work / "models")
    shutil.rmtree(work / "shift")
    say(f"seed {seed}, shifted: {days}, {drift['verdict']['sentence']}")
    week = drift["performance"]["weeks"][-1]
    return days, (drift["performance"]["reference"]["average_precision"], week["average_precision"][0],
                  week["estimate"])


def measure(programs, work, seed, shift):
    """All of a seed, in a folder of its own."""
    work = work / str(seed)
    small = plain(programs, work / "small", seed, *SMALL)
    result = plain(programs, work, seed), shifted(programs, work, seed) if shift else None, small
    shutil.rmtree(work)
    return result


def say(text):
    """Progress, to stderr."""
    print(text, file=sys.stderr, flush=True)


# ---- the page ------------------------------------------------------------------------------------


def wilson(k, n):
    """The 95 % interval of a share."""
    centre = (k + Z * Z / 2) / (n + Z * Z)
    half = Z / (n + Z * Z) * np.sqrt(k * (n - k) / n + Z * Z / 4)
    return max(0, centre - half), min(1, centre + half)


def share(weeks):
    """Share of the weeks, with the interval of drawing whole seeds; weeks[seed][week]."""
    means = np.array([np.mean(w) for w in weeks])
    draws = np.random.default_rng(1).choice(means, (DRAWS, len(means))).mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"{means.mean():.1%}" + (f" ({low:.1%} to {high:.1%})" if means.any() else "")


def false_alarms(results):
    """The table of rules."""
    rows = []
    for rule in results[0][0]:
        weeks = [r[0][rule] for r in results]
        k, n = sum(any(w) for w in weeks), len(weeks)
        low, high = wilson(k, n)
        rows.append([rule, f"{k} of {n} ({low:.0%} to {high:.0%})", share(weeks)])
    return markdown(["alarm", "seeds with one", "weeks with one"], rows)


def numbers(results):
    """What the figures behind a table of rules are."""
    pairs = [r[1] for r in results]
    references, worst, best = zip(*(r[2] for r in results))
    beyond, small_p = (sum(p[k] for p in pairs) for k in ("beyond their bound", "with KS p < 0.05"))
    columns, inputs = (sum(p["weeks"] * p[k] for p in pairs) for k in ("columns", "inputs"))
    return f"""Of {columns} pairs of a column and a week, {beyond} are beyond their bound; the highest PSI of all is {max(p["highest"] for p in pairs):.3f}. Of
{inputs} pairs of an input and a week, {small_p} ({small_p / inputs:.0%}) have a KS p below 0.05. AP of the test window lies between {min(references):.2f}
and {max(references):.2f} from seed to seed, that of a single week between {min(worst):.2f} and {max(best):.2f}."""


def section(seeds, results, program):
    """What goes between the marks."""
    large, shifts, small = zip(*results)

    def days(found, what, more=0):
        return str(found[what] + more) if what in found else "not seen"

    table = markdown(["seed", "columns, days", "AP, days", "AP of the test", "of the last week", "its estimate"], [
        [str(s), days(x[0], "columns"), days(x[0], "performance", 7), *(f"{ap:.2f}" for ap in x[1])]
        for s, x in zip(seeds, shifts) if x])
    rows = [f"{np.mean([r[1]['rows'] for r in x]):,.0f}" for x in (large, small)]
    return f"""`make bench-monitor` on {datetime.date.today()} with {program}: {len(seeds)} simulated datasets (seeds {seeds[0]} to
{seeds[-1]}, on none of which a bound was chosen) without any change, so every alarm is a false one. The period is the {large[0][1]["weeks"]}
weeks after the test window, of about {rows[0]} rows each. A week has an alarm if a monitor run at its end would raise
one. Intervals (95 %) are over seeds, because weeks of one dataset share customers and model.

{false_alarms(large)}

{numbers(large)} Nothing has changed: KS sees
differences that matter to nobody, and weeks are lucky or not, hence the margin `ap_drop`.

The same seeds with 300 customers, about {rows[1]} rows a week:

{false_alarms(small)}

{numbers(small)}

With the simulator's shift (`--shift {SHIFT}`: prices rise by half, frauds change, a tenth of the purchases
moves into the night) in the large datasets, days until the alarm. An alarm of AP includes the week until labels are known.

{table}
"""


def main():
    """Measures every seed and writes the part of the page."""
    options = argparse.ArgumentParser(description="Measure false alarms of the monitor, and its delay.")
    options.add_argument("--bin", type=Path, default=Path("build/bin"), help="our programs")
    options.add_argument("--work", type=Path, default=Path("build/bench-monitor"), help="scratch folder")
    options.add_argument("--seeds", default="101..120", help="FROM..TO (default 101..120)")
    options.add_argument("--shifts", type=int, default=5, help="seeds that are shifted, too (default 5)")
    options.add_argument("--output", type=Path, default=Path("docs/monitoring.md"), help="the page")
    o = options.parse_args()
    if not re.fullmatch(r"\d+\.\.\d+", o.seeds):
        options.error(f"--seeds {o.seeds}: not FROM..TO")
    first, last = map(int, o.seeds.split(".."))
    seeds = range(first, last + 1)
    program = run(o.bin / "monitor", "--version").strip()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda s: measure(o.bin, o.work, s, s < first + o.shifts), seeds))
    page = o.output.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    text = section(seeds, results, program)
    temporary = o.output.with_name(o.output.name + ".tmp")
    temporary.write_text(f"{before}{BEGIN}{text}{END}{after}", encoding="utf-8")
    os.replace(temporary, o.output)
    print(text, end="")


if __name__ == "__main__":
    main()
