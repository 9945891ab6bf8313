"""The verbs that people write with, on the command line: what they say, and how to go back."""

import json
import shutil
from pathlib import Path

import pytest

from catalogues import write_photos
from command_line import Ran, resight


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder with the catalogue below and its photos."""
    folder = tmp_path_factory.mktemp("made")
    place = folder / "whales.db"
    luna, milo, _ = (
        write_photos(folder / word, count, seed=seed)
        for seed, (word, count) in enumerate({"luna": 2, "milo": 1, "new": 2}.items())
    )
    well(resight("enrol", place, "Luna", *luna, "--model", tiny_model))
    well(resight("enrol", place, "Milo", *milo))
    ran = well(resight("add", place, folder / "new", "--encounter", "Monday"))
    assert done(place, ran) == f"2 photos added to {place}"
    return folder


@pytest.fixture
def whales(made: Path, tmp_path: Path) -> Path:
    """Luna with two photos, Milo with one, and two photos without a name."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "whales.db"


def well(ran: Ran) -> Ran:
    """Hold it to have gone well, without a word on stderr."""
    assert (ran.code, ran.err) == (0, ""), ran
    return ran


def done(place: Path, ran: Ran) -> str:
    """What a verb says it did; and below, how to take it back."""
    said, *_, back = well(ran).out.splitlines()
    assert back == f"To take it back: resight undo {place}"
    return said


def everybody(place: Path) -> dict[str, int]:
    """Names and numbers of photos."""
    found = json.loads(well(resight("individuals", place, "--json")).out)
    return {one["name"]: one["photos"] for one in found}


def test_not_same_says_which_photo_of_an_individual_it_was_said_of(whales, tmp_path):
    new, luna = (sorted((tmp_path / word).iterdir()) for word in ("new", "luna"))
    said = done(whales, resight("not-same", whales, new[0], "--individual", "Luna"))
    assert said.startswith(f"Said that {new[0].name} and ")
    assert any(f"and {path.name} (Luna) are not the same." in said for path in luna)


def test_every_verb_does_and_undo_takes_back(whales: Path, tmp_path: Path) -> None:
    luna, milo, new = (sorted((tmp_path / word).iterdir()) for word in ("luna", "milo", "new"))
    steps = [
        (("name", "Sol", new[0]), "Named 2 photos: Sol.", {"Luna": 2, "Milo": 1, "Sol": 2}),
        (("rename", "Sol", "Soleil"), "Renamed Sol to Soleil.", {"Soleil": 2}),
        (("merge", "Soleil", "--into", "Milo"), "Merged Soleil into Milo.", {"Milo": 3}),
        (("split", "Milo", new[1], "--new", "Sol"), "Split 1 photo of Milo: Sol.", {"Sol": 1}),
        (("move", new[1], "--to", "Luna"), "Moved 1 photo of Sol to Luna.", {"Luna": 3}),
        (("move", new[1], "--nobody"), "Moved 1 photo of Luna to the unnamed.", {"Luna": 2}),
        (("junk", new[1]), "Marked 1 photo as junk.", {}),
        (("best-photo", luna[1]), "Chose the best photo of Luna: 0-1.png.", {}),
        (("take-out", "Luna", luna[1]), "Took 1 photo out of Luna.", {"Luna": 1}),
        (("move", luna[0], "--to", "Sol"), "Moved 1 photo of Luna to Sol.", {"Luna": 0}),
        (("forget", "Luna"), "Let go of Luna, who had no photos.", {}),
        (("rename", "Sol", "Luna"), "Renamed Sol to Luna.", {"Luna": 1}),
        (
            ("not-same", luna[0], milo[0]),
            "Said that 0-0.png (Luna) and 1-0.png (Milo) are not the same.",
            {},
        ),
        (("describe", "Luna", "--field", "sex=female"), "Described Luna: sex = female.", {}),
        (("describe", "--photo", luna[0], "--side", "left"), "Described 1 photo: side left.", {}),
        (("describe", "--sides-differ"), "Set: sides_differ is true.", {}),
    ]
    seen = [everybody(whales)]
    for (verb, *words), says, changed in steps:
        assert done(whales, resight(verb, whales, *words)) == says
        seen.append(everybody(whales))
        assert changed.items() <= seen[-1].items()
    for (_, says, _), before in zip(reversed(steps), reversed(seen[:-1]), strict=True):
        said = well(resight("undo", whales)).out.splitlines()[0]
        assert said.lower() == f"took back: {says.lower()}"
        assert everybody(whales) == before
    for _, says, _ in steps:
        assert done(whales, resight("redo", whales)).lower() == f"did again: {says.lower()}"
    assert everybody(whales) == seen[-1]


def test_history_shows_who_did_what_and_what_is_taken_back(whales: Path, tmp_path: Path) -> None:
    photo = tmp_path / "new" / "2-0.png"
    well(resight("name", whales, "Sol", photo, "--who", "Anna"))
    well(resight("undo", whales, "--who", "Ben"))
    lines = well(resight("history", whales)).out.splitlines()
    assert "enrolled 2 photos of Luna" in lines[0]
    assert "Anna: named 2 photos: Sol  (taken back)" in lines[3]
    assert "Ben: took back: named 2 photos: Sol" in lines[4]
    events = json.loads(well(resight("history", whales, "--photo", photo, "--json")).out)
    assert [event["verb"] for event in events] == ["add", "name", "undo"]
    assert [said["what"] for said in events[1]["said"]] == ["new"]
    ran = well(resight("history", whales, "--individual", "Milo"))
    assert ran.out.count("\n") == 1


