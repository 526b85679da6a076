"""An opened lesson: its parameters, its files beside the notebook, what was answered so far."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from html import escape
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from meshsim.errors import ConfigError, ReferenceUnavailable
from meshsim.lab.lessons.plan import Plan

if TYPE_CHECKING:
    from meshsim.envoy.proxy import Envoy
    from meshsim.envoy.requests import Request
    from meshsim.lab.lessons.real import RealRun
    from meshsim.lab.observe import Observation

T = TypeVar("T")

#: Of a lesson's folder in the package, what is not for learners.
_OURS = frozenset({"case.json", "truth.json"})


class Lesson:
    """An opened lesson; :func:`lesson` opens one. Its parameters are attributes: ``lesson.workers``.

    Attributes
    ----------
    plan : Plan
        What the lesson is made of.
    parameters : mapping
        Name -> value; those that were not given have their defaults.
    failures : dict of str to int
        Exercise -> how often its answer was wrong.
    tried : dict of str to object
        Exercise -> the last answer that was wrong.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._parameters = {parameter.name: parameter.default for parameter in plan.parameters}
        self._passed: set[str] = set()
        self.failures: dict[str, int] = {}
        self.tried: dict[str, Any] = {}
        self._known: dict[tuple[Hashable, ...], Any] = {}
        self._put_files(fresh=False)

    # --- what it is --------------------------------------------------------------------------------------------------

    @property
    def number(self) -> str:
        """Two digits."""
        return self.plan.number

    @property
    def title(self) -> str:
        """Its title."""
        return self.plan.title

    @property
    def minutes(self) -> int:
        """How long it takes."""
        return self.plan.minutes

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Name -> value."""
        return MappingProxyType(self._parameters)

    @property
    def passed(self) -> frozenset[str]:
        """Numbers of the exercises that were answered rightly."""
        return frozenset(self._passed)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_parameters"][name]
        except KeyError:
            raise AttributeError(f"a lesson has no {name!r}") from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._parameters]

    # --- its files ---------------------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """The folder beside the notebook with the files that learners may change."""
        return Path(f"lesson_{self.number}")

    @property
    def bootstrap(self) -> Path:
        """The bootstrap of its Envoy."""
        return self.folder / "envoy.yaml"

    @property
    def requests(self) -> list[Request]:
        """What is sent; read from the file at each call."""
        from meshsim.envoy.requests import load_requests

        return load_requests(self.folder / "requests.json")

    def reset(self) -> None:
        """Put the lesson's files back as they came, and forget what was answered. Other files are left alone."""
        self._put_files(fresh=True)
        self._passed.clear()
        self._known.clear()
        self.failures.clear()
        self.tried.clear()

    def _put_files(self, *, fresh: bool) -> None:
        if not (source := files_of(self.number)).is_dir():
            return
        try:
            self.folder.mkdir(exist_ok=True)
            for file in source.iterdir():
                target = self.folder / file.name
                if file.name not in _OURS and (fresh or not target.exists()):
                    target.write_bytes(file.read_bytes())
        except OSError as error:
            remedy = "run the notebook from a folder that you may write in: `meshsim lab` makes one"
            raise ConfigError(
                f"the lesson's files cannot be put here: {error.strerror}", str(self.folder), remedy
            ) from None

    # --- its Envoys --------------------------------------------------------------------------------------------------

    @property
    def concurrency(self) -> int:
        """Worker threads of its Envoys: the parameter ``workers``, or 1."""
        return int(self._parameters.get("workers", 1))

    def envoy(self, **options: Any) -> Envoy:
        """Start a simulated Envoy with the lesson's bootstrap; ``options`` as those of :class:`meshsim.Envoy`."""
        from meshsim.envoy.proxy import Envoy

        return Envoy.from_yaml(self.bootstrap, **{"concurrency": self.concurrency, **options})

    def observe(self, **options: Any) -> Observation:
        """Replay the lesson's requests in the simulator; ``options`` as those of :func:`meshsim.lab.observe`."""
        from meshsim.lab.observe import observe

        return observe(self.bootstrap, self.requests, **{"concurrency": self.concurrency, **options})

    def real(self) -> RealRun:
        """Run the lesson's files in the real Envoy; where there is none, bring the recorded run, and say so."""
        from meshsim.lab.lessons import real

        try:
            return real.run_live(self.bootstrap, self.requests, self.concurrency)
        except ReferenceUnavailable as unavailable:
            return real.recorded(files_of(self.number), unavailable)

    # --- for whoever opens it ----------------------------------------------------------------------------------------

    def take(self, parameters: Mapping[str, Any]) -> None:
        """Change parameters.

        Raises
        ------
        ConfigError
            There is no such parameter, or the lesson cannot do with its value.
        """
        known = {parameter.name: parameter for parameter in self.plan.parameters}
        for name, value in parameters.items():
            if name not in known:
                raise ConfigError(
                    f"lesson {self.number} has no parameter {name!r}", remedy=f"it has: {', '.join(known) or 'none'}"
                )
            self._parameters[name] = known[name].checked(value)

    def once(self, compute: Callable[[Lesson], T]) -> T:
        """Compute something of this lesson, once as long as neither parameters nor files change."""
        files_ = self.folder.rglob("*") if self.folder.is_dir() else ()
        state = tuple(sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files_))
        key = compute, tuple(self._parameters.items()), state
        if key not in self._known:
            self._known[key] = compute(self)
        found: T = self._known[key]
        return found

    def pass_(self, exercise: str) -> None:
        """Note that an exercise was answered rightly."""
        self._passed.add(exercise)

    def _facts(self) -> list[tuple[str, str]]:
        meanings = {parameter.name: parameter for parameter in self.plan.parameters}
        settings = [
            (name, f"{value!r}  ({meanings[name].meaning}; {meanings[name].choices})")
            for name, value in self._parameters.items()
        ]
        there = sorted(file.name for file in self.folder.iterdir()) if self.folder.is_dir() else []
        return [*settings, *([("files", f"{self.folder}/: {', '.join(there)}")] if there else [])]

    def __repr__(self) -> str:
        head = f"Lesson {self.number}: {self.title} ({self.minutes} minutes)"
        return "\n".join([head, *(f"  {name}: {text}" for name, text in self._facts())])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(text)}</td></tr>'
            for name, text in self._facts()
        )
        return f"<b>Lesson {self.number}: {escape(self.title)}</b> ({self.minutes} minutes)<table>{rows}</table>"


