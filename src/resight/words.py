"""Counts in words, and strangers' words."""


def counted(count: int, thing: str) -> str:
    """1 photo, 2 photos, 1,000 photos."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def printable(text: str) -> str:
    """A stranger's words without what a terminal would obey, or be upset by."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
