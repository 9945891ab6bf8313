"""Running `resight` within a test."""

import io
import resource
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from resight import cli


@dataclass(frozen=True)
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str

    def failed_in_one_line(self) -> str:
        """Hold it to have failed with one line on stderr, and nothing else; gives that line."""
        assert self.code not in (0, None), self
        assert self.out == "", self
        assert self.err.startswith("Error: "), self
        assert self.err.count("\n") == 1, self
        assert "Traceback" not in self.err
        return self.err.strip()


def resight(*words: str | Path) -> Ran:
    """Run a command in this process, with its own stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        patch.object(sys, "argv", ["resight", *map(str, words)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as stopped:
            code = stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    return Ran(code, out.getvalue(), err.getvalue())


def all_below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# What any command that answers must import; how long that takes is a machine's measure.
PEER = "import numpy, onnxruntime, sqlalchemy.orm, typer, PIL.Image"


def processor_time(run: Callable[[], object], turns: int = 3) -> float:
    """Seconds of processor time that a child process takes, the best of some turns after a first.

    Others may be busy on this machine, so it is not the time on the clock.
    """
    times = []
    for _ in range(turns + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times[1:])
