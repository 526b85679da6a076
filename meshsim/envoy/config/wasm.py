"""The Wasm filter, its plugin and its VM: ``envoy.extensions.wasm.v3``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from meshsim.envoy.config.base import Message, TypedValue
from meshsim.envoy.config.core import AsyncDataSource, BackoffStrategy

FailurePolicy = Literal["UNSPECIFIED", "FAIL_RELOAD", "FAIL_CLOSED", "FAIL_OPEN"]


class EnvironmentVariables(Message):
    """What the module sees as its environment."""

    proto = "envoy.extensions.wasm.v3.EnvironmentVariables"
    host_env_keys: tuple[str, ...] = ()
    key_values: dict[str, str] = Field(default_factory=dict)


class SanitizationConfig(Message):
    """Has no fields."""

    proto = "envoy.extensions.wasm.v3.SanitizationConfig"


class CapabilityRestrictionConfig(Message):
    """Which host functions and callbacks a module may use; empty means all."""

    proto = "envoy.extensions.wasm.v3.CapabilityRestrictionConfig"
    allowed_capabilities: dict[str, SanitizationConfig] = Field(default_factory=dict)


class VmConfig(Message):
    """What decides whether two plugins share a VM."""

    proto = "envoy.extensions.wasm.v3.VmConfig"
    vm_id: str = ""
    runtime: str = ""
    code: AsyncDataSource | None = None
    configuration: TypedValue | None = None
    allow_precompiled: bool = False
    nack_on_code_cache_miss: bool = False
    environment_variables: EnvironmentVariables | None = None
    capability_restriction_config: CapabilityRestrictionConfig | None = None

    @property
    def configuration_bytes(self) -> bytes:
        """What ``proxy_on_vm_start`` can read."""
        return self.configuration.content if self.configuration else b""

    def environment(self, host: Mapping[str, str]) -> dict[str, str]:
        """Return what the module sees as its environment.

        Parameters
        ----------
        host : mapping of str to str
            The environment of Envoy itself; keys that it lacks are left out.
        """
        variables = self.environment_variables
        if variables is None:
            return {}
        inherited = {key: host[key] for key in variables.host_env_keys if key in host}
        return inherited | variables.key_values


class ReloadConfig(Message):
    """How long to wait before a crashed VM is made anew."""

    proto = "envoy.extensions.wasm.v3.ReloadConfig"
    backoff: BackoffStrategy | None = None


class PluginConfig(Message):
    """One use of a module."""

    proto = "envoy.extensions.wasm.v3.PluginConfig"
    name: str = ""
    root_id: str = ""
    vm_config: VmConfig | None = None
    configuration: TypedValue | None = None
    fail_open: bool = False
    failure_policy: FailurePolicy = "UNSPECIFIED"
    reload_config: ReloadConfig | None = None
    capability_restriction_config: CapabilityRestrictionConfig | None = None
    allow_on_headers_stop_iteration: bool | None = None

    @property
    def allowed_capabilities(self) -> Mapping[str, SanitizationConfig]:
        """Which host functions and callbacks the module may use; empty: all. What the VM says counts, even nothing."""
        of_vm = self.vm_config.capability_restriction_config if self.vm_config else None
        restriction = self.capability_restriction_config if of_vm is None else of_vm
        return restriction.allowed_capabilities if restriction else {}

    @property
    def configuration_bytes(self) -> bytes:
        """What ``proxy_on_configure`` can read."""
        return self.configuration.content if self.configuration else b""


class Wasm(Message):
    """The HTTP filter ``envoy.filters.http.wasm``."""

    proto = "envoy.extensions.filters.http.wasm.v3.Wasm"
    config: PluginConfig = PluginConfig()
