"""What the columns of somebody's table mean: our names, other programs' names, and plain ones."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from resight.errors import UnusablePhotos

COLUMNS = (
    "path",
    "individual",
    "encounter",
    "date",
    "side",
    "box",
    "place",
    "observer",
    "latitude",
    "longitude",
    "split",
)
SPAN = ("begin", "end")  # seconds of a recording, from which its box follows
BBOX = "bbox"  # x, y, width, height, where our own box is left, top, right, bottom

# Names of others, without spaces, dashes and underscores. Each line is asked as a whole: where two
# of its names stand in one table, nobody can tell which is meant.
_OTHERS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "path": (
        ("imagepath", "filepath", "photopath", "relativepath"),
        ("filename", "file", "imagefile", "imagename", "photofile", "photoname"),
        ("image", "img", "photo", "picture", "photograph"),
    ),
    "individual": (
        ("identity", "individualid", "individualname", "animalid", "animalname"),
        ("name", "animal", "label", "individuals"),
    ),
    "encounter": (("encounterid", "sighting", "sightingid", "occurrenceid"),),
    "date": (("datetime", "timestamp", "datetimeoriginal", "datetaken", "capturedate",
              "datecaptured", "datetimecaptured"),),
    "side": (("orientation", "viewpoint", "flank"),),
    "place": (("location", "site", "locality"),),
    "observer": (("photographer",),),
    "latitude": (("lat", "gpslat", "gpslatitude", "decimallatitude", "gpslatcaptured"),),
    "longitude": (("lon", "lng", "long", "gpslon", "gpslongitude", "decimallongitude",
                   "gpsloncaptured"),),
    "split": (("subset",),),
    # As Raven writes its selection tables.
    "begin": (("begintime(s)",),),
    "end": (("endtime(s)",),),
}  # fmt: skip
# whaleID, turtle_id, Ear Tag …, but not the numbers that programs give to what is no animal.
_SOME_ID = re.compile(r".+([\s_-][Ii][Dd]|ID|Id)|[Ee]ar[\s_-]?[Tt]ag")
_NO_ANIMAL = (
    "image", "img", "photo", "picture", "file", "row", "record", "annotation", "encounter",
    "sighting", "category", "class", "camera", "station", "site", "species", "video", "sequence",
    "event", "box", "user", "observer", "location", "dataset",
)  # fmt: skip


def has_path(found: Sequence[str], columns: Mapping[str, str]) -> bool:
    """Whether `meaning_of` would find a column of paths, or several, among these.

    Args:
        found: the columns' names as they stand there.
        columns: what the caller says, as for `meaning_of`.
    """
    if "path" in columns:
        told = columns["path"].strip().casefold()
        return bool(told) and told in [name.strip().casefold() for name in found]
    known = {"path", *(name for line in _OTHERS["path"] for name in line)}
    return any(_plain(name) in known for name in found)


def meaning_of(
    table: Path,
    found: Sequence[str],
    columns: Mapping[str, str],
    say: Callable[[str], None],
) -> dict[str, int]:
    """Which column is what.

    Args:
        table: for the words.
        found: the columns' names as they stand there.
        columns: what the caller says: our name (or "bbox") to the table's; an empty name keeps
            that of ours out.
        say: told in a sentence what was taken for what, and what is not used.

    Returns:
        Our name (or "bbox") to the column's position.

    Raises:
        UnusablePhotos: no path, two columns for one thing, or a column that is not there.
    """
    names = [name.strip() for name in found]
    plain = [_plain(name) for name in names]
    meant = _told(table, names, columns)
    for ours in (*COLUMNS, BBOX, *SPAN):
        if ours in columns:
            continue
        here = [n for n, name in enumerate(plain) if name == ours and n not in meant.values()]
        if len(here) > 1:
            raise UnusablePhotos(f"{table}: has two columns called {ours}; rename one of them")
        if here:
            meant[ours] = here[0]
    guessed = {}
    for ours, lines in _OTHERS.items():
        if ours in meant or ours in columns:
            continue
        place = _other(table, ours, lines, names, set(meant.values()))
        if place is not None:
            meant[ours] = guessed[ours] = place
    if "path" not in meant:
        raise UnusablePhotos(_no_path(table, names))
    if "individual" not in meant and "individual" not in columns:
        # Image,Id is how Kaggle has it; an id in front of the path is mostly the row's number.
        ids = [n for n, name in enumerate(plain) if name == "id" and n not in meant.values()]
        if len(ids) == 1 and ids[0] > meant["path"]:
            meant["individual"] = guessed["individual"] = ids[0]
    if len(meant.keys() & {*SPAN}) == 1:
        for ours in SPAN:
            meant.pop(ours, None)
            guessed.pop(ours, None)
    if "box" in meant and BBOX in meant:
        raise UnusablePhotos(
            f"{table}: has a box and a bbox; say which with --column box={names[meant['box']]} "
            f"or --column bbox={names[meant[BBOX]]}"
        )
    if guessed:
        taken = ", ".join(f"{names[place]} as {ours}" for ours, place in guessed.items())
        say(f"{table}: taken are {taken}")
    others = [name for n, name in enumerate(names) if name and n not in meant.values()]
    if others:
        near = {name: one for name in others if (one := _near(name)) and one not in meant}
        words = [f"{name} (is it {near[name]}?)" if name in near else name for name in others]
        say(f"{table}: not used: {', '.join(words)}; known are {', '.join(COLUMNS)}")
    return meant


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.casefold())


def _told(table: Path, names: list[str], columns: Mapping[str, str]) -> dict[str, int]:
    meant: dict[str, int] = {}
    for ours, theirs in columns.items():
        if ours not in (*COLUMNS, BBOX, *SPAN):
            raise UnusablePhotos(
                f"{ours!r} is nothing that is known of a photo; known are "
                f"{', '.join((*COLUMNS, BBOX, *SPAN))}"
            )
        if not theirs:
            continue
        places = [n for n, name in enumerate(names) if name == theirs.strip()]
        if not places:
            folded = theirs.strip().casefold()
            places = [n for n, name in enumerate(names) if name.casefold() == folded]
        if len(places) != 1:
            has = "two columns" if places else "no column"
            raise UnusablePhotos(
                f"{table}: has {has} called {theirs}; it has {', '.join(names[:12])}"
            )
        meant[ours] = places[0]
    return meant


def _other(
    table: Path, ours: str, lines: Sequence[Sequence[str]], names: list[str], used: set[int]
) -> int | None:
    """The one column that may be this; None where there is none."""
    free = {n: _plain(name) for n, name in enumerate(names) if n not in used}
    for line in lines:
        here = [n for n, name in free.items() if name in line]
        if here:
            break
    else:
        if ours != "individual":
            return None
        here = [n for n, name in free.items()
                if _SOME_ID.fullmatch(names[n]) and not name.startswith(_NO_ANIMAL)]  # fmt: skip
    if len(here) > 1:
        which = " or ".join(names[n] for n in here)
        raise UnusablePhotos(
            f"{table}: which is its {ours}, {which}? say it with --column {ours}={names[here[0]]}"
        )
    return here[0] if here else None


def _near(name: str) -> str | None:
    if _plain(name) == "id":
        return "individual"
    return next(iter(difflib.get_close_matches(name.casefold(), COLUMNS, 1)), None)


def _no_path(table: Path, names: list[str]) -> str:
    named = [name for name in names if name and _plain(name) not in COLUMNS]
    like = next((f"; is {name!r} it?" for name in named if _near(name) == "path"), "")
    here = f" (it has {', '.join(named[:8])}{like})" if named else ""
    return (
        f"{table}: has no column called path{here}; name its columns in its first line, such as: "
        "path,individual,date; or say which it is with --column path=NAME"
    )
