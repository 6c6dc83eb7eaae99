"""Operations on sessions: which there are, what is known of one, and what can be done to it.

This module must not know how a request is checked or answered.
"""

from __future__ import annotations

from typing import Final

from ...legs import Leg
from ...notation import parse_action
from ...rules import Action, FullClose, SendReset
from ...server import Proxy
from ...web.problems import Refusal
from ..managed import Managed
from ..proxies import Proxies
from ..ring import RecordRing
from . import asked, shapes, views
from .about_proxies import NO_PROXY
from .operations import operation

_KILLS: Final[dict[str, Action]] = {"full-close": FullClose(), "reset": SendReset()}
_NO_SESSION: Final = {404: "There is no such proxy, or no such session."}
_GONE_BY: Final = {409: "That end has gone by, or nothing of it is held."}
_ALL = "/v1/proxies/{proxy}/sessions"
_ONE = "/v1/proxies/{proxy}/sessions/{session}"


class AboutSessions:
    """The operations, on the sessions of one registry."""

    def __init__(self, proxies: Proxies, ring: RecordRing) -> None:
        self._proxies = proxies
        self._ring = ring

    @operation("GET", "/v1/sessions")
    async def list_all_sessions(self) -> shapes.SessionList:
        """The live sessions of all proxies."""
        return _live_sessions(*self._proxies.all())

    @operation("GET", _ALL, refusals=NO_PROXY)
    async def list_sessions(self, path: asked.ProxyPath) -> shapes.SessionList:
        """The live sessions of a proxy."""
        return _live_sessions(self._proxies.find(path.proxy))

    @operation("GET", _ONE, refusals=_NO_SESSION)
    async def show_session(self, path: asked.SessionPath) -> shapes.SessionShape:
        """A session with its records, also a closed one as long as they are kept."""
        managed = self._proxies.find(path.proxy)
        known = self._ring.of_session(managed.name, path.session)
        shape = views.session_with_records(managed, path.session, self._ring.feed, known)
        if shape is None:
            raise _no_session(managed, path.session)
        return shape

    @operation("POST", f"{_ONE}/hold", refusals=_NO_SESSION | _GONE_BY)
    async def hold(self, path: asked.SessionPath, body: asked.WhichLeg) -> shapes.SessionShape:
        """Hold an end when it comes, whatever the rules say; or go on holding it."""
        await self._live(path).hold(path.session, body.leg)
        return await self.show_session(path)

    @operation("POST", f"{_ONE}/release", refusals=_NO_SESSION | _GONE_BY)
    async def release(self, path: asked.SessionPath, body: asked.WhichLeg) -> shapes.SessionShape:
        """Let a held end go, or call off a hold that waits for one."""
        await self._live(path).release(path.session, body.leg)
        return await self.show_session(path)

    @operation("POST", f"{_ONE}/act", refusals=_NO_SESSION)
    async def act(self, path: asked.SessionPath, body: asked.Act) -> shapes.SessionShape:
        """Do now what a rule with this action would do to an endpoint's flow."""
        action = parse_action(body.action)
        await self._live(path).act(path.session, body.leg, action)
        return await self.show_session(path)

    @operation("POST", f"{_ONE}/kill", refusals=_NO_SESSION)
    async def kill(self, path: asked.SessionPath, body: asked.Kill) -> shapes.SessionShape:
        """End a session, with a FIN to both ends or with a reset."""
        await self._live(path).act(path.session, Leg.CLIENT, _KILLS[body.how])
        return await self.show_session(path)

    @operation("POST", "/v1/proxies/{proxy}/release", refusals=NO_PROXY)
    async def release_all(self, path: asked.ProxyPath) -> shapes.Released:
        """Let everything go that is held."""
        managed = self._proxies.find(path.proxy)
        return shapes.Released(await managed.proxy.release_all() if managed.proxy else 0)

    def _live(self, path: asked.SessionPath) -> Proxy:
        managed = self._proxies.find(path.proxy)
        if managed.proxy is None or path.session not in managed.sessions:
            raise _no_session(managed, path.session)
        return managed.proxy


def _live_sessions(*proxies: Managed) -> shapes.SessionList:
    return shapes.SessionList(
        [views.session(managed, live) for managed in proxies for live in managed.sessions.values()]
    )


def _no_session(managed: Managed, number: int) -> Refusal:
    live = ", ".join(map(str, sorted(managed.sessions)[:20])) or "none"
    return Refusal(
        404,
        f"there is no session {number} of {managed.name}",
        expected=f"one of those that live: {live}",
        found=str(number),
        what_to_do=f"'finproxy sessions {managed.name}' or /v1/proxies/{managed.name}/sessions lists them",
    )
