"""The first lay-out, of Resight 0.1: enrolling and identifying, on SQLite only."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing comes before it."""
