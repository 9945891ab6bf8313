"""What pages read of a catalogue, a few rows at a time: `Catalogue` has it all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from resight.catalogue import browse, browse_individuals, past
from resight.catalogue.browse import Counts, Shown, Waiting
from resight.catalogue.browse_individuals import Place, Portrait
from resight.catalogue.checks import checked_name
from resight.catalogue.faces import Face, Faces, faces, faces_now
from resight.catalogue.gallery import Gallery
from resight.catalogue.gaps import Gaps, gaps
from resight.catalogue.past import Event
from resight.catalogue.prints import Prints, prints
from resight.catalogue.refs import Refs, find_photos_here, individual_id
from resight.catalogue.store import Store


class Browsing:
    """What a page shows; see `Catalogue`."""

    _store: Store

    def shown(self, ids: Sequence[int], *, even_gone: bool = False) -> list[Shown]:
        """Photos by their numbers; see `browse.shown`."""
        return browse.shown(self._store, ids, even_gone=even_gone)

    def waiting(self, count: int, *, skip: Collection[int] = ()) -> list[Waiting]:
        """The first that wait for a name; see `browse.waiting`."""
        return browse.waiting(self._store, count, skip=skip)

    def revision(self) -> int:
        """One more with every change of the catalogue: tells what was computed from what is now."""
        return browse.revision(self._store)

    def last_word(self) -> int:
        """The number of the last decision on any photo; 0 for none."""
        return browse.last_word(self._store)

    def kept_files(self, paths: Collection[Path]) -> set[Path]:
        """Which of these files the catalogue has a photo in."""
        return browse.kept_files(self._store, paths)

    def counts(self) -> Counts:
        """How many individuals and photos there are, and how many wait for a name."""
        return browse.counts(self._store)

    def names(self, part: str = "", *, count: int = 20) -> list[str]:
        """Names that have this in them; see `browse.names`."""
        return browse.names(self._store, part, count=count)

    def suggested_name(self) -> str:
        """A free name for somebody new; see `browse.suggested_name`."""
        return browse.suggested_name(self._store)

    def last_action(self, who: str) -> tuple[int, str, str] | None:
        """The last thing that somebody did and that still stands: number, verb and summary."""
        return browse.last_action(self._store, who)

    def events(self, count: int, *, before: int | None = None) -> list[Event]:
        """The last things that people did, the newest first; see `past.newest_events`."""
        return past.newest_events(self._store, count, before=before)

    def numbers(self, photos: Refs) -> list[int]:
        """The numbers of photos of the catalogue, each once; see `refs.find_photos_here`."""
        return find_photos_here(self._store, photos)

    def gaps(self, *, revision: int = 0, photos_then: int = 0) -> Gaps:
        """What would make the catalogue surer; see `gaps.gaps`."""
        return gaps(self._store, revision=revision, photos_then=photos_then)

    def prints(self, most: int | None = None) -> Prints:
        """All fingerprints with their photos' numbers, or `most` of them; see `prints.prints`."""
        return prints(self._store, self._current_gallery(), most)

    def _current_gallery(self) -> Gallery:
        """See `Catalogue`."""
        raise NotImplementedError

    def faces(self) -> list[Face]:
        """Everybody, with the photo that each is shown by; see `faces.faces`."""
        return faces(self._store)

    def faces_now(self, known: Faces | None = None) -> Faces:
        """The same, read on from what an earlier call gave; see `faces.faces_now`."""
        return faces_now(self._store, known)

    def portrait(self, individual: int) -> Portrait:
        """An individual by its number, with all its photos; see `browse_individuals.portrait`."""
        return browse_individuals.portrait(self._store, individual)

    def number_of(self, individual: str) -> int:
        """The number of who is called so.

        Raises:
            ResightError: nobody is.
        """
        with self._store.reading() as connection:
            return individual_id(self._store, connection, checked_name(individual))

    def places(self) -> list[Place]:
        """Where the encounters were; see `browse_individuals.places`."""
        return browse_individuals.places(self._store)
