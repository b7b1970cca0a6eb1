"""Image and text towers of well-known models: speed, memory, 8 bits; and rclip with the same architecture.

    python -m benchmarks.towers build FOLDER ARCHITECTURE...   # needs the extra train
    python -m benchmarks.towers costs FOLDER                   # each model folder in it, and the default
    python -m benchmarks.towers rclip FOLDER --python PYTHON   # of an environment that has rclip

The architectures are open_clip's, in full size, with random weights: that says all about speed and memory,
and nothing about quality. The machine is seldom idle, so models are measured in turn, several times, with
medians shown; "CPU" columns count processor time, which other programs disturb less than the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from benchmarks.indexing import write_photos
from benchmarks.processes import run
from twobranch.common.cpu import usable_cores
from twobranch.embedding.cost import measure_cost
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.language import ENGLISH
from twobranch.embedding.model_folder import CONFIG, SHIPPED_MODELS

ROOT = Path(__file__).parent.parent
ARCHITECTURES = ("ViT-B-32-256", "ViT-B-32", "ViT-B-16", "ViT-B-16-SigLIP2", "MobileCLIP2-S0")
RCLIPS = "ViT-B-32-256"  # the architecture of rclip 3
RCLIP_HOME, RCLIP_MODEL = "rclip-home", "ViT-B-32-256-datacomp_s34b_b86k"
ROUNDS = 3
SETS = {"640 x 480": (640, 480, 40), "4000 x 3000": (4000, 3000, 16)}
# rclip's own code from an empty database to the last vector, without the search that it would end with
RCLIP_INDEX = """
import os, sys
os.environ["RCLIP_DATADIR"] = sys.argv[1]
from rclip.main import init_rclip
init_rclip(sys.argv[2], 8)  # its default batch
"""
# Run in a process of its own: a figure by processor time.
CPU_FIGURE = """
import json, sys
from benchmarks.towers import cpu_query, cpu_rate
kind, folder = sys.argv[1:]
print(json.dumps(cpu_query(folder) if kind == "text" else cpu_rate(folder, int8=kind == "int8")))
"""


def cpu_rate(folder: str, *, int8: bool, seconds: float = 2.0) -> float:
    """Return the images that all cores encode in a second, by processor time."""
    encoder = Encoder.load(folder, int8=int8)
    side = encoder.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (1, 1, side, side, 3), dtype=np.uint8)
    encoder.encode_views(pixels)
    done, started = 0, time.process_time()
    with ThreadPoolExecutor(usable_cores()) as threads:
        while (used := time.process_time() - started) < seconds:
            list(threads.map(lambda _: encoder.encode_views(pixels), range(2 * usable_cores())))
            done += 2 * usable_cores()
    return usable_cores() * done / used


def cpu_query(folder: str, n: int = 15) -> float:
    """Return the milliseconds of a query in a loaded text tower, by processor time; the median."""
    encoder, times = Encoder.load(folder), []
    for _ in range(n + 2):
        started = time.process_time()
        encoder.encode_texts(["a dog on a beach"], ENGLISH)
        times.append(time.process_time() - started)
    return 1000 * statistics.median(times[2:])


def cpu_figure(kind: str, folder: Path) -> float:
    """Run ``cpu_query`` (kind "text") or ``cpu_rate`` ("float" or "int8") in a process of its own."""
    command = [sys.executable, "-c", CPU_FIGURE, kind, str(folder)]
    return float(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def costs(folder: Path) -> None:
    """Print a table of all model folders, measured in turn."""
    folders = [SHIPPED_MODELS / "default", *(path.parent for path in sorted(folder.glob(f"*/{CONFIG}")))]
    results: dict[Path, list[dict[str, Any]]] = {one: [] for one in folders}
    for _ in range(ROUNDS):
        for one in folders:
            cost = measure_cost(one).as_json()
            for part, kind in (("image", "float"), ("image_int8", "int8"), ("text", "text")):
                if cost[part] is not None:
                    cost[part]["cpu"] = cpu_figure(kind, one)
            results[one].append(cost)
            print(one.name, json.dumps(cost), file=sys.stderr)

    def figure(one: Path, part: str, name: str, digits: int = 0) -> str:
        values = [cost[part][name] for cost in results[one] if cost[part]]
        return f"{statistics.median(values):,.{digits}f}" if values else "-"

    print(
        "\n| model | tower, CPU: float / int8 | ratio | tower | 12 MP JPEGs | image MB "
        "| query ms, CPU | query ms | text MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for one in folders:
        image = [
            " / ".join(figure(one, part, name, digits) for part in ("image", "image_int8"))
            for name, digits in (("cpu", 1), ("images_per_s", 1), ("photos_per_s", 1), ("memory_mb", 0))
        ]
        plain, int8 = (figure(one, part, "cpu", 3) for part in ("image", "image_int8"))
        ratio = "-" if int8 == "-" else f"{float(int8) / float(plain):.2f}"
        text = [figure(one, "text", "cpu", 1), figure(one, "text", "query_ms", 1)]
        text.append(figure(one, "text", "memory_mb"))
        print(f"| {' | '.join([one.name, image[0], ratio, *image[1:], *text])} |", flush=True)


@dataclass(frozen=True)
class Contender:
    """A program that indexes a folder of photos."""

    name: str
    command: Sequence[str]  # {home} is a new folder for what it writes, {photos} the photos
    models: Path | None = None  # files that it looks for in its home

    def index(self, photos: Path) -> tuple[float, float, float]:
        """Index from nothing: seconds, processor seconds, peak MB of the process."""
        with tempfile.TemporaryDirectory() as home:
            for file in self.models.iterdir() if self.models else ():
                Path(home, file.name).symlink_to(file)
            before = _processor_seconds()
            ended = run([part.format(home=home, photos=photos) for part in self.command])
            return ended.seconds, _processor_seconds() - before, ended.megabytes


def _processor_seconds() -> float:
    """Return the processor time of all processes that were started here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def contenders(folder: Path, python: str) -> list[Contender]:
    """Return rclip, and `index` with the same architecture in float32 and in 8 bits."""
    ours = [sys.executable, str(ROOT / "cli.py"), "--library", "{home}", "--quiet", "index", "{photos}"]
    ours += ["--model", str(folder / RCLIPS)]
    return [
        Contender("rclip", [python, "-c", RCLIP_INDEX, "{home}", "{photos}"], folder / RCLIP_HOME),
        Contender("twobranch", ours),
        Contender("twobranch --int8", [*ours, "--int8"]),
    ]


