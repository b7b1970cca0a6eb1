"""When and where photos were taken, at the edges: of years, of zones, of the earth, and of what a file may
say."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from PIL import ExifTags
from PIL.TiffImagePlugin import IFDRational

from tests.fakes import FakeEncoder, write_photo
from tests.indexer.test_exif import PARIS, exif
from tests.indexing import captions, counts, images, index, write_captions
from twobranch.indexer.catalog.filters import DATE, FUNCTIONS, Filters, Place, distance_km
from twobranch.indexer.catalog.tables import Catalog, Image
from twobranch.indexer.disk.exif import read_facts
from twobranch.indexer.disk.names import folded
from twobranch.indexer.disk.walk import found_file, written_ns
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.query import Query

Base, GPS = ExifTags.Base, ExifTags.GPS
NANOSECONDS = 10**9


@contextmanager
def zone(name: str) -> Iterator[None]:
    """This process as if on a computer in another time zone."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


def let_through(filters: Filters, photos: list[dict[str, Any]]) -> list[int]:
    """The numbers of the photos that SQLite lets through, of rows with these columns."""
    columns = ("taken_at", "mtime_ns", "camera", "latitude", "longitude", "path")
    with closing(sqlite3.connect(":memory:")) as connection:
        for name, (n, function) in FUNCTIONS.items():
            connection.create_function(name, n, function, deterministic=True)
        connection.execute("CREATE TABLE roots (id, path)")
        connection.execute("INSERT INTO roots VALUES (1, '/photos')")
        connection.execute(f"CREATE TABLE images (id, root_id, {', '.join(columns)})")
        connection.executemany(
            f"INSERT INTO images VALUES ({', '.join('?' * (len(columns) + 2))})",
            [(n, 1, *(photo.get(column) for column in columns)) for n, photo in enumerate(photos)],
        )
        condition, values = filters.condition()
        rows = connection.execute(
            f"SELECT i.id FROM images i JOIN roots r ON r.id = i.root_id WHERE {condition} ORDER BY i.id",
            values,
        )
        return [n for (n,) in rows]


def date_of(mtime_ns: int) -> str:
    """The date of a file that says nothing about its photo."""
    with closing(sqlite3.connect(":memory:")) as connection:
        sql = f"SELECT {DATE} FROM (SELECT NULL AS taken_at, ? AS mtime_ns) i"
        return str(connection.execute(sql, [mtime_ns]).fetchone()[0])


# --- dates in EXIF --------------------------------------------------------------------------------------


@given(st.datetimes(min_value=datetime(1, 1, 1)).map(lambda moment: moment.replace(microsecond=0)))
@example(datetime(1, 1, 1))
@example(datetime(9999, 12, 31, 23, 59, 59))
@example(datetime(2023, 3, 26, 2, 30))  # which no clock in Berlin has shown: a camera's is not set by law
def test_every_date_that_a_clock_can_show_is_read(moment: datetime) -> None:
    written = f"{moment.year:04}:{moment:%m:%d %H:%M:%S}"
    assert read_facts(exif(details={Base.DateTimeOriginal: written})).taken_at == moment


@pytest.mark.parametrize(
    "written",
    [
        "-001:01:01 00:00:00",
        "-2019:01:01 00:00:00",
        "0000:01:01 00:00:00",
        "10000:01:01 00:00:00",
        "2019:00:01 00:00:00",
        "2019:02:29 00:00:00",  # no leap year
        "2019:01:01 24:00:00",
        "2019:01:01 12:60:00",
        "2019:01:01",
        "1562360709",  # seconds since 1970
    ],
)
def test_a_date_that_no_clock_shows_is_none(written: str) -> None:
    assert read_facts(exif(details={Base.DateTimeOriginal: written})).taken_at is None


@given(st.text(max_size=30) | st.binary(max_size=30) | st.floats() | st.tuples(st.integers()))
def test_nothing_that_stands_for_a_date_raises(value: object) -> None:
    read_facts(exif(details={Base.DateTimeOriginal: value, Base.OffsetTimeOriginal: value}))


@pytest.mark.parametrize("offset", [None, "+02:00", "-11:30", "nonsense"])
def test_the_date_is_what_the_cameras_clock_showed_whatever_its_zone(offset: str | None) -> None:
    details = {Base.DateTimeOriginal: "2023:07:04 12:00:00"}
    if offset is not None:
        details[Base.OffsetTimeOriginal] = offset
    for name in ("Europe/Berlin", "America/New_York"):
        with zone(name):
            assert read_facts(exif(details=details)).taken_at == datetime(2023, 7, 4, 12)


