"""The command `seqzoo`: what it can be asked to do. TensorFlow and MLflow are imported by the part that needs them."""

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import click

from seqzoo import quiet
from seqzoo.errors import OneLineErrors

REPOSITORY = click.option(
    "--repository",
    type=click.Path(file_okay=False, path_type=Path),
    help="Model repository [SEQZOO_HOME/repository].",
)
DATA = click.option(
    "--data", type=click.Path(path_type=Path), help="Your own file in place of the data set of the zoo's table."
)
ROOTS = click.option("--roots", help="PEM file of who may have signed the server's certificate [the usual ones].")
TOKEN = click.option("--token", envvar="SEQZOO_TOKEN", help="For a server that asks for one [variable SEQZOO_TOKEN].")


def _served(command: Callable[..., None]) -> Callable[..., None]:
    """The options of commands that ask a server."""
    where = "http(s)://host:port, or grpc(s)://host:port."
    for option in (
        ROOTS,
        TOKEN,
        click.option("--timeout", default=30.0, show_default=True, help="Seconds to wait."),
        click.option("--url", default="http://localhost:8501", show_default=True, help=where),
    ):
        command = option(command)
    return command


@click.group(cls=OneLineErrors)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="seqzoo")
def cli(debug: bool) -> None:
    """Recurrent sequence models: train, log, export, serve and ask them."""


@cli.command("list")
def list_models() -> None:
    """Show the models of the zoo: figures beside goals and published ones."""
    quiet.import_tensorflow()
    from seqzoo.listing import table

    for line in table():
        click.echo(line)


@cli.command()
@click.argument("name")
def info(name: str) -> None:
    """Show the card of a model, with the figures of the weights that come along."""
    quiet.import_tensorflow()
    from seqzoo.listing import info as card_of

    click.echo(card_of(name))


@cli.command()
@click.argument("name")
@click.option("--seed", type=int, help="Of every random choice [0].")
@click.option(
    "--set", "settings", multiple=True, metavar="SETTING=VALUE", help="Any setting of the run or the network."
)
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Begin no epoch that would end later.")
@click.option("--resume", is_flag=True, help="Go on with the newest training that was interrupted.")
@click.option(
    "--strategy",
    type=click.Choice(["mirrored", "multi-worker"]),
    help="Share each batch among this machine's GPUs, or the workers of the variable TF_CONFIG.",
)
@click.option("--mixed-precision", is_flag=True, help="Train in bfloat16 where it does; float32 is exported.")
@click.option("--jit-compile/--no-jit-compile", default=None, help="Let XLA compile the training step [as Keras does].")
@DATA
@REPOSITORY
def train(
    name: str,
    seed: int | None,
    settings: tuple[str, ...],
    minutes: float | None,
    resume: bool,
    strategy: Literal["mirrored", "multi-worker"] | None,
    mixed_precision: bool,
    jit_compile: bool | None,
    data: Path | None,
    repository: Path | None,
) -> None:
    """Train a model, log the run, register the version and export it."""
    quiet.import_tensorflow()
    from training.distribution import WorkerLostError, join
    from training.errors import InputError
    from training.figures import shown
    from training.fitting import TrainingInterruptedError
    from training.home import default_repository
    from training.pipeline import follow
    from training.pipeline import train as run_pipeline
    from training.run import with_settings
    from training.tasks.table import task_module

    texts = dict(_setting(text) for text in settings)
    if seed is not None:
        texts["seed"] = str(seed)
    if mixed_precision:
        texts["precision"] = "mixed_bfloat16"
    if jit_compile is not None:
        texts["jit_compile"] = "yes" if jit_compile else "no"
    run = with_settings(task_module(name).RUN, texts)
    team = join(strategy) if strategy else None
    again = f"`seqzoo train {name}{f' --strategy {strategy}' if strategy else ''} --resume`"
    try:
        if team is not None and not team.chief:
            follow(run, team, data, resume, click.echo, minutes)
            return
        trained = run_pipeline(run, repository or default_repository(), data, resume, click.echo, minutes, team)
    except WorkerLostError as lost:
        raise InputError(f"{lost}; {again} on every worker goes on from the last finished epoch.") from lost
    except TrainingInterruptedError as stopped:
        click.echo(f"{stopped}; {again} goes on from the last finished epoch.", err=True)
        sys.exit(128 + stopped.signal_number)
    except FloatingPointError as error:
        raise InputError(str(error)) from error
    for contender, figures in {name: trained.test, **trained.baselines}.items():
        for metric, value in figures.items():
            click.echo(f"{contender} test_{metric} {shown(value)}")
    click.echo(f"{name} version {trained.version.number} lies in {trained.folder}")
    click.echo(f"champion is version {trained.champion.number}")


