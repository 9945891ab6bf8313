"""What docs/team.md and the Dockerfile promise, as far as it can be held to without Docker."""

import json
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import typer
from starlette.testclient import TestClient

import reviews
from command_line import resight
from resight.cli import app
from resight.web import create_app, guard
from reviews import Review

HOUSE = Path(__file__).resolve().parents[1]
DOCKERFILE = (HOUSE / "Dockerfile").read_text(encoding="utf-8")
TEAM = (HOUSE / "docs" / "team.md").read_text(encoding="utf-8")
TOKEN = "a-token-of-enough-letters"
SITE = "whales.example.org"
COMMANDS = typer.main.get_command(app).commands


def instructions(name: str) -> list[str]:
    """What follows an instruction of the Dockerfile, each in one line."""
    joined = re.sub(r"\\\n\s*", "", DOCKERFILE)
    return re.findall(rf"^\s*{name} (.+)$", joined, re.M)


def parses(words: list[str]) -> None:
    """Hold a command line to be one that `resight` takes; nothing is run."""
    name, *rest = words
    COMMANDS[name].make_context(name, rest)


def test_all_that_the_image_copies_is_there_and_not_ignored() -> None:
    kept = (HOUSE / ".dockerignore").read_text(encoding="utf-8").split()
    assert kept.count("*") == 1
    copied = [path for line in instructions("COPY") if "--from" not in line
              for path in line.split()[:-1]]  # fmt: skip
    assert {"src", "pyproject.toml", "tutorials"} <= set(copied)
    for path in copied:
        assert (HOUSE / path).exists(), path
        assert f"!{path}" in kept, path


def test_the_image_runs_the_review_as_nobody_in_particular() -> None:
    stages = instructions("FROM")
    assert stages == ["python:3.11-slim AS build", "python:3.11-slim"]
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER resight$", last, re.M)
    assert re.search(r"^VOLUME /data$", last, re.M)
    # Nothing is run as root after the change of user, and no secret is in the image.
    assert "RUN" not in last.partition("\nUSER ")[2]
    assert not re.search(r"TOKEN=|PASSWORD|SECRET", DOCKERFILE)
    (entry,), (words,) = instructions("ENTRYPOINT"), instructions("CMD")
    assert json.loads(entry) == ["resight"]
    command = json.loads(words)
    parses(command)
    port = re.search(r"^EXPOSE (\d+)$", last, re.M)
    assert port is not None
    told = resight("review", "--help").out
    assert f"default: {port[1]}" in told
    assert command[command.index("--host") + 1] == "0.0.0.0"
    assert f":{port[1]}" in command[command.index("--address") + 1]


def test_the_image_is_made_of_extras_that_there_are() -> None:
    import tomllib

    project = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (asked,) = re.findall(r"'\.\[([\w,]+)\]'", DOCKERFILE)
    assert set(asked.split(",")) <= set(project["optional-dependencies"])
    assert {"review", "postgres"} <= set(asked.split(","))


def healthcheck() -> list[str]:
    """The program that the image asks by."""
    (line,) = instructions("HEALTHCHECK")
    return json.loads(line.partition("CMD ")[2])


def test_the_health_check_tells_well_from_ill(review: Review) -> None:
    client = TestClient(review.client.app, base_url="http://10.1.2.3")
    well = client.get("/healthz")
    assert (well.status_code, well.text) == (200, "ok\n")
    assert client.head("/healthz").status_code == 200
    assert client.post("/healthz").status_code != 200
    review.catalogue.close()
    Path(review.place).rename(f"{review.place}.away")
    Path(review.place).mkdir()
    ill = client.get("/healthz")
    assert ill.status_code == 503
    assert str(review.folder) not in ill.text


