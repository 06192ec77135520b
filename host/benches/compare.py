#!/usr/bin/env python3
"""Prints how the working tree's speed compares with an earlier commit's: new time / old time, below 1 is faster.

    host/benches/compare.py [COMMIT]        HEAD~1 if none is given

Builds the benchmarks of the commit in a git worktree of its own and those of the working tree, and runs both, some three minutes in
all once they are built. Compared are the medians of `speed`, which load on the machine blurs, and the simulated times of
`link_efficiency`, which are exact. Needs git, cargo and Python 3.9.
"""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# A row of link_efficiency: what was captured, bytes read, round trips, milliseconds.
MODELLED = re.compile(r"(\S.*?) +\d+ +\d+ +(\d+\.\d+) ")


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


@contextlib.contextmanager
def worktree(commit, directory):
    git("worktree", "add", "--quiet", "--detach", directory, commit)
    try:
        yield
    finally:
        git("worktree", "remove", "--force", directory)


def bench(tree, environment, *arguments):
    command = ["cargo", "bench", "--quiet", "--package", "scopething", *arguments]
    run = subprocess.run(command, cwd=tree, env=environment, text=True, stdout=subprocess.PIPE)
    if run.returncode != 0:
        sys.exit(f"{' '.join(command)} failed in {tree}: see above, and whether that commit has this benchmark")
    return run.stdout


def times(tree, target, results):
    """Benchmark -> seconds."""
    environment = dict(os.environ, CARGO_TARGET_DIR=str(target), CRITERION_HOME=str(results))
    bench(tree, environment, "--bench", "speed", "--", "--save-baseline", "compared", "--noplot")
    found = {}
    for estimates in sorted(results.glob("**/compared/estimates.json")):
        name = json.loads(estimates.with_name("benchmark.json").read_text())["full_id"]
        found[name] = json.loads(estimates.read_text())["median"]["point_estimate"] * 1e-9
    for line in bench(tree, environment, "--bench", "link_efficiency").splitlines():
        if row := MODELLED.match(line):
            found["modelled link/" + row[1]] = float(row[2]) * 1e-3
    return found


def main():
    if len(sys.argv) > 2 or any(argument.startswith("-") for argument in sys.argv[1:]):
        sys.exit(__doc__.strip())
    commit = sys.argv[1] if len(sys.argv) > 1 else "HEAD~1"
    top = pathlib.Path(git("rev-parse", "--show-toplevel"))
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", top / "target")).absolute()
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        with worktree(commit, str(place / "tree")):
            old = times(place / "tree", target, place / "old")
        new = times(top, target, place / "new")
    print(f"{'benchmark':48} {commit + '/us':>14} {'now/us':>12} {'ratio':>7}")
    for name in dict.fromkeys([*old, *new]):
        if name in old and name in new:
            print(f"{name:48} {old[name] * 1e6:14.3f} {new[name] * 1e6:12.3f} {new[name] / old[name]:7.3f}")
        else:
            print(f"{name:48} only {'in ' + commit if name in old else 'now'}")


if __name__ == "__main__":
    main()
