"""The photo to know an individual by."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """One more column; on SQLite and PostgreSQL alike."""
    op.execute("ALTER TABLE individuals ADD COLUMN best_photo_id INTEGER")
