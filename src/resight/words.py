"""Counts in words."""


def counted(count: int, thing: str) -> str:
    """1 photo, 2 photos, 1,000 photos."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
