"""The ways in: folders and tables of every kind come out as the same photos."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from photo_tables import pictures, table
from resight.errors import UnusablePhotos
from resight.photos.examine import examine
from resight.photos.gather import gather
from resight.photos.inspect import inspect
from resight.photos.photo import Photo
from resight.photos.table import photos_from_table
from resight.photos.ways_in import Taken, take_in

HEADING = ["image_id", "identity", "path", "bbox", "date", "orientation", "split"]
ROWS: list[list[Any]] = [
    [0, "Luna", "a.png", [2, 3, 10, 20], date(2025, 4, 3), "left", "train"],
    [1, "Sol", "b.png", None, datetime(2025, 4, 4, 12, 30), "right", "test"],
    [2, None, "c.png", [0.4, 0.6, 9.5, 9.7], None, None, None],
]


def text(value: Any) -> str:
    return "" if value is None else str(value)


def as_csv(file: Path, separator: str = ",") -> None:
    def quoted(value: Any) -> str:
        return f'"{text(value)}"' if separator in text(value) else text(value)

    lines = [separator.join(map(quoted, row)) for row in [HEADING, *ROWS]]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")


def as_parquet(file: Path) -> None:
    columns = {name: [row[n] for row in ROWS] for n, name in enumerate(HEADING)}
    columns["date"] = [
        None if day is None else datetime(day.year, day.month, day.day, getattr(day, "hour", 0),
                                          getattr(day, "minute", 0))
        for day in columns["date"]
    ]  # fmt: skip
    columns["bbox"] = [None if box is None else [float(n) for n in box] for box in columns["bbox"]]
    table = pa.table(columns).set_column(4, "date", pa.array(columns["date"], pa.timestamp("ns")))
    identity = table["identity"].dictionary_encode()  # as pandas writes a category
    pq.write_table(table.set_column(1, "identity", identity), file)


def as_excel(file: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append([])
    sheet.append(HEADING)
    for row in ROWS:
        sheet.append([text(value) if isinstance(value, list) else value for value in row])
    book.save(file)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("photos.csv", as_csv),
        ("photos.tsv", lambda file: as_csv(file, "\t")),
        ("photos.txt", lambda file: as_csv(file, ";")),
        ("photos.parquet", as_parquet),
        ("photos.xlsx", as_excel),
    ],
)
def test_a_table_of_any_kind_gives_the_same_photos(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    pictures(tmp_path, "a.png", "b.png", "c.png")
    write(tmp_path / name)
    said: list[str] = []
    taken = take_in(tmp_path / name, say=said.append)
    assert taken.problems == []
    assert taken.photos == [
        Photo(tmp_path / "a.png", "Luna", None, datetime(2025, 4, 3), "left", (2, 3, 12, 23),
              split="train"),
        Photo(tmp_path / "b.png", "Sol", None, datetime(2025, 4, 4, 12, 30), "right", split="test"),
        Photo(tmp_path / "c.png", box=(0, 1, 10, 10)),
    ]  # fmt: skip
    first = {"photos.parquet": 1, "photos.xlsx": 3}.get(name, 2)
    assert taken.rows == [first, first + 1, first + 2]
    assert said[0].endswith("taken are identity as individual, orientation as side")
    assert "not used: image_id" in said[1]


def test_paths_are_looked_for_beside_the_table_at_a_root_or_in_the_one_folder_below(
    tmp_path: Path,
) -> None:
    pictures(tmp_path / "photos", "a.png", "b.png")
    pictures(tmp_path / "elsewhere" / "deep", "a.png", "b.png")
    words = "path,individual\na.png,x\nb.png,x\nC.PNG,x\n"
    file = table(tmp_path, words)
    said: list[str] = []
    taken = take_in(file, say=said.append)
    assert [photo.path for photo in taken.photos] == [
        tmp_path / "photos" / "a.png",
        tmp_path / "photos" / "b.png",
    ]
    assert said == [f"{file}: its photos are taken from {tmp_path / 'photos'}"]
    (lost,) = taken.problems
    assert (lost.row, lost.file) == (4, tmp_path / "photos" / "C.PNG")
    assert str(lost) == f"{file}, line 4: {tmp_path / 'photos' / 'C.PNG'}: no such file"
    pictures(tmp_path / "photos", "c.png")
    assert str(take_in(file).problems[0]).endswith("no such file; is c.png it?")

    deep = tmp_path / "elsewhere" / "deep"
    assert [photo.path.parent for photo in take_in(file, root=deep).photos] == [deep, deep]
    pictures(tmp_path / "images", "a.png", "b.png")
    said.clear()
    taken = take_in(file, say=said.append)
    assert (len(taken.photos), len(taken.problems)) == (0, 3)
    assert "not one of its files is in" in said[0]
    with pytest.raises(UnusablePhotos, match="no such folder"):
        take_in(file, root=tmp_path / "none")


def test_paths_from_windows_and_absolute_ones(tmp_path: Path) -> None:
    pictures(tmp_path / "luna", "a.png")
    (tmp_path / "luna" / "folder.png").mkdir()
    whole = tmp_path / "luna" / "a.png"
    taken = take_in(table(tmp_path, f"path\nluna\\a.png\n{whole}\nluna/folder.png\n"))
    assert [photo.path for photo in taken.photos] == [whole]
    assert "a folder, not a photo" in str(taken.problems[0])


def test_rows_about_one_photo_are_one_or_contradict(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png", "c.png", "d.png")
    said: list[str] = []
    file = table(
        tmp_path,
        "path,individual,split,box\n"
        "a.png,Luna,train,\na.png,Sol,train,\na.png,Sol,train,\n"
        "b.png,,train,\nb.png,Luna,train,\n"
        "c.png,Luna,train,\nc.png,Luna,test,\n"
        "d.png,Luna,train,0 0 9 9\nd.png,Sol,train,9 9 20 20\n",
    )
    taken = take_in(file, say=said.append)
    kept = [(photo.path.name, photo.individual, photo.box) for photo in taken.photos]
    assert kept == [
        ("b.png", "Luna", None),
        ("d.png", "Luna", (0, 0, 9, 9)),
        ("d.png", "Sol", (9, 9, 20, 20)),
    ]
    assert taken.rows == [6, 9, 10]
    assert [problem.row for problem in taken.problems] == [2, 7]
    assert "is 'Luna' here, and 'Sol' in line 3; a photo has one name" in taken.problems[0].what
    assert "is 'train' here, and 'test' in line 8; a photo is in one" in taken.problems[1].what
    assert said == [f"{file}: 4 lines about a photo that is there already; each is taken once"]


def test_a_detour_leads_to_the_same_photo_and_a_link_to_another(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    pictures(tmp_path / "sub")
    pictures(tmp_path / "far" / "deep")
    pictures(tmp_path / "far", "a.png")
    (tmp_path / "link").symlink_to(tmp_path / "far" / "deep")
    file = table(tmp_path, "path,name\na.png,Luna\nsub/../a.png,Sol\nlink/../a.png,Mar\n")
    taken = take_in(file)
    assert [photo.individual for photo in taken.photos] == ["Mar"]
    assert "is 'Luna' here, and 'Sol' in line 3" in taken.problems[0].what
    with pytest.raises(UnusablePhotos, match="a photo has one name"):
        photos_from_table(file)


def test_one_file_is_one_photo_by_its_path_from_the_root_or_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path, "a.png", "b.png")
    monkeypatch.chdir(tmp_path)
    whole = tmp_path / "a.png"
    file = table(Path(), f"path,name\na.png,Luna\n{whole},Sol\nb.png,Mar\n")
    taken = take_in(file)
    assert [photo.individual for photo in taken.photos] == ["Mar"]
    assert "is 'Luna' here, and 'Sol' in line 3" in taken.problems[0].what
    with pytest.raises(UnusablePhotos, match="a photo has one name"):
        photos_from_table(file)
    both = examine([Photo(Path("a.png"), "Luna"), Photo(whole, "Sol"), Photo(Path("b.png"), "Mar")])
    assert [problem.place for problem in both.problems] == [0, 1]
    taken = take_in(table(Path(), f"path,name\na.png,Luna\n{whole},Luna\n"))
    assert [photo.path for photo in taken.photos] == [Path("a.png")]


def test_a_line_with_a_slip_is_checked_for_all_else_and_left_out(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png", "c.png", "d.png", "e.png", "f.png")
    file = table(
        tmp_path,
        "path,name,date,box,split\n"
        "a.png,Luna,2025-04-03,,\na.png,Sol,soon,,\n"
        "none.png,Sol,soon,,\n"
        "b.png,Sol,03/04/2025,0 0 99 99,\n"
        "c.png,Sol,soon,,train\nc.png,Sol,,,test\n"
        "d.png,Sol,soon,,\nd.png,Sol,,,\n"  # the same again, and right
        "e.png,Sol,,1 2 3,\ne.png,Luna,,,\n"  # of which part is not known
        "f.png,unknown,soon,,\n",
    )
    said: list[str] = []
    taken = take_in(file, say=said.append)
    assert [(p.path.name, p.individual) for p in taken.photos] == [
        ("d.png", "Sol"),
        ("e.png", "Luna"),
    ]
    assert (taken.rows, taken.spoilt) == ([9, 11], frozenset())
    told = [(one.row, one.what) for one in taken.problems]
    for (row, what), (expected, says) in zip(
        told,
        [(2, "'Luna' here, and 'Sol' in line 3"), (3, "no date"), (4, "no date"),
         (4, "no such file"), (5, "3 April or 4 March"), (5, "within its 40 × 32"), (6, "no date"),
         (6, "'train' here, and 'test' in line 7"), (8, "no date"), (10, "no box"),
         (12, "no date")], strict=True,
    ):  # fmt: skip
        assert (row, says in what) == (expected, True), (row, what)
    assert said == [f"{file}: taken are name as individual"]
    found = gather(file, skip_bad=True)
    assert (found.photos, len(found.left_out)) == (taken.photos, 11)


def test_all_slips_are_told_together_each_with_its_row(tmp_path: Path) -> None:
    pictures(tmp_path, "good.png")
    rows = [
        ("good.png,Luna,2025-04-03,0 0 9 9,48,-4", None),
        ("none.png,Luna,,,,", "no such file"),
        ("good.png,Luna,soon,,,", "'soon' is no date"),
        ("good.png,Luna,,9 9 1 1,,", "'9 9 1 1' is no box; write it as left top right bottom"),
        ("good.png,Luna,,nan nan nan nan,,", "'nan nan nan nan' is no box"),
        ("good.png,Luna,,1 2 3,,", "'1 2 3' is no box"),
        ("good.png,Luna,,,48,", "longitude is empty"),
        ("good.png,Luna,,,91,1", "'91' is no latitude"),
        (",Luna,,,,", "its path is empty"),
        ('good.png,"Lu\nna",,,,', "is no individual; write it as one line"),
        ("good.png,Luna,,,,,,Brest", "has 8 cells where the heading has 6"),
        ("#REF!,Luna,,,,", "'#REF!' is no path"),
        (",,,,,", None),
    ]
    words = "path,individual,date,box,latitude,longitude\n" + "\n".join(row for row, _ in rows)
    taken = take_in(table(tmp_path, words + "\n"))
    assert len(taken.photos) == 1
    line = 2
    expected = []
    for row, says in rows:
        line += row.count("\n")
        if says:
            expected.append((line, says))
        line += 1
    assert [problem.row for problem in taken.problems] == [line for line, _ in expected]
    for problem, (_, says) in zip(taken.problems, expected, strict=True):
        assert says in problem.what


def test_dates_come_from_exif_where_the_table_has_none(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2025:04:14 10:11:12"
    exif.get_ifd(0x8825).update({1: "S", 2: (33.0, 30.0, 0.0), 3: "E", 4: (18.0, 15.0, 36.0)})
    Image.new("RGB", (20, 20)).save(tmp_path / "a.jpg", exif=exif)
    page = ImageFileDirectory_v2()
    page[0x8769] = {0x9003: "2025:04:14 10:11:12"}
    Image.new("RGB", (20, 20)).save(tmp_path / "b.tif", tiffinfo=page)
    file = table(tmp_path, "path,date\na.jpg,\nb.tif,2024-01-01\n")
    one, two = take_in(file).photos
    assert (one.date, one.latitude, one.longitude) == (
        datetime(2025, 4, 14, 10, 11, 12),
        -33.5,
        18.26,
    )
    assert two.date == datetime(2024, 1, 1)
    assert take_in(file, exif=False).photos[0].date is None
    file = table(tmp_path, "path,date\nb.tif,\n")
    assert take_in(file).photos[0].date == datetime(2025, 4, 14, 10, 11, 12)


def test_a_place_comes_from_exif_also_where_the_table_has_the_date(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2025:04:14 10:11:12"
    exif.get_ifd(0x8825).update({1: "S", 2: (33.0, 30.0, 0.0), 3: "E", 4: (18.0, 15.0, 36.0)})
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (20, 20)).save(tmp_path / name, exif=exif)
    file = table(
        tmp_path, "path,name,date,lat,lon\na.jpg,Luna,2024-01-01,,\nb.jpg,Sol,2024-01-02,1,2\n"
    )
    one, two = gather(file).photos
    assert (one.date, one.latitude, one.longitude) == (datetime(2024, 1, 1), -33.5, 18.26)
    assert (two.date, two.latitude, two.longitude) == (datetime(2024, 1, 2), 1, 2)
    assert gather(file, exif=False).photos[0].latitude is None


def test_a_date_that_stands_far_into_a_file_is_seen_by_all(tmp_path: Path) -> None:
    """Some programs write their own notes in front of EXIF."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2025:04:14 10:11:12"
    file = tmp_path / "luna" / "a.jpg"
    file.parent.mkdir()
    Image.new("RGB", (60, 60)).save(file, exif=exif)
    notes = b"http://ns.adobe.com/xap/1.0/\0" + b" " * 6_000
    part = b"\xff\xe1" + (len(notes) + 2).to_bytes(2, "big") + notes
    file.write_bytes(file.read_bytes()[:2] + part + file.read_bytes()[2:])
    photos = take_in(tmp_path).photos
    (day,) = inspect(photos, examine(photos)).days
    (photo,) = gather(tmp_path).photos
    assert (day, photo.date) == ("2025-04-14", datetime(2025, 4, 14, 10, 11, 12))
    assert gather(tmp_path, exif=False).photos[0].date is None
    written = table(tmp_path, "path,name,date\nluna/a.jpg,Luna,2024-01-01\n")
    assert gather(written).photos[0].date == datetime(2024, 1, 1)


