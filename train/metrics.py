"""Metrics of a model on the dev split, as ``config.json`` keeps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twobranch.retrieval.evaluation.metrics import (
    average_precision,
    ranks_both_ways,
    recall_at,
    retrieval_metrics,
)
from twobranch.train.data import CaptionedPhotos

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
SENTENCES = "caption"  # the kind of a text whose file names none
FEWEST = 10  # texts of a kind that get figures of their own


def dev_metrics(
    images: NDArray[np.float32], texts: NDArray[np.float32], dev: CaptionedPhotos
) -> dict[str, Any]:
    """Return the metrics of the vectors of dev photos and captions.

    ``images`` (I, D) and ``texts`` (C, D) are unit rows.
    """
    own = np.arange(len(images))
    text_ranks, image_ranks = ranks_both_ways(texts, images, dev.items, own)
    metrics = retrieval_metrics(image_ranks, own, text_ranks, dev.items)
    return {
        "text_to_image": _recalls(metrics.text_to_image),
        "image_to_text": _recalls(metrics.image_to_text),
        "rsum": round(metrics.rsum, 1),
        "n_images": len(images),
        "n_captions": len(texts),
    }


def first_source(
    dev: CaptionedPhotos,
) -> tuple[CaptionedPhotos, NDArray[np.int64], NDArray[np.int64]]:
    """Return the part of ``dev`` from its first source.

    With it come the numbers of its photos and of its texts in ``dev``. The headline figures of a model are
    about one collection, so that models can be compared.
    """
    parts = dev.by_source()
    if not parts:
        return dev, np.arange(len(dev.photos)), np.arange(len(dev.texts))
    name, sources = dev.sources[0], np.array(dev.sources)
    return parts[name], np.flatnonzero(sources == name), np.flatnonzero(sources[dev.items] == name)


def source_metrics(
    images: NDArray[np.float32], texts: NDArray[np.float32], dev: CaptionedPhotos, embed: Embed
) -> dict[str, dict[str, Any]]:
    """Return the metrics of each source of ``dev``.

    Each source is a gallery by itself. The figures are the rsum of all its texts in both directions, and
    text to image for each kind of text. ``images`` (I, D) and ``texts`` (C, D) are the vectors of ``dev``.
    If the objects of photos are listed, the mean average precision of object names as queries is added;
    every photo with the object is a correct answer.
    """
    sources = np.array(dev.sources)
    report: dict[str, dict[str, Any]] = {}
    for name, part in dev.by_source().items():
        photos = np.flatnonzero(sources == name)
        rows = np.flatnonzero(sources[dev.items] == name)
        figures: dict[str, Any] = {
            "n_images": len(photos),
            "n_texts": len(rows),
            "rsum": dev_metrics(images[photos], texts[rows], part)["rsum"],
        }
        kinds = np.array([kind or SENTENCES for kind in part.kinds or (None,) * len(part.texts)])
        for kind in sorted(set(kinds)):
            chosen = kinds == kind
            if chosen.sum() >= FEWEST:
                figures[kind] = text_to_image(images[photos], texts[rows[chosen]], part.items[chosen])
        if (precision := _objects_map(images[photos], part, embed)) is not None:
            figures["object_names_mAP"] = precision
        report[name] = figures
    return report


def text_to_image(
    images: NDArray[np.float32], texts: NDArray[np.float32], items: NDArray[np.int64]
) -> dict[str, Any]:
    """Return recall, mean reciprocal rank (percent) and median rank of the texts."""
    described = np.unique(items)
    scores = texts @ images.T  # (M, N)
    own = scores[np.arange(len(items)), items]
    ranks = (scores >= own[:, None]).sum(axis=1)  # the text's own photo is counted too
    return {
        "n_texts": len(items),
        "n_described": len(described),
        **{f"R@{k}": round(recall_at(ranks, k), 1) for k in (1, 5, 10)},
        "MRR": round(float(100 * np.mean(1 / ranks)), 1),
        "median_rank": float(np.median(ranks)),
    }


def _objects_map(images: NDArray[np.float32], part: CaptionedPhotos, embed: Embed) -> float | None:
    """Return the mean average precision (percent) of object names.

    Only photos with listed objects are in the gallery. None if no photo lists any.
    """
    listed = [row for row, objects in enumerate(part.objects) if objects is not None]
    names = sorted({name for row in listed for name in part.objects[row] or ()})
    if not names:
        return None
    scores = embed(names) @ images[listed].T
    right = np.array([[name in (part.objects[row] or ()) for row in listed] for name in names])
    precisions = [average_precision(row, relevant) for row, relevant in zip(scores, right, strict=True)]
    return round(100 * float(np.mean(precisions)), 1)


def _recalls(direction: Any) -> dict[str, float]:
    recalls = {f"R@{k}": round(value, 1) for k, value in direction.recall.items()}
    return {**recalls, "median_rank": direction.median_rank, "mean_rank": round(direction.mean_rank, 1)}
