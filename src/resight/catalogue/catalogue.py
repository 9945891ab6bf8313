"""The face of a catalogue: what people do with it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from resight.catalogue import contents
from resight.catalogue.checks import (
    checked_name,
    checked_vectors,
    content_hash,
    listed,
    none_readable,
)
from resight.catalogue.contents import Decision, Individual
from resight.catalogue.enrol import Enrolled, enrol, photo_ids
from resight.catalogue.identify import Answer, Answers, Match, identify, neighbours
from resight.catalogue.own_model import check_model, find_model, recorded_model
from resight.catalogue.search import Gallery, Rows, Vectors, load_gallery
from resight.catalogue.store import Store, create_store, open_store
from resight.errors import ResightError, UnreadablePhoto
from resight.fingerprint.model import Card
from resight.photos.photo import Photo

if TYPE_CHECKING:
    from resight.fingerprint.fingerprinter import Fingerprinter
    from resight.fingerprint.model import Model
    from resight.photos.decode import Source


class Catalogue:
    """Individuals, their photos and fingerprints, in one file.

        with Catalogue.open("whales.db", model="whales.onnx", create=True) as catalogue:
            catalogue.enrol("Luna", ["luna-1.jpg", "luna-2.jpg"])
            for answer in catalogue.identify(["who-is-this.jpg"]):
                print(answer.individual, answer.candidates[0].distance)

    It may be used from several threads, and the file by several programs at once; each sees what
    the others have written at its next question.

    Attributes:
        path: the file.
        model_id: of the model that makes its fingerprints.
        card: what that model says of itself.
    """

    def __init__(self, store: Store, model: Model | None = None) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._gallery: Gallery | None = None
        self._fingerprinter: Fingerprinter | None = None
        self._model = model
        self.path = store.path
        self.model_id, card = recorded_model(store)
        self.card = Card.from_json(card)
        if model is not None:
            check_model(store, self.model_id, model)

    @classmethod
    def open(
        cls,
        place: str | os.PathLike[str],
        *,
        model: str | os.PathLike[str] | None = None,
        create: bool = False,
    ) -> Catalogue:
        """Open a catalogue.

        Args:
            place: its file, or that file's URL (`sqlite:///whales.db`).
            model: the model file. A new catalogue needs one and keeps to it; an old one finds its
                own where it was, or beside itself, when it is needed.
            create: make a new catalogue where there is none.

        Raises:
            UnusableCatalogue: nothing there (and no `create` or no `model`), not a catalogue, not
                ours to use, of a newer Resight, or made with another model.
            UnusableModel: see `load_model`.
        """
        loaded = None
        if model is not None:
            from resight.fingerprint.model import load_model

            loaded = load_model(Path(model))
        if create and loaded is not None:
            store = create_store(
                place, model_id=loaded.id, card=loaded.card.to_json(), model_path=loaded.path
            )
        else:
            store = open_store(place)
        try:
            return cls(store, loaded)
        except BaseException:
            store.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def enrol(
        self,
        name: str,
        photos: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        vectors: Any = None,
        encounter: str | None = None,
        progress: bool = False,
    ) -> Enrolled:
        """Give photos a name: one is enough. All of them are written, or none.

        A photo is known by its bytes: the same one again, from whatever place, changes nothing.

        Args:
            name: the individual's, new or known; spaces around it do not count.
            photos: files, and folders that are walked; one or many.
            vectors: float (n, dim) unit vectors, where the fingerprints are made already; then
                `photos` are files only.
            encounter: a name for the time and place that the photos were taken at.
            progress: show a bar on stderr.

        Raises:
            ResightError: no photo can be read, a name that cannot be one, vectors that cannot be
                fingerprints, or a photo that is enrolled under another name.
            UnusableCatalogue: the model's file is not to be found, or the catalogue's cannot be
                written to.
        """
        paths = [Path(p) for p in listed(photos, folders=vectors is None)]
        return self.enrol_many(
            [Photo(path, individual=name, encounter=encounter) for path in paths],
            vectors=vectors,
            progress=progress,
        )

    def enrol_many(
        self, photos: Iterable[Photo], *, vectors: Any = None, progress: bool = False
    ) -> Enrolled:
        """Enrol photos of several individuals at once, such as `photos_by_individual` gives.

        As `enrol`, which see; each photo brings its own `individual`, `encounter`, `date`, `side`
        and `box` (a photo with a box needs its vector given).
        """
        photos = list(photos)
        if vectors is not None:
            vectors = checked_vectors(vectors, self.card.dim, count=len(photos))
        elif boxed := next((photo for photo in photos if photo.box), None):
            raise ResightError(
                f"{boxed.path}: cutting out a box is for later; enrol the part as a file of its own"
            )

        return enrol(
            self._store,
            self.model_id,
            photos,
            vectors=vectors,
            fingerprint=lambda paths: self.fingerprint(paths, progress),
        )

    def identify(
        self,
        photos: Source | Iterable[Source],
        *,
        top: int = 3,
        photos_each: int = 3,
        leave_out_itself: bool = False,
        progress: bool = False,
    ) -> Answers:
        """Ask of each photo who it shows.

        Args:
            photos: files, folders that are walked, PIL images and arrays; one or many.
            top: how many individuals to offer.
            photos_each: how many photos of each to show.
            leave_out_itself: leave a photo that is itself enrolled out of its own candidates.
            progress: show a bar on stderr.

        Returns:
            An answer for every photo that can be read; `.unreadable` has the others.

        Raises:
            ResightError: no photo can be read.
            UnusableCatalogue: nobody is enrolled, or the model's file is not to be found.
        """
        gallery = self._searchable(top, photos_each)
        stack = isinstance(photos, np.ndarray) and photos.ndim > 2
        sources: Any = photos if stack else listed(photos)
        vectors, index, unreadable = self.fingerprint(sources, progress)
        if not len(index):
            raise none_readable(unreadable, len(sources))
        hashes = {}
        for place in [] if stack else index.tolist():
            if isinstance(sources[place], str | os.PathLike):
                hashes[place] = content_hash(sources[place])
        known = photo_ids(self._store, sorted({*hashes.values()}))
        answers = identify(
            self._store,
            gallery,
            self.model_id,
            vectors,
            [
                os.fspath(sources[place]) if place in hashes else f"photo {place}"
                for place in index.tolist()
            ],
            top=top,
            photos_each=photos_each,
            enrolled=[known.get(hashes.get(place, ""), []) for place in index.tolist()],
            leave_out_itself=leave_out_itself,
        )
        return Answers(answers, tuple(unreadable))

    def identify_vectors(
        self, vectors: Any, *, top: int = 3, photos_each: int = 3
    ) -> tuple[Answer, ...]:
        """As `identify`, for fingerprints that are made already: float (q, dim) unit vectors.

        Their answers' `query` is "vector 0", "vector 1", …
        """
        vectors = checked_vectors(vectors, self.card.dim)
        return identify(
            self._store,
            self._searchable(top, photos_each),
            self.model_id,
            vectors,
            [f"vector {place}" for place in range(len(vectors))],
            top=top,
            photos_each=photos_each,
        )

    def neighbours(self, vectors: Any, k: int = 10) -> list[tuple[Match, ...]]:
        """For each of the unit vectors, float (q, dim), the k nearest photos, whosever they are."""
        vectors = checked_vectors(vectors, self.card.dim)
        return neighbours(self._store, self._searchable(k), vectors, k)

    def individuals(self) -> list[Individual]:
        """Everybody, in the order in which they came."""
        return contents.individuals(self._store)

    def photos_of(self, name: str) -> list[Photo]:
        """The photos of an individual, in the order in which they were enrolled.

        Raises:
            ResightError: nobody has this name.
        """
        return contents.photos_of(self._store, checked_name(name))

    def vectors(self) -> tuple[Vectors, list[str], list[Path]]:
        """All fingerprints, float32 (n, dim), whose they are, and their photos' files.

        In the order of enrolment; the model is not needed.
        """
        gallery = self._current_gallery()
        order = np.argsort(gallery.photo_ids)
        known = contents.names_and_paths(self._store)
        found = [known[i] for i in gallery.photo_ids[order].tolist()]
        return gallery.vectors[order], [name for name, _ in found], [path for _, path in found]

    def history(self) -> list[Decision]:
        """Every decision, the oldest first."""
        return contents.history(self._store)

    def _current_gallery(self) -> Gallery:
        with self._lock:
            self._gallery = load_gallery(
                self._store, self.model_id, self.card.dim, known=self._gallery
            )
            return self._gallery

    def _searchable(self, *counts: int) -> Gallery:
        if min(counts) < 1:
            raise ResightError("ask for one individual and one photo at least")
        return self._current_gallery()

    def fingerprint(
        self, sources: Any, progress: bool = False
    ) -> tuple[Vectors, Rows, tuple[UnreadablePhoto, ...]]:
        """Fingerprints of photos by the catalogue's model; nothing is enrolled.

        Returns:
            Vectors (m, dim) of those that could be read, their positions (m,) in `sources`, and
            the others with the reasons.
        """
        with self._lock:
            if self._fingerprinter is None:
                from resight.fingerprint.fingerprinter import Fingerprinter

                model = self._model or find_model(self._store, self.model_id)
                self._fingerprinter = Fingerprinter(model)
        made = self._fingerprinter(sources, progress=progress)
        return checked_vectors(made.vectors, self.card.dim), made.index, made.unreadable
