"""Would a Binder pod work? ``python -m tests.binder [LESSON...]``: repo2docker is asked, and its steps are done here.

A line for each thing that must hold. The lessons that are named (by default the first) are run in what was made, each
in a server of its own. The exit status is 1 when something does not hold. Needs the package index, as Binder does.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.binder.image import Image, Plan, plan
from tests.binder.session import opens, run_notebook

REPOSITORY = Path(__file__).resolve().parents[2]

#: A pod has 1 GB that it can count on, and a build that is pulled in time.
MAX_BYTES = 700_000_000

#: What happens in an image, in this order, as patterns of its Dockerfile.
COURSE = (
    r"^COPY .* src/ \$\{REPO_DIR\}",
    r"^USER \$\{NB_USER\}",
    r"pip install --no-cache-dir -r \"binder/requirements.txt\"",
    r"^RUN chmod \+x binder/postBuild",
    r"^RUN \./binder/postBuild",
)


#: Where the second badge leads, and what a page has that shows widgets.
DASHBOARD, WIDGETS = "voila/render/notebooks/dashboard.ipynb", b"application/vnd.jupyter.widget-view+json"


class Line(NamedTuple):
    """Something that must hold, what was found, and whether it does."""

    what: str
    found: str
    holds: bool


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.binder", description=__doc__)
    parser.add_argument("lessons", nargs="*", default=["00"], help="numbers of lessons, as in 04")
    arguments = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="meshsim-binder-") as folder:
        for line in check(Path(folder), arguments.lessons):
            failed |= not line.holds
            print(f"{'ok  ' if line.holds else 'FAIL'}  {line.what}: {line.found}", flush=True)
    return int(failed)


def check(folder: Path, lessons: list[str]) -> Iterator[Line]:
    """Make the image in ``folder``, and say what holds."""
    made = plan(REPOSITORY)
    yield from check_plan(made)
    image = Image(folder)
    image.make_base(made.python)
    base, base_bytes = image.packages(), image.size_bytes
    image.copy(REPOSITORY)
    for command in made.installs:
        image.run(command)
    yield Line("pinned", *pinned(base, image.packages()))
    for script in made.finishes:
        image.run(f"chmod +x {script} && ./{script}")
    added = image.size_bytes - base_bytes
    yield Line("added on disk", f"{added / 1e6:.0f} MB, of {MAX_BYTES / 1e6:.0f} allowed", added < MAX_BYTES)
    for lesson in lessons:
        [path] = (image.home / "notebooks").glob(f"{lesson}_*.ipynb")
        ran = run_notebook(image, str(path.relative_to(image.home)))
        yield Line(f"{path.name} runs", ran.error or f"{ran.cells} cells in {ran.seconds:.0f} s", not ran.error)
        peak = f"{ran.peak_bytes / 1e6:.0f} MB with server and kernel, of {MAX_BYTES / 1e6:.0f} allowed"
        yield Line(f"{path.name} peaks", peak, 0 < ran.peak_bytes < MAX_BYTES)
    page = opens(image, DASHBOARD)
    yield Line("dashboard opens in Voila", f"{len(page):,} bytes", WIDGETS in page and b"Traceback" not in page)


def check_plan(made: Plan) -> Iterator[Line]:
    """Does repo2docker read the folder as it is meant?"""
    yield Line("build pack", made.pack, made.pack == "PythonBuildPack")
    yield Line("Python", made.python, made.python == "3.11")
    yield Line(
        "installs", "; ".join(made.installs), len(made.installs) == 1 and "binder/requirements.txt" in made.installs[0]
    )
    yield Line("finishes", "; ".join(made.finishes), made.finishes == ("binder/postBuild",))
    done = steps_in_order(made.dockerfile)
    yield Line(
        "Dockerfile", "its steps in order" if done == len(COURSE) else f"without {COURSE[done]}", done == len(COURSE)
    )


def steps_in_order(dockerfile: str) -> int:
    """Return how many steps of the course the Dockerfile has, each after the one before."""
    place = 0
    for done, step in enumerate(COURSE):
        found = re.compile(step, re.MULTILINE).search(dockerfile, place)
        if found is None:
            return done
        place = found.end()
    return len(COURSE)


def pinned(base: dict[str, str], packages: dict[str, str]) -> tuple[str, bool]:
    """Return whether pip installed or changed only what the requirements name, and all that they name."""
    text = (REPOSITORY / "binder" / "requirements.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))
    changed = {name: version for name, version in packages.items() if base.get(name) != version and name != "meshsim"}
    loose = {_plain(name) for name in changed} - {_plain(name) for name in pins}
    have = {_plain(name): version for name, version in packages.items()}
    absent = [name for name, version in pins.items() if have.get(_plain(name)) != version]
    if loose or absent or "meshsim" not in have:
        return f"not named: {sorted(loose)}; not as named: {absent}; meshsim: {have.get('meshsim')}", False
    return f"{len(pins)} packages, and meshsim itself", True


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
