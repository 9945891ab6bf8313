"""A long day's work on a catalogue, in steps, for tests that stop it at any moment.

Each step is one thing that people do. How many are done stands in the catalogue itself, so whoever
comes next goes on there; and what must be true after each is known from a day that nobody stopped.
"""

import functools
import gc
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from resight.catalogue import Catalogue, schema
from resight.catalogue import refingerprint as room
from resight.catalogue.store import Store, create_store, open_store
from resight.fingerprint.fingerprinter import Fingerprints
from resight.fingerprint.model import Card, Model
from resight.photos import Photo

DIM = 16
ROUNDS = 2
STEPS = 15  # of a round
room.AT_A_TIME = 3  # many small steps, where a kill may fall between


def model(number: int) -> Model:
    """A model in name, whose fingerprints `look` makes."""
    content_hash = hashlib.sha256(b"%d" % number).hexdigest()
    card = Card(size=(28, 28), channels=1, dim=DIM, content_hash=content_hash)
    return Model(Path(f"/nowhere/{number}.onnx"), card, None)  # type: ignore[arg-type]


def look(number: int) -> Callable[[list[Photo]], Fingerprints]:
    def fingerprint(photos: list[Photo]) -> Fingerprints:
        return Fingerprints(vectors(photos, number), np.arange(len(photos)), ())

    return fingerprint


def vectors(photos: list[Photo], number: int) -> np.ndarray:
    """Photos of one individual are near one another, by the first letter of their name."""

    def direction(text: str) -> np.ndarray:
        seed = int.from_bytes(hashlib.sha256(f"{number} {text}".encode()).digest()[:8], "little")
        return np.random.default_rng(seed).standard_normal(DIM)

    names = [Path(photo.path).name for photo in photos]
    found = np.array([direction(name.partition("-")[0]) + direction(name) / 3 for name in names])
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def begin(place: str | Path, folder: Path) -> None:
    """Make the catalogue, and the photos' files."""
    folder.mkdir(exist_ok=True)
    for number in range(ROUNDS):
        for word in "ab":
            for photo in range(5):
                file = folder / f"{word}{number}-{photo}.png"
                file.write_text(file.name)
    first = model(0)
    create_store(place, model_id=first.id, card=first.card.to_json(), model_path=first.path).close()


def done(store: Store) -> int:
    """How many steps are done."""
    count = sa.func.count()
    with store.reading() as connection:
        actions = connection.scalars(sa.select(count).select_from(schema.actions)).one()
        return actions + connection.scalars(sa.select(count).select_from(schema.calibrations)).one()


def work(
    place: str | Path,
    folder: Path,
    *,
    say: Callable[[int], object],
    ready: Callable[[], object] = lambda: None,
    rounds: int = ROUNDS,
) -> None:
    """Go on with the work to its end; `say` is told the number of steps done after each."""
    with Catalogue.open(place) as catalogue:
        start = done(catalogue._store)
        ready()
        for step in range(start, rounds * STEPS):
            _do(catalogue, folder, *divmod(step, STEPS))
            say(step + 1)


def _do(catalogue: Catalogue, folder: Path, number: int, step: int) -> None:
    one = [Photo(folder / f"a{number}-{i}.png", date=None) for i in range(5)]
    two = [Photo(folder / f"b{number}-{i}.png") for i in range(5)]
    name, other, part = f"a{number}", f"b{number}", f"c{number}"
    now = vectors([*one, *two], number)
    steps: list[Callable[[], Any]] = [
        lambda: catalogue.add([*one[:3], *two[:4]], vectors=now[[0, 1, 2, 5, 6, 7, 8]]),
        lambda: catalogue.name(one[:3], name),
        lambda: catalogue.name(two[:4], other),
        lambda: catalogue.enrol(name, one[3:], vectors=now[3:5], encounter="Monday"),
        lambda: catalogue.not_same(one[0], two[0]),
        lambda: catalogue.split(name, one[1:3], new=part),
        lambda: catalogue.merge(part, into=name),
        lambda: catalogue.move(two[3:4], name),
        lambda: catalogue.junk(two[2:3]),
        lambda: catalogue.undo(),
        lambda: catalogue.redo(),
        lambda: catalogue.rename(name, f"d{number}"),
        lambda: catalogue.undo(),
        lambda: room.refingerprint(catalogue._store, model(number + 1), look(number + 1)),
        lambda: catalogue.calibrate(),
    ]
    assert len(steps) == STEPS
    steps[step]()


@functools.cache
def states() -> list[dict[str, Any]]:
    """What is to be seen after each step of a day that nobody stops; of none first."""
    with tempfile.TemporaryDirectory() as name:
        place, folder = Path(name) / "c.db", Path(name) / "in"
        begin(place, folder)
        store = open_store(place)
        found = [state(store)]
        work(place, folder, say=lambda step: found.append(state(store)))
        store.close()
        return found


def state(store: Store) -> dict[str, Any]:
    """All that people can see, whatever the numbers of the rows; of one moment."""
    people, meetings, photos = schema.individuals, schema.encounters, schema.photos
    one, two = photos.alias(), photos.alias()
    queries = {
        "individuals": sa.select(people.c.name).where(~people.c.gone),
        "photos": sa.select(photos.c.path, photos.c.state, people.c.name, meetings.c.name)
        .outerjoin(people, people.c.id == photos.c.individual_id)
        .outerjoin(meetings, meetings.c.id == photos.c.encounter_id)
        .where(photos.c.state != "gone"),
        "not the same": sa.select(one.c.path, two.c.path)
        .select_from(schema.not_same)
        .join(one, one.c.id == schema.not_same.c.first_photo_id)
        .join(two, two.c.id == schema.not_same.c.second_photo_id)
        .where(~schema.not_same.c.gone),
        "model": sa.select(schema.about.c.model_id),
        "actions": sa.select(schema.actions.c.verb, schema.actions.c.summary),
        "decisions": sa.select(schema.decisions.c.what, photos.c.path).outerjoin(
            photos, photos.c.id == schema.decisions.c.photo_id
        ),
        "calibrations": sa.select(schema.calibrations.c.model_id),
    }
    with store.reading() as connection:
        found = {
            what: sorted(repr(tuple(map(_plain, row))) for row in connection.execute(query))
            for what, query in queries.items()
        }
        found["steps"] = [str(len(found["actions"]) + len(found["calibrations"]))]
    return found


def _plain(value: Any) -> Any:
    """A path without its folder, which on PostgreSQL is written down and in a file is not."""
    return value.rpartition("/")[2] if isinstance(value, str) else value


def forked(action: Callable[[], None]) -> int:
    """Run something in a process of its own; gives its number."""
    child = os.fork()
    if child:
        return child
    # The threads of what was made before are not here. Were it collected (a session of ONNX
    # Runtime joins its threads when it goes), the child would wait for them for ever.
    gc.freeze()
    try:
        action()
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)
