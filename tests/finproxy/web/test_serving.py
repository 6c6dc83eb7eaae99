from __future__ import annotations

import errno
import os

import pytest
import trio
from starlette.responses import Response

from finproxy import Address, Guard, serve_http
from finproxy.web import serving

from ...support.peers import Peer, connect, patience

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
APP = Guard(Response(status_code=204))


async def status(client: Peer) -> bytes:
    """The first line of the answer to a request."""
    await client.send(REQUEST)
    return (await client.receive_some()).partition(b"\r\n")[0]


async def is_served(address: Address) -> bool:
    """Whether a new client is let in by now."""
    client = await connect(address)
    try:
        return await status(client) == b"HTTP/1.1 204 "
    except ConnectionError:
        return False
    finally:
        client.close()


async def test_beyond_a_number_of_connections_clients_are_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "_MOST_CONNECTIONS", 2)
    monkeypatch.setattr(serving, "_MOST_REFUSED", 1)
    async with serve_http(APP, ("127.0.0.1", 0)) as address:
        served = [await connect(address) for _ in range(2)]
        assert [await status(client) for client in served] == [b"HTTP/1.1 204 "] * 2

        refused = await connect(address)
        assert (await refused.read_until_eof()).startswith(b"HTTP/1.1 503 ")
        at_once = await connect(address)  # as many are being told already as may be
        assert await at_once.read_until_eof() == b""

        refused.close()
        served[0].close()
        with patience("room for another"):
            while not await is_served(address):
                pass
        assert await status(served[1]) == b"HTTP/1.1 204 "


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE])
async def test_accept_that_fails_for_want_of_descriptors_is_tried_again(
    code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    really_accept, failures = trio.SocketListener.accept, [code, code]

    async def accept(listener: trio.SocketListener) -> trio.SocketStream:
        if failures:
            raise OSError(failures.pop(), os.strerror(code))
        return await really_accept(listener)

    monkeypatch.setattr(trio.SocketListener, "accept", accept)
    async with serve_http(APP, ("127.0.0.1", 0)) as address:
        assert await status(await connect(address)) == b"HTTP/1.1 204 "
    assert caplog.messages == [f"the API cannot accept for now: {os.strerror(code)}"] * 2
