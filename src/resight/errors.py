"""What goes wrong, in words: every error of ours says what is wrong, where, and what to do."""


class ResightError(Exception):
    """An error that a person can act on; the command line shows its one line and no traceback."""


class UnreadablePhoto(ResightError):
    """A photo that cannot be read.

    Attributes:
        source: the file's path, or a word for a picture that came from memory.
        reason: what is wrong with it.
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class UnusableModel(ResightError):
    """A model file that is missing, broken, or not made by Resight."""


class UnusableCatalogue(ResightError):
    """A catalogue file that is missing, foreign, or made with another model."""


class UnusablePhotos(ResightError):
    """A set of photos that cannot serve its purpose: none at all, or only one individual."""
