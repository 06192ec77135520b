"""Runs cargo for a target that is not this computer's: with the target of rustup where it is installed, else with Debian's
rustc-web, which brings the sources of the standard library.
"""

import os
import subprocess

# The targets of boards: Debian's tools for each, and how its programs run here.
TOOLS = {
    "aarch64-unknown-linux-gnu": "aarch64-linux-gnu-",
    "armv7-unknown-linux-gnueabihf": "arm-linux-gnueabihf-",
}
EMULATORS = {
    "aarch64-unknown-linux-gnu": ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"],
    "armv7-unknown-linux-gnueabihf": ["qemu-arm", "-L", "/usr/arm-linux-gnueabihf"],
}


def has_rustup_target(target, directory):
    try:
        command = ["rustup", "target", "list", "--installed"]
        listed = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, cwd=directory)
        return target in listed.stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return False


def cargo(target, directory, command, *arguments, crates, environment=None, linker_without_rustup=None):
    """`crates` of the standard library are built where rustup does not bring them."""
    environment = os.environ | (environment or {})
    words = ["cargo", command]
    if not has_rustup_target(target, directory):
        environment |= {"RUSTC": "/usr/bin/rustc", "RUSTC_BOOTSTRAP": "1"}
        environment["PATH"] = "/usr/bin:" + environment["PATH"]
        if linker_without_rustup:
            environment[linker_variable(target)] = linker_without_rustup
        words = ["/usr/bin/cargo", command, f"-Zbuild-std={crates}"]
    words += ["--locked", "--target", target, *arguments]
    subprocess.run(words, check=True, cwd=directory, env=environment)


def linker_variable(target):
    return f"CARGO_TARGET_{target.upper().translate(str.maketrans('-.', '__'))}_LINKER"
