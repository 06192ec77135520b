/* libBitLib from C, with the simulated scope: the first argument is its link, and if there is a second one, it is in this process. */
#include <bitlib.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXPECT(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s (error %d)\n", __FILE__, __LINE__, #condition, BL_Error()); \
            exit(1); \
        } \
    } while (0)

/* What the simulator shows: A rises and falls between 0 V and 3 V 1000 times a second, B is a sine of 1 kHz between 1 V and 2 V, L3 a
 * square wave of 10 kHz. */
enum { MAX_SAMPLES = 12288 };
static const char *link_name;
static double a[MAX_SAMPLES], b[MAX_SAMPLES], line[MAX_SAMPLES];

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

static void open_it(void) {
    EXPECT(BL_Open(link_name, 1) == 1);
    EXPECT(strcmp(BL_Version(BL_VERSION_DEVICE), "BS000501") == 0);
    /* Its serial number. */
    EXPECT(strlen(BL_ID()) == 8);
}

static void set_up(int mode, double rate, int size) {
    EXPECT(BL_Mode(mode) == mode);
    EXPECT(BL_Rate(rate) == rate);
    EXPECT(BL_Size(size) == size);
    for (int channel = 0; channel < 2; channel++) {
        EXPECT(BL_Select(BL_SELECT_CHANNEL, channel) == channel);
        EXPECT(BL_Range(2) == 5.2);
        EXPECT(BL_Offset(-1.5) == -1.5);
        EXPECT(BL_Enable(channel == 0 || mode == BL_MODE_DUAL));
    }
    EXPECT(BL_Select(BL_SELECT_CHANNEL, 1) == 1 && BL_Enable(mode == BL_MODE_DUAL || mode == BL_MODE_STREAM));
    EXPECT(BL_Select(BL_SELECT_CHANNEL, 0) == 0 && BL_Trigger(0.0, BL_TRIG_RISE));
}

static int acquired(int channel, int size, double *to) {
    EXPECT(BL_Select(BL_SELECT_CHANNEL, channel) == channel);
    return BL_Acquire(size, to);
}

/* The triangle on A as it is shown: around 0 V, since the offset takes 1.5 V off. */
static void is_triangle(const double *volts, int count, double rate) {
    double per_sample = 2 * 3.0 * 1000 / rate;
    int rising = 0, falling = 0;
    for (int i = 0; i < count; i++) {
        EXPECT(fabs(volts[i]) < 1.6);
        if (i == 0) continue;
        double step = volts[i] - volts[i - 1];
        /* Two steps of the converter are not resolved. */
        EXPECT(fabs(step) < per_sample + 2 * 5.2 / 256);
        rising += step > per_sample - 2 * 5.2 / 256;
        falling += step < -per_sample + 2 * 5.2 / 256;
    }
    EXPECT(rising > count / 3 && falling > count / 3);
}

static void analog(int mode) {
    set_up(mode, 100e3, 1000);
    /* A quarter of the way up the signal crosses 0 V: the trigger. */
    EXPECT(BL_Intro(1e-3) == 1e-3);
    EXPECT(BL_Trace(5, BL_SYNCHRONOUS) == TRUE && BL_State() == BL_STATE_DONE && BL_Error() == 0);
    EXPECT(acquired(0, 1000, a) == 1000);
    is_triangle(a, 1000, 100e3);
    EXPECT(a[97] < 0 && a[103] > 0 && a[103] - a[97] > 0.2);
    EXPECT(acquired(1, 1000, b) == (mode == BL_MODE_DUAL ? 1000 : 0));
    if (mode == BL_MODE_DUAL) {
        double low = b[0], high = b[0];
        for (int i = 0; i < 1000; i++) low = fmin(low, b[i]), high = fmax(high, b[i]);
        EXPECT(fabs(low + 0.5) < 0.05 && fabs(high - 0.5) < 0.05);
    }
    EXPECT(acquired(7, 1000, line) == (mode == BL_MODE_MIXED ? 1000 : 0));
    /* Of the next trace from a later sample on, and no more than there are. */
    EXPECT(BL_Index(990) && acquired(0, 1000, b) == 1000 && memcmp(a, b, 1000 * sizeof *a) == 0);
    EXPECT(BL_Trace(5, BL_SYNCHRONOUS) == TRUE && acquired(0, 1000, b) == 10);
    for (int i = 0; i < 10; i++) EXPECT(fabs(b[i] - a[990 + i]) < 2 * 3.0 * 1000 / 100e3 + 2 * 5.2 / 256);
    EXPECT(BL_Index(0));
    EXPECT(BL_Intro(0) == 0);
}

