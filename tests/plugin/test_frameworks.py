"""The plugin beside other plugins, under other import modes, and beside a folder of the same name."""

from __future__ import annotations

import pytest

from tests.harness.connections import needs_linux

from .conftest import Runs

pytestmark = needs_linux


@pytest.mark.parametrize(
    "arguments",
    [
        ("-p", "no:trio"),
        ("--import-mode=importlib",),
        ("-p", "xdist", "-n", "2"),
        ("-p", "trio", "-o", "trio_mode=true"),
        ("-p", "asyncio", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
    ],
    ids=["no-trio", "importlib", "xdist", "trio", "asyncio"],
)
def test_it_works_in_every_environment(runs: Runs, arguments: tuple[str, ...]) -> None:
    body = """
    proxy = fin_proxy(echo)
    with proxy.connect() as client:
        client.sendall(b"1")
        assert client.recv(1) == b"1"
"""
    asynchronous = "asyncio" in arguments or "trio_mode=true" in arguments
    tests = f"def test_plain(echo, fin_proxy):{body}"
    if asynchronous:
        tests += f"async def test_async(echo, fin_proxy):{body}"
    done = runs(tests, *arguments, alone=True)
    done.assert_outcomes(passed=2 if asynchronous else 1)


def test_anyio_tests_can_use_it(runs: Runs) -> None:
    done = runs(
        """
@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param

@pytest.mark.anyio
async def test_async(echo, fin_proxy):
    proxy = fin_proxy(echo)
    with proxy.connect() as client:
        client.sendall(b"1")
        assert client.recv(1) == b"1"
""",
        "-p",
        "anyio",
        alone=True,
    )
    done.assert_outcomes(passed=2)


ASYNC_API = """
import finproxy, harness, trio

async def test_async(echo):
    async with finproxy.open_proxy(echo.address, ["client.fin -> hold"]) as proxy:
        async with proxy.records() as records:
            stream = await trio.open_tcp_stream(*proxy.address)
            opened = await records.receive()
            await stream.send_eof()
            async for record in records:
                if record.event == "fin.held":
                    break
        session = proxy.sessions[opened.session]
        async with harness.watch(session.client, session.server) as seen:
            await seen.client.wait_for("FIN-WAIT-2", within=10)
            await proxy.release(session, "client")
            await seen.client.wait_for("TIME-WAIT", within=10)
            await stream.aclose()
"""


@pytest.mark.parametrize("mark", ["", "@pytest.mark.trio"], ids=["trio-mode", "trio-mark"])
def test_trio_tests_can_use_the_async_api(runs: Runs, mark: str) -> None:
    mode = "false" if mark else "true"
    tests = ASYNC_API.replace("async def test_async", f"{mark}\nasync def test_async")
    runs(tests, "-p", "trio", "-o", f"trio_mode={mode}", alone=True).assert_outcomes(passed=1)


def test_anyio_tests_on_trio_can_use_the_async_api(runs: Runs) -> None:
    backend = """
@pytest.fixture
def anyio_backend():
    return "trio"

@pytest.mark.anyio
"""
    tests = ASYNC_API.replace("async def test_async", f"{backend}async def test_async")
    runs(tests, "-p", "anyio", alone=True).assert_outcomes(passed=1)


def test_another_harness_is_told(runs: Runs, pytester: pytest.Pytester) -> None:
    pytester.mkpydir("harness")
    done = runs(
        """
def test_it(launch):
    launch("true")
""",
        alone=True,
    )
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(
        ["*expected the package 'harness' that comes with finproxy*, found another one*"]
    )


def test_a_harness_of_ones_own_is_not_disturbed(runs: Runs, pytester: pytest.Pytester) -> None:
    pytester.mkpydir("harness").joinpath("mine.py").write_text("x = 1")
    done = runs(
        """
def test_it():
    from harness.mine import x
    assert x == 1
""",
        alone=True,
    )
    done.assert_outcomes(passed=1)
