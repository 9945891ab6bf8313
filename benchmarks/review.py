"""How fast the review's pages are on a large catalogue, over loopback.

Makes a catalogue (100,000 photos of 5,000 individuals in 25,000 encounters, 2,000 more waiting,
fingerprints of 384 numbers), kept in the folder for the next run, opens `resight review` on it as a
process of its own, and asks like a browser. Before each round somebody decides, so that every page
is seen as it is right after a decision, when nothing that was kept of it holds any more. Beside
the time on the wall stands that of the server's processors, which other work does not lengthen.

    python benchmarks/review.py FOLDER
    python benchmarks/review.py FOLDER --photos 10000 --individuals 500 --rounds 10
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import re
import struct
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

DIM = 384
PAGES = {
    "/": "the queue",
    "/groups": "the groups",
    "/individuals": "the wall of faces",
    "/individuals?order=seen": "the wall in another order",
    "/individuals?part=a1": "a search in the wall",
    "/individuals/{someone}": "an individual",
    "/individuals/{someone}/merge": "merging it",
    "/map": "the map",
    "/draw": "drawing",
    "/quality": "quality",
    "/history": "the history",
    "/api": "for other programs",
}
ALLOWED = {"page": 300, "decision": 100}  # ms, the 95th percentile
Told = dict[tuple[str, str], list[tuple[float, float]]]  # by kind and words: ms, of processors
LARGE = 20  # waiting photos that are as large as a camera's


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    wanted.add_argument("folder", type=Path, help="for the catalogue; 1 GB at full size")
    wanted.add_argument("--photos", type=int, default=100_000)
    wanted.add_argument("--individuals", type=int, default=5_000)
    wanted.add_argument("--waiting", type=int, default=2_000)
    wanted.add_argument("--rounds", type=int, default=40)
    wanted.add_argument("--later", action="store_true", help="what comes after the pages, too")
    given = wanted.parse_args()
    place = given.folder / f"many-{given.photos}-{given.individuals}.db"
    if not place.exists():
        make(place, given.photos, given.individuals, given.waiting)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    with opened(place) as server:
        show(measure(server, given.individuals, given.rounds))
        if given.later:
            show(afterwards(server, given.individuals))
    print(f"load {os.getloadavg()[0]:.1f}")


def show(told: Told) -> None:
    """Print a table."""
    print("\n| | ms, median | 95 % | of processors, median | 95 % | asked |")
    print("|---|---|---|---|---|---|")
    for (kind, words), took in told.items():
        (wall, worked), (slow, hard) = np.quantile(took, (0.5, 0.95), axis=0)
        asked = ALLOWED.get(kind, "")
        print(f"| {words} | {wall:.0f} | {slow:.0f} | {worked:.0f} | {hard:.0f} | {asked} |")
    sys.stdout.flush()


# —— the catalogue ——


def make(place: Path, count: int, individuals: int, waiting: int) -> None:
    """A catalogue whose fingerprints lie in groups; the files are small pictures of their own."""
    from resight.catalogue import Catalogue
    from resight.learn.embedder import create_embedder
    from resight.learn.export import export_model
    from resight.photos import Photo

    rng = np.random.default_rng(0)
    place.parent.mkdir(parents=True, exist_ok=True)
    model = place.with_suffix(".onnx")
    export_model(create_embedder("small", dim=DIM, channels=1, size=(28, 28)).eval(), model)
    folder = place.with_suffix("")
    began = datetime(2020, 1, 1)
    each = -(-count // individuals)
    named, whose = [], np.arange(count) // each
    for number in range(count):
        who, meeting = number // each, number // 4
        named.append(
            Photo(
                picture(folder, number),
                f"A{who}",
                encounter=f"E{meeting}",
                date=began + timedelta(hours=meeting),
                side=("left", "right")[number % 2],
                place=f"bay {meeting % 50}",
                latitude=54 + (meeting % 977) / 1000,
                longitude=10 + (meeting % 1009) / 1000,
            )
        )
    new = [
        Photo(picture(folder, count + number, large=number < LARGE), side="left")
        for number in range(waiting)
    ]
    centres = rng.standard_normal((individuals, DIM)).astype(np.float32)
    with Catalogue.open(place, model=model, create=True) as catalogue:
        for start in range(0, count, 20_000):
            some = slice(start, start + 20_000)
            catalogue.enrol_many(named[some], vectors=near(centres, whose[some], rng), who="Ada")
        catalogue.add(new, vectors=near(centres, rng.integers(0, individuals, waiting), rng))


def near(centres: np.ndarray, whose: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors, float32 (n, d), each near its individual's."""
    made = centres[whose] + 0.9 * rng.standard_normal((len(whose), DIM)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def picture(folder: Path, number: int, *, large: bool = False) -> Path:
    """A JPEG that is like no other to the byte: a small one, or one of 12 million pixels."""
    path = folder / f"{number // 1000:03}" / f"{number:06}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    start, rest = jpeg(number % 64, (4000, 3000) if large else (64, 48))
    comment = f"{number:06}".encode()
    path.write_bytes(start + b"\xff\xfe" + struct.pack(">H", 2 + len(comment)) + comment + rest)
    return path


@cache
def jpeg(seed: int, size: tuple[int, int]) -> tuple[bytes, bytes]:
    """The first two bytes of a picture, and the others: between them a comment may stand."""
    colours = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC).save(file, "jpeg", quality=85)
    return file.getvalue()[:2], file.getvalue()[2:]


