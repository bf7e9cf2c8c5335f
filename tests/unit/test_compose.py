"""docker-compose.yaml can be run, and is what ``make test-cluster`` runs without a container engine."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster.compose import ENTRYPOINTS, FILE, ComposeError, Service, ports, read, services
from dev.cluster.native import ARGUMENTS
from dev.cluster.settings import EXAMPLE, settings, write
from dev.paths import ROOT

FREE = 40_000


@pytest.fixture(scope="module")
def values() -> dict[str, str]:
    return settings()


@pytest.fixture(scope="module")
def document(values: dict[str, str]) -> Any:
    return read(values)


@pytest.fixture(scope="module")
def native(document: Any) -> dict[str, Service]:
    numbers = iter(range(FREE, FREE + 1000))
    free = {name: {port: next(numbers) for port in own} for name, own in ports(document).items()}
    return services(document, free, Path("/run-of-its-own"))


def test_it_has_all_services_of_a_cluster(document: Any) -> None:
    assert set(document["services"]) == {
        *("postgres", "redis", "seaweedfs", "bucket", "sandbox", "migrate"),
        *("api-server", "scheduler", "dag-processor", "triggerer", "worker-1", "worker-2"),
    }


def test_every_service_is_run_by_a_program_of_this_machine(document: Any, native: dict[str, Service]) -> None:
    assert set(native) == set(document["services"])
    assert {service.image for service in native.values()} == set(ENTRYPOINTS)
    programs = {service.command[0] for service in native.values()}
    assert programs == {"airflow", "postgres", "redis-server", "weed", "sh", "python"}
    assert set(ARGUMENTS) <= set(native)


def test_an_image_that_no_program_stands_for_is_refused(document: Any) -> None:
    changed = {"services": {"kafka": {"image": "apache/kafka:4.1"}}}
    with pytest.raises(ComposeError, match="apache/kafka"):
        services(changed, {"kafka": {}}, ROOT)


def test_the_settings_of_the_services_are_those_of_the_file(document: Any, native: dict[str, Service]) -> None:
    for name, service in native.items():
        spec = document["services"][name].get("environment", {})
        assert set(service.environment) == set(spec)
        moved = {key for key in spec if service.environment[key] != spec[key]}
        assert all(re.search(r":\d{4}|^\d{4}$|/opt/airflow|/var/lib", spec[key]) for key in moved), moved
        assert service.depends_on.keys() == document["services"][name].get("depends_on", {}).keys()


def test_ports_are_free_ones_of_this_machine(native: dict[str, Service]) -> None:
    worker, seaweedfs, scheduler = native["worker-1"], native["seaweedfs"], native["scheduler"]
    s3 = seaweedfs.ports["8333"]
    assert (
        json.loads(worker.environment["AIRFLOW_CONN_AWS_DEFAULT"])["extra"]["endpoint_url"] == f"http://127.0.0.1:{s3}"
    )
    assert {f"-s3.port={s3}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"} <= set(seaweedfs.command)
    assert scheduler.health
    assert scheduler.health[-1] == f"http://127.0.0.1:{scheduler.ports['8974']}/health"
    assert worker.environment["AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT"] == "8974"


def test_folders_are_those_of_the_run(native: dict[str, Service]) -> None:
    environment = native["worker-2"].environment
    assert environment["AIRFLOW__CORE__DAGS_FOLDER"] == str(ROOT / "dags")
    assert environment["AIRFLOW__LOGGING__BASE_LOG_FOLDER"] == "/run-of-its-own/logs"
    assert "-dir=/run-of-its-own/seaweedfs" in native["seaweedfs"].command


def test_a_port_that_is_not_exposed_is_an_error(document: Any) -> None:
    spec = document["services"]["bucket"]
    wrong = {"services": {"bucket": {**spec, "command": ["weed shell -master=seaweedfs:9999"]}, "seaweedfs": {}}}
    with pytest.raises(ComposeError, match="seaweedfs:9999"):
        services({"services": {"bucket": wrong["services"]["bucket"]}}, {"bucket": {}, "seaweedfs": {}}, ROOT)


def test_every_lasting_service_has_a_health_check(document: Any) -> None:
    without = {name for name, service in document["services"].items() if "healthcheck" not in service}
    waited_for = {
        other
        for service in document["services"].values()
        for other, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    assert without == waited_for == {"migrate", "bucket"}


def test_the_workers_differ_by_name_alone(document: Any) -> None:
    one, two = (json.dumps(document["services"][name]) for name in ("worker-1", "worker-2"))
    assert one != two
    assert one.replace("worker-1", "worker-2") == two


def test_no_setting_has_a_default_in_the_file() -> None:
    used = re.findall(r"\$\{(\w+)([^}]*)\}", FILE.read_text())
    assert {rest for _, rest in used} == {":?make .env"}
    assert {name for name, _ in used} == set(settings())


@pytest.mark.parametrize("name", settings())
def test_it_does_not_start_without_a_setting(name: str, values: dict[str, str]) -> None:
    with pytest.raises(ComposeError, match=name):
        read(values | {name: ""})


def test_secrets_are_different_each_time() -> None:
    secrets = [line.rstrip("=") for line in EXAMPLE.read_text().splitlines() if line.endswith("=")]
    assert secrets == [
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "FERNET_KEY",
        "JWT_SECRET",
        "API_SECRET_KEY",
        "S3_SECRET_KEY",
    ]
    once, again = settings(), settings()
    assert all(len(once[name]) == 44 and once[name] != again[name] for name in secrets)


def test_only_the_owner_reads_the_settings(tmp_path: Path) -> None:
    write(tmp_path / ".env")
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write(tmp_path / ".env")


def test_nothing_is_open_to_other_machines_by_default(document: Any) -> None:
    published = [port for service in document["services"].values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:8080:8080"]


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")
def test_docker_compose_reads_the_file_as_the_native_twin_does(
    document: Any, values: dict[str, str], tmp_path: Path
) -> None:
    settings_file = tmp_path / ".env"
    settings_file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    command = ["docker-compose", "--env-file", str(settings_file), "--file", str(FILE), "config"]
    spec = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    read_by_compose = yaml.safe_load(spec)["services"]
    assert read_by_compose.keys() == document["services"].keys()
    for name, service in document["services"].items():
        for key in ("image", "entrypoint", "command", "environment", "depends_on"):
            assert read_by_compose[name].get(key) == service.get(key), (name, key)
        assert read_by_compose[name].get("healthcheck", {}).get("test") == service.get("healthcheck", {}).get("test")
