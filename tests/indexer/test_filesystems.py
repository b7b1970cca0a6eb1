"""File systems that are not like Linux's: of macOS and Windows, and names at the limits of any."""

from __future__ import annotations

import builtins
import errno
import io
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.fakes import FakeEncoder, RecordedProgress, write_photo, write_photos
from tests.indexing import captions, counts, images, index, update_library, vector_ids, write_captions
from twobranch.common.errors import CaptionFileError, UserError
from twobranch.indexer.captionfiles.corpus import read_corpus
from twobranch.indexer.catalog.settings import load_choices, store_choices
from twobranch.indexer.catalog.tables import Catalog, Corpus, Image, Root
from twobranch.indexer.disk.names import as_listed, folded
from twobranch.indexer.maintenance.relocate import forget, relocate
from twobranch.retrieval.engine import SearchEngine

COMPOSED, DECOMPOSED = "\u00e9t\u00e9", "e\u0301te\u0301"


@pytest.fixture
def insensitive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``tmp_path`` as macOS has it: names of other case or Unicode form name the same file.

    Listings have the names as they were given, and so does ``resolve``, as there.
    """
    listdir = os.listdir

    def real(path: Any) -> Any:
        if not isinstance(path, (str, Path)) or not Path(path).is_relative_to(tmp_path):
            return path
        found = tmp_path
        for name in Path(path).relative_to(tmp_path).parts:
            try:
                names = listdir(found)
            except OSError:
                names = []
            same = [other for other in names if folded(other) == folded(name)]
            found /= name if name in names or not same else same[0]
        return str(found)

    for module, names in (
        (os, ("stat", "lstat", "scandir", "listdir")),
        (io, ("open",)),
        (builtins, ("open",)),
    ):
        for name in names:
            function = getattr(module, name)
            monkeypatch.setattr(module, name, lambda path, *a, f=function, **b: f(real(path), *a, **b))
    return tmp_path


def roots(library: Path) -> list[str]:
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        return list(session.scalars(select(Root.path)))


# --- cases and Unicode forms ------------------------------------------------------------------------------


def test_a_folder_by_another_spelling_is_the_same_folder(
    insensitive: Path, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder)
    write_photo(photos / COMPOSED / "a.png", "white")
    for spelling in ("Photos", "PHOTOS/RED.PNG", "photos/Red.png", f"photoS/{DECOMPOSED}"):
        index(library, insensitive / spelling, encoder)
    assert roots(library) == [str(photos)]
    assert sorted(images(library)) == [
        "photos/blue.png",
        "photos/green.png",
        "photos/red.png",
        f"photos/{COMPOSED}/a.png",
    ]


def test_a_photo_that_is_gone_goes_by_another_spelling(
    insensitive: Path, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder)
    (photos / "red.png").unlink()
    assert counts(index(library, insensitive / "PHOTOS/red.png", encoder)) == {"removed": 1}
    forget(library, [insensitive / "Photos/GREEN.png"])
    assert sorted(images(library)) == ["photos/blue.png"]


def test_a_photo_as_query_is_not_among_its_own_hits(
    insensitive: Path, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder)
    with SearchEngine.open(library, load=lambda model: encoder) as engine:  # type: ignore[arg-type,return-value]
        hits = engine.search(insensitive / "Photos/RED.PNG")
    assert {hit.path and hit.path.name for hit in hits} == {"green.png", "blue.png"}


def test_a_photo_whose_case_alone_was_changed_has_moved(
    insensitive: Path, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photo(photos / "IMG.PNG", "white")
    index(library, photos, encoder)
    ids = vector_ids(library)
    (photos / "IMG.PNG").rename(photos / "img.png")
    assert counts(index(library, photos, encoder)) == {"moved": 1, "unchanged": 3}
    assert vector_ids(library) == ids


def test_where_cases_are_told_apart_two_photos_are_two(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photos(photos, {"IMG.PNG": "white", "img.png": "black"})
    assert as_listed(photos / "img.png") == photos / "img.png"
    os.link(photos / "red.png", photos / "RED.png")  # one file under two names is not one name
    assert as_listed(photos / "RED.png") == photos / "RED.png"
    assert counts(index(library, [photos / "IMG.PNG", photos / "img.png"], encoder))["added"] == 2


@pytest.mark.parametrize(("on_disk", "in_file"), [(DECOMPOSED, COMPOSED), (COMPOSED, DECOMPOSED)])
def test_captions_find_photos_whose_names_have_the_other_unicode_form(
    library: Path, tmp_path: Path, encoder: FakeEncoder, on_disk: str, in_file: str
) -> None:
    write_photo(tmp_path / f"p/{on_disk}.png", "red")
    file = write_captions(tmp_path / "c.csv", {f"{in_file}.png": "red"})
    index(library, tmp_path / "p", encoder, captions=file)
    assert captions(library) == {"red": f"p/{on_disk}.png"}


def test_a_caption_file_may_write_one_photo_in_both_forms(
    library: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    photo = write_photo(tmp_path / f"p/{DECOMPOSED}.png", "red")
    file = tmp_path / "c.csv"
    file.write_text(f"image,caption\n{COMPOSED}.png,red\n{DECOMPOSED}.png,green\n./{COMPOSED}.png,blue\n")
    for _ in range(2):  # the second time they are tied already
        index(library, photo.parent, encoder, captions=file)
        assert captions(library) == dict.fromkeys(("red", "green", "blue"), f"p/{DECOMPOSED}.png")


def test_split_lists_name_photos_in_either_form(tmp_path: Path) -> None:
    file = write_captions(tmp_path / "c.csv", {f"{COMPOSED}.jpg": "red", "b.jpg": "blue"})
    (tmp_path / "trainImages.txt").write_text("b.jpg\n")
    (tmp_path / "devImages.txt").write_text(f"{DECOMPOSED}.jpg\n")
    corpus = read_corpus(file)
    assert [(caption.text, caption.split) for caption in corpus.captions] == [
        ("red", "dev"),
        ("blue", "train"),
    ]
    assert corpus.splits == {"dev": 1, "train": 1}  # and not one image more


# --- long and odd names -----------------------------------------------------------------------------------


def test_a_path_that_is_too_long_is_said_and_loses_nothing_beside_it(
    library: Path, tmp_path: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths end at 4,096 bytes; a file beyond can be listed in its folder, but not be reached."""
    long = "b" * 200 + ".png"
    here = Path.cwd()
    folder = tmp_path / "photos"
    folder.mkdir()
    os.chdir(folder)
    try:  # step by step: no system call takes such a path
        while len(str(folder)) < 3700:
            folder /= "d" * 200
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
        last = "d" * (4000 - len(str(folder)))
        folder /= last
        Path(last).mkdir()
        os.chdir(last)
        write_photos(Path(), {"a.png": "red", long: "white", "c.png": "green", "sub/z.png": "blue"})
    finally:
        os.chdir(here)
    report = index(library, tmp_path / "photos", encoder)
    assert counts(report) == {"added": 3, "encoded": 3, "failed": 1}
    assert (Path(report.failed[0].path).name, report.failed[0].reason) == (long, "file name too long")
    os.chdir(tmp_path)
    assert counts(index(library, tmp_path / "photos", encoder)) == {"unchanged": 3, "failed": 1}
    os.chdir(here)
    with pytest.raises(UserError, match="file name too long; nothing was indexed"):
        index(library, folder / long, encoder)