static void is_square(const double *volts, int count, int half_period) {
    int changes = 0, last = 0;
    for (int i = 1; i < count; i++) {
        EXPECT(volts[i] == 0 || volts[i] == 5);
        if (volts[i] == volts[i - 1]) continue;
        EXPECT(changes == 0 || abs(i - last - half_period) <= 1);
        last = i;
        changes++;
    }
    EXPECT(abs(changes - count / half_period) <= 1);
}

static void logic(void) {
    EXPECT(BL_Mode(BL_MODE_LOGIC) == BL_MODE_LOGIC && BL_Rate(1e6) == 1e6 && BL_Size(2000) == 2000);
    EXPECT(BL_Select(BL_SELECT_CHANNEL, 7) == 7 && BL_Range(BL_ASK) == 5 && BL_Trigger(1, BL_TRIG_FALL));
    EXPECT(BL_Intro(100e-6) == 100e-6);
    EXPECT(BL_Trace(5, BL_SYNCHRONOUS) == TRUE);
    EXPECT(acquired(7, 2000, line) == 2000);
    is_square(line, 2000, 50);
    EXPECT(line[95] == 5 && line[105] == 0);
    EXPECT(BL_Intro(0) == 0);
}

static void mixed(void) {
    analog(BL_MODE_MIXED);
    EXPECT(BL_Rate(1e6) == 1e6 && BL_Trace(BL_TRACE_FORCED, BL_SYNCHRONOUS) == TRUE);
    EXPECT(acquired(7, 1000, line) == 1000 && acquired(0, 1000, a) == 1000);
    is_square(line, 1000, 50);
    /* Both channels share the samples. */
    EXPECT(BL_Select(BL_SELECT_CHANNEL, 1) == 1 && BL_Enable(TRUE) && BL_Rate(BL_MAX_RATE) == 10e6 && BL_Rate(1e6) == 1e6);
    EXPECT(BL_Trace(BL_TRACE_FORCED, BL_SYNCHRONOUS) == TRUE);
    EXPECT(acquired(0, 1000, a) == 1000 && acquired(1, 1000, b) == 1000 && acquired(7, 1000, line) == 1000);
    for (int i = 1; i < 999; i += 2) {
        EXPECT(fabs(a[i] - (a[i - 1] + a[i + 1]) / 2) < 1e-9 && fabs(b[i] - (b[i - 1] + b[i + 1]) / 2) < 1e-9);
    }
    EXPECT(BL_Select(BL_SELECT_CHANNEL, 1) == 1 && BL_Enable(FALSE));
}

/* Traces follow on one another without a gap. */
static void stream(void) {
    double last[2] = {0, 0};
    set_up(BL_MODE_STREAM, 2441.40625, 500);
    for (int trace = 0; trace < 3; trace++) {
        EXPECT(BL_Trace(BL_TRACE_FORCED, BL_SYNCHRONOUS) == TRUE);
        EXPECT(acquired(0, 500, a) == 500 && acquired(1, 500, b) == 500 && acquired(7, 500, line) == 500);
        /* 1 kHz at 2441.40625 Hz: each sample of the sine is determined by the two before. */
        double factor = 2 * cos(2 * acos(-1) * 1000 / 2441.40625);
        for (int i = 0; i < 500; i++) {
            double one = i > 0 ? b[i - 1] : last[1], two = i > 1 ? b[i - 2] : i == 1 ? last[1] : last[0];
            if (trace > 0 || i > 1) EXPECT(fabs(b[i] - factor * one + two) < 3 * 5.2 / 256);
        }
        last[0] = b[498], last[1] = b[499];
    }
    EXPECT(BL_Halt() == 0 && BL_State() == BL_STATE_IDLE && acquired(0, 500, a) == 0);
}

static void asynchronous(void) {
    set_up(BL_MODE_FAST, 1e6, 100);
    EXPECT(BL_Trace(5, BL_ASYNCHRONOUS) == TRUE);
    double started = seconds();
    while (BL_State() == BL_STATE_ACTIVE) EXPECT(seconds() - started < 20);
    EXPECT(BL_State() == BL_STATE_DONE && acquired(0, 100, a) == 100);
    /* A level that never comes: until it is halted nothing else can be captured. */
    EXPECT(BL_Trigger(2.0, BL_TRIG_RISE));
    EXPECT(BL_Trace(BL_TRACE_FOREVER, BL_ASYNCHRONOUS) == TRUE && BL_State() == BL_STATE_ACTIVE);
    EXPECT(BL_Acquire(100, a) == 0 && BL_Trace(0, BL_SYNCHRONOUS) == FALSE && BL_State() == BL_STATE_ACTIVE);
    EXPECT(BL_Halt() == 0 && BL_State() == BL_STATE_IDLE && BL_Acquire(100, a) == 0);
    /* With a time-out the trace around its end is there. */
    EXPECT(BL_Trace(0.05, BL_SYNCHRONOUS) == TRUE && BL_Acquire(100, a) == 100);
}

