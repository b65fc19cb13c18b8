"""What `seqzoo serve` starts the server with; the weights that come along need no training before."""

from collections.abc import Sequence
from pathlib import Path

from seqzoo import quiet
from training.errors import InputError
from training.home import default_repository, home


def arguments(given: Sequence[str]) -> list[str]:
    """The server's flags: those given as they are; names of the zoo, or none, become a model configuration file.

    A model that the repository does not hold yet is put there. Raises UnknownModelError for a name that neither the
    repository nor the zoo has, InputError when there are no weights of it, or no name and nothing to serve."""
    names = [g for g in given if not g.startswith("-")]
    flags = [g for g in given if g.startswith("-")]
    if any(flag.startswith(("--model_base_path=", "--model_config_file=", "--help", "--version")) for flag in flags):
        return list(given)
    repository = default_repository()
    there = sorted(f.name for f in repository.iterdir() if f.is_dir()) if repository.is_dir() else []
    _put(repository, [name for name in names if name not in there])
    if not (names or there):
        raise InputError(
            f"{repository} holds no model yet; `seqzoo train weather` makes one, `seqzoo serve weather` serves the "
            "weights that come along."
        )
    rest = [] if any(flag.startswith("--rest_api_port") for flag in flags) else ["--rest_api_port=8501"]
    return [*flags, *rest, f"--model_config_file={_config(repository, names or there)}"]


def _put(repository: Path, names: Sequence[str]) -> None:
    if names:
        quiet.import_tensorflow()
        from training.export.command import export

        for name in names:
            export(name, repository)


def _config(repository: Path, names: Sequence[str]) -> Path:
    entries = "".join(
        f'  config {{ name: "{name}" base_path: "{repository / name}" model_platform: "tensorflow" }}\n'
        for name in names
    )
    path = home() / "models.config"
    writing = path.with_suffix(".writing")
    writing.write_text(f"model_config_list {{\n{entries}}}\n")
    writing.replace(path)
    return path
