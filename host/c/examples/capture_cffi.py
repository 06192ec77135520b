"""Captures 1 ms of channel A by cffi and prints its extremes: capture_cffi.py PREFIX [URL]"""

import re
import sys
from pathlib import Path

import cffi


def load(prefix):
    """The library that `host/c/install PREFIX` has put there, with what its header declares."""
    header = (prefix / "include/scopething.h").read_text()
    header = re.sub(r"#ifdef __cplusplus.*?#endif[^\n]*", "", header, flags=re.S)
    constants = re.findall(r"^#define (SCOPETHING_\w+) ([0-9]\w*)", header, flags=re.M)
    header = re.sub(r"^#.*$", "", header, flags=re.M)
    for name, value in constants:
        header = header.replace(f"[{name}]", f"[{value}]")
    ffi = cffi.FFI()
    ffi.cdef(header)
    return ffi, ffi.dlopen(str(prefix / "lib/libscopething.so")), {name: int(value, 0) for name, value in constants}


def main():
    ffi, lib, constants = load(Path(sys.argv[1]))
    error = ffi.new("ScopethingError *")

    def check(status):
        if status != 0:
            sys.exit(ffi.string(error.message).decode())

    url = sys.argv[2] if len(sys.argv) > 2 else ""
    scope = ffi.new("scopething_scope *")
    check(lib.scopething_open(url.encode(), scope, error))
    request = ffi.new("ScopethingCaptureRequest *")
    check(lib.scopething_capture_request_init(request, error))
    request.timeout_s = 1
    capture = ffi.new("scopething_capture *")
    check(lib.scopething_capture_start(scope[0], request, capture, error))
    check(lib.scopething_capture_wait(capture[0], -1, error))
    volts, count = ffi.new("float[12288]"), ffi.new("size_t *")
    channel = constants["SCOPETHING_CHANNEL_A"]
    check(lib.scopething_capture_read_volts(capture[0], channel, volts, 12288, count, error))
    volts = ffi.unpack(volts, count[0])
    print(f"{len(volts)} samples, {min(volts):.2f} V to {max(volts):.2f} V")
    check(lib.scopething_capture_close(capture[0], error))
    check(lib.scopething_close(scope[0], error))


main()
