"""Alembic's entry: migrate over the connection that the orchestrator (or a developer's script) hands in."""

from alembic import context

from orchestrator.store import SQLModel

context.configure(
    connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