#: The lessons that are open in this process: a kernel is one learner's desk. Nothing that is simulated looks at it.
_DESK: dict[str, Lesson] = {}


def lesson(number: str | int, **parameters: Any) -> Lesson:
    """Open a lesson, or give the one that is open, with parameters as they are now.

    Parameters
    ----------
    number : str or int
        ``"04"``.
    **parameters
        What to change of the lesson's parameters; the others stay as they are.

    Raises
    ------
    ConfigError
        There is no such lesson or parameter, or the lesson cannot do with its value.
    """
    key = f"{number:02}" if isinstance(number, int) else number.strip().zfill(2)
    opened = _DESK.get(key)
    if opened is None:
        opened = _DESK[key] = Lesson(plan_of(key))
    opened.take(parameters)
    return opened


def plan_of(number: str) -> Plan:
    """Return a lesson's plan.

    Raises
    ------
    ConfigError
        There is no such lesson.
    """
    if number not in numbers():
        raise ConfigError(f"there is no lesson {number!r}", remedy=f"there are: {', '.join(numbers())}")
    plan: Plan = import_module(f"meshsim.lab.lessons.lesson_{number}").PLAN
    return plan


def numbers() -> list[str]:
    """Return the numbers of all lessons."""
    package = Path(str(files("meshsim.lab.lessons")))
    return sorted(path.stem.removeprefix("lesson_") for path in package.glob("lesson_*.py"))


def files_of(number: str) -> Path:
    """Return the folder with a lesson's files as they came; it need not be there."""
    return Path(str(files("meshsim.lab.lessons"))) / "files" / number
