"""What a model reaches on the dev split, as ``config.json`` keeps it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.metrics import ranks_both_ways, retrieval_metrics
from train.data import CaptionedPhotos


def dev_metrics(
    images: NDArray[np.float32], texts: NDArray[np.float32], dev: CaptionedPhotos
) -> dict[str, Any]:
    """The metrics of (I, D) photos and (C, D) captions, unit rows."""
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


def _recalls(direction: Any) -> dict[str, float]:
    recalls = {f"R@{k}": round(value, 1) for k, value in direction.recall.items()}
    return {**recalls, "median_rank": direction.median_rank, "mean_rank": round(direction.mean_rank, 1)}
