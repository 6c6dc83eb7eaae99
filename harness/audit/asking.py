"""The requests that a recipe describes: the plain one, the one that asks to close, those that take a while.

This module must not know what is done with them.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module

from harness.audit.recipe import Recipe
from harness.contract.protocols import Http, Protocol, RawBytes
from harness.errors import UsageError

_REDIS = {"ask": ("PING\r\n", "+PONG\r\n"), "closing": ("QUIT\r\n", "+OK\r\n")}


def plain_request(recipe: Recipe) -> Protocol:
    """The request that is answered at once.

    Raises:
        UsageError: the recipe's ``module:function`` cannot be called.

    """
    if ":" in recipe.protocol:
        return _called(recipe.protocol, 0.0, close=False)
    if recipe.protocol == "http":
        return Http(_path(recipe.ask))
    return _raw(recipe.ask or _REDIS["ask"])


def closing_request(recipe: Recipe) -> Protocol | None:
    """The request after which the server closes; None if there is none."""
    if ":" in recipe.protocol:
        return _called(recipe.protocol, 0.0, close=True)
    if recipe.protocol == "http":
        return Http(_path(recipe.closing or recipe.ask), close=True)
    texts = recipe.closing or (_REDIS["closing"] if recipe.protocol == "redis" else ())
    return _raw(texts) if texts else None


def slow_requests(recipe: Recipe) -> Callable[[float], Protocol] | None:
    """Gives the request whose answer takes so many seconds; None if there is none."""
    if ":" in recipe.protocol:
        return partial(_called, recipe.protocol, close=False)
    if not recipe.slow:
        return None

    def taking(seconds: float) -> Protocol:
        texts = tuple(text.replace("{seconds}", f"{seconds:g}") for text in recipe.slow)
        return Http(_path(texts)) if recipe.protocol == "http" else _raw(texts)

    return taking


def _path(texts: tuple[str, ...]) -> str:
    return texts[0] if texts else "/"


def _raw(texts: tuple[str, ...]) -> RawBytes:
    sent, expected = texts
    return RawBytes(sent.encode(), expected.encode())


def _called(name: str, seconds: float, *, close: bool) -> Protocol:
    module, _, function = name.partition(":")
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"protocol: expected a function module:name, found {name!r}: {error}") from error
    request = found(seconds, close=close)
    if not hasattr(request, "send") or not hasattr(request, "receive"):
        raise UsageError(
            f"protocol: expected {name} to give an object with send and receive, found {request!r}"
        )
    checked: Protocol = request
    return checked
