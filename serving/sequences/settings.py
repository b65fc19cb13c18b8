"""How sequences of a model are held: the flags, and what `--sequence_config_file` says for single models."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from serving import text_proto
from serving.errors import InvalidArgumentError
from serving.options import ServerOptions
from serving.protos import SequenceConfigs

DRAIN, CARRY, FAIL = "DRAIN", "CARRY", "FAIL"
ON_VERSION_CHANGE = (DRAIN, CARRY, FAIL)
SCAN_LATE_SECONDS = 60  # a scan comes this much too late at most


@dataclass(frozen=True)
class Settings:
    """Of one model. The flags are named likewise, some with `sequence_` before."""

    max_sequence_number: int = 500
    idle_sequence_cleanup: bool = True
    cleaner_poll_wait_minutes: int = 5
    idle_ttl_seconds: int = 0
    max_waiting: int = 32
    retain_ended_seconds: int = 60
    on_version_change: str = DRAIN
    drain_seconds: int = 600

    @property
    def gone_after_seconds(self) -> int:
        """After so long without a call the scans have found that a sequence is idle; 0: never."""
        scans = self.cleaner_poll_wait_minutes * 60 if self.idle_sequence_cleanup else 0
        if self.idle_ttl_seconds:
            return self.idle_ttl_seconds + (scans and scans + SCAN_LATE_SECONDS)
        return scans and 2 * scans + SCAN_LATE_SECONDS

    def check(self, where: str) -> None:
        """Raises INVALID_ARGUMENT for a value that cannot be; where: what said so."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and value < 0:
                raise InvalidArgumentError(f"{where}: {field.name} is {value}; expected 0 or more.")
        if self.on_version_change not in ON_VERSION_CHANGE:
            raise InvalidArgumentError(
                f"{where}: on_version_change is {self.on_version_change!r}; expected one of "
                f"{', '.join(ON_VERSION_CHANGE)}."
            )


class ModelSettings:
    """The settings of every model."""

    def __init__(self, options: ServerOptions) -> None:
        """Raises ServingError for values that cannot be, and for a file that does not read."""
        self._of_all = Settings(**{field.name: getattr(options, flag_of(field.name)) for field in fields(Settings)})
        self._of_all.check("sequence flags")
        self.memory_limit_bytes = options.sequence_memory_limit_bytes
        self._of_model: Mapping[str, Settings] = {}
        if options.sequence_config_file:
            self._of_model = self._read(options.sequence_config_file)

    def __getitem__(self, model: str) -> Settings:
        return self._of_model.get(model, self._of_all)

    def _read(self, path: str) -> dict[str, Settings]:
        found: dict[str, Settings] = {}
        for entry in text_proto.read(path, SequenceConfigs).sequence_config:
            name = entry.model_name
            if not name or name in found:
                raise InvalidArgumentError(
                    f"{path}: sequence_config has {'no model_name' if not name else f'{name} twice'}; expected one "
                    "entry for each model."
                )
            given: dict[str, Any] = {f.name: getattr(entry, f.name) for f in fields(Settings) if entry.HasField(f.name)}
            found[name] = replace(self._of_all, **given)
            found[name].check(f"{path}: {name}")
        return found


def flag_of(setting: str) -> str:
    """The name of the flag for a setting."""
    return setting if "sequence" in setting else f"sequence_{setting}"
