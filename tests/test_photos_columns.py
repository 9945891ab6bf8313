"""What the columns of a table mean, and what may stand in them."""

from pathlib import Path

import pytest

from photo_tables import pictures, table
from resight.errors import UnusablePhotos
from resight.photos.photo import Photo
from resight.photos.values import as_span
from resight.photos.ways_in import take_in


@pytest.mark.parametrize(
    ("heading", "columns"),
    [
        ("Image,whaleID", {}),
        ("Image,Id", {}),
        ("Image,whaleID", {"path": "image", "individual": "whaleID"}),
        ("File Name,Ear Tag", {}),
        ("photo,turtle_id", {}),
        ("filename,name", {}),
        ("this,that", {"path": "this", "individual": "that"}),
        ("image_path,identity", {}),
    ],
)
def test_two_columns_are_known_by_their_names_or_as_told(
    tmp_path: Path, heading: str, columns: dict[str, str]
) -> None:
    pictures(tmp_path, "a.png")
    taken = take_in(table(tmp_path, f"{heading}\na.png,whale_1\n"), columns=columns)
    assert [(photo.path.name, photo.individual) for photo in taken.photos] == [("a.png", "whale_1")]


@pytest.mark.parametrize(
    ("heading", "columns", "says"),
    [
        ("image,photo,name", {}, "which is its path, image or photo? say it with --column path=im"),
        ("path,whaleID,turtle_id", {}, "which is its individual, whaleID or turtle_id?"),
        ("image_id,camera_id,name", {}, "no column called path"),
        ("path,name", {"individual": "Name2"}, "no column called Name2; it has path, name"),
        ("path,path", {}, "two columns called path"),
        ("path,who", {"whom": "who"}, "'whom' is nothing that is known of a photo"),
        ("path,box,bbox", {}, "--column box=box"),
    ],
)
def test_what_columns_may_be_is_not_guessed(
    tmp_path: Path, heading: str, columns: dict[str, str], says: str
) -> None:
    with pytest.raises(UnusablePhotos) as refused:
        take_in(table(tmp_path, f"{heading}\na.png,b,c\n"), columns=columns)
    assert says in str(refused.value)


def test_numbers_of_programs_are_no_individuals_and_a_column_can_be_left_out(
    tmp_path: Path,
) -> None:
    pictures(tmp_path, "a.png")
    file = table(tmp_path, "path,image_id,camera_id,date\na.png,1,2,last year\n")
    assert len(take_in(file).problems) == 1
    taken = take_in(file, columns={"date": ""})
    assert taken.photos == [Photo(tmp_path / "a.png")]


def test_an_id_is_an_individual_only_behind_the_path_and_where_nothing_else_is(
    tmp_path: Path,
) -> None:
    pictures(tmp_path, "a.png")
    said: list[str] = []
    for heading, cells, individual in [
        ("id,path", "1,a.png", None),
        ("path,Id,name", "a.png,1,Luna", "Luna"),
        ("path,Id,whaleID", "a.png,1,Luna", "Luna"),
        ("path,Id,ID", "a.png,1,Luna", None),
    ]:
        (photo,) = take_in(table(tmp_path, f"{heading}\n{cells}\n"), say=said.append).photos
        assert photo.individual == individual, heading
    assert "not used: id (is it individual?)" in said[0]
    assert "not used: Id; known" in said[2]
    file = table(tmp_path, "path,Id\na.png,1\n")
    assert take_in(file, columns={"individual": ""}).photos[0].individual is None


def test_decimal_commas(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    file = table(tmp_path, "path;lat;lon;box\na.png;48,39;-4,49;0,0 1,6 10 20,4\n")
    (photo,) = take_in(file).photos
    assert (photo.latitude, photo.longitude, photo.box) == (48.39, -4.49, (0, 2, 10, 20))
    for box in ("0,2 10,20", "0,2,10,20", "[0, 2, 10, 20]", "0,0, 1,6, 10, 20,4"):
        file = table(tmp_path, f'path,box\na.png,"{box}"\n')
        assert take_in(file).photos[0].box == (0, 2, 10, 20), box
    file = table(tmp_path, "path;lat;lon;box\na.png;4,8,39;-4,;0,1,2 3 4 5\n")
    assert len(take_in(file).problems) == 3
    assert as_span("1,5", "2,25") == (150, 0, 225, 64)


def test_a_box_is_edges_and_a_bbox_is_a_corner_and_sides(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    edges = take_in(table(tmp_path, 'path,box\na.png,"[4, 5, 20, 30]"\n')).photos[0].box
    sides = take_in(table(tmp_path, "path,bbox\na.png,(4 5 16 25)\n")).photos[0].box
    assert edges == sides == (4, 5, 20, 30)


def test_unknown_is_nobody(tmp_path: Path) -> None:
    pictures(tmp_path / "in" / "Unknown", "a.png")
    pictures(tmp_path / "in" / "Luna", "b.png")
    said: list[str] = []
    photos = take_in(tmp_path / "in", say=said.append).photos
    assert [photo.individual for photo in photos] == ["Luna", None]
    file = table(tmp_path, "path,identity\nin/Unknown/a.png,unknown\n")
    assert take_in(file, say=said.append).photos[0].individual is None
    assert sum("1 photo of 'unknown'" in words.casefold() for words in said) == 2


def test_an_unknown_side_is_no_side(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png", "c.png")
    file = table(tmp_path, "path,side\na.png,Unknown\nb.png,left\nc.png,n/a\n")
    assert [photo.side for photo in take_in(file).photos] == [None, "left", None]


@pytest.mark.parametrize(
    "words",
    ["new_whale", "New Whale", "new-individual", "UNIDENTIFIED", "Unknown individual",
     "not identified", "unnamed", "n/a", "N.A.", "NA", "None", "null", "NaN", "?", "-", "–"],
)  # fmt: skip
def test_words_for_no_name_are_nobody(tmp_path: Path, words: str) -> None:
    pictures(tmp_path, "a.png", "b.png")
    said: list[str] = []
    file = table(tmp_path, f"path,identity\na.png,{words}\nb.png,Luna\n")
    photos = take_in(file, say=said.append).photos
    assert [photo.individual for photo in photos] == [None, "Luna"]
    assert said[-1] == f"{file}: 1 photo of {words!r}, that is of nobody"


@pytest.mark.parametrize(
    "name", ["Nana", "Nona", "whale_1", "new_whale_3", "Unknown 7", "N", "Nan"]
)
def test_names_like_words_for_no_name_are_names(tmp_path: Path, name: str) -> None:
    pictures(tmp_path, "a.png")
    assert take_in(table(tmp_path, f"path,name\na.png,{name}\n")).photos[0].individual == name
