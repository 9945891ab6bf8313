"""What `group` proposed goes through a file and a person's hands, and is confirmed with care."""

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from herd import Herd, clouds, make_herd
from resight.catalogue import Catalogue, confirm, schema
from resight.catalogue.group import Grouping
from resight.catalogue.proposals import (
    Proposal,
    proposals_of,
    read_proposals,
    write_proposals,
)
from resight.errors import ResightError


class Book:
    """A catalogue of three photos of Luna and three groups of 3, 3 and 2 without a name."""

    def __init__(self, place: str | Path) -> None:
        self.herd = make_herd(place)
        vectors, _ = clouds([6, 3, 2])
        self.luna = self.herd.add(vectors[:3], "Luna")
        self.theirs = self.herd.add(vectors[3:6])
        self.three = self.herd.add(vectors[6:9])
        self.two = self.herd.add(vectors[9:])
        self.catalogue = Catalogue.open(place)
        self.found = self.catalogue.group(threshold=0.3)

    @property
    def names(self) -> dict[int, str | None]:
        """Of every photo the name."""
        photos, people = schema.photos, schema.individuals
        with self.herd.store.reading() as connection:
            return {
                row.id: row.name
                for row in connection.execute(
                    sa.select(photos.c.id, people.c.name).outerjoin(
                        people, people.c.id == photos.c.individual_id
                    )
                )
            }

    def close(self) -> None:
        self.catalogue.close()
        self.herd.store.close()


@pytest.fixture
def book(tmp_path: Path) -> Any:
    made = Book(tmp_path / "herd.db")
    yield made
    made.close()


def group_named(found: Grouping, name: str) -> list[Proposal]:
    return [proposal for proposal in proposals_of(found) if proposal.name == name]


def test_all_groups_are_named_and_undo_takes_each_back(place: str) -> None:
    book = Book(place)
    before = book.names
    done = book.catalogue.confirm_groups(book.found, who="Ada")
    assert done.named == {"Luna": 3, "New 1": 3, "New 2": 2}
    assert (done.already, done.refused) == (0, ())
    assert book.names == (
        dict.fromkeys(book.luna + book.theirs, "Luna")
        | dict.fromkeys(book.three, "New 1")
        | dict.fromkeys(book.two, "New 2")
    )
    with book.herd.store.reading() as connection:
        said = connection.execute(
            sa.select(schema.decisions.c["who", "what", "photo_id", "shown"]).order_by(
                schema.decisions.c.photo_id
            )
        ).all()
    assert [(row.who, row.what, row.photo_id) for row in said] == [
        *(("Ada", "same", i) for i in book.theirs),
        *(("Ada", "new", i) for i in book.three + book.two),
    ]
    assert said[0].shown == {"group": book.theirs}
    for _ in range(3):
        book.catalogue.undo()
    assert book.names == before
    book.close()


def test_to_confirm_again_does_no_harm(book: Book) -> None:
    book.catalogue.confirm_groups(book.found)
    names = book.names
    again = book.catalogue.confirm_groups(book.found)
    assert (again.named, again.already, again.refused) == ({}, 8, ())
    assert book.names == names