static void *halt_soon(void *unused) {
    struct timespec wait = {0, 100000000};
    do nanosleep(&wait, NULL);
    while (BL_State() != BL_STATE_ACTIVE);
    BL_Halt();
    return unused;
}

static void halted_from_elsewhere(void) {
    pthread_t thread;
    set_up(BL_MODE_FAST, 1e6, 100);
    EXPECT(BL_Trigger(2.0, BL_TRIG_RISE) && pthread_create(&thread, NULL, halt_soon, NULL) == 0);
    EXPECT(BL_Trace(BL_TRACE_FOREVER, BL_SYNCHRONOUS) == FALSE);
    EXPECT(pthread_join(thread, NULL) == 0 && BL_State() == BL_STATE_IDLE);
}

static void full_buffers(void) {
    static const int sizes[] = {12288, 6144, 6144, 12288};
    for (int mode = BL_MODE_FAST; mode <= BL_MODE_LOGIC; mode++) {
        EXPECT(BL_Mode(mode) == mode && BL_Rate(1e6) == 1e6 && BL_Size(BL_MAX_SIZE) == sizes[mode]);
        EXPECT(BL_Trace(BL_TRACE_FORCED, BL_SYNCHRONOUS) == TRUE);
        EXPECT(acquired(mode == BL_MODE_LOGIC ? 7 : 0, MAX_SAMPLES, a) == sizes[mode]);
    }
}

/* Whatever is given is answered, as without a device or with one. */
static void nonsense(void) {
    static const int numbers[] = {0, 1, -1, -2, 3, 7, 12, 20, 100, INT_MAX, INT_MIN};
    static const double reals[] = {0, -1, -2, 1e-300, 1, 1e9, 1e300, -1e300, INFINITY, -INFINITY, NAN};
    enum { COUNT = sizeof numbers / sizeof *numbers };
    for (int i = 0; i < COUNT; i++) {
        for (int j = 0; j < COUNT; j++) {
            BL_Select(numbers[i], numbers[j]);
            BL_Trigger(reals[i], numbers[j]);
        }
        BL_Count(numbers[i]), BL_Coupling(numbers[i]), BL_Enable(numbers[i]), BL_Index(numbers[i]), BL_Mode(numbers[i]);
        BL_Range(numbers[i]), BL_Size(numbers[i]), BL_Rate(reals[i]), BL_Time(reals[i]), BL_Intro(reals[i]), BL_Delay(reals[i]);
        BL_Offset(reals[i]);
        EXPECT(BL_Version(numbers[i]) != NULL);
        EXPECT(BL_Acquire(numbers[i], NULL) == 0 && BL_Acquire(-5, a) == 0 && BL_Acquire(0, a) == 0);
        EXPECT(BL_Acquire(1, (double *)((char *)a + 1)) == 0);
        BL_Send(NULL, numbers[i]);
        EXPECT(BL_Receive(NULL, numbers[i], numbers[i]) == FALSE);
    }
    EXPECT(BL_ID() != NULL && BL_Name(NULL) != NULL && strcmp(BL_Log(), "") != 0);
}

static void without_a_device(void) {
    EXPECT(BL_Count(BL_COUNT_DEVICE) == -1 && BL_Mode(0) == -1 && BL_Rate(0) == -1 && BL_Size(0) == 0 && BL_Time(-1) == -1);
    EXPECT(BL_Range(0) == -1 && BL_Offset(0) == 0 && BL_Select(1, 0) == -1 && BL_Intro(0) == -1 && BL_Delay(0) == -1);
    EXPECT(!BL_Enable(1) && !BL_Trigger(0, 0) && !BL_Index(0) && !BL_Halt() && !BL_Trace(0, 0) && BL_Coupling(0) == -1);
    EXPECT(BL_State() == BL_STATE_IDLE && BL_Error() == -1 && BL_Acquire(10, a) == 0);
    EXPECT(*BL_ID() == 0 && *BL_Name(NULL) == 0 && *BL_Version(BL_VERSION_DEVICE) == 0);
    nonsense();
}

