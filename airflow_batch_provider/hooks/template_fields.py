"""Checks when an operator or sensor class is defined that its parameters and template fields fit its declarations."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import Parameter, signature


def check_template_fields(task_class: type, needed: Iterable[str]) -> None:
    """Check the template fields of a class.

    :param task_class: the class, with ``template_fields``
    :param needed: the parameters that its declarations need
    :raises TypeError: a template field is no parameter of ``__init__``, or one that is needed is not there
    """
    accepted = {
        name
        for base in task_class.__mro__
        if "__init__" in vars(base)
        for name, parameter in signature(base.__init__).parameters.items()  # type: ignore[misc]
        if parameter.kind is Parameter.KEYWORD_ONLY
    }
    fields: tuple[str, ...] = tuple(task_class.template_fields)  # type: ignore[attr-defined]
    for name in fields:
        if name not in accepted:
            raise TypeError(f"{task_class.__qualname__}: template field {name!r} is no parameter of __init__")
    for name in needed:
        if name not in fields:
            raise TypeError(
                f"{task_class.__qualname__}: {name!r} is declared, so it must be a template field; add the parameter, "
                "or put kit.Declared before the base class"
            )
