"""Runs all checks in order, or those named, on one board; the first installs what the others need."""

import os
import subprocess
import sys
import time

import check_clock
import check_disk
import check_installation
import check_power
import check_restarts
import check_sandbox
import check_unplug
from bench import ROOT, Bench
from machine import Board, Failed

CHECKS = [
    check_installation.installed_as_documented,
    check_installation.port_has_group_name_and_low_latency,
    check_installation.sine_is_recorded_as_it_is,
    check_installation.summary_measures_the_sine,
    check_installation.systemd_and_journal_are_informed,
    check_sandbox.privileges_are_few,
    check_sandbox.scope_in_the_network_is_reached,
    check_unplug.unplugged_and_plugged_in_elsewhere,
    check_unplug.found_behind_another,
    check_restarts.killed,
    check_restarts.file_that_was_cut_is_repaired,
    check_clock.clock_set_back_an_hour,
    check_disk.full_disk_is_waited_for,
    check_power.power_is_cut,
    check_restarts.hanging_is_noticed_after_a_minute,
    check_restarts.stopped,
    check_restarts.wrong_job_is_not_tried_again,
]


def files(directory, program):
    """A file system with what README.md takes from a checkout."""
    tree = os.path.join(directory, "files")
    os.makedirs(os.path.join(tree, "target/release"))
    os.makedirs(os.path.join(tree, "host"))
    subprocess.run(["cp", program, os.path.join(tree, "target/release/scopething")], check=True)
    subprocess.run(["cp", "-r", os.path.join(ROOT, "host/systemd"), os.path.join(tree, "host")], check=True)
    image = os.path.join(directory, "files.img")
    room = os.path.getsize(program) // (1 << 20) + 32
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree, image, f"{room}M"], check=True, stdout=subprocess.DEVNULL)
    return image


def main(base, directory, program, wanted):
    began = time.monotonic()
    board = Board(directory, base, files(directory, program))
    bench = Bench(board, program)
    failed = passed = 0
    try:
        board.power_on()
        print(f"the board took {time.monotonic() - began:.0f} s to boot", flush=True)
        for check in CHECKS[:1] + [check for check in CHECKS[1:] if not wanted or check.__name__ in wanted]:
            started = time.monotonic()
            print(check.__name__, flush=True)
            try:
                if check is not CHECKS[0]:
                    bench.restore()
                check(bench)
                passed += 1
            except Failed as failure:
                failed += 1
                print(f"    FAILED: {failure}", *(f"      {entry}" for entry in bench.journal()[-12:]), sep="\n")
                if check is CHECKS[0]:
                    break
            print(f"    took {time.monotonic() - started:.0f} s", flush=True)
    finally:
        board.cut_power()
        bench.end()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4], sys.argv[4:]))
