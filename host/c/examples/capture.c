/* Captures 1 ms of channel A and prints its extremes: capture [URL] */
#include <stdio.h>
#include <stdlib.h>

#include <scopething.h>

static void check(ScopethingStatus status, const ScopethingError *error) {
    if (status != SCOPETHING_OK) {
        fprintf(stderr, "%s: %s\n", scopething_status_name(status), error->message);
        exit(1);
    }
}

int main(int argc, char **argv) {
    ScopethingError error;
    scopething_scope scope;
    check(scopething_open(argc > 1 ? argv[1] : "", &scope, &error), &error);

    ScopethingCaptureRequest request;
    check(scopething_capture_request_init(&request, &error), &error);
    request.channels = SCOPETHING_CHANNEL_A;
    request.period_s = 1e-3;
    request.timeout_s = 1;

    scopething_capture capture;
    check(scopething_capture_start(scope, &request, &capture, &error), &error);
    check(scopething_capture_wait(capture, -1, &error), &error);

    static float volts[12288];
    size_t count;
    check(scopething_capture_read_volts(capture, SCOPETHING_CHANNEL_A, volts, 12288, &count, &error), &error);
    float low = volts[0], high = volts[0];
    for (size_t i = 1; i < count; i++) {
        low = volts[i] < low ? volts[i] : low;
        high = volts[i] > high ? volts[i] : high;
    }
    printf("%zu samples, %.2f V to %.2f V\n", count, low, high);

    check(scopething_capture_close(capture, &error), &error);
    check(scopething_close(scope, &error), &error);
    return 0;
}
