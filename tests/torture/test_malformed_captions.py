"""Caption files that are nearly right: read as they are meant, or refused with the file and the line."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.torture.conftest import Rounds
from twobranch.common.errors import CaptionFileError
from twobranch.indexer.captionfiles.corpus import read_corpus

TEXTS = ("A red car .", 'She said "stop" , twice .', "Été; a | b, c", "日本 #1", "x" * 200)
NAMES = ("a.jpg", "sub/b.png", "c d.jpg", "val2014/é.jpg", "1#2.webp")
PAIRS = tuple(zip(NAMES, TEXTS, strict=True))
COCO = {
    "images": [{"id": n, "file_name": name} for n, name in enumerate(NAMES)],
    "annotations": [{"image_id": n, "caption": text} for n, text in enumerate(TEXTS)],
}
KARPATHY = {
    "images": [
        {"filename": name, "split": "train", "sentences": [{"raw": text}, {"raw": "again"}]}
        for name, text in PAIRS
    ]
}


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


FILES = {
    "token.txt": "".join(f"{name}#{n}\t{text}\n" for name, text in PAIRS for n in range(2)),
    "bare.tsv": "".join(f"{name}\t{text}\n" for name, text in PAIRS),
    "table.csv": "image,caption,split\n" + "".join(f"{n},{quoted(t)},dev\n" for n, t in PAIRS),
    "bars.csv": "image_name| comment_number| comment\n" + "".join(f"{n}| 0| {t}\n" for n, t in PAIRS[:2]),
    "lines.jsonl": "".join(json.dumps({"image": n, "captions": [t, t]}) + "\n" for n, t in PAIRS),
    "list.json": json.dumps([{"image": n, "caption": t} for n, t in PAIRS]),
    "coco.json": json.dumps(COCO, indent=1),
    "karpathy.json": json.dumps(KARPATHY, ensure_ascii=False),
}
JUNK = (
    '"', "'", "\0", "\ufeff", "\t", "\r", "\n\n", ",", "|", "#0\t", "{", "}", "[" * 20, "]", "\\", "\\u0000",
    "\\ud800", "../", "/", "1e999", "NaN", "null", "\x1c", "\u2028", "image", "caption", '"id": [1]', "\x85",
)  # fmt: skip
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "cp437", "shift-jis")


def spoil(random: Random, text: str) -> bytes:
    """The file's text with pieces put in, cut out or doubled, in some encoding, and maybe bits flipped."""
    for _ in range(random.choice((0, 1, 1, 2, 5))):
        at, n = random.randrange(len(text) + 1), random.choice((1, 3, 20, 100))
        how = random.randrange(4)
        if how == 0:
            text = text[:at] + random.choice(JUNK) + text[at:]
        elif how == 1:
            text = text[:at] + text[at + n :]
        elif how == 2:
            text = text[:at] + text[at : at + n] * 2 + text[at + n :]
        else:
            text = text[:at]
    data = bytearray(text.encode(random.choice(ENCODINGS) if random.random() < 0.3 else "utf-8", "replace"))
    if random.random() < 0.3:
        for _ in range(random.choice((1, 4))):
            if data:
                data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(data)


def test_nothing_but_a_corpus_or_the_place_of_the_mistake(
    tmp_path: Path, random: Random, rounds: Rounds, tally: Counter[str]
) -> None:
    for _ in range(n := rounds(short=2500, long=200_000)):
        name = random.choice(list(FILES))
        path = tmp_path / name
        path.write_bytes(spoil(random, FILES[name]))
        try:
            corpus = read_corpus(path)
        except CaptionFileError as error:
            assert str(path) in str(error) and len(str(error)) < 1000
            tally["malformed caption files refused with the place of the mistake"] += 1
            continue
        tally["malformed caption files read"] += 1
        assert corpus.captions
        for caption in corpus.captions:
            for text in (caption.text, caption.image, caption.split):
                # What the catalogue can hold, on one line.
                assert text is None or (text == " ".join(text.split()) if text is caption.text else True)
                assert text is None or (text and "\0" not in text and text.encode())
            assert caption.image is None or ".." not in caption.image.split("/")
    assert tally["malformed caption files read"] > n / 10


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere(tmp_path: Path, name: str, rounds: Rounds, random: Random) -> None:
    """What is left of a table or of lines is read up to the cut or refused with its last line; what is left
    of a JSON document is refused."""
    data = FILES[name].encode()
    whole = read_written(tmp_path / name, data)
    assert whole is not None
    cuts = range(len(data)) if rounds.is_long else random.sample(range(len(data)), 60)
    for length in cuts:
        read = read_written(tmp_path / name, data[:length])
        if name.endswith(".json") and length < len(data.rstrip()):
            assert read is None
        # All but the last line are as they were.
        assert read is None or read[:-1] == whole[: len(read) - 1]


def read_written(path: Path, data: bytes) -> list[tuple[str | None, str]] | None:
    """The captions of these bytes; None where they are refused."""
    path.write_bytes(data)
    try:
        return [(caption.image, caption.text) for caption in read_corpus(path).captions]
    except CaptionFileError as error:
        assert str(path) in str(error)
        return None


@pytest.mark.parametrize("opening", ["[", '{"caption":', '[{"caption":', '{"images":[{"filename":'])
def test_nesting_at_every_depth(tmp_path: Path, opening: str) -> None:
    """Just below what the parser takes is the most that an error message is made from."""
    closing = "".join({"[": "]", "{": "}"}[c] for c in reversed(opening) if c in "[{")
    path = tmp_path / "deep.json"
    for depth in [*range(400, 1000), 100_000]:
        path.write_text(opening * depth + "1" + closing * depth)
        with pytest.raises(CaptionFileError, match=r"deep\.json") as caught:
            read_corpus(path)
        assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "line",
    [
        "x" * 10_000_000,
        "a.jpg#" * 1_500_000,
        "a.jpg" + " " * 10_000_000,
        ".jpg " * 2_000_000,
        "a.jpg\t" + '"' * 10_000_000,
        "#" + "1" * 10_000_000,
        "image,caption\n" + '"' * 9_999_999,
        "image|caption\n" + " 1" * 5_000_000,
        "[" * 10_000_000,
        '{"caption": "' + "\\u0000" * 1_500_000 + '"}',
        '{"' + "k" * 10_000_000 + '": 1}',
        '{"caption": ' + "1" * 10_000_000 + "}",
    ],
    ids=lambda line: line[:14].strip(),
)
def test_lines_of_ten_megabytes(tmp_path: Path, line: str) -> None:
    path = tmp_path / "long.txt"
    path.write_text(line)
    started = time.process_time()
    try:
        read_corpus(path)
    except CaptionFileError as error:
        assert str(path) in str(error) and len(str(error)) < 1000
    assert time.process_time() - started < 10
