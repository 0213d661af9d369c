"""Formats docs/benchmarks.md from the measurements of serve.py, whose times are in microseconds."""
import datetime
import statistics


def slope(points):
    """The slope of the least-squares line through the points (x, y)."""
    x, y = zip(*points)
    mean = statistics.fmean(x)
    return (sum((a - mean) * (b - statistics.fmean(y)) for a, b in points) /
            sum((a - mean)**2 for a in x))


def markdown(head, rows):
    """An aligned table; the first column left, the others right."""
    width = [max(map(len, c)) for c in zip(head, *rows)]
    rule = ["-" * (w - (i > 0)) + (":" if i else "") for i, w in enumerate(width)]
    cells = [[c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(row, width))]
             for row in (head, rule, *rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def spread(values, form):
    """Median, minimum and maximum."""
    middle, least, most = (form.format(f(values)) for f in (statistics.median, min, max))
    return f"{middle} ({least} to {most})"


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
    """Our rate divided by another server's, per round."""
    return spread([b["rate"] / x["rate"] for b, x in zip(results["assay"], results[other])], "{:.2f}")


def memory_section(rows, peak):
    """Memory over time, and its growth per million requests."""
    growth = slope([(n / 1e6, rss) for n, rss, _ in rows])
    table = markdown(["requests", "resident MiB", "database MiB"],
                     [[f"{n}", f"{rss:.1f}", f"{db:.1f}"] for n, rss, db in rows])
    return f"""After {rows[0][0]} requests, when the windows have filled, {rows[-1][0] - rows[0][0]} more at full
load. Resident memory changed by {rows[-1][1] - rows[0][1]:+.1f} MiB from the first line to the last; the
least-squares line has **{growth:+.2f} MiB per million requests**. The peak was {peak:.1f} MiB.

{table}"""


def open_section(figures, seconds):
    """The steady rate."""
    table = markdown(["p50", "p90", "p99", "p99.9", "max"],
                     [[figures[p] for p in ("p50", "p90", "p99", "p99.9", "max")]])
    return f"""
## At a steady rate

{figures["rate"]} transactions a second for {seconds} seconds, each sent when it is due, whether or not the
earlier ones were answered (`build/bin/replay --rate`). Latency, in milliseconds, counts from when a transaction
was due, so a stall of the server shows in every transaction that had to wait.

{table}
"""


def page(s, results, rows, opened):
    """s: the setup; results: of the rounds; rows: memory; opened: the figures of replay."""
    what = "\n".join(f"| {name} | {version} |" for name, version in s["versions"])
    others = statistics.median(r["others"] for rounds in results.values() for r in rounds)
    return f"""# Benchmarks

`make bench-serve` measures everything in one run on one machine and writes this page.

Made on {datetime.date.today()} on {s["cores"]} cores of {s["processor"]}, Linux {s["kernel"]}. Other
programs used {others:.2f} cores during the run.

## Full load

{s["connections"]} keep-alive connections; on each, wrk sends a request when the one before is answered.
{s["rounds"]} rounds of {s["seconds"]} seconds, in turns a b c a b c, after a warm-up. Medians over the rounds.

{speed_table(results)}

b / a is **{ratios(results, "bare")}**: the share of the HTTP library's speed that remains when each request is
parsed, checked, counted in the windows of its customer and terminal, scored, explained, and stored.
b / c is **{ratios(results, "fastapi")}**. Both are medians of the rounds' ratios, with minimum and maximum.

How to read it:

- *a* answers {s["bytes"]} constant bytes, the size of *b*'s first answer, with the same settings as *b*
  ({s["threads"]} threads). It reads the same transactions and ignores them.
- *b* gets a new transaction each time, 10 seconds after the one before, of changing customers and
  terminals. It started with the {s["state"]}.
- *c* has {s["workers"]} uvicorn processes with uvloop and httptools; the kernel distributes the connections. It gets
  the {s["inputs"]} features ready and answers probability and decision: no state, no database, no reasons. Models
  are often served this way, and it does less work than *b*.
- *cores* is the processor time of the server per second, *wrk's cores* that of wrk. Client and server
  share the {s["cores"]} cores, so all three would be faster with the client on another machine, *a* most.
- wrk's loop is closed: a connection that waits sends nothing. Its percentiles are corrected for that: after
  a slow answer, the requests that would have been sent meanwhile are counted as late too.
{open_section(opened, s["open_seconds"])}
## Memory

{memory_section(rows, s["peak"])}

## Versions

| | |
| --- | --- |
{what}
"""
