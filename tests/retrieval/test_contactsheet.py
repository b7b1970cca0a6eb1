"""Hits as a page of pictures, which must stay text and pictures whatever names and captions say."""

from __future__ import annotations

import base64
import io
import os
import re
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from PIL import ExifTags, Image

from tests.fakes import write_photo
from twobranch.common.errors import UserError
from twobranch.retrieval.display import contact_sheet as contactsheet
from twobranch.retrieval.display.contact_sheet import write_sheet
from twobranch.retrieval.display.notebook import Hits
from twobranch.retrieval.hits import Hit

EVIL = "<img src=x onerror=alert(1)>.jpg"
EVIL_CAPTION = "\"><script>alert('hi')</script> & </figure>"


class Tags(HTMLParser):
    """The start tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, tag: str, attribute: str) -> list[str]:
        return [value for name, found in self.tags if name == tag and (value := found.get(attribute))]


def picture(source: str) -> Image.Image:
    """The image inside a data URL."""
    head, _, data = source.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


def sheet(folder: Path, title: str, hits: list[Hit]) -> Tags:
    write_sheet(folder / "sheet.html", title, hits)
    return Tags((folder / "sheet.html").read_text(encoding="utf-8"))


def test_pictures_facts_and_links(tmp_path: Path) -> None:
    names = ("red one#1?.png", "50%.jpg", "caf\udce9.jpg")  # the last as os.fsdecode reads Latin-1
    photos = [write_photo(tmp_path / name, "red", (960, 480)) for name in names]
    hits = [Hit(i, 1 / i, photo, None, 0.004) for i, photo in enumerate(photos, start=1)]
    page = sheet(
        tmp_path, "something red", [*hits[:2], Hit(3, 0.1, photos[2], None, 0.9, date=datetime(2020, 2, 3))]
    )
    assert [picture(source).size for source in page.values("img", "src")] == [(480, 240)] * 3
    for link, photo in zip(page.values("a", "href"), photos, strict=True):
        assert link.startswith("file:///")
        assert unquote_to_bytes(link.removeprefix("file://")) == os.fsencode(photo)
    assert "something red" in page.text
    assert all(
        fact in page.text for fact in ("1.000", "<1%", "90%", "2020-02-03", "red one#1?.png", "caf?.jpg")
    )


def test_names_captions_and_titles_are_text(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / EVIL, "red")
    hits = [Hit(1, 0.5, photo, EVIL_CAPTION), Hit(2, 0.4, tmp_path / '" onclick="alert(2)', None)]
    page = sheet(tmp_path, EVIL_CAPTION, hits)
    assert EVIL in page.text
    assert page.text.count(EVIL_CAPTION) == 3  # title, heading and caption
    assert page.values("img", "alt") == [EVIL_CAPTION]
    for tag, attributes in page.tags:
        assert tag != "script"
        assert not any(name.startswith("on") for name in attributes)
    # The policy allows the pictures inside the page and its one style sheet, which it names by its hash.
    (policy,) = [v for v in page.values("meta", "content") if "default-src" in v]
    assert re.fullmatch(
        r"default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src 'sha256-\S{44}'",
        policy,
    )


def test_the_picture_is_upright_and_holds_no_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Artist] = "somebody"
    Image.new("RGB", (40, 20), "red").save(tmp_path / "a.jpg", exif=exif)
    page = sheet(tmp_path, "red", [Hit(1, 0.5, tmp_path / "a.jpg", None)])
    (image,) = map(picture, page.values("img", "src"))
    assert image.size == (20, 40)
    assert not image.getexif()


def test_a_photo_that_cannot_be_read_has_a_reason_in_its_place(tmp_path: Path) -> None:
    hits = [Hit(1, 0.5, tmp_path / "gone.jpg", "a dog"), Hit(2, 0.4, None, "a cat")]
    page = sheet(tmp_path, "pets", hits)
    assert page.values("img", "src") == []
    assert all(text in page.text for text in ("no such file", "a dog", "the photo is not in the library"))


def test_the_old_page_stays_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sheet.html").write_text("old")

    def interrupted(hit: Hit, places: None) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(contactsheet, "_card", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_sheet(tmp_path / "sheet.html", "red", [Hit(1, 0.5, None, "red")])
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.html"]
    assert (tmp_path / "sheet.html").read_text() == "old"


def test_where_no_page_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder or a device; name a file"):
        write_sheet(tmp_path, "red", [])
    with pytest.raises(UserError, match=r"no/sheet\.html: cannot be written \(No such file"):
        write_sheet(tmp_path / "no" / "sheet.html", "red", [])
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"sheet\.html: cannot be written \(Not a directory"):
        write_sheet(tmp_path / "file" / "sheet.html", "red", [])


def test_a_notebook_shows_the_first_hits(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / EVIL, "red", (320, 320))
    hits = Hits(Hit(rank, 0.5, photo, EVIL_CAPTION) for rank in range(1, 31))
    page = Tags(hits._repr_html_())
    assert [picture(source).size for source in page.values("img", "src")] == [(160, 160)] * 24
    assert "and 6 more" in page.text
    assert {tag for tag, _ in page.tags} == {"div", "figure", "img", "figcaption", "b", "br", "bdi", "p"}
    assert "no hits" in Hits()._repr_html_()
    assert "caf?.jpg" in Hits([Hit(1, 0.5, tmp_path / "caf\udce9.jpg", None)])._repr_html_()
    assert hits[:2] == [hits[0], hits[1]] == list(hits)[:2]