# —— the server, and somebody who asks ——


class Server:
    """A review that runs, and a connection to it."""

    def __init__(self, process: subprocess.Popen[str], address: str, began: float) -> None:
        self.process = process
        self.connection = http.client.HTTPConnection(str(urlsplit(address).netloc), timeout=600)
        self.began = began

    def worked(self) -> float:
        """The ms that its processors have worked; the clock is Linux's, see clock_getcpuclockid."""
        if sys.platform != "linux":
            return float("nan")
        return 1000 * time.clock_gettime((~self.process.pid << 3) | 2)

    def ask(self, path: str, body: Any = None) -> tuple[bytes, tuple[float, float]]:
        """What is answered, and after how many ms, on the wall and of its processors."""
        sent = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json", "Accept": "text/html, application/json"}
        before, began = self.worked(), time.perf_counter()
        self.connection.request("GET" if body is None else "POST", path, sent, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        took = (time.perf_counter() - began) * 1000, self.worked() - before
        assert answer.status == 200, (path, answer.status, content[:300])
        return content, took


@contextmanager
def opened(place: Path) -> Iterator[Server]:
    """`resight review` of a catalogue, as a process of its own."""
    words = [sys.executable, "-m", "resight.cli", "review", str(place)]
    # With its modules compiled, as what is installed has them.
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    process = subprocess.Popen(
        [*words, "--port", "0", "--no-open", "--who", "Ada"],
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )
    try:
        assert process.stdout is not None
        address = re.search(r"http://\S+", process.stdout.readline())
        assert address, "the review did not open"
        yield Server(process, address[0], began)
    finally:
        process.terminate()
        process.wait(30)


def measure(server: Server, individuals: int, rounds: int) -> Told:
    """What a person waits for."""
    rng = np.random.default_rng(1)
    told: Told = defaultdict(list)
    timed = partial(ask, server, told)

    server.ask("/")
    opened = (time.perf_counter() - server.began) * 1000
    told["", "from the command's start to the first page"].append((opened, server.worked()))
    waits = timed("", "the first items of the queue", "/api/queue?count=3")["items"]
    for item in waits:
        timed("", "the first answers, while the fingerprints are read", _answer(item))
    for turn in range(rounds):
        timed("", "no page: that it is alive", "/healthz")
        (item,) = timed("", "the next photo", "/api/queue?count=1")["items"]
        answer = timed("", "an answer right after an undo", _answer(item))
        timed("", "an answer", _answer(item))
        photo = item["photos"][0]
        for size in (160, 1600):
            large = "12 million pixels" if turn < LARGE else "a small photo"
            where = f"/pictures/{photo['id']}/{size}?v={photo['version']}"
            timed("", f"a picture of {size} pixels, first, {large}", where)
            timed("", f"a picture of {size} pixels, again", where)
        said = {"photos": [photo["id"]], "seen": {photo["id"]: photo["last_word"]}}
        said |= {"what": "same", "individual": answer["candidates"][0]["individual"]}
        timed("decision", "a decision", "/api/decisions", said)
        for path, words in PAGES.items():
            someone = int(rng.integers(1, individuals + 1))
            timed("page", words, path.format(someone=someone))
        timed("", "names as one types", "/api/names?part=A1")
        timed("decision", "undo", "/api/undo", {})
        if turn % 2:  # so that each round's photo is another one
            timed("decision", "junk", "/api/decisions", {"what": "junk", "photos": [photo["id"]]})
        else:
            timed("decision", "later", "/api/decisions", {"what": "later", "photos": [photo["id"]]})
    return told


def afterwards(server: Server, individuals: int) -> Told:
    """What comes after the pages."""
    told: Told = defaultdict(list)
    for words, path in (
        ("who is like an individual", f"/api/individuals/{individuals // 2}/alike"),
        ("who lacks what", "/api/quality/gaps"),
        ("the map's points", "/api/map"),
        ("the groups, or that they are looked for", "/api/groups"),
    ):
        ask(server, told, "", f"{words}, first", path)
        ask(server, told, "", f"{words}, again", path)
    began, before = time.perf_counter(), server.worked()
    while not ask(server, told, "", "the groups, meanwhile", "/api/groups")["current"]:
        time.sleep(1)
    took = (time.perf_counter() - began) * 1000, server.worked() - before
    told["", "until the groups are there"].append(took)
    return told


def ask(server: Server, told: Told, kind: str, words: str, path: str, body: Any = None) -> Any:
    """Ask, note how long it took, and give what came."""
    content, took = server.ask(path, body)
    told[kind, words].append(took)
    return json.loads(content) if content[:1] in b"{[" else content


def _answer(item: Any) -> str:
    return "/api/answers?photos=" + ",".join(str(one["id"]) for one in item["photos"])


if __name__ == "__main__":
    main()
