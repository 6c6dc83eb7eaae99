from __future__ import annotations

from pathlib import Path

import pytest

from finproxy import parse_rule
from finproxy.config import ConfigError, load
from finproxy.control.settings import ApiSettings
from finproxy.toxics import Fin, Latency, Toxic

WEB = '[proxy.web]\nlisten = "9000"\nupstream = "db.internal:5432"\n'
TOXIC = WEB + "\n[[proxy.web.toxics]]\n"


def read(tmp_path: Path, text: str) -> list[object]:
    path = tmp_path / "finproxy.toml"
    path.write_text(text)
    return list(load(path).proxies)


def test_reads_several_proxies_each_with_its_rules(tmp_path: Path) -> None:
    path = tmp_path / "finproxy.toml"
    path.write_text(
        'grace = "2s"\nseed = 7\n'
        + WEB
        + 'rules = ["server.fin -> delay 2s~200ms", "any.reset -> fin @0.5"]\n'
        + '[proxy.cache]\nlisten = "[::1]:0"\nupstream = "6379"\ngrace = "1m"\nmax_sessions = 5\n'
    )

    web, cache = load(path).proxies

    assert (web.name, web.listen, web.upstream) == ("web", ("127.0.0.1", 9000), ("db.internal", 5432))
    assert web.rules == (parse_rule("server.fin -> delay 2s~200ms"), parse_rule("any.reset -> fin @0.5"))
    assert (web.grace, web.seed) == (2.0, 7)
    assert (cache.listen, cache.upstream, cache.grace, cache.max_sessions) == (
        ("::1", 0),
        ("127.0.0.1", 6379),
        60.0,
        5,
    )


def test_reads_toxics_in_the_words_of_toxiproxy(tmp_path: Path) -> None:
    path = tmp_path / "finproxy.toml"
    path.write_text(
        WEB
        + '[[proxy.web.toxics]]\ntype = "latency"\nattributes = { latency = 300, jitter = 50 }\n'
        + '[[proxy.web.toxics]]\ntype = "fin"\nname = "late"\nstream = "upstream"\ntoxicity = 0.5\n'
        + 'attributes = { rule = "client.fin -> hold" }\n'
    )

    assert load(path).proxies[0].toxics == (
        Toxic("latency_downstream", "downstream", Latency(300, 50)),
        Toxic("late", "upstream", Fin("client.fin -> hold"), 0.5),
    )


def test_reads_where_the_api_is_served(tmp_path: Path) -> None:
    path = tmp_path / "finproxy.toml"
    path.write_text('[api]\nlisten = "8475"\ntoken_file = "token"\nhosts = ["finproxy.test"]\n' + WEB)

    assert load(path).api == ApiSettings(
        listen=("127.0.0.1", 8475), token_file=Path("token"), hosts=("finproxy.test",)
    )


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "finproxy.toml"
    path.write_text("seed = 7\n" + WEB)

    assert load(path, {"seed": 8}).proxies[0].seed == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "not TOML"),
        ("", "expected at least one table"),
        ("proxy = 3", "expected at least one table"),
        ("[proxy]\nweb = 3", "expected a table, found 3"),
        ('grase = "5s"\n' + WEB, "found 'grase'; did you mean 'grace'"),
        (WEB + 'rule = ["client.fin -> drop"]', "found 'rule'; did you mean 'rules'"),
        ('[proxy.web]\nupstream = "80"', "expected the key 'listen', found only upstream"),
        (WEB + 'rules = "client.fin -> drop"', "expected a list of rules"),
        (
            WEB + 'rules = ["client.fin -> relay", "client.fin -> dorp"]',
            "rule 2: column 15: expected an action",
        ),
        (WEB + "rules = [1]", "expected a rule, in quotes, found 1"),
        (WEB + "grace = 5", "expected a duration such as '2s', in quotes, found 5"),
        (WEB + 'grace = "5"', "column 1: expected a duration"),
        (WEB + "max_sessions = 0", "expected a whole number from 1, found 0"),
        (WEB + "max_sessions = true", "expected a whole number from 1, found True"),
        (WEB + 'seed = "7"', "expected a whole number from 0, found '7'"),
        (
            '[proxy.web]\nlisten = 9000\nupstream = "80"',
            "expected an address such as '127.0.0.1:9000', in quotes",
        ),
        (WEB + "toxics = 3", "toxics: expected tables [[proxy.NAME.toxics]], found 3"),
        (TOXIC + 'name = "x"', "toxic 1: expected the key 'type', found only name"),
        (TOXIC + 'type = "latencey"', "found 'latencey'; did you mean 'latency'"),
        (TOXIC + "type = 3", "expected a type such as 'latency', in quotes, found 3"),
        (TOXIC + 'type = "noop"\nstream = "up"', "expected the stream 'upstream' or 'downstream'"),
        (TOXIC + 'type = "noop"\ntoxicity = "all"', "expected a number such as 0.5 as toxicity"),
        (TOXIC + 'type = "noop"\nattributes = 3', "expected a table such as { latency = 300 }, found 3"),
        (TOXIC + 'type = "latency"\nattributes = { latency = 1.5 }', "expected a whole number of 64 bits"),
        (TOXIC + 'type = "latency"\nattributes = { lag = 1 }', "expected latency, jitter of a latency toxic"),
        (TOXIC + 'type = "noop"' + TOXIC[len(WEB) :] + 'type = "noop"', "found 'noop_downstream' twice"),
        ("[api]\nhost = 3\n" + WEB, "found 'host'; did you mean 'hosts'"),
        ("api = 3\n" + WEB, "[api]: expected a table, found 3"),
        ('[proxy.web]\nlisten = "a:b:c"\nupstream = "80"', "expected PORT, HOST:PORT or [IPv6]:PORT"),
        (WEB + '[proxy.two]\nlisten = "9000"\nupstream = "81"', "both listen on 127.0.0.1:9000"),
        (WEB + '[proxy.two]\nlisten = "0.0.0.0:9000"\nupstream = "81"', "both listen on 127.0.0.1:9000"),
    ],
)
def test_says_what_was_expected_and_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)

    assert "finproxy.toml" in str(caught.value)
    assert message in str(caught.value)


def test_port_zero_may_be_asked_for_twice(tmp_path: Path) -> None:
    table = '[proxy.{}]\nlisten = "0"\nupstream = "80"\n'

    assert len(read(tmp_path, table.format("a") + table.format("b"))) == 2


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        load(tmp_path / "none.toml")
