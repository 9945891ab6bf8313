"""Who is on photos, whatever they are called now: by the catalogue's own verbs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from resight.catalogue import Catalogue, Done
from resight.errors import ResightError


def say_whose(
    catalogue: Catalogue,
    photos: Sequence[int],
    individual: str,
    *,
    known: bool,
    seen: Mapping[int, int] | None,
    who: str,
) -> list[Done]:
    """Name photos that have no name, and move or split off those that have another one.

    Args:
        catalogue: open.
        photos: their numbers.
        individual: whom they show.
        known: whether it is to be there already (True) or to be new.
        seen: the last decisions on them that were known; see `resight.catalogue.meanwhile`.
        who: says so.

    Returns:
        What was done, in order: one action, or two. If the second cannot be, the first is undone.

    Raises:
        ResightError: as the verbs do; photos of several individuals for somebody new.
    """
    shown = catalogue.shown(list(dict.fromkeys(photos)))
    unnamed = [one.id for one in shown if one.individual is None]
    others = [one.id for one in shown if one.individual not in (None, individual)]
    owners = list(dict.fromkeys(one.individual for one in shown if one.id in set(others)))
    if not unnamed and not others:
        return [Done(None, f"nothing to do: {individual} it is already")]

    def of(some: Sequence[int]) -> dict[int, int] | None:
        return None if seen is None else {i: seen[i] for i in some if i in seen}

    done: list[Done] = []
    if others and not known and len(owners) > 1:
        raise ResightError(
            f"these photos have {len(owners)} names ({', '.join(map(str, owners[:3]))}); for "
            "somebody new take those of one individual at a time, or those without a name"
        )
    if others and not known:
        (owner,) = owners
        done.append(catalogue.split(str(owner), others, new=individual, seen=of(others), who=who))
    elif others:
        done.append(catalogue.move(others, individual, seen=of(others), who=who))
    if unnamed:
        try:
            done.append(
                catalogue.name(
                    unnamed, individual, alone=True, known=known or bool(others), seen=of(unnamed),
                    who=who,
                )
            )  # fmt: skip
        except ResightError:
            for one in done:
                if one.action is not None:
                    catalogue.undo(one.action, who=who)
            raise
    return done
