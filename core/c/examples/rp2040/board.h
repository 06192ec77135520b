/* What the example needs of a Raspberry Pi Pico: clocks, a UART to the BitScope, another to print on, and the time. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

void board_start(void);

/* UART0: GP0 sends, GP1 receives, at 115200 baud. As the functions of a link. */
int32_t scope_read(void *context, uint8_t *bytes, size_t size);
int32_t scope_write(void *context, const uint8_t *bytes, size_t size);

/* Microseconds since board_start. As a function of a link. */
uint64_t board_now_us(void *context);

/* Prints on UART1, GP4. Numbers are whole ones. */
void print(const char *text);
void print_number(int32_t number);

#endif
