"""What was observed beside a trial but not chosen, and fingerprints of observations."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, column in (("trial", "context"), ("observation", "fingerprints")):
        op.add_column(table, sa.Column(column, sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    for table, column in (("trial", "context"), ("observation", "fingerprints")):
        with op.batch_alter_table(table) as batch:
            batch.drop_column(column)
