"""Draw the icons of the installed page: `python tests/page/icons.py` in the root of the repository.

Two branches that meet in one stem, white on blue. The maskable one keeps the mark inside the inner 80%, as a
phone may cut its icons to a circle.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = Path(__file__).parents[2] / "server/page/icons"
BLUE, WHITE = "#1d4ed8", "#ffffff"
FINER = 4  # drawn so many times larger, then reduced
STEM, FORK, LEFT, RIGHT = (0.5, 0.84), (0.5, 0.56), (0.26, 0.26), (0.74, 0.26)


def icon(side: int, mark: float, corner: float) -> Image.Image:
    """The icon; ``mark`` and ``corner`` are fractions of its side."""
    large = side * FINER
    picture = Image.new("RGBA", (large, large))
    pen = ImageDraw.Draw(picture)
    pen.rounded_rectangle((0, 0, large - 1, large - 1), corner * large, BLUE)

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return tuple(large * (0.5 + (part - 0.5) * mark) for part in point)  # type: ignore[return-value]

    width = round(0.09 * mark * large)
    for end in (STEM, LEFT, RIGHT):
        pen.line((at(FORK), at(end)), WHITE, width)
    for point, radius in ((FORK, 0.045), (STEM, 0.045), (LEFT, 0.12), (RIGHT, 0.12)):
        x, y = at(point)
        size = radius * mark * large
        pen.ellipse((x - size, y - size, x + size, y + size), WHITE)
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    icon(192, 1.0, 0.22).quantize(64).save(FOLDER / "icon-192.png", optimize=True)
    icon(512, 1.0, 0.22).quantize(64).save(FOLDER / "icon-512.png", optimize=True)
    icon(512, 0.72, 0.0).quantize(64).save(FOLDER / "maskable-512.png", optimize=True)


if __name__ == "__main__":
    main()
