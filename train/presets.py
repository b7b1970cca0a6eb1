"""Training recipes by name, each with all its hyperparameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from twobranch.common.errors import UserError

Cut = Literal["sixteenth", "last grid"]  # of a photo's side; see train.sides.late_stages


@dataclass(frozen=True)
class Tuning:
    """The tuning part of a recipe.

    Late stages, sentence encoder and branches are trained together.
    """

    epochs: int
    photos: int = 256  # in a batch
    captions: int = 2  # of each photo in a batch
    branch_rate: float = 3e-4  # learning rates at their peak
    backbone_rate: float = 3e-4
    text_rate: float = 1e-4
    weight_decay: float = 0.01
    warm_up: float = 0.1  # of all steps
    drop_cells: float = 0.2  # of a photo's cells, left out of its mean
    drop_words: float = 0.15  # of a caption's word pieces
    crops: float = 0.5  # share of batches whose photos are cropped to a window of their activations
    average: float = 0.99  # decay of the moving average of the weights
    blend: float = 1.0  # share of that average in the result; the rest are the weights before tuning
    cut: Cut = "sixteenth"  # where the late stages begin, which are tuned
    rehearsal: float = 0.0  # weight of the loss that holds the backbone to its own classifier


@dataclass(frozen=True)
class EvidencePreset:
    """Weights of the classifier's words beside the branches.

    ``train.sides.evidence`` explains them.
    """

    dim: int = 128  # of the part of a vector that holds the words
    likeliest: int = 10  # number of classes that count
    photo: float = 0.4  # b / a of a photo
    short: float = 0.6  # b / a of a query of ``short_pieces`` word pieces or fewer
    long: float = 0.2  # b / a of a query of ``long_pieces`` or more; linear in between
    short_pieces: int = 2
    long_pieces: int = 6


@dataclass(frozen=True)
class Preset:
    """A recipe: sentence features, branches, loss and optimiser."""

    name: str
    # SIF over word vectors, the pretrained sentence encoder, or both towers of a finished model
    text: Literal["words", "wordpiece", "model"]
    order: Literal["seed", "paper", "residual"]  # see embedding.branches.new_branch
    loss: Literal["ranking", "two-branch", "info-nce"]
    optimizer: Literal["sgd", "adamw"]
    learning_rate: float  # at its peak
    schedule: Literal["constant", "cosine"]
    epochs: int
    batch_size: int  # in image-sentence pairs
    hidden: int
    image_size: int | None = None  # side of the input in pixels; None: the backbone's own
    dim: int = 512
    dropout: float = 0.0
    weight_decay: float = 0.0
    momentum: float = 0.9  # sgd only
    margin: float = 0.0  # ranking and two-branch
    temperature: float = 0.0  # info-nce; 0: the one that fits the features as they are
    class_share: float = 0.0  # class-name pairs added to a batch, as a share of its size
    views: int = 1  # of each training photo: itself, its mirror image, random ones
    tuning: Tuning | None = None  # after the branches have settled
    object_texts: bool = False  # add texts made of the names of listed objects
    known_truth: bool = False  # texts known to be right for a photo are not its negatives
    evidence: EvidencePreset | None = None  # the classifier's words as part of every vector
    start_share: float = 1.0  # share of the start model in the first weights; the rest is as pretrained


_FLICKR8K = Preset(
    name="flickr8k",
    text="wordpiece",
    order="seed",
    loss="info-nce",
    optimizer="adamw",
    learning_rate=1e-3,
    schedule="cosine",
    epochs=8,
    batch_size=512,
    hidden=2048,
    dropout=0.5,
    image_size=320,
    temperature=0.025,
    class_share=0.25,
    views=6,
    tuning=Tuning(epochs=12, blend=0.7),
)

PRESETS = {
    preset.name: preset
    for preset in (
        # The system that this project grew from: SIF, FC-ReLU-FC-BN, triplet ranking loss on cosines, SGD.
        Preset(
            name="seed",
            text="words",
            order="seed",
            loss="ranking",
            optimizer="sgd",
            learning_rate=0.01,
            schedule="cosine",
            epochs=10,
            batch_size=128,
            hidden=2048,
            margin=0.2,
        ),
        # The embedding network of Wang et al., TPAMI 2018, with its neighbourhood term.
        Preset(
            name="paper",
            text="words",
            order="paper",
            loss="two-branch",
            optimizer="adamw",
            learning_rate=1e-4,
            schedule="constant",
            epochs=40,
            batch_size=500,
            hidden=2048,
            dropout=0.5,
            margin=0.05,
        ),
        # A pretrained sentence encoder under the text branch, every in-batch pair as a negative, the
        # classifier's class names beside the captions; then everything above the backbone's stem is tuned.
        _FLICKR8K,
        # Several corpora with sentences, queries, names and objects; starts from a `flickr8k` model. Texts
        # that are right for several photos are negatives of none of them. The backbone is kept close to its
        # own classifier, and only the layers on the last grid are tuned.
        replace(
            _FLICKR8K,
            name="default",
            epochs=10,
            views=2,
            dim=384,
            object_texts=True,
            known_truth=True,
            evidence=EvidencePreset(),
            start_share=0.7,
            tuning=Tuning(epochs=6, captions=1, blend=0.5, cut="last grid", rehearsal=0.3),
        ),
        # Residual branches over both towers of a finished model, which they start as. How much of them is
        # kept is chosen on dev (train.blend).
        Preset(
            name="adapter",
            text="model",
            order="residual",
            loss="info-nce",
            optimizer="adamw",
            learning_rate=1e-3,
            schedule="cosine",
            epochs=10,
            batch_size=512,
            hidden=512,
            dropout=0.5,
            weight_decay=0.01,
            known_truth=True,
        ),
    )
}
ON_A_MODEL = ("adapter", "seed", "paper")  # presets that train on the features of a finished model


def over_model(preset: Preset, dim: int) -> Preset:
    """Return a preset for features of a finished model.

    ``dim`` is the number of their dimensions. Raises ``UserError`` for a preset that tunes a backbone.
    """
    if preset.name not in ON_A_MODEL:
        raise UserError(
            f"the preset {preset.name} tunes the layers of a backbone, which a finished model does not show; "
            f"with a model as --backbone there are the presets {', '.join(ON_A_MODEL)}"
        )
    return replace(preset, text="model", dim=dim if preset.order == "residual" else preset.dim)
