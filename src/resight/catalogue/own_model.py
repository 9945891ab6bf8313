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
            f"{store.path}: was made with the model {model_id}, and {model.path} is {model.id}; "
            "give its own model, or start another catalogue for this one"
        )
    if not store.whole_path(_recorded_path(store, model_id)).exists():
        with store.writing() as connection:
            connection.execute(
                sa.update(schema.models)
                .where(schema.models.c.id == model_id)
                .values(path=store.kept_path(model.path))
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
    found = "; ".join(seen) or f"it is neither at {recorded} nor beside the catalogue"
    raise UnusableCatalogue(
        f"{store.path}: its model {model_id} is not to be found ({found}); "
        "say where it is: pass --model (model=)"
    )


def _recorded_path(store: Store, model_id: str) -> str:
    with store.reading() as connection:
        return connection.scalars(
            sa.select(schema.models.c.path).where(schema.models.c.id == model_id)
        ).one()
