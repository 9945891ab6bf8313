"""What takes its time: one thread each beside the pages, with how far it is."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, Field

from resight.errors import ResightError


class Stopped(Exception):
    """The review ends, so the work does."""


@dataclass(eq=False)
class Job:
    """A piece of work that goes on beside the pages.

    Attributes:
        words: what it is at.
        share: how far it is, 0 to 1; None where that cannot be told.
        error: what went wrong, in words.
        done: whether it has ended, well or not.
        step: one more each time it has something new to show.
        stop: set when it is to end.
    """

    words: str
    share: float | None = None
    error: str | None = None
    done: bool = False
    step: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    began: float = field(default_factory=time.monotonic)
    result: Any = None
    _thread: threading.Thread | None = None

    def tell(self, words: str, share: float | None = None, *, news: bool = False) -> None:
        """Say how far it is; ends the work where the review ends."""
        if self.stop.is_set():
            raise Stopped
        self.words, self.share = words, share
        self.step += news

    def wait(self, seconds: float) -> bool:
        """Give it a little time to end; whether it has."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self.done


class JobOut(BaseModel):
    """How far a piece of work is."""

    running: bool
    words: str
    share: float | None = Field(description="From 0 to 1; null where that cannot be told.")
    seconds: float = Field(description="Since it began.")
    step: int = Field(description="One more each time there is something new to show.")
    error: str | None

    @classmethod
    def of(cls, job: Job | None) -> JobOut | None:
        """Of a job that there is."""
        if job is None:
            return None
        return cls(
            running=not job.done,
            words=job.words,
            share=job.share,
            seconds=round(time.monotonic() - job.began, 1),
            step=job.step,
            error=job.error,
        )


class Jobs:
    """The work that goes on, one of each name at a time."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._ended = False

    def start(self, name: str, words: str, work: Callable[[Job], Any]) -> Job:
        """Begin a piece of work, or give the one of this name that is not done yet."""
        with self._lock:
            job = self._jobs.get(name)
            if job is not None and not job.done:
                return job
            job = Job(words)
            if self._ended:
                job.done = True
                return job
            thread = threading.Thread(
                target=_run, args=(job, work), name=f"resight-{name}", daemon=True
            )
            job._thread = thread
            self._jobs[name] = job
            thread.start()
            return job

    def get(self, name: str) -> Job | None:
        """The last of this name, done or not."""
        return self._jobs.get(name)

    def end(self, seconds: float = 5) -> None:
        """Stop all, and wait a little for them."""
        with self._lock:
            self._ended = True
            jobs = list(self._jobs.values())
        for job in jobs:
            job.stop.set()
        for job in jobs:
            if job._thread is not None:
                job._thread.join(seconds)


def _run(job: Job, work: Callable[[Job], Any]) -> None:
    if sys.platform == "linux":  # where a thread has a priority of its own: pages come first
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
    try:
        job.result = work(job)
    except Stopped:
        job.words = "stopped"
    except ResightError as error:
        job.error = " ".join(str(error).split())
    except Exception as error:  # a thread that dies in silence would leave the page waiting
        traceback.print_exc(file=sys.stderr)
        job.error = f"it failed ({type(error).__name__}: {error}); the terminal says more"
    finally:
        job.done = True
        job.step += 1
