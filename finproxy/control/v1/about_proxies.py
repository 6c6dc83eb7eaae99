"""Operations on proxies: what there is, their rules and toxics.

This module must not know how a request is checked or answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ...notation import parse_rule
from ...rules import Rule
from ...settings import Settings
from ...web.problems import Refusal
from ..proxies import Proxies
from . import asked, inputs, shapes, views
from .operations import operation

NO_PROXY: Final = {404: "There is no such proxy."}
_STOPPING: Final = {503: "finproxy is stopping."}
_NO_PORT: Final = {409: "The port cannot be had, or a rule at wire is new to a proxy that runs."}
_ONE = "/v1/proxies/{proxy}"
_RULES = "/v1/proxies/{proxy}/rules"
_TOXICS = "/v1/proxies/{proxy}/toxics"


class AboutProxies:
    """The operations, on one registry; `created` gives the settings of a new proxy, by its name."""

    def __init__(self, proxies: Proxies, created: Callable[[str], Settings]) -> None:
        self._proxies = proxies
        self._created = created

    @operation("GET", "/v1/proxies")
    async def list_proxies(self) -> shapes.ProxyList:
        """All proxies, by name."""
        return shapes.ProxyList([views.proxy(managed) for managed in self._proxies.all()])

    @operation(
        "POST",
        "/v1/proxies",
        status=201,
        refusals={409: "The name is taken, or the port cannot be had.", **_STOPPING},
    )
    async def create_proxy(self, body: asked.NewProxy) -> shapes.ProxyShape:
        """Create a proxy."""
        settings = inputs.new_settings(body, self._created(body.name))
        managed = await self._proxies.create(settings, body.listen, body.upstream, enabled=body.enabled)
        return views.proxy(managed)

    @operation("GET", _ONE, refusals=NO_PROXY)
    async def show_proxy(self, path: asked.ProxyPath) -> shapes.ProxyShape:
        """A proxy as it is."""
        return views.proxy(self._proxies.find(path.proxy))

    @operation("PATCH", _ONE, refusals=NO_PROXY | _NO_PORT | _STOPPING)
    async def change_proxy(self, path: asked.ProxyPath, body: asked.ProxyChange) -> shapes.ProxyShape:
        """Change a proxy; its sessions go on unless it has to listen or lead elsewhere."""
        self._proxies.find(path.proxy)
        listen, change = inputs.change(body)
        return views.proxy(await self._proxies.change(path.proxy, listen, change))

    @operation("DELETE", _ONE, status=204, refusals=NO_PROXY)
    async def delete_proxy(self, path: asked.ProxyPath) -> None:
        """Delete a proxy; its sessions are closed, with a FIN to both ends."""
        await self._proxies.delete(path.proxy)

    @operation("GET", _RULES, refusals=NO_PROXY)
    async def show_rules(self, path: asked.ProxyPath) -> shapes.Rules:
        """The rules of a proxy; the first that matches wins."""
        return views.rules(self._proxies.find(path.proxy).settings.rules)

    @operation("PUT", _RULES, refusals=NO_PROXY | _NO_PORT)
    async def set_rules(self, path: asked.ProxyPath, body: asked.RuleList) -> shapes.Rules:
        """Let other rules hold, also in sessions that are open."""
        self._proxies.find(path.proxy)
        rules = inputs.rules(body.rules)
        return views.rules(await self._proxies.edit_rules(path.proxy, lambda _: rules))

    @operation("POST", _RULES, refusals=NO_PROXY | _NO_PORT)
    async def add_rule(self, path: asked.ProxyPath, body: asked.NewRule) -> shapes.Rules:
        """Add a rule, before or behind the others."""
        self._proxies.find(path.proxy)
        rule = parse_rule(body.rule)

        def add(there: tuple[Rule, ...]) -> tuple[Rule, ...]:
            return (rule, *there) if body.first else (*there, rule)

        return views.rules(await self._proxies.edit_rules(path.proxy, add))

    @operation("DELETE", _RULES, query=asked.WhichRule, refusals={404: "There is no such proxy, or rule."})
    async def remove_rule(self, path: asked.ProxyPath, query: asked.WhichRule) -> shapes.Rules:
        """Remove a rule."""
        self._proxies.find(path.proxy)
        rule = parse_rule(query.rule)

        def remove(there: tuple[Rule, ...]) -> tuple[Rule, ...]:
            if rule not in there:
                known = " or ".join(f"'{one}'" for one in there) or "no rule: there is none"
                raise Refusal(
                    404,
                    f"there is no rule '{rule}' of {path.proxy}",
                    expected=known,
                    found=str(rule),
                    what_to_do=f"'finproxy rule ls {path.proxy}' or GET of the same path lists them",
                )
            place = there.index(rule)
            return there[:place] + there[place + 1 :]

        return views.rules(await self._proxies.edit_rules(path.proxy, remove))

    @operation("GET", _TOXICS, refusals=NO_PROXY)
    async def show_toxics(self, path: asked.ProxyPath) -> shapes.Toxics:
        """The toxics of a proxy."""
        return views.toxics(self._proxies.find(path.proxy).settings.toxics)

    @operation("PUT", _TOXICS, refusals=NO_PROXY)
    async def set_toxics(self, path: asked.ProxyPath, body: asked.ToxicInputs) -> shapes.Toxics:
        """Let other toxics hold, also in sessions that are open; one that stays the same goes on."""
        self._proxies.find(path.proxy)
        toxics = inputs.toxics(body.toxics)
        return views.toxics(await self._proxies.edit_toxics(path.proxy, lambda _: toxics))
