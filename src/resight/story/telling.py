"""Saying aloud what is being done, how far it is, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

LINES = 5  # that tell of progress where no bar can be drawn


class Teller:
    """Announces the steps of a story on a console and keeps their times.

    Attributes:
        seconds: how long each step took, by its key.
    """

    def __init__(self, console: Console, steps: int) -> None:
        self.console = console
        self.steps = steps
        self.seconds: dict[str, float] = {}
        self._number = 0

    @contextmanager
    def step(self, key: str, words: str) -> Iterator[None]:
        """Announce a step, and afterwards how long it took."""
        self._number += 1
        self.console.print(
            f"\n[bold cyan]{self._number}/{self.steps}[/]  [bold]{words}[/]", soft_wrap=True
        )
        start = time.perf_counter()
        yield
        self.seconds[key] = time.perf_counter() - start
        self.say(f"[dim]{seconds_in_words(self.seconds[key])}[/]")

    def say(self, words: str) -> None:
        """A sentence about the step under way."""
        self.console.print(f"     {words}", soft_wrap=True)

    @contextmanager
    def bar(self, words: str) -> Iterator[Callable[[int, int, str], None]]:
        """A bar that `advance(done, of, words)` moves; where it is no terminal, a few lines."""
        start = time.perf_counter()
        if not self.console.is_terminal:

            def line(done: int, of: int, more: str) -> None:
                if done * LINES // of > (done - 1) * LINES // of and done < of:
                    left = (time.perf_counter() - start) / done * (of - done)
                    self.say(f"{words}: {done} of {of}, {more}, some {left:.0f} s left")

            yield line
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("     {task.description}"),
            BarColumn(),
            TextColumn("{task.fields[more]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(words, total=None, more="")
            yield lambda done, of, more: bar.update(task, completed=done, total=of, more=more)


def seconds_in_words(seconds: float) -> str:
    """40 ms, 2.5 s, 1 min 46 s."""
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{round(seconds) // 60} min {round(seconds) % 60} s"
