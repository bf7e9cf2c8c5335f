"""The kinds of batch that can be waited for, by the names that triggers carry."""

from __future__ import annotations

from importlib import import_module

from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.exceptions import InvalidParameterError
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
    module, _, constant = name.rpartition(".")
    try:
        kind = getattr(import_module(module), constant)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise _refused(name, repr(error)) from error
    if not isinstance(kind, BatchKind) or kind.name != name:
        raise _refused(name, f"there is {type(kind).__name__} {getattr(kind, 'name', '')!r}")
    return kind


def _refused(name: str, found: str) -> InvalidParameterError:
    return InvalidParameterError(
        f"kind={name!r} is not allowed; allowed is one of {', '.join(map(repr, KINDS))}, or the import path of a "
        f"BatchKind that is named by it, in a module that every worker and triggerer can import: {found}."
    )