def test_an_older_action_is_taken_back_by_its_number(whales: Path) -> None:
    well(resight("describe", whales, "Luna", "--notes", "lame"))
    well(resight("rename", whales, "Milo", "Mars"))
    assert "described Luna" in well(resight("undo", whales, "--action", "4")).out
    assert "Mars" in everybody(whales)
    refused = resight("undo", whales, "--action", "2").failed_in_one_line()
    assert "renamed Milo to Mars" in refused
    assert f"resight undo {whales} --action 5" in refused


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("name", "Luna", "none.jpg"), "not in"),
        (("rename", "Luna", "Milo"), "resight merge"),
        (("rename", "Nobody", "Somebody"), "nobody here is called 'Nobody'"),
        (("merge", "Luna", "--into", "Luna"), "itself"),
        (("split", "Luna", "luna", "--new", "Luna 2"), "resight rename"),
        (("split", "Luna", "milo/1-0.png", "--new", "X"), "is not of 'Luna' but 'Milo'"),
        (("move", "luna/0-0.png"), "--to NAME or --nobody"),
        (("move", "new/2-0.png", "--to", "Luna"), "resight name"),
        (("not-same", "luna/0-0.png"), "not the same as what?"),
        (("not-same", "luna/0-0.png", "luna/0-1.png"), "both 'Luna'"),
        (("not-same", "luna/0-0.png", "luna/0-0.png"), "the same as itself"),
        (("forget", "Luna"), "has 2 photos"),
        (("take-out", "Luna", "milo/1-0.png"), "is not of 'Luna' but 'Milo'"),
        (("best-photo", "new/2-0.png"), "resight name"),
        (("undo", "--action", "99"), "no action 99"),
        (("redo",), "nothing to do again"),
        (("describe",), "one thing at a time"),
        (("describe", "Luna", "--field", "sex"), "sex=female"),
        (("describe", "Luna", "--notes", "x", "--sides-differ"), "one thing at a time"),
        (("describe", "Luna", "--encounter", "Monday", "--place", "Brest"), "no encounter"),
        (("add",), "--table"),
        (("enrol", "Milo", "luna/0-0.png"), "enrolled as 'Luna'"),
        (("name", "Sol", "new/2-0.png@9,9,1,1"), "not in"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line_and_changes_nothing(
    whales: Path, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    before = well(resight("history", whales)).out
    verb, *rest = words
    paths = [tmp_path / word if word.endswith((".png", "luna")) else word for word in rest]
    assert says in resight(verb, whales, *paths).failed_in_one_line()
    assert well(resight("history", whales)).out == before


def test_adding_again_passes_over_what_is_there_and_what_is_junk(
    whales: Path, tmp_path: Path
) -> None:
    well(resight("junk", whales, tmp_path / "new" / "2-0.png"))
    write_photos(tmp_path / "new", 1, seed=7)
    ran = well(resight("add", whales, tmp_path / "new"))
    said = f"1 photo added (1 there before) to {whales}; passed over 1 photo of junk"
    assert done(whales, ran) == said
    assert "1 photo without a name" not in well(resight("individuals", whales)).out
    refused = resight("enrol", whales, "Sol", tmp_path / "new" / "2-0.png").failed_in_one_line()
    assert "junk --back" in refused


def test_a_table_brings_what_is_known(whales: Path, tmp_path: Path) -> None:
    write_photos(tmp_path, 2, seed=9)
    table = tmp_path / "season.csv"
    table.write_text(
        "path;individual;date;place;observer;box;latitude;longitude\n"
        "9-0.png;Luna;2025-04-03;Brest;Anna;0 0 14 28;48.4;-4.5\n"
        "9-0.png;;;;;14,0,28,28;;\n"
        "9-1.png;Sol;;;;;;\n",
        encoding="utf-8-sig",
    )
    ran = well(resight("add", whales, "--table", table))
    assert done(whales, ran) == f"3 photos added to {whales}"
    assert everybody(whales) == {"Luna": 3, "Milo": 1, "Sol": 1}
    part = f"{tmp_path / '9-0.png'}@14,0,28,28"
    said = done(whales, resight("name", whales, "Mars", part))
    assert said == "Named 1 photo: Mars."
    refused = resight("name", whales, "Mars", tmp_path / "9-0.png").failed_in_one_line()
    assert "which part of this picture?" in refused
    refused = resight("move", whales, part, "--to", "Luna").failed_in_one_line()
    assert "nobody is twice on one picture" in refused


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("individual,date\nLuna,2025\n", "no column called path"),
        ("path,date\na.png,yesterday\n", "line 2: 'yesterday' is no date"),
        ("path,box\na.png,9 9 1 1\n", "line 2: '9 9 1 1' is no box"),
        ("path\n\n", "no photos"),
        ("path,individual\n,Luna\n", "line 2: its path is empty"),
        ("", "no column called path"),
        ("path\na.png\n", "a.png: no such file"),
        ("path,latitude\na.png,nan\n", "between -90 and 90"),
        ('path\n"a.png\n', "a quote in it is not closed"),
    ],
)
def test_a_table_that_is_none_is_refused(
    whales: Path, tmp_path: Path, text: str, says: str
) -> None:
    table = tmp_path / "season.csv"
    table.write_text(text)
    assert says in resight("add", whales, "--table", table).failed_in_one_line()


def test_a_new_catalogue_can_begin_unnamed(tmp_path: Path, tiny_model: Path) -> None:
    place = tmp_path / "new.db"
    write_photos(tmp_path / "in", 2)
    well(resight("add", place, tmp_path / "in", "--model", tiny_model))
    assert well(resight("individuals", place)).out == (f"0 in {place}; 2 photos without a name.\n")
    nowhere = tmp_path / "nowhere.db"
    (tmp_path / "text.png").write_text("no picture")
    resight("add", nowhere, tmp_path / "text.png", "--model", tiny_model).failed_in_one_line()
    assert not nowhere.exists()
