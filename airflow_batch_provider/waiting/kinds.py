"""The kinds of batch that can be waited for and the hooks, by the names that triggers carry."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.vendors import llamacloud, playment, talkifai

KINDS: dict[str, BatchKind] = {
    kind.name: kind
    for kind in (
        playment.BATCH_KIND,
        llamacloud.BATCH_KIND,
        llamacloud.BATCH_PROCESSING_JOB_KIND,
        talkifai.BATCH_JOB_KIND,
    )
}
"""Those with short names, which users write and stored triggers hold."""


def kind_named(name: str) -> BatchKind:
    """Return a kind by its short name, or by the import path that any other is named by.

    :param name: a key of :data:`KINDS`, or ``package.module.CONSTANT``
    :raises InvalidParameterError: there is no such kind where this runs
    """
    if name in KINDS:
        return KINDS[name]
    kind = _import("kind", name)
    if not isinstance(kind, BatchKind) or kind.name != name:
        raise _not_importable("kind", name, f"there is {type(kind).__name__} {getattr(kind, 'name', '')!r}")
    return kind


def hook_named(path: str) -> type[BatchApiHook]:
    """Return a hook class by its import path.

    :raises InvalidParameterError: there is no such hook where this runs
    """
    hook = _import("hook", path)
    if not isinstance(hook, type) or not issubclass(hook, BatchApiHook):
        raise _not_importable("hook", path, f"there is {hook!r}")
    return hook


def _import(parameter: str, path: str) -> Any:
    try:
        module, _, name = path.rpartition(".")
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise _not_importable(parameter, path, repr(error)) from error


def _not_importable(parameter: str, path: str, found: str) -> InvalidParameterError:
    allowed = "the import path of a hook"
    if parameter == "kind":
        allowed = f"one of {', '.join(map(repr, KINDS))}, or the import path of a BatchKind that is named by it"
    return InvalidParameterError(
        f"{parameter}={path!r} is not allowed; allowed is {allowed}, "
        f"in a module that every worker and triggerer can import: {found}."
    )
