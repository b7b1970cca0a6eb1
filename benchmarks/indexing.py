"""Indexing photos: images a second against what its parts could do alone, and against a plain loop.

    python -m benchmarks.indexing                       # photos of 512 x 384 and of 12 megapixels, made up
    python -m benchmarks.indexing --photos DIR          # your own

`index` is a process of its own, whose peak memory is measured; its rate is what it prints. The others run in
turn with it, in this process: the tower on pixels that are ready, decoding by all cores, and the loop that
anyone would write first: Pillow, torchvision's transforms, the same backbone in eager PyTorch, one INSERT.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image, ImageOps
from torchvision import transforms

from benchmarks.processes import RUNS, run
from twobranch.common.cpu import usable_cores
from twobranch.embedding.backbones import load_backbone
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.preprocess import load_photo
from twobranch.indexer.disk.walk import scan

ROOT = Path(__file__).parent.parent
SIZES = {"512 x 384": (512, 384, 1000), "4000 x 3000": (4000, 3000, 100)}  # and how many of them
READY = 64  # photos through the tower alone


def write_photos(folder: Path, width: int, height: int, n: int) -> None:
    """JPEGs with something in them: smooth colours and sharp edges with some noise, as cameras leave it."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(n):
        smooth = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        pixels = np.asarray(smooth.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
        edges = np.kron(rng.integers(-20, 21, (24, 32, 1)), np.ones((height // 24, width // 32, 1)))
        pixels[: edges.shape[0], : edges.shape[1]] += edges.astype(np.int16)
        pixels += rng.integers(-4, 5, pixels.shape, dtype=np.int16)
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        image.save(folder / f"{number:04}.jpg", quality=90)


def rate(n: int, work: Callable[[], object]) -> float:
    """Return the rate of ``n`` per second."""
    started = time.perf_counter()
    work()
    return n / (time.perf_counter() - started)


def index(photos: Path) -> tuple[float, float]:
    """Images a second, and the peak memory of the process in MB."""
    with tempfile.TemporaryDirectory() as library:
        command = [sys.executable, str(ROOT / "cli.py"), "--library", library, "--quiet", "index", "--json"]
        ended = run([*command, str(photos)])
        return json.loads(ended.output)["images_per_s"], ended.megabytes


def plain_loop(paths: Sequence[Path], backbone: torch.nn.Module, size: int) -> None:
    """The backbone in PyTorch, without the branch, whose cost is negligible."""
    transform = transforms.Compose([transforms.Resize((size, size)), transforms.PILToTensor()])
    with sqlite3.connect(":memory:") as connection, torch.inference_mode():
        connection.execute("CREATE TABLE photos (path TEXT, vector BLOB)")
        for path in paths:
            pixels = transform(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
            vector = backbone(pixels.permute(1, 2, 0)[None])
            connection.execute("INSERT INTO photos VALUES (?, ?)", (str(path), vector.numpy().tobytes()))


def row(name: str, photos: Path, encoder: Encoder, backbone: torch.nn.Module) -> str:
    """One line of the table; medians of ``RUNS`` after one more."""
    paths = [photos / file for file in scan(photos).files]
    size = encoder.image_size
    ready = np.random.default_rng(0).integers(0, 256, (READY, size, size, 3), dtype=np.uint8)
    some = paths[:40]
    results = []
    with ThreadPoolExecutor(usable_cores()) as threads:
        for _ in range(RUNS + 1):
            ours, memory = index(photos)
            tower = rate(READY, lambda: encoder.encode_pixels(ready))
            decoding = rate(len(paths), lambda: list(threads.map(lambda path: load_photo(path, size), paths)))
            plain = rate(len(some), lambda: plain_loop(some, backbone, size))
            results.append((ours, memory, tower, decoding, plain))
    ours, memory, tower, decoding, plain = (
        statistics.median(column) for column in zip(*results[1:], strict=True)
    )
    both = 1 / (1 / tower + 1 / decoding)
    return (
        f"| {name} | {len(paths):,} | {ours:.1f} | {memory:.0f} MB | {tower:.1f} | {ours / tower:.2f} "
        f"| {decoding:.1f} | {ours / min(tower, decoding):.2f} | {ours / both:.2f} "
        f"| {plain:.1f} | {ours / plain:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=Path, help="a folder of photos instead")
    arguments = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"ONNX Runtime {onnxruntime.__version__}, PyTorch {torch.__version__}; medians of {RUNS} after one "
        "more; images a second\n"
    )
    print(
        "| photos | number | index | peak | tower alone | ratio | decoding alone | index / the slower "
        "| index / both in turn | plain loop | ratio |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    encoder = Encoder.load("default")
    backbone = load_backbone(encoder.config.backbone, size=encoder.image_size)
    if arguments.photos is not None:
        print(row(arguments.photos.name, arguments.photos, encoder, backbone), flush=True)
        return
    with tempfile.TemporaryDirectory() as temporary:
        for name, (width, height, n) in SIZES.items():
            write_photos(folder := Path(temporary, name), width, height, n)
            print(row(name, folder, encoder, backbone), flush=True)


if __name__ == "__main__":
    main()
