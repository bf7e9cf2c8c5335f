"""Checks of what Airflow sees: hook, operators, sensors, and the provider info of a package."""

from __future__ import annotations

import copy
import inspect
import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.resources import files
from typing import Any
from unittest import mock

from airflow.providers.common.compat.sdk import BaseOperator, TaskDeferred
from airflow.sdk import DAG

from airflow_batch_provider.apis.batch_state import BatchState, Outcome, show_state
from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.shown import Redactor
from airflow_batch_provider.connection_form import connection_type
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.sensors.batch import BatchSensor
from airflow_batch_provider.testing.declared import Declared, NotCheckedError, fail, hook_of
from airflow_batch_provider.triggers.batch import BatchStatusTrigger

_TEMPLATE = "{{ var.value.contract }}"


def the_hook_is_that_of_the_vendor(declared: Declared) -> None:
    """Whatever needs a client, the triggerer included, gets it from the class that the vendor names."""
    vendor = declared.vendor
    if not vendor.hook:
        raise NotCheckedError(f"vendor {vendor.name} names no hook")
    hook = hook_of(vendor)
    if not isinstance(hook, type) or not issubclass(hook, BatchApiHook):
        fail(f"Vendor {vendor.name}: hook={vendor.hook!r} is no BatchApiHook.")
    facts = {"vendor": vendor, "conn_type": vendor.name, "hook_name": vendor.title}
    for name, expected in facts.items():
        if getattr(hook, name, None) != expected:
            fail(f"{hook.__name__}.{name} must be {name if name == 'vendor' else repr(expected)} of the vendor.")
    if not isinstance(getattr(hook, "probe", None), Listing):
        fail(f"{hook.__name__}.probe must be a listing: the form's test button reads a page of it.")
    attribute, default = str(getattr(hook, "conn_name_attr", None)), getattr(hook, "default_conn_name", None)
    names: tuple[dict[str, str], ...] = ({}, {attribute: "other"})
    for given in names:
        expected = given.get(attribute, default)
        try:
            found = hook(**given)._connection_id
        except TypeError as error:
            fail(f"{hook.__name__} must take {attribute}, its conn_name_attr: {error}.")
        if found != expected:
            fail(f"{hook.__name__} uses the connection {found!r}; it should be {expected!r}.")
    for method_name, method in vars(hook).items():
        if inspect.isfunction(method) and not method_name.startswith("_") and not method.__doc__:
            fail(f"{hook.__name__}.{method_name} has no docstring.")


def a_task_is_documented_and_templated(declared: Declared, task_class: type[BaseOperator]) -> None:
    """Parameters are keyword-only, all are templates, and the class has a docstring."""
    name = task_class.__name__
    if not vars(task_class).get("__doc__"):
        fail(f"{name} has no docstring.")
    for parameter in _own_parameters(task_class):
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            fail(f"{name}: {parameter.name} must be keyword-only; Airflow passes parameters by name.")
        if parameter.name not in task_class.template_fields:
            fail(f"{name}: {parameter.name} must be a template field, for users to set it by a template.")


def a_dag_with_the_task_is_serialized(declared: Declared, task_class: type[BaseOperator]) -> None:
    """Airflow stores DAGs as JSON, and copies tasks; every parameter may be a template while a DAG is parsed."""
    serialized_objects: Any = import_module("airflow.serialization.serialized_objects")
    # An older Airflow has the class under the other name.
    serialization = getattr(serialized_objects, "DagSerialization", None) or serialized_objects.SerializedDAG
    try:
        with DAG("contract", schedule=None) as dag:
            task = _make(declared, task_class)
    except Exception as error:  # noqa: BLE001 - of the vendor's own class
        fail(f"{task_class.__name__} fails while a DAG is parsed whose parameters are templates: {error!r}.")
    try:
        stored = json.loads(json.dumps(serialization.to_dict(dag)))
        copied = copy.deepcopy(task)
    except Exception as error:  # noqa: BLE001 - of the vendor's own class
        fail(f"A DAG with {task_class.__name__} cannot be serialized or copied: {error!r}.")
    restored = serialization.from_dict(stored).get_task(task.task_id)
    for name in task_class.template_fields:
        if not hasattr(task, name):
            fail(f"{task_class.__name__}: __init__ sets no {name}, which is a template field.")
        if getattr(task, name) == _TEMPLATE != getattr(restored, name, None):
            fail(f"{task_class.__name__}: {name} is lost when a DAG is serialized.")
    if any(getattr(copied, name) != getattr(task, name) for name in task_class.template_fields):
        fail(f"{task_class.__name__}: a copy of it has other parameters.")


