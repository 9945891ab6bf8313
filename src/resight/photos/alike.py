"""Names that are probably one name, written in two ways."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

# Letters of other alphabets that look like Latin ones. The full table is Unicode's TR39; these are
# what a keyboard that was left in another language makes.
_TWINS = str.maketrans("аеорсухкіјѕԁαορτυν", "aeopcyxkijsdaoptuv")
_LETTERS = 5  # in names of fewer, one letter's difference is a difference


@dataclass(frozen=True)
class Alike:
    """Some names that are alike.

    Attributes:
        names: two or more, as they are written.
        why: what they differ in, in words.
        sure: whether hardly anybody would mean two by them.
    """

    names: tuple[str, ...]
    why: str
    sure: bool


def alike_names(names: Iterable[str]) -> list[Alike]:
    """Find names that differ only in how they are written, or in a letter.

    - in case, spaces, punctuation or the form of their characters (Unicode's NFKC): "Luna",
      "luna ", "LUNA-"; between two digits, punctuation counts (1-23 is not 12-3);
    - in what looks alike: 0 and O, 1 and l, leading zeros, accents, letters of other alphabets;
    - in one letter of one word, or two that changed places, in words of five letters or more:
      "Mathilda" and "Matilda". Digits are what tells numbered names apart, so they must be the
      same; and names that several others are so near to follow a system.

    Takes time in proportion to the names' letters, not to the pairs of names.
    """
    everyone = sorted(set(names))
    found: list[Alike] = []
    one_of_each: list[str] = []
    for key, why, sure in (
        (_plain, "differ only in case, spaces or punctuation", True),
        (_look, "look alike (0 and O, 1 and l, leading zeros, accents, other alphabets)", False),
    ):
        groups = _grouped(everyone if sure else one_of_each, key)
        found += [Alike(tuple(group), why, sure) for group in groups if len(group) > 1]
        one_of_each = [group[0] for group in groups]
    near = [Alike(pair, "differ in one letter", False) for pair in _near(one_of_each)]
    return [*found, *near]


def _grouped(names: Iterable[str], key: Callable[[str], str]) -> list[list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[key(name)].append(name)
    return list(groups.values())


def _plain(name: str) -> str:
    text = unicodedata.normalize("NFKC", name).casefold()
    text = re.sub(r"(?<=\d)[\W_]+(?=\d)", "\0", text)
    return re.sub(r"[^\w\0]|_", "", text).replace("\0", "-") or name


def _look(name: str) -> str:
    text = unicodedata.normalize("NFKC", name).replace("I", "l")
    text = re.sub(r"(?<=\d)o|o(?=\d)", "0", _plain(text).translate(_TWINS))
    text = re.sub(r"(?<!\d)0+(?=\d)", "", text)
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return text.replace("0", "o").replace("1", "l")


def _near(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names of which one word is one letter apart."""
    # For each word of a name: what stands around it, and who has which word there.
    there: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for name in names:
        words = re.findall(r"[^\W\d_]+|\d+", unicodedata.normalize("NFKC", name).casefold())
        for place, word in enumerate(words):
            if len(word) >= _LETTERS - 1 and word.isalpha():
                there[*words[:place], "", *words[place + 1 :]][word] = name
    pairs = {
        tuple(sorted((of[one], of[two]))) for of in there.values() for one, two in _one_letter(of)
    }
    busy = Counter(name for pair in pairs for name in pair)
    return sorted((one, two) for one, two in pairs if max(busy[one], busy[two]) <= 2)


def _one_letter(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Words of which one has another letter, one more, or two that changed places."""
    some = set(words)
    if len(some) < 2:
        return
    with_gap: dict[str, list[str]] = defaultdict(list)
    for word in sorted(some):
        for place in range(len(word)):
            with_gap[f"{word[:place]}\0{word[place + 1 :]}"].append(word)
            swapped = word[:place] + word[place : place + 2][::-1] + word[place + 2 :]
            if swapped > word and swapped in some and len(word) >= _LETTERS:
                yield word, swapped
    for gap, longer in with_gap.items():
        longer = [word for word in longer if len(word) >= _LETTERS]
        shorter = gap.replace("\0", "")
        if len(longer) <= 2:
            yield from combinations(longer, 2)
            yield from ((word, shorter) for word in longer if shorter in some)
