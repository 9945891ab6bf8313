"""What a newcomer trips over: slips in tables and names, files that moved, how to go back."""

import shutil
from pathlib import Path

import pytest
import typer

from catalogues import write_photos
from command_line import resight
from resight.catalogue import Catalogue
from resight.cli import app


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A catalogue with Berta, who has two photos, and one encounter of three unnamed ones."""
    folder = tmp_path_factory.mktemp("newcomer")
    write_photos(folder / "berta", 2, seed=0)
    write_photos(folder / "new", 3, seed=1)
    place = folder / "book.db"
    assert resight("enrol", place, "Berta", folder / "berta", "--model", tiny_model).code == 0
    assert resight("add", place, folder / "new", "--encounter", "Monday").code == 0
    return folder


@pytest.fixture
def book(made: Path, tmp_path: Path) -> Path:
    """Its own copy for each test."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "book.db"


def with_table(book: Path, text: str) -> Path:
    table = book.parent / "season.csv"
    table.write_text(text, encoding="utf-8")
    return table


def test_a_tables_columns_are_known_in_capitals_and_others_are_named(book: Path) -> None:
    write_photos(book.parent, 1, seed=5)
    table = with_table(book, "Path, DATE ,plaze,colour\n5-0.png,2025-04-03,Brest,red\n")
    ran = resight("add", book, "--table", table)
    assert ran.out.startswith("1 photo added")
    assert "not used: plaze (is it place?), colour; known are path, individual" in ran.err
    table = with_table(book, "paths,date\n5-0.png,2025-04-03\n")
    words = resight("add", book, "--table", table).failed_in_one_line()
    assert "no column called path (it has paths; is 'paths' it?)" in words
    table = with_table(book, "path,Path\n5-0.png,x\n")
    assert "two columns called path" in resight("add", book, "--table", table).err


def test_all_that_is_wrong_in_a_table_is_said_at_once(book: Path) -> None:
    table = with_table(
        book,
        "path,individual,date,latitude,longitude\n"
        "a.png,Anna,yesterday,,\n"
        "b.png,Anna,9025-01-01,,\n"
        "c.png,Anna,,48.4,\n"
        "d.png,Anna,,48.4,181\n"
        "e.png,Anna,,,\n"
        "e.png,Bea,,,\n",
    )
    ran = resight("add", book, "--table", table)
    lines = ran.err.splitlines()
    assert (ran.code, ran.out, len(lines)) == (1, "", 5)
    for number, (line, words) in enumerate(
        zip(lines, ["'yesterday' is no date", "'9025-01-01' is no date", "longitude is empty",
                    "'181' is no longitude"], strict=False), start=2,
    ):  # fmt: skip
        assert line.startswith(f"Error: {table}, line {number}: ")
        assert words in line
    assert "line 7: e.png is 'Bea' here, and 'Anna' in line 6" in lines[4]
    many = "".join(f"{i}.png,soon\n" for i in range(25))
    err = resight("add", book, "--table", with_table(book, "path,date\n" + many)).err
    assert err.count("\n") == 21
    assert err.endswith("and 5 more\n")


def test_a_copy_under_another_name_is_no_enrolment(book: Path) -> None:
    (one,) = write_photos(book.parent, 1, seed=6)
    shutil.copy(one, book.parent / "copy.png")
    table = with_table(book, f"path,individual\n{one.name},Anna\ncopy.png,Bea\n")
    words = resight("add", book, "--table", table).failed_in_one_line()
    assert f"copy.png: is to be 'Bea', and {one}, a copy of it, is to be 'Anna'" in words
    assert "enrolled as" not in words


def test_enrolling_what_was_added_counts_as_naming(book: Path) -> None:
    ran = resight("enrol", book, "Zed", book.parent / "new", book.parent / "berta2")
    assert ran.err == f"Passed over {book.parent / 'berta2'}: no such file\n"
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"Zed: 3 photos named in {book}")


def test_a_missing_file_beside_others_is_passed_over(book: Path) -> None:
    (one,) = write_photos(book.parent, 1, seed=7)
    ran = resight("add", book, book.parent / "none.png", one)
    assert (ran.code, ran.err) == (0, f"Passed over {book.parent / 'none.png'}: no such file\n")
    assert ran.out.startswith("1 photo added to ")
    resight("add", book, book.parent / "none.png").failed_in_one_line()


