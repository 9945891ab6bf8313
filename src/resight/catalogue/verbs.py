"""The verbs of a catalogue that people write with: `Catalogue` has them all.

Each is one action: all of it is done or nothing, `undo` takes it back, and `history` names it.
`who=` does it, by default the computer's user. A photo is meant by its file (found by its bytes
wherever it lies), by a `Photo` where a picture has several boxes, or by its number in here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resight.catalogue import curate, describe, edit, undo
from resight.catalogue.checks import checked_vectors, listed
from resight.catalogue.enrol import Enrolled, enrol
from resight.catalogue.journal import Done
from resight.catalogue.later import later
from resight.catalogue.meanwhile import Seen
from resight.catalogue.not_same import not_same
from resight.catalogue.refs import PhotoRef, Refs
from resight.catalogue.search import Rows, Vectors
from resight.catalogue.store import Store
from resight.errors import ResightError, UnreadablePhoto
from resight.fingerprint.model import Card
from resight.photos.photo import Photo

if TYPE_CHECKING:
    from resight.fingerprint.fingerprinter import Progress

Files = str | os.PathLike[str] | Photo | Iterable[str | os.PathLike[str] | Photo]


class Verbs:
    """What people do to a catalogue; see `Catalogue`."""

    _store: Store
    model_id: str
    card: Card

    def fingerprint(
        self, sources: Any, progress: Progress = False
    ) -> tuple[Vectors, Rows, tuple[UnreadablePhoto, ...]]:
        """See `Catalogue.fingerprint`."""
        raise NotImplementedError

    def enrol(
        self,
        name: str,
        photos: Files,
        *,
        vectors: Any = None,
        encounter: str | None = None,
        even_junk: bool = False,
        who: str | None = None,
        progress: bool = False,
    ) -> Enrolled:
        """Give photos a name: one is enough. All of them are written, or none.

        A photo is known by its bytes and its box: the same one again, from whatever place, changes
        nothing, but where its file has moved that is noted. One that is there without a name gets
        this one.

        Args:
            name: the individual's, new or known; spaces around it do not count.
            photos: files, folders that are walked, and `Photo`s; one or many.
            vectors: float (n, dim) unit vectors, where the fingerprints are made already; then
                `photos` are no folders.
            encounter: a name for the time and place that the photos were taken at.
            even_junk: take back in what somebody has said is junk, with the name that it had.
            who: does it.
            progress: show a bar on stderr.

        Raises:
            ResightError: no photo can be read, a name that cannot be one, vectors that cannot be
                fingerprints, or a photo that is enrolled under another name, is junk, or is "not
                the same" as one of this individual.
            UnusableCatalogue: the model's file is not to be found, or the catalogue's cannot be
                written to.
        """
        several = [
            replace(photo, individual=name, encounter=encounter or photo.encounter)
            for photo in _photos(photos, folders=vectors is None)
        ]
        return self.enrol_many(
            several, vectors=vectors, even_junk=even_junk, who=who, progress=progress
        )

    def enrol_many(
        self,
        photos: Iterable[Photo],
        *,
        vectors: Any = None,
        even_junk: bool = False,
        who: str | None = None,
        progress: bool = False,
    ) -> Enrolled:
        """Enrol photos of several individuals at once, such as `photos_by_individual` gives.

        As `enrol`, which see; each photo brings its own `individual`, and what else is known of it.
        """
        photos = list(photos)
        for photo in photos:
            if photo.individual is None:
                raise ResightError(
                    f"{photo.path}: whose photo is it? Enrolling needs a name; to add it without "
                    "one: resight add"
                )
        return self._bring_in("enrol", photos, vectors, even_junk, who, progress)

    def add(
        self,
        photos: Files,
        *,
        vectors: Any = None,
        even_junk: bool = False,
        update: bool = False,
        who: str | None = None,
        progress: bool = False,
    ) -> Enrolled:
        """Add photos before anybody knows who they show; `name` and `group` come later.

        As `enrol`, which see; those that bring a name with them (`Photo.individual`) get it.
        Photos that somebody has said are junk are passed over. What is given of photos that are
        there is written over what is kept with `update` only, and their names not even so.
        """
        several = _photos(photos, folders=vectors is None)
        return self._bring_in("add", several, vectors, even_junk, who, progress, update)

    def _bring_in(
        self,
        verb: str,
        photos: Sequence[Photo],
        vectors: Any,
        even_junk: bool,
        who: str | None,
        progress: bool,
        update: bool = False,
    ) -> Enrolled:
        self._follow_model()
        if vectors is not None:
            vectors = checked_vectors(vectors, self.card.dim, count=len(photos))
        return enrol(
            self._store,
            self.model_id,
            photos,
            vectors=vectors,
            fingerprint=self.fingerprint,
            verb=verb,
            even_junk=even_junk,
            update=update,
            who=who,
            progress=progress,
        )

    def name(
        self,
        photos: Refs,
        individual: str,
        *,
        alone: bool = False,
        known: bool | None = None,
        shown: Any = None,
        probability: float | None = None,
        seen: Seen | None = None,
        who: str | None = None,
    ) -> Done:
        """Say who is on photos without a name, and on all others of their encounters.

        See `edit.name` for the arguments and errors; `alone` leaves the encounters' others unnamed.
        """
        return edit.name(
            self._store,
            photos,
            individual,
            alone=alone,
            known=known,
            shown=shown,
            probability=probability,
            seen=seen,
            who=who,
        )

    def rename(self, old: str, new: str, *, who: str | None = None) -> Done:
        """Give an individual another name; see `edit.rename`."""
        return edit.rename(self._store, old, new, who=who)

    def merge(self, individual: str, *, into: str, who: str | None = None) -> Done:
        """Say that two individuals are one: all of the first becomes the second's.

        See `edit.merge`.
        """
        return edit.merge(self._store, individual, into=into, who=who)

    def split(
        self,
        individual: str,
        photos: Refs,
        *,
        new: str,
        seen: Seen | None = None,
        who: str | None = None,
    ) -> Done:
        """Say that some photos of an individual show another, who is new; see `edit.split`."""
        return edit.split(self._store, individual, photos, new=new, seen=seen, who=who)

    def move(
        self,
        photos: Refs,
        to: str | None,
        *,
        shown: Any = None,
        probability: float | None = None,
        seen: Seen | None = None,
        who: str | None = None,
    ) -> Done:
        """Say that photos are of another individual that is there, or (None) of nobody known.

        See `edit.move`.
        """
        return edit.move(
            self._store, photos, to, shown=shown, probability=probability, seen=seen, who=who
        )

    def junk(
        self, photos: Refs, *, back: bool = False, seen: Seen | None = None, who: str | None = None
    ) -> Done:
        """Say that photos are good for nothing, or (`back`) are after all; see `edit.junk`."""
        return edit.junk(self._store, photos, back=back, seen=seen, who=who)

    def take_out(
        self, individual: str, photos: Refs, *, seen: Seen | None = None, who: str | None = None
    ) -> Done:
        """Say that photos are not of this individual, whosever they are; see `curate.take_out`."""
        return curate.take_out(self._store, self.model_id, individual, photos, seen=seen, who=who)

    def best_photo(self, photo: PhotoRef, *, who: str | None = None) -> Done:
        """Choose the photo that an individual is best known by; see `curate.best_photo`."""
        return curate.best_photo(self._store, photo, who=who)

    def forget(self, individual: str, *, who: str | None = None) -> Done:
        """Let go of an individual that has no photos; see `curate.forget`."""
        return curate.forget(self._store, individual, who=who)

    def later(self, photos: Refs, *, seen: Seen | None = None, who: str | None = None) -> Done:
        """Put photos at the end of those that wait for a name; see `later.later`."""
        return later(self._store, photos, seen=seen, who=who)

    def not_same(
        self,
        photos: Refs,
        other: PhotoRef | None = None,
        *,
        individual: str | None = None,
        shown: Any = None,
        probability: float | None = None,
        seen: Seen | None = None,
        who: str | None = None,
    ) -> Done:
        """Say that photos do not show whom another photo shows, or not this individual.

        See `not_same.not_same`.
        """
        return not_same(
            self._store,
            self.model_id,
            photos,
            other,
            individual=individual,
            shown=shown,
            probability=probability,
            seen=seen,
            who=who,
        )

    def describe(
        self,
        individual: str,
        *,
        notes: str | None = None,
        fields: Mapping[str, str | None] | None = None,
        who: str | None = None,
    ) -> Done:
        """Write down of an individual what is known; see `describe.describe`."""
        return describe.describe(self._store, individual, notes=notes, fields=fields, who=who)

    def describe_photos(self, photos: Refs, *, side: str | None, who: str | None = None) -> Done:
        """Write down which side photos show; see `describe.describe_photos`."""
        return describe.describe_photos(self._store, photos, side=side, who=who)

    def describe_encounter(
        self,
        individual: str | None,
        encounter: str,
        *,
        place: str | None = None,
        observer: str | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
        began_at: datetime | None = None,
        who: str | None = None,
    ) -> Done:
        """Write down when and where an encounter was; see `describe.describe_encounter`."""
        return describe.describe_encounter(
            self._store,
            individual,
            encounter,
            place=place,
            observer=observer,
            latitude=latitude,
            longitude=longitude,
            began_at=began_at,
            who=who,
        )

    def set_settings(self, *, who: str | None = None, **values: Any) -> Done:
        """Say how things are in this catalogue, such as sides_differ=True."""
        return describe.set_settings(self._store, who=who, **values)

    def undo(self, action: int | None = None, *, who: str | None = None) -> Done:
        """Take back the last action that still stands, or any other by its number.

        Raises:
            ResightError: there is nothing to take back, or a later action builds on it.
        """
        done = undo.undo(self._store, action, who)
        self._follow_model()
        return done

    def redo(self, *, who: str | None = None) -> Done:
        """Do again what was taken back last; only until somebody does something else.

        Raises:
            ResightError: there is nothing to do again.
        """
        done = undo.redo(self._store, who)
        self._follow_model()
        return done

    def _follow_model(self) -> None:
        """Changing the model is an action too, so that it can be taken back."""
        raise NotImplementedError


def _photos(files: Files, *, folders: bool) -> list[Photo]:
    given = [files] if isinstance(files, Photo) else listed(files, folders=folders)
    return [one if isinstance(one, Photo) else Photo(Path(one)) for one in given]
