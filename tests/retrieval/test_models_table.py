"""The table of `models`: quality, and the speed and memory of models that were measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.smallmodel import seal, write_model
from twobranch.embedding.model_folder import MODELS_VARIABLE
from twobranch.retrieval.display.status import known_models
from twobranch.retrieval.display.tables import models_table

COST = {
    "cores": 2,
    "sample": "generated JPEGs of 12 megapixels",
    "image": {"photos_per_s": 18.4, "images_per_s": 19.9, "memory_mb": 351},
    "image_int8": {"photos_per_s": 41.2, "images_per_s": 50.1, "memory_mb": None},
    "text": {"query_ms": 25.3, "memory_mb": 290},
}


def facts(**values: Any) -> dict[str, Any]:
    names = ("preset", "backbone", "rsum", "text_to_image_R@1", "image_to_text_R@1", "corpus", "dim")
    return {"name": "a", "folder": "/models/a", "cost": {}, **dict.fromkeys(names), **values}


def rows(*models: dict[str, Any]) -> list[str]:
    return models_table(models).splitlines()


def test_the_cost_of_a_model_is_in_columns_of_its_own() -> None:
    header, first, second = rows(facts(cost=COST), facts(name="b"))
    assert header.endswith("trained on  images/s         index MB  query ms  query MB")
    assert first.endswith("              18.4, int8 41.2  351       25.3      290")
    assert second.split() == ["b"]  # a model that was not measured


def test_without_any_measured_model_the_columns_are_left_out() -> None:
    assert "images/s" not in models_table([facts(), facts(name="b")])


def test_only_a_model_without_its_folder_is_gone() -> None:
    """A converted model has its folder, and no figures of a dev split."""
    _, converted, lost = rows(facts(), facts(name="b", folder=None))
    assert converted.split() == ["a"]
    assert set(lost.split()) == {"b", "gone"}


def test_added_models_are_listed_with_their_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)  # no library here
    seal(write_model(tmp_path / "mine"), cost=COST)
    listed = {one["name"]: one["cost"] for one in known_models(None)}
    assert listed["mine"] == COST
    assert listed["default"] is None
