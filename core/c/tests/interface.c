/* What the interface promises, asked of a simulated BitScope over TCP: interface HOST PORT. Prints a line a test; exits 1 at the first
 * that fails. */
#include <arpa/inet.h>
#include <math.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <scopething_core.h>

#define EXPECT(what) expect((what), #what, __LINE__)

/* A link over TCP that can fail when it is asked to. */
typedef struct {
    int socket;
    ScopethingCoreScope *scope;
    ScopethingCoreStatus within;
    int32_t reads_return, writes_return;
    uint64_t advance_us;
} Tcp;

static ScopethingCoreScope scope;
static ScopethingCoreTrace trace;
static Tcp tcp;
static struct sockaddr_in address;

static void expect(bool holds, const char *what, int line) {
    if (!holds) {
        char message[300];
        scopething_core_message(&scope, message, sizeof message);
        fprintf(stderr, "line %d: not so: %s (%s)\n", line, what, message);
        exit(1);
    }
}

static int32_t tcp_read(void *context, uint8_t *bytes, size_t size) {
    Tcp *link = context;
    if (link->reads_return) return link->reads_return;
    /* What a function of a link must not do is an error, and does no harm. */
    ScopethingCoreInfo info;
    if (link->scope) link->within = scopething_core_info(link->scope, &info);
    struct pollfd wanted = {.fd = link->socket, .events = POLLIN};
    if (poll(&wanted, 1, 2) <= 0) return 0;
    ssize_t count = recv(link->socket, bytes, size, 0);
    return count > 0 ? (int32_t)count : SCOPETHING_CORE_LINK_CLOSED;
}

static int32_t tcp_write(void *context, const uint8_t *bytes, size_t size) {
    Tcp *link = context;
    if (link->writes_return) return link->writes_return;
    ssize_t count = send(link->socket, bytes, size, MSG_NOSIGNAL);
    return count > 0 ? (int32_t)count : SCOPETHING_CORE_LINK_CLOSED;
}

static uint64_t now_us(void *context) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 + ((Tcp *)context)->advance_us;
}

static ScopethingCoreLink usual_link(void) {
    ScopethingCoreLink link;
    EXPECT(scopething_core_link_init(&link) == SCOPETHING_CORE_OK);
    link.context = &tcp;
    link.read = tcp_read;
    link.write = tcp_write;
    link.now_us = now_us;
    link.round_trip_us = 1000000;
    return link;
}

