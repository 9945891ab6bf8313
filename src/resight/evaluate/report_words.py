"""An evaluation in plain sentences, for the top of the report and for the terminal."""

from __future__ import annotations

from typing import Literal, NamedTuple

from resight.evaluate.background import Background
from resight.evaluate.evaluation import FEW, Evaluation
from resight.evaluate.metrics import Figure
from resight.evaluate.second_look import SecondLook
from resight.words import counted

TOLD = 0.01  # more or fewer named right: less than that is not worth a sentence

SPLITS = {
    "given": "as the photos' table says (its column split)",
    "encounter": "by encounter: no encounter is on both sides",
    "day": "by day: no day is on both sides",
    "date": "by date: earlier photos are searched, later ones ask",
    "individual": "by individual: each photo that asks is looked for among the others, without "
    "those of its own encounter",
    "open": "with newcomers: some individuals are not in the gallery at all",
    "random": "at random",
}


class Sentence(NamedTuple):
    """A sentence, and whether it is a figure, good or bad news, or a warning."""

    words: str
    kind: Literal["figure", "note", "warning"] = "figure"


def of_100(figure: Figure | float) -> str:
    """A share as so many of 100, with its interval where there is one."""
    if isinstance(figure, float):
        return _number(figure)
    value = _number(figure.value)
    if figure.low != figure.low:
        return value
    low, high = _number(figure.low), _number(figure.high)
    return value if low == value == high else f"{value} ({low} to {high})"


def _number(share: float) -> str:
    """So many of 100: whole, but nearly none and nearly all are not rounded away."""
    many = 100 * share
    if 0 < many < 1 or 99 < many < 100:
        return f"{min(max(many, 0.1), 99.9):.1f}"
    return f"{many:.0f}"


def summary(
    found: Evaluation,
    background: Background | None = None,
    split: str | None = None,
    closely: SecondLook | None = None,
) -> list[Sentence]:
    """What there is to know, the most important first.

    Args:
        found: what was measured.
        background: of the background test, where it was made.
        split: how the photos were split, in words; by default from `found.by`.
        closely: of a second look, where one was taken.
    """
    return [
        *_who_asked(found, split or SPLITS.get(found.by, found.by)),
        *_known(found),
        *(_closely(closely) if closely else []),
        *_new(found),
        *_unseen(found),
        *_split(found),
        *(_background(background, found.known) if background else []),
        *_probabilities(found),
    ]


def _who_asked(found: Evaluation, split: str) -> list[Sentence]:
    asked = counted(len(found.queries), "photo")
    shown = counted(found.gallery_individuals, "individual")
    said = [
        Sentence(
            f"{asked} ask, of {counted(found.gallery, 'photo')} of {shown} in the gallery. They "
            f"were split {split}.",
            "note",
        )
    ]
    if found.left_out:
        said.append(
            Sentence(
                f"{counted(found.left_out, 'photo')} did not ask: the model was trained on them "
                "and would have found them too easily.",
                "warning",
            )
        )
    if len(found.queries) < FEW:
        said.append(
            Sentence(
                f"{asked} are too few to say much: read all figures as anecdotes.",
                "warning",
            )
        )
    return said


def _known(found: Evaluation) -> list[Sentence]:
    closed = found.closed
    if closed is None or found.balanced is None:
        return [
            Sentence(
                "Nobody who is asked for is in the gallery, so nobody can be named right.", "note"
            )
        ]
    within = max(k for k in closed.cmc if k <= 5)
    words = (
        f"Of 100 photos of animals that it knows, it names {of_100(closed.rank_1)} right: the most "
        "similar photo in the gallery shows the same individual."
    )
    words += _by_individual(closed.rank_1, found.by_individual)
    if within > 1:
        words += f" For {of_100(closed.cmc[within].value)} one of the {within} most similar does."
    said = [Sentence(words)]
    gap = found.balanced.value - closed.rank_1.value
    if abs(gap) >= 0.05:
        why = "many" if gap < 0 else "few"
        said.append(
            Sentence(
                f"With every individual counting alike it is {of_100(found.balanced)}: those that "
                f"are asked for with {why} photos are found more easily.",
                "note",
            )
        )
    if closed.rank_1.value < 2 * found.chance + 0.02:
        said.append(
            Sentence(
                f"That is hardly better than naming blindly ({of_100(found.chance)} of 100): this "
                "model does not tell these animals apart.",
                "warning",
            )
        )
    return said


def _closely(looked: SecondLook) -> list[Sentence]:
    words = (
        f"With a closer look it names {of_100(looked.closely)} of 100 right, where the "
        f"fingerprint alone names {of_100(looked.alone.value)} of the same photos."
    )
    if looked.gain.low <= 0 <= looked.gain.high and looked.gain.value:
        words += " On these photos the difference may be chance."
    said = [Sentence(words)]
    if looked.untrained:
        said.append(
            Sentence(
                f"Keypoints alone, without any training, name {of_100(looked.untrained)} of 100 "
                f"right ({counted(looked.untrained_queries, 'photo')} of these, one against many).",
                "note",
            )
        )
    if not looked.learned:
        said.append(
            Sentence(
                "What a match is worth beside the fingerprint was taken as usual: the gallery has "
                "too few photos that the model was not trained on to learn it from.",
                "note",
            )
        )
    return said


