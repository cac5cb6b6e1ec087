"""Runs the steps on the connection, and in the transaction, that `ichscan.service.migrate` gives."""

from alembic import context

from ichscan.service.migrate import TABLE
from ichscan.service.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    version_table=TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
