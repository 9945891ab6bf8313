"""What came in, and what is wrong with the rest: gathered, and told all together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from resight.photos.photo import Photo


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        where: the table and its line, or the file, in words.
        what: what is wrong there, and what to do.
        file: the photo, where there is one.
        row: the line of the table, counted from 1 with its heading; None where there is no table.
        place: of a photo that was asked about, its position among them; None of a row that gave
            no photo.
    """

    where: str
    what: str
    file: Path | None = None
    row: int | None = None
    place: int | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"

    def entry(self) -> dict[str, str | int | None]:
        """As tables and JSON have it."""
        file = None if self.file is None else str(self.file)
        return {"where": self.where, "file": file, "row": self.row, "problem": self.what}


@dataclass(frozen=True)
class Taken:
    """Photos that came in, and what was wrong with those that did not.

    Attributes:
        photos: those that can be used, in their order; and while it is being read, what the rows
            in `spoilt` tell, so that all that is wrong with them is told at once.
        problems: of all the others.
        rows: for each photo its line in the table; None where there is no table.
        table: that table, or None.
        kind: what a row is called there: a line, a row, an annotation.
        spoilt: rows that have a problem already, such as a date that is none.
    """

    photos: list[Photo]
    problems: list[Problem]
    rows: list[int | None]
    table: Path | None = None
    kind: str = "line"
    spoilt: frozenset[int] = frozenset()

    def is_spoilt(self, place: int) -> bool:
        """Whether the row of one of the photos has a problem already."""
        return self.rows[place] in self.spoilt

    def problem(self, place: int, words: str) -> Problem:
        """What is wrong with one of the photos, with its file and row."""
        path, row = self.photos[place].path, self.rows[place]
        if row is None:
            return Problem(str(path), words, path, None, place)
        where = f"{self.table}, {self.kind} {row}"
        return Problem(where, f"{path}: {words}", path, row, place)

    def without(self, problems: Iterable[Problem], photos: Sequence[Photo] | None = None) -> Taken:
        """Without the photos that these problems are of; the problems are kept.

        Args:
            problems: each with its photo's `place`.
            photos: the photos as they are by now, where that is not how they came.
        """
        problems = list(problems)
        bad = {problem.place for problem in problems}
        kept = [place for place in range(len(self.photos)) if place not in bad]
        photos = self.photos if photos is None else photos
        # A place says which of the photos as they were; of those that are left it would not.
        told = [*self.problems, *(replace(problem, place=None) for problem in problems)]
        told.sort(key=lambda problem: problem.row or 0)
        return replace(
            self,
            photos=[photos[place] for place in kept],
            problems=told,
            rows=[self.rows[place] for place in kept],
        )
