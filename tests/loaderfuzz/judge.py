"""One mutant: read, compile, start, ask. Whatever happens, it must end with a result or with a MeshsimError."""

from __future__ import annotations

import json
import shutil
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from meshsim.cli.inspect import describe
from meshsim.envoy.config.refusal import ConfigRefused
from meshsim.envoy.loader import check_bootstrap
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.replay import Replay, replay
from meshsim.envoy.requests import Request, parse_requests
from meshsim.errors import ConfigError, MeshsimError, ModuleError, NotModelled
from meshsim.reference.truth import BOOTSTRAP
from meshsim.sim import Level
from meshsim.wasm import Engine, Limits, parse_module
from tests.loaderfuzz import corpus, modules, texts

#: Tight enough that a mutant which loops, or grows, is over at once.
LIMITS = Limits(memory_bytes=16 << 20, fuel_per_call=200_000, deadline_s=20.0)
REQUESTS_SENT = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a mutant; ``detail`` says what broke, and is empty where nothing did."""

    word: str
    detail: str = ""

    @property
    def failed(self) -> bool:
        return bool(self.detail)


def _guarded(judge: Callable[[], str]) -> Verdict:
    try:
        return Verdict(judge())
    except ConfigRefused:
        return Verdict("refused")
    except NotModelled:
        return Verdict("not modelled")
    except ConfigError:
        return Verdict("unusable")
    except ModuleError:
        return Verdict("no module")
    except MeshsimError as error:
        return Verdict(f"ended by {type(error).__name__}") if str(error) else Verdict("broken", "an error without text")
    except Exception as error:
        return Verdict("broken", "".join(traceback.format_exception(error)))


# --- modules ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModuleMutant:
    """A case with one module of it broken."""

    case: corpus.Good
    name: str
    data: bytes


def module_mutant(seed: int) -> ModuleMutant:
    """The module of a seed."""
    random = Random(f"module {seed}")
    case = corpus.any_case_with_module(random)
    name, data = random.choice(sorted(case.modules().items()))
    return ModuleMutant(case, name, modules.mutant(random, corpus.all_modules(), data))


def judge_module(seed: int) -> Verdict:
    """Read the module of a seed, compile it, and run its case with it."""
    return _guarded(lambda: _run_module(module_mutant(seed)))


def _run_module(mutant: ModuleMutant) -> str:
    bootstrap = mutant.case.bootstrap
    assert bootstrap is not None
    sources = replace(bootstrap.sources, files={**bootstrap.sources.files, mutant.name: mutant.data})
    try:
        facts = parse_module(mutant.data)
        json.dumps(describe(facts))
        tuple(facts.function_names.items())
        Engine().compile(mutant.data)
    except ModuleError:
        pass  # how Envoy refuses it is looked at all the same
    engine = Engine()
    level = Level.ABI if len(mutant.data) % 2 else Level.REQUESTS
    envoy = Envoy(bootstrap.model_copy(update={"sources": sources}), limits=LIMITS, engine=engine, level=level)
    requests = parse_requests(mutant.case.requests)[:REQUESTS_SENT]
    return _play(envoy, [replace(request, updates=()) for request in requests])  # their files are not read here


def _play(envoy: Envoy, requests: Sequence[Request]) -> str:
    result = Replay(envoy).run(requests)
    json.dumps(result.to_json())
    envoy.stats()
    envoy.memory()
    return "ran" if result.ready else "refused"


# --- configurations --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConfigMutant:
    """A case with its bootstrap or its requests broken."""

    case: corpus.Good
    bootstrap: str
    requests: str
    concurrency: int
    ignore_unmodelled: bool


def config_mutant(seed: int) -> ConfigMutant:
    """The configuration of a seed."""
    random = Random(f"configuration {seed}")
    case, other = corpus.any_case(random), corpus.any_case(random)
    bootstrap, requests = case.text, case.requests
    if random.random() < 0.85:
        bootstrap = texts.bootstrap_mutant(random, bootstrap, other.text)
    else:
        requests = texts.requests_mutant(random, requests, other.requests)
    return ConfigMutant(case, bootstrap, requests, random.choice((1, 1, 2)), random.random() < 0.5)


def judge_config(seed: int) -> Verdict:
    """Read the configuration of a seed, and run it where it can be."""
    mutant = config_mutant(seed)
    with tempfile.TemporaryDirectory(prefix="meshsim-loaderfuzz-") as folder:
        path = _lay_out(mutant, Path(folder))
        return _guarded(lambda: _run_config(mutant, path))


def _lay_out(mutant: ConfigMutant, root: Path) -> Path:
    """Put the mutant where its case lies, seen from the modules that it names."""
    folder = root / mutant.case.folder.relative_to(corpus.ROOT)
    folder.mkdir(parents=True)
    for name in ("modules", "tests/envoy/modules"):
        (root / name).symlink_to(corpus.ROOT / name)
    for beside in mutant.case.folder.iterdir():
        if beside.suffix == ".yaml":
            shutil.copyfile(beside, folder / beside.name)
    path = folder / BOOTSTRAP
    path.write_text(mutant.bootstrap, encoding="utf-8", errors="surrogatepass", newline="")
    return path


def _run_config(mutant: ConfigMutant, path: Path) -> str:
    report = check_bootstrap(path, environment={})
    requests = parse_requests(mutant.requests)[:REQUESTS_SENT]
    result = replay(path, requests, concurrency=mutant.concurrency, ignore_unmodelled=mutant.ignore_unmodelled)
    json.dumps(result.to_json())
    if result.ready and any(finding.severity == "refused" for finding in report.findings):
        raise AssertionError(f"it ran, and validate says {report.findings}")
    return "ran" if result.ready else "refused"


Judge = Callable[[int], Verdict]

JUDGES: dict[str, Judge] = {"module": judge_module, "configuration": judge_config}
