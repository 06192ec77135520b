/* What the interface promises, asked of the simulated scope. Prints a line a test; exits 1 at the first that fails. */
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <scopething.h>

#define URL "sim:?A=sine,1kHz,0..3V&clock=fast"
#define NEVER "sim:?A=dc,0V&B=dc,0V"
#define EXPECT(what) expect((what), #what, __LINE__)

static ScopethingError error;

static void expect(bool holds, const char *what, int line) {
    if (!holds) {
        fprintf(stderr, "line %d: not so: %s (%s: %s)\n", line, what, scopething_status_name(error.status), error.message);
        exit(1);
    }
}

static scopething_scope opened(const char *url) {
    scopething_scope scope = 0;
    EXPECT(scopething_open(url, &scope, &error) == SCOPETHING_OK);
    EXPECT(error.status == SCOPETHING_OK && error.message[0] == 0);
    return scope;
}

static ScopethingCaptureRequest usual(void) {
    ScopethingCaptureRequest request;
    EXPECT(scopething_capture_request_init(&request, &error) == SCOPETHING_OK);
    return request;
}

static scopething_capture started(scopething_scope scope, const ScopethingCaptureRequest *request) {
    scopething_capture capture = 0;
    EXPECT(scopething_capture_start(scope, request, &capture, &error) == SCOPETHING_OK);
    return capture;
}

