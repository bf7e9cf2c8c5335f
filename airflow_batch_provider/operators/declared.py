"""Operators and sensors that take the parameters that their declarations need, without an ``__init__``."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, Signature
from typing import Any

from airflow_batch_provider.apis import parameter as declared

_REQUIRED: Any = Parameter.empty
_DECLARATIONS = ("submission", "results", "listing")


class Declared:
    """Goes before the base class of an operator or a sensor, and gives it its parameters, all of them templates.

    They are those of what the class names: of its ``listing``, ``results`` or ``submission``, or the ``id_field`` and
    ``scope`` of its ``kind``, or its ``filters``; the rows to submit, ``<rows_field>`` and ``<rows_field>_conn_id``;
    and the connection, as its hook calls it. A parameter that the vendor requires must be given, unless the connection
    may have it as an extra.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        task_class: Any = cls
        _check(task_class)
        inherited = tuple(task_class.template_fields)
        own = {name: default for name, default in _parameters(task_class).items() if name not in inherited}
        if own and "__init__" not in vars(cls):
            task_class.template_fields = (*inherited, *own)
            task_class.__init__ = _init(task_class, own)
        super().__init_subclass__(**kwargs)


def _check(cls: Any) -> None:
    if not hasattr(cls, "hook_class"):
        raise TypeError(f"{cls.__qualname__}: set hook_class to the vendor's hook")
    if not any(hasattr(cls, name) for name in (*_DECLARATIONS, "kind")):
        raise TypeError(f"{cls.__qualname__}: set kind, listing, results or submission, as its base class needs")


def _parameters(cls: Any) -> dict[str, Any]:
    """Return the names of the parameters, and what each is if it is left out."""
    found: dict[str, Any] = {}
    what: Any = next(filter(None, (getattr(cls, name, None) for name in _DECLARATIONS)), None)
    if what:
        counted = getattr(getattr(what, "paging", None), "needs", ())[:1]  # the position of a page is ours to count
        found = {
            parameter.name: _default(parameter, what.vendor.extras)
            for parameter in what.parameters
            if parameter.wire not in counted
        }
    else:
        if getattr(cls, "id_field", None):
            found[cls.id_field] = _REQUIRED
        elif not hasattr(cls, "filters"):
            cls.filters = cls.kind.scope
        found |= dict.fromkeys([*cls.kind.scope, *getattr(cls, "filters", ())])
    if rows := getattr(cls, "rows_field", None):
        found |= {rows: _REQUIRED, f"{rows}_conn_id": None}
    return found | {cls.hook_class.conn_name_attr: cls.hook_class.default_conn_name}


def _default(parameter: declared.Parameter, extras: Mapping[str, Any]) -> Any:
    return _REQUIRED if parameter.required and parameter.name not in extras else None


def _init(cls: Any, own: Mapping[str, Any]) -> Any:
    def __init__(self: Any, **kwargs: Any) -> None:  # noqa: N807
        values = {name: kwargs.pop(name, default) for name, default in own.items()}
        super(cls, self).__init__(**kwargs)
        for name, value in values.items():
            setattr(self, name, value)

    # Airflow reads here what a class takes: for mapped tasks, default_args and what is missing.
    parameters = [Parameter(name, Parameter.KEYWORD_ONLY, default=default) for name, default in own.items()]
    first, last = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), Parameter("kwargs", Parameter.VAR_KEYWORD)
    __init__.__signature__ = Signature([first, *parameters, last])  # type: ignore[attr-defined]
    return __init__
