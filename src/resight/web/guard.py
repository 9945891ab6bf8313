"""Who may talk to the review: what keeps strangers, other sites and floods out.

- Only to those who call it by its own name: a page of another site whose name is made to lead here
  (DNS rebinding) calls it by that one.
- Beyond loopback, only with the token: once in the address, then by a cookie, or in a header.
- What changes anything comes from its own pages (by `Origin` and `Sec-Fetch-Site`, and with the
  page's token in a header, which no other site can read), or from a program that is no browser.
- Bodies are bounded, counted as they come in.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resight.web.desk import PAGE_COOKIE, TOKEN_HEADER

LOOPBACK = ("localhost", "127.0.0.1", "::1")
TOKEN_COOKIE = "resight_token"
MOST_BYTES = 1 << 20  # of a request's body
MOST_UPLOAD = 256 << 20  # of one with photos
_SAFE = ("GET", "HEAD", "OPTIONS")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
        "frame-ancestors 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """Stands before the application and lets through what may pass.

    Args:
        app: that it guards.
        token: that strangers must show; None on loopback.
        hosts: names that it may be called by, beside those of loopback.
        any_address: it may also be called by any IP address: it listens on all of them.
        uploads: paths whose bodies may be as large as photos are.
        open_to_all: paths that anybody may ask for without the token, by any name: only for
            answers that say nothing about anything.
        secure: cookies are sent over TLS only: a reverse proxy speaks it for us.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        hosts: Collection[str] = (),
        any_address: bool = False,
        uploads: Collection[str] = (),
        open_to_all: Collection[str] = (),
        secure: bool = False,
    ) -> None:
        self.app = app
        self.token = token
        self.hosts = {*LOOPBACK, *(host.lower() for host in hosts)}
        self.any_address = any_address
        self.uploads = frozenset(uploads)
        self.open_to_all = frozenset(open_to_all)
        self.secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no websockets here
            return
        headers = Headers(scope=scope)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    found.setdefault(name, value)
                if self.secure:
                    message["headers"] = [
                        (name, value + b"; Secure" if name.lower() == b"set-cookie" else value)
                        for name, value in message["headers"]
                    ]
            await send(message)

        if scope["method"] in ("GET", "HEAD") and scope["path"] in self.open_to_all:
            await self.app(scope, self._counted(scope, receive), send_safely)
            return
        refused = (
            self._called_wrongly(headers)
            or self._without_token(scope, headers)
            or self._from_elsewhere(scope, headers)
            or self._too_large(scope, headers)
        )
        if refused is not None:
            await refused(scope, receive, send_safely)
            return
        await self.app(scope, self._counted(scope, receive), send_safely)

    def _called_wrongly(self, headers: Headers) -> Response | None:
        host = _host(headers.get("host", ""))
        if host in self.hosts or (self.any_address and _is_address(host)):
            return None
        return PlainTextResponse(
            "This review does not answer to that name; use the address that it printed.", 421
        )

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        if self.token is None:
            return None
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if _same(given, self.token) or _same(_cookies(headers).get(TOKEN_COOKIE, ""), self.token):
            return None
        asked = parse_qsl(scope.get("query_string", b"").decode("latin-1"))
        shown = dict(asked).get("token", "")
        if scope["method"] == "GET" and _same(shown, self.token):
            rest = urlencode([(key, value) for key, value in asked if key != "token"])
            # One slash: "//other.site" would be an address elsewhere.
            path = "/" + scope["path"].lstrip("/\\")
            response: Response = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
            response.set_cookie(
                TOKEN_COOKIE, self.token, max_age=31_536_000, httponly=True, samesite="lax"
            )
            return response
        if "text/html" in headers.get("accept", "") and scope["method"] == "GET":
            return HTMLResponse(_ASK_TOKEN, 401)
        return PlainTextResponse(
            "A token is needed: it is in the address that the review printed. Programs send it as "
            "the header Authorization: Bearer TOKEN",
            401,
            {"WWW-Authenticate": "Bearer"},
        )

    def _from_elsewhere(self, scope: Scope, headers: Headers) -> Response | None:
        site = headers.get("sec-fetch-site")
        if scope["method"] in _SAFE:
            # Another site may lead here by a link, and may not show our pictures on its pages.
            if site in ("cross-site", "same-site") and headers.get("sec-fetch-mode") != "navigate":
                return _refused()
            return None
        origin = headers.get("origin")
        if site is None and origin is None and "cookie" not in headers:
            return None  # no browser sends so little
        if site not in (None, "same-origin"):
            return _refused()
        if origin is not None and urlsplit(origin).netloc != headers.get("host"):
            return _refused()
        mine, told = _cookies(headers).get(PAGE_COOKIE, ""), headers.get(TOKEN_HEADER, "")
        if not mine or not _same(mine, told):
            return PlainTextResponse("This page is too old; load it again.", 403)
        return None

    def _too_large(self, scope: Scope, headers: Headers) -> Response | None:
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._most(scope):
            return PlainTextResponse(
                f"More than {self._most(scope):,} bytes are not taken at once; send less.", 413
            )
        return None

    def _most(self, scope: Scope) -> int:
        return MOST_UPLOAD if scope["path"] in self.uploads else MOST_BYTES

    def _counted(self, scope: Scope, receive: Receive) -> Receive:
        """The body as it comes, broken off where it is longer than it may be."""
        most, taken = self._most(scope), 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > most:
                    return {"type": "http.disconnect"}
            return message

        return counted


def _refused() -> Response:
    return PlainTextResponse("Refused: this came from another site.", 403)


def _host(header: str) -> str:
    """The name without the port, in small letters."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower().rstrip(".")
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _cookies(headers: Headers) -> dict[str, str]:
    return cookie_parser(headers.get("cookie", ""))


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


_ASK_TOKEN = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Resight</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<h1>A token is needed</h1>
<p>Open the address that <code>resight review</code> printed, or paste the token from its end.</p>
<form><label>Token <input name="token" autocomplete="off" autofocus></label>
<button>Open</button></form></html>
"""