def test_a_timestamp_keeps_its_zone(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    when = pa.array([datetime(2025, 4, 3, 1, 2, 3, tzinfo=UTC)], pa.timestamp("ns", "UTC"))
    pq.write_table(pa.table({"path": ["a.png"], "timestamp": when}), tmp_path / "t.parquet")
    assert take_in(tmp_path / "t.parquet").photos[0].date == datetime(
        2025, 4, 3, 1, 2, 3, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("file", "individuals", "photos"),
    [
        ("right_whale/split.csv", 447, 4544),
        ("right_whale/train.csv", 447, 4544),
        ("holstein/days.csv", 82, 3621),
    ],
)
def test_real_tables_simply_work(data: Path, file: str, individuals: int, photos: int) -> None:
    taken = take_in(data / file)
    assert (taken.problems, len(taken.photos)) == ([], photos)
    assert len({photo.individual for photo in taken.photos}) == individuals
    assert all((photo.split is not None) == file.endswith("split.csv") for photo in taken.photos)
    dated = sum(photo.date is not None for photo in taken.photos)
    assert dated == (photos - 133 if "holstein" in file else 0)


def test_empty_and_missing_places_are_refused(tmp_path: Path) -> None:
    names = ("none.csv", "none.parquet", "none.xlsx", "none.json", "none")
    for place in (tmp_path, *(tmp_path / name for name in names), table(tmp_path, "path\n")):
        with pytest.raises(UnusablePhotos, match=str(place.name)):
            take_in(place)
    assert isinstance(take_in(pictures(tmp_path / "in" / "Luna", "a.png").parent), Taken)
    with pytest.raises(UnusablePhotos, match="has no columns"):
        take_in(tmp_path / "in", columns={"path": "x"})
