"""The command ``meshsim``: its commands, its version, and how an error ends it."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Annotated, NoReturn

import typer

from meshsim.cli import calibrate, demo, doctor, inspect, lab, notebook, replay, run, sweep, validate
from meshsim.errors import MeshsimError

#: Set to anything, it makes an error show its traceback.
DEBUG_VARIABLE = "MESHSIM_DEBUG"

#: A shell's word for "ended by the interrupt key".
INTERRUPTED = 130

#: What the system says when a file or standard output takes no more.
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO))

app = typer.Typer(
    name="meshsim",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"Each command has examples: meshsim replay --help. With {DEBUG_VARIABLE}=1 an error shows its traceback.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"meshsim {metadata.version('meshsim')}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end."),
    ] = False,
) -> None:
    """Envoy's WebAssembly data plane, simulated: real Proxy-Wasm modules, held against the real Envoy."""


for _command, _examples in (
    (demo.demo, demo.EXAMPLES),
    (replay.replay, replay.EXAMPLES),
    (run.run, run.EXAMPLES),
    (sweep.sweep, sweep.EXAMPLES),
    (notebook.notebook, notebook.EXAMPLES),
    (inspect.inspect, inspect.EXAMPLES),
    (validate.validate, validate.EXAMPLES),
    (calibrate.calibrate, calibrate.EXAMPLES),
    (doctor.doctor, doctor.EXAMPLES),
    (lab.lab, lab.EXAMPLES),
):
    app.command(epilog=_examples)(_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; those of the process when not given.

    Raises
    ------
    SystemExit
        Always. The status is that of the command; 2 for a usage error; that of the error for a
        :class:`~meshsim.errors.MeshsimError`, whose text goes to standard error; 130 when interrupted.
    """
    try:
        with _written_out():
            app(args=arguments, prog_name="meshsim")
    except MeshsimError as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        print(f"meshsim: {error}", file=sys.stderr)
        raise SystemExit(error.exit_status) from None
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    raise SystemExit(0)


@contextlib.contextmanager
def _written_out() -> Iterator[None]:
    """Write all to standard output by the end of the block, and say so where it cannot be: on a full disk, say."""
    sys.stdout = sys.stdout or io.StringIO()  # a process that was started without one has None
    try:
        try:
            yield
        finally:
            _flush()
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _silence()
        raise MeshsimError(
            f"cannot write: {error.strerror}", error.filename or "standard output", "make room, or write elsewhere"
        ) from error


def _flush() -> None:
    """Write out what is left; a reader who has gone (``| head``) is no error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()


def _silence() -> None:
    """Let nothing more reach standard output: Python would try again at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
