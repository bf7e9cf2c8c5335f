"""The grammar of an HTTP API: requests, endpoints, bodies, paging, parameters, errors, states.

Everything here is pure: no I/O, no Airflow, no HTTP library. An error is read into a value
(:class:`~.problem.Problem`, :class:`~.parameter.Violation`); the client maps it to the exception tree.

Values are frozen structs of msgspec and no dataclasses: every parse of a DAG defines them again, which takes 0.04 ms
for a struct and 1.4 ms for a frozen dataclass.
"""
