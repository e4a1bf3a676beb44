"""The lease: one controller at a time."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    lease = op.create_table(
        "lease",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("machine", sa.String(), nullable=False),
        sa.Column("boot_id", sa.String(), nullable=False),
        sa.Column("space", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started", sa.String(), nullable=False),
        sa.Column("acquired_utc", sa.String(), nullable=False),
        sa.Column("renewed_utc", sa.String(), nullable=False),
        sa.Column("renewals", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    # the one row is there from the first, so that it can be locked
    texts = ("host", "machine", "boot_id", "space", "started", "acquired_utc", "renewed_utc")
    op.bulk_insert(lease, [{"id": 1, "epoch": 0, "pid": 0, "renewals": 0, **dict.fromkeys(texts, "")}])


def downgrade() -> None:
    op.drop_table("lease")
