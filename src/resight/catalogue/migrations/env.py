"""What Alembic runs: the steps, in the transaction that `bring_up_to_date` holds open."""

from alembic import context

from resight.catalogue.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
