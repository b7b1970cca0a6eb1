"""Indexing and searching against named baselines, on this machine: ``make bench``.

Prints ratios of medians; both sides of a ratio run in turn, in the same process or one after the other.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image

from embedding.backbones import load_backbone
from embedding.encoder import Encoder
from embedding.preprocess import load_photo
from indexer.build import update_library

ROOT = Path(__file__).parent.parent
RUNS = 5
BATCH = 16
N_PHOTOS = 64
PHOTO_SIZE = (1600, 1200)


def seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """The median time of ``work``, after one run that is not counted."""
    work()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def write_photos(folder: Path) -> None:
    """JPEGs with something in them: smooth colours with noise, as large as a small camera's."""
    rng = np.random.default_rng(0)
    for number in range(N_PHOTOS):
        small = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        pixels = np.asarray(small.resize(PHOTO_SIZE, Image.Resampling.BICUBIC)).astype(np.int16)
        noisy = np.clip(pixels + rng.integers(-12, 13, pixels.shape, dtype=np.int16), 0, 255)
        Image.fromarray(noisy.astype(np.uint8)).save(folder / f"{number:03}.jpg", quality=90)


def main() -> None:
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"ONNX Runtime {onnxruntime.__version__}, PyTorch {torch.__version__}; medians of {RUNS}"
    )
    encoder = Encoder.load("default")
    size = encoder.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)

    tower = BATCH / seconds(lambda: encoder.encode_pixels(pixels))
    backbone = load_backbone(encoder.config.backbone)

    def eager() -> None:
        with torch.inference_mode():
            backbone(torch.from_numpy(pixels))

    baseline = BATCH / seconds(eager)
    print(f"image tower, ONNX Runtime          {tower:7.1f} images/s")
    print(f"its backbone alone, PyTorch eager  {baseline:7.1f} images/s   ratio {tower / baseline:.2f}")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = folder / "photos"
        photos.mkdir()
        write_photos(photos)
        paths = sorted(photos.iterdir())

        def one_by_one() -> None:
            for path in paths:
                encoder.encode_pixels(load_photo(path, size).pixels[None])

        runs = iter(range(100))
        indexing = N_PHOTOS / seconds(
            lambda: update_library(folder / f"library-{next(runs)}", [photos], encoder)
        )
        simple = N_PHOTOS / seconds(one_by_one)
        print(f"indexing {PHOTO_SIZE[0]} x {PHOTO_SIZE[1]} JPEGs       {indexing:7.1f} images/s")
        print(f"decode and encode one by one       {simple:7.1f} images/s   ratio {indexing / simple:.2f}")

        library = folder / "library-0"
        again = seconds(lambda: update_library(library, [photos], encoder))
        print(f"indexing them again, unchanged     {again * 1000:7.1f} ms")

        search = [sys.executable, str(ROOT / "cli.py"), "--library", str(library), "search", "a red car"]
        cold = seconds(lambda: subprocess.run(search, check=True, capture_output=True))
        torch_import = seconds(lambda: subprocess.run([sys.executable, "-c", "import torch"], check=True))
        print(f"one search, process start to end   {cold * 1000:7.1f} ms")
        ratio = cold / torch_import
        print(f"`import torch` alone               {torch_import * 1000:7.1f} ms   ratio {ratio:.2f}")

    query = seconds(lambda: encoder.encode_texts(["red car on a street"]), runs=50)
    print(f"one sentence through the tower     {query * 1000:7.1f} ms")


if __name__ == "__main__":
    main()
