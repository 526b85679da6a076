"""What a configuration takes from outside, read before the model starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from meshsim.envoy.config.core import DataSource
from meshsim.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Sources:
    """Files and environment variables that a configuration names.

    Attributes
    ----------
    files : mapping of str to bytes
        By the name in the configuration; a file that is not there is not in it.
    environment : mapping of str to str
        Only what the configuration names.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def joined(self, other: Sources) -> Sources:
        """Return all of two."""
        return Sources({**self.files, **other.files}, {**self.environment, **other.environment})

    def bytes_of(self, source: DataSource | None) -> bytes:
        """Return the bytes of a data source; none for no source.

        Raises
        ------
        ConfigError
            The file or variable was not there when the configuration was loaded.
        """
        if source is None:
            return b""
        if source.inline is not None:
            return source.inline
        if source.filename is not None and source.filename in self.files:
            return self.files[source.filename]
        if source.environment_variable is not None and source.environment_variable in self.environment:
            return self.environment[source.environment_variable].encode()
        missing = source.filename or source.environment_variable or "nothing named"
        raise ConfigError(f"cannot read {missing}", remedy="check the name, and where the bootstrap is")
