"""Scenarios: a mesh, its plugins, a load and what happens meanwhile, in a YAML file that is checked as a whole.

Every mistake is found in one go and shown with its line and path. What a scenario refers to (a topology, modules, a
trace) is read by a function that the caller gives: this module knows no files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from meshsim.errors import ConfigError
from meshsim.mesh.load import Load
from meshsim.mesh.mesh import Mesh
from meshsim.mesh.places import Document, Mistake, Mistakes, Path, changed, dotted, fields_at, instead, parsed
from meshsim.mesh.result import Result
from meshsim.mesh.scenario_build import Read, build
from meshsim.mesh.scenario_model import ScenarioModel, json_schema
from meshsim.sim import Level

Change = tuple[str, Any]
"""A path and the value that is to stand there: ``("load.open.rate", 500)``."""


@dataclass(frozen=True)
class Scenario:
    r"""A scenario that is right.

    Attributes
    ----------
    name, title, look_for : str
        What it is called, and what a reader should look for (Markdown).
    mesh : Mesh
        With its plugins and its timeline.
    load : Load
        What is sent.
    seconds, warmup : float
        How long the load goes on, and how much of the beginning measures leave out; virtual seconds.
    seed : int
        Of its random numbers, if nothing else is said.

    Examples
    --------
    >>> text = "topology: {services: [{name: shop}]}\nproxies: none\nload: {open: {rate: 10}}"
    >>> scenario = parse_scenario(text, "shop.yaml")
    >>> scenario.name, scenario.seconds, scenario.load.rate
    ('shop', 10.0, 10.0)
    """

    name: str
    title: str
    look_for: str
    mesh: Mesh
    load: Load
    seconds: float
    warmup: float
    seed: int

    def run(self, seed: int | None = None, level: Level = Level.REQUESTS) -> Result:
        """Run it."""
        chosen = self.seed if seed is None else seed
        return self.mesh.run(self.load, seconds=self.seconds, seed=chosen, level=level, warmup=self.warmup)


def parse_scenario(
    text: str, origin: str = "scenario", read: Read | None = None, changes: Sequence[Change] = ()
) -> Scenario:
    """Return the scenario in a text.

    Parameters
    ----------
    text : str
        YAML.
    origin : str
        Its name, for messages.
    read : callable, optional
        Gives the files that it names; without it, it may name none.
    changes : sequence of (path, value)
        Put into it before it is looked at, as a sweep does.

    Raises
    ------
    Mistakes
        With all that is wrong.
    ConfigError
        It is not YAML, or a change has no place.
    """
    document = Document(text, origin)
    value = document.value
    for path, new in changes:
        value = changed(value, parsed(path), new)
    model = _model(document, value)
    mesh, load = build(document, model, read or _nothing_to_read)
    stem = origin.replace("\\", "/").rpartition("/")[2].partition(".")[0]
    name = model.name or stem
    return Scenario(
        name=name,
        title=model.title or name,
        look_for=model.look_for,
        mesh=mesh,
        load=load,
        seconds=model.duration / 1e9,
        warmup=model.warmup / 1e9,
        seed=model.seed,
    )


def _nothing_to_read(name: str) -> bytes:
    raise ConfigError("no files here", name, "load the scenario from its file")


def _model(document: Document, value: Any) -> ScenarioModel:
    if not isinstance(value, Mapping):
        raise Mistakes(document.origin, [Mistake(1, "", "a scenario is a mapping", "begin with topology: and load:")])
    try:
        return ScenarioModel.model_validate(value)
    except ValidationError as error:
        raise Mistakes(document.origin, list(_form_mistakes(document, value, error))) from None


def _form_mistakes(document: Document, value: Any, error: ValidationError) -> Iterator[Mistake]:
    """Yield what is not well-formed: one mistake a place, whatever the alternatives there."""
    schema = json_schema()
    said: dict[Path, list[str]] = {}
    remedies: dict[Path, str] = {}
    for one in error.errors(include_url=False):
        path = _known_part(value, one["loc"])
        if one["type"] == "extra_forbidden":
            what, remedies[path] = "no such field", instead(str(path[-1]), fields_at(schema, path[:-1]))
        elif one["type"] == "missing":
            path = one["loc"]
            what = "is missing"
        else:
            what = one["msg"].removeprefix("Value error, ")
        said.setdefault(path, []).append(what)
    for path, words in said.items():
        yield Mistake(document.line(path), dotted(path), "; or ".join(dict.fromkeys(words)), remedies.get(path, ""))


def _known_part(value: Any, location: Path) -> Path:
    """Cut what pydantic adds to a path: the names of alternatives."""
    path: list[str | int] = []
    for part in location:
        inside = part in value if isinstance(value, Mapping) else isinstance(value, list) and part in range(len(value))
        if not inside:
            break
        value = value[part]
        path.append(part)
    return tuple(path)
