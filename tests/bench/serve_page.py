"""The page that serve.py writes, docs/benchmarks.md, out of what it measured. Times come in microseconds."""
import datetime
import statistics


def slope(points):
    """Of the line of least squares through (x, y)."""
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
    """Median, and from the least to the largest."""
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


def open_section(figures, seconds):
    """The steady rate."""
    table = markdown(["p50", "p90", "p99", "p99.9", "max"],
                     [[figures[p] for p in ("p50", "p90", "p99", "p99.9", "max")]])
    return f"""
## At a steady rate

{figures["rate"]} transactions a second for {seconds} seconds, sent when they are due
whether or not those before them were answered (`build/bin/replay --rate`); the time, in milliseconds, counts from
when they were due. So a stall of the server shows in every transaction that had to wait for its end.

{table}
"""


def page(s, results, rows, opened):
    """docs/benchmarks.md. s: the setup; results: of the rounds; rows: of memory; opened: of replay."""
    what = "\n".join(f"| {name} | {version} |" for name, version in s["versions"])
    others = statistics.median(r["others"] for rounds in results.values() for r in rounds)
    return f"""# Benchmarks

`make bench-serve` measures all of this anew, in one run on one machine, and writes this page.

Made on {datetime.date.today()} on {s["cores"]} cores of {s["processor"]}, Linux {s["kernel"]}. All else that
ran on the machine used {others:.2f} cores meanwhile.

## Full load

{s["connections"]} connections that are kept alive; wrk sends the next request on each when the last is answered.
{s["rounds"]} rounds of {s["seconds"]} seconds in turns, a b c a b c, after a warm-up. Medians over the rounds.

{speed_table(results)}

b / a is **{ratios(results, "bare")}**: what is left of the HTTP library's speed when each request is
parsed, checked, counted in the windows of its customer and terminal, scored, explained, and kept.
b / c is **{ratios(results, "fastapi")}**. Both are medians of the rounds' ratios, with the least and the most.

How to read it:

- *a* answers {s["bytes"]} bytes, as many as *b* did to its first request, from memory, under the settings of
  *b* ({s["threads"]} threads), and reads the same transactions without looking at them.
- *b* gets a new transaction each time, 10 seconds after the one before, of a customer and a terminal
  that change; it began with the {s["state"]}.
- *c* has {s["workers"]} uvicorn processes with uvloop and httptools, to which the kernel deals out the connections.
  It gets the {s["inputs"]} features ready and answers probability and decision: no state, no database, no
  reasons. It is there because models are often served so; it does less work than *b*.
- *cores* is the processor time of the server, *wrk's cores* that of wrk, for each second that passed.
  Client and server share the {s["cores"]} cores, so all three would be faster with a client elsewhere, *a* most.
- wrk's loop is closed: a connection that waits sends nothing. Its percentiles are corrected for that: where an
  answer took longer than usual, the requests that would have been sent meanwhile are counted as late, too.
{open_section(opened, s["open_seconds"])}
## Memory

{memory_section(rows, s["peak"])}

## Versions

| | |
| --- | --- |
{what}
"""
