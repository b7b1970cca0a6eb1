"""One row of the table of experiments: train a variant, measure what it wrote, print the row.

    python -m benchmarks.quality default --captions Flickr8k.token.txt --images images --seed 2

`benchmarks/quality.md` has the rows that were run. Everything is chosen on dev; a test split is never read.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from twobranch.common.progress import Console
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import resolve_model
from twobranch.train.checkpoint import Epoch
from twobranch.train.features import default_cache
from twobranch.train.presets import PRESETS, Preset, Tuning
from twobranch.train.run import CorpusPlace, TrainOptions, train

_FLICKR8K = PRESETS["flickr8k"]
_FROZEN = replace(_FLICKR8K, views=1, tuning=None)
_TUNING = _FLICKR8K.tuning or Tuning(epochs=0)


def _tuned(**changes: float) -> Preset:
    return replace(_FLICKR8K, tuning=replace(_TUNING, **changes))  # type: ignore[arg-type]


ROWS: dict[str, tuple[str, Preset]] = {
    "seed": ("the system this grew from", PRESETS["seed"]),
    "paper": ("the TPAMI embedding network", PRESETS["paper"]),
    "frozen": ("frozen backbone and sentence encoder, one view", _FROZEN),
    "frozen-before": (
        "branches only, one view, 260 px, temperature 0.05",
        replace(_FROZEN, image_size=None, temperature=0.05),
    ),
    "frozen-warm": ("frozen, temperature 0.05", replace(_FROZEN, temperature=0.05)),
    "frozen-cool": ("frozen, temperature 0.015", replace(_FROZEN, temperature=0.015)),
    "default": ("photos of everything, on from `flickr8k`; the last grid tuned", PRESETS["default"]),
    "flickr8k": ("late stages, sentence encoder and branches tuned, 6 views", _FLICKR8K),
    "no-drop": ("flickr8k, no cells and words dropped", _tuned(drop_cells=0.0, drop_words=0.0)),
    "no-crops": ("flickr8k, no crops of activations", _tuned(crops=0.0)),
    "text-only": ("flickr8k, backbone not tuned", _tuned(backbone_rate=0.0)),
    "photos-only": ("flickr8k, sentence encoder not tuned", _tuned(text_rate=0.0)),
    "no-blend": ("flickr8k, weights before tuning not mixed in", _tuned(blend=1.0)),
    "no-classes": ("flickr8k, without class-name pairs", replace(_FLICKR8K, class_share=0.0)),
    "small": ("flickr8k, at the backbone's own input size", replace(_FLICKR8K, image_size=None)),
    "warm": ("flickr8k, temperature 0.05", replace(_FLICKR8K, temperature=0.05)),
}


def main() -> None:
    """Train the row and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("row", choices=ROWS)
    parser.add_argument("--captions", type=Path, required=True, action="append")
    parser.add_argument("--images", type=Path, required=True, action="append")
    parser.add_argument("--start", help="a model to go on from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="keep the model in this folder")
    arguments = parser.parse_args()
    what, preset = ROWS[arguments.row]
    with tempfile.TemporaryDirectory() as folder:
        out = arguments.out or Path(folder, "model")
        report = train(
            TrainOptions(
                corpora=tuple(map(CorpusPlace, arguments.captions, arguments.images)),
                out=out,
                preset=preset,
                backbone="efficientnet-lite2",
                weights=None,
                word_vectors=None,
                split_lists=None,
                start=None if arguments.start is None else resolve_model(arguments.start),
                seed=arguments.seed,
                resume=False,
                cache=default_cache(),
                command=f"python -m benchmarks.quality {arguments.row} --seed {arguments.seed}",
            ),
            Console(),
        )
        untuned = [epoch for epoch in report.history if not epoch.tuned]
        if len(untuned) < len(report.history):
            print(f"| {arguments.row}, before tuning | {_recalls(untuned[-1])} |")
        ways = (report.dev["image_to_text"], report.dev["text_to_image"])
        recalls = " | ".join("/".join(f"{way[f'R@{k}']:.1f}" for k in (1, 5, 10)) for way in ways)
        size = sum((out / name).stat().st_size for name in Encoder.load(out).config.files) / 1e6
        print(
            f"| `{arguments.row}`, seed {arguments.seed} | {what} | {recalls} | {report.dev['rsum']:.1f} "
            f"| {report.seconds:.0f} s | {size:.1f} MB | {_images_per_second(Encoder.load(out)):.0f} "
            f"| {_query_ms(Encoder.load(out)):.1f} ms |"
        )


def _recalls(epoch: Epoch) -> str:
    ways = (epoch.image_to_text, epoch.text_to_image)
    return (
        " | ".join("/".join(f"{value:.1f}" for value in way.values()) for way in ways)
        + f" | {epoch.rsum:.1f}"
    )


def _images_per_second(encoder: Encoder) -> float:
    """Of the image tower on ready pixels: the median of five batches of 64, after one more."""
    side = encoder.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (64, side, side, 3), dtype=np.uint8)
    return 64 / _median_seconds(lambda: [encoder.encode_pixels(pixels[i : i + 16]) for i in range(0, 64, 16)])


def _query_ms(encoder: Encoder) -> float:
    """Of one sentence through the text tower: the median of five, after one more."""
    return 1000 * _median_seconds(lambda: encoder.encode_texts(["red car on a street"]))


def _median_seconds(call: object) -> float:
    assert callable(call)
    call()
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
