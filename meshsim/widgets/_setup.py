"""What if: a bootstrap with more or fewer Wasm filters, in VMs of their own or a common one, with a broken module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from meshsim.abi.constants import AbiVersion
from meshsim.abi.dialect import Dialect
from meshsim.abi.signatures import CALLBACKS, ENV
from meshsim.envoy.config.base import Message
from meshsim.envoy.config.bootstrap import Bootstrap
from meshsim.envoy.config.http import HttpConnectionManager, HttpFilter
from meshsim.envoy.config.sources import Sources
from meshsim.envoy.config.wasm import PluginConfig, Wasm
from meshsim.errors import ModuleError
from meshsim.wasm import ModuleFacts, parse_module

_WASM = b"\0asm"
#: Fields that lead from a bootstrap to its filter chains.
_WAY = ("static_resources", "listeners", "filter_chains", "filters", "typed_config")

#: How a module can be broken, and what that is called.
FAULTS: Mapping[str, str] = {
    "none": "as it is",
    "import": "misspelt import",
    "callback": "mistyped callback",
}


@dataclass(frozen=True, slots=True)
class Setup:
    """An Envoy to be started.

    Attributes
    ----------
    plugins : int
        How many Wasm filters the first chain that has some shall have: the later ones are left out, or the last is
        repeated under another name.
    own_vms : bool
        Whether a repeated filter has a VM of its own, by a ``vm_id`` of its own.
    fault : str
        A key of :data:`FAULTS`: what is wrong with the module of that chain's first filter.
    """

    bootstrap: Bootstrap = field(repr=False)
    workers: int
    plugins: int
    own_vms: bool = False
    fault: str = "none"
    dialect: Dialect = Dialect.ENVOY

    @classmethod
    def of(cls, bootstrap: Bootstrap, workers: int, dialect: Dialect = Dialect.ENVOY) -> Setup:
        """Take a bootstrap as it is."""
        return cls(bootstrap, workers, len(_wasm_filters(_first_chain(bootstrap))), dialect=dialect)

    @property
    def changed(self) -> Bootstrap:
        """The bootstrap, changed as wanted."""
        chain = _first_chain(self.bootstrap)
        return _broken(_with_filters(self.bootstrap, chain, self._filters(chain)), _file_of(chain), self.fault)

    @property
    def faults(self) -> tuple[str, ...]:
        """The faults that the module can be given."""
        code = self.bootstrap.sources.files.get(_file_of(_first_chain(self.bootstrap)), b"")
        return tuple(fault for fault in FAULTS if _BREAK[fault](code) is not None)

    def changed_to(self, **wanted: Any) -> Setup:
        """Return a setup with other values."""
        return replace(self, **wanted)

    def _filters(self, chain: HttpConnectionManager | None) -> tuple[HttpFilter, ...]:
        """The chain's filters: Wasm ones are left out, or copies of the last one follow it."""
        if chain is None:
            return ()
        wasm = _wasm_filters(chain)
        kept = wasm[: self.plugins]
        copies = [_copy(wasm[-1], number, self.own_vms) for number in range(len(wasm) + 1, self.plugins + 1)]
        filters: list[HttpFilter] = []
        for each in chain.http_filters:
            if each not in wasm or each in kept:
                filters.append(each)
            if each is wasm[-1]:
                filters += copies
        return tuple(filters)


def plugin_configs(bootstrap: Bootstrap) -> Iterator[PluginConfig]:
    """Find the configuration of every plugin of a bootstrap, wherever it stands."""
    found: list[object] = [bootstrap]
    while found:
        item = found.pop(0)
        if isinstance(item, PluginConfig):
            yield item
        elif isinstance(item, tuple):
            found[:0] = item
        elif isinstance(item, dict):
            found[:0] = item.values()
        elif isinstance(item, Message):
            found[:0] = [getattr(item, name) for name in type(item).model_fields]


def _first_chain(bootstrap: Bootstrap) -> HttpConnectionManager | None:
    """The first HTTP filter chain with Wasm in it."""
    chains = (
        network_filter.typed_config
        for listener in bootstrap.static_resources.listeners
        for filter_chain in listener.filter_chains
        for network_filter in filter_chain.filters
    )
    return next((c for c in chains if isinstance(c, HttpConnectionManager) and _wasm_filters(c)), None)


