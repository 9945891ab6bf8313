"""How long commands take from a cold start, as whole processes.

    make demo && python benchmarks/start.py

The peer, in turns with the others, is what a program on fastai does before it can answer:
`import fastai.vision.all`.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

DEMO = Path("out/demo")


def seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    resight = str(Path(sys.executable).with_name("resight"))
    star = str(sorted((DEMO / "glyphs" / "star").glob("*.png"))[-1])
    commands = {
        "resight --help": [resight, "--help"],
        "resight identify, one photo": [resight, "identify", str(DEMO / "catalogue.db"), star],
        "import fastai.vision.all": [sys.executable, "-c", "import fastai.vision.all"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            took = seconds(command)
            if turn:  # the first fills the disk's cache
                times[name].append(took)
    print("| command | median | min to max |\n|---|---|---|")
    for name, taken in times.items():
        print(
            f"| {name} | {statistics.median(taken):.2f} s | {min(taken):.2f} to {max(taken):.2f} |"
        )


if __name__ == "__main__":
    main()
