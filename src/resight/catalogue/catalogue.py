"""The face of a catalogue: what people do with it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from resight.catalogue import contents, past
from resight.catalogue.browsing import Browsing
from resight.catalogue.checks import checked_name, checked_vectors
from resight.catalogue.contents import Individual
from resight.catalogue.describe import settings
from resight.catalogue.enquiries import Enquiries
from resight.catalogue.outlets import Outlets
from resight.catalogue.own_model import check_model, find_model, recorded_model
from resight.catalogue.past import Decision, Event
from resight.catalogue.refs import PhotoRef, find_photos_here
from resight.catalogue.search import Gallery, Rows, Vectors, load_gallery
from resight.catalogue.store import Store, create_store, open_store
from resight.catalogue.verbs import Verbs
from resight.errors import ResightError, UnreadablePhoto
from resight.fingerprint.model import Card
from resight.photos.photo import Photo

if TYPE_CHECKING:
    from resight.catalogue.backup import Backup
    from resight.catalogue.check import Checked
    from resight.catalogue.refingerprint import Refingerprinted
    from resight.fingerprint.fingerprinter import Fingerprinter, Progress
    from resight.fingerprint.model import Model


class Catalogue(Verbs, Enquiries, Outlets, Browsing):
    """Individuals, their photos and fingerprints, in one file or on a PostgreSQL server.

        with Catalogue.open("whales.db", model="whales.onnx", create=True) as catalogue:
            catalogue.enrol("Luna", ["luna-1.jpg", "luna-2.jpg"])
            for answer in catalogue.identify(["who-is-this.jpg"]):
                print(answer.individual, answer.candidates[0].distance)

    It may be used from several threads, and the file by several programs at once; each sees what
    the others have written at its next question.

    Attributes:
        path: the file; None on PostgreSQL.
        model_id: of the model that makes its fingerprints.
        card: what that model says of itself.
    """

    def __init__(self, store: Store, model: Model | None = None) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._gallery: Gallery | None = None
        self._strangers: tuple[Gallery, dict[str, float]] | None = None
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
            place: its file, or that file's URL (`sqlite:///whales.db`), or that of a PostgreSQL
                database with pgvector (`postgresql://me@host/team`; `?schema=whales` tells several
                catalogues in it apart).
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

    def refingerprint(
        self,
        model: str | os.PathLike[str],
        *,
        leave_out_unreadable: bool = False,
        who: str | None = None,
        progress: bool = False,
    ) -> Refingerprinted:
        """Fingerprint every photo with another model, and keep to that from now on.

        The fingerprints are written in small steps, beside those of the old model: stopped, the
        same call goes on where it was. Changing the model is the last step, which `undo` takes
        back. With the model in use, this makes the fingerprints that are missing.

        Args:
            model: the new model's file.
            leave_out_unreadable: go on though photos cannot be read: nobody finds them any more.
            who: does it; the computer's user by default.
            progress: show a bar on stderr.

        Raises:
            ResightError: photos cannot be read, or are other pictures by now; the old model stays
                in use then.
            UnusableModel: see `load_model`.
        """
        from resight.catalogue.refingerprint import refingerprint
        from resight.fingerprint.fingerprinter import Fingerprinter
        from resight.fingerprint.model import load_model

        loaded = load_model(Path(model))
        fingerprinter = Fingerprinter(loaded)
        done = refingerprint(
            self._store,
            loaded,
            fingerprinter,
            leave_out_unreadable=leave_out_unreadable,
            who=who,
            progress=progress,
        )
        with self._lock:
            self._model, self._fingerprinter, self._gallery = loaded, fingerprinter, None
            self.model_id, self.card = loaded.id, loaded.card
        return done

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
        rows = np.flatnonzero(gallery.searched)
        rows = rows[np.argsort(gallery.photo_ids[rows])]
        known = contents.names_and_paths(self._store)
        # Whoever has lost its name since is not of anybody any more.
        rows = rows[[i in known for i in gallery.photo_ids[rows].tolist()]]
        found = [known[i] for i in gallery.photo_ids[rows].tolist()]
        return gallery.take(rows), [name for name, _ in found], [path for _, path in found]

    def unnamed(self) -> list[Photo]:
        """The photos that nobody has given a name yet, in the order in which they came."""
        return contents.unnamed(self._store)

    def junked(self) -> list[Photo]:
        """The photos that are junk, in the order in which they came."""
        return contents.junked(self._store)

    def settings(self) -> dict[str, Any]:
        """What is so in this catalogue, such as sides_differ."""
        return settings(self._store)

    def decisions(self, photo: PhotoRef | None = None) -> list[Decision]:
        """What people have said of photos, or of one photo, the oldest first."""
        if photo is None:
            return past.decisions(self._store)
        return past.decisions(self._store, find_photos_here(self._store, photo)[0])

    def history(
        self, *, photo: PhotoRef | None = None, individual: str | None = None
    ) -> list[Event]:
        """What people have done, the oldest first: all of it, or to a photo or an individual.

        Raises:
            ResightError: the photo is not there, or nobody is called so.
        """
        if photo is not None and individual is not None:
            raise ResightError("the history of a photo or of an individual? Give one of the two")
        if photo is not None:
            return past.photo_history(self._store, find_photos_here(self._store, photo)[0])
        if individual is not None:
            return past.individual_history(self._store, checked_name(individual))
        return past.history(self._store)

    def _follow_model(self) -> None:
        """Notice that the model in use is another by now, by whomever's doing."""
        with self._lock:
            model_id, card = recorded_model(self._store)
            if model_id != self.model_id:
                self._model = self._fingerprinter = self._gallery = None
                self.model_id, self.card = model_id, Card.from_json(card)

    def backup(self, out: str | os.PathLike[str], *, replace: bool = False) -> Backup:
        """Copy the catalogue, as it is now, into an SQLite file, whole or not at all.

        Raises:
            ResightError: there is such a file already, and `replace` was not said.
            UnusableCatalogue: the copy cannot be written, or would be damaged.
        """
        from resight.catalogue.backup import backup

        return backup(self._store, out, replace=replace)

    def check(self, *, files: bool = True, progress: bool = False) -> Checked:
        """Go through rows, fingerprints and, with `files`, the photos' files; changes nothing."""
        from resight.catalogue.check import check

        return check(self._store, files=files, progress=progress)

    def warm(self) -> None:
        """Read what questions need, so that the first is answered as soon as the others."""
        self._current_gallery()

    def _current_gallery(self) -> Gallery:
        self._follow_model()
        with self._lock:
            self._gallery = load_gallery(
                self._store, self.model_id, self.card.dim, known=self._gallery
            )
            return self._gallery

    def fingerprint(
        self, sources: Any, progress: Progress = False
    ) -> tuple[Vectors, Rows, tuple[UnreadablePhoto, ...]]:
        """Fingerprints of photos by the catalogue's model; nothing is enrolled.

        Returns:
            Vectors (m, dim) of those that could be read, their positions (m,) in `sources`, and
            the others with the reasons.
        """
        return self._fingerprinted(sources, progress)[1:]

    def _fingerprinted(
        self, sources: Any, progress: Progress
    ) -> tuple[str, Vectors, Rows, tuple[UnreadablePhoto, ...]]:
        """The same, with the id of the model that made them."""
        self._follow_model()
        with self._lock:
            if self._fingerprinter is None:
                from resight.fingerprint.fingerprinter import Fingerprinter

                model = self._model or find_model(self._store, self.model_id)
                self._fingerprinter = Fingerprinter(model)
            fingerprinter = self._fingerprinter
        made = fingerprinter(sources, progress=progress)
        vectors = checked_vectors(made.vectors, fingerprinter.dim)
        return fingerprinter.id, vectors, made.index, made.unreadable