static void links(void) {
    static const char *const nowhere[] = {"FOO:x", "\xff", "UDP:127.0.0.1:1", "USB:/dev/no-such-port", "NIL:BS001003", "/dev/null"};
    for (unsigned i = 0; i < sizeof nowhere / sizeof *nowhere; i++) {
        EXPECT(BL_Open(nowhere[i], 1) == 0 && BL_Error() > 0);
        EXPECT(strstr(BL_Log(), "Logging") == NULL && strlen(BL_Log()) > 10);
    }
    EXPECT(BL_Open("socket://127.0.0.1:1", 1) == 0 && BL_Error() == 1 && strstr(BL_Log(), "127.0.0.1:1") != NULL);
    EXPECT(BL_Open("FOO:x", 1) == 0 && BL_Error() == 7 && strstr(BL_Log(), "FOO:x") != NULL);
    BL_Close();
    EXPECT(BL_Error() == -1);
    without_a_device();
    char name[100];
    EXPECT(BL_Open("NIL:BS000501", 0) == 1 && BL_Count(BL_COUNT_DEVICE) == 1 && BL_State() == BL_STATE_DONE);
    EXPECT(strcmp(BL_Name(name), "NIL:BS000501:SIMULATE:METACHIP") == 0 && strcmp(name, BL_Name(NULL)) == 0);
    EXPECT(strcmp(BL_ID(), "SIMULATE") == 0 && strcmp(BL_Version(BL_VERSION_LIBRARY), "2.0 FE26B") == 0);
    EXPECT(BL_Count(BL_COUNT_ANALOG) == 2 && BL_Count(BL_COUNT_LOGIC) == 8 && BL_Count(BL_COUNT_RANGE) == 4);
    EXPECT(BL_Trace(0, BL_SYNCHRONOUS) == FALSE && BL_State() == BL_STATE_ERROR && BL_Error() == 1);
    nonsense();
    BL_Close();
}

/* "" reads the user's file: the test has put this link into it. */
static void the_users_file(void) {
    EXPECT(BL_Open("", 1) == 1 && strcmp(BL_Name(NULL), link_name) == 0);
    BL_Close();
    EXPECT(BL_Open(NULL, 1) == 1);
    BL_Close();
    BL_Close();
    without_a_device();
}

static void several_devices(void) {
    EXPECT(BL_Open(getenv("BITLIB_TEST_LINKS"), 2) == 2 && BL_Count(BL_COUNT_DEVICE) == 2);
    EXPECT(BL_Select(BL_SELECT_DEVICE, 1) == 1 && BL_Mode(BL_MODE_LOGIC) == BL_MODE_LOGIC);
    EXPECT(BL_Select(BL_SELECT_DEVICE, 0) == 0 && BL_Mode(BL_ASK) == BL_MODE_FAST);
    EXPECT(BL_Select(BL_SELECT_DEVICE, 2) == 0 && BL_Select(BL_SELECT_DEVICE, BL_ASK) == 0);
    BL_Close();
}

/* A process that was forked has nothing open, and can open for itself, whatever its parent is in the middle of. */
static void forked(void) {
    set_up(BL_MODE_FAST, 1e6, 100);
    EXPECT(BL_Trigger(2.0, BL_TRIG_RISE) && BL_Trace(BL_TRACE_FOREVER, BL_ASYNCHRONOUS) == TRUE);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        alarm(20);
        EXPECT(BL_Count(BL_COUNT_DEVICE) == -1 && BL_State() == BL_STATE_IDLE && *BL_ID() == 0);
        EXPECT(BL_Trace(BL_TRACE_FOREVER, BL_SYNCHRONOUS) == FALSE && BL_Halt() == 0);
        BL_Close();
        EXPECT(BL_Open("NIL:BS000501", 1) == 1 && strcmp(BL_ID(), "SIMULATE") == 0);
        BL_Close();
        _exit(0);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    /* The parent's is as it was. */
    EXPECT(BL_State() == BL_STATE_ACTIVE && BL_Halt() == 0 && BL_State() == BL_STATE_IDLE);
}

#define RUN(test, ...) \
    do { \
        double started = seconds(); \
        test(__VA_ARGS__); \
        printf(#test "(" #__VA_ARGS__ "): ok, %.2f s\n", seconds() - started); \
    } while (0)

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    link_name = argv[1];
    setvbuf(stdout, NULL, _IOLBF, 0);
    RUN(without_a_device);
    open_it();
    RUN(analog, BL_MODE_FAST);
    RUN(analog, BL_MODE_DUAL);
    RUN(mixed);
    RUN(logic);
    RUN(stream);
    RUN(asynchronous);
    RUN(halted_from_elsewhere);
    RUN(forked);
    RUN(full_buffers);
    RUN(nonsense);
    BL_Close();
    RUN(links);
    RUN(the_users_file);
    if (argc > 2) RUN(several_devices);
    puts("all of libBitLib: ok");
    return 0;
}
