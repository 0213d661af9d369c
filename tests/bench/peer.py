"""The peer of tests/bench/serve.py: a logistic regression of scikit-learn behind FastAPI, as tutorials
build it. POST /predict takes a vector of ready features; there is no state and no database.

PEER_MODEL names our model.json, for the names of the inputs, PEER_FEATURES the feature table: the
regression is trained on its newest rows when a worker starts.
"""
import json
import os
from pathlib import Path
from typing import List

import numpy as np
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROWS, THRESHOLD = 100_000, 0.016


class Vector(BaseModel):
    """The body of a request."""

    features: List[float]


def train():
    """The pipeline, and how many inputs it has."""
    model = json.loads(Path(os.environ["PEER_MODEL"]).read_text(encoding="utf-8"))
    folder = Path(os.environ["PEER_FEATURES"])
    column = {n: np.load(folder / f"{n}.npy", mmap_mode="r")[-ROWS:]
              for n in ("label", *(i["name"] for i in model["inputs"]))}
    label = column.pop("label")
    x = np.column_stack(list(column.values())).astype(np.float64)[label >= 0]
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return pipeline.fit(x, label[label >= 0]), len(column)


app = FastAPI()
classifier, n_inputs = train()


@app.post("/predict")
async def predict(vector: Vector):
    """A decision. async, for that is faster than a thread of a pool where nothing is waited for."""
    if len(vector.features) != n_inputs:
        raise HTTPException(422, f"{len(vector.features)} features, not {n_inputs}")
    probability = classifier.predict_proba(np.array([vector.features]))[0, 1]
    return {"probability": float(probability),
            "decision": "review" if probability >= THRESHOLD else "approve"}
