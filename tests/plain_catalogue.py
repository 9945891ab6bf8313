"""A catalogue as plain dictionaries: the oracle of the stateful tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

BOXES = {7: (0, 0, 10, 10), 8: (10, 0, 20, 10)}  # of one picture


class Refused(Exception):
    """What the plain dictionary says when it would not do it."""


@dataclass
class Plain:
    """The catalogue as dictionaries: what people see of it, and nothing else."""

    people: dict[str, str] = field(default_factory=dict)  # name: notes
    photos: dict[int, list[Any]] = field(default_factory=dict)  # [state, individual, encounter]
    encounters: set[tuple[str | None, str]] = field(default_factory=set)
    no: set[frozenset[int]] = field(default_factory=set)

    def check(self) -> None:
        """Refuse company that must not be."""
        pairs = [*self.no, frozenset(BOXES)]
        for pair in pairs:
            a, b = (self.photos.get(number) for number in sorted(pair))
            here = a and b and (a[0] == b[0] == "in" or pair in self.no)  # a "no" of junk holds
            if here and a[1] == b[1] and a[1] is not None:
                raise Refused

    def here(self, numbers: set[int], *, junk: bool = False) -> None:
        """Hold the photos to be there."""
        for number in numbers:
            if number not in self.photos or (self.photos[number][0] == "junk" and not junk):
                raise Refused

    def there(self, *names: str) -> None:
        """Hold them to be known."""
        if any(name not in self.people for name in names):
            raise Refused

    def join(self, numbers: set[int], owner: str | None, encounter: str) -> None:
        """Give photos an owner and an encounter."""
        name, count = encounter, 1
        while owner is None and (owner, name) in self.encounters:
            count += 1
            name = f"{encounter} ({count})"
        self.encounters.add((owner, name))
        for number in numbers:
            self.photos[number][1:] = [owner, name]

    def hand_over(self, numbers: set[int], owner: str | None) -> None:
        """Give photos to another, with their encounters when all of one go."""
        moving = {n for n in numbers if self.photos[n][1] != owner}
        for home in {(self.photos[n][1], self.photos[n][2]) for n in moving}:
            mine = {n for n in moving if self.photos[n][1:] == [*home]}
            if home[1] is None:
                for number in mine:
                    self.photos[number][1] = owner
                continue
            all_of_it = {n for n, (_, *rest) in self.photos.items() if rest == [*home]}
            if {n for n in all_of_it if self.photos[n][0] == "in"} <= mine:
                self.encounters.discard(home)
                mine = all_of_it
            self.join(mine, owner, home[1])

    def enrol(self, numbers: set[int], owner: str | None, encounter: str | None) -> None:
        """Photos come in; `owner` None adds them unnamed."""
        for number in sorted(numbers):
            state, whose, before = self.photos.get(number, [None, None, None])
            if state == "junk" and owner is None:
                continue
            if state == "junk" or (None not in (whose, owner) and whose != owner):
                raise Refused
            if state == "in" and (owner is None or whose == owner):
                continue
            if owner is not None:
                self.people.setdefault(owner, "")
            if state is None:
                self.photos[number] = ["in", owner, None]
                if encounter:
                    self.encounters.add((owner, encounter))
                    self.photos[number][2] = encounter
            elif encounter is None:
                continue  # below, all of them at once
            else:
                self.encounters.add((owner, encounter))
                self.photos[number] = ["in", owner, encounter]
                if not any(rest == [whose, before] for _, *rest in self.photos.values()):
                    self.encounters.discard((whose, before))
        if owner is not None:
            self.hand_over({n for n in numbers if self.photos[n][1] is None}, owner)
        self.check()

    def name(self, numbers: set[int], owner: str, alone: bool) -> None:
        self.here(numbers)
        if any(self.photos[n][1] not in (None, owner) for n in numbers):
            raise Refused
        unnamed = {n for n in numbers if self.photos[n][1] is None}
        if not alone:
            homes = {self.photos[n][2] for n in unnamed} - {None}
            unnamed |= {
                n
                for n, (state, whose, encounter) in self.photos.items()
                if state == "in" and whose is None and encounter in homes
            }
        if unnamed:
            self.people.setdefault(owner, "")
        self.hand_over(unnamed, owner)
        self.check()

    def rename(self, old: str, new: str) -> None:
        self.there(old)
        if new in self.people and new != old:
            raise Refused
        self.people = {new if name == old else name: it for name, it in self.people.items()}
        for photo in self.photos.values():
            photo[1] = new if photo[1] == old else photo[1]
        self.encounters = {(new if who == old else who, it) for who, it in self.encounters}

    def merge(self, one: str, into: str) -> None:
        self.there(one, into)
        if one == into:
            raise Refused
        for photo in self.photos.values():
            photo[1] = into if photo[1] == one else photo[1]
        self.encounters = {(into if who == one else who, it) for who, it in self.encounters}
        notes = self.people.pop(one)
        self.people[into] = "\n".join(part for part in (self.people[into], notes) if part)
        self.check()

    def split(self, one: str, numbers: set[int], new: str) -> None:
        self.here(numbers, junk=True)
        self.there(one)
        if new in self.people or any(self.photos[n][1] != one for n in numbers):
            raise Refused
        if not any(
            state == "in" and whose == one and n not in numbers
            for n, (state, whose, _) in self.photos.items()
        ):
            raise Refused
        self.people[new] = ""
        self.hand_over(numbers, new)

    def move(self, numbers: set[int], to: str | None) -> None:
        self.here(numbers)
        if to is not None:
            self.there(to)
            if any(self.photos[n][1] is None for n in numbers):
                raise Refused
        self.hand_over(numbers, to)
        self.check()

    def junk(self, numbers: set[int], back: bool) -> None:
        self.here(numbers, junk=True)
        for number in numbers:
            self.photos[number][0] = "in" if back else "junk"
        self.check()

    def not_same(self, one: int, two: int) -> None:
        self.here({one, two})
        whose = {self.photos[one][1], self.photos[two][1]}
        if one == two or (len(whose) == 1 and None not in whose):
            raise Refused
        self.no.add(frozenset((one, two)))

    def best(self, number: int) -> None:
        self.here({number})
        if self.photos[number][1] is None:
            raise Refused

    def forget(self, name: str) -> None:
        self.there(name)
        mine = {n for n, (_, whose, _) in self.photos.items() if whose == name}
        if any(self.photos[n][0] == "in" for n in mine):
            raise Refused
        self.hand_over(mine, None)
        self.encounters = {(who, it) for who, it in self.encounters if who != name}
        del self.people[name]

    def describe(self, name: str, notes: str) -> None:
        self.there(name)
        self.people[name] = notes

    def owners(self) -> Any:
        """All but the encounters."""
        return self.people, {n: photo[:2] for n, photo in self.photos.items()}, self.no