static void open_scope(void) {
    tcp = (Tcp){.socket = socket(AF_INET, SOCK_STREAM, 0)};
    int on = 1;
    setsockopt(tcp.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    EXPECT(connect(tcp.socket, (struct sockaddr *)&address, sizeof address) == 0);
    ScopethingCoreLink link = usual_link();
    EXPECT(scopething_core_init(&scope, &link) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_open(&scope) == SCOPETHING_CORE_OK);
}

static void close_scope(void) {
    EXPECT(scopething_core_close(&scope) == SCOPETHING_CORE_OK);
    close(tcp.socket);
}

static ScopethingCoreRequest usual(void) {
    ScopethingCoreRequest request;
    EXPECT(scopething_core_request_init(&request) == SCOPETHING_CORE_OK);
    return request;
}

static void wrong_memory(void) {
    static ScopethingCoreScope nothing;
    static ScopethingCoreTrace no_trace;
    ScopethingCoreInfo info;
    ScopethingCoreTraceInfo trace_info;
    ScopethingCoreLink link = usual_link();
    ScopethingCoreRequest request = usual();
    EXPECT(scopething_core_open(&nothing) == SCOPETHING_CORE_ERROR_HANDLE);
    EXPECT(scopething_core_close(&nothing) == SCOPETHING_CORE_ERROR_HANDLE);
    EXPECT(scopething_core_open(NULL) == SCOPETHING_CORE_ERROR_ARGUMENT);
    EXPECT(scopething_core_open((ScopethingCoreScope *)((char *)&nothing + 1)) == SCOPETHING_CORE_ERROR_ARGUMENT);
    EXPECT(scopething_core_init(NULL, &link) == SCOPETHING_CORE_ERROR_ARGUMENT);
    EXPECT(scopething_core_init(&nothing, NULL) == SCOPETHING_CORE_ERROR_ARGUMENT);
    link.now_us = NULL;
    EXPECT(scopething_core_init(&nothing, &link) == SCOPETHING_CORE_ERROR_ARGUMENT);
    link = usual_link();
    link.struct_size++;
    EXPECT(scopething_core_init(&nothing, &link) == SCOPETHING_CORE_ERROR_ARGUMENT);
    EXPECT(scopething_core_info(&nothing, &info) == SCOPETHING_CORE_ERROR_HANDLE);
    EXPECT(scopething_core_trace_info(&no_trace, &trace_info) == SCOPETHING_CORE_ERROR_HANDLE);
    link = usual_link();
    EXPECT(scopething_core_init(&scope, &link) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_capture(&scope, &no_trace, NULL, NULL) == SCOPETHING_CORE_ERROR_HANDLE);
    EXPECT(scopething_core_plan(&scope, &request, NULL) == SCOPETHING_CORE_ERROR_ARGUMENT);
    EXPECT(scopething_core_plan(&scope, NULL, &no_trace) == SCOPETHING_CORE_ERROR_ARGUMENT);
    /* Planning needs no device. What was planned and not captured has no samples. */
    EXPECT(scopething_core_plan(&scope, &request, &no_trace) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_trace_info(&no_trace, &trace_info) == SCOPETHING_CORE_ERROR_HANDLE);
    EXPECT(scopething_core_close(&scope) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_info(&scope, &info) == SCOPETHING_CORE_ERROR_HANDLE);
    EXPECT(scopething_core_close(&scope) == SCOPETHING_CORE_ERROR_HANDLE);
}

static void wrong_arguments(void) {
    open_scope();
    ScopethingCoreRequest request = usual();
    char message[200], small[8];
    request.struct_size--;
    EXPECT(scopething_core_plan(&scope, &request, &trace) == SCOPETHING_CORE_ERROR_ARGUMENT);
    request = usual();
    request.channels = 4;
    EXPECT(scopething_core_plan(&scope, &request, &trace) == SCOPETHING_CORE_ERROR_ARGUMENT);
    EXPECT(scopething_core_message(&scope, message, sizeof message) == SCOPETHING_CORE_OK);
    EXPECT(strstr(message, "SCOPETHING_CORE_CHANNEL_") != NULL);
    EXPECT(scopething_core_message(&scope, message, 0) == SCOPETHING_CORE_ERROR_ARGUMENT);
    request = usual();
    request.trigger_type = 4;
    EXPECT(scopething_core_plan(&scope, &request, &trace) == SCOPETHING_CORE_ERROR_ARGUMENT);
    request = usual();
    request.period_s = NAN;
    EXPECT(scopething_core_plan(&scope, &request, &trace) == SCOPETHING_CORE_ERROR_PLAN);
    EXPECT(scopething_core_message(&scope, message, sizeof message) == SCOPETHING_CORE_OK);
    EXPECT(strstr(message, "not a time span") != NULL);
    EXPECT(scopething_core_message(&scope, small, sizeof small) == SCOPETHING_CORE_OK);
    EXPECT(strlen(small) == sizeof small - 1 && strncmp(small, message, sizeof small - 1) == 0);
    request = usual();
    request.attenuation_a = 0;
    EXPECT(scopething_core_plan(&scope, &request, &trace) == SCOPETHING_CORE_ERROR_PLAN);
    EXPECT(scopething_core_plan(&scope, (request = usual(), &request), &trace) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_message(&scope, message, sizeof message) == SCOPETHING_CORE_OK && message[0] == 0);
    for (int32_t status = -1; status < 12; status++) EXPECT(strlen(scopething_core_status_text(status)) > 0);
    close_scope();
}

static void a_capture(void) {
    open_scope();
    ScopethingCoreInfo info;
    char serial[9] = "";
    EXPECT(scopething_core_info(&scope, &info) == SCOPETHING_CORE_OK);
    EXPECT(strcmp(info.revision, "BS000501") == 0 && info.is_known_revision);
    EXPECT(scopething_core_read_serial(&scope, serial, sizeof serial) == SCOPETHING_CORE_OK && strlen(serial) == 8);
    ScopethingCoreRequest request = usual();
    request.channels = SCOPETHING_CORE_CHANNEL_A | SCOPETHING_CORE_CHANNEL_L0 << 3;
    EXPECT(scopething_core_plan(&scope, &request, &trace) == SCOPETHING_CORE_OK);
    ScopethingCorePlan plan;
    EXPECT(scopething_core_plan_info(&trace, &plan) == SCOPETHING_CORE_OK);
    EXPECT(plan.samples == 1000 && fabs(plan.sample_rate_hz - 1e6) < 1e-3 && plan.notice_count == 0);
    char notice[200];
    EXPECT(scopething_core_plan_notice(&trace, 0, notice, sizeof notice) == SCOPETHING_CORE_ERROR_ARGUMENT);
    for (int verify = 0; verify < 2; verify++) {
        EXPECT((verify ? scopething_core_capture_verified : scopething_core_capture)(&scope, &trace, NULL, NULL) == SCOPETHING_CORE_OK);
        ScopethingCoreTraceInfo taken;
        EXPECT(scopething_core_trace_info(&trace, &taken) == SCOPETHING_CORE_OK);
        EXPECT(taken.triggered && taken.end_reason == SCOPETHING_CORE_ENDED_BY_TRIGGER);
        EXPECT(fabs(taken.trigger_time_s - 0.25e-3) < 2e-6);
        ScopethingCoreSeries series;
        EXPECT(scopething_core_series(&trace, SCOPETHING_CORE_CHANNEL_A, &series) == SCOPETHING_CORE_OK);
        EXPECT(series.count == 1000 && fabs(series.period_s - 1e-6) < 1e-12);
        static float volts[1000];
        static uint16_t raw[1000];
        static uint8_t logic[1000];
        size_t count;
        EXPECT(scopething_core_read_volts(&trace, SCOPETHING_CORE_CHANNEL_A, 0, volts, 1000, &count) == SCOPETHING_CORE_OK && count == 1000);
        EXPECT(scopething_core_read_raw(&trace, SCOPETHING_CORE_CHANNEL_A, 0, raw, 1000, &count) == SCOPETHING_CORE_OK && count == 1000);
        EXPECT(scopething_core_read_logic(&trace, 0, logic, 1000, &count) == SCOPETHING_CORE_OK && count == 1000);
        for (size_t i = 0; i < 1000; i++) {
            EXPECT((logic[i] & ~8) == 0);
            /* Volts and steps are the same samples. */
            EXPECT(fabs(volts[i] - volts[0] - (raw[i] - raw[0]) * series.resolution_v) < 1e-3);
            /* The signal is 1.5 V + 1.5 V sin, and triggers where it rises through the middle of the range. */
            double at = (double)i * series.period_s - taken.trigger_time_s;
            double phase = asin((taken.trigger_level_v - 1.5) / 1.5);
            EXPECT(fabs(volts[i] - (1.5 + 1.5 * sin(2 * M_PI * 1000 * at + phase))) < 0.06);
        }
        float piece[7];
        EXPECT(scopething_core_read_volts(&trace, SCOPETHING_CORE_CHANNEL_A, 996, piece, 7, &count) == SCOPETHING_CORE_OK && count == 4);
        EXPECT(memcmp(piece, volts + 996, sizeof *piece * 4) == 0);
        EXPECT(scopething_core_read_volts(&trace, SCOPETHING_CORE_CHANNEL_A, SIZE_MAX, piece, 7, &count) == SCOPETHING_CORE_OK && count == 0);
        EXPECT(scopething_core_read_volts(&trace, SCOPETHING_CORE_CHANNEL_B, 0, piece, 7, &count) == SCOPETHING_CORE_ERROR_ARGUMENT);
        EXPECT(scopething_core_read_volts(&trace, SCOPETHING_CORE_CHANNEL_L0, 0, piece, 7, &count) == SCOPETHING_CORE_ERROR_ARGUMENT);
        EXPECT(scopething_core_read_volts(&trace, SCOPETHING_CORE_CHANNEL_A, 0, NULL, 7, &count) == SCOPETHING_CORE_ERROR_ARGUMENT);
    }
    /* More than there is: a notice reports it. */
    request = usual();
    request.samples = 20000;
    EXPECT(scopething_core_plan(&scope, &request, &trace) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_plan_info(&trace, &plan) == SCOPETHING_CORE_OK && plan.notice_count > 0);
    EXPECT(scopething_core_plan_notice(&trace, 0, notice, sizeof notice) == SCOPETHING_CORE_OK);
    EXPECT(strstr(notice, "instead of 20000") != NULL);
    close_scope();
}

static int32_t cancel_third(void *user) { return ++*(int *)user > 3; }

static void cancelling(void) {
    open_scope();
    ScopethingCoreRequest request = usual();
    ScopethingCoreTraceInfo info;
    int calls = 0;
    request.level_v = 5; /* The signal does not reach it. */
    EXPECT(scopething_core_plan(&scope, &request, &trace) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_capture(&scope, &trace, cancel_third, &calls) == SCOPETHING_CORE_OK && calls > 3);
    EXPECT(scopething_core_trace_info(&trace, &info) == SCOPETHING_CORE_OK);
    EXPECT(info.end_reason == SCOPETHING_CORE_ENDED_BY_CANCEL && !info.triggered);
    request.timeout_s = 0.05;
    EXPECT(scopething_core_plan(&scope, &request, &trace) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_capture(&scope, &trace, NULL, NULL) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_trace_info(&trace, &info) == SCOPETHING_CORE_OK && info.end_reason == SCOPETHING_CORE_ENDED_BY_TIMEOUT);
    close_scope();
}

static void links_that_fail(void) {
    open_scope();
    ScopethingCoreRequest request = usual();
    ScopethingCoreTraceInfo info;
    EXPECT(scopething_core_plan(&scope, &request, &trace) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_capture(&scope, &trace, NULL, NULL) == SCOPETHING_CORE_OK);
    /* From within the link's functions a scope is busy. */
    tcp.scope = &scope;
    EXPECT(scopething_core_capture(&scope, &trace, NULL, NULL) == SCOPETHING_CORE_OK);
    EXPECT(tcp.within == SCOPETHING_CORE_ERROR_BUSY);
    tcp.scope = NULL;
    tcp.reads_return = SCOPETHING_CORE_LINK_LOST_BYTES;
    EXPECT(scopething_core_capture(&scope, &trace, NULL, NULL) == SCOPETHING_CORE_ERROR_BAD_ANSWER);
    /* What was captured before is gone, and is not taken for what was not captured. */
    EXPECT(scopething_core_trace_info(&trace, &info) == SCOPETHING_CORE_ERROR_HANDLE);
    tcp.reads_return = INT32_MAX;
    EXPECT(scopething_core_capture(&scope, &trace, NULL, NULL) == SCOPETHING_CORE_ERROR_LINK_LOST);
    tcp.reads_return = SCOPETHING_CORE_LINK_CLOSED;
    EXPECT(scopething_core_capture(&scope, &trace, NULL, NULL) == SCOPETHING_CORE_ERROR_LINK_LOST);
    tcp.reads_return = 0;
    tcp.writes_return = SCOPETHING_CORE_LINK_CLOSED;
    EXPECT(scopething_core_capture(&scope, &trace, NULL, NULL) == SCOPETHING_CORE_ERROR_LINK_LOST);
    tcp.writes_return = 0;
    /* The link is back: the driver resets the device by itself. */
    EXPECT(scopething_core_capture(&scope, &trace, NULL, NULL) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_trace_info(&trace, &info) == SCOPETHING_CORE_OK);
    close_scope();
}

/* Numbers of a link that make no sense do no harm, nor does a clock that jumps between two captures. */
static void odd_links(void) {
    static const uint32_t numbers[] = {0, 1, UINT32_MAX};
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            open_scope();
            ScopethingCoreLink link = usual_link();
            link.bytes_per_second = numbers[i];
            /* 0 and 1 are sooner than an answer can come: that it is late is an error, of one kind or another. */
            link.round_trip_us = numbers[j];
            EXPECT(scopething_core_init(&scope, &link) == SCOPETHING_CORE_OK);
            ScopethingCoreStatus status = scopething_core_open(&scope);
            EXPECT(status == SCOPETHING_CORE_OK || numbers[j] < 2);
            ScopethingCoreRequest request = usual();
            request.samples = 12288;
            EXPECT(scopething_core_plan(&scope, &request, &trace) == SCOPETHING_CORE_OK);
            status = scopething_core_capture(&scope, &trace, NULL, NULL);
            EXPECT(status == SCOPETHING_CORE_OK || numbers[j] < 2);
            close_scope();
        }
    }
    open_scope();
    ScopethingCoreRequest request = usual();
    EXPECT(scopething_core_plan(&scope, &request, &trace) == SCOPETHING_CORE_OK);
    /* A second, an hour, 46 days; and back by what a counter of 32 bits wraps around at. */
    static const uint64_t jumps[] = {0 - UINT64_C(1000000), UINT64_C(3600000000), 0 - (UINT64_C(1) << 32), UINT64_C(4000000000000)};
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        tcp.advance_us += jumps[i];
        EXPECT(scopething_core_capture(&scope, &trace, NULL, NULL) == SCOPETHING_CORE_OK);
    }
    close_scope();
}