def test_a_name_says_who_is_new_who_is_near_and_who_went_along(book: Path) -> None:
    photo = book.parent / "new" / "1-0.png"
    ran = resight("name", book, "berta ", photo)
    assert ran.err == "Note: there is also Berta\n"
    assert ran.out.splitlines()[:3] == [
        "Named 3 photos: berta.",
        "2 of them went along as photos of the same encounter (not so with --alone).",
        "berta is a new individual.",
    ]
    assert resight("undo", book).out.endswith(f"To do it again after all: resight redo {book}\n")
    ran = resight("name", book, "Berta", photo, "--alone")
    assert (ran.err, ran.out.splitlines()[0]) == ("", "Named 1 photo: Berta.")
    assert "went along" not in ran.out
    assert "new individual" not in ran.out


def test_numbers_in_names_are_no_slips(book: Path) -> None:
    photos = sorted((book.parent / "new").iterdir())
    assert resight("name", book, "whale 12", photos[0], "--alone").err == ""
    assert resight("name", book, "whale 13", photos[1], "--alone").err == ""
    assert "whale 12" in resight("name", book, "whale12", photos[2], "--alone").err


def test_nobody_of_a_name_brings_a_hint(book: Path) -> None:
    words = resight("rename", book, "Bertha", "Bea").failed_in_one_line()
    assert "did you mean Berta?" in words
    assert "mean" not in resight("rename", book, "Xaver", "Bea").failed_in_one_line()


def test_groups_are_not_written_over_and_slips_name_the_line(book: Path) -> None:
    out = book.parent / "groups.csv"
    assert resight("group", book, "--threshold", "2", "--out", out).code == 0
    text = out.read_text(encoding="utf-8")
    out.write_text(text.replace("New 1", "Mine"), encoding="utf-8")
    again = ("group", book, "--threshold", "2", "--out", out)
    assert "--replace" in resight(*again).failed_in_one_line()
    assert "Mine" in out.read_text(encoding="utf-8") or "New 1" not in text
    assert resight(*again, "--replace").code == 0
    assert out.read_text(encoding="utf-8") == text
    words = resight("group", book, "--out", book.parent / "x.txt").failed_in_one_line()
    assert ".csv or .json" in words
    out.write_text("group,proposal,name,photo,content_hash\n1,maybe,Sol,3,x\n")
    words = resight("group", book, "--confirm", out).failed_in_one_line()
    assert f"{out}, line 2: " in words
    out.write_text("group,proposal,name,photo,content_hash\n4,known,Sol,3,x\n")
    words = resight("group", book, "--confirm", out).failed_in_one_line()
    assert f"{out}: group 4: nobody is called 'Sol'" in words


def test_confirming_several_says_how_many_steps_back(book: Path) -> None:
    out = book.parent / "groups.csv"
    resight("group", book, "--threshold", "2", "--new-only", "--out", out)
    first, second, *rest = out.read_text(encoding="utf-8").splitlines()
    second = second.replace("New 1", "Sol")
    out.write_text("\n".join([first, second, *rest]) + "\n", encoding="utf-8")
    ran = resight("group", book, "--confirm", out)
    assert ran.out.splitlines()[-1] == (
        f"To take it back: resight undo {book}, 2 times (an individual each time)"
    )
    assert [resight("undo", book).code for _ in range(2)] == [0, 0]
    assert "3 photos without a name" in resight("individuals", book).out


def test_check_says_what_to_do_and_add_finds_what_moved(book: Path) -> None:
    (book.parent / "new").rename(book.parent / "moved")
    ran = resight("check", book)
    assert ran.code == 1
    assert f"To do: resight add {book} FOLDER, where they are now" in ran.out
    assert "None is there" not in ran.out
    ran = resight("add", book, book.parent / "moved")
    assert "0 photos added (3 there before)" in ran.out
    assert "; 3 found at a new place" in ran.out
    assert resight("check", book).code == 0
    elsewhere = book.parent / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(book, elsewhere / "book.db")
    assert "A copy in another folder" in resight("check", elsewhere / "book.db").out


def test_an_individual_without_photos_is_marked_and_can_go(book: Path) -> None:
    resight("name", book, "Sol", book.parent / "new" / "1-0.png")
    assert resight("move", book, book.parent / "new", "--to", "Berta").code == 0
    ran = resight("individuals", book)
    assert "Sol  (no photos)" in ran.out
    assert f"resight forget {book} NAME" in ran.out
    assert resight("forget", book, "Sol").code == 0
    assert "no photos" not in resight("individuals", book).out


