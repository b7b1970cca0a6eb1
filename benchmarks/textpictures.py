"""Pictures of text among near-duplicates: ``python -m benchmarks.textpictures --images DIR``.

Draws receipts, pages, forms and the like, each kind in one layout with other words, flat and as photos on a
table, and takes photos of the world from the folder. Prints which of them are told as pictures of text, how
many different ones a search hid by their cosine alone and hides now, and how many copies it still folds: the
tables of ``benchmarks/duplicates.md``. The source of a photo is its name up to the first "_".
"""

from __future__ import annotations

import argparse
import io
import random
import string
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from benchmarks.duplicates import KINDS as COPIES
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.preprocess import IMAGE_SUFFIXES
from twobranch.retrieval.collapse import NEAR_DUPLICATE, Comparison, collapse, text_kinds
from twobranch.retrieval.text_pictures import SENTENCES, TEXT, TextPictures

Picture = Image.Image
Vectors = NDArray[np.float32]
Fill = str | tuple[int, int, int]

FLAT, LAID = 24, 12  # pictures of each kind: as they are, and photographed on a table
COPIED = 200  # photos of the world, and pictures of text, of which copies are made
SHOWN = ("JPEG, quality 50", "JPEG, quality 85", "resized to 0.8", "cropped by 5%", "brightness x 1.15")
LIMITS = (0.2, 0.22, 0.24, 0.25, 0.26, 0.28, 0.3)
_BLACK: Fill = (25, 25, 25)


class Sheet:
    """A sheet of paper or a screen to write random words on."""

    def __init__(self, rng: random.Random, size: tuple[int, int], ground: Fill = "white") -> None:
        self.rng = rng
        self.picture = Image.new("RGB", size, ground)
        self.pen = ImageDraw.Draw(self.picture)

    def write(self, x: int, y: int, text: str, size: int = 18, fill: Fill = _BLACK) -> None:
        self.pen.text((x, y), text, fill, ImageFont.load_default(size))

    def words(self, characters: int) -> str:
        text = ""
        while len(text) < characters:
            text += "".join(self.rng.choices(string.ascii_lowercase, k=self.rng.randint(2, 9))) + " "
        return text[:characters]

    def number(self, most: int = 9999) -> str:
        return f"{self.rng.uniform(0, most):.2f}"


def receipt(rng: random.Random) -> Picture:
    sheet = Sheet(rng, (420, 860), (250, 250, 246))
    sheet.write(100, 30, "CORNER MARKET", 26)
    for y in range(110, 110 + 34 * rng.randint(12, 16), 34):
        sheet.write(30, y, sheet.words(9).upper())
        sheet.write(320, y, sheet.number(40))
    sheet.write(30, 680, "TOTAL", 28)
    sheet.write(290, 680, sheet.number(200), 28)
    return sheet.picture


def page(rng: random.Random) -> Picture:
    sheet = Sheet(rng, (800, 1100))
    for line in range(38):
        if line % 9 != 8:
            sheet.write(70, 60 + 26 * line, sheet.words(72), 17)
    return sheet.picture


def form(rng: random.Random) -> Picture:
    sheet = Sheet(rng, (800, 1100))
    sheet.write(260, 40, "APPLICATION FORM", 28)
    for row, name in enumerate(["Name", "Street", "City", "Born", "Phone", "Mail", "Bank", "Amount"]):
        y = 130 + 84 * row
        sheet.write(60, y, name, 20)
        sheet.pen.rectangle((220, y - 8, 740, y + 40), outline=(90, 90, 90))
        sheet.write(235, y, sheet.words(14), 24, (10, 10, 120))
    return sheet.picture


def table(rng: random.Random) -> Picture:
    sheet = Sheet(rng, (1200, 800))
    for row in range(20):
        for column in range(8):
            x, y = 20 + 145 * column, 20 + 38 * row
            sheet.pen.rectangle((x, y, x + 145, y + 38), (220, 235, 220) if row == 0 else None, (200,) * 3)
            sheet.write(x + 10, y + 8, sheet.number() if row and column else sheet.words(8))
    return sheet.picture


