"""A small client of the API for the command line: request and answer, and a stream that is taken up again.

The standard library's: a command that asks for a list must not wait for an HTTP library to be imported.
This module must not know commands.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from .. import __version__
from ..errors import FinproxyError, UsageError

_PATIENCE: Final = 30.0
_SILENCE: Final = 60.0
"""Seconds without even a sign of life, after which a stream is taken up anew."""
_TOKEN_OPTIONS: Final = "--token-file or FINPROXY_TOKEN_FILE"
_CANNOT_BE_MEANT: Final = frozenset({400, 404, 405})


class Gone(Exception):  # noqa: N818 - nobody's error: a stream has ended
    """The stream broke off, or the other side ended it."""


class ApiClient:
    """The API at a URL."""

    def __init__(self, url: str, token_file: Path | None = None) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            self._port = parts.port
        except ValueError:
            self._port = None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(f"--url: expected a URL such as http://127.0.0.1:8474, found {url!r}")
        self._host = parts.hostname
        self._secure = parts.scheme == "https"
        self._path = parts.path.rstrip("/")
        self.url = url
        self._headers = {"user-agent": f"finproxy/{__version__}", "content-type": "application/json"}
        if token_file:
            from ..web.guard import read_token

            self._headers["authorization"] = f"Bearer {read_token(token_file)}"

    def ask(self, method: str, *path: str | int, body: Any = None, **query: Any) -> Any:
        """The answer to a request; None where it has no body.

        Raises:
            UsageError: what was asked for cannot be meant, or is not there.
            FinproxyError: nobody answers, or it could not be done.
        """
        connection = self._connect(_PATIENCE)
        try:
            answer = self._send(connection, method, _path(path, query), body)
            text = answer.read()
        except (OSError, HTTPException) as error:
            raise self._nobody(error) from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise _refused(answer.status, text)
        return json.loads(text) if text else None

    def follow(self, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Records as they come, for ever; where the stream breaks off it is taken up behind the last one.

        Raises:
            FinproxyError: nobody answers at the beginning, or the request is refused.
        """
        last, begun = "", False
        while True:
            try:
                for place, record in self._events(last, query):
                    last, begun = place, True
                    yield record
            except (OSError, HTTPException, Gone) as error:
                if not begun and not isinstance(error, Gone):
                    raise self._nobody(error) from error
                begun = True
                time.sleep(1)  # as the stream's own `retry` asks for

    def _events(self, last: str, query: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        connection = self._connect(_SILENCE)
        headers = {"last-event-id": last} if last else {}
        try:
            answer = self._send(connection, "GET", _path(("v1", "records", "stream"), query), None, headers)
            if answer.status >= 400:
                raise _refused(answer.status, answer.read())
            fields: dict[str, str] = {}
            for line in answer:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif "data" in fields:
                    yield fields["id"], {"event": fields["event"], **json.loads(fields["data"])}
                    fields = {}
        finally:
            connection.close()
        raise Gone

    def _connect(self, timeout: float) -> HTTPConnection:
        kind = HTTPSConnection if self._secure else HTTPConnection
        return kind(self._host, self._port, timeout=timeout)

    def _send(
        self,
        connection: HTTPConnection,
        method: str,
        path: str,
        body: Any,
        headers: Mapping[str, str] | None = None,
    ) -> HTTPResponse:
        text = None if body is None else json.dumps(body)
        connection.request(method, self._path + path, text, {**self._headers, **(headers or {})})
        return connection.getresponse()

    def _nobody(self, error: Exception) -> FinproxyError:
        return FinproxyError(
            f"expected an API at {self.url}, found nobody who answers ({error}); "
            "start one with 'finproxy serve', or name another with --url or FINPROXY_URL"
        )


def _path(parts: tuple[str | int, ...], query: Mapping[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    path = "/" + "/".join(quote(str(part), safe="") for part in parts)
    return f"{path}?{urlencode(given)}" if given else path


def _refused(status: int, text: bytes) -> FinproxyError:
    try:
        problem = json.loads(text)
        sentence = problem["error"]
    except (ValueError, KeyError, TypeError):
        return FinproxyError(f"expected an answer of finproxy, found status {status}: {text[:200]!r}")
    if status == 401:
        # The API names the server's option; here it has another name.
        sentence += f", found {problem.get('found')}; name the file that contains it with {_TOKEN_OPTIONS}"
    elif problem.get("what_to_do") and problem["what_to_do"] not in sentence:
        sentence += f"; {problem['what_to_do']}"
    return UsageError(sentence) if status in _CANNOT_BE_MEANT else FinproxyError(sentence)
