// Captures 1 ms of channel A and prints its extremes: capture [URL]
package main

/*
#cgo pkg-config: scopething
#include <stdlib.h>
#include <scopething.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"unsafe"
)

func check(status C.ScopethingStatus, failure *C.ScopethingError) error {
	if status == C.SCOPETHING_OK {
		return nil
	}
	return errors.New(C.GoString(&failure.message[0]))
}

func capture(url string) ([]float32, error) {
	var failure C.ScopethingError
	text := C.CString(url)
	defer C.free(unsafe.Pointer(text))
	var scope C.scopething_scope
	if err := check(C.scopething_open(text, &scope, &failure), &failure); err != nil {
		return nil, err
	}
	defer C.scopething_close(scope, nil)

	var request C.ScopethingCaptureRequest
	if err := check(C.scopething_capture_request_init(&request, &failure), &failure); err != nil {
		return nil, err
	}
	request.timeout_s = 1
	var taken C.scopething_capture
	if err := check(C.scopething_capture_start(scope, &request, &taken, &failure), &failure); err != nil {
		return nil, err
	}
	defer C.scopething_capture_close(taken, nil)
	if err := check(C.scopething_capture_wait(taken, -1, &failure), &failure); err != nil {
		return nil, err
	}

	volts := make([]float32, 12288)
	var count C.size_t
	read := C.scopething_capture_read_volts(taken, C.SCOPETHING_CHANNEL_A, (*C.float)(&volts[0]), C.size_t(len(volts)), &count, &failure)
	return volts[:count], check(read, &failure)
}

func main() {
	url := ""
	if len(os.Args) > 1 {
		url = os.Args[1]
	}
	volts, err := capture(url)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	low, high := volts[0], volts[0]
	for _, volt := range volts {
		low, high = min(low, volt), max(high, volt)
	}
	fmt.Printf("%d samples, %.2f V to %.2f V\n", len(volts), low, high)
}

func min(a, b float32) float32 {
	if a < b {
		return a
	}
	return b
}

func max(a, b float32) float32 {
	if a > b {
		return a
	}
	return b
}
