from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from harness.audit.asking import closing_request, plain_request, slow_requests
from harness.audit.configuration import load_configuration
from harness.audit.known import choose, known_recipes
from harness.audit.reading import read_recipe, read_recipes
from harness.contract.protocols import Http, RawBytes
from harness.errors import UsageError

SERVER: dict[str, Any] = {"kind": "server", "command": "serve {port}"}


def test_a_command_is_split_as_a_shell_would() -> None:
    assert read_recipe("mine", {**SERVER, "command": "serve 'a b' {port}"}).command == (
        "serve",
        "a b",
        "{port}",
    )


def test_a_variant_is_a_subject_of_its_own_whose_keys_replace_those_of_the_base() -> None:
    table = {**SERVER, "grace": "2s", "variant": {"quit": {"signal": "SIGQUIT"}}}
    base, variant = read_recipes("mine", table)
    assert (base.name, base.signal, base.grace) == ("mine", "TERM", 2.0)
    assert (variant.name, variant.signal, variant.grace) == ("mine-quit", "QUIT", 2.0)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({**SERVER, "grce": "2s"}, "found 'grce'; did you mean 'grace'?"),
        ({"kind": "server"}, "expected the key 'command'"),
        ({**SERVER, "kind": "proxy"}, "mine kind: expected one of server, client, relay, found 'proxy'"),
        ({**SERVER, "command": "serve 80"}, "expected {port} in the command of a server, found 'serve 80'"),
        ({"kind": "relay", "command": "relay {port}"}, "expected {upstream} in the command of a relay"),
        ({"kind": "client", "command": "ask it"}, "expected {url} or {urls} or {port}"),
        ({**SERVER, "command": ""}, "mine command: expected a command, found none"),
        ({**SERVER, "grace": 5}, "mine grace: expected a text in quotes, found 5"),
        ({**SERVER, "grace": "soon"}, "mine grace: "),
        ({**SERVER, "signal": "NOSE"}, "expected a signal such as TERM or QUIT, found 'NOSE'"),
        ({**SERVER, "protocol": "smtp"}, "expected http, redis, raw or module:function, found 'smtp'"),
        ({**SERVER, "protocol": "raw"}, "expected ask = "),
        ({**SERVER, "slow": ["a", "b"]}, "mine slow: expected a path for http"),
        ({**SERVER, "ready": "("}, "mine ready: expected a pattern"),
        ({**SERVER, "variant": {"x": 1}}, "expected tables [variant.NAME]"),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_key(table: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_recipes("mine", table)
    assert complaint in str(caught.value)


def test_a_place_may_stand_in_a_file_instead_of_the_command() -> None:
    table = {"kind": "server", "command": "serve -c {dir}/a.conf", "files": {"a.conf": "listen {port};"}}
    assert read_recipe("mine", table).needs_a_kit


def test_requests_of_http() -> None:
    recipe = read_recipe("mine", {**SERVER, "ask": "/a", "slow": "/slow?{seconds}"})
    slow = slow_requests(recipe)
    assert plain_request(recipe) == Http("/a")
    assert closing_request(recipe) == Http("/a", close=True)
    assert slow is not None
    assert slow(0.3) == Http("/slow?0.3")


def test_requests_of_redis_and_of_bytes() -> None:
    redis = read_recipe("mine", {**SERVER, "protocol": "redis"})
    assert plain_request(redis) == RawBytes(b"PING\r\n", b"+PONG\r\n")
    assert closing_request(redis) == RawBytes(b"QUIT\r\n", b"+OK\r\n")
    raw = read_recipe("mine", {**SERVER, "protocol": "raw", "ask": ["a", "b"], "slow": ["{seconds}", "c"]})
    slow = slow_requests(raw)
    assert closing_request(raw) is None
    assert slow is not None
    assert slow(1.0) == RawBytes(b"1", b"c")


def test_a_function_that_is_not_there_is_named() -> None:
    recipe = read_recipe("mine", {**SERVER, "protocol": "nowhere.at.all:ask"})
    with pytest.raises(UsageError, match=r"found 'nowhere\.at\.all:ask'"):
        plain_request(recipe)


def test_every_recipe_that_comes_with_it_can_be_read() -> None:
    known = known_recipes()
    asked = (
        "nginx nginx-stream haproxy haproxy-tcp socat gunicorn uvicorn hypercorn http.server redis memcached"
    )
    clients = "curl wget requests urllib3 httpx aiohttp"
    assert {*asked.split(), *clients.split(), "postgresql"} <= set(known)


def test_a_recipe_is_chosen_with_its_variants_and_a_variant_alone() -> None:
    names = {recipe.name for recipe in choose(["http.server"])[0]}
    assert names == {"http.server"}
    with pytest.raises(UsageError, match=r"found 'http\.sever'; did you mean 'http\.server'"):
        choose(["http.sever"])


def test_what_is_not_installed_is_left_out_but_not_if_it_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    chosen, left_out = choose([])
    assert "nginx: not installed: nginx" in left_out
    assert "nginx" not in [recipe.name for recipe in chosen]
    with pytest.raises(UsageError, match="nginx: not installed: nginx"):
        choose(["nginx"])


def test_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "audit.toml"
    path.write_text(
        'known = ["curl"]\n'
        'only = ["half-*"]\nrepeat = 3\n[subject.mine]\nkind = "server"\ncommand = "s {port}"\n'
    )
    found = load_configuration(path)
    assert [recipe.name for recipe in found.recipes] == ["mine"]
    assert (found.known, found.only, found.repeat, found.jobs) == (("curl",), ("half-*",), 3, None)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("repat = 3", "found 'repat'; did you mean 'repeat'"),
        ("repeat = 0", "repeat: expected a whole number from 1, found 0"),
        ("strict = 1", "strict: expected true or false"),
        ('known = "curl"', "known: expected a list of texts"),
        ("[subject]\nmine = 1", "expected tables"),
        ("jobs = 2", "found neither"),
        ("jobs = ", "not TOML"),
    ],
)
def test_a_configuration_that_cannot_be_meant(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "audit.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=f"{path}: .*{complaint}"):
        load_configuration(path)


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_configuration(tmp_path / "none.toml")