static void generators(void) {
    open_scope();
    ScopethingCoreInfo info;
    double frequency_hz = 0;
    EXPECT(scopething_core_wave(&scope, SCOPETHING_CORE_WAVE_SINE, 1000, 0, 3, 0.5, false, &frequency_hz) == SCOPETHING_CORE_OK);
    EXPECT(fabs(frequency_hz - 1000) <= 0.1);
    EXPECT(scopething_core_info(&scope, &info) == SCOPETHING_CORE_OK && info.generates == SCOPETHING_CORE_GENERATES_WAVEFORM);
    EXPECT(scopething_core_clock(&scope, 1e6, 0.5, NULL) == SCOPETHING_CORE_ERROR_BUSY);
    EXPECT(scopething_core_stop_generators(&scope) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_clock(&scope, 1e6, 0.5, &frequency_hz) == SCOPETHING_CORE_OK && frequency_hz == 1e6);
    EXPECT(scopething_core_stop_generators(&scope) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_hold(&scope, SCOPETHING_CORE_CHANNEL_L0 << 3, SCOPETHING_CORE_CHANNEL_L0 << 3) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_info(&scope, &info) == SCOPETHING_CORE_OK && info.generates == SCOPETHING_CORE_GENERATES_LEVELS);
    EXPECT(scopething_core_stop_generators(&scope) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_stop_generators(&scope) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_info(&scope, &info) == SCOPETHING_CORE_OK && info.generates == SCOPETHING_CORE_GENERATES_NOTHING);
    EXPECT(scopething_core_hold(&scope, SCOPETHING_CORE_CHANNEL_A, 0) == SCOPETHING_CORE_ERROR_ARGUMENT);
    EXPECT(scopething_core_wave(&scope, 9, 1000, 0, 3, 0.5, false, NULL) == SCOPETHING_CORE_ERROR_ARGUMENT);
    EXPECT(scopething_core_wave(&scope, SCOPETHING_CORE_WAVE_SINE, -1, 0, 3, 0.5, false, NULL) == SCOPETHING_CORE_ERROR_PLAN);
    close_scope();
}