def compare(folder: Path, python: str) -> None:
    """Print a table of the contenders. What a run with one photo takes is not counted in the rates."""
    competing = contenders(folder, python)
    with tempfile.TemporaryDirectory() as temporary:
        for name, (width, height, n) in SETS.items():
            write_photos(photos := Path(temporary, name), width, height, n)
            (single := Path(temporary, f"one {name}")).mkdir()
            (single / "0.jpg").write_bytes((photos / "0000.jpg").read_bytes())
            rates: dict[str, list[tuple[float, float, float]]] = {one.name: [] for one in competing}
            for _ in range(ROUNDS):
                for one in competing:
                    little, much = one.index(single), one.index(photos)
                    clock, processor = ((n - 1) / (much[i] - little[i]) for i in (0, 1))
                    rates[one.name].append((clock, usable_cores() * processor, much[2]))
                    print(
                        name, one.name, *(f"{figure:.1f}" for figure in rates[one.name][-1]), file=sys.stderr
                    )
            print(
                f"\n| {name}, {n} photos | images/s | ratio | CPU | ratio | peak |\n|---|---|---|---|---|---|"
            )
            medians = {
                name: tuple(map(statistics.median, zip(*values, strict=True)))
                for name, values in rates.items()
            }
            base = medians["rclip"]
            for name, (clock, processor, memory) in medians.items():
                print(
                    f"| {name} | {clock:.1f} | {clock / base[0]:.2f} | {processor:.1f} "
                    f"| {processor / base[1]:.2f} | {memory:.0f} MB |",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("build", "costs", "rclip"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("architectures", nargs="*", default=ARCHITECTURES)
    parser.add_argument("--python", default="python", help="of an environment with rclip")
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    if arguments.what == "build":
        from benchmarks.towerfolders import build

        for architecture in arguments.architectures:
            print(build(architecture, folder / architecture), flush=True)
        return
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"ONNX Runtime {onnxruntime.__version__}; medians of {ROUNDS}, in turn"
    )
    if arguments.what == "costs":
        costs(folder)
    else:
        compare(folder, arguments.python)


if __name__ == "__main__":
    main()
