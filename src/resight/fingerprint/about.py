"""What a model's card says, in words; the card is a stranger's, so anything may stand in it."""

from __future__ import annotations

from typing import Any

from resight.fingerprint.model import Card, Model
from resight.licences import in_words
from resight.words import counted, printable

_NOT_SAID = "not said"
_KINDS = {"photos": "photographs", "drawings": "drawings", "sound": "recordings"}
_LONGEST = 300  # letters of one thing told
_SHOWN = 5  # photos left out, and figures


def about(model: Model) -> list[tuple[str, str]]:
    """Names and values of what a model's card says, in words."""
    card = model.card
    rows = [
        ("model", model.id),
        ("written by", f"Resight {card.version}" if card.version else _NOT_SAID),
        ("body", _body(card)),
        ("kind", _kind(card)),
        ("size", _size(card)),
        ("fingerprint", f"{card.dim:,} numbers"),
        ("licence", _licence(card)),
        ("trained on", _trained_on(card.training)),
        ("epochs", _number(card.training.get("epochs"))),
        ("reached", _reached(card.metrics)),
        ("mirrored", _yes_or_no(card.training.get("mirrored"))),
        ("whitened", _whitened(card.training.get("whitened"))),
        *_left_out(card.training.get("left_out")),
    ]
    return [(name, _plain(value)) for name, value in rows]


def _body(card: Card) -> str:
    began = " (pretrained)" if card.training.get("body_pretrained") is True else ""
    return f"{card.body or _NOT_SAID}{began}"


def _licence(card: Card) -> str:
    """Of the weights that it began with."""
    if card.licence:
        return in_words(card.licence)
    # Cards of files' weights, "NAME@FILE", once said nothing of either.
    scratch = card.training.get("body_pretrained") is False and "@" not in card.body
    return "none to heed: it began with nobody's weights" if scratch else _NOT_SAID


def _kind(card: Card) -> str:
    kind = card.training.get("kind")
    if kind is None and card.hearing is not None:
        kind = "sound"
    return _KINDS.get(kind, _NOT_SAID) if isinstance(kind, str) else _NOT_SAID


def _size(card: Card) -> str:
    if (heard := card.hearing) is not None:
        return f"{heard.low:g} to {heard.high:g} Hz, {card.size[1]} × {card.size[0]} of a picture"
    colours = "grey" if card.channels == 1 else "in colour"
    return f"{card.size[1]} × {card.size[0]} pixels (width × height), {colours}"


def _trained_on(training: dict[str, Any]) -> str:
    parts = [
        f"{_number(training[key])} {key}" for key in ("individuals", "photos") if key in training
    ]
    if "held_back" in training:
        parts.append(f"{_number(training['held_back'])} held back to measure")
    return ", ".join(parts) or _NOT_SAID


def _reached(metrics: dict[str, Any]) -> str:
    told = [f"{name} {value:.3g}" for name, value in metrics.items() if _is_figure(value)]
    return ", ".join(told[:_SHOWN]) or _NOT_SAID


def _yes_or_no(value: object) -> str:
    if value is None:  # other kinds than photographs on a pretrained body do not say it
        return "no"
    return _NOT_SAID if not isinstance(value, bool) else "yes" if value else "no"


def _whitened(powers: object) -> str:
    """Of each network the power; 0 where its embeddings were spread well enough."""
    if powers is None:
        return "no"
    if not isinstance(powers, list) or not all(map(_is_figure, powers)):
        return _NOT_SAID
    if not any(powers):
        return "no: there was no need"
    return "yes, by a power of " + ", ".join(f"{power:.2f}" for power in powers[:_SHOWN])


def _left_out(said: object) -> list[tuple[str, str]]:
    """How many photos were not learned from, and what was wrong with the first few of them."""
    if not isinstance(said, list):
        return [("left out", _NOT_SAID)]
    rows = [("left out", counted(len(said), "photo") if said else "no photo")]
    rows += [("", str(one)) for one in said[:_SHOWN]]
    if len(said) > _SHOWN:
        rows.append(("", f"and {len(said) - _SHOWN:,} more"))
    return rows


def _is_figure(value: object) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e15
    return whole or isinstance(value, float)


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else _NOT_SAID


def _plain(text: str) -> str:
    """No more of a text than can be shown, and nothing that a terminal would obey."""
    return printable(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