def _new(found: Evaluation) -> list[Sentence]:
    opened = found.opened
    if opened is None:
        return [Sentence("Whether newcomers are told could not be measured on this split.", "note")]
    who = (
        "There are no newcomers in this split, so each photo was asked again with its individual "
        "left out of the gallery. "
        if found.left_individuals_out
        else ""
    )
    said = []
    if opened.baks and opened.baus:
        said.append(
            Sentence(
                f"{who}Of 100 photos of newcomers {of_100(opened.baus)} are called new, while of "
                f"100 photos of animals that it knows {of_100(opened.baks)} are still named right "
                "(every individual counting alike, at the threshold that the gallery chose for "
                "itself)."
            )
        )
        if found.asked.trained_on:
            said.append(
                Sentence(
                    "The model was trained on the gallery's photos, which are therefore more alike "
                    "than new ones will be: the threshold that they give is likely too strict, and "
                    "the probabilities too sure.",
                    "warning",
                )
            )
        who = ""
    said.append(
        Sentence(
            f"{who}A known animal's photo looks more familiar than a newcomer's in "
            f"{of_100(opened.auroc)} of 100 such pairs; 50 would be a guess.",
            "note",
        )
    )
    return said


def _unseen(found: Evaluation) -> list[Sentence]:
    if found.unseen is None:
        return []
    who = "animals that it was not trained on" if found.unseen_told else "newcomers"
    more = _by_individual(found.unseen.rank_1, found.unseen_by_individual)
    return [
        Sentence(
            f"Of 100 photos of {who} it names {of_100(found.unseen.rank_1)} right once other "
            "encounters of theirs are enrolled ("
            f"{counted(found.unseen.queries, 'photo')} of "
            f"{counted(found.unseen.individuals, 'individual')}).{more}"
        )
    ]


def _by_individual(of_photos: Figure, of_all: Figure | None) -> str:
    """What ranking individuals by all their photos does, where it does something."""
    if of_all is None or abs(of_all.value - of_photos.value) < TOLD:
        return ""
    return f" By all photos of each individual at once it names {of_100(of_all)} right."


def _split(found: Evaluation) -> list[Sentence]:
    said = []
    if found.flatters:
        said.append(Sentence(f"{found.flatters[:1].upper()}{found.flatters[1:]}.", "warning"))
    if found.effect is None:
        said.append(
            Sentence(
                "How much a random split would flatter cannot be told: it takes encounters or "
                "dates in the photos' table.",
                "note",
            )
        )
        return said
    effect = found.effect
    gap = effect.flatters
    sure = not gap.low <= 0 <= gap.high
    honest, random = of_100(effect.honest.value), of_100(effect.random.value)
    if found.by == "random":
        words = (
            f"With their own encounters kept out of the gallery {honest} of 100 would be right; "
            f"with photos drawn at random it is {random}. The lower one is what to expect of a new "
            "encounter."
        )
    else:
        words = (
            f"A random split would have said {random} of 100 instead of {honest}, with the same "
            "model and as many photos of each, because near-copies would stand in the gallery."
        )
    if not sure:
        words += " On so few individuals that difference may be chance."
    said.append(Sentence(words, "warning" if found.by == "random" and sure else "note"))
    return said


def _background(found: Background, asked: int) -> list[Sentence]:
    full, behind, animal, chance = (
        of_100(figure)
        for figure in (
            found.full.value,
            found.background.value,
            found.animal.value,
            float(found.chance),
        )
    )
    drawn = (
        f", on {counted(found.queries, 'photo')} drawn for this" if found.queries < asked else ""
    )
    numbers = (
        f"With the animal blanked out, the background alone names {behind} of 100 right (chance "
        f"{chance}, the whole photos {full}{drawn}); with the background blanked out, the animal "
        f"alone names {animal}."
    )
    if found.verdict == "nothing":
        return [
            Sentence(
                "The background test says nothing, since the photos themselves are found hardly "
                f"better than by chance. {numbers}",
                "note",
            )
        ]
    if found.verdict == "unsure":
        words = "Whether it knows the animal or the fence cannot be told on so few individuals."
        return [Sentence(f"{words} {numbers}", "warning")]
    if found.verdict == "animal":
        return [Sentence(f"It knows the animal, not the fence behind it. {numbers}", "note")]
    enough = found.animal.value >= 0.9 * found.full.value
    still = ""
    if found.animal.value >= found.full.value:
        still = " It does not need the background: tighter boxes would cost nothing."
    elif enough:
        still = " It hardly needs the background, since the animal alone does nearly as well."
    if found.verdict == "partly":
        return [Sentence(f"It knows part of it from the background. {numbers}{still}", "warning")]
    words = "It knows the fence at least as well as the animal" if not enough else (
        "The background alone goes a long way"
    )  # fmt: skip
    return [
        Sentence(
            f"{words}. {numbers}{still} Look at the report's pictures of the test: if no part of "
            "the animal is left in the background, give tighter boxes, and photos of each "
            "individual at several places.",
            "warning",
        )
    ]


def _probabilities(found: Evaluation) -> list[Sentence]:
    if found.reliable is None:
        return []
    missed, floor = found.reliable.error, found.reliable.floor
    return [
        Sentence(
            "The probability that a cosine stands for, as learned in the gallery, misses what came "
            f"true by {100 * missed:.0f} points of 100 on average; perfectly true ones would by "
            f"{100 * floor:.0f} on so few photos.",
            "warning" if missed > 0.1 + floor else "note",
        )
    ]
