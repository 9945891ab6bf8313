"""The story from beginning to end: learn ten digits, enrol one star, recognise the others."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import resight
from resight.story.place import check_place, fresh_folder
from resight.story.telling import Teller

if TYPE_CHECKING:
    from rich.console import Console

    from resight.catalogue import Catalogue
    from resight.photos.digits import Digits
    from resight.story.learning import Learned

# Under the recipe of the tutorial that Resight grew from, an enrolled star was the 126th nearest
# of all photos to one other star and the 856th to the next.
OLD_RANKS = (126, 856)


@dataclass(frozen=True)
class Extent:
    """How much is told.

    Attributes:
        digits: how many of each digit to learn from and to test with; None for all.
        steps: batches of the training; None for the recipe's own number.
        glyphs: how many besides the star.
        drawings: of each glyph; the first is enrolled.
    """

    digits: tuple[int, int] | None = None
    steps: int | None = None
    glyphs: int = 12
    drawings: int = 13


QUICK = Extent(digits=(60, 12), steps=4, glyphs=3, drawings=4)


def tell_story(
    out: str | Path,
    *,
    full: bool = False,
    digits: Path | None = None,
    seed: int = 0,
    quick: bool = False,
    show: bool = True,
    console: Console | None = None,
) -> dict[str, Any]:
    """Tell the story on a console and write it into a folder.

    Args:
        out: the folder; what an earlier story wrote there is replaced, other files stay.
        full: take the whole of MNIST (a download); otherwise 5,000 digits that are at hand.
        digits: or take the digits of this folder, see `resight.photos.digits.read_digits`.
        seed: of the training and of all drawings.
        quick: a few digits and seconds: to see that it runs, not that it recognises.
        show: open the report in a browser, where there is a screen and a terminal.
        console: where to speak; stdout by default.

    Returns:
        What stands in `results.json`: the same for the same seed and digits on the same machine,
        but for "seconds".

    Raises:
        ResightError: no digits to be had, or a folder that is not the demo's to write anew.
    """
    from rich.console import Console

    console = console or Console(highlight=False)
    out = Path(out)
    check_place(out)
    console.print("[bold]Ten digits are learned, one star is shown, others are recognised.[/]")
    with fresh_folder(out) as folder:
        story = _Story(folder, Teller(console, 8), QUICK if quick else Extent(), seed)
        results = story.tell(full=full, digits=digits, out=out)
    from resight.story.farewell import say_farewell

    say_farewell(console, out, show=show)
    return results


class _Story:
    """The steps in their order; `facts` go to results.json, `shown` to the report."""

    def __init__(self, folder: Path, teller: Teller, extent: Extent, seed: int) -> None:
        self.folder = folder
        self.teller = teller
        self.extent = extent
        self.seed = seed
        self.facts: dict[str, Any] = {
            "made_by": f"resight {resight.__version__}",
            "quick": extent is QUICK,
            "seed": seed,
        }
        self.shown: dict[str, Any] = {}

    def tell(self, *, full: bool, digits: Path | None, out: Path) -> dict[str, Any]:
        """Tell all of it."""
        start = time.perf_counter()
        with self.teller.step("digits", "Digits to learn from"):
            found = self.find(full, digits)
        with self.teller.step("training", "Learning to tell digits apart, and nothing else"):
            learned = self.learn(found)
        with self.teller.step("export", "The model becomes one file"):
            self.export(found, learned)
        with self.teller.step("catalogue", "A catalogue of the digits that were kept back"):
            catalogue = self.fill_catalogue(found)
        with catalogue:
            self.recognise(catalogue)
        self.teller.seconds["all"] = time.perf_counter() - start
        self.facts["old_recipe"] = {"ranks_of_the_enrolled_star": list(OLD_RANKS)}
        self.facts["seconds"] = {key: round(s, 3) for key, s in self.teller.seconds.items()}
        text = json.dumps(self.facts, indent=2, ensure_ascii=False, allow_nan=False)
        (self.folder / "results.json").write_text(text + "\n", encoding="utf-8")
        from resight.story.report import write_report

        write_report(self.folder / "report.html", self.facts, self.shown, out)
        return self.facts

    def find(self, full: bool, folder: Path | None) -> Digits:
        """The digits."""
        from resight.story.learning import find_digits, sample_rows

        found = find_digits(full=full, folder=folder, few=self.extent.digits)
        self.facts["digits"] = {
            "source": found.source,
            "train": len(found.train_labels),
            "test": len(found.test_labels),
        }
        self.shown["digits"] = sample_rows(found, self.seed)
        self.teller.say(
            f"{found.source}: {len(found.train_labels):,} to learn from, "
            f"{len(found.test_labels):,} kept back. There is no star among them."
        )
        return found

    def learn(self, digits: Digits) -> Learned:
        """The training."""
        from resight.story.learning import learn_digits

        learned = learn_digits(digits, seed=self.seed, steps=self.extent.steps, teller=self.teller)
        self.facts["training"] = learned.facts
        self.shown |= {"batch": learned.batch, "curve": learned.curve}
        virtual = learned.facts["virtual_individuals_in_a_batch"]
        self.teller.say(
            f"{learned.facts['batches']:,} batches, and {virtual} virtual individuals in the last: "
            "digits turned, mirrored and laid over one another count as somebody new"
        )
        return learned

    def export(self, digits: Digits, learned: Learned) -> None:
        """The model file."""
        path = self.folder / "model.onnx"
        card = learned.learner.export_onnx(
            path, data=digits.source, kind="drawings", seed=self.seed
        )
        megabytes = path.stat().st_size / 1e6
        self.facts["model"] = {
            "id": card.content_hash[:16],
            "dim": card.dim,
            "body": card.body,
            "megabytes": round(megabytes, 1),
        }
        self.teller.say(
            f"model.onnx, {megabytes:.1f} MB: a picture in, {card.dim} numbers out. "
            "From here on no learning framework is needed."
        )

    def fill_catalogue(self, digits: Digits) -> Catalogue:
        """The test digits as files, fingerprinted and enrolled."""
        from resight.catalogue import Catalogue
        from resight.fingerprint import Fingerprinter
        from resight.story import scenes

        photos = scenes.write_digits(self.folder / "digits", digits.test_pixels, digits.test_labels)
        model = self.folder / "model.onnx"
        self.fingerprinter = Fingerprinter(model)
        start = time.perf_counter()
        vectors = self.fingerprinter([photo.path for photo in photos]).vectors
        took = self.teller.seconds["fingerprinting"] = time.perf_counter() - start
        self.gallery = (vectors, [str(photo.individual) for photo in photos])
        catalogue = Catalogue.open(self.folder / "catalogue.db", model=model, create=True)
        try:
            catalogue.enrol_many(photos, vectors=vectors)
            self.looked = scenes.look_at_digits(catalogue, self.seed)
        except BaseException:
            catalogue.close()
            raise
        self.facts["test_digits"] = self.looked.facts
        self.shown["neighbours"] = self.looked.shown["rows"]
        self.teller.say(
            f"{len(photos):,} fingerprints in {took:.1f} s; "
            f"{self.looked.facts['R@1']['value']:.1%} have one of their own digit as nearest"
        )
        return catalogue

    def recognise(self, catalogue: Catalogue) -> None:
        """A stranger, one example, a dozen more, the map."""
        from resight.photos.glyphs import GLYPHS
        from resight.story import scenes

        folder, teller, prints = self.folder, self.teller, self.fingerprinter
        # All are drawn; those that are not asked about here are left for whoever plays on.
        drawings = {
            name: scenes.write_glyph(folder / "glyphs", name, self.extent.drawings, self.seed)
            for name in GLYPHS
        }
        asked = {name: drawings[name] for name in GLYPHS[: 1 + self.extent.glyphs]}
        stars = asked["star"]
        nearest = self.looked.shown["nearest"]
        with teller.step("strangers", f"{len(stars)} stars are drawn; nobody has seen one before"):
            vectors = prints(stars).vectors
            before = scenes.meet_strangers(catalogue, stars, vectors, nearest)
            away = before.facts["nearest_digit"]
            teller.say(
                f"Their nearest are digits, {min(away):.2f} to {max(away):.2f} away; half of the "
                f"digits have another within {self.looked.facts['nearest_other']['median']:.2f}"
            )
        with teller.step("star", "One star is enrolled, and the others are asked who they are"):
            star = scenes.enrol_one(catalogue, stars, vectors)
            ranks = star.facts["ranks_of_the_enrolled_star"]
            places = f", else {_ordinals(ranks)}" if max(ranks) > 1 else ""
            teller.say(
                f"{star.facts['found_at_rank_1']} of {star.facts['asked']} have it as nearest of "
                f"{star.facts['among_photos']:,} photos{places} "
                f"(the old recipe: {_ordinals(OLD_RANKS)})"
            )
        with teller.step("glyphs", f"{len(asked) - 1} more glyphs, one example of each"):
            more = scenes.enrol_more(catalogue, asked, prints, self.gallery, self.seed)
            for row in more.facts["glyphs"]:
                taken = f"   taken for {', '.join(row['taken_for'])}" if row["taken_for"] else ""
                teller.say(f"{row['glyph']:<10} {row['recognised']:>2} of {row['asked']}{taken}")
            teller.say(f"[bold]together   {more.facts['recognised']} of {more.facts['asked']}[/]")
            teller.say(
                f"[bold]{more.facts['looked_closely']} of {more.facts['asked']}[/] with a second "
                "look at the strokes (identify --closely)"
            )
        with teller.step("map", "The map"):
            mapped = scenes.draw_story_map(catalogue, folder / "map.png", asked, prints, self.seed)
        self.facts |= {
            "strangers": before.facts,
            "star": star.facts,
            "glyphs": more.facts,
            "map": mapped.facts,
        }
        self.shown |= {
            "stranger": before.shown["row"],
            "star": star.shown,
            "glyphs": more.shown["rows"],
            "distances": scenes.draw_distances(
                nearest, before.shown["distances"], star.facts["distances"]
            ),
        }


def _ordinals(ranks: Iterable[int]) -> str:
    ends = {1: "st", 2: "nd", 3: "rd"}
    words = [
        f"{rank}{'th' if rank % 100 in (11, 12, 13) else ends.get(rank % 10, 'th')}"
        for rank in ranks
        if rank > 1
    ]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