typedef struct {
    ScopethingCoreStreamInfo info;
    uint64_t frames, next;
    float low, high;
} Received;

static int32_t receive(void *user, const ScopethingCoreBlock *block) {
    Received *received = user;
    EXPECT(!block->is_gap && block->first == received->next);
    for (size_t i = 0; i < block->count; i++) {
        float volts = received->info.a_low_v + block->frames[i].samples[received->info.a_place] * received->info.a_step_v;
        received->low = fminf(received->low, volts);
        received->high = fmaxf(received->high, volts);
    }
    received->frames += block->count;
    received->next = block->first + block->count;
    return received->frames >= 500;
}

static void a_stream(void) {
    open_scope();
    static ScopethingCoreFrame frames[640];
    ScopethingCoreStreamRequest request;
    ScopethingCoreStreamTotals totals;
    Received received = {.low = INFINITY, .high = -INFINITY};
    EXPECT(scopething_core_stream_request_init(&request) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_stream(&scope, &request, frames, 0, receive, &received, NULL, NULL) == SCOPETHING_CORE_ERROR_ARGUMENT);
    EXPECT(scopething_core_stream(&scope, &request, frames, 640, NULL, &received, NULL, NULL) == SCOPETHING_CORE_ERROR_ARGUMENT);
    request.frame_rate_hz = 1;
    EXPECT(scopething_core_stream(&scope, &request, frames, 640, receive, &received, NULL, NULL) == SCOPETHING_CORE_ERROR_PLAN);
    EXPECT(scopething_core_stream_request_init(&request) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_stream(&scope, &request, frames, 640, receive, &received, &received.info, &totals) == SCOPETHING_CORE_OK);
    EXPECT(received.info.frame_rate_hz == 2500 && received.info.a_place == 0 && received.info.b_place == 255);
    EXPECT(received.frames >= 500 && totals.frames == received.frames && totals.lost_frames == 0);
    /* Five phases of the sine's 1 kHz, which span 2.7 V at least. */
    EXPECT(received.low > -0.1f && received.high < 3.1f && received.high - received.low > 2.6f);
    /* The scope is free again. */
    ScopethingCoreRequest next = usual();
    EXPECT(scopething_core_plan(&scope, &next, &trace) == SCOPETHING_CORE_OK);
    EXPECT(scopething_core_capture(&scope, &trace, NULL, NULL) == SCOPETHING_CORE_OK);
    close_scope();
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    EXPECT(scopething_core_abi_version() == SCOPETHING_CORE_ABI_VERSION);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    EXPECT(inet_pton(AF_INET, argv[1], &address.sin_addr) == 1);
    wrong_memory();
    puts("wrong memory: ok");
    wrong_arguments();
    puts("wrong arguments: ok");
    a_capture();
    puts("a capture: ok");
    cancelling();
    puts("cancelling: ok");
    links_that_fail();
    puts("links that fail: ok");
    odd_links();
    puts("odd links: ok");
    generators();
    puts("generators: ok");
    a_stream();
    puts("a stream: ok");
    return 0;
}