def a_deferred_wait_is_stored(declared: Declared, task_class: type[BatchSensor]) -> None:
    """The triggerer, another process, makes the trigger again from JSON."""
    sensor = _make(declared, task_class, value="a b", deferrable=True)
    state = show_state(BatchState("a b", "running", Outcome.RUNNING), Redactor([]).show)
    try:
        with mock.patch.object(task_class, "_read_state", return_value=state):
            sensor.poke({})
    except TaskDeferred as deferred:
        path, kwargs = deferred.trigger.serialize()
    except Exception as error:  # noqa: BLE001 - of the vendor's own class
        fail(f"{task_class.__name__} cannot be deferred: {error!r}.")
    else:
        fail(f"{task_class.__name__} is not deferred with deferrable=True.")
    if path != f"{BatchStatusTrigger.__module__}.BatchStatusTrigger":
        fail(f"{task_class.__name__} is deferred to {path}; waits share their polls in BatchStatusTrigger only.")
    again = BatchStatusTrigger(**json.loads(json.dumps(kwargs))).serialize()
    if again != (path, kwargs):
        fail(f"{task_class.__name__}: its trigger is not the same after it was stored.")
    scope = set(kwargs["scope"])
    if scope - set(task_class.kind.scope) or kwargs["batch_id"] not in {"a b", "*"}:
        fail(f"{task_class.__name__}: its trigger waits for {kwargs['batch_id']!r} of {kwargs['scope']}.")


def the_provider_info_describes_the_connection(declared: Declared) -> None:
    """Airflow takes it, draws the form that the vendor declares, and imports nothing of itself on the way."""
    if declared.provider_info is None:
        raise NotCheckedError("pass provider_info=get_provider_info")
    import jsonschema

    vendor, info = declared.vendor, declared.provider_info()
    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())
    if problems := [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(info)]:
        fail(f"The provider info is not as Airflow's schema says: {problems[0]}.")
    forms = {form["connection-type"]: form for form in info.get("connection-types", ())}
    if vendor.name not in forms:
        fail(f"The provider info has no connection type {vendor.name!r}; add connection_type(VENDOR).")
    expected, form = connection_type(vendor), forms[vendor.name]
    if form.get("hook-class-name") != vendor.hook:
        fail(f"The provider info names the hook {form.get('hook-class-name')!r}; the vendor names {vendor.hook!r}.")
    if missing := sorted(set(expected["conn-fields"]) - set(form.get("conn-fields", ()))):
        fail(f"The form of the connection has no field for {', '.join(missing)}.")
    _check_imports_no_airflow(declared.provider_info)


def _check_imports_no_airflow(provider_info: Any) -> None:
    module, name = provider_info.__module__, provider_info.__qualname__
    script = f"import sys; sys.modules['airflow'] = None; from {module} import {name}; {name}()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(  # noqa: S603 - the interpreter that runs the tests
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        last_line = done.stderr.strip().rpartition("\n")[2]
        fail(f"{module} must not import Airflow, which reads it while it is half imported itself: {last_line}.")


def _own_parameters(task_class: type) -> list[inspect.Parameter]:
    if "__init__" not in vars(task_class):
        return []
    _, *parameters = inspect.signature(task_class.__init__).parameters.values()  # type: ignore[misc]
    named = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY}
    return [parameter for parameter in parameters if parameter.kind in named]


def _make(declared: Declared, task_class: type[BaseOperator], value: str = _TEMPLATE, **facts: Any) -> Any:
    """Return a task, each of whose template fields and required parameters has a value."""
    parameters = [
        parameter
        for base in task_class.__mro__
        if base.__module__.partition(".")[0] != "airflow"
        for parameter in _own_parameters(base)
    ]
    fields = {*task_class.template_fields} if value == _TEMPLATE else set()
    given: dict[str, Any] = {
        parameter.name: value
        for parameter in parameters
        if parameter.default is inspect.Parameter.empty or parameter.name in fields
    }
    return task_class(task_id="contract", **given, **facts)
