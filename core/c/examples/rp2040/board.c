/* A Raspberry Pi Pico without an SDK: the registers that the example uses, by the RP2040 data sheet. The processor sleeps while
 * nothing has come. */
#include "board.h"

#include <scopething_core.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
/* Writes there clear the bits that are set (section 2.1.2). */
#define CLEAR 0x3000

#define RESETS_RESET REGISTER(0x4000c000)
#define RESETS_RESET_CLEAR REGISTER(0x4000c000 + CLEAR)
#define RESETS_DONE REGISTER(0x4000c008)
enum { IO_BANK0 = 1 << 5, PADS_BANK0 = 1 << 8, TIMER = 1 << 21, UART0 = 1 << 22, UART1 = 1 << 23 };

#define XOSC_CTRL REGISTER(0x40024000)
#define XOSC_STATUS REGISTER(0x40024004)
#define XOSC_STARTUP REGISTER(0x4002400c)
#define CLK_REF_CTRL REGISTER(0x40008030)
#define CLK_REF_SELECTED REGISTER(0x40008038)
#define CLK_SYS_CTRL REGISTER(0x4000803c)
#define CLK_SYS_SELECTED REGISTER(0x40008044)
#define CLK_PERI_CTRL REGISTER(0x40008048)
#define WATCHDOG_TICK REGISTER(0x4005802c)

#define TIMER_ALARM0 REGISTER(0x40054010)
#define TIMER_ARMED REGISTER(0x40054020)
#define TIMER_RAW_HIGH REGISTER(0x40054024)
#define TIMER_RAW_LOW REGISTER(0x40054028)
#define TIMER_INTR REGISTER(0x40054034)
#define TIMER_INTE REGISTER(0x40054038)

#define UART_BASE(number) (0x40034000 + 0x4000 * (number))
#define UART_DR(number) REGISTER(UART_BASE(number) + 0x00)
#define UART_FR(number) REGISTER(UART_BASE(number) + 0x18)
#define UART_IBRD(number) REGISTER(UART_BASE(number) + 0x24)
#define UART_FBRD(number) REGISTER(UART_BASE(number) + 0x28)
#define UART_LCR_H(number) REGISTER(UART_BASE(number) + 0x2c)
#define UART_CR(number) REGISTER(UART_BASE(number) + 0x30)
#define UART_IMSC(number) REGISTER(UART_BASE(number) + 0x38)
enum { FR_TX_FULL = 1 << 5, FR_RX_EMPTY = 1 << 4, DR_ERRORS = 0xf00, INT_RX = 1 << 4, INT_RX_TIMEOUT = 1 << 6 };

#define GPIO_CTRL(pin) REGISTER(0x40014004 + 8 * (pin))
#define NVIC_ENABLE REGISTER(0xe000e100)
enum { FUNCTION_UART = 2, TIMER_IRQ_0 = 0, UART0_IRQ = 20 };

enum { CRYSTAL_HZ = 12000000, BAUD = 115200, POLL_US = 1000 };

/* What has come from the BitScope: the interrupt writes it, scope_read takes it. Longer than the echo of a script, 183 bytes. */
static volatile uint8_t received[1024];
static volatile uint32_t put, taken;
static volatile uint32_t lost;

static void uart_start(int number) {
    /* In 64ths, rounded. */
    uint32_t divisor = (CRYSTAL_HZ * 8 / BAUD + 1) / 2;
    UART_IBRD(number) = divisor / 64;
    UART_FBRD(number) = divisor % 64;
    UART_LCR_H(number) = 3 << 5 | 1 << 4; /* 8 bits, FIFOs */
    UART_CR(number) = 1 << 9 | 1 << 8 | 1;
}