# --- dates of files -------------------------------------------------------------------------------------


@given(st.integers(0, int(datetime(2037, 12, 31, tzinfo=timezone.utc).timestamp()) * NANOSECONDS))
@example(int(datetime(2023, 10, 29, 0, 30, tzinfo=timezone.utc).timestamp()) * NANOSECONDS)  # 2:30, twice
@example(int(datetime(2023, 3, 26, 1, 0, tzinfo=timezone.utc).timestamp()) * NANOSECONDS)  # 3:00 after 1:59
def test_a_files_date_is_the_local_time_it_was_written_at(mtime_ns: int) -> None:
    for name in ("Europe/Berlin", "Pacific/Apia", "Asia/Kathmandu"):
        with zone(name):
            expected = datetime.fromtimestamp(mtime_ns // NANOSECONDS)
            if expected.year >= 1971:  # before, SQLite takes the rules of a later year
                assert date_of(mtime_ns) == expected.isoformat(" ")


@given(st.integers(-(2**63) + 1, 2**63 - 1))
@example(-1)  # a nanosecond before 1970
@example(-1_000_000_000)
@example(-1_000_000_001)
@example(int(datetime(2040, 1, 1, tzinfo=timezone.utc).timestamp()) * NANOSECONDS)
def test_a_files_date_before_1970_and_after_2038(mtime_ns: int) -> None:
    with zone("UTC"):
        expected = datetime(1970, 1, 1) + timedelta(seconds=mtime_ns // NANOSECONDS)
        assert date_of(mtime_ns) == expected.isoformat(" ")


@pytest.mark.parametrize("seconds", [-62_135_596_800, -(10**10), 253_402_300_799, 10**11])
def test_a_file_time_beyond_what_sqlite_holds_is_the_next_that_it_does(seconds: int) -> None:
    """The years 1, 1653, 9999 and 5138, of which file systems such as tmpfs, ZFS and btrfs take each."""
    nanoseconds = seconds * NANOSECONDS
    status = os.stat_result(
        (0o100644, 1, 1, 1, 0, 0, 10, seconds, seconds, seconds),
        {"st_mtime_ns": nanoseconds, "st_atime_ns": nanoseconds, "st_ctime_ns": nanoseconds},
    )
    limit = 2**63 - 1
    assert found_file("a.png", status).mtime_ns == (limit if seconds > 0 else -limit)


def test_photos_and_captions_older_than_integers_are_indexed_and_found(
    library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dated the year 1: what `stat` says is put in, since the usual file systems cannot hold it."""
    file = write_captions(photos / "c.csv", {"red.png": "red"})
    real = written_ns

    def of_the_year_1(status: os.stat_result) -> int:
        fields = {"st_mtime_ns": -62_135_596_800 * NANOSECONDS}
        return real(os.stat_result(tuple(status)[:10], fields))

    for module in ("disk.walk", "update.captions", "update.remembered"):
        monkeypatch.setattr(f"twobranch.indexer.{module}.written_ns", of_the_year_1)
    assert counts(index(library, photos, encoder, captions=file)) == {"added": 3, "encoded": 3}
    with SearchEngine.open(library, load=lambda model: encoder) as engine:  # type: ignore[arg-type,return-value]
        found = engine.search(Query((), Filters(before=datetime(1700, 1, 1))))
    assert len(found) == 3  # dated 1677, the first year that SQLite's integers reach
    assert captions(library) == {"red": "photos/red.png"}
    assert counts(index(library, [], encoder)) == {"unchanged": 3}


# --- what a filter means ----------------------------------------------------------------------------------


@given(st.datetimes(min_value=datetime(1, 1, 1)), st.datetimes(min_value=datetime(1, 1, 1)))
@example(datetime(999, 6, 1), datetime(2023, 1, 1))
@example(datetime(2023, 10, 29, 2, 30), datetime(2023, 10, 29, 2, 30))
def test_after_and_before_divide_the_photos(taken: datetime, edge: datetime) -> None:
    """Each photo is on one side: taken later or at that moment, or earlier; as clocks show them."""
    taken, edge = taken.replace(microsecond=0), edge.replace(microsecond=0)
    row = {"taken_at": f"{taken.isoformat(' ')}.000000"}  # as SQLAlchemy writes it
    assert let_through(Filters(after=edge), [row]) == ([0] if taken >= edge else [])
    assert let_through(Filters(before=edge), [row]) == ([0] if taken < edge else [])


def test_a_filter_means_what_a_clock_on_this_computers_wall_showed() -> None:
    """On 29 October 2023 Berlin's clocks went from 2:59 back to 2:00; on 26 March from 1:59 on to 3:00."""
    moments = [
        datetime(2023, 10, 29, 0, 30, tzinfo=timezone.utc),  # 2:30 in summer time
        datetime(2023, 10, 29, 1, 30, tzinfo=timezone.utc),  # 2:30 once more
        datetime(2023, 10, 29, 2, 30, tzinfo=timezone.utc),  # 3:30
        datetime(2023, 3, 26, 0, 59, tzinfo=timezone.utc),  # 1:59
        datetime(2023, 3, 26, 1, 0, tzinfo=timezone.utc),  # 3:00
    ]
    rows = [{"mtime_ns": int(moment.timestamp()) * NANOSECONDS} for moment in moments]
    with zone("Europe/Berlin"):
        assert let_through(Filters(after=datetime(2023, 10, 29, 2, 30)), rows) == [0, 1, 2]
        assert let_through(Filters(after=datetime(2023, 10, 29, 2, 31)), rows) == [2]
        # 2:30 on 26 March never was: what was written before the gap is earlier, after it later.
        assert let_through(Filters(before=datetime(2023, 3, 26, 2, 30)), rows) == [3]
        assert let_through(Filters(before=datetime(2023, 3, 26, 3, 1)), rows) == [3, 4]
    with zone("America/New_York"):
        assert let_through(Filters(before=datetime(2023, 3, 26)), rows) == [3, 4]  # the evening before


# --- places -----------------------------------------------------------------------------------------------


@given(st.integers(0, 89), st.integers(0, 59), st.integers(0, 5999), st.sampled_from("NSns"))
def test_degrees_minutes_seconds(degrees: int, minutes: int, hundredths: int, half: str) -> None:
    latitude = (IFDRational(degrees, 1), IFDRational(minutes, 1), IFDRational(hundredths, 100))
    facts = read_facts(exif(place=PARIS | {GPS.GPSLatitude: latitude, GPS.GPSLatitudeRef: half}))
    expected = degrees + minutes / 60 + hundredths / 360_000
    assert facts.latitude == pytest.approx(expected if half in "Nn" else -expected, abs=1e-9)


@pytest.mark.parametrize(
    "damage",
    [
        {GPS.GPSLatitude: (IFDRational(48, 0), IFDRational(51, 1), IFDRational(30, 1))},
        {GPS.GPSLatitude: (IFDRational(48, 1), IFDRational(51, 0), IFDRational(30, 1))},
        {GPS.GPSLatitude: (48.0, float("inf"), 0.0)},
        {GPS.GPSLatitude: (90.0, 0.0, 0.01)},
        {GPS.GPSLatitudeRef: None},
        {GPS.GPSLatitudeRef: "E"},  # swapped with that of the longitude
        {GPS.GPSLongitudeRef: "O"},  # Ost is east, ouest is west
        {GPS.GPSLongitudeRef: ""},
        {GPS.GPSLongitudeRef: "?"},
    ],
)
def test_a_place_that_cannot_be_believed_is_none(damage: dict[int, Any]) -> None:
    facts = read_facts(exif(place={tag: v for tag, v in (PARIS | damage).items() if v is not None}))
    assert (facts.latitude, facts.longitude) == (None, None)


@pytest.mark.parametrize(("half", "sign"), [("w", -1), ("W\0", -1), (b"W", -1), ("west", -1), ("e", 1)])
def test_halves_of_the_world_as_they_are_written(half: object, sign: int) -> None:
    longitude = read_facts(exif(place=PARIS | {GPS.GPSLongitudeRef: half})).longitude
    assert longitude == pytest.approx(sign * 2.295)


def test_the_poles_and_the_date_line_are_places() -> None:
    place = PARIS | {GPS.GPSLatitude: (90.0, 0.0, 0.0), GPS.GPSLongitude: (180.0, 0.0, 0.0)}
    facts = read_facts(exif(place=place))
    assert (facts.latitude, facts.longitude) == (90, 180)


latitudes, longitudes = st.floats(-90, 90), st.floats(-180, 180)


@given(latitudes, longitudes, latitudes, longitudes, st.floats(0, 20_100))
@example(0.0, 179.99, 0.0, -179.99, 3.0)  # 2.2 km across the date line
@example(10.0, 180.0, 10.0, -180.0, 0.1)  # the same place
@example(89.99, 0.0, 89.99, 180.0, 3.0)  # 2.2 km across the pole
@example(90.0, 10.0, 90.0, -130.0, 0.1)  # the pole has every longitude
@example(-90.0, 0.0, 90.0, 0.0, 20_016.0)  # the whole earth
def test_near_finds_what_lies_within_that_distance(
    latitude: float, longitude: float, other: float, other_longitude: float, km: float
) -> None:
    distance = distance_km(latitude, longitude, other, other_longitude)
    assume(abs(distance - km) > 1e-6)  # a millimetre
    row = {"latitude": other, "longitude": other_longitude}
    found = let_through(Filters(near=Place(latitude, longitude, km)), [row, {}])
    assert found == ([0] if distance <= km else [])  # never the one without a place


# --- names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("Été", "ÉTÉ/a.jpg"),
        ("ÉTÉ", "été/a.jpg"),
        ("été", "E\u0301te\u0301/a.jpg"),  # as macOS writes it
        ("e\u0301te\u0301", "Été/a.jpg"),
        ("?t?", "e\u0301te\u0301/a.jpg"),
        ("[é]t*", "Été/a.jpg"),
        ("МОСКВА", "Москва/a.jpg"),
        ("strasse", "Straße/strasse/a.jpg"),
        ("STRASSE*", "x/strasse.jpg"),
        ("caf\udce9", b"caf\xe9/a.jpg"),  # Latin-1, which is no UTF-8: as the shell hands it on
        ("caf?", b"caf\xe9/a.jpg"),
    ],
)
def test_a_glob_matches_letters_of_any_alphabet_in_either_case_and_form(glob: str, path: str | bytes) -> None:
    assert let_through(Filters(paths=(glob,)), [{"path": path}, {"path": "other/a.jpg"}]) == [0]
    assert let_through(Filters(not_paths=(glob,)), [{"path": path}, {"path": "other/a.jpg"}]) == [1]


@given(st.text(max_size=20))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert folded(folded(text)) == folded(text)


def test_a_camera_in_any_case() -> None:
    assert let_through(Filters(cameras=("ŠKODA",)), [{"camera": "Škoda cam"}, {"camera": None}]) == [0]


def test_a_search_for_a_folder_with_an_accent(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    write_photo(tmp_path / "photos/E\u0301te\u0301/a.png", "red")
    write_photo(tmp_path / "photos/hiver/b.png", "red")
    index(library, tmp_path / "photos", encoder)
    assert len(images(library)) == 2
    with SearchEngine.open(library, load=lambda model: encoder) as engine:  # type: ignore[arg-type,return-value]
        hits = engine.search(Query((), Filters(paths=("ÉTÉ",))))
    assert [hit.path and hit.path.name for hit in hits] == ["a.png"]


def test_dates_at_the_ends_of_time_are_stored_and_sorted(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder)
    dates = {
        "red": datetime(1, 1, 1),
        "green": datetime(9999, 12, 31, 23, 59, 59),
        "blue": datetime(2020, 1, 1),
    }
    with closing(Catalog.open(library)) as catalog, catalog.session(write=True) as session:
        for image in session.query(Image):
            image.taken_at = dates[Path(image.path).stem]
    with SearchEngine.open(library, load=lambda model: encoder) as engine:  # type: ignore[arg-type,return-value]
        hits = engine.search(Query())
        assert [hit.date and hit.date.year for hit in hits] == [9999, 2020, 1]
        late = engine.search(Query((), Filters(after=datetime(999, 1, 1))))
        assert [hit.date and hit.date.year for hit in late] == [9999, 2020]


@pytest.mark.parametrize(
    "latitude",
    [
        (IFDRational(48, 0), IFDRational(51, 1), IFDRational(30, 1)),
        (IFDRational(0, 0), IFDRational(0, 0), IFDRational(0, 0)),
        (IFDRational(2**32 - 1, 1), IFDRational(0, 1), IFDRational(0, 1)),
        (IFDRational(48, 1),),
    ],
)
def test_a_photo_file_with_such_a_place_is_indexed_without_one(
    library: Path, tmp_path: Path, encoder: FakeEncoder, latitude: tuple[IFDRational, ...]
) -> None:
    tags = exif({Base.Make: "Apple"}, {Base.DateTimeOriginal: "0000:00:00 00:00:00"})
    tags.get_ifd(ExifTags.IFD.GPSInfo).update(PARIS | {GPS.GPSLatitude: latitude})
    write_photo(tmp_path / "p/a.jpg", "red", exif=tags)
    assert counts(index(library, tmp_path / "p", encoder)) == {"added": 1, "encoded": 1}
    (image,) = images(library).values()
    assert (image.latitude, image.longitude, image.taken_at, image.camera) == (None, None, None, "Apple")
