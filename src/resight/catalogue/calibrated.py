"""Calibrations in the catalogue: making one, keeping it, and finding the one that counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.answer import Basis
from resight.catalogue.calibrate import Calibration, calibrate
from resight.catalogue.closely import Closely
from resight.catalogue.decision import Parameters
from resight.catalogue.search import Gallery, Without, best_of_individuals
from resight.catalogue.store import Store
from resight.errors import ResightError
from resight.fingerprint.model import Card

OLD = 1.25  # times as many photos as when it was calibrated
_SAMPLE = 64  # photos by which the usual similarity is judged
_SAMPLE_CELLS = 1 << 23


@dataclass(frozen=True)
class Kept:
    """A calibration as the catalogue keeps it.

    Attributes:
        calibration: how to decide, and what was measured.
        at: when it was made; None for the prior.
        revision: of the catalogue that it was made on.
    """

    calibration: Calibration
    at: datetime | None
    revision: int = 0

    def basis(self, photos: int, share: float | None = None) -> Basis:
        """What an answer rests on, in a catalogue that has so many photos now."""
        made = self.calibration
        return Basis(
            made.enough,
            made.resightings,
            made.individuals,
            made.photos,
            self.at,
            self.at is not None and photos > OLD * made.photos,
            made.parameters.share if share is None else share,
        )


def calibrate_catalogue(
    store: Store,
    gallery: Gallery,
    model_id: str,
    *,
    usual: Parameters,
    share: float | None = None,
    since: datetime | None = None,
    closely: Closely | None = None,
    progress: bool = False,
) -> Kept:
    """Calibrate on everything that has a name, and keep the result: whole, or not at all.

    Args:
        store: the open catalogue.
        gallery: all that is searched.
        model_id: whose fingerprints these are.
        usual: the prior's middle.
        share: how often somebody new is expected; judged from the past where None.
        since: ask only with photos taken then or later.
        closely: looks at the candidates' photos by keypoints; then so does whoever asks.
        progress: show a bar on stderr while the photos' keypoints are found.

    Raises:
        ResightError: a share outside 0 to 1, or nobody to tell apart.
    """
    if share is not None and not 0 < share < 1:
        raise ResightError(f"the share of new individuals lies between 0 and 1, not {share}")
    rows = np.flatnonzero(gallery.searched)
    if len(gallery.people) < 2:
        raise ResightError(
            f"{store.place}: telling individuals apart takes two of them at least; enrol more"
        )
    days = _days(store)
    seen = _seen(store, model_id)
    trained = np.array([i in seen for i in gallery.photo_ids[rows].tolist()], bool)
    nat = np.datetime64("NaT", "D")
    when = [days.get(i, nat) for i in gallery.photo_ids[rows].tolist()]
    encounters = gallery.columns["encounter"][rows].astype(np.int64)
    made = calibrate(
        gallery.take(rows),
        gallery.individual_ids[rows],
        np.where(encounters > 0, encounters, -1),
        np.array(when, "datetime64[D]"),
        share=share,
        since=None if since is None else np.datetime64(since.replace(tzinfo=None), "D"),
        seen=trained,
        look=None if closely is None else closely.among(gallery.photo_ids[rows], progress),
        usual=usual,
    )
    kept = Kept(made, datetime.now(UTC), gallery.history.revision)
    with store.altering() as connection:
        connection.execute(
            sa.insert(schema.calibrations).values(
                at=kept.at,
                model_id=model_id,
                revision=kept.revision,
                parameters=made.to_dict(),
                figures=made.figures,
            )
        )
    return kept


def newest(store: Store, model_id: str, closely: bool | None = None) -> Kept | None:
    """The calibration that counts: the newest of the model's that rests on enough; else the newest.

    So one that could not be made, for want of photos that may ask, costs none that was.

    Args:
        store: the open catalogue.
        model_id: of the model.
        closely: only those made looking closely, or only those made without.
    """
    table = schema.calibrations
    first = None
    with store.reading() as connection:
        for row in connection.execute(
            sa.select(table).where(table.c.model_id == model_id).order_by(table.c.id.desc())
        ):
            kept = Kept(Calibration.from_dict(row.parameters, row.figures), row.at, row.revision)
            if closely is not None and kept.calibration.closely != closely:
                continue
            if kept.calibration.enough:
                return kept
            first = first or kept
    return first


def guessed(usual: Parameters, strangers: dict[str, float]) -> Kept:
    """What is usual of catalogues, at this one's similarity of `strangers`."""
    return Kept(Calibration(replace(usual, **strangers)), None)


def strangers(gallery: Gallery) -> dict[str, float]:
    """Mean and standard deviation of the similarity of a photo to each stranger's best."""
    rows = np.flatnonzero(gallery.searched)
    if len(gallery.people) < 3:
        return {}
    count = int(np.clip(_SAMPLE_CELLS // gallery.starts[-1], 8, _SAMPLE))
    rng = np.random.default_rng(0)
    drawn = np.sort(rng.choice(rows, min(count, len(rows)), replace=False))
    own: list[Any] = [[int(i)] for i in gallery.individual_ids[drawn]]
    found = np.concatenate(
        [
            best.ravel()
            for best in best_of_individuals(
                gallery.take(drawn), gallery, without=Without(individuals=own)
            )
        ]
    )
    found = found[np.isfinite(found)].astype(np.float64)
    return {"centre": float(found.mean()), "scale": max(float(found.std()), 0.01)}


def _seen(store: Store, model_id: str) -> set[int]:
    """The ids of the photos that the model says it was trained on (`Card.photos_seen`)."""
    models, photos = schema.models, schema.photos
    with store.reading() as connection:
        card = connection.scalars(sa.select(models.c.card).where(models.c.id == model_id)).one()
        hashes = Card.from_json(card).photos_seen
        if not hashes:
            return set()
        rows = connection.execute(sa.select(photos.c.id, photos.c.content_hash))
        return {photo for photo, content in rows if content[:16] in hashes}


def _days(store: Store) -> dict[int, np.datetime64]:
    """The day of each photo; without one of its own, that of its encounter."""
    photos, encounters = schema.photos, schema.encounters
    found = {}
    with store.reading() as connection:
        for photo_id, taken, began in connection.execute(
            sa.select(photos.c.id, photos.c.taken_at, encounters.c.began_at).outerjoin(
                encounters, encounters.c.id == photos.c.encounter_id
            )
        ):
            if moment := taken or began:
                found[photo_id] = np.datetime64(moment.replace(tzinfo=None), "D")
    return found
