"""Does the same to many files of a store, several at a time: each takes a round trip to it, or a few."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from airflow_batch_provider.stores.store import Store

Item = TypeVar("Item")


def for_each(store: Store, operation: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Run an operation on the store for each item.

    The first failure in the order of the items is raised. By then nothing runs any more, and what had not begun will
    not be.

    :param store: says how many operations it takes at the same time
    :param operation: what to do
    :param items: what to do it with
    """
    if store.operations_at_once == 1 or len(items) < 2:
        for item in items:
            operation(item)
        return
    with ThreadPoolExecutor(store.operations_at_once, "store") as executor:
        contexts = [contextvars.copy_context() for _ in items]
        # Where one fails, map cancels what has not begun.
        list(executor.map(lambda context, item: context.run(operation, item), contexts, items))