void board_start(void) {
    XOSC_STARTUP = 47; /* 1 ms */
    XOSC_CTRL = 0xfabaa0;
    while (!(XOSC_STATUS >> 31)) {}
    CLK_REF_CTRL = 2;
    while (CLK_REF_SELECTED != 1 << 2) {}
    CLK_SYS_CTRL = 0;
    while (CLK_SYS_SELECTED != 1) {}
    CLK_PERI_CTRL = 1 << 11 | 4 << 5;
    WATCHDOG_TICK = 1 << 9 | CRYSTAL_HZ / 1000000;

    uint32_t used = IO_BANK0 | PADS_BANK0 | TIMER | UART0 | UART1;
    RESETS_RESET_CLEAR = used;
    while ((RESETS_DONE & used) != used) {}
    GPIO_CTRL(0) = GPIO_CTRL(1) = GPIO_CTRL(4) = FUNCTION_UART;
    uart_start(0);
    uart_start(1);
    UART_IMSC(0) = INT_RX | INT_RX_TIMEOUT;
    TIMER_INTE = 1;
    NVIC_ENABLE = 1 << UART0_IRQ | 1 << TIMER_IRQ_0;
}

static void uart0_interrupt(void) {
    while (!(UART_FR(0) & FR_RX_EMPTY)) {
        uint32_t byte = UART_DR(0);
        if (byte & DR_ERRORS || put - taken == sizeof received) {
            lost = 1;
        } else {
            received[put % sizeof received] = (uint8_t)byte;
            put = put + 1;
        }
    }
}

static void timer_interrupt(void) { TIMER_INTR = 1; }

int32_t scope_read(void *context, uint8_t *bytes, size_t size) {
    (void)context;
    if (put == taken && !lost) {
        /* With interrupts off, one that comes before the sleep, the alarm's too, stays pending and ends the sleep. */
        __asm volatile("cpsid i" ::: "memory");
        TIMER_ALARM0 = TIMER_RAW_LOW + POLL_US;
        if (put == taken && !lost) __asm volatile("wfi");
        __asm volatile("cpsie i" ::: "memory");
        TIMER_ARMED = 1;
    }
    if (lost) {
        lost = 0;
        return SCOPETHING_CORE_LINK_LOST_BYTES;
    }
    size_t count = 0;
    while (count < size && taken != put) {
        bytes[count++] = received[taken % sizeof received];
        taken = taken + 1;
    }
    return (int32_t)count;
}

int32_t scope_write(void *context, const uint8_t *bytes, size_t size) {
    (void)context;
    size_t count = 0;
    while (count < size && !(UART_FR(0) & FR_TX_FULL)) UART_DR(0) = bytes[count++];
    return (int32_t)count;
}

uint64_t board_now_us(void *context) {
    (void)context;
    for (;;) {
        uint32_t high = TIMER_RAW_HIGH, low = TIMER_RAW_LOW;
        if (TIMER_RAW_HIGH == high) return (uint64_t)high << 32 | low;
    }
}

void print(const char *text) {
    for (; *text; text++) {
        while (UART_FR(1) & FR_TX_FULL) {}
        UART_DR(1) = (uint8_t)*text;
    }
}

void print_number(int32_t number) {
    char digits[12];
    char *place = digits + sizeof digits;
    uint32_t left = number < 0 ? 0u - (uint32_t)number : (uint32_t)number;
    *--place = 0;
    do *--place = (char)('0' + left % 10);
    while (left /= 10);
    if (number < 0) *--place = '-';
    print(place);
}

/* The start of the program, and the interrupts. */

extern uint32_t data_start, data_end, data_load, bss_start, bss_end, stack_top;
int main(void);

static void start(void) {
    uint32_t *from = &data_load;
    for (uint32_t *to = &data_start; to < &data_end; to++) *to = *from++;
    for (uint32_t *to = &bss_start; to < &bss_end; to++) *to = 0;
    main();
    for (;;) __asm volatile("wfi");
}

static void fault(void) {
    for (;;) __asm volatile("wfi");
}

__attribute__((section(".vectors"), used)) void (*const vectors[16 + 32])(void) = {
    [0] = (void (*)(void))&stack_top,
    [1] = start,
    [2] = fault,
    [3] = fault,
    [16 + TIMER_IRQ_0] = timer_interrupt,
    [16 + UART0_IRQ] = uart0_interrupt,
};
