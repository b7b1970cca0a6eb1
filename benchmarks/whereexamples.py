"""Eight heat maps in one picture, four good and four bad, on photographs that lie in Python wheels.

python -m benchmarks.whereexamples docs/where.webp
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

from PIL import Image

from twobranch.embedding.encoder import Encoder
from twobranch.retrieval.display.where_picture import where_picture
from twobranch.retrieval.where.locator import Located, Locator

SIDE = 380  # pixels of the longer side of a panel, at most
COLUMNS = 4
GROUND = (20, 20, 23)
PHOTOS = "skimage/data/"
HOPPER = "matplotlib/mpl-data/sample_data/grace_hopper.jpg"
GOOD = (
    (f"{PHOTOS}coffee.png", "a cup of coffee"),
    (f"{PHOTOS}motorcycle_left.png", "a motorcycle"),
    (f"{PHOTOS}astronaut.png", "an american flag"),
    (HOPPER, "a hat"),
)
BAD = (
    (f"{PHOTOS}coffee.png", "a spoon"),  # the saucer, too
    (f"{PHOTOS}motorcycle_left.png", "a wheel"),  # the shelf, and not the wheels
    (f"{PHOTOS}astronaut.png", "a helmet"),  # the collar and the flag, and not the helmet
    (f"{PHOTOS}camera.png", "a building"),  # said to be absent
)


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    locator = Locator(Encoder.load())
    panels = [panel(locator, installed(name), phrase) for name, phrase in (*GOOD, *BAD)]
    width, height = (max(one.size[axis] for one in panels) for axis in (0, 1))
    sheet = Image.new("RGB", (COLUMNS * width, -(-len(panels) // COLUMNS) * height), GROUND)
    for at, one in enumerate(panels):
        sheet.paste(one, (at % COLUMNS * width, at // COLUMNS * height))
    sheet.save(options.out, quality=80, method=6)


def installed(name: str) -> Path:
    """The path of a file in an installed package."""
    package, _, rest = name.partition("/")
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is not installed")
    return Path(found.origin).parent / rest


def panel(locator: Locator, photo: Path, phrase: str) -> Image.Image:
    """The heat map of a phrase over a photo."""
    located: Located = locator.locate(photo, [phrase])
    return where_picture(photo, located, SIDE)


if __name__ == "__main__":
    main()
