"""Checks of models/1, each a function that test_report.c names: its files agree with each other."""
import json
import subprocess
import sys


def read(name):
    with open(f"models/1/{name}", encoding="utf-8") as f:
        return f.read()


card, m = read("card.md"), json.loads(read("metrics.json"))
test = m["test"]
frauds, genuine, found = test["frauds"], test["rows"] - test["frauds"], test["confusion"]


def curves():
    for candidate in [m, *m["baselines"]]:
        curve = candidate["curve"]
        points = [(0, 0), *zip(curve["genuine"], curve["frauds"], strict=True)]
        steps = list(zip(points, points[1:]))
        area = sum((x - left) * (y + low) / 2 for (left, low), (x, y) in steps)
        assert len(curve["threshold"]) == len(steps) and points[-1] == (genuine, frauds)
        assert all(left <= x and low <= y for (left, low), (x, y) in steps)
        assert abs(area / (frauds * genuine) - candidate["test"]["roc_auc"]) < 5e-3
    assert len(m["baselines"]) == 2


def ranges():
    bins, scores = m["reliability"], m["scores"]
    assert sum(b["rows"] for b in bins) == test["rows"]
    assert all(b["low"] <= b["fraud_share"] <= b["high"] for b in bins)
    assert len(scores["genuine"]) == 40 and sum(scores["genuine"]) == genuine
    assert sum(scores["frauds"]) == frauds


def figures():
    shown = subprocess.check_output(["registry", "--models", "models", "show"], text=True)
    week, fold, weight, s = *m["folds"][:2], m["weights"][14], m["slices"][0]["slices"][2]
    (low, high), (from_, to) = test["intervals"]["brier"], test["intervals"]["roc_auc"]
    amount = m["baselines"][1]["test"]["roc_auc"]
    for line in [
        f"# Model card: sample, version 1\n\nIn the test ({week['test']}) it finds "
        f"{found['true_positives']} of {frauds} ",
        f"| Brier score | {test['brier']:.4f} | {low:.4f} to {high:.4f} | ",
        f"| {fold['test']} | {fold['rows']} | {fold['frauds']} | {fold['roc_auc']:.4f} |",
        f"| {weight['feature']} | {weight['weight']:.3f} | {weight['low']:.3f} to "
        f"{weight['high']:.3f} |",
        f"| amount | {s['name']} | {s['rows']} | {s['frauds']} | {100 * s['fraud_share']:.2f} % |",
    ]:
        assert line in card, line
    for line in [
        f"tested on 2018-04-29 .. 2018-05-05: {test['rows']} rows",
        ": 5 alerts a day on the training rows, ",
        f"\nROC AUC                       {test['roc_auc']:.4f}  {from_:.4f} to {to:.4f}       {amount:.4f}\n",
    ]:
        assert line in shown, line


def costs():
    alerts = found["true_positives"] + found["false_positives"]
    assert (f"costs 50 and an alert 2. The test costs {50 * found['false_negatives'] + 2 * alerts};"
            f" without any alert it would cost {50 * frauds}, with an alert for every row "
            f"{2 * test['rows']}.\n") in card


def page():
    held = read("report.html").split('<script type="application/json" id="metrics">')[1]
    assert json.loads(held.split("</script>")[0]) == m
    assert m["card"]["limits"] == r'</script><script>alert(1)</script><!-- "\ & {{x}} | *'
    assert r'\</script>\<script>alert(1)\</script>\<!-- "\\ \& {{x}} \| \*' in card


globals()[sys.argv[1]]()
