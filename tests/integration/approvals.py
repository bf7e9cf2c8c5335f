"""Gives the responses that a person gives in Airflow's UI, by the function behind its endpoint."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

OFTEN = 0.2
"""Seconds between two looks for questions: ``dag.test`` itself looks each second whether they were answered."""


class Person:
    """Who responds."""

    def get_id(self) -> str:
        return "1"

    def get_name(self) -> str:
        return "approver"


@contextmanager
def answering(option: str) -> Iterator[list[str]]:
    """Give a response to each question that comes, and return the subjects of the questions.

    :param option: ``Approve`` or ``Reject``
    """
    subjects: list[str] = []
    done = threading.Event()

    def answer() -> None:
        while not done.wait(OFTEN):
            subjects.extend(_answer_all(option))

    thread = threading.Thread(target=answer, name="person")
    thread.start()
    try:
        yield subjects
    finally:
        done.set()
        thread.join()


def _answer_all(option: str) -> list[str]:
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import select

    person: Any = Person()
    with create_session() as session:
        waiting = (
            select(HITLDetail, TaskInstance)
            .join(TaskInstance, HITLDetail.ti_id == TaskInstance.id)
            .where(HITLDetail.responded_at.is_(None), TaskInstance.state == TaskInstanceState.AWAITING_INPUT)
        )
        found = [(detail.subject, ti) for detail, ti in session.execute(waiting)]
        for _, ti in found:
            update_hitl_detail(
                dag_id=ti.dag_id,
                dag_run_id=ti.run_id,
                task_id=ti.task_id,
                update_hitl_detail_payload=UpdateHITLDetailPayload(chosen_options=[option]),
                user=person,
                session=session,
                map_index=ti.map_index,
            )
    return [subject for subject, _ in found]
