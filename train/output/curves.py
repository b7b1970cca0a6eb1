"""A plot of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twobranch.common.paths import keep_matplotlib_in_cache
from twobranch.train.checkpoint import Epoch, best_epoch


def draw_curves(history: Sequence[Epoch], path: Path, *, title: str) -> None:
    """Write a PNG with the loss and dev recall of every epoch."""
    keep_matplotlib_in_cache()
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = [epoch.number for epoch in history]
    figure = Figure(figsize=(10, 4), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [epoch.loss for epoch in history], marker=".", color="black")
    left.set(xlabel="epoch", ylabel="training loss")
    for k, color in zip((1, 5, 10), ("tab:red", "tab:orange", "tab:blue"), strict=True):
        right.plot(
            epochs,
            [e.text_to_image[k] for e in history],
            color=color,
            marker=".",
            label=f"text to image R@{k}",
        )
        right.plot(
            epochs,
            [e.image_to_text[k] for e in history],
            color=color,
            marker=".",
            ls="--",
            label=f"image to text R@{k}",
        )
    best = best_epoch(history)
    right.axvline(best.number, color="grey", lw=0.8)
    right.set(
        xlabel="epoch",
        ylabel="dev recall (%)",
        title=f"best rsum {best.rsum:.1f} (epoch {best.number})",
        ylim=(0, 100),
    )
    right.legend(fontsize=7)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.suptitle(title)
    figure.savefig(path)
