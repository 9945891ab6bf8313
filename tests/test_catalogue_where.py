"""Filters: which photos are searched."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resight.catalogue import schema
from resight.catalogue.journal import acting
from resight.catalogue.store import Store, create_store
from resight.catalogue.where import Filters, distance_km, photo_ids
from resight.errors import ResightError


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    """Six photos of four encounters; on each engine in turn."""
    store = create_store(place, model_id="m", card="{}", model_path=Path("m.onnx").absolute())
    with acting(store, "enrol", "six photos") as act:
        act.insert(schema.individuals, [{"name": "Luna", "added_at": act.now}])
        encounters = [
            ("baja", "Baja", datetime(2024, 5, 1, 12, tzinfo=UTC), 24.0, -110.0),
            ("cocos", "Cocos", datetime(2024, 6, 1, 12, tzinfo=UTC), -12.0, 96.9),
            ("fiji", None, None, -17.0, 179.95),
            ("lost", None, None, None, None),
        ]
        act.insert(
            schema.encounters,
            [
                {
                    "individual_id": 1,
                    "name": name,
                    "place": place,
                    "began_at": began,
                    "latitude": latitude,
                    "longitude": longitude,
                }
                for name, place, began, latitude, longitude in encounters
            ],
        )
        photos = [
            (1, "left", datetime(2024, 5, 1, 23, 30)),
            (1, "right", None),
            (2, "left", None),
            (3, None, datetime(2023, 1, 1)),
            (4, "left", datetime(2024, 5, 2)),
            (None, "right", datetime(2024, 5, 2)),
        ]
        act.insert(
            schema.photos,
            [
                {
                    "content_hash": f"{number:064x}",
                    "path": f"{number}.jpg",
                    "individual_id": 1,
                    "encounter_id": encounter,
                    "side": side,
                    "taken_at": taken,
                    "added_at": act.now,
                }
                for number, (encounter, side, taken) in enumerate(photos)
            ],
        )
    yield store
    store.close()


def test_each_filter_leaves_out_the_others(store: Store):
    for asked, ids in [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"side": "left"}, [1, 3, 5]),
        ({"place": "Baja"}, [1, 2]),
        ({"place": "baja'; DROP TABLE photos; --"}, []),
        ({"since": "2024-05-01"}, [1, 2, 3, 5, 6]),
        ({"since": "2024-05-01 12:00"}, [1, 2, 3, 5, 6]),
        ({"since": "2024-05-01 12:01"}, [1, 3, 5, 6]),
        ({"since": "2024-05-01T14:01+02:00"}, [1, 3, 5, 6]),
        ({"until": "2024-05-01"}, [1, 2, 4]),
        ({"since": "2024-05-02", "until": "2024-05-02"}, [5, 6]),
        ({"near": "24,-110,1"}, [1, 2]),
        ({"near": "24.1,-110,11"}, []),
        ({"near": "24.1,-110,11.2"}, [1, 2]),
        ({"near": "-17,-179.95,11"}, [4]),
        ({"near": "-17,180.05,11"}, [4]),
        ({"near": "90,0,20040"}, [1, 2, 3, 4]),
        ({"side": "left", "place": "Baja", "near": "24,-110,1", "until": "2025-01-01"}, [1]),
    ]:
        filters = Filters.parse(**asked)
        assert photo_ids(store, filters).tolist() == ids, asked
        assert bool(filters) == bool(asked)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"since": "yesterday"}, "since 'yesterday': is neither a day"),
        ({"until": "2024-13-01"}, "until '2024-13-01'"),
        ({"near": "1,2"}, r"near '1,2': is not LATITUDE,LONGITUDE,KM"),
        ({"near": "nan,2,3"}, "latitude is from -90 to 90"),
        ({"near": "91,2,3"}, "latitude is from -90 to 90"),
        ({"near": "1,2,-3"}, "not below 0"),
        ({"near": "1,2,inf"}, "not below 0"),
        ({"since": "2024-05-02", "until": "2024-05-01"}, "the first is later"),
    ],
)
def test_what_cannot_be_meant_is_said_in_words(asked, words):
    with pytest.raises(ResightError, match=words):
        Filters.parse(**asked)


def test_filters_in_words_and_for_json():
    filters = Filters.parse(
        side="left", place="Baja", since="2024-05-01", until="2024-05-01 14:30", near="24,-110,2.5"
    )
    assert filters.words() == (
        "left side, at Baja, since 2024-05-01, until 2024-05-01 14:30, within 2.5 km of 24,-110"
    )
    assert filters.to_dict() == {
        "side": "left",
        "place": "Baja",
        "since": "2024-05-01T00:00:00",
        "until": "2024-05-01T14:30:00",
        "near": [24.0, -110.0, 2.5],
    }
    assert Filters().words() == ""
    assert Filters().to_dict() == {}
    assert Filters.parse(until="2024-05-01").words() == "until 2024-05-01"
    zone = timezone(timedelta(hours=2))
    assert Filters(since=datetime(2024, 5, 1, tzinfo=zone)).words() == (
        "since 2024-05-01 00:00+02:00"
    )


degrees = st.floats(-90, 90), st.floats(-180, 180)


@given(*degrees, *degrees)
def test_distances_are_those_of_three_dimensions(latitude, longitude, other, across):
    def point(north: float, east: float) -> np.ndarray:
        north, east = math.radians(north), math.radians(east)
        flat = math.cos(north)
        return np.array([flat * math.cos(east), flat * math.sin(east), math.sin(north)])

    chord = np.linalg.norm(point(latitude, longitude) - point(other, across))
    truth = 2 * 6371.0088 * math.asin(min(1, chord / 2))
    (found,) = distance_km(np.array([latitude]), np.array([longitude]), other, across)
    assert found == pytest.approx(truth, abs=0.5)


def test_words_from_another_keyboard_are_the_same(store: Store) -> None:
    with acting(store, "describe", "where it was") as act:
        act.update(schema.encounters, [1], place="Caf\u00e9")
    assert list(photo_ids(store, Filters(place=" Cafe\u0301 "))) == [1, 2]
