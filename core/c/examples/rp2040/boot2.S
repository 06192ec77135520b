/* The second stage: what the boot ROM copies to RAM from the first 256 bytes of the flash and runs there (RP2040 data sheet, section
 * 2.8.1). It maps the flash by the plain read command that every chip understands, and starts the program behind it. `build` puts the
 * checksum behind it. */
    .syntax unified
    .cpu cortex-m0plus
    .thumb
    .section .boot2, "ax"

    .equ SSI, 0x18000000
    .equ CTRLR0, 0x00
    .equ CTRLR1, 0x04
    .equ SSIENR, 0x08
    .equ BAUDR, 0x14
    .equ SPI_CTRLR0, 0xf4
    .equ VTOR, 0xe000ed08

    .global boot2
    .thumb_func
boot2:
    ldr r0, =SSI
    movs r1, #0
    str r1, [r0, #SSIENR]
    movs r1, #4                 /* the flash at a quarter of the clock */
    str r1, [r0, #BAUDR]
    ldr r1, =(31 << 16) | (3 << 8) /* words of 32 bits; send a command, then read */
    str r1, [r0, #CTRLR0]
    movs r1, #0
    str r1, [r0, #CTRLR1]
    ldr r1, =(0x03 << 24) | (2 << 8) | (6 << 2) /* command 03, of 8 bits; 24 bits of address */
    ldr r2, =SSI + SPI_CTRLR0
    str r1, [r2]
    movs r1, #1
    str r1, [r0, #SSIENR]
    ldr r0, =vectors
    ldr r1, =VTOR
    str r0, [r1]
    ldmia r0!, {r1, r2}
    msr msp, r1
    bx r2
    .ltorg
    /* 252 bytes, and the checksum. */
    .org 252
    .word 0