def test_names_of_255_bytes_and_with_spaces_and_dots_at_their_ends(
    library: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    names = ["é" * 125 + ".png", "a .png", "a..png", " b.png", "trip /c.png", "trip./d.png", "trip ./e.png"]
    write_photos(tmp_path / "p", dict.fromkeys(names, "red"))
    write_photo(tmp_path / "p/f.png", "red").rename(tmp_path / "p/f.png ")  # ends as no photo does
    file = write_captions(
        tmp_path / "c.csv", {"trip /c.png": "green", "trip./d.png": "blue", "a .png": "red"}
    )
    assert counts(index(library, tmp_path / "p", encoder, captions=file))["added"] == len(names)
    assert sorted(images(library)) == sorted(f"p/{name}" for name in names)
    assert captions(library) == {"green": "p/trip /c.png", "blue": "p/trip./d.png", "red": "p/a .png"}
    assert counts(index(library, tmp_path / "p/trip ", encoder)) == {"unchanged": 1}


# --- from Windows -----------------------------------------------------------------------------------------


def test_caption_files_with_windows_separators(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    file = write_captions(photos.parent / "c.csv", {r"photos\red.png": "red", r".\photos\blue.png": "blue"})
    index(library, photos, encoder, captions=file)
    assert captions(library) == {"red": "photos/red.png", "blue": "photos/blue.png"}


@pytest.mark.parametrize(
    "name", [r"C:\Photos\a.jpg", "c:/Photos/a.jpg", r"\\server\photos\a.jpg", r"..\a.jpg"]
)
def test_a_caption_file_with_absolute_windows_paths_is_told_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(CaptionFileError, match=r"line 2: image name .* leads out of the image folder"):
        read_corpus(write_captions(tmp_path / "c.csv", {name: "red"}))


@pytest.fixture
def from_windows(library: Path, photos: Path, encoder: FakeEncoder) -> Path:
    """A library as Windows leaves it on a drive: of ``C:\\Photos``, with a caption file in it."""
    write_photos(photos, {"raw/a.png": "white", "trip/b.png": "black"})
    file = write_captions(photos / "c.csv", {"red.png": "red"})
    index(library, photos, encoder, captions=file, exclude=["raw"])
    forget(library, [photos / "trip"])
    with closing(Catalog.open(library)) as catalog, catalog.session(write=True) as session:
        (root,) = session.scalars(select(Root))
        (corpus,) = session.scalars(select(Corpus))
        root.path, corpus.path = r"C:\Photos", r"C:\Photos\c.csv"
        choices = load_choices(session)
        session.flush()
        windows = {
            str(photos): r"C:\Photos",
            str(photos / "trip"): r"C:\Photos\trip",
        }
        store_choices(
            session,
            type(choices)(
                {windows[key]: limit for key, limit in choices.named.items()},
                {windows[key]: globs for key, globs in choices.exclude.items()},
                {},
                frozenset(windows[key] for key in choices.forgotten),
            ),
        )
    return library


def test_a_library_from_windows_is_searched_and_kept(
    from_windows: Path, encoder: FakeEncoder, photos: Path
) -> None:
    with SearchEngine.open(from_windows, load=lambda model: encoder) as engine:  # type: ignore[arg-type,return-value]
        assert len(engine.search("red")) == 3
    progress = RecordedProgress()
    report = update_library(from_windows, [], encoder, progress=progress)
    assert counts(report) == {}
    assert progress.warnings == [
        "C:\\Photos: cannot be reached; its 3 photos are kept as they are",
        "C:\\Photos\\c.csv: cannot be reached; its captions are kept as they are",
    ]


@pytest.mark.parametrize("typed", [r"C:\Photos", "C:\\Photos\\", "c:/photos", "C:\\"])
def test_a_library_from_windows_is_relocated(
    from_windows: Path, photos: Path, encoder: FakeEncoder, typed: str
) -> None:
    ids = vector_ids(from_windows)
    new = photos
    if typed == "C:\\":  # all that the drive had
        new = photos.parent
        photos.rename(new / "Photos")
        photos = new / "Photos"
    relocation = relocate(from_windows, Path(typed), new)
    assert (relocation.looked_for, relocation.found, relocation.caption_files) == (3, 3, 1)
    assert str(relocation.roots[0].old) == r"C:\Photos"
    report = index(from_windows, [], encoder)
    assert (counts(report), report.warnings) == ({"unchanged": 3}, ())  # what was excluded and forgotten too
    assert vector_ids(from_windows) == ids
    assert captions(from_windows) == {"red": f"{photos.name}/red.png"}


def test_mistakes_about_a_library_from_windows(
    from_windows: Path, photos: Path, encoder: FakeEncoder
) -> None:
    with pytest.raises(UserError, match=r"C:\\Photos\\trip: lies inside the folder C:\\Photos"):
        relocate(from_windows, Path(r"C:\Photos\trip"), photos)
    with pytest.raises(UserError, match=r"D:\\Photos: not a folder of this library"):
        relocate(from_windows, Path(r"D:\Photos"), photos)
    with pytest.raises(UserError, match=r"C:\\Photos: no such file or directory; nothing was indexed"):
        index(from_windows, Path(r"C:\Photos"), encoder)
    (forgotten,) = forget(from_windows, [Path(r"C:\Photos")])
    assert (forgotten.photos, forgotten.roots) == (3, 1)


def test_indexing_the_folder_itself_takes_the_photos_over(
    from_windows: Path, photos: Path, encoder: FakeEncoder
) -> None:
    assert counts(index(from_windows, photos, encoder)) == {"moved": 3, "added": 2, "encoded": 2}


def test_a_disk_that_forbids_a_look_leaves_the_name_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(self))

    monkeypatch.setattr(Path, "lstat", refuse)
    assert as_listed(tmp_path / "A.png") == tmp_path / "A.png"


def test_no_row_is_lost_to_a_name_of_both_forms(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    """Where forms are told apart, as on Linux, they are two photos."""
    write_photos(tmp_path / "p", {f"{COMPOSED}.png": "red", f"{DECOMPOSED}.png": "blue"})
    index(library, tmp_path / "p", encoder)
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        assert len(session.scalars(select(Image)).all()) == 2
