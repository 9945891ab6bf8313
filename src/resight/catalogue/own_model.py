"""The model that a catalogue keeps to, and where its file is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.store import Store
from resight.errors import UnusableCatalogue, UnusableModel

if TYPE_CHECKING:
    from resight.fingerprint.model import Model


def recorded_model(store: Store) -> tuple[str, str]:
    """The id of the catalogue's model, and its card as JSON; the model's file is not needed."""
    with store.reading() as connection:
        row = connection.execute(
            sa.select(schema.models.c.id, schema.models.c.card).join(
                schema.about, schema.about.c.model_id == schema.models.c.id
            )
        ).one()
    return row.id, row.card


def check_model(store: Store, model_id: str, model: Model) -> None:
    """Hold a model to be the catalogue's own, and note where it is when its old place is empty.

    Raises:
        UnusableCatalogue: it is another one.
    """
    if model.id != model_id:
        raise UnusableCatalogue(
            f"{store.place}: keeps to the model {model_id}, and {model.path} is {model.id}; give "
            "its own, or change to this one with: resight refingerprint"
        )
    follow_file(store, model)


def follow_file(store: Store, model: Model) -> None:
    """Note where a model that the catalogue knows is now, when its old place is empty."""
    if not store.whole_path(_recorded_path(store, model.id)).exists():
        with store.writing() as connection:
            connection.execute(
                sa.update(schema.models)
                .where(schema.models.c.id == model.id)
                .values(path=store.kept_path(model.path))
            )


def check_in_use(connection: sa.Connection, store: Store, model_id: str) -> None:
    """Within a transaction that writes fingerprints: hold their model to be the one in use still.

    Raises:
        UnusableCatalogue: somebody has changed it since.
    """
    found = connection.scalars(sa.select(schema.about.c.model_id)).one()
    if found != model_id:
        raise UnusableCatalogue(
            f"{store.place}: somebody has changed its model to {found} meanwhile; do it again"
        )


def find_model(store: Store, model_id: str) -> Model:
    """Open the catalogue's model: from where it was, or else from beside the catalogue.

    Raises:
        UnusableCatalogue: it is at neither place.
    """
    from resight.fingerprint.model import load_model

    recorded = store.whole_path(_recorded_path(store, model_id))
    seen = []
    for place in dict.fromkeys((recorded, store.folder / recorded.name)):
        if not place.exists():
            continue
        try:
            model = load_model(place)
        except UnusableModel as error:
            seen.append(str(error))
            continue
        if model.id == model_id:
            return model
        seen.append(f"{place} is {model.id}")
    beside = "beside the catalogue" if store.path else "in the current folder"
    found = "; ".join(seen) or f"it is neither at {recorded} nor {beside}"
    raise UnusableCatalogue(
        f"{store.place}: its model {model_id} is not to be found ({found}); "
        "put it back there, or say once where it is, and that is noted: resight identify "
        "CATALOGUE PHOTO --model FILE (or model=)"
    )


def _recorded_path(store: Store, model_id: str) -> str:
    with store.reading() as connection:
        return connection.scalars(
            sa.select(schema.models.c.path).where(schema.models.c.id == model_id)
        ).one()
