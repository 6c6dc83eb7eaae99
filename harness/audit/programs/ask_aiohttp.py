"""Ask a URL twice on one kept connection with aiohttp, print the bodies, fail as it fails."""

import asyncio
import sys

import aiohttp


async def main() -> None:
    """Ask."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session:
        for _ in range(2):
            async with session.get(sys.argv[1]) as answer:
                print(await answer.text(), flush=True)


asyncio.run(main())
