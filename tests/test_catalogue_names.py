"""Which names individuals can have, and that they come back as they went in."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogues import holdings, unit_vectors, write_photos
from resight.catalogue import Catalogue
from resight.errors import ResightError


@pytest.mark.parametrize("name", ["", "  ", "\u200f", "a\nb", "a\0b", "a\u2028b", "x" * 10_000])
def test_names_that_cannot_be_names(catalogue, tmp_path, name):
    paths = write_photos(tmp_path / "in", 1)
    with pytest.raises(ResightError) as caught:
        catalogue.enrol(name, paths)
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()
    assert holdings(catalogue) == {}


@pytest.mark.parametrize(
    "name",
    [
        "Robert'); DROP TABLE individuals;--",
        'O\'Brien "the 🐋"',
        "👩‍🔬 לונה \u200f(2)",
        "%s {0} :name ?",
        "x" * 200,
    ],
)
def test_odd_names_come_back_as_they_went_in(catalogue, tmp_path, name):
    first, second = write_photos(tmp_path / "in", 2)
    catalogue.enrol(name, first, encounter=name)
    assert catalogue.enrol(f"  {name}\n", second).individual == name
    assert holdings(catalogue) == {name: 2}
    assert [photo.encounter for photo in catalogue.photos_of(name)] == [name, None]
    assert catalogue.identify(first)[0].individual == name


def test_a_name_typed_on_another_keyboard_is_the_same(catalogue, tmp_path):
    first, second = write_photos(tmp_path / "in", 2)
    catalogue.enrol("Zoë", first)
    catalogue.enrol(unicodedata.normalize("NFD", "Zoë"), second)
    assert holdings(catalogue) == {"Zoë": 2}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Catalogue]:
    """One for many names."""
    folder = tmp_path_factory.mktemp("shared")
    with Catalogue.open(folder / "c.db", model=tiny_model, create=True) as made:
        yield made


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=30))
def test_any_text_is_a_name_that_comes_back_or_is_refused(shared, name):
    photo = shared.path.parent / "photo.png"
    photo.write_bytes(name.encode("utf-8", "surrogatepass"))
    before = shared.individuals()
    try:
        kept = shared.enrol(name, photo, vectors=unit_vectors(1)).individual
    except ResightError as error:
        message = str(error)
    else:
        message = ""
    if message:
        assert "\n" not in message
        assert shared.individuals() == before
        return
    assert kept == unicodedata.normalize("NFC", name).strip()
    assert kept in {individual.name for individual in shared.individuals()}
    assert kept in {photo.individual for photo in shared.photos_of(kept)}
