"""Drafts on files as they are: our model against scikit-learn and XGBoost on the same rows.

    /usr/bin/python3 tests/bench/own_data.py FILE[:LABEL] ...

Each file goes through ingest --draft, ingest, features and train, untouched. The peers get the numbers
and categories of the same table, on the same training and test rows: a LogisticRegression on medians,
scaled numbers and one-hot categories, and XGBoost with its defaults. Prints a table of Markdown, whose
figures are means over several draws of the rows where the file has no time.

Exit status: 0 all files went through; 1 one did not; 2 the command line was wrong.
"""
import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost
import xxhash
from sklearn import metrics
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def run(*command):
    """Runs a program; what it printed."""
    done = subprocess.run([str(c) for c in command], text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"exit status {done.returncode}")
    return done.stdout


def shuffled(label, seed):
    """The order of rows that [split] shuffle gives: table_shuffle in ingest/table.h."""
    mixed = np.array([xxhash.xxh3_64_intdigest(row.to_bytes(8, "little"), seed) for row in range(len(label))],
                     dtype=np.uint64)
    place = np.empty(len(label))
    for kind in (-1, 0, 1):
        rows = np.flatnonzero(label == kind)
        rows = rows[np.argsort(mixed[rows], kind="stable")]
        place[rows] = (np.arange(len(rows)) + 0.5) / max(1, len(rows))
    return np.argsort(place, kind="stable")


def read_table(folder):
    """The numbers and categories of a column table, its labels, and its times."""
    manifest = json.loads((folder / "manifest.json").read_text())
    columns, label, time = {}, None, None
    for c in manifest["columns"]:
        values = np.load(folder / f"{c['name']}.npy")
        if c["kind"] == "category":
            texts = np.array(c["dictionary"], dtype=object)
            columns[c["name"]] = pd.Categorical.from_codes(values.astype(int), categories=texts)
        elif c["kind"] == "number":
            columns[c["name"]] = values
        elif c["kind"] == "label":
            label = values
        elif c["kind"] == "time":
            time = values
    return pd.DataFrame(columns), label, time


def peers(x, y, train, test):
    """AUC and AP of scikit-learn's and of XGBoost's model."""
    text = [c for c in x if isinstance(x[c].dtype, pd.CategoricalDtype)]
    number = [c for c in x if c not in text]
    prepare = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), number),
        (OneHotEncoder(handle_unknown="ignore"), text))
    linear = make_pipeline(prepare, LogisticRegression(max_iter=5000))
    codes = x.apply(lambda c: c.cat.codes if c.name in text else c)
    trees = xgboost.XGBClassifier(n_jobs=2, random_state=0, tree_method="hist")
    for model, rows in ((linear, x), (trees, codes)):
        model.fit(rows.iloc[train], y[train])
        score = model.predict_proba(rows.iloc[test])[:, 1]
        yield metrics.roc_auc_score(y[test], score), metrics.average_precision_score(y[test], score)


def once(binary, work, ini, seed):
    """AUC of our model and of the peers, then their AP; how many rows and columns, and the positive share."""
    config = ("--config", work / "draft.ini")
    (work / "draft.ini").write_text(re.sub("shuffle = [0-9]+", f"shuffle = {seed}", ini))
    run(binary / "features", *config, "--output", work / "features", work / "table")
    shutil.rmtree(work / "models", ignore_errors=True)
    run(binary / "train", *config, "--output", work / "models", "--promote", work / "features")
    ours = json.loads((work / "models/1/metrics.json").read_text())["test"]
    period = json.loads((work / "models/1/model.json").read_text())["training"]
    x, y, time = read_table(work / "table")
    manifest = json.loads((work / "features/manifest.json").read_text())
    order = shuffled(y, seed) if "shuffle" in manifest["provenance"] else np.argsort(time, kind="stable")
    x, y = x.iloc[order].reset_index(drop=True), y[order]
    times = np.load(work / "features/time.npy")
    parts = [np.flatnonzero((times >= period[part + "_from"]) & (times < period[part + "_until"]) & (y >= 0))
             for part in ("train", "test")]
    auc, ap = zip((ours["roc_auc"], ours["average_precision"]), *peers(x, y, *parts))
    return auc + ap, (len(y), x.shape[1], np.mean(y[y >= 0] == 1))


def measure(binary, work, path, label, seeds):
    """The figures of one line of the table; those of a shuffled file are means over the seeds."""
    work.mkdir(parents=True, exist_ok=True)
    ini = run(binary / "ingest", "--draft", path, *(["--label", label] if label else []))
    (work / "draft.ini").write_text(ini)
    run(binary / "ingest", "--config", work / "draft.ini", "--key", work / "key", "--output", work / "table",
        path)
    draws = [once(binary, work, ini, seed) for seed in range(1, 1 + seeds if "shuffle =" in ini else 2)]
    return (path.name, *draws[0][1], *np.mean([d[0] for d in draws], axis=0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, default=Path("build/bin"))
    parser.add_argument("--work", type=Path, default=Path("build/own"))
    parser.add_argument("--seeds", type=int, default=5, help="draws of files without a time")
    parser.add_argument("files", nargs="+", metavar="FILE[:LABEL]")
    args = parser.parse_args()
    failed = 0
    print("| file | rows | columns | positive | AUC ours | LR | XGBoost | AP ours | LR | XGBoost |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for file in args.files:
        name, _, label = file.partition(":")
        path = Path(name)
        try:
            row = measure(args.bin, args.work / path.stem, path, label, args.seeds)
        except RuntimeError as why:
            failed += 1
            print(f"{name}: {why}", file=sys.stderr)
            continue
        print("| {} | {:,} | {} | {:.1%} |".format(*row[:4]), " | ".join(f"{v:.3f}" for v in row[4:]), "|",
              flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
