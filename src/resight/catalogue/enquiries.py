"""The questions that people ask of a catalogue: `Catalogue` has them all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from resight.catalogue.alike import Alike, alike
from resight.catalogue.asking import kept_queries, known_queries
from resight.catalogue.calibrated import Kept, calibrate_catalogue, guessed, newest, strangers
from resight.catalogue.checks import checked_name, checked_vectors, listed, none_readable
from resight.catalogue.closely import Closely
from resight.catalogue.decision import usual_parameters
from resight.catalogue.identify import (
    Answer,
    Answers,
    Asking,
    Match,
    Query,
    identify,
    identify_encounter,
    matches,
    neighbours,
)
from resight.catalogue.refs import Refs, find_photos_here
from resight.catalogue.search import Gallery, Rows, Vectors
from resight.catalogue.store import Store
from resight.catalogue.where import Filters
from resight.catalogue.where import photo_ids as photos_passing
from resight.errors import ResightError, UnreadablePhoto
from resight.fingerprint.model import Card
from resight.photos.photo import Photo

if TYPE_CHECKING:
    from resight.catalogue.server_index import Indexed
    from resight.photos.decode import Source


class Enquiries:
    """What people ask a catalogue; see `Catalogue`."""

    _store: Store
    _strangers: tuple[Gallery, dict[str, float]] | None
    model_id: str
    card: Card

    def identify(
        self,
        photos: Source | Photo | Iterable[Source | Photo],
        *,
        top: int = 3,
        photos_each: int = 3,
        leave_out_itself: bool = False,
        filters: Filters | None = None,
        share_new: float | str | None = None,
        closely: bool = False,
        progress: bool = False,
    ) -> Answers:
        """Ask of each photo who it shows.

        Args:
            photos: files, folders that are walked, PIL images, arrays, and `Photo`s (whose box is
                cut out; parts of one picture show different individuals); one or many.
            top: how many individuals to offer.
            photos_each: how many photos of each to show.
            leave_out_itself: leave a photo that is itself enrolled out of its own candidates.
            filters: search only photos of a side, a place, a time or an area.
            share_new: how often somebody new is expected, between 0 and 1; "asked": as often as
                these photos themselves suggest, taken together. By default what `calibrate` found.
            closely: look at the candidates' photos by keypoints or strokes, too; a catalogue
                that was calibrated closely does so anyway.
            progress: show a bar on stderr.

        Returns:
            An answer for every photo that can be read; `.unreadable` has the others.

        Raises:
            ResightError: no photo can be read, or a share that cannot be one.
            UnusableCatalogue: nobody is enrolled, or the model's file is not to be found.
        """
        how, vectors, queries, unreadable = self._by_one_model(
            photos,
            progress,
            top,
            photos_each,
            leave_out_itself,
            filters,
            share_new,
            closely or None,
        )
        return Answers(identify(how, vectors, queries), unreadable)

    def identify_encounter(
        self,
        photos: Source | Photo | Iterable[Source | Photo],
        *,
        top: int = 3,
        photos_each: int = 3,
        leave_out_itself: bool = False,
        filters: Filters | None = None,
        share_new: float | str | None = None,
        closely: bool = False,
        progress: bool = False,
    ) -> Answers:
        """Ask of several photos of one individual at one time and place: one answer for all.

        As `identify`, which see. It is surer than the photos one by one.

        Returns:
            One answer; `.unreadable` has the photos that could not be read.

        Raises:
            ResightError: also where two are parts of one picture, which show two individuals.
        """
        how, vectors, queries, unreadable = self._by_one_model(
            photos,
            progress,
            top,
            photos_each,
            leave_out_itself,
            filters,
            share_new,
            closely or None,
        )
        return Answers((identify_encounter(how, vectors, queries),), unreadable)

    def identify_vectors(
        self,
        vectors: Any,
        *,
        top: int = 3,
        photos_each: int = 3,
        filters: Filters | None = None,
        share_new: float | str | None = None,
        together: bool = False,
    ) -> tuple[Answer, ...]:
        """As `identify`, for fingerprints that are made already: float (q, dim) unit vectors.

        With `together`, as `identify_encounter`: one answer. The answers' `query` is "vector 0",
        "vector 1", …
        """
        how = self._asking(top, photos_each, False, filters, share_new)
        vectors = checked_vectors(vectors, how.gallery.dim)
        queries = [Query(f"vector {place}") for place in range(len(vectors))]
        if together and queries:
            return (identify_encounter(how, vectors, queries),)
        return identify(how, vectors, queries)

    def identify_kept(
        self,
        photos: Refs,
        *,
        top: int = 3,
        photos_each: int = 3,
        filters: Filters | None = None,
        share_new: float | str | None = None,
        together: bool = False,
    ) -> tuple[Answer, ...]:
        """As `identify`, for photos of the catalogue, by the fingerprints that are kept of them.

        Neither their files nor the model are needed, and none finds itself. With `together`, as
        `identify_encounter`: one answer.

        Raises:
            ResightError: a photo that is not there, or has no fingerprint of the model in use.
            UnusableCatalogue: nobody is enrolled.
        """
        how = self._asking(top, photos_each, True, filters, share_new)
        ids = find_photos_here(self._store, photos)
        whole = how.gallery if filters is None else self._current_gallery()
        places = {int(whole.photo_ids[row]): row for row in whole.rows_of(ids)}
        missing = [i for i in ids if i not in places]
        if missing or whole.history.model != how.model_id:
            raise ResightError(
                f"photo {missing[0] if missing else ids[0]}: has no fingerprint of the model in "
                "use; to make it: resight refingerprint"
            )
        vectors = whole.take(np.array([places[i] for i in ids], np.int64))
        queries = kept_queries(self._store, ids)
        if together:
            return (identify_encounter(how, vectors, queries),)
        return identify(how, vectors, queries)

    def alike(self, individual: str, *, top: int = 8, photos_each: int = 6) -> Alike:
        """Who may be the same individual, the likeliest first; see `alike.alike`."""
        how = self._asking(top, photos_each, True, None, None)
        return alike(how, checked_name(individual))

    def calibrate(
        self,
        *,
        share_new: float | None = None,
        since: datetime | None = None,
        closely: bool = False,
        progress: bool = False,
    ) -> Kept:
        """Make the probabilities true, on the catalogue's own photos; see docs/decision.md.

        Every encounter is asked of what was known before it. The result is kept in the catalogue
        and counts from then on; `newest_calibration` gives it back.

        Args:
            share_new: how often somebody new is to be expected; judged from the past by default.
            since: ask only with photos taken then or later, such as those that the model was not
                trained on.
            closely: look at the candidates' photos by keypoints or strokes, too; from then on
                `identify` does.
            progress: show a bar on stderr while the photos' keypoints are found.

        Raises:
            ResightError: fewer than two individuals, or a share that cannot be one.
        """
        gallery = self._current_gallery()
        return calibrate_catalogue(
            self._store,
            gallery,
            gallery.history.model,
            share=share_new,
            since=since,
            usual=usual_parameters(drawings=self.card.drawings, closely=closely),
            closely=Closely(self._store, self.card) if closely else None,
            progress=progress,
        )

    def newest_calibration(self) -> Kept | None:
        """The calibration that counts, for the model in use; None if there is none yet."""
        self._follow_model()
        return newest(self._store, self.model_id)

    def neighbours(
        self, vectors: Any, k: int = 10, *, by: Literal["memory", "server", "index"] = "memory"
    ) -> list[tuple[Match, ...]]:
        """For each of the unit vectors, float (q, dim), the k nearest photos, whosever they are.

        Args:
            vectors: the queries.
            k: how many.
            by: what finds them. "memory": this computer, exactly. A catalogue on PostgreSQL may
                also ask the "server", exactly too, so that no vectors are fetched; or its "index"
                (see `index`), which is fast beyond a million and may miss some.

        Raises:
            ResightError: no server, or no index there.
        """
        if by == "memory":
            gallery = self._searchable(k)
            return neighbours(self._store, gallery, checked_vectors(vectors, gallery.dim), k)
        from resight.catalogue.server_search import nearest_on_server

        self._follow_model()
        vectors = checked_vectors(vectors, self.card.dim)
        with_index = by == "index"
        found = nearest_on_server(self._store, self.model_id, vectors, k, index=with_index)
        return matches(self._store, found)

    def index(self, *, memory: float | None = None, workers: int | None = None) -> Indexed:
        """Make an index (HNSW) for the catalogue's model on its PostgreSQL server, and measure it.

        The server keeps it up to date. Making it takes minutes for a million photos; meanwhile
        everybody goes on working. Where there is one, it is measured only.

        Args:
            memory: GiB that the server may take for making it; see `server_index.make_index`.
            workers: processes of the server that help; by default as the server is set.

        Raises:
            ResightError: a catalogue in a file, which needs none.
            UnusableCatalogue: the server refuses.
        """
        from resight.catalogue.server_index import index

        self._follow_model()
        return index(self._store, self.model_id, self.card.dim, memory=memory, workers=workers)

    def _asking(
        self,
        top: int,
        photos_each: int,
        leave_out_itself: bool,
        filters: Filters | None,
        share_new: float | str | None,
        closely: bool | None = False,
    ) -> Asking:
        """How to ask; looking closely or not, or (None) as the catalogue was calibrated."""
        whole = gallery = self._searchable(top, photos_each)
        if isinstance(share_new, str) and share_new != "asked":
            raise ResightError(f'share_new is between 0 and 1, or "asked", not {share_new!r}')
        if filters:
            gallery = whole.only(photos_passing(self._store, filters))
        model_id = whole.history.model  # `self.model_id` may be another by now
        decide = newest(self._store, model_id, closely)
        if decide is None:
            known = self._strangers
            if known is None or known[0] is not whole:
                self._strangers = known = (whole, strangers(whole))
            usual = usual_parameters(drawings=self.card.drawings, closely=bool(closely))
            decide = guessed(usual, known[1])
        return Asking(
            self._store,
            gallery,
            model_id,
            decide,
            top,
            photos_each,
            leave_out_itself,
            share_new,
            filters.words() if filters else "",
            Closely(self._store, self.card) if closely or decide.calibration.closely else None,
        )

    def _by_one_model(
        self, photos: Any, progress: bool, *how_to_ask: Any
    ) -> tuple[Asking, Vectors, list[Query], tuple[UnreadablePhoto, ...]]:
        """How to ask, and what: the photos that can be read, what is known of each, the others.

        Both by the same model, though somebody may change it in between: fingerprints of two models
        have nothing to say to each other.
        """
        stack = isinstance(photos, np.ndarray) and photos.ndim > 2
        one = [photos] if isinstance(photos, Photo) else photos
        sources: Any = photos if stack else listed(one)
        how = self._asking(*how_to_ask)
        while True:
            model_id, vectors, index, unreadable = self._fingerprinted(sources, progress)
            if not len(index):
                raise none_readable(unreadable, len(sources))
            if how.model_id != model_id:
                how = self._asking(*how_to_ask)
            if how.model_id == model_id:
                break
        places = index.tolist()
        queries = known_queries(self._store, [sources[i] for i in places], places)
        if (by := how.closely) is not None:
            if stack and sources.ndim == 4:  # channels come first for a model, last in a picture
                sources = np.moveaxis(sources, 1, -1)
            queries = [
                replace(query, details=by.of_source(sources[i]))
                for query, i in zip(queries, places, strict=True)
            ]
        return how, vectors, queries, unreadable

    def _searchable(self, *counts: int) -> Gallery:
        if min(counts) < 1:
            raise ResightError("ask for one individual and one photo at least")
        return self._current_gallery()

    def _follow_model(self) -> None:
        """See `Catalogue`."""
        raise NotImplementedError

    def _current_gallery(self) -> Gallery:
        """See `Catalogue`."""
        raise NotImplementedError

    def _fingerprinted(
        self, sources: Any, progress: bool
    ) -> tuple[str, Vectors, Rows, tuple[UnreadablePhoto, ...]]:
        """See `Catalogue`."""
        raise NotImplementedError