def test_a_review_behind_a_proxy(review: Review, tmp_path: Path) -> None:
    words = {"token": TOKEN, "hosts": [SITE], "secure": True}
    made = create_app(review.place, uploads=tmp_path / "up", cache=tmp_path / "pictures", **words)
    with TestClient(made, base_url=f"https://{SITE}", follow_redirects=False) as client:
        # Whoever comes through the proxy comes from loopback, and needs the token all the same.
        assert client.get("/").status_code == 401
        assert client.get("/healthz").text == "ok\n"
        assert client.get("/", headers={"Host": "other.example.org"}).status_code == 421
        first = client.get("/", params={"token": TOKEN})
        assert first.status_code == 303
        assert TOKEN not in first.headers["location"]
        page = client.get("/")
        assert page.status_code == 200
        cookies = [*first.headers.get_list("set-cookie"), *page.headers.get_list("set-cookie")]
        assert len(cookies) >= 2
        assert all(cookie.endswith("; Secure") for cookie in cookies)
        reviews.at_the_page(client)
        for origin, status in ((f"https://{SITE}", 200), ("https://other.example.org", 403)):
            said = client.post("/api/me", json={"name": "Ada"}, headers={"Origin": origin})
            assert said.status_code == status, said.text


def test_without_a_proxy_cookies_travel_plainly(review: Review) -> None:
    page = TestClient(review.client.app, base_url="http://127.0.0.1:8765").get("/")
    assert not [one for one in page.headers.get_list("set-cookie") if "Secure" in one]


@pytest.mark.parametrize(
    "address", ["whales", "https://", "ftp://a.org", "https://a.org/below", "https://[:"]
)
def test_an_address_that_leads_nowhere_is_said(filled_herd: Path, address: str) -> None:
    ran = resight("review", filled_herd / "herd.db", "--address", address, "--no-open")
    assert "is not the root of a site" in ran.failed_in_one_line()


def test_the_program_prints_the_address_and_answers_the_check(
    filled_herd: Path, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(filled_herd, tmp_path / "herd")
    program = Path(sys.executable).with_name("resight")
    words = [program, "review", tmp_path / "herd" / "herd.db", "--port", "0", "--no-open"]
    running = subprocess.Popen(
        [*words, "--address", f"https://{SITE}/"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert running.stdout is not None
        line = running.stdout.readline()
        assert re.search(rf"^Reviewing herd: https://{SITE}/\?token=[\w-]{{32}}$", line), line
        port = listening_port(running.pid)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10)
        python, *rest = healthcheck()
        assert python == "python"
        asked = [word.replace("8765", str(port)) for word in rest]
        assert subprocess.run([sys.executable, *asked], capture_output=True).returncode == 0
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(20)
    assert subprocess.run([sys.executable, *asked], capture_output=True).returncode != 0


def listening_port(pid: int) -> int:
    """Where a process listens."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # a file that it has closed since
            target = str(link.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = row.split()
        if fields[9] in inodes and fields[3] == "0A":
            return int(fields[1].partition(":")[2], 16)
    raise AssertionError("it does not listen")


def test_what_the_page_sets_on_proxies_fits_the_review() -> None:
    limits = {int(number) << 20 for number in re.findall(r"(\d+)(?:MiB|m;)", TEAM)}
    assert limits == {guard.MOST_UPLOAD}
    assert TEAM.count("127.0.0.1:8765") >= 3
    assert "$request_uri" not in TEAM  # its query would have the token
    assert "$request " not in TEAM


def command_lines(text: str) -> list[list[str]]:
    """The lines of a page's code that begin with `resight`."""
    found: list[list[str]] = []
    blocks = re.findall(r"^```(?:sh|text|ini)\n(.*?)^```", text, re.M | re.S)
    blocks += re.findall(r"^((?: {4}\S.*\n)+)", text, re.M)
    for block in blocks:
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            line = re.sub(r"^ExecStart=/opt/resight/bin/", "", line.strip())
            line = re.sub(r"^docker run .*? resight ", "resight ", line)
            if line.startswith("resight ") and "…" not in line:
                found.append(shlex.split(line, comments=True)[1:])
    return found


PAGES = sorted([HOUSE / "README.md", *(HOUSE / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_that_a_page_shows_is_one(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.name == "commands.md":
        return  # the commands' own help, held to the program elsewhere
    monkeypatch.chdir(tmp_path)
    wrong: list[tuple[Any, str]] = []
    for words in command_lines(page.read_text(encoding="utf-8")):
        try:
            parses(words)
        except (typer.Exit, SystemExit):  # --help, --version
            pass
        except Exception as error:
            wrong.append((words, str(error) or repr(error)))
    assert not wrong


def test_there_are_command_lines() -> None:
    assert len(command_lines(TEAM)) >= 8
