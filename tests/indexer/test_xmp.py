"""XMP sidecars as other programs write them, and what becomes of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from xml.dom import minidom

import pytest

from tests.fakes import FakeEncoder
from tests.indexing import images, index
from twobranch.common.errors import UserError
from twobranch.common.progress import Silent
from twobranch.indexer.catalog.albums import add_to_album, albums_by_photo, create_album
from twobranch.indexer.catalog.marks import Marks, marks_of, set_marks
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.writing import writing
from twobranch.indexer.disk.xmp import SidecarError, SidecarMarks, Sidecars, marks_in, with_marks
from twobranch.indexer.maintenance.sidecars import export_marks, import_marks

DARKTABLE = """<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:darktable="http://darktable.sf.net/"
   xmp:Rating="3"
   darktable:auto_presets_applied="1">
   <darktable:history>
    <rdf:Seq>
     <rdf:li
      darktable:operation="exposure"
      darktable:params="gz02eJxjYGBg&#10;YGYAgQYGhgZ7hiZ"/>
    </rdf:Seq>
   </darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
LIGHTROOM = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 <rdf:Description rdf:about="" xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" crs:Version="15.4"/>
 <rdf:Description rdf:about="" xmlns:xap="http://ns.adobe.com/xap/1.0/">
  <xap:CreatorTool>Adobe Lightroom</xap:CreatorTool>
  <xap:Rating>2</xap:Rating>
 </rdf:Description>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>
