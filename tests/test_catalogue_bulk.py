"""Many rows into PostgreSQL by COPY: the same rows as by INSERT, and the same refusals."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogues import unit_vectors, write_files
from resight.catalogue import Catalogue, bulk, schema
from resight.catalogue.bulk import copy_fingerprints, copy_rows
from resight.catalogue.store import Store, create_store
from resight.errors import UnusableCatalogue
from resight.photos.photo import Photo

MODEL = "a model's name, 100%"


@pytest.fixture
def store(postgres: str) -> Any:
    made = create_store(postgres, model_id=MODEL, card="{}", model_path=Path("m.onnx").absolute())
    yield made
    made.close()


def everything(place: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, but for the moments at which they were made."""
    url = sa.make_url(place).set(drivername="postgresql+psycopg")
    name = url.query["schema"]
    engine = sa.create_engine(url.difference_update_query(["schema"]))
    found = {}
    with engine.connect() as connection:
        connection.exec_driver_sql(f'SET search_path = "{name}", public')
        for table in schema.metadata.sorted_tables:
            columns = [c for c in table.c if c.name not in ("at", "added_at", "made_at")]
            rows = connection.execute(sa.select(*columns).order_by(*table.primary_key.columns))
            found[table.name] = [tuple(row) for row in rows]
    engine.dispose()
    return found


def herd(folder: Path) -> list[Photo]:
    """Photos with everything that can be known of them, and with nothing."""
    paths = write_files(folder, 60)
    moment = datetime(2025, 4, 3, 12, 30, 15, 250000)
    return [
        Photo(
            path,
            None if n % 7 == 0 else ("Lúna", 'Mi\\lo "x"', "Ōkami 狼")[n % 3],
            f"bay {n // 10}" if n % 2 else None,
            moment if n % 3 else None,
            "left" if n % 4 else None,
            (1, 2, 30, 40) if n % 5 == 0 else None,
            "\\N, not nothing" if n % 2 else None,
            "Ada" if n % 2 else None,
            -33.5 if n % 2 else None,
            151.25 if n % 2 else None,
        )
        for n, path in enumerate(paths)
    ]


def test_copied_and_inserted_catalogues_are_the_same(
    postgres: str, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, vectors = herd(tmp_path / "in"), unit_vectors(60)
    found = []
    for way, least in (("copied", 1), ("inserted", 10**9)):
        monkeypatch.setattr(bulk, "WORTH_IT", least)
        place = f"{postgres}_{way}"
        with Catalogue.open(place, model=tiny_model, create=True) as catalogue:
            assert catalogue.add(photos, vectors=vectors).added == 60
            named = [photo.individual is not None for photo in photos]
            assert np.array_equal(catalogue.vectors()[0], vectors[named])
            enrolled = everything(place)
            catalogue.undo()
            catalogue.redo()
            answers = [
                [(c.individual, c.distance) for c in answer.candidates]
                for answer in catalogue.identify_vectors(unit_vectors(5, seed=9))
            ]
        found.append((enrolled, everything(place), answers))
    assert found[0] == found[1]
    assert len(found[0][0]["photos"]) == len(found[0][0]["fingerprints"]) == 60
    assert len(found[0][0]["decisions"]) == 51
    assert found[0][0]["changes"]


def test_ids_go_on_after_one_another_whichever_way(store: Store) -> None:
    now = datetime.now(UTC)
    with store.writing() as connection:
        rows = [{"name": f"no. {n}", "added_at": now} for n in range(5)]
        assert copy_rows(connection, schema.individuals, rows) == [1, 2, 3, 4, 5]
        one = sa.insert(schema.individuals).returning(schema.individuals.c.id)
        assert connection.scalar(one, [{"name": "no. 5", "added_at": now}]) == 6
        more = [{"name": "no. 6", "added_at": now}]
        assert copy_rows(connection, schema.individuals, more) == [7]


def test_what_the_server_refuses_leaves_nothing_behind(store: Store) -> None:
    now = datetime.now(UTC)
    rows = [{"name": name, "added_at": now} for name in ("Luna", "Milo", "Luna")]
    with pytest.raises(sa.exc.IntegrityError), store.writing() as connection:
        copy_rows(connection, schema.individuals, rows)
    broken = unit_vectors(3, 8)
    broken[1, 2] = np.nan
    photo = {"content_hash": "0" * 64, "path": "x.png", "added_at": now}
    photos = [{**photo, "box": str(n)} for n in range(3)]

    def bring_in_nan() -> None:
        with store.writing() as connection:
            ids = copy_rows(connection, schema.photos, photos)
            copy_fingerprints(connection, MODEL, ids, broken)

    with pytest.raises(UnusableCatalogue, match="NaN") as told:
        bring_in_nan()
    assert "\n" not in str(told.value)
    with pytest.raises(sa.exc.IntegrityError), store.writing() as connection:
        copy_fingerprints(connection, MODEL, [1, 2, 3], unit_vectors(3, 8))  # no such photos
    with store.reading() as connection:
        for table in (schema.individuals, schema.photos, schema.fingerprints):
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0
        assert connection.scalar(sa.select(schema.about.c.revision)) == 0


def test_fingerprints_come_back_bit_by_bit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_AT_ONCE", 7)  # several parts, and a rest
    vectors = unit_vectors(40, 96)
    vectors[3, :4] = [np.float32(1e-45), np.float32(-1e-30), 0, -0.0]
    now = datetime.now(UTC)
    with store.writing() as connection:
        photos = [
            {"content_hash": f"{n:064x}", "path": f"{n}.png", "added_at": now} for n in range(40)
        ]
        ids = copy_rows(connection, schema.photos, photos)
        copy_fingerprints(connection, MODEL, ids, vectors)
    table = schema.fingerprints
    with store.reading() as connection:
        sent = sa.func.vector_send(table.c.vector, type_=sa.LargeBinary)
        rows = connection.execute(
            sa.select(table.c.id, table.c.photo_id, table.c.model_id, table.c.dim, sent).order_by(
                table.c.id
            )
        ).all()
    assert [row[:4] for row in rows] == [(n, n, MODEL, 96) for n in range(1, 41)]
    assert b"".join(row[4][4:] for row in rows) == vectors.astype(">f4").tobytes()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_any_text_comes_through(store: Store, notes: list[str]) -> None:
    now = datetime.now(UTC)
    fields = [{note: note} if n % 2 else None for n, note in enumerate(notes)]
    with store.altering() as connection:
        rows = [
            {"name": f"{n}", "notes": note, "fields": field, "added_at": now}
            for n, (note, field) in enumerate(zip(notes, fields, strict=True))
        ]
        ids = copy_rows(connection, schema.individuals, rows)
        people = schema.individuals.c
        found = connection.execute(
            sa.select(people.notes, people.fields, people.added_at, people.gone)
            .where(people.id.in_(ids))
            .order_by(people.id)
        ).all()
        connection.rollback()
    assert [tuple(row) for row in found] == [
        (note, field, now, False) for note, field in zip(notes, fields, strict=True)
    ]
