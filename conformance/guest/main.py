"""The command line: builds the image where it is missing, runs one command in a guest.

The command's directory is the current one, at the same path; what it writes
there stays in the guest, except below a directory given to --write. Standard
output and error are passed on byte for byte. Exit status: the command's own,
128+N if signal N ended it, 124 if the time limit did, 125 if the guest failed.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from conformance.guest.errors import GuestError
from conformance.guest.image import default_cache, find_image
from conformance.guest.protocol import EXIT_FAILED, KERNELS, Request
from conformance.guest.recipe import Recipe
from conformance.guest.run import run_guest


def make_parser() -> argparse.ArgumentParser:
    """The options of `python3 -m conformance.guest`."""
    parser = argparse.ArgumentParser(
        prog="conformance.guest",
        usage="%(prog)s [OPTIONS] -- COMMAND [ARG...]\n       %(prog)s [OPTIONS] --build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--kernel", choices=KERNELS, default="uml", help="User Mode Linux (default) or QEMU")
    add("--systemd", action="store_true", help="systemd is process 1, with D-Bus")
    add("--timeout", type=float, default=600.0, metavar="S", help="of the run (%(default)g s)")
    add("--memory", default="2G", metavar="SIZE", help="of the guest (%(default)s)")
    add("--cpus", type=int, default=2, metavar="N", help="of --kernel vm (%(default)s)")
    add_many(parser, "--share", Path, "DIR", "show this directory, too, at the same path")
    add_many(parser, "--write", Path, "DIR", "let the guest write to this directory")
    add_many(parser, "--env", str, "NAME[=VALUE]", "set a variable, or pass ours on")
    add_many(parser, "--append", str, "WORD", "add to the kernel's command line")
    add("--console", action="store_true", help="print the kernel's messages at the end")
    add("--build", action="store_true", help="build the image if it is not there, and no more")
    add_many(parser, "--package", str, "NAME", "an image with this Debian package, too")
    add("--mirror", metavar="URL", help="where to build from (default: mmdebstrap's)")
    cache = default_cache()
    add("--cache", type=Path, default=cache, metavar="DIR", help="of images (%(default)s)")
    add("command", nargs="*", metavar="COMMAND")
    return parser


def add_many(
    parser: argparse.ArgumentParser, name: str, kind: type[str] | type[Path], word: str, text: str
) -> None:
    """An option that may be given several times."""
    parser.add_argument(name, action="append", default=[], type=kind, metavar=word, help=text)


def parse_environment(items: list[str], ours: dict[str, str]) -> dict[str, str]:
    """NAME=VALUE sets; NAME passes ours on, if it is set."""
    environment = {}
    for item in items:
        name, equals, value = item.partition("=")
        if equals or name in ours:
            environment[name] = value if equals else ours[name]
    return environment


def make_request(given: argparse.Namespace) -> Request:
    """What the options ask for."""
    return Request(
        command=tuple(given.command),
        directory=Path.cwd(),
        kernel=given.kernel,
        systemd=given.systemd,
        shared=tuple(given.share),
        writable=tuple(given.write),
        environment=parse_environment(given.env, dict(os.environ)),
        memory=given.memory,
        cpus=given.cpus,
        append=tuple(given.append),
    )


def check_root() -> None:
    """GuestError unless we are root."""
    if os.geteuid() != 0:
        raise GuestError("needs root: to build the image, and for the files of the guest")


def end_on_sigterm(number: int, frame: object) -> None:
    """End as on ^C: the guest's processes go with us."""
    del frame
    sys.exit(128 + number)


def main(arguments: list[str] | None = None) -> int:
    """Build, or run a command; the exit status to end with."""
    parser = make_parser()
    given = parser.parse_args(arguments)
    if bool(given.command) == given.build:
        parser.error("give either a command or --build")
    signal.signal(signal.SIGTERM, end_on_sigterm)
    try:
        check_root()
        image = find_image(given.cache, Recipe(tuple(given.package), given.mirror))
        if given.build:
            return 0
        return run_guest(make_request(given), image, given.timeout, show_console=given.console)
    except GuestError as error:
        print(f"guest: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
