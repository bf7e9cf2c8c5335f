"""What tests on any store write to it, alone or several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from airflow_batch_provider.stores.destination import Store


def write(store: Store, name: str, content: bytes) -> None:
    """Write a file as an export writes a part."""
    file = store.create(name)
    file.write(content)
    file.close()


def together(writer: Callable[[int], None], writers: int) -> None:
    """Run so many writers at once, to their end."""
    threads = [threading.Thread(target=writer, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def count_together(store: Store, writers: int, times: int) -> int:
    """Let each writer add one to a number until it has done so often enough; a lost update leaves fewer."""
    store.put("x", b"0")

    def add(number: int) -> None:
        added = 0
        while added < times:
            version = store.version("x")
            content = store.read("x") or b""
            # Another writer between the two makes the version an old one.
            added += store.put_if("x", b"%d" % (int(content) + 1), version)

    together(add, writers)
    return int(store.read("x") or b"")
