"""Names that are one name, written in two ways."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resight.photos.alike import alike_names


@pytest.mark.parametrize(
    ("names", "sure"),
    [
        (["Luna", "luna "], True),
        (["Luna", "LU-NA", "lu na"], True),
        (["whale_12", "Whale 12", "whale-12"], True),
        (["１２", "12"], True),  # full-width digits, NFKC
        (["straße", "STRASSE"], True),
        (["12-3", "12_3"], True),
        (["cow 7", "cow 007"], False),
        (["wO1", "w01"], False),
        (["José", "Jose"], False),
        (["Kai", "Каі"], False),  # the second is Cyrillic
        (["Mathilda", "Matilda"], False),
        (["Matidla", "Matilda"], False),
        (["Brother", "Brothel"], False),
    ],
)
def test_slips_are_found(names: list[str], sure: bool) -> None:
    found = alike_names(names)
    assert [set(case.names) for case in found] == [set(names)]
    assert found[0].sure == sure


@pytest.mark.parametrize(
    "names",
    [
        ["cow 1", "cow 2", "cow 11", "cow 12"],
        ["1-23", "12-3", "123"],
        ["w_0010", "w_0100", "w_1000"],
        ["calf A", "calf B"],
        ["Luna", "Lena", "Lina"],
        ["Lucky", "Lucky II", "Lucky III"],
        ["north1a", "north1b"],
        ["mother", "mother of Luna"],
        # Many who differ in a letter follow a system.
        ["whalea", "whaleb", "whalec", "whaled"],
        [],
    ],
)
def test_names_that_are_meant_so_are_left_alone(names: list[str]) -> None:
    assert alike_names(names) == []


@settings(max_examples=50)
@given(st.lists(st.text(max_size=12), max_size=12))
def test_any_words_in_any_order_give_the_same(names: list[str]) -> None:
    found = alike_names(names)
    assert found == alike_names(reversed(names))
    for case in found:
        assert len(set(case.names)) == len(case.names) >= 2
        assert set(case.names) <= set(names)
    sure = [name for case in found if case.sure for name in case.names]
    assert len(sure) == len(set(sure))


def test_tens_of_thousands_take_seconds() -> None:
    names = [f"individual {number:x}" for number in range(8_000)]
    start = time.process_time()
    assert not any(case.sure for case in alike_names(names))
    assert time.process_time() - start < 10
