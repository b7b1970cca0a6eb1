"""Comparison of several models' evaluations on the same pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twobranch.retrieval.evaluation.evaluate import DIRECTIONS, EvaluationResult
from twobranch.retrieval.evaluation.metrics import Difference, MetricDifferences, metric_differences


def comparison_json(results: Sequence[EvaluationResult], ks: Sequence[int]) -> dict[str, Any]:
    """Return the JSON data of ``eval --json`` for several models.

    ``models`` has what a single model gives, ``differences`` those of each further model to the first one.
    """
    first, *others = results
    return {
        "models": [result.as_json() for result in results],
        "differences": [
            {"model": other.label, "to": first.label}
            | _differences_json(metric_differences(other.found, first.found, ks))
            for other in others
        ],
    }


def _differences_json(differences: MetricDifferences) -> dict[str, Any]:
    ways = {way: _direction_json(getattr(differences, way)) for way in DIRECTIONS}
    return {**ways, "rsum": round(differences.rsum.value, 2), "rsum_ci95": _interval_json(differences.rsum)}


def _direction_json(recalls: dict[int, Difference]) -> dict[str, Any]:
    return {
        **{f"R@{k}": round(one.value, 2) for k, one in recalls.items()},
        "ci95": {f"R@{k}": _interval_json(one) for k, one in recalls.items()},
    }


def _interval_json(difference: Difference) -> list[float]:
    return [round(difference.interval.low, 2), round(difference.interval.high, 2)]
