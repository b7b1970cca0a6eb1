"""Plots of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from twobranch.common.paths import keep_matplotlib_in_cache
from twobranch.retrieval.evaluation.evaluate import EvaluationResult
from twobranch.retrieval.evaluation.metrics import recall_at

MOST_K = 100


def draw_recall(results: Sequence[EvaluationResult], path: Path) -> None:
    """Plot recall against K for both directions of each model.

    The models have the same pairs. K goes up to 100, with chance as a dotted line. The suffix of ``path``
    names the format: PNG, or any other one of matplotlib.
    """
    keep_matplotlib_in_cache()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), dpi=120, layout="constrained")
    axes = figure.subplots()
    first = results[0]
    for result in results:
        of_model = "" if len(results) == 1 else f"{result.label}, "
        for way, ranks, n_gallery in (
            ("text to image", result.text_ranks, result.n_images),
            ("image to text", result.image_ranks, result.n_captions),
        ):
            ks = np.arange(1, min(MOST_K, n_gallery) + 1)
            recall = [recall_at(ranks, int(k)) for k in ks]
            axes.plot(ks, recall, label=f"{of_model}{way} (R@1 {recall[0]:.1f})")
    for way, n_gallery, n_positives in (
        ("text to image", first.n_images, 1),
        ("image to text", first.n_captions, first.n_captions / first.n_images),
    ):
        ks = np.arange(1, min(MOST_K, n_gallery) + 1)
        # k random draws without replacement find a positive about this often
        chance = 100 * (1 - (1 - ks / n_gallery) ** n_positives)
        axes.plot(ks, chance, color="gray", ls=":", lw=1, label=f"{way}, chance")
    axes.set(
        xlabel="K",
        ylabel="Recall@K (%)",
        ylim=(0, 100),
        xscale="log",
        title=f"{first.n_images:,} photos, {first.n_captions:,} captions"
        + (f", split {first.split}" if first.split else ""),
    )
    axes.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)
