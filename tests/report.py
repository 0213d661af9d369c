"""Checks of models/1, each a function that test_report.c names: its files agree with each other, and with features/."""
import json
import math
import subprocess
import sys

import numpy as np


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
    bins, scores, left = m["reliability"], m["scores"], test["rows"]
    for b, after in zip(bins, [*bins[1:], {"from": 2}], strict=True):
        assert b["low"] <= b["fraud_share"] == b["frauds"] / b["rows"] <= b["high"]
        assert b["from"] <= b["mean_probability"] <= b["to"] < after["from"]
        # the lower half of the rows that are left, or less where that would be wider than a tenth
        assert b["rows"] >= 30 and (b["rows"] <= left / 2 + 1 or left - b["rows"] == 0), b
        assert b["rows"] >= left / 2 or b["to"] - b["from"] >= 0.1 or b["rows"] == 30 or left - b["rows"] == 0, b
        left -= b["rows"]
    assert left == 0 and sum(b["frauds"] for b in bins) == frauds and len(bins) > 3
    mean = sum(b["rows"] * b["mean_probability"] for b in bins) / test["rows"]
    assert abs(mean - test["mean_probability"]) < 1e-12
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
        f"| Brier score | {m['training']['brier']:.4f} | {test['brier']:.4f} | {low:.4f} to {high:.4f} | ",
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


def recomputed():
    """Training metrics, explained decisions, distributions and days, from the features with numpy."""
    with open("models/1/model.json", encoding="utf-8") as f:
        model = json.load(f)
    inputs, column = model["inputs"], lambda name: np.load(f"features/{name}.npy")
    label, time, x = column("label"), column("time"), [column(i["name"]).astype(float) for i in inputs]
    terms = [i["weight"] * (np.clip(v, i["min"], i["max"]) - i["mean"]) / i["scale"] for i, v in zip(inputs, x)]
    p, day = 1 / (1 + np.exp(-(sum(terms) + model["intercept"]))), time // 86400

    def rows_of(part):
        return (day >= part["first_day"]) & (day <= part["last_day"])

    is_train, is_test, t = rows_of(m["data"]["train"]), rows_of(m["data"]["test"]), m["training"]
    # The training days are one block, whose cards are known by frauds of the 14 days before it and of its own.
    card, start = column(m["split"]["blocked"]), m["data"]["train"]["first_day"]
    back = start - (m["data"]["test"]["first_day"] - start)
    known = [bool(((card == c) & (label == 1) & (day >= back) & (day < d - 7)).any()) for c, d in zip(card, day)]
    assert t["known_cards"] == (is_train & known).sum() > 0
    judged = is_train & ~np.array(known)
    score, fraud = p[judged], label[judged] == 1
    alerts, pairs = score >= model["threshold"], score[fraud][:, None] - score[~fraud][None, :]
    assert t["rows"] == len(score) and t["frauds"] == fraud.sum() > 0
    for name, value in {"roc_auc": ((pairs > 0) + 0.5 * (pairs == 0)).mean(), "recall": alerts[fraud].mean(),
                        "precision": fraud[alerts].mean(), "brier": ((score - fraud) ** 2).mean(),
                        "log_loss": -np.log(np.where(fraud, score, 1 - score)).mean()}.items():
        assert abs(t[name] - value) < 1e-9, name
    for name, wanted in {"highest_fraud": 1, "highest_genuine": 0, "lowest_fraud": 1}.items():
        d = m["decisions"][name]
        parts = [c["contribution"] for c in d["contributions"]]
        assert abs(sum(parts) + m["intercept"]["weight"] - math.log(d["probability"] / (1 - d["probability"]))) < 1e-6
        row = np.flatnonzero(is_test & (abs(p - d["probability"]) < 1e-12))[0]
        assert str(np.datetime64(int(time[row]), "s")) + "Z" == d["time"] and label[row] == wanted
        assert np.allclose(parts, [v[row] for v in terms], rtol=0, atol=1e-9)
        assert [c["value"] for c in d["contributions"]] == [v[row] for v in x]
        assert d["review"] == (p[row] >= model["threshold"])
    assert m["decisions"]["highest_fraud"]["probability"] > m["decisions"]["lowest_fraud"]["probability"]
    assert m["curve"]["threshold"][0] == max(m["decisions"][n]["probability"] for n in ("highest_fraud", "highest_genuine"))
    for w, v, i in zip(m["weights"], x, inputs, strict=True):
        for name, wanted in (("genuine", 0), ("frauds", 1)):
            at = np.searchsorted(i["reference"]["edges"], v[is_train & (label == wanted)], side="right")
            assert w[name]["counts"] == np.bincount(at, minlength=len(i["reference"]["counts"])).tolist(), w["feature"]
    assert m["data"]["daily"] == [[int(d), int((day == d).sum()), int(label[day == d].sum())] for d in np.unique(day)]
    amount = next(c for c in m["data"]["columns"] if c["name"] == "amount")
    raw = np.load("table/amount.npy")
    assert (amount["kind"], amount["min"], amount["max"], amount["nulls"]) == ("number", raw.min(), raw.max(), 0)


def costs():
    alerts = found["true_positives"] + found["false_positives"]
    assert (f"costs 50 and an alert 2. The test costs {50 * found['false_negatives'] + 2 * alerts};"
            f" without any alert it would cost {50 * frauds}, with an alert for every row "
            f"{2 * test['rows']}.\n") in card


def page():
    held = read("report.html").split('<script type="application/json" id="embedded">')[1]
    assert json.loads(held.split("</script>")[0]) == m
    assert m["card"]["limits"] == r'</script><script>alert(1)</script><!-- "\ & {{x}} | *'
    assert r'\</script>\<script>alert(1)\</script>\<!-- "\\ \& {{x}} \| \*' in card


globals()[sys.argv[1]]()
