"""Finds and reads the MetaGraph of a version's folder. In TensorFlow: cc/saved_model/reader.cc."""

import os
from collections.abc import Collection
from typing import Any

from google.protobuf import message, text_format
from tensorflow.core.protobuf import saved_model_pb2

from serving.errors import DataLossError, NotFoundError, ServingError, UnimplementedError, from_os

MAIN_FILES = ("saved_model.pb", "saved_model.pbtxt")


def check_folder(name: str, version: int, folder: str) -> None:
    """Raises the file system's error when the version is no folder, or cannot be read."""
    try:
        os.scandir(folder).close()
    except OSError as error:
        reason = from_os(error, folder)
        raise ServingError(
            f"Error while attempting to reserve resources to load servable {{name: {name} version: {version}}}: "
            f"{reason.message}",
            reason.code,
        ) from error


def read_meta_graph(folder: str, tags: Collection[str]) -> Any:
    """The MetaGraphDef with exactly these tags.

    Raises NOT_FOUND without a SavedModel or without such a MetaGraph, DATA_LOSS when the file does not parse."""
    if os.path.exists(os.path.join(folder, "export.meta")):
        raise UnimplementedError("Session Bundle is deprecated and removed.")
    for meta_graph in _read(folder).meta_graphs:
        if set(meta_graph.meta_info_def.tags) == set(tags):
            return meta_graph
    raise NotFoundError(
        f"Could not find meta graph def matching supplied tags: {{ {' '.join(sorted(tags))} }}. To inspect available "
        "tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`"
    )


def _read(folder: str) -> Any:
    for name in MAIN_FILES:
        path = os.path.join(folder, name)
        try:
            with open(path, "rb") as file:
                content = file.read()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise from_os(error, path) from error
        try:
            if name.endswith(".pbtxt"):
                return text_format.Parse(content.decode(), saved_model_pb2.SavedModel())
            return saved_model_pb2.SavedModel.FromString(content)
        except (message.DecodeError, text_format.ParseError, UnicodeDecodeError) as error:
            kind = "text" if name.endswith(".pbtxt") else "binary"
            raise DataLossError(f"Can't parse {path} as {kind} proto") from error
    raise NotFoundError(
        "Specified file path does not appear to contain a SavedModel bundle (should have a file called "
        f"`saved_model.pb`)\nSpecified file path: {folder}"
    )