static void wrong_handles(void) {
    ScopethingScopeInfo info;
    bool ended;
    scopething_scope scope = opened(URL);
    EXPECT(scopething_info(0, &info, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(scopething_info(scope + 1, &info, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(scopething_info(UINT64_MAX, &info, NULL) == SCOPETHING_ERROR_HANDLE);
    EXPECT(scopething_capture_poll(scope, &ended, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(scopething_stream_close(scope, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(strstr(error.message, "no handle of a stream") != NULL);
    EXPECT(scopething_info(scope, &info, &error) == SCOPETHING_OK && strcmp(info.revision, "BS000501") == 0);
    EXPECT(scopething_close(scope, &error) == SCOPETHING_OK);
    EXPECT(scopething_close(scope, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(scopething_info(scope, &info, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(scopething_stop_generators(scope, &error) == SCOPETHING_ERROR_HANDLE);
}

static void wrong_arguments(void) {
    scopething_scope scope = opened(URL), other;
    ScopethingCaptureRequest request = usual();
    scopething_capture capture;
    size_t count;
    EXPECT(scopething_open(NULL, &other, &error) == SCOPETHING_ERROR_ARGUMENT);
    EXPECT(scopething_open(URL, NULL, &error) == SCOPETHING_ERROR_ARGUMENT);
    EXPECT(scopething_open("\xff", &other, &error) == SCOPETHING_ERROR_ARGUMENT);
    EXPECT(scopething_open("sim:?nonsense=1", &other, &error) == SCOPETHING_ERROR_ARGUMENT && other == 0);
    EXPECT(scopething_open("socket://127.0.0.1:1", &other, &error) == SCOPETHING_ERROR_NOT_FOUND);
    EXPECT(scopething_capture_start(scope, NULL, &capture, &error) == SCOPETHING_ERROR_ARGUMENT);
    EXPECT(scopething_list(NULL, 1, &count, &error) == SCOPETHING_ERROR_ARGUMENT);
    EXPECT(scopething_list(NULL, 0, &count, &error) == SCOPETHING_OK);
    request.struct_size--;
    EXPECT(scopething_capture_start(scope, &request, &capture, &error) == SCOPETHING_ERROR_ARGUMENT);
    request = usual();
    request.channels = 4;
    EXPECT(scopething_capture_start(scope, &request, &capture, &error) == SCOPETHING_ERROR_ARGUMENT);
    request = usual();
    request.trigger = "C";
    EXPECT(scopething_capture_start(scope, &request, &capture, &error) == SCOPETHING_ERROR_ARGUMENT);
    request = usual();
    request.period_s = NAN;
    EXPECT(scopething_capture_start(scope, &request, &capture, &error) == SCOPETHING_ERROR_PLAN);
    request = usual();
    request.probe = "none of this name";
    EXPECT(scopething_capture_start(scope, &request, &capture, &error) == SCOPETHING_ERROR_ARGUMENT);
    EXPECT(scopething_wave(scope, "wobble 1kHz", false, NULL, &error) == SCOPETHING_ERROR_ARGUMENT);
    /* None of it has left the scope busy. */
    request = usual();
    capture = started(scope, &request);
    EXPECT(scopething_capture_wait(capture, -1, &error) == SCOPETHING_OK);
    EXPECT(scopething_capture_close(capture, &error) == SCOPETHING_OK);
    EXPECT(scopething_close(scope, &error) == SCOPETHING_OK);
}

static void a_capture(void) {
    scopething_scope scope = opened(URL);
    ScopethingCaptureRequest request = usual();
    request.channels = SCOPETHING_CHANNEL_A | SCOPETHING_CHANNEL_L0 << 3;
    scopething_capture capture = started(scope, &request);
    EXPECT(scopething_capture_wait(capture, -1, &error) == SCOPETHING_OK);
    /* What was captured stays when the scope is closed. */
    EXPECT(scopething_close(scope, &error) == SCOPETHING_OK);
    ScopethingCaptureInfo info;
    ScopethingSeries series;
    EXPECT(scopething_capture_info(capture, &info, &error) == SCOPETHING_OK);
    EXPECT(info.triggered && info.end_reason == SCOPETHING_ENDED_BY_TRIGGER);
    EXPECT(fabs(info.trigger_time_s - 0.25e-3) < 2e-6);
    EXPECT(scopething_capture_series(capture, SCOPETHING_CHANNEL_A, &series, &error) == SCOPETHING_OK);
    EXPECT(series.count == 1000 && fabs(series.period_s - 1e-6) < 1e-12);
    static float volts[1000];
    static uint16_t raw[1000];
    static uint8_t logic[1000];
    size_t count;
    EXPECT(scopething_capture_read_volts(capture, SCOPETHING_CHANNEL_A, volts, 1000, &count, &error) == SCOPETHING_OK && count == 1000);
    EXPECT(scopething_capture_read_raw(capture, SCOPETHING_CHANNEL_A, raw, 1000, &count, &error) == SCOPETHING_OK && count == 1000);
    EXPECT(scopething_capture_read_logic(capture, logic, 1000, &count, &error) == SCOPETHING_OK && count == 1000);
    float low = volts[0], high = volts[0];
    for (size_t i = 0; i < 1000; i++) {
        low = fminf(low, volts[i]);
        high = fmaxf(high, volts[i]);
        EXPECT((logic[i] & ~8) == 0);
        /* Volts and steps are the same samples. */
        EXPECT(fabs(volts[i] - volts[0] - (raw[i] - raw[0]) * series.resolution_v) < 1e-3);
    }
    EXPECT(fabsf(low) < 0.1f && fabsf(high - 3) < 0.1f);
    EXPECT(scopething_capture_read_volts(capture, SCOPETHING_CHANNEL_A, volts, 10, &count, &error) == SCOPETHING_OK && count == 10);
    EXPECT(scopething_capture_read_volts(capture, SCOPETHING_CHANNEL_B, volts, 10, &count, &error) == SCOPETHING_ERROR_ARGUMENT);
    EXPECT(scopething_capture_read_volts(capture, SCOPETHING_CHANNEL_L0, volts, 10, &count, &error) == SCOPETHING_ERROR_ARGUMENT);
    EXPECT(scopething_capture_close(capture, &error) == SCOPETHING_OK);
    EXPECT(scopething_capture_info(capture, &info, &error) == SCOPETHING_ERROR_HANDLE);
}

static void planning(void) {
    scopething_scope scope = opened(URL);
    ScopethingCaptureRequest request = usual();
    ScopethingPlan plan, with_scope;
    /* 1000 samples over 2 ms are 500 kS/s; a quarter of them is before the trigger. */
    request.period_s = 2e-3;
    EXPECT(scopething_plan(0, &request, &plan, &error) == SCOPETHING_OK);
    EXPECT(plan.samples == 1000 && plan.pre_trigger_samples == 250 && fabs(plan.sample_rate_hz - 500e3) < 1e-3);
    EXPECT(fabs(plan.period_s - 2e-3) < 1e-9 && plan.delay_s == 0);
    EXPECT(plan.dump_bytes == plan.samples * plan.sample_bytes && plan.notices[0] == 0 && plan.mode[0] != 0);
    EXPECT(scopething_plan(scope, &request, &with_scope, &error) == SCOPETHING_OK);
    EXPECT(strcmp(plan.mode, with_scope.mode) == 0 && plan.samples == with_scope.samples);
    /* What a generator drives cannot be captured, which only the scope knows. */
    request.channels = SCOPETHING_CHANNEL_L0 << 5;
    EXPECT(scopething_clock(scope, "1MHz 50%", NULL, &error) == SCOPETHING_OK);
    EXPECT(scopething_plan(0, &request, &plan, &error) == SCOPETHING_OK);
    EXPECT(scopething_plan(scope, &request, &plan, &error) == SCOPETHING_ERROR_PLAN);
    request = usual();
    request.samples = 20000;
    EXPECT(scopething_plan(0, &request, &plan, &error) == SCOPETHING_OK);
    EXPECT(plan.samples < 20000 && strstr(plan.notices, "instead of 20000") != NULL);
    request.period_s = 1e9;
    EXPECT(scopething_plan(0, &request, &plan, &error) == SCOPETHING_ERROR_PLAN);
    EXPECT(strstr(error.message, "too long") != NULL);
    EXPECT(scopething_plan(scope + 100, &request, &plan, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(scopething_plan(0, &request, NULL, &error) == SCOPETHING_ERROR_ARGUMENT);
    EXPECT(scopething_close(scope, &error) == SCOPETHING_OK);
    EXPECT(scopething_plan(scope, &request, &plan, &error) == SCOPETHING_ERROR_HANDLE);
}

static void serial_number(void) {
    scopething_scope scope = opened(URL);
    char serial[9], again[9], cut[4];
    EXPECT(scopething_serial_number(scope, serial, sizeof serial, &error) == SCOPETHING_OK && strlen(serial) == 8);
    EXPECT(scopething_serial_number(scope, again, sizeof again, &error) == SCOPETHING_OK && strcmp(serial, again) == 0);
    EXPECT(scopething_serial_number(scope, cut, sizeof cut, &error) == SCOPETHING_OK);
    EXPECT(strlen(cut) == 3 && strncmp(serial, cut, 3) == 0);
    EXPECT(scopething_serial_number(scope, serial, 0, &error) == SCOPETHING_ERROR_ARGUMENT);
    EXPECT(scopething_close(scope, &error) == SCOPETHING_OK);
    EXPECT(scopething_serial_number(scope, serial, sizeof serial, &error) == SCOPETHING_ERROR_HANDLE);
}

static void listing(void) {
    ScopethingPort ports[64];
    size_t count, all;
    EXPECT(scopething_list(NULL, 0, &all, &error) == SCOPETHING_OK);
    EXPECT(scopething_list(ports, 64, &count, &error) == SCOPETHING_OK && count == all);
    for (size_t i = 0; i < count && i < 64; i++) {
        EXPECT(strlen(ports[i].name) > 0 && strlen(ports[i].name) < sizeof ports[i].name);
        EXPECT(i == 0 || strcmp(ports[i - 1].name, ports[i].name) < 0);
    }
    EXPECT(scopething_list(ports, 64, NULL, &error) == SCOPETHING_ERROR_ARGUMENT);
}

static void verified_captures(void) {
    /* A link that changes a byte now and then: what is read twice is right or an error. */
    scopething_scope scope = opened(URL "&faults=corrupt@0.02%&seed=7");
    ScopethingCaptureRequest request = usual();
    static uint16_t steps[1000];
    size_t count;
    int good = 0;
    request.eight_bits = true;
    request.verify = true;
    for (int i = 0; i < 20; i++) {
        scopething_capture capture = started(scope, &request);
        ScopethingStatus status = scopething_capture_wait(capture, -1, &error);
        if (status == SCOPETHING_OK) {
            good++;
            EXPECT(scopething_capture_read_raw(capture, SCOPETHING_CHANNEL_A, steps, 1000, &count, &error) == SCOPETHING_OK);
            /* 0..3 V of -5.5..8 V, a sine that moves at most a step a sample: a wrong byte would stand out. */
            for (size_t k = 1; k < count; k++) EXPECT(abs(steps[k] - steps[k - 1]) <= 4);
        } else {
            EXPECT(status == SCOPETHING_ERROR_BAD_ANSWER || status == SCOPETHING_ERROR_LINK_LOST);
        }
        EXPECT(scopething_capture_close(capture, &error) == SCOPETHING_OK);
    }
    EXPECT(good > 0);
    EXPECT(scopething_close(scope, &error) == SCOPETHING_OK);
}

/* What was going on when the process was forked. */
typedef struct {
    scopething_scope scope;
    scopething_capture running, ended;
    scopething_stream stream;
} Inherited;

static void child(const Inherited *inherited) {
    char serial[9];
    bool ended;
    float row[1];
    ScopethingBlock block;
    ScopethingCaptureInfo info;
    /* Nobody serves any of it in this process: waiting for that would never end. */
    alarm(20);
    EXPECT(scopething_serial_number(inherited->scope, serial, sizeof serial, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(strstr(error.message, "process") != NULL);
    EXPECT(scopething_capture_poll(inherited->running, &ended, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(scopething_capture_wait(inherited->running, -1, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(scopething_capture_close(inherited->running, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(scopething_capture_info(inherited->ended, &info, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(scopething_stream_read(inherited->stream, row, 1, -1, &block, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(scopething_stream_close(inherited->stream, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(scopething_close(inherited->scope, &error) == SCOPETHING_ERROR_HANDLE);
    scopething_scope own = opened(URL);
    EXPECT(own != inherited->scope && own != inherited->running && own != inherited->ended && own != inherited->stream);
    EXPECT(scopething_serial_number(own, serial, sizeof serial, &error) == SCOPETHING_OK);
    EXPECT(scopething_close(own, &error) == SCOPETHING_OK);
}

static void children(void) {
    ScopethingCaptureRequest request = usual();
    ScopethingStreamRequest stream_request;
    scopething_scope waiting = opened(NEVER), streaming = opened(URL);
    char serial[9];
    Inherited inherited = {.scope = opened(URL)};
    inherited.running = started(waiting, &request);
    inherited.ended = started(inherited.scope, &request);
    EXPECT(scopething_capture_wait(inherited.ended, -1, &error) == SCOPETHING_OK);
    EXPECT(scopething_stream_request_init(&stream_request, &error) == SCOPETHING_OK);
    EXPECT(scopething_stream_start(streaming, &stream_request, &inherited.stream, &error) == SCOPETHING_OK);
    fflush(stdout);
    pid_t forked = fork();
    EXPECT(forked >= 0);
    if (forked == 0) {
        child(&inherited);
        _exit(0);
    }
    int status;
    EXPECT(waitpid(forked, &status, 0) == forked && status == 0);
    /* All that is the parent's is as it was. */
    bool ended = true;
    EXPECT(scopething_capture_poll(inherited.running, &ended, &error) == SCOPETHING_OK && !ended);
    EXPECT(scopething_capture_close(inherited.running, &error) == SCOPETHING_OK);
    EXPECT(scopething_capture_close(inherited.ended, &error) == SCOPETHING_OK);
    EXPECT(scopething_stream_close(inherited.stream, &error) == SCOPETHING_OK);
    EXPECT(scopething_serial_number(inherited.scope, serial, sizeof serial, &error) == SCOPETHING_OK);
    EXPECT(scopething_close(inherited.scope, &error) == SCOPETHING_OK);
    EXPECT(scopething_close(waiting, &error) == SCOPETHING_OK);
    EXPECT(scopething_close(streaming, &error) == SCOPETHING_OK);
}

static int cancel_at_once(void *user, uint32_t done, uint32_t total) {
    (void)done;
    (void)total;
    ++*(int *)user;
    return 1;
}

static void cancelling(void) {
    scopething_scope scope = opened(NEVER);
    ScopethingCaptureRequest request = usual();
    ScopethingCaptureInfo info;
    scopething_capture capture = started(scope, &request), second;
    bool ended = true;
    int calls = 0;
    EXPECT(scopething_capture_poll(capture, &ended, &error) == SCOPETHING_OK && !ended);
    EXPECT(scopething_capture_wait(capture, 0.01, &error) == SCOPETHING_ERROR_TIMEOUT);
    EXPECT(scopething_capture_info(capture, &info, &error) == SCOPETHING_ERROR_BUSY);
    EXPECT(scopething_capture_start(scope, &request, &second, &error) == SCOPETHING_ERROR_BUSY && second == 0);
    EXPECT(scopething_capture_wait_with(capture, 0.02, cancel_at_once, &calls, &error) == SCOPETHING_OK && calls > 0);
    EXPECT(scopething_capture_info(capture, &info, &error) == SCOPETHING_OK);
    EXPECT(info.end_reason == SCOPETHING_ENDED_BY_CANCEL && !info.triggered);
    EXPECT(scopething_capture_close(capture, &error) == SCOPETHING_OK);
    /* Closing a capture that waits ends it, and the scope is free. */
    capture = started(scope, &request);
    EXPECT(scopething_capture_close(capture, &error) == SCOPETHING_OK);
    capture = started(scope, &request);
    /* So does closing the scope. */
    EXPECT(scopething_close(scope, &error) == SCOPETHING_OK);
    EXPECT(scopething_capture_wait(capture, -1, &error) == SCOPETHING_ERROR_CLOSED);
    EXPECT(scopething_capture_close(capture, &error) == SCOPETHING_OK);
}

static void generators(void) {
    scopething_scope scope = opened("sim:?clock=fast");
    ScopethingScopeInfo info;
    double frequency_hz = 0;
    EXPECT(scopething_wave(scope, "sine 1kHz 0..3V", false, &frequency_hz, &error) == SCOPETHING_OK);
    EXPECT(fabs(frequency_hz - 1000) <= 0.1);
    EXPECT(scopething_info(scope, &info, &error) == SCOPETHING_OK && info.generates == SCOPETHING_GENERATES_WAVEFORM);
    EXPECT(scopething_clock(scope, "1MHz 50%", NULL, &error) == SCOPETHING_ERROR_ARGUMENT);
    EXPECT(scopething_stop_generators(scope, &error) == SCOPETHING_OK);
    EXPECT(scopething_clock(scope, "1MHz 50%", &frequency_hz, &error) == SCOPETHING_OK && frequency_hz == 1e6);
    EXPECT(scopething_stop_generators(scope, &error) == SCOPETHING_OK);
    EXPECT(scopething_hold(scope, "L3=1,L5=0", &error) == SCOPETHING_OK);
    EXPECT(scopething_stop_generators(scope, &error) == SCOPETHING_OK);
    const float steps[] = {0, 1};
    EXPECT(scopething_wave_samples(scope, 1000, 0, 3, steps, 1, false, NULL, &error) == SCOPETHING_ERROR_ARGUMENT);
    EXPECT(scopething_wave_samples(scope, 1000, 0, 3, steps, 2, false, NULL, &error) == SCOPETHING_OK);
    EXPECT(scopething_close(scope, &error) == SCOPETHING_OK);
}

static void calibration(void) {
    scopething_scope scope = opened("sim:?clock=fast");
    ScopethingCalibration calibration;
    int calls = 0;
    EXPECT(scopething_calibrate(scope, NULL, SCOPETHING_CHANNEL_A, 16, false, cancel_at_once, &calls, &calibration, &error) ==
           SCOPETHING_ERROR_CANCELLED);
    EXPECT(calls == 1);
    /* A name that cannot be kept is refused before anything is measured. */
    EXPECT(scopething_calibrate(scope, "a\nb", SCOPETHING_CHANNEL_A, 16, true, cancel_at_once, &calls, &calibration, &error) ==
           SCOPETHING_ERROR_ARGUMENT);
    EXPECT(calls == 1);
    EXPECT(scopething_calibrate(scope, NULL, SCOPETHING_CHANNEL_A, 16, false, NULL, NULL, &calibration, &error) == SCOPETHING_OK);
    EXPECT(calibration.used > 0 && calibration.residual_v < 0.05);
    /* What was not saved is known to this scope alone. */
    ScopethingCaptureRequest request = usual();
    ScopethingPlan plan;
    EXPECT(scopething_calibrate(scope, "mine", SCOPETHING_CHANNEL_A, 16, false, NULL, NULL, &calibration, &error) == SCOPETHING_OK);
    request.probe = "mine";
    EXPECT(scopething_plan(scope, &request, &plan, &error) == SCOPETHING_OK);
    scopething_scope another = opened("sim:?clock=fast");
    EXPECT(scopething_plan(another, &request, &plan, &error) == SCOPETHING_ERROR_ARGUMENT);
    EXPECT(scopething_close(another, &error) == SCOPETHING_OK);
    EXPECT(scopething_calibrate(scope, "mine", SCOPETHING_CHANNEL_A, 16, true, NULL, NULL, &calibration, &error) == SCOPETHING_OK);
    EXPECT(scopething_close(scope, &error) == SCOPETHING_OK);
    another = opened("sim:?clock=fast");
    EXPECT(scopething_plan(another, &request, &plan, &error) == SCOPETHING_OK);
    EXPECT(scopething_close(another, &error) == SCOPETHING_OK);
}

static void a_stream(void) {
    scopething_scope scope = opened(URL);
    ScopethingStreamRequest request;
    ScopethingStreamInfo info;
    ScopethingBlock block;
    scopething_stream stream;
    static float rows[200];
    EXPECT(scopething_stream_request_init(&request, &error) == SCOPETHING_OK);
    request.channels = SCOPETHING_CHANNEL_A | SCOPETHING_CHANNEL_L0;
    EXPECT(scopething_stream_start(scope, &request, &stream, &error) == SCOPETHING_OK);
    EXPECT(scopething_stream_info(stream, &info, &error) == SCOPETHING_OK);
    EXPECT(info.column_count == 2 && info.columns[0] == SCOPETHING_CHANNEL_A && info.columns[1] == SCOPETHING_CHANNEL_L0);
    EXPECT(fabs(info.row_period_s - 1e-3) < 1e-6);
    EXPECT(scopething_stream_read(stream, rows, 1, 1, &block, &error) == SCOPETHING_ERROR_ARGUMENT);
    EXPECT(scopething_stream_read(stream, rows, 200, -1, &block, &error) == SCOPETHING_OK);
    EXPECT(block.first == 0 && block.lost_frames == 0 && block.rows == 100);
    EXPECT(scopething_stop_generators(scope, &error) == SCOPETHING_ERROR_BUSY);
    ScopethingStreamTotals totals;
    EXPECT(scopething_stream_totals(stream, &totals, &error) == SCOPETHING_OK);
    /* Each row is made of two or more frames: there are none slower than 2441 a second. */
    EXPECT(!totals.ended && totals.frames >= 200 && totals.lost_frames == 0 && totals.gaps == 0);
    EXPECT(scopething_stream_totals(stream, NULL, &error) == SCOPETHING_ERROR_ARGUMENT);
    EXPECT(scopething_stream_close(stream, &error) == SCOPETHING_OK);
    EXPECT(scopething_stream_totals(stream, &totals, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(scopething_stop_generators(scope, &error) == SCOPETHING_OK);
    /* Closing the scope ends a stream. */
    EXPECT(scopething_stream_start(scope, &request, &stream, &error) == SCOPETHING_OK);
    EXPECT(scopething_close(scope, &error) == SCOPETHING_OK);
    EXPECT(scopething_stream_close(stream, &error) == SCOPETHING_OK);
}

static int close_within(void *user, uint32_t done, uint32_t total) {
    (void)done;
    (void)total;
    EXPECT(scopething_close(*(scopething_scope *)user, &error) == SCOPETHING_ERROR_BUSY);
    return 1;
}

static void callbacks_close_nothing(void) {
    scopething_scope scope = opened("sim:?clock=fast");
    ScopethingCalibration calibration;
    EXPECT(scopething_calibrate(scope, NULL, SCOPETHING_CHANNEL_A, 16, false, close_within, &scope, &calibration, &error) ==
           SCOPETHING_ERROR_CANCELLED);
    EXPECT(scopething_close(scope, &error) == SCOPETHING_OK);
}

/* What a callback does beside its scope: all but closing that. */
static int use_others(void *user, uint32_t done, uint32_t total) {
    scopething_scope other = *(scopething_scope *)user, another = 0;
    ScopethingCaptureRequest request = usual();
    char serial[9];
    EXPECT(done <= total);
    EXPECT(scopething_open(URL, &another, &error) == SCOPETHING_OK);
    scopething_capture capture = started(another, &request);
    EXPECT(scopething_capture_wait(capture, -1, &error) == SCOPETHING_OK);
    EXPECT(scopething_capture_close(capture, &error) == SCOPETHING_OK);
    EXPECT(scopething_serial_number(other, serial, sizeof serial, &error) == SCOPETHING_OK && strlen(serial) == 8);
    EXPECT(scopething_close(another, &error) == SCOPETHING_OK);
    EXPECT(scopething_close(other, &error) == SCOPETHING_OK);
    return 1;
}

static void callbacks_use_others(void) {
    scopething_scope scope = opened("sim:?clock=fast"), other = opened(URL);
    ScopethingCalibration calibration;
    EXPECT(scopething_calibrate(scope, NULL, SCOPETHING_CHANNEL_A, 16, false, use_others, &other, &calibration, &error) ==
           SCOPETHING_ERROR_CANCELLED);
    EXPECT(scopething_close(other, &error) == SCOPETHING_ERROR_HANDLE);
    EXPECT(scopething_close(scope, &error) == SCOPETHING_OK);
}

static void *open_and_close(void *count) {
    for (long i = 0; i < (long)(intptr_t)count; i++) {
        scopething_scope scope = 0;
        ScopethingError own;
        if (scopething_open(URL, &scope, &own) != SCOPETHING_OK || scopething_close(scope, &own) != SCOPETHING_OK) {
            fprintf(stderr, "open %ld: %s\n", i, own.message);
            exit(1);
        }
    }
    return NULL;
}

static void opens(long count) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) EXPECT(pthread_create(&threads[i], NULL, open_and_close, (void *)(intptr_t)(count / 4)) == 0);
    for (int i = 0; i < 4; i++) EXPECT(pthread_join(threads[i], NULL) == 0);
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    EXPECT(scopething_abi_version() == SCOPETHING_ABI_VERSION);
    wrong_handles();
    puts("wrong handles: ok");
    wrong_arguments();
    puts("wrong arguments: ok");
    a_capture();
    puts("a capture: ok");
    planning();
    puts("planning: ok");
    serial_number();
    puts("serial number: ok");
    listing();
    puts("listing: ok");
    verified_captures();
    puts("verified captures: ok");
    children();
    puts("children: ok");
    cancelling();
    puts("cancelling: ok");
    generators();
    puts("generators: ok");
    calibration();
    puts("calibration: ok");
    a_stream();
    puts("a stream: ok");
    callbacks_close_nothing();
    puts("callbacks close nothing: ok");
    callbacks_use_others();
    puts("callbacks use others: ok");
    long count = argc > 1 ? atol(argv[1]) : 40;
    opens(count);
    printf("%ld opens on 4 threads: ok\n", count);
    return 0;
}
