"""Probabilities in words, and what an answer says in a sentence."""

from __future__ import annotations

from resight.catalogue import Answer

# After the words of the IPCC's guidance note on uncertainties (Mastrandrea and others, 2010).
_WORDS = (
    (0.99, "virtually certain"),
    (0.95, "extremely likely"),
    (0.90, "very likely"),
    (0.66, "likely"),
    (0.33, "as likely as not"),
    (0.10, "unlikely"),
    (0.01, "very unlikely"),
)


def in_words(probability: float | None) -> str:
    """How likely, in words."""
    if probability is None:
        return ""
    return next((word for least, word in _WORDS if probability >= least), "all but excluded")


def percent(probability: float | None) -> str:
    """A probability as people read it; never 0 % nor 100 %, which nothing is."""
    if probability is None:
        return ""
    if probability >= 0.995:
        return ">\N{NO-BREAK SPACE}99\N{NO-BREAK SPACE}%"
    if probability < 0.01:
        return "<\N{NO-BREAK SPACE}1\N{NO-BREAK SPACE}%"
    return f"{100 * probability:.0f}\N{NO-BREAK SPACE}%"


def answer_in_words(answer: Answer) -> str:
    """What an answer says, in a sentence."""
    if answer.p_new is None or answer.probability is None:
        return "There is nobody to compare it with yet."
    if answer.basis is None or not answer.basis.calibrated:
        return f"Nearest is {answer.individual}."
    who = answer.individual or "somebody new"
    sure = in_words(answer.probability)
    return f"{who[:1].upper()}{who[1:]}: {sure} ({percent(answer.probability)})."


def set_in_words(answer: Answer, level: float = 0.95) -> str | None:
    """Whom the promise of this level names; None where the catalogue promises nothing yet."""
    for one in answer.sets:
        if abs(one.level - level) < 1e-9:
            if one.everybody:
                return f"With {percent(level)} certainty: it could be anybody here, or new."
            names = [*one.individuals, *(["somebody new"] * one.new)]
            shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" * (len(names) > 6))
            return f"With {percent(level)} certainty among: {shown or 'nobody'}."
    return None
