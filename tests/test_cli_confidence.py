"""Confidence of a model without calibration, end to end: `index` makes it, searches and `status` say so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

pytest.importorskip("onnx")

from tests.fakes import write_photo
from tests.smallmodel import seal, write_model
from tests.test_cli import run, run_json
from twobranch.server.app import create_app
from twobranch.server.settings import Settings


def test_a_model_without_calibration_is_given_a_confidence_by_index(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    (model / "calibration.npz").unlink()
    seal(model)
    colours = np.random.default_rng(0).integers(0, 256, (50, 3)).tolist()
    for at, (red, green, blue) in enumerate(colours):
        write_photo(tmp_path / "photos" / f"{at:02}.png", (red, green, blue))
    indexed = run("index", "photos", "--model", model, "--json", cwd=tmp_path)
    assert "this model has no calibration" in indexed.stderr
    assert json.loads(indexed.stdout)["added"] == 50
    assert "no calibration" not in run("index", cwd=tmp_path).stderr

    answer = run_json("search", "red", "--min-confidence", "0.001", cwd=tmp_path)
    assert answer["confidence_from"] == "background"
    assert answer["hits"]
    assert run_json("status", cwd=tmp_path)["confidence_from"] == "background"
    assert "estimated from the photos" in run("status", cwd=tmp_path).stdout
    with TestClient(create_app(Settings(tmp_path / ".twobranch")), "http://127.0.0.1") as client:
        found = client.get("/api/search", params={"q": "red"}).json()
        assert found["confidence_from"] == "background"
        assert found["hits"][0]["confidence"] == answer["hits"][0]["confidence"]
        assert client.get("/api/status").json()["confidence_from"] == "background"
