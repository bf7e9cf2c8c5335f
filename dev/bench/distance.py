"""Passes connections on to a server on this machine, late in both directions, as if it were far away.

    python -m dev.bench.distance <port of the server> <milliseconds there and back>

says over standard output on which port it listens.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

ROUND_TRIP = 50
"""Milliseconds there and back."""

CHUNK = 1 << 18


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Write what comes, each piece so much later, until it ends."""
    now = asyncio.get_running_loop().time
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, piece = await under_way.get()
            await asyncio.sleep(due - now())
            if not piece:
                break
            writer.write(piece)
            await writer.drain()

    async with asyncio.TaskGroup() as group:
        group.create_task(deliver())
        piece = b"anything"
        while piece:
            piece = await reader.read(CHUNK)
            under_way.put_nowait((now() + seconds, piece))
    writer.close()


async def serve(port: int, seconds: float) -> None:
    """Listen until the process is ended."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError, ExceptionGroup):  # either end may go away
            await asyncio.gather(carry(reader, back, seconds), carry(there, writer, seconds))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 2000))