def slide(rng: random.Random) -> Picture:
    sheet = Sheet(rng, (1280, 720))
    sheet.pen.rectangle((0, 0, 1280, 110), (30, 50, 100))
    sheet.write(60, 30, sheet.words(18).title(), 48, "white")
    for y in range(180, 600, 90):
        sheet.write(100, y, f"-  {sheet.words(rng.randint(20, 40))}", 34)
    return sheet.picture


def chat(rng: random.Random) -> Picture:
    sheet, y = Sheet(rng, (540, 1100), (236, 240, 244)), 110
    sheet.pen.rectangle((0, 0, 540, 80), (20, 110, 190))
    sheet.write(80, 25, "Anna", 28, "white")
    while y < 1000:
        mine, lines, width = rng.random() < 0.5, rng.randint(1, 3), rng.randint(200, 380)
        x = 520 - width if mine else 20
        box = (x, y, x + width, y + 26 * lines + 24)
        sheet.pen.rounded_rectangle(box, 14, (200, 240, 200) if mine else "white")
        for line in range(lines):
            sheet.write(x + 14, y + 12 + 26 * line, sheet.words(width // 11))
        y += 26 * lines + 44
    return sheet.picture


def code(rng: random.Random) -> Picture:
    sheet = Sheet(rng, (1280, 800), (30, 30, 40))
    for y in range(14, 780, 26):
        text = f"{sheet.words(6).strip()} = {sheet.words(8).strip()}({rng.randint(0, 99)})"
        sheet.write(20 + 30 * rng.randint(0, 4), y, text, 18, (210, 210, 170))
    return sheet.picture


def ticket(rng: random.Random) -> Picture:
    sheet = Sheet(rng, (900, 360), (235, 242, 250))
    sheet.pen.rectangle((0, 0, 900, 60), (180, 20, 40))
    sheet.write(30, 14, "BOARDING PASS", 28, "white")
    for at, name in enumerate(["Name", "From", "To", "Flight", "Seat", "Gate", "Date"]):
        x, y = 30 + 210 * (at % 4), 90 + 110 * (at // 4)
        sheet.write(x, y, name, 18, (110, 110, 110))
        sheet.write(x, y + 25, sheet.words(7).upper(), 26)
    return sheet.picture


def card(rng: random.Random) -> Picture:
    sheet = Sheet(rng, (700, 400))
    sheet.write(60, 80, sheet.words(13).title(), 44)
    for y, text in (
        (150, sheet.words(12)),
        (260, f"+1 {rng.randint(100, 999)} 5550"),
        (300, sheet.words(10)),
    ):
        sheet.write(60, y, text, 22)
    return sheet.picture


def menu(rng: random.Random) -> Picture:
    sheet = Sheet(rng, (700, 1000), (252, 246, 230))
    sheet.write(260, 40, "MENU", 60, (120, 30, 30))
    for y in range(170, 900, 72):
        sheet.write(70, y, sheet.words(18).title(), 24)
        sheet.write(560, y, sheet.number(40), 24)
        sheet.write(70, y + 30, sheet.words(40), 15, (110, 110, 110))
    return sheet.picture


def letter(rng: random.Random) -> Picture:
    sheet = Sheet(rng, (800, 1100), (253, 253, 250))
    for y, text in ((80, 20), (110, 16), (240, 24), (300, 12)):
        sheet.write(80, y, sheet.words(text).title())
    for y in range(350, 650, 28):
        sheet.write(80, y, sheet.words(64))
    sheet.write(80, 760, sheet.words(12).title(), 30, (20, 30, 120))
    return sheet.picture


def calendar(rng: random.Random) -> Picture:
    sheet = Sheet(rng, (1100, 850))
    sheet.write(40, 20, sheet.words(8).title(), 44)
    for day in range(35):
        x, y = 20 + 152 * (day % 7), 90 + 148 * (day // 7)
        sheet.pen.rectangle((x, y, x + 152, y + 148), outline=(180, 180, 180))
        sheet.write(x + 8, y + 6, str(day + 1))
        if rng.random() < 0.4:
            sheet.pen.rectangle((x + 6, y + 40, x + 146, y + 66), (200, 220, 250))
            sheet.write(x + 10, y + 42, sheet.words(12), 15)
    return sheet.picture


# Sentences and limit were chosen on the first nine kinds; the others were drawn afterwards.
LAYOUTS: dict[str, Callable[[random.Random], Picture]] = {
    "receipt": receipt, "page": page, "form": form, "table": table, "slide": slide, "chat": chat,
    "code": code, "ticket": ticket, "card": card, "menu": menu, "letter": letter, "calendar": calendar,
}  # fmt: skip


def laid(sheet: Picture, rng: random.Random) -> Picture:
    """Return a photo of a sheet on a table: turned, off the middle, a little blurred."""
    size = (1000, 1200)
    ground = Image.blend(
        Image.new("RGB", size, (120, 85, 55)), Image.effect_noise(size, 25).convert("RGB"), 0.12
    )
    sheet = sheet.copy()
    sheet.thumbnail((760, 1000))
    angle = rng.uniform(-4, 4)
    mask = Image.new("L", sheet.size, 255).rotate(angle, expand=True)
    sheet = sheet.rotate(angle, expand=True, resample=Image.Resampling.BICUBIC)
    x, y = ((whole - part) // 2 + rng.randint(-20, 20) for whole, part in zip(size, sheet.size, strict=True))
    ground.paste(sheet, (x, y), mask)
    return ground.filter(ImageFilter.GaussianBlur(0.7))


def saved(picture: Picture, quality: int = 90) -> Picture:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def drawn(flat: int, on_table: int) -> dict[str, list[Picture]]:
    """Draw all kinds, each flat and on a table."""
    pictures: dict[str, list[Picture]] = {}
    for name, draw in LAYOUTS.items():
        sheets = [draw(random.Random(f"{name} {number}")) for number in range(flat)]
        pictures[name] = [saved(sheet) for sheet in sheets]
        pictures[f"{name} on a table"] = [
            saved(laid(sheet, random.Random(f"{name} {number}")))
            for number, sheet in enumerate(sheets[:on_table])
        ]
    return pictures


def hidden(rows: Vectors, kinds: NDArray[np.int64] | None) -> float:
    """Return the share of different pictures that are collapsed under another one."""
    return 1 - len(collapse(rows, kinds=kinds)) / len(rows)


def percent(share: float | np.floating) -> str:
    return f"{100 * float(share):.1f}%"


def text_table(vectors: dict[str, Vectors], text: TextPictures) -> None:
    print("\n| pictures of text, one layout | number | highest cosine | told | hidden before | hidden now |")
    print("|---|---|---|---|---|---|")
    for name, rows in vectors.items():
        is_text = text.find(rows)
        now = hidden(rows, text_kinds(rows, is_text))
        highest = np.triu(rows @ rows.T, 1).max()
        print(
            f"| {name} | {len(rows)} | {highest:.3f} | {percent(is_text.mean())} "
            f"| {percent(hidden(rows, None))} | {percent(now)} |"
        )


def print_changed_price(encoder: Encoder) -> None:
    """Print the cosines of receipts and the same ones with another first price."""
    receipts = [receipt(random.Random(f"receipt {number}")) for number in range(10)]
    changed = [picture.copy() for picture in receipts]
    for picture in changed:
        pen = ImageDraw.Draw(picture)
        pen.rectangle((315, 106, 400, 134), (250, 250, 246))
        pen.text((320, 110), "7.77", _BLACK, ImageFont.load_default(18))
    cosines = (encoder.encode_images(receipts) * encoder.encode_images(changed)).sum(axis=1)
    print(f"\nReceipts with one price changed: cosines from {cosines.min():.4f} to {cosines.max():.4f}")


def limit_table(texts: dict[str, Vectors], world: dict[str, Vectors], encoder: Encoder) -> None:
    direction = encoder.encode_texts(SENTENCES, "en").mean(axis=0)
    print(f"\n| limit | pictures of text told | the least of all kinds | {' | '.join(world)} |")
    print(f"|---|---|---|{'---|' * len(world)}")
    for limit in LIMITS:
        told = {name: float((rows @ direction >= limit).mean()) for name, rows in texts.items()}
        least = min(told, key=told.__getitem__)
        wrong = " | ".join(percent((rows @ direction >= limit).mean()) for rows in world.values())
        every = percent((np.concatenate(list(texts.values())) @ direction >= limit).mean())
        print(f"| {limit} | {every} | {percent(told[least])} ({least}) | {wrong} |")


def copies_table(groups: dict[str, list[Picture]], encoder: Encoder, text: TextPictures) -> None:
    """Print how many copies are folded, by their cosine alone and now."""
    print(f"\n| copies folded, before and now | {' | '.join(SHOWN)} |")
    print(f"|---|{'---|' * len(SHOWN)}")
    for name, pictures in groups.items():
        own = encoder.encode_images(pictures)
        cells = []
        for kind in SHOWN:
            copy = COPIES[kind]
            made = [saved(copy.make(picture, random.Random(0)), copy.quality) for picture in pictures]
            rows = encoder.encode_images(made)
            near = (own * rows).sum(axis=1) >= NEAR_DUPLICATE
            same = (own == rows).all(axis=1) | ~(text.find(own) | text.find(rows))
            cells.append(f"{percent(near.mean())}, {percent((near & same).mean())}")
        print(f"| {name} | {' | '.join(cells)} |")


def time_collapse(rows: Vectors, text: TextPictures) -> None:
    """Print what the look at text costs once the sentences are encoded."""
    hits = rows[:110]
    comparison = Comparison(lambda ids: hits[list(ids)], text.find)
    seconds: dict[str, list[float]] = defaultdict(list)
    for _ in range(50):
        for name, work in (
            ("before", lambda: collapse(hits)),
            ("now", lambda: comparison.groups(range(110))),
        ):
            started = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - started)
    best = ", ".join(f"{name} {1000 * min(each):.2f} ms" for name, each in seconds.items())
    print(f"\nCollapsing 110 hits, all pictures of text: {best}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures of text among near-duplicates.")
    parser.add_argument("--images", type=Path, required=True, help="a folder of photos of the world")
    parser.add_argument(
        "--documents", default="named_sroie_*", help="those of them that are pictures of text"
    )
    parser.add_argument("--photos", type=int, default=300, help="how many of each source")
    parser.add_argument("--model", default="default")
    arguments = parser.parse_args()
    encoder = Encoder.load(arguments.model)
    with tempfile.TemporaryDirectory() as folder:
        run(arguments, encoder, TextPictures(lambda: encoder, encoder.fingerprint, Path(folder)))


def run(arguments: argparse.Namespace, encoder: Encoder, text: TextPictures) -> None:

    paths = sorted(path for path in arguments.images.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    sources: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        if not fnmatch(path.name, arguments.documents):
            sources[path.name.partition("_")[0]].append(path)
    rng = random.Random(1)
    chosen = {name: rng.sample(some, min(len(some), arguments.photos)) for name, some in sources.items()}
    world = {name: encoder.encode_images(some) for name, some in chosen.items()}
    pictures = drawn(FLAT, LAID)
    texts = {name: encoder.encode_images(some) for name, some in pictures.items()}
    documents = [path for path in paths if fnmatch(path.name, arguments.documents)]
    if documents:
        texts["photos of receipts"] = encoder.encode_images(documents)
    print(f"model {encoder.name}; told as text from {TEXT}; {sum(map(len, chosen.values())):,} photos")
    text_table(texts, text)
    print_changed_price(encoder)
    limit_table(texts, world, encoder)
    photos = rng.sample([path for some in chosen.values() for path in some], COPIED)
    sheets = rng.sample([sheet for some in pictures.values() for sheet in some], COPIED // 2)
    opened = [Image.open(path).convert("RGB") for path in photos]
    copies_table({"photos of the world": opened, "pictures of text": sheets}, encoder, text)
    time_collapse(np.concatenate(list(texts.values())), text)


if __name__ == "__main__":
    main()
