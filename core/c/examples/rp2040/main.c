/* Captures channel A three times on a Raspberry Pi Pico in C, and prints the lowest and highest voltage on UART1.
 *
 * The BitScope is a byte stream on UART0, as a USB host chip gives it for the FT230X of a BitScope Micro. */
#include <scopething_core.h>

#include "board.h"

static ScopethingCoreScope scope;
static ScopethingCoreTrace trace; /* 12 KiB of samples: any capture fits */

static void report(const char *what, ScopethingCoreStatus status) {
    char message[200];
    scopething_core_message(&scope, message, sizeof message);
    print(what);
    print(": ");
    print(message[0] ? message : scopething_core_status_text(status));
    print("\n");
}

static void print_volts(float volts) {
    print_number((int32_t)(volts * 1000));
    print(" mV");
}

static void print_trace(void) {
    float volts[32], low = 1e9f, high = -1e9f;
    size_t first = 0, count;
    /* A piece at a time: the samples are kept raw, a volt each would take twice the memory. */
    while (scopething_core_read_volts(&trace, SCOPETHING_CORE_CHANNEL_A, first, volts, 32, &count) == SCOPETHING_CORE_OK && count > 0) {
        for (size_t i = 0; i < count; i++) {
            if (volts[i] < low) low = volts[i];
            if (volts[i] > high) high = volts[i];
        }
        first += count;
    }
    print_number((int32_t)first);
    print(" samples, ");
    print_volts(low);
    print(" to ");
    print_volts(high);
    print("\n");
}

int main(void) {
    board_start();
    ScopethingCoreLink link;
    scopething_core_link_init(&link);
    link.read = scope_read;
    link.write = scope_write;
    link.now_us = board_now_us;
    ScopethingCoreStatus status = scopething_core_init(&scope, &link);
    if (status == SCOPETHING_CORE_OK) status = scopething_core_open(&scope);
    if (status != SCOPETHING_CORE_OK) {
        report("open", status);
        return 1;
    }
    ScopethingCoreInfo info;
    scopething_core_info(&scope, &info);
    print(info.revision);
    print("\n");

    /* Planned once, captured as often as is wanted. */
    ScopethingCoreRequest request;
    scopething_core_request_init(&request);
    request.period_s = 2e-3;
    status = scopething_core_plan(&scope, &request, &trace);
    for (int i = 0; status == SCOPETHING_CORE_OK && i < 3; i++) {
        status = scopething_core_capture(&scope, &trace, NULL, NULL);
        if (status == SCOPETHING_CORE_OK) print_trace();
    }
    if (status != SCOPETHING_CORE_OK) {
        report("capture", status);
        return 1;
    }
    print("done\n");
    return 0;
}