def test_an_undo_of_an_undo_says_what_stands(book: Path) -> None:
    resight("undo", book)
    words = resight("undo", book, "--action", "3").failed_in_one_line()
    assert "an undo of action 2, which is taken back now" in words
    assert f"resight redo {book}" in words
    resight("redo", book)
    for action in ("3", "4"):
        words = resight("undo", book, "--action", action).failed_in_one_line()
        assert f"of action 2, which stands now; to take that back: resight undo {book}" in words


def test_a_side_that_no_photo_is_of_is_refused_with_those_there_are(book: Path) -> None:
    photo = book.parent / "berta" / "0-0.png"
    ask = ("identify", book, photo, "--side", "links")
    assert "none has one yet" in resight(*ask).failed_in_one_line()
    resight("describe", book, "--photo", photo, "--side", "left")
    assert "no photo is of the side 'links'; there are: left" in resight(*ask).err
    assert resight("identify", book, photo, "--side", "left").code == 0


def test_history_says_what_was_described(book: Path) -> None:
    words = ("--field", "sex=female", "--field", "age=", "--notes", "lame")
    assert resight("describe", book, "Berta", *words).code == 0
    assert "described Berta: notes, sex = female, no age" in resight("history", book).out


def test_summaries_of_the_commands_stand_uncut() -> None:
    listed = resight("--help").out.split("Begin:\n")[1]
    assert "..." not in listed
    assert len(listed.splitlines()) > 25


def test_a_corrected_table_is_told_and_written_only_when_asked(book: Path) -> None:
    one, two = write_photos(book.parent, 2, seed=8)
    head = "path,individual,date,side,place,observer\n"
    said = f"{one.name},Berta,2025-04-03,left,Brest,Anna\n{two.name},,2025-04-03,,Brest,\n"
    table = with_table(book, head + said)
    assert resight("add", book, "--table", table).err == ""
    again = resight("add", book, "--table", table)
    assert (again.err, again.out) == ("", f"0 photos added (2 there before) to {book}\n")

    def kept(photo: Path) -> tuple[str, str, str | None, str | None, str | None, str | None]:
        with Catalogue.open(book) as catalogue:
            here = [*catalogue.unnamed(), *catalogue.photos_of("Berta")]
            (found,) = (each for each in here if each.path.name == photo.name)
        return (str(found.individual), str(found.date)[:10], found.side, found.place,
                found.observer, found.encounter)  # fmt: skip

    before = kept(one), kept(two)
    with_table(book, head + said.replace("04-03,left,Brest", "04-13,right,Lorient"))
    ran = resight("add", book, "--table", table)
    assert "1 photo is there already with another date, side or encounter" in ran.err
    assert (kept(one), kept(two)) == before
    ran = resight("add", book, "--table", table, "--update")
    assert (ran.err, "; 1 corrected" in ran.out) == ("", True)
    day = "2025-04-13"
    assert kept(one) == ("Berta", day, "right", "Lorient", "Anna", f"{day} Lorient")
    assert kept(two) == before[1]
    assert resight("add", book, "--table", table).err == ""
    assert resight("check", book).code == 0
    assert "corrected 1 photo" in resight("undo", book).out
    assert (kept(one), kept(two)) == before
    with_table(book, f"path,individual,encounter,place\n{one.name},Zoe,Monday,Nantes\n")
    refused = resight("add", book, "--table", table, "--update").failed_in_one_line()
    assert "enrolled as 'Berta'" in refused
    with_table(book, f"path,encounter\n{one.name},Monday\n")
    assert resight("add", book, "--table", table, "--update").code == 0
    assert kept(one)[5] == "Monday"
    with_table(book, f"path,place\n{one.name},Nantes\n")
    assert resight("add", book, "--table", table, "--update").code == 0
    assert kept(one)[3:] == ("Nantes", None, "Monday")
    assert resight("check", book).code == 0


def test_every_command_is_listed_once_under_a_heading() -> None:
    lines = resight("--help").out.split("Options:\n")[1].splitlines()
    headings = [line for line in lines if line and not line.startswith(" ")]
    assert headings[0] == "Begin:"
    listed = [line.split()[0] for line in lines if line.startswith("  ") and line[2].isalpha()]
    assert sorted(listed) == sorted(typer.main.get_command(app).commands)
