/* As graphical programs and LabVIEW do it: start, look now and then, read, start again. polling [URL] */
#include <stdio.h>
#include <time.h>

#include <scopething.h>

int main(int argc, char **argv) {
    ScopethingError error;
    ScopethingCaptureRequest request;
    scopething_scope scope = 0;
    scopething_capture capture = 0;
    static float volts[12288];
    int traces = 0;

    if (scopething_open(argc > 1 ? argv[1] : "", &scope, &error) != SCOPETHING_OK) goto failed;
    if (scopething_capture_request_init(&request, &error) != SCOPETHING_OK) goto failed;
    request.auto_trigger = true;
    while (traces < 3) {
        bool ended = false;
        if (scopething_capture_start(scope, &request, &capture, &error) != SCOPETHING_OK) goto failed;
        while (!ended) {
            const struct timespec frame = {0, 5000000};
            if (scopething_capture_poll(capture, &ended, &error) != SCOPETHING_OK) goto failed;
            if (!ended) nanosleep(&frame, NULL);
        }
        size_t count = 0;
        if (scopething_capture_read_volts(capture, SCOPETHING_CHANNEL_A, volts, 12288, &count, &error) != SCOPETHING_OK) {
            goto failed;
        }
        traces++;
        printf("trace %d: %zu samples\n", traces, count);
        scopething_capture_close(capture, NULL);
    }
    scopething_close(scope, NULL);
    return 0;

failed:
    fprintf(stderr, "%s\n", error.message);
    scopething_capture_close(capture, NULL);
    scopething_close(scope, NULL);
    return 1;
}
