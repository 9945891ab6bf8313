"""A catalogue whose rows are written straight into its tables, vectors and all: no model."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from resight.catalogue import schema
from resight.catalogue.store import Store, create_store
from resight.fingerprint.model import Card

MODEL = "m" * 64
NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)


@dataclass
class Herd:
    """An open store, and short ways to fill it."""

    store: Store
    dim: int
    people: dict[str, int] = field(default_factory=dict)
    count: int = 0

    def insert(self, table: sa.Table, **row: Any) -> int:
        """Write a row; its id."""
        with self.store.writing() as connection:
            return connection.scalars(sa.insert(table).returning(table.c.id), [row]).one()

    def individual(self, name: str, **more: Any) -> int:
        """The id of an individual, made when it is new."""
        if name not in self.people:
            row = {"name": name, "added_at": NOW, **more}
            self.people[name] = self.insert(schema.individuals, **row)
        return self.people[name]

    def encounter(self, name: str, whose: str | None = None, **more: Any) -> int:
        """The id of a new encounter."""
        individual = whose and self.individual(whose)
        return self.insert(schema.encounters, name=name, individual_id=individual, **more)

    def add(
        self,
        vectors: Any,
        whose: str | Iterable[str | None] | None = None,
        *,
        hashes: Iterable[str] | None = None,
        boxes: Iterable[str] | None = None,
        encounter: int | None = None,
        **more: Any,
    ) -> list[int]:
        """Photos with these vectors; `more` are columns, a list for one value each. Their ids."""
        vectors = np.atleast_2d(np.asarray(vectors, np.float32))
        count = len(vectors)
        names = [whose] * count if whose is None or isinstance(whose, str) else list(whose)
        numbers = range(self.count, self.count + count)
        self.count += count
        keys = list(hashes or (hashlib.sha256(f"{n}".encode()).hexdigest() for n in numbers))
        rows = [
            {
                "content_hash": key,
                "box": box,
                "path": f"{number}.jpg",
                "individual_id": name and self.individual(name),
                "encounter_id": encounter,
                "added_at": NOW,
            }
            | {k: v[place] if isinstance(v, list) else v for k, v in more.items()}
            for place, (number, key, box, name) in enumerate(
                zip(numbers, keys, boxes or [""] * count, names, strict=True)
            )
        ]
        photos = schema.photos
        with self.store.writing() as connection:
            insert = sa.insert(photos).returning(photos.c.id, sort_by_parameter_order=True)
            ids = list(connection.scalars(insert, rows))
            connection.execute(
                sa.insert(schema.fingerprints),
                [
                    {"photo_id": i, "model_id": MODEL, "dim": self.dim, "vector": v.tobytes()}
                    for i, v in zip(ids, vectors.astype("<f4"), strict=True)
                ],
            )
        return ids

    def not_same(self, one: int, other: int) -> None:
        """Two photos that somebody said show different individuals."""
        decision = self.insert(
            schema.decisions, at=NOW, who="ada", what="not the same", photo_id=one
        )
        low, high = sorted((one, other))
        self.insert(schema.not_same, first_photo_id=low, second_photo_id=high, decision_id=decision)

    def settings(self, **values: Any) -> None:
        """Of the catalogue as a whole."""
        with self.store.writing() as connection:
            connection.execute(sa.update(schema.about).values(settings=values))


def make_herd(place: str | Path, dim: int = 16) -> Herd:
    """An empty catalogue."""
    card = Card(
        size=(28, 28), channels=1, dim=dim, body="none", training={}, licence="", version="0",
        content_hash=MODEL,
    )  # fmt: skip
    store = create_store(
        place, model_id=MODEL, card=card.to_json(), model_path=Path("none.onnx").absolute()
    )
    return Herd(store, dim)


def clouds(
    counts: Iterable[int], dim: int = 16, *, width: float = 0.2, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit vectors around random directions, so many of each, and which each belongs to."""
    counts = list(counts)
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    centres = rng.standard_normal((len(counts), dim))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors = centres[labels] + width * rng.standard_normal((len(labels), dim)) / np.sqrt(dim)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), labels


def as_json(value: Any) -> Any:
    """The value of a column of JSON text."""
    return None if value is None else json.loads(value)


def unit(count: int, dim: int = 16) -> NDArray[np.float32]:
    """Vectors, where any will do."""
    return clouds([count], dim)[0]
