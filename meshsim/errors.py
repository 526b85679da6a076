"""Every error that meshsim raises on purpose.

One root, :class:`MeshsimError`. Each error says what was wrong, where, and what to do about it; the command line
prints just that and ends with the error's ``exit_status``. Anything else that escapes is a bug of meshsim.
"""

from __future__ import annotations

from dataclasses import dataclass


class MeshsimError(Exception):
    """What was wrong, where, and the remedy.

    Parameters
    ----------
    what : str
        One sentence, without the place.
    where : str
        File, YAML path, module or call; empty when there is no place to name.
    remedy : str
        What the user can do; empty when nothing helps.

    Examples
    --------
    >>> print(MeshsimError("no such file", where="envoy.yaml", remedy="check the path"))
    envoy.yaml: no such file
      -> check the path
    """

    exit_status = 2

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"\n  -> {self.remedy}" if self.remedy else ""
        return f"{place}{self.what}{advice}"


class ConfigError(MeshsimError):
    """A bootstrap, a list of requests or a scenario that cannot be used."""


class UnmodelledField(ConfigError):
    """A field that Envoy knows and meshsim does not model."""


class NotModelled(MeshsimError):
    """A run reached something that Envoy does and meshsim does not model.

    The run ends here, so that nobody takes a partial trace for a faithful one.

    Examples
    --------
    >>> print(NotModelled("proxy_http_call"))
    not modelled: proxy_http_call
    """

    exit_status = 3

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        super().__init__(f"not modelled: {what}", where, remedy)


class ModuleError(MeshsimError):
    """Bytes that are not a usable Wasm module."""


class LinkError(ModuleError):
    """A module that asks for an import which the host does not offer, or offers with another type."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a guest's backtrace.

    ``function`` is the index in the module's function space, ``name`` comes from the name section (None without
    one), ``offset`` is the byte offset in the module, as in a disassembly.
    """

    function: int
    name: str | None
    offset: int


class GuestTrap(MeshsimError):
    """The guest ended by a trap.

    Attributes
    ----------
    code : str
        Kind of trap, in the engine's word: ``unreachable``, ``memory_out_of_bounds``, ``stack_overflow``,
        ``out_of_fuel``...
    frames : tuple of Frame
        The guest's backtrace, innermost first.
    """

    def __init__(self, code: str, message: str, frames: tuple[Frame, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.frames = frames


class DeadlineExceeded(MeshsimError):
    """The wall-clock safety net caught a guest that did not return; nothing that Envoy would have done."""


class ReferenceUnavailable(MeshsimError):
    """The real Envoy (or another thing to compare with) is not installed here."""