def _wasm_filters(chain: HttpConnectionManager | None) -> list[HttpFilter]:
    return [each for each in chain.http_filters if isinstance(each.typed_config, Wasm)] if chain else []


def _file_of(chain: HttpConnectionManager | None) -> str:
    """The file of the first Wasm filter's module; empty when it is in none."""
    if chain is None:
        return ""
    wasm = _wasm_filters(chain)[0].typed_config
    vm = wasm.config.vm_config if isinstance(wasm, Wasm) else None
    return (vm.code.local.filename or "") if vm and vm.code and vm.code.local else ""


def _copy(original: HttpFilter, number: int, own_vm: bool) -> HttpFilter:
    wasm = original.typed_config
    assert isinstance(wasm, Wasm)
    config = wasm.config
    changes: dict[str, Any] = {"name": f"{config.name}-{number}", "root_id": f"{config.root_id}-{number}"}
    if own_vm and config.vm_config:
        changes["vm_config"] = config.vm_config.model_copy(update={"vm_id": f"{config.vm_config.vm_id}-{number}"})
    changed = wasm.model_copy(update={"config": config.model_copy(update=changes)})
    return original.model_copy(update={"name": f"{original.name}-{number}", "typed_config": changed})


def _with_filters(
    bootstrap: Bootstrap, chain: HttpConnectionManager | None, filters: tuple[HttpFilter, ...]
) -> Bootstrap:
    """Return the bootstrap with other filters in one chain; models are frozen, so what holds it is made anew."""

    def changed(item: Any) -> Any:
        if item is chain and chain is not None:
            return chain.model_copy(update={"http_filters": filters})
        if isinstance(item, tuple):
            return tuple(changed(each) for each in item)
        if not isinstance(item, Message):
            return item
        return item.model_copy(
            update={name: changed(getattr(item, name)) for name in _WAY if name in type(item).model_fields}
        )

    made: Bootstrap = changed(bootstrap)
    return made


def _broken(bootstrap: Bootstrap, name: str, fault: str) -> Bootstrap:
    code = _BREAK[fault](bootstrap.sources.files.get(name, b""))
    if fault == "none" or code is None:
        return bootstrap
    sources = Sources({**bootstrap.sources.files, name: code}, bootstrap.sources.environment)
    return bootstrap.model_copy(update={"sources": sources})


def misspelt_import(code: bytes) -> bytes | None:
    """Return a module whose last import from ``env`` has a wrong last letter; None when it has no such import."""
    facts = _facts(code)
    names = [each.name for each in facts.imports if each.kind == "func" and each.module == ENV] if facts else []
    if not names:
        return None
    wrong = names[-1][:-1] + ("s" if names[-1][-1] != "s" else "z")
    return _renamed(code, names[-1], wrong)


def mistyped_callback(code: bytes) -> bytes | None:
    """Return a module that exports one of its callbacks under the name of one with another type.

    The two names are of one length, so that nothing else in the module moves; None when there are no such two.
    """
    facts = _facts(code)
    exported = {each.name: each.type for each in facts.exports if each.kind == "func"} if facts else {}
    wanted = {each.name: each.type for each in CALLBACKS if AbiVersion.V0_2_1 in each.versions}
    pairs = (
        (name, other)
        for name in sorted(wanted.keys() & exported.keys() - {"proxy_on_context_create"})
        for other in sorted(wanted.keys() - exported.keys())
        if len(other) == len(name) and wanted[other] != exported[name]
    )
    found = next(pairs, None)
    return _renamed(code, *found) if found else None


def _facts(code: bytes) -> ModuleFacts | None:
    try:
        return parse_module(code) if code.startswith(_WASM) else None
    except ModuleError:
        return None


def _renamed(code: bytes, old: str, new: str) -> bytes:
    """Rename an import or export: its name stands behind its length (core specification, 5.2.4)."""
    length = bytes([len(old)])
    return code.replace(length + old.encode(), length + new.encode(), 1)


_BREAK: Mapping[str, Callable[[bytes], bytes | None]] = {
    "none": lambda code: code,
    "import": misspelt_import,
    "callback": mistyped_callback,
}
