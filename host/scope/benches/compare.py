#!/usr/bin/env python3
"""Prints how the working tree's speed compares with an earlier commit's: new time / old, below 1 is faster.

    host/scope/benches/compare.py [COMMIT]        HEAD~1 if none is given

Builds the benchmarks of the commit in a git worktree of its own and those of the working tree, and runs both
in turn, some three minutes in all once they are built. Compared are the median and the fastest sample of
`speed`, of each side the lowest of a few rounds: other work on the machine only ever adds, to the median
first. And the simulated times of `link_efficiency`, which are exact. Needs git, cargo and Python 3.9.
"""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROUNDS = 3
SPEED = ["--bench", "speed", "--", "--quiet", "--save-baseline", "compared"]
SPEED += ["--warm-up-time", "0.3", "--measurement-time", "1", "--sample-size", "50"]
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
    run = subprocess.run(command, cwd=tree, env=environment, text=True, capture_output=True)
    if run.returncode != 0:
        sys.exit(f"{run.stdout}{run.stderr}{' '.join(command)} failed in {tree}: does that commit have it?")
    return run.stdout


def measured(tree, environment):
    """Benchmark -> median and fastest sample of one round of `speed`, in seconds."""
    found = {}
    with tempfile.TemporaryDirectory() as results:
        bench(tree, environment | {"CRITERION_HOME": results}, *SPEED)
        for directory in sorted(pathlib.Path(results).glob("**/compared")):
            name, estimates, sample = (
                json.loads((directory / file).read_text())
                for file in ["benchmark.json", "estimates.json", "sample.json"]
            )
            fastest = min(time / count for time, count in zip(sample["times"], sample["iters"]))
            found[name["full_id"]] = (estimates["median"]["point_estimate"] * 1e-9, fastest * 1e-9)
    return found


def modelled(tree, environment):
    """Capture on the modelled link -> simulated seconds, twice, there being but one."""
    lines = bench(tree, environment, "--bench", "link_efficiency").splitlines()
    rows = filter(None, map(MODELLED.match, lines))
    return {"modelled link/" + row[1]: (float(row[2]) * 1e-3,) * 2 for row in rows}


def compare(old_tree, new_tree, environment):
    """The times of both sides."""
    old, new = {}, {}
    for _ in range(ROUNDS):
        for tree, lowest in [(old_tree, old), (new_tree, new)]:
            for name, times in measured(tree, environment).items():
                lowest[name] = tuple(map(min, times, lowest.get(name, times)))
    return old | modelled(old_tree, environment), new | modelled(new_tree, environment)


def main():
    if len(sys.argv) > 2 or any(argument.startswith("-") for argument in sys.argv[1:]):
        sys.exit(__doc__.strip())
    commit = sys.argv[1] if len(sys.argv) > 1 else "HEAD~1"
    top = pathlib.Path(git("rev-parse", "--show-toplevel"))
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", top / "target")).absolute()
    environment = dict(os.environ, CARGO_TARGET_DIR=str(target))
    with tempfile.TemporaryDirectory() as directory:
        tree = os.path.join(directory, "tree")
        with worktree(commit, tree):
            old, new = compare(tree, top, environment)
    print(f"{'benchmark':44} {commit + '/us':>12} {'now/us':>12} {'ratio':>6} {'of fastest':>10}")
    for name in dict.fromkeys([*old, *new]):
        if name not in old or name not in new:
            print(f"{name:44} only {'in ' + commit if name in old else 'now'}")
            continue
        (median, fastest), (median_now, fastest_now) = old[name], new[name]
        ratios = f"{median_now / median:6.3f} {fastest_now / fastest:10.3f}"
        print(f"{name:44} {median * 1e6:12.3f} {median_now * 1e6:12.3f} {ratios}")


if __name__ == "__main__":
    main()
