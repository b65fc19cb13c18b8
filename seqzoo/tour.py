"""The whole way in one command: train, log, export, serve, ask. `make run` is this."""

import signal
import sys
import time
import webbrowser
from contextlib import ExitStack
from types import FrameType

import click
import numpy as np

from seqzoo import ports, question, ui
from seqzoo.process import Companion
from training.errors import InputError
from training.home import default_repository, home
from training.pipeline import Trained, train
from training.tasks import weather as weather_task
from training.tasks.weather import WeatherTask
from training.tracking import store

MODEL = "weather"
QUESTIONS = 3  # days of the test year that are asked about
SERVER_SECONDS, UI_SECONDS = 60.0, 120.0
TOLERANCE = 1e-4


def tour(once: bool) -> None:
    """Trains, serves and asks `weather`; stays until Ctrl-C, or ends after the answers with `once`.

    Raises InputError when a part cannot be started or the two faces disagree."""
    _step(1, f"Training {MODEL}, a small LSTM, on the weather of Seattle (under a minute)")
    began = time.monotonic()
    trained = train(weather_task.RUN, default_repository(), say=click.echo)
    _show_errors(trained, time.monotonic() - began)

    _step(2, "Serving the exported SavedModel over gRPC and HTTP, and the MLflow UI")
    with ExitStack() as companions:
        for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell lets what it starts with & ignore it
            signal.signal(number, _end)
        grpc_port = ports.choose(8500, "gRPC", click.echo)
        rest_port = ports.choose(8501, "HTTP", click.echo)
        ui_port = ports.choose(5000, "the MLflow UI", click.echo)
        flags = [f"--port={grpc_port}", f"--rest_api_port={rest_port}", f"--model_name={MODEL}"]
        base = f"--model_base_path={default_repository() / MODEL}"
        server = companions.enter_context(
            Companion(
                "the model server", [sys.executable, "-m", "serving", *flags, base], home() / "logs" / "server.log"
            )
        )
        page = companions.enter_context(
            Companion("the MLflow UI", ui.command(store.uri(), "127.0.0.1", ui_port), home() / "logs" / "mlflow.log")
        )
        url = f"http://localhost:{rest_port}/v1/models/{MODEL}"
        server.wait_for(url, SERVER_SECONDS)

        _step(3, "Asking for days of 2015 that the model never saw, the same over gRPC and HTTP")
        task = weather_task.prepare(weather_task.RUN)
        _ask(task, f"localhost:{grpc_port}", f"{url}:predict")
        page.wait_for(f"http://127.0.0.1:{ui_port}/health", UI_SECONDS)

        click.echo(f"\n  gRPC       localhost:{grpc_port}")
        click.echo(f"  HTTP       {url}")
        click.echo(f"  MLflow UI  http://localhost:{ui_port}")
        click.echo(f"  files      {home()}\n\nAsk it yourself:\n")
        window = task.examples()["serving_default"]
        click.echo(question.curl_line(f"{url}:predict", window, last=3))
        if not once:
            click.echo("\nCtrl-C ends all of it.")
            if sys.stdout.isatty():
                webbrowser.open(f"http://localhost:{ui_port}")
            _stay()


def _step(number: int, text: str) -> None:
    click.echo(f"\n[{number}/3] {text}\n")


def _show_errors(trained: Trained, seconds: float) -> None:
    version = trained.version
    click.echo(f"\nTrained in {seconds:.0f} s; version {version.number}, run {version.run_id}, in {trained.folder}.")
    click.echo(f"Version {trained.champion.number} is the champion. Errors on all days of 2015:\n")
    click.echo(f"  {'':<14}{'highest':>9}{'lowest':>9}{'rain (Brier)':>15}")
    for name, figures in {f"{MODEL} (LSTM)": trained.test, **trained.baselines}.items():
        high, low, rain = (figures[key] for key in ("temp_max_mae", "temp_min_mae", "rain_brier"))
        click.echo(f"  {name:<14}{high:>7.2f} C{low:>7.2f} C{rain:>15.3f}")


def _ask(task: WeatherTask, address: str, url: str) -> None:
    days = task.split.test
    asked = days[np.linspace(0, len(days) - 1, QUESTIONS + 1, dtype=int)[1:]]
    click.echo(f"  {'day':<12}{'':<13}{'highest':>8}{'lowest':>9}{'rain':>7}")
    for day in asked:
        window = task.window_before(int(day))
        by_grpc, by_http = question.over_grpc(address, MODEL, window), question.over_http(url, window)
        for name, value in by_grpc.items():
            if not np.allclose(value, by_http[name], atol=TOLERANCE):
                raise InputError(f"gRPC answers {name} {value}, HTTP {by_http[name]}; the logs in {home()} say more.")
        for face, answer in (("gRPC", by_grpc), ("HTTP", by_http)):
            click.echo(
                _row(task.days.dates[day] if face == "gRPC" else "", f"over {face}", *_numbers(answer), percent=True)
            )
        was = float(task.days.temp_max[day]), float(task.days.temp_min[day]), float(task.days.rain[day])
        click.echo(_row("", "it was", *was, percent=False))


def _numbers(answer: question.Arrays) -> tuple[float, float, float]:
    high, low, rain = (float(answer[name][0]) for name in ("temp_max", "temp_min", "rain_probability"))
    return high, low, rain


def _row(day: object, label: str, high: float, low: float, rain: float, percent: bool) -> str:
    shown = f"{rain:.0%}" if percent else ("yes" if rain else "no")
    return f"  {day!s:<12}{label:<13}{high:>6.1f} C{low:>7.1f} C{shown:>7}"


def _stay() -> None:
    try:
        signal.pause()
    except KeyboardInterrupt:
        click.echo("\nEnding the server and the UI.")


def _end(signal_number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