def test_one_group_alone(book: Book) -> None:
    number = next(group.number for group in book.found.groups if group.name == "New 2")
    done = book.catalogue.confirm_groups(book.found, only=[number])
    assert done.named == {"New 2": 2}
    assert [i for i, name in book.names.items() if name == "New 2"] == book.two
    with pytest.raises(ResightError, match="nothing to confirm in group 9"):
        book.catalogue.confirm_groups(book.found, only=[9])


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_file_brings_the_same_back(book: Book, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"groups{suffix}"
    write_proposals(book.found, path)
    assert read_proposals(path) == proposals_of(book.found)
    assert not list(tmp_path.glob(".*"))


def test_a_person_changes_names_and_leaves_photos_alone(book: Book, tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    write_proposals(book.found, path)
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    for row in rows:
        if row["name"] == "New 1":
            row["name"] = " Łuna; the 2nd "
        if int(row["photo"]) == book.three[0] or row["name"] == "New 2":
            row["name"] = ""
    kept = [row for row in rows if int(row["photo"]) != book.theirs[1]]  # a line deleted
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # as a spreadsheet saves it
        table = csv.DictWriter(file, list(rows[0]), delimiter=";")
        table.writeheader()
        table.writerows(kept)
    done = book.catalogue.confirm_groups(read_proposals(path))
    assert done.named == {"Luna": 2, "Łuna; the 2nd": 2}
    assert book.names[book.three[0]] is None
    assert book.names[book.theirs[1]] is None
    assert {book.names[i] for i in book.two} == {None}


def test_names_that_look_like_formulas_come_back(book: Book, tmp_path: Path) -> None:
    found = replace(
        book.found, groups=tuple(replace(g, name=f"={g.name}") for g in book.found.groups)
    )
    write_proposals(found, tmp_path / "groups.csv")
    assert ",'=New 1," in (tmp_path / "groups.csv").read_text(encoding="utf-8")
    assert read_proposals(tmp_path / "groups.csv") == proposals_of(found)


def test_what_was_decided_meanwhile_counts_more(book: Book) -> None:
    book.herd.add(clouds([1], seed=8)[0], "Sol")
    book.catalogue.name(book.theirs[0], "Sol")
    book.catalogue.junk(book.theirs[1])
    book.herd.not_same(book.three[0], book.three[2])
    book.herd.not_same(book.luna[0], book.theirs[2])
    done = book.catalogue.confirm_groups(book.found)
    assert done.named == {"New 1": 1, "New 2": 2}
    paths = {photo.id: photo.path for group in book.found.groups for photo in group.photos}
    luna = book.herd.store.whole_path("0.jpg")
    assert sorted(done.refused) == sorted(
        [
            f"{paths[book.theirs[0]]}: was named 'Sol' meanwhile",
            f"{paths[book.theirs[1]]}: is junk now",
            f"{paths[book.theirs[2]]}: was said not to be the same as {luna}",
            f"{paths[book.three[0]]}: was said not to be the same as {paths[book.three[2]]}",
            f"{paths[book.three[2]]}: was said not to be the same as {paths[book.three[0]]}",
        ]
    )
    assert book.names[book.theirs[0]] == "Sol"
    assert book.names[book.three[1]] == "New 1"


def test_two_parts_of_a_picture_are_refused_both(tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "a.db")
    boxes = herd.add(clouds([2])[0], hashes=["a" * 64] * 2, boxes=["0,0,5,5", "5,0,5,5"])
    with Catalogue.open(tmp_path / "a.db") as catalogue:
        done = catalogue.confirm_groups(
            [Proposal(1, "Luna", False, photo, "a" * 64) for photo in boxes]
        )
    assert done.named == {}
    assert [why.split(": ")[1] for why in done.refused] == [
        "two parts of it, 0,0,5,5 and 5,0,5,5, are not one",
        "two parts of it, 5,0,5,5 and 0,0,5,5, are not one",
    ]


def test_a_file_of_another_catalogue_names_nobody(book: Book, tmp_path: Path) -> None:
    other = make_herd(tmp_path / "other.db")
    other.add(clouds([12], seed=4)[0], hashes=[f"{i:064x}" for i in range(12)])
    with Catalogue.open(tmp_path / "other.db") as catalogue:
        done = catalogue.confirm_groups(group_named(book.found, "New 1"))
        assert done.named == {}
        assert all("is not this catalogue's" in why for why in done.refused)
        assert len(done.refused) == 3
        assert not catalogue.individuals()


def test_new_never_merges_and_known_never_doubles(book: Book) -> None:
    before = book.names
    new = group_named(book.found, "New 1")
    wrong = {
        "somebody is called 'Luna' already": [replace(p, name="Luna") for p in new],
        "nobody is called 'Lunna'": [replace(p, name="Lunna", known=True) for p in new],
        'both as "new" and as "known"': [replace(new[0], known=True), *new[1:]],
        r"is to be both 'New 1' .* and 'Sol'": [*new, replace(new[0], name="Sol")],
        "there is nothing to confirm: no photo": [replace(p, name="") for p in new],
        "a name has at most": [replace(p, name="x" * 201) for p in new],
    }
    for words, proposals in wrong.items():
        with pytest.raises(ResightError, match=words):
            # and no other group is named either
            book.catalogue.confirm_groups(
                proposals + group_named(book.found, "New 2") * ("nothing" not in words)
            )
    assert book.names == before
    done = book.catalogue.confirm_groups([replace(p, name="Luna", known=True) for p in new])
    assert done.named == {"Luna": 3}


def test_files_that_are_no_proposals_are_refused_in_one_line(tmp_path: Path) -> None:
    head = "group,proposal,name,photo,distance,path,content_hash\n"
    contents = {
        "a.csv": b"a,b\n1,2\n", "b.csv": b"\xff\xfe\x00", "c.json": b"{", "d.json": b"[1]",
        "e.csv": (head + "x,new,Luna,1,0,p,h\n").encode(), "f.json": b'{"groups": 3}',
        "g.csv": (head + "1,perhaps,Luna,1,0,p,h\n").encode(), "h.csv": (head + "1\n").encode(),
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ResightError) as error:
            read_proposals(tmp_path / name)
        assert "\n" not in str(error.value)
        assert name in str(error.value)
    with pytest.raises(ResightError, match="no such file"):
        read_proposals(tmp_path / "none.csv")


def test_encounters_go_along(tmp_path: Path) -> None:
    herd: Herd = make_herd(tmp_path / "a.db")
    met = herd.encounter("dawn")
    photos = herd.add(clouds([3])[0], encounter=met)
    with Catalogue.open(tmp_path / "a.db") as catalogue:
        catalogue.confirm_groups(catalogue.group())
        assert [photo.encounter for photo in catalogue.photos_of("New 1")] == ["dawn"] * 3
        assert len(photos) == 3


def test_a_name_that_somebody_takes_in_that_very_moment_stays_theirs(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people confirm at once, each with a "New 1" of their own; and Luna is renamed."""
    check = confirm._Now.check_name

    def then(now: Any, name: str, photos: Any) -> bool:
        there = check(now, name, photos)
        if name == "New 1":
            book.catalogue.name([book.three[0]], "New 1")
        else:
            book.catalogue.rename("Luna", "Lune")
        return there

    monkeypatch.setattr(confirm._Now, "check_name", then)
    two = [replace(p, name="New 1", known=False) for p in of_photos(book.found, book.two)]
    done = book.catalogue.confirm_groups([*two, *group_named(book.found, "Luna")])
    assert done.named == {}
    assert "'New 1' is somebody else by now" in done.refused[0]
    assert "'Luna' is nobody's name any more" in done.refused[1]
    assert all(book.names[i] is None for i in (*book.two, *book.theirs))
    assert sorted(filter(None, book.names.values())) == ["Lune"] * 3 + ["New 1"]


def of_photos(found: Grouping, ids: list[int]) -> list[Proposal]:
    return [proposal for proposal in proposals_of(found) if proposal.photo in ids]
