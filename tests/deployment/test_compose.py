"""docker-compose.yml without an engine: against the specification, against itself, and its commands run natively."""

import http.server
import re
import shlex
import subprocess
import sys
import threading

import pytest
import yaml
from compose_spec import PyCompose
from sqlalchemy import make_url

from seqzoo.command import cli
from tests.deployment.reading import ROOT, compose, dockerfile, variables

COMPOSE = compose()
SERVICES = COMPOSE["services"]
OURS = ("mlflow", "trainer", "server", "trainer-gpu", "server-gpu")
STATUS_CHECKS = ("server", "server-gpu", "tf-serving")


class Status(http.server.BaseHTTPRequestHandler):
    """Answers a model's status route, or MLflow's health route, with the code of the test."""

    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(self.server.code)
        self.end_headers()
        self.wfile.write(b'{"model_version_status": [{"version": "1", "state": "AVAILABLE"}]}')

    def log_message(self, *_):
        pass


@pytest.fixture
def answering():
    """Starts servers that answer with a status code."""
    running = []

    def start(code):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Status)
        server.code, server.asked = code, []
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def run_check(test, port):
    """Runs a health check natively, on another port than a container's."""
    assert test[0] == "CMD"
    command = [
        sys.executable if word == "python" else word.replace("8501", port).replace("5000", port) for word in test[1:]
    ]
    return subprocess.run(command, capture_output=True, timeout=30).returncode


def depends_on(service):
    return SERVICES[service].get("depends_on", {})


def host_ports(service, environment=()):
    return [port.split(":") for port in compose(environment)["services"][service].get("ports", [])]


def test_it_keeps_the_compose_specification():
    parsed = PyCompose.from_yaml(yaml.safe_dump(COMPOSE))
    parsed.validate()
    assert sorted(parsed.service_names()) == sorted(SERVICES)


@pytest.mark.parametrize(
    "wrong",
    [
        {"services": {"server": {"image": "seqzoo", "port": ["8501:8501"]}}},
        {"services": {"server": {"image": "seqzoo", "depends_on": {"trainer": {"condition": "service_done"}}}}},
        {
            "services": {
                "server": {"image": "seqzoo", "healthcheck": {"test": ["CMD", "true"], "interval": "5 parsecs"}}
            }
        },
    ],
)
def test_the_check_against_the_specification_finds_a_mistake(wrong):
    with pytest.raises(ValueError, match=r"services\.server"):
        PyCompose.from_yaml(yaml.safe_dump(wrong))


def test_every_fragment_is_used():
    text = (ROOT / "docker-compose.yml").read_text()
    for anchor in re.findall(r": &([\w-]+)$", text, re.MULTILINE):
        assert re.search(rf"\*{anchor}\b", text), anchor


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_waits_for_services_that_can_reach_the_state_it_waits_for(service):
    for name, wait in depends_on(service).items():
        other = SERVICES[name]
        check = other.get("healthcheck", {})
        if wait["condition"] == "service_healthy":
            assert check["test"]
        if wait["condition"] == "service_completed_successfully":
            assert other.get("restart", "no") == "no", f"{name} is started again when it has ended"
            assert check == {"disable": True}


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_waits_for_runs_under_the_same_profiles(service):
    for name in depends_on(service):
        assert set(SERVICES[name].get("profiles", [])) <= set(SERVICES[service].get("profiles", []))


def test_the_servers_wait_for_a_training_that_has_succeeded():
    succeeded = {"condition": "service_completed_successfully"}
    assert depends_on("server") == depends_on("tf-serving") == {"trainer": succeeded}
    assert depends_on("server-gpu") == {"trainer-gpu": succeeded}


def test_nothing_waits_for_itself():
    def before(service):
        return {name for each in depends_on(service) for name in (each, *before(each))}

    for service in SERVICES:
        assert service not in before(service)


def test_without_a_profile_run_all_but_the_stock_server_and_the_gpu():
    profiles = {service: SERVICES[service].get("profiles") for service in SERVICES}
    assert profiles == {
        **dict.fromkeys(["database", "mlflow", "trainer", "server"]),
        "tf-serving": ["tf-serving"],
        "trainer-gpu": ["gpu"],
        "server-gpu": ["gpu"],
    }


def test_no_two_services_want_one_port_of_the_host_even_with_all_profiles():
    ports = [port for service in SERVICES for _, port, _ in host_ports(service)]
    assert len(ports) == len(set(ports))
    assert {port for _, port, _ in host_ports("server")} == {"8500", "8501"}


def test_the_servers_are_reached_on_the_ports_of_tensorflow_serving():
    for service in STATUS_CHECKS:
        assert [inside for _, _, inside in host_ports(service)] == ["8500", "8501"]


def test_ports_are_opened_to_this_machine_alone_unless_told_otherwise():
    for service in SERVICES:
        assert {address for address, _, _ in host_ports(service)} <= {"127.0.0.1"}
        assert {address for address, _, _ in host_ports(service, {"BIND_ADDRESS": "0.0.0.0"})} <= {"0.0.0.0"}
    assert host_ports("database") == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_volume_is_declared_and_every_declared_one_is_used(service):
    mounted = {volume.split(":")[0] for each in SERVICES.values() for volume in each.get("volumes", [])}
    assert mounted == set(COMPOSE["volumes"])


def test_only_trainings_write_to_the_model_repository():
    mode = {
        name: volume.split(":")[1:]
        for name, service in SERVICES.items()
        for volume in service.get("volumes", [])
        if volume.startswith("models:")
    }
    writing, reading = ["/models"], ["/models", "ro"]
    assert mode == {
        "trainer": writing,
        "trainer-gpu": writing,
        "server": reading,
        "server-gpu": reading,
        "tf-serving": reading,
    }


