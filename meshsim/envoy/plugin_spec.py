"""A plugin as it is configured, and the keys that decide what plugins share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from meshsim.abi.context import Plugin
from meshsim.envoy.config.wasm import PluginConfig

#: What the configuration may call the one runtime that is modelled.
RUNTIMES = ("envoy.wasm.runtime.v8", "")
_DEFAULT_RELOAD_INTERVAL_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class PluginSpec:
    """A plugin's configuration, with what it names read: ``code`` is the module's bytes."""

    config: PluginConfig
    code: bytes
    environment: Mapping[str, str]
    plugin: Plugin
    vm_key: str
    vm_configuration: bytes
    vm_id: str
    runtime: str

    @classmethod
    def of(cls, config: PluginConfig, code: bytes, environment: Mapping[str, str]) -> PluginSpec:
        """Compute the keys that decide what is shared."""
        vm = config.vm_config
        vm_id = vm.vm_id if vm else ""
        vm_configuration = vm.configuration_bytes if vm else b""
        runtime = vm.runtime if vm else ""
        restrictions = json.dumps(sorted(config.allowed_capabilities))
        variables = json.dumps(sorted(environment.items()))
        rest = json.dumps(config.model_dump(mode="json", exclude={"vm_config", "configuration"}), sort_keys=True)
        typed = (config.configuration.message, config.configuration.content) if config.configuration else ()
        vm_key = _digest(vm_id, vm_configuration, _digest_of_code(code), variables, runtime, restrictions)
        plugin = Plugin(
            config.name,
            config.root_id,
            vm_id,
            key=_digest(vm_key, rest, *typed),
            configuration=config.configuration_bytes,
            fail_open=config.fail_open,
            allow_stop_iteration=bool(config.allow_on_headers_stop_iteration),
        )
        return cls(config, code, environment, plugin, vm_key, vm_configuration, vm_id, runtime)

    @property
    def capabilities(self) -> frozenset[str] | None:
        """Names of what the module may have; None when all is allowed."""
        return frozenset(self.config.allowed_capabilities) or None

    @property
    def fails_open(self) -> bool:
        """Whether later streams do without a failed plugin."""
        return self.config.fail_open or self.config.failure_policy == "FAIL_OPEN"

    @property
    def reload_interval_ns(self) -> int | None:
        """The least time between two attempts to make a crashed VM anew; None when that is not wanted."""
        if self.config.failure_policy != "FAIL_RELOAD":
            return None
        backoff = self.config.reload_config.backoff if self.config.reload_config else None
        return backoff.base_interval if backoff and backoff.base_interval else _DEFAULT_RELOAD_INTERVAL_NS


def _digest(*parts: str | bytes) -> str:
    hasher = sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        hasher.update(len(data).to_bytes(8, "little") + data)
    return hasher.hexdigest().upper()


@lru_cache(maxsize=16)
def _digest_of_code(code: bytes) -> bytes:
    """Many Envoys of a mesh run the same modules of megabytes; the digest of each is wanted for every plugin."""
    return sha256(code).digest()
