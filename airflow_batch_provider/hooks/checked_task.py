"""Checks the parameters of tasks: what a DAG file says when it is parsed, everything else when the task runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator
from airflow.sdk.bases.operator import BaseOperatorMeta
from airflow.sdk.definitions.mappedoperator import OperatorPartial

from airflow_batch_provider.apis.literals import LATER, OrNone, Values, literal_of, violation_of
from airflow_batch_provider.apis.parameter import Parameter
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.exceptions import FatalError, InvalidParameterError
from airflow_batch_provider.stores.places import check_place
from airflow_batch_provider.stores.role import Role


@contextmanager
def _naming_the_task(task_id: object) -> Iterator[None]:
    """Add the task to an error: Airflow shows the last lines of an import error, and a file may have many tasks."""
    try:
        yield
    except FatalError as error:
        error.add_note(f"The task is {task_id!r}.")
        raise


class _CheckedTaskType(BaseOperatorMeta):
    """Checks a task once it is made, after the ``__init__`` of all its classes."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - of a metaclass
        with _naming_the_task(kwargs.get("task_id")):
            task: CheckedTask = super().__call__(*args, **kwargs)
            task.check_literals({name: getattr(task, name) for name in task.checked() if hasattr(task, name)})
        return task


class _CheckedPartial(OperatorPartial):
    """Checks the values that a task is mapped over, as far as the DAG file says them."""

    def expand(self, **mapped_kwargs: Any) -> Any:
        mapped = super().expand(**mapped_kwargs)
        for name, values in mapped_kwargs.items():
            self._check({name: value} for value in _listed(values))
        return mapped

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> Any:
        mapped = super().expand_kwargs(kwargs, strict=strict)
        self._check(values for values in _listed(kwargs) if isinstance(values, Mapping))
        return mapped

    def _check(self, cases: Iterable[Mapping[str, Any]]) -> None:
        with _naming_the_task(self.kwargs["task_id"]):
            for values in cases:
                self.operator_class.check_literals(values)  # type: ignore[attr-defined]


class CheckedTask(BaseOperator, metaclass=_CheckedTaskType):
    """A task whose parameters are checked by what :meth:`domains` declares.

    What a DAG file says is checked when it is parsed, in ``.partial()`` and ``.expand()`` too. Templates and outputs of
    other tasks are checked when the task runs, by :meth:`check_parameters`.
    """

    places: ClassVar[Sequence[Role]] = ()
    """The parameters that name files and folders."""

    @classmethod
    def domains(cls) -> dict[str, Values]:
        """Return what parameters may be, by their names; those that are left out take any value."""
        return {}

    @classmethod
    def checked(cls) -> list[str]:
        """Return the names of the parameters that are checked."""
        return [*cls.domains(), *(role.name for role in cls.places)]

    @classmethod
    def check_literals(cls, values: Mapping[str, Any]) -> None:
        """Check values of a DAG file, as far as they are known when it is parsed.

        :param values: by the names of parameters
        :raises FatalError: a value would be refused by every run of the task
        """
        for role in cls.places:
            check_place(values.get(role.name), role)
        known = {
            # A text that Airflow does not render stays as it is.
            name: value if isinstance(value, str) and name not in cls.template_fields else literal_of(value)
            for name, value in values.items()
        }
        cls.check_values({name: value for name, value in known.items() if value is not LATER})

    @classmethod
    def check_values(cls, values: Mapping[str, Any]) -> None:
        """Check values that are known. Subclasses add what concerns several parameters together.

        :param values: by the names of parameters; before the task runs, some may not be there
        :raises InvalidParameterError: one is not allowed; says which and what is
        """
        for name, domain in cls.domains().items():
            if name in values and (violation := violation_of(name, values[name], domain)):
                raise InvalidParameterError(f"{cls.__name__}: {violation}.")

    def check_parameters(self) -> None:
        """Check all parameters, once they are rendered."""
        self.check_values({name: getattr(self, name) for name in self.checked()})

    def encoded(self, name: str) -> str | None:
        """Return a parameter's value as text, once rendered; None if it is left out.

        :param name: the parameter, one of :meth:`domains`
        :raises InvalidParameterError: it is not allowed
        """
        self.check_values({name: getattr(self, name)})
        return self.domains()[name].encode(getattr(self, name)) or None

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Return the task with the parameters that do not differ when it is mapped, as Airflow's operators do."""
        made: OperatorPartial = super().partial(**kwargs)
        made._expand_called = True  # it is replaced, not forgotten
        with _naming_the_task(made.kwargs["task_id"]):
            cls.check_literals(made.kwargs)
        return _CheckedPartial(operator_class=made.operator_class, kwargs=made.kwargs, params=made.params)


def domains_of(parameters: Iterable[Parameter], names: Iterable[str], vendor: Vendor) -> dict[str, Values]:
    """Return what those parameters of an endpoint may be that a task has.

    :param parameters: the endpoint's
    :param names: the task's
    :param vendor: whose endpoint it is; what its connections have may be left out
    """
    taken = set(names)
    return {
        known.name: known if known.required and known.name not in vendor.extras else OrNone(known)
        for known in parameters
        if known.name in taken
    }


def _listed(values: object) -> Sequence[Any]:
    return values if isinstance(values, (list, tuple)) else []
