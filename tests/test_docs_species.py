"""The field guide: each animal in both tables, a source for each fact, links that lead."""

import re
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "species.md"
TEXT = GUIDE.read_text(encoding="utf-8")
ANIMALS = """humpback whale, tiger, dolphin, manta ray, zebra, giraffe, leopard, sea turtle,
seal, chimpanzee, right whale, whale shark, cattle, salamander"""


def _tables() -> list[list[list[str]]]:
    tables: list[list[list[str]]] = [[]]
    for line in TEXT.splitlines():
        if line.startswith("|"):
            tables[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif tables[-1]:
            tables.append([])
    return [table for table in tables if table]


def test_each_animal_has_a_row_in_both_tables() -> None:
    photos, sets = _tables()
    for table, columns in ((photos, 4), (sets, 5)):
        assert all(len(row) == columns for row in table)
        first = " ".join(row[0] for row in table[2:])
        assert [animal for animal in re.split(r",\s", ANIMALS) if animal not in first] == []


def test_what_is_said_has_a_source_or_says_that_none_was_found() -> None:
    photos, sets = _tables()
    for row in photos[2:]:
        assert "][" in " ".join(row[1:]), row[0]
    for row in sets[2:]:
        assert "][" in row[1] or "none found" in row[1], row[0]
        assert "][" in row[4] or "MegaDescriptor" in row[4], row[0]
        assert re.search(r"\d", row[2]) or "none found" in row[1] or "not given" in row[2], row[0]


def test_every_source_is_defined_and_used() -> None:
    defined = re.findall(r"^\[([^\]]+)\]: (https?://\S+)$", TEXT, re.MULTILINE)
    names = [name for name, _ in defined]
    assert len(set(names)) == len(names)
    assert set(names) == set(re.findall(r"\]\[([^\]]+)\]", TEXT))


def test_its_links_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    }
    links = re.findall(r"\]\((?!http)([^)]+)\)", TEXT)
    assert links
    for link in links:
        page, _, heading = link.replace("\n", "").partition("#")
        assert not page or (GUIDE.parent / page).is_file(), link
        assert page or heading in headings, link
