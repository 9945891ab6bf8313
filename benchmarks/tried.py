"""What of a training for drawings is varied, judged on classes that the network never saw.

    RESIGHT_DATA=… python benchmarks/tried.py                      # the recipe: two minutes
    RESIGHT_DATA=… python benchmarks/tried.py --loss soft --seeds 0 1
    RESIGHT_DATA=… python benchmarks/tried.py --loss weighted
    RESIGHT_DATA=… python benchmarks/tried.py --dim 64
    RESIGHT_DATA=… python benchmarks/tried.py --distilled 10      # two trainings

A network learns the digits 0 to 4 by the recipe, but for what is varied, and is asked about the
turned digits and the pairs side by side of second_look.py, 20 classes and one example each, by its
fingerprints alone. The characters that recipes.py measures with are not looked at.
"""

import argparse
import time
from functools import partial
from typing import Any

import torch
from fastai.callback.core import Callback
from second_look import DRAWS, error, fingerprints, side_by_side, trained, turned_digits
from torch import nn

from resight.learn import SupConLoss, TripletLoss

LOSSES = {
    "supcon": lambda: SupConLoss(0.07),
    "soft": lambda: TripletLoss("hard", "soft", softness=0.1),
    "semihard": lambda: TripletLoss("semihard", 0.2),
    "weighted": lambda: TripletLoss("weighted", 0.2),
    "easy": lambda: TripletLoss("easy-semihard", 0.2),
}


class Distilled(Callback):
    """Adds how far the cosines of a batch are from those of a network trained before.

    A network of the same kind, so this is born again (Furlanello et al., "Born-again neural
    networks", ICML 2018) with the relations as what is handed on (Park et al., "Relational
    knowledge distillation", CVPR 2019).
    """

    def __init__(self, teacher: nn.Module, weight: float) -> None:
        self.teacher, self.weight = teacher.eval(), weight

    def after_loss(self) -> None:
        if self.training:
            with torch.no_grad():
                known = self.teacher(self.x)
            away = (self.pred @ self.pred.T - known @ known.T).square().mean()
            self.learn.loss_grad = self.learn.loss_grad + self.weight * away


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loss", choices=sorted(LOSSES), default="supcon")
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--not-whitened", action="store_true")
    parser.add_argument("--distilled", type=float, default=0, metavar="WEIGHT")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    varied = parser.parse_args()
    torch.set_num_threads(2)
    options: dict[str, Any] = {"dim": varied.dim, "steps": varied.steps}
    options["whitened"] = not varied.not_whitened
    sets = {"turned": turned_digits(DRAWS), "side by side": side_by_side(DRAWS)}
    print(f"| seed | training | {' | '.join(sets)} |\n|---|---|---|---|")
    for seed in varied.seeds:
        cbs = []
        if varied.distilled:
            teacher = trained(seed + 1000, progress=False, **options).model
            cbs = [Distilled(teacher, varied.distilled)]
        begun = time.perf_counter()
        learn = trained(seed, loss=LOSSES[varied.loss](), cbs=cbs, progress=False, **options)
        took = time.perf_counter() - begun
        embed = partial(fingerprints, learn)
        errors = [error([embed(a) @ embed(b).T for a, b in pairs]) for pairs in sets.values()]
        print(f"| {seed} | {took:.0f} s | {' | '.join(errors)} |", flush=True)


if __name__ == "__main__":
    main()