def test_our_volumes_lie_where_the_image_gives_them_to_its_user():
    made = next(
        each.arguments for each in dockerfile() if each.keyword == "RUN" and "install --directory" in each.arguments
    )
    for service in OURS:
        for volume in SERVICES[service]["volumes"]:
            assert volume.split(":")[1] in made.split()


def test_all_of_ours_are_built_from_this_folder_with_extras_that_the_project_has(extras):
    for service in OURS:
        build = SERVICES[service]["build"]
        assert build["context"] == "."
        assert set(build["args"]["EXTRAS"].split(",")) <= extras
    assert {name for name in OURS if SERVICES[name]["image"] == "seqzoo:gpu"} == {"trainer-gpu", "server-gpu"}


def test_the_gpu_profile_reserves_a_gpu_for_training_and_serving():
    for service in ("trainer-gpu", "server-gpu"):
        (device,) = SERVICES[service]["deploy"]["resources"]["reservations"]["devices"]
        assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
        assert SERVICES[service]["build"]["args"]["EXTRAS"] == "gpu"


def test_the_password_is_the_users_the_same_on_both_sides_and_in_no_command_or_address():
    filled = compose({"POSTGRES_PASSWORD": "p@ss/w:rd%"})["services"]
    assert filled["database"]["environment"]["POSTGRES_PASSWORD"] == "p@ss/w:rd%"
    assert filled["mlflow"]["environment"].pop("PGPASSWORD") == "p@ss/w:rd%"
    del filled["database"]["environment"]
    assert "p@ss" not in str(filled)


def test_mlflow_asks_the_database_that_is_made_by_a_driver_that_is_installed(project):
    address = make_url(SERVICES["mlflow"]["environment"]["MLFLOW_BACKEND_STORE_URI"])
    made = SERVICES["database"]["environment"]
    assert (address.host, address.port) == ("database", 5432)
    assert (address.username, address.database) == (made["POSTGRES_USER"], made["POSTGRES_DB"])
    (driver,) = project["optional-dependencies"]["postgres"]
    assert driver.startswith(f"{address.get_driver_name()}[binary]")


def test_a_variable_has_one_default_wherever_it_stands():
    for name, defaults in variables().items():
        assert len(defaults) == 1, name
        assert None not in defaults, name


def test_trainings_log_to_the_mlflow_server_by_a_name_that_it_lets_in():
    from mlflow.server.security_utils import is_allowed_host_header

    (flag,) = [word for word in SERVICES["mlflow"]["command"] if word.startswith("--allowed-hosts=")]
    allowed = flag.removeprefix("--allowed-hosts=").split(",")
    for service in ("trainer", "trainer-gpu"):
        host = SERVICES[service]["environment"]["MLFLOW_TRACKING_URI"].removeprefix("http://")
        assert host.split(":")[0] in SERVICES
        assert is_allowed_host_header(allowed, host)
    assert is_allowed_host_header(allowed, "localhost:5000")
    assert not is_allowed_host_header(allowed, "evil.example:5000")


def test_mlflow_knows_every_option_of_its_command():
    from mlflow.cli import cli as mlflow_cli

    assert SERVICES["mlflow"]["entrypoint"] == ["mlflow", "server"]
    parsed = mlflow_cli.commands["server"].make_context("server", list(SERVICES["mlflow"]["command"])).params
    assert parsed["serve_artifacts"] is True
    assert parsed["artifacts_destination"] == "/mlflow/artifacts"
    assert parsed["port"] == 5000


@pytest.mark.parametrize("service", ["trainer", "trainer-gpu"])
def test_our_command_knows_every_option_of_a_training(service):
    assert SERVICES[service]["entrypoint"] == ["seqzoo"]
    command, *arguments = SERVICES[service]["command"]
    parsed = cli.commands[command].make_context(command, arguments).params
    assert parsed["name"] == "weather"
    assert str(parsed["repository"]) == "/models"


@pytest.mark.parametrize("service", STATUS_CHECKS)
def test_a_server_is_healthy_when_the_status_of_its_model_is_answered(service, answering):
    test = SERVICES[service]["healthcheck"]["test"]
    server = answering(200)
    assert run_check(test, str(server.server_port)) == 0
    assert server.asked == [f"/v1/models/{SERVICES[service]['environment']['MODEL_NAME']}"]


@pytest.mark.parametrize("service", [*STATUS_CHECKS, "mlflow"])
def test_a_server_that_answers_an_error_or_not_at_all_is_not_healthy(service, answering):
    test = SERVICES[service]["healthcheck"]["test"]
    server = answering(404)
    assert run_check(test, str(server.server_port)) != 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Status) as closed:
        port = closed.server_port
    assert run_check(test, str(port)) != 0


def test_mlflow_is_healthy_when_its_health_is_answered(answering):
    server = answering(200)
    assert run_check(SERVICES["mlflow"]["healthcheck"]["test"], str(server.server_port)) == 0
    assert server.asked == ["/health"]


def test_the_page_about_docker_names_every_service_profile_and_variable():
    page = (ROOT / "docs" / "docker.md").read_text()
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", [])}
    for name in (*SERVICES, *profiles, *variables(), *COMPOSE["volumes"]):
        assert f"`{name}`" in page, name
    for name, (default,) in variables().items():
        assert f"| `{name}` | `{default}` |" in page, name


def test_the_commands_of_the_page_name_services_that_are_there():
    commands = re.findall(r"^docker compose .*", (ROOT / "docs" / "docker.md").read_text(), re.MULTILINE)
    assert len(commands) > 3
    for command in commands:
        words = [word for word in shlex.split(command, comments=True)[2:] if not word.startswith("-")]
        assert words[0] in ("up", "run", "logs", "down", "build"), command
        assert set(words[1:2]) <= set(SERVICES), command