def _setting(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise click.BadParameter(f"{text!r} is no SETTING=VALUE", param_hint="--set")
    return name, value


@cli.command()
@click.argument("name")
@click.option("--version", type=int, help="A version's number [the highest].")
@click.option("--endpoint", metavar="URL", help="A server to be asked, http(s)://host:port or grpc(s)://host:port.")
@TOKEN
@ROOTS
@DATA
@REPOSITORY
def evaluate(
    name: str,
    version: int | None,
    endpoint: str | None,
    token: str | None,
    roots: str | None,
    data: Path | None,
    repository: Path | None,
) -> None:
    """Show the test figures of an exported version or a server, with intervals, and of the plain guesses."""
    quiet.import_tensorflow()
    from seqzoo.evaluate import evaluate as lines_of

    for line in lines_of(name, version, data, repository, endpoint, token, roots):
        click.echo(line)


@cli.command()
@click.argument("name")
@click.option("--version", type=int, help="A registered version's number [the champion].")
@click.option("--repository", required=True, type=click.Path(file_okay=False, path_type=Path), help="Model repository.")
def export(name: str, version: int | None, repository: Path) -> None:
    """Put a model's champion, or the weights that come along, into a model repository."""
    quiet.import_tensorflow()
    from training.export.command import export as run_export

    click.echo(run_export(name, repository.absolute(), version))


@cli.command()
@click.argument("name")
@click.option("--cells", default="vanilla,lstm,gru", show_default=True, help="The recurrences, with commas between.")
@click.option("--seeds", default="0", show_default=True, help="Trainings of each, with commas between.")
@click.option("--set", "settings", multiple=True, metavar="SETTING=VALUE", help="Any other setting, the same for all.")
def compare(name: str, cells: str, seeds: str, settings: tuple[str, ...]) -> None:
    """Train a model with each recurrence: same task, data and number of parameters, nested MLflow runs."""
    quiet.import_tensorflow()
    from seqzoo.compare import compare as lines_of

    for line in lines_of(name, cells, seeds, dict(_setting(text) for text in settings), click.echo):
        click.echo(line)


@cli.command()
@click.argument("name")
@click.option("--trials", default=20, show_default=True, help="How many to add to the study.")
@click.option("--seed", default=0, show_default=True, help="Of the suggestions.")
@click.option("--set", "settings", multiple=True, metavar="SETTING=VALUE", help="A setting that stays as it is.")
def tune(name: str, trials: int, seed: int, settings: tuple[str, ...]) -> None:
    """Search for better settings by the validation figure; goes on with the study of an earlier call."""
    quiet.import_tensorflow()
    from training.zoo.tuning import tune as run_tuning

    found = run_tuning(name, trials, dict(_setting(text) for text in settings), seed, click.echo)
    options = " ".join(f"--set {key}={value}" for key, value in found.settings.items())
    click.echo(f"best of {found.trials} trials ({found.pruned} stopped early): {found.value:.4f}")
    click.echo(f"seqzoo train {name} {options}")


@cli.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
@click.pass_context
def serve(ctx: click.Context) -> None:
    """Serve models over gRPC and HTTP; names of the zoo, or the server's own flags."""
    from seqzoo.serve import arguments

    command = [sys.executable, "-m", "serving", *arguments(ctx.args)]
    os.execv(sys.executable, command)


@cli.command()
@click.argument("name")
@click.option("--inputs", help="JSON object of the signature's inputs, or @FILE [the task's own example].")
@click.option("--signature", default="serving_default", show_default=True)
@click.option(
    "--stream", is_flag=True, help="Show the text that follows --inputs '{\"prompt\": ...}' as it is written."
)
@_served
def ask(
    name: str,
    inputs: str | None,
    signature: str,
    stream: bool,
    url: str,
    timeout: float,
    token: str | None,
    roots: str | None,
) -> None:
    """Ask a served model, over HTTP or gRPC."""
    quiet.import_tensorflow()
    from seqzoo.ask import ask as run_ask
    from seqzoo.text import stream as run_stream

    if stream:
        for piece in run_stream(name, inputs, url, timeout, token, roots):
            click.echo(piece, nl=False)
        click.echo()
        return
    click.echo(json.dumps(run_ask(name, inputs, signature, url, timeout, token=token, roots=roots), ensure_ascii=False))


@cli.command()
@click.argument("name")
@click.option("--max-tokens", default=300, show_default=True, help="Of one turn of the model.")
@click.option("--temperature", default=0.7, show_default=True, help="0: always the most likely token.")
@click.option("--top-k", default=0, show_default=True, help="Of so many tokens; 0: of all.")
@click.option("--seed", type=int, help="The same seed gives the same text [by chance].")
@click.option("--stop", multiple=True, help="Ends a turn of the model [an empty line].")
@_served
def chat(
    name: str,
    max_tokens: int,
    temperature: float,
    top_k: int,
    seed: int | None,
    stop: tuple[str, ...],
    url: str,
    timeout: float,
    token: str | None,
    roots: str | None,
) -> None:
    """Write by turns with a served model of text, until the end of the input (Ctrl-D)."""
    quiet.import_tensorflow()
    from seqzoo.ask import connect
    from seqzoo.text import chat as run_chat

    with connect(url, timeout, token, roots) as client:
        how = {"max_tokens": max_tokens, "temperature": temperature, "top_k": top_k, "seed": seed}
        write = partial(click.echo, nl=False)
        run_chat(client, name, partial(input, "> "), write, stop=stop or ("\n\n",), **how)


@cli.command()
@click.option("--port", default=5000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
def ui(port: int, host: str) -> None:
    """Open the MLflow experiment UI on the store of this project."""
    from seqzoo.ui import command
    from training.tracking import store

    store.connect()
    os.execv(sys.executable, command(store.uri(), host, port))


@cli.command()
@click.option("--once", is_flag=True, help="End after the answers.")
def tour(once: bool) -> None:
    """Go the whole way: train weather, log it, export it, serve it, ask it (this is `make run`)."""
    quiet.import_tensorflow()
    from seqzoo.tour import tour as run_tour

    run_tour(once)


def main(prefix: list[str] | None = None) -> None:
    """Entry point; prefix goes before the arguments of the process."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `seqzoo list | head` ends quietly
    cli(args=[*(prefix or []), *sys.argv[1:]], prog_name="seqzoo")


if __name__ == "__main__":
    main()
