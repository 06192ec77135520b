"""``python -m scopething [URL]``: a prompt with a connected scope."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Dict, List, Optional

import scopething

from ._errors import Error
from ._scope import Scope

BANNER = """\
{scope} {revision}
s is the scope; capture(), capturep(), start_waveform(), start_clock(), calibrate() are its own, and scopething has the rest.
traces = capture("A", period="5ms"); traces.plot()        help(capture): more; Ctrl-C during a capture gives what is there
"""


def names(scope: Scope) -> Dict[str, Any]:
    """What the prompt begins with."""
    space: Dict[str, Any] = {
        "scopething": scopething,
        "s": scope,
        "scope": scope,
        "analyse": scopething.analyse,
        "read": scopething.read,
    }
    methods = "capture", "plan", "stream", "hold", "release", "start_waveform", "stop_waveform", "start_clock", "stop_clock"
    for name in methods:
        space[name] = getattr(scope, name)

    def capturep(*args: Any, **kwargs: Any) -> Any:
        """Captures, and gives a pandas table: a column for each channel, by the time in seconds."""
        return scope.capture(*args, **kwargs).to_pandas()

    def calibrate(*args: Any, **kwargs: Any) -> Any:
        """Calibrates a probe, as `Scope.calibrate`, and shows how far it has come."""

        def show(done: int, points: int) -> None:
            print(f"\rcalibrating: {done} of {points} points", end="", file=sys.stderr, flush=True)

        try:
            return scope.calibrate(*args, **{"progress": show, **kwargs})
        finally:
            print(file=sys.stderr)

    space.update(capturep=capturep, calibrate=calibrate)
    try:
        import numpy

        space["np"] = numpy
        from matplotlib import pyplot

        space.update(plt=pyplot, plot=pyplot.plot, figure=pyplot.figure, show=pyplot.show)
    except ImportError:
        pass
    return space


def prompt(space: Dict[str, Any], banner: str, plain: bool) -> None:
    """IPython where it is installed and the input is a terminal, else Python's own prompt."""
    has_plots = "plt" in space
    if not plain and sys.stdin.isatty():
        try:
            import IPython
        except ImportError:
            pass
        else:
            print(banner)
            IPython.start_ipython(argv=["--no-banner", *(["--matplotlib"] if has_plots else [])], user_ns=space)
            return
    if has_plots:
        space["plt"].ion()
    import code

    if sys.stdin.isatty():
        try:
            import readline
            import rlcompleter
        except ImportError:
            pass
        else:
            readline.set_completer(rlcompleter.Completer(space).complete)
            readline.parse_and_bind("tab: complete")
    code.interact(banner, local=space, exitmsg="")


def main(arguments: Optional[List[str]] = None) -> int:
    """Connects and starts the prompt. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scopething", description="A prompt with a connected BitScope Micro")
    parser.add_argument("url", nargs="?", help="where it is, such as /dev/ttyUSB0, socket://host:port or sim:?A=sine,1kHz")
    parser.add_argument("--plain", action="store_true", help="Python's own prompt, also where IPython is installed")
    parser.add_argument("--version", action="version", version=scopething.__version__)
    parsed = parser.parse_args(arguments)
    try:
        scope = scopething.connect(parsed.url)
    except scopething.Usage as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Error as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with scope:
        prompt(names(scope), BANNER.format(scope=scope, revision=scope.revision), parsed.plain)
    return 0


if __name__ == "__main__":
    sys.exit(main())
