"""Proxy-Wasm: host functions, callbacks, contexts, wire formats, and what VMs share."""
