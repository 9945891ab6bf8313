"""`resight review`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from resight.commands.common import CatalogueFile, MovedModel
from resight.errors import ResightError

LOOPBACK = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("0.0.0.0", "::")


def review(
    catalogue: CatalogueFile,
    host: Annotated[
        str,
        typer.Option(help="Where to listen; beyond this computer it asks everybody for a token."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8765,
    who: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who decides; by default the computer's user."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Take new photos from this folder as they come."),
    ] = None,
    uploads: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where photos go that are dropped onto the page; by default beside the catalogue.",
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="What people type to come here, where a reverse proxy stands before it; "
            "it asks everybody for a token then.",
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            envvar="RESIGHT_TOKEN",
            help="What others must show; made up if it is needed and not given.",
        ),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
    model: MovedModel = None,
) -> None:
    """Open the page where people decide.

    Who is it, somebody known, or somebody new? What is decided is in the catalogue at once, signed
    and undoable. Several people may work at one catalogue: give each the address that --host
    prints, or let each run their own on one PostgreSQL catalogue.

    \b
    Examples:
      resight review whales.db
      resight review whales.db --folder ~/camera/new --who Ada
      resight review whales.db --host 0.0.0.0
      resight review whales.db --address https://whales.example.org
    """
    try:
        import uvicorn
    except ImportError as error:
        raise ResightError(
            f"resight review needs {error.name}, which is not installed; get it with: "
            "pip install 'resight[review]'"
        ) from None
    if who is not None:
        from resight.catalogue.checks import checked_name

        who = checked_name(who, "the name of who decides")
    name, secure = _named(address)
    # A proxy on this computer comes from loopback whoever speaks through it.
    local = host.lower() in LOOPBACK and name is None
    if token is not None and len(token) < 16:
        raise ResightError("--token: give 16 letters at least, or leave it away to get one")
    if token is None and not local:
        import secrets

        token = secrets.token_urlsafe(24)
    from resight.web import create_app

    socket = _bound(host, port)
    try:
        app = create_app(
            catalogue,
            model=model,
            reviewer=who,
            token=token,
            hosts=[*_names(host), *([name] if name else [])],
            any_address=host in EVERYWHERE,
            secure=secure,
            uploads=uploads,
            watched=folder,
        )
        config = uvicorn.Config(
            app, log_level="warning", server_header=False, proxy_headers=False, ws="none"
        )
        server = uvicorn.Server(config)
        if address is None:
            address = _address(host, socket.getsockname()[1], token)
        else:
            address = f"{address.rstrip('/')}/?token={token}"
        typer.echo(f"Reviewing {app.state.desk.name}: {address}")
        typer.echo("Stop with Ctrl+C.")
        sys.stdout.flush()
        if open_page and sys.stdout.isatty():
            _open_soon(address)
        server.run(sockets=[socket])
    finally:
        socket.close()


def _bound(host: str, port: int) -> Any:
    """A socket there, so that a port that is taken is said at once and in words."""
    import socket

    try:
        kind, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(kind, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(where)
            made.listen(128)  # who comes while the pages are being made waits, and is not refused
        except BaseException:
            made.close()
            raise
    except OSError as error:
        raise ResightError(
            f"{host}:{port}: cannot listen there ({error.strerror or error}); choose another "
            "--port, such as 0 for any that is free"
        ) from None
    return made


def _names(host: str) -> list[str]:
    """What this computer may be called by those who come from elsewhere."""
    if host.lower() in LOOPBACK:
        return []
    import socket

    own = socket.gethostname()
    return [host, own, f"{own.split('.')[0]}.local", socket.getfqdn()]


def _named(address: str | None) -> tuple[str | None, bool]:
    """The name in what people type, and whether they come over TLS.

    Raises:
        ResightError: an address that leads nowhere, or to a place below a site's root.
    """
    from urllib.parse import urlsplit

    if address is None:
        return None, False
    try:
        parts = urlsplit(address)
        name = parts.hostname
    except ValueError:
        name = None
    if not name or parts.scheme not in ("http", "https") or parts.path.strip("/") or parts.query:
        raise ResightError(
            f"--address: {address!r} is not the root of a site; give one such as "
            "https://whales.example.org"
        )
    return name, parts.scheme == "https"


def _address(host: str, port: int, token: str | None) -> str:
    import socket

    shown = socket.gethostname() if host in EVERYWHERE else host
    shown = f"[{shown}]" if ":" in shown else shown
    return f"http://{shown}:{port}/" + (f"?token={token}" if token else "")


def _open_soon(address: str) -> None:
    import threading
    import webbrowser

    threading.Timer(0.3, webbrowser.open, [address]).start()