"""
DIGIKAM = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:digiKam="http://www.digikam.org/ns/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/" digiKam:PickLabel="0">
   <dc:subject><rdf:Bag><rdf:li>Fl&#xFC;sse</rdf:li></rdf:Bag></dc:subject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
BOMB = """<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description>&b;</rdf:Description></rdf:RDF></x:xmpmeta>"""
ABROAD = BOMB.replace('<!ENTITY a "aaaaaaaaaa">', '<!ENTITY a SYSTEM "file:///etc/passwd">')


def leaves(data: str | bytes) -> Iterator[str]:
    """All attributes and texts of a document but our own, as they mean."""
    for element in minidom.parseString(data).getElementsByTagName("*"):
        for name, value in element.attributes.items():
            if "twobranch" not in name and not name.endswith("Rating"):
                yield f"{element.tagName} {name}={value}"
        for child in element.childNodes:
            if child.nodeType == child.TEXT_NODE and child.data.strip():
                yield f"{element.tagName}: {child.data.strip()}"


@pytest.mark.parametrize(("sidecar", "rating"), [(DARKTABLE, 3), (LIGHTROOM, 2), (DIGIKAM, None)])
def test_sidecars_of_other_programs(sidecar: str, rating: int | None) -> None:
    assert marks_in(sidecar.encode()) == SidecarMarks(rating)
    marks = SidecarMarks(5, True, ("Rome", "a <b> & c"))
    new = with_marks(sidecar.encode(), marks)
    assert marks_in(new) == marks
    assert new.count(b"Rating") == (4 if b"</xap:Rating" in new else 2) // 2  # the one that was there
    kept = [leaf for leaf in leaves(sidecar) if "Rating" not in leaf]
    assert [leaf for leaf in leaves(new) if leaf in kept] == kept


@pytest.mark.parametrize("text", ["0", "-1", "", "nan", "inf", "6", "x"])
def test_ratings_that_are_none(text: str) -> None:
    assert marks_in(DARKTABLE.replace('"3"', f'"{text}"').encode()) == SidecarMarks()


def test_ratings_with_decimals() -> None:
    assert marks_in(DARKTABLE.replace('"3"', '"4.0"').encode()) == SidecarMarks(4)


def test_a_rating_of_another_program_is_never_removed() -> None:
    assert marks_in(with_marks(DARKTABLE.encode(), SidecarMarks(None, False))) == SidecarMarks(3)


def test_what_is_no_longer_so_is_removed() -> None:
    new = with_marks(None, SidecarMarks(4, True, ("Rome",)))
    assert marks_in(with_marks(new, SidecarMarks(4, False))) == SidecarMarks(4, False)


def test_a_prefix_that_means_something_else() -> None:
    other = DARKTABLE.replace("http://ns.adobe.com/xap/1.0/", "http://example.org/")
    new = with_marks(other.encode(), SidecarMarks(5))
    assert b'xmp:Rating="3"' in new and marks_in(new) == SidecarMarks(5)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (BOMB, "document type"),
        (ABROAD, "document type"),
        ("", "not XML"),
        ("<a>", "not XML"),
        ("<a/>", "not XMP"),
        ("<?xml version='1.0' encoding='x-none'?><a/>", "not XML"),
        ("<a>" * 10_000 + "</a>" * 10_000, "nested too deeply"),
        # Small files that would fill the memory: 200,000 parts are the most.
        (f"<a>{'<a/>' * 200_000}</a>", "200,000 elements"),
        ("<a>" + '<a b=""/>' * 100_000 + "</a>", "200,000 elements"),
        (f"<a>{'<!---->' * 200_000}</a>", "200,000 elements"),
        (f"<a>{'<?a?>' * 200_000}</a>", "200,000 elements"),
        (f"<a>{'<![CDATA[]]>' * 200_000}</a>", "200,000 elements"),
    ],
)
def test_files_that_are_no_sidecars(data: str, reason: str) -> None:
    for work in (marks_in, lambda data: with_marks(data, SidecarMarks(4))):
        with pytest.raises(SidecarError, match=reason):
            work(data.encode())


def test_sidecars_by_their_names(tmp_path: Path) -> None:
    names = ("a.jpg", "a.jpg.xmp", "a.xmp", "b.jpg", "b.XMP", "c.jpg", "c.cr2", "c.xmp", "d.jpg")
    for name in names:
        (tmp_path / name).touch()
    sidecars = Sidecars(tmp_path)
    found = {name: sidecars.of(f"{name}.jpg") for name in "abcd"}
    assert {name: path and path.name for name, path in found.items()} == {
        "a": "a.jpg.xmp",
        "b": "b.XMP",
        "c": None,  # that of c.cr2
        "d": None,
    }


# --- a whole library --------------------------------------------------------------------------------


@pytest.fixture
def marked(library: Path, photos: Path, encoder: FakeEncoder) -> Path:
    """red.png has 4 stars and is in Rome, green.png is a favourite; blue.png has nothing."""
    index(library, photos, encoder)
    red, green = (images(library)[f"photos/{name}.png"].id for name in ("red", "green"))
    with writing(library) as connection:
        set_marks(connection, [red], rating=4)
        set_marks(connection, [green], favourite=True)
        add_to_album(connection, create_album(connection, "Rome"), [red])
    return library


def marks(library: Path) -> dict[str, tuple[Marks, tuple[str, ...]]]:
    rows = {row.id: Path(path).name for path, row in images(library).items()}
    with closing(CatalogReader.open(library)) as reader:
        found, albums = marks_of(reader, list(rows)), albums_by_photo(reader, list(rows))
    return {rows[id_]: (one, albums.get(id_, ())) for id_, one in found.items()}


def forget_marks(library: Path) -> None:
    with writing(library) as connection:
        for table in ("marks", "albums"):
            connection.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize("beside", [True, False])
def test_there_and_back(marked: Path, photos: Path, tmp_path: Path, beside: bool) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in photos.iterdir()}
    folder = None if beside else tmp_path / "backup"
    done = export_marks(marked, None, folder, Silent())
    place = photos if folder is None else folder / photos.relative_to(photos.anchor)
    assert sorted(done.written) == [place / "green.png.xmp", place / "red.png.xmp"]
    assert export_marks(marked, None, folder, Silent()).unchanged == 2
    wanted = marks(marked)
    forget_marks(marked)
    read = import_marks(marked, None, folder, Silent())
    assert (read.sidecars, read.ratings, read.favourites, read.albums) == (2, 1, 1, ("Rome",))
    assert marks(marked) == wanted
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before
    assert not list(tmp_path.rglob("*.part"))


def test_an_import_adds_and_replaces_but_never_removes(marked: Path, photos: Path) -> None:
    (photos / "red.png.xmp").write_text(DIGIKAM)
    (photos / "green.xmp").write_text(DARKTABLE)
    import_marks(marked, None, None, Silent())
    found = marks(marked)
    assert found["red.png"] == (Marks(4), ("Rome",))
    assert found["green.png"] == (Marks(3, True), ())
    (photos / "red.png.xmp").write_text(DARKTABLE)
    import_marks(marked, None, None, Silent())
    assert marks(marked)["red.png"] == (Marks(3), ("Rome",))


def test_sidecars_that_fail_do_not_end_it(marked: Path, photos: Path, tmp_path: Path) -> None:
    (photos / "red.png.xmp").write_text(BOMB)
    (tmp_path / "elsewhere.xmp").write_text(DARKTABLE)
    (photos / "green.png.xmp").symlink_to(tmp_path / "elsewhere.xmp")
    done = export_marks(marked, None, None, Silent())
    assert {one.path.name: one.reason for one in done.failed} == {
        "red.png.xmp": "has a document type, which XMP does not have",
        "green.png.xmp": "is a link",
    }
    assert (photos / "red.png.xmp").read_text() == BOMB
    assert (tmp_path / "elsewhere.xmp").read_text() == DARKTABLE
    (one,) = import_marks(marked, None, None, Silent()).failed
    assert one.path.name == "red.png.xmp"


def test_a_pipe_is_not_waited_for(marked: Path, photos: Path) -> None:
    os.mkfifo(photos / "red.png.xmp")
    for work in (export_marks, import_marks):
        (one,) = work(marked, None, None, Silent()).failed
        assert (one.path.name, one.reason) == ("red.png.xmp", "is not a regular file")


@pytest.mark.parametrize("name", ["x" * 201, "a&#x202e;b"])  # too long; a character without a form
def test_an_album_of_an_impossible_name_does_not_end_an_import(marked: Path, photos: Path, name: str) -> None:
    albums = f"<t:Albums><rdf:Bag><rdf:li>{name}</rdf:li><rdf:li>Paris</rdf:li></rdf:Bag></t:Albums>"
    own = albums.replace("<t:Albums>", '<t:Albums xmlns:t="https://twobranch.invalid/xmp/1.0/">')
    (photos / "red.png.xmp").write_text(DARKTABLE.replace("</rdf:Description>", f"{own}</rdf:Description>"))
    (photos / "green.png.xmp").write_text(DARKTABLE)
    done = import_marks(marked, None, None, Silent())
    (one,) = done.failed
    assert one.path.name == "red.png.xmp" and "cannot be the name of the album" in one.reason
    assert marks(marked)["green.png"] == (Marks(3, True), ())
    assert marks(marked)["red.png"] == (Marks(4), ("Rome",))  # nothing is taken from that sidecar


def test_a_sidecar_keeps_its_permissions(marked: Path, photos: Path) -> None:
    (photos / "red.png.xmp").write_text(DIGIKAM)
    (photos / "red.png.xmp").chmod(0o640)
    export_marks(marked, None, None, Silent())
    assert (photos / "red.png.xmp").stat().st_mode & 0o777 == 0o640


def test_a_drive_that_is_away_is_named_once(marked: Path, photos: Path) -> None:
    photos.rename(photos.with_name("away"))
    (one,) = export_marks(marked, None, None, Silent()).failed
    assert (one.path, one.reason) == (photos, "no such file or directory")
    with pytest.raises(UserError, match="no such folder"):
        import_marks(marked, None, photos, Silent())
