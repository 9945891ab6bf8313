"""A catalogue's mapped vectors as tests look at them: what they say, and what is true."""

from pathlib import Path

import numpy as np
import sqlalchemy as sa

from catalogues import unit_vectors
from resight.catalogue import schema, vectors_file
from resight.catalogue.gallery import Gallery
from resight.catalogue.journal import acting
from resight.catalogue.loading import load_gallery
from resight.catalogue.store import Store, create_store

DIM = 8


def make(place: Path | str) -> Store:
    return create_store(place, model_id="m", card="{}", model_path=Path("m.onnx").absolute())


def add(store: Store, count: int, *, individual: int | None = 1, model_id: str = "m") -> list[int]:
    """So many photos with fingerprints, of an individual that is made if need be."""
    with acting(store, "enrol", "some photos") as act:
        people, connection = schema.individuals, act.connection
        there = connection.scalars(sa.select(people.c.id)).all()
        for new in range(len(there) + 1, (individual or 0) + 1):
            act.insert(people, [{"name": f"no. {new}", "added_at": act.now}])
        start = connection.scalar(sa.select(sa.func.count()).select_from(schema.photos)) or 0
        rows = [
            {
                "content_hash": f"{start + number:064x}",
                "path": f"{start + number}.png",
                "individual_id": individual,
                "added_at": act.now,
                "side": ("left", "right", None)[number % 3],
            }
            for number in range(count)
        ]
        ids = act.insert(schema.photos, rows)
        vectors = np.concatenate([unit_vectors(1, DIM, seed=i) for i in ids])
        connection.execute(
            sa.insert(schema.fingerprints),
            [
                {"photo_id": i, "model_id": model_id, "dim": DIM, "vector": vector.tobytes()}
                for i, vector in zip(ids, vectors, strict=True)
            ],
        )
    return ids


def told(gallery: Gallery) -> dict[int, tuple]:
    """What a gallery says of each photo that it searches."""
    rows = np.flatnonzero(gallery.searched)
    vectors = gallery.take(rows)
    columns = {name: values[rows].tolist() for name, values in gallery.columns.items()}
    return {
        photo: (columns["individual"][n], gallery.sides[columns["side"][n]], vectors[n].tobytes())
        for n, photo in enumerate(columns["photo"])
    }


def truth(store: Store) -> dict[int, tuple]:
    """The same from the database, in the plainest way."""
    photos, people, fingerprints = schema.photos, schema.individuals, schema.fingerprints
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(photos.c.id, photos.c.individual_id, photos.c.side, fingerprints.c.vector)
            .join(people, people.c.id == photos.c.individual_id)
            .join(fingerprints, fingerprints.c.photo_id == photos.c.id)
            .where(photos.c.state == "in", ~people.c.gone, fingerprints.c.model_id == "m")
        )
        return {photo: (individual, side or "", vector) for photo, individual, side, vector in rows}


def files(store: Store) -> vectors_file.Place:
    return vectors_file.place_for(store, "m")


def opened(store: Store) -> Gallery:
    """As a new process finds it."""
    gallery = load_gallery(store, "m", DIM)
    assert told(gallery) == truth(store)
    return gallery
