"""Log, time, configuration, contexts, and what Envoy offers beside the ABI."""

from __future__ import annotations

from collections.abc import Sequence

from meshsim.abi.constants import BufferType, LogLevel, Status
from meshsim.abi.dns import encode_addresses
from meshsim.abi.hostcalls.base import OK, HostCallsBase, guest_text

_LEVELS = tuple(LogLevel)


class SystemCalls(HostCallsBase):
    """Host functions that need no stream."""

    # -- logging, time, configuration ---

    def proxy_log(self, level: int, message: int, size: int) -> int:
        """Write a log line."""
        if level >= len(_LEVELS):
            return Status.BAD_ARGUMENT
        text = guest_text(self._read(message, size))
        self._wasm.keep_log(size)
        self._host.log(_LEVELS[level], f"wasm log{self._wasm.acting.log_prefix}: {text}")
        return OK

    def proxy_get_log_level(self, level_out: int) -> int:
        """Give the least level that the host keeps."""
        self._write_u32(level_out, self._host.log_level)
        return OK

    def proxy_get_current_time_nanoseconds(self, time_out: int) -> int:
        """Give the wall clock."""
        self._write_u64(time_out, self._host.epoch_ns())
        return OK

    def proxy_set_tick_period_milliseconds(self, period_ms: int) -> int:
        """Set the timer of the context's root."""
        self._host.set_tick_period(self._wasm.acting.root, period_ms)
        return OK

    def proxy_get_configuration(self, pointer_out: int, size_out: int) -> int:
        """Give the plugin's configuration where it can be seen, else the VM's (ABI 0.1.0)."""
        host = self._wasm.acting.host
        buffer = host.buffer(BufferType.PLUGIN_CONFIGURATION) or host.buffer(BufferType.VM_CONFIGURATION)
        return self._give(buffer.read(0, buffer.size()) if buffer else b"", pointer_out, size_out)

    def proxy_get_status(self, code_out: int, pointer_out: int, size_out: int) -> int:
        """Give the status of the root's last failed callout, with a message while the module is told of it."""
        callouts = self._wasm.callouts
        self._write_u32(code_out, callouts.statuses.get(self._wasm.acting.root.id, Status.OK))
        return self._give(callouts.message, pointer_out, size_out)

    # -- contexts ---

    def proxy_set_effective_context(self, context_id: int) -> int:
        """Act for another context until this call into the module returns; 0 is the called one again."""
        if context_id and context_id not in self._wasm.contexts:
            return Status.BAD_ARGUMENT
        self._wasm.acting = self._wasm.contexts[context_id] if context_id else self._wasm.current
        return OK

    def proxy_done(self) -> int:
        """Say that a root context that waited may end."""
        return OK if self._wasm.finish_plugin(self._wasm.acting.root) else Status.NOT_FOUND

    # -- what Envoy offers beside the ABI ---

    def emscripten_notify_memory_growth(self, memory: int) -> None:
        """Nothing to do: views of the memory are made anew when it has grown."""

    def envoy_resolve_dns(self, name: int, size: int, token_out: int) -> int:
        """Resolve a name for the context's root, which may be told before this call returns."""
        text = guest_text(self._read(name, size))
        wasm, root = self._wasm, self._wasm.acting.root
        token = wasm.new_dns_token()
        self._write_u32(token_out, token)

        def done(addresses: Sequence[str] | None) -> None:
            if wasm.contexts.get(root.id) is root:
                root.dns_resolved(token, encode_addresses(addresses))

        self._host.resolve_dns(text, done)
        return OK

    def pthread_equal(self, left: int, right: int) -> int:
        """Compare two thread ids."""
        return int(left == right)
