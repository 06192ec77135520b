/* libscopething_core_c: a BitScope Micro from firmware in C. No allocator, no operating system, no globals.
 *
 * Generated from core/c/src by cbindgen; a test compares the two. host/pages/c-firmware.md shows how it is built and used.
 *
 * - A function returns SCOPETHING_CORE_OK or why not. scopething_core_message has the details of what a scope did last,
 *   scopething_core_status_text a sentence for each status; what is not called is not linked.
 * - Memory is the caller's: a scope and a trace are structures of the sizes below, static or on the stack. They may be moved
 *   between calls, and are not to be copied. Memory that is no scope is SCOPETHING_CORE_ERROR_HANDLE, in so far as that can be seen.
 * - NULL and unaligned pointers are SCOPETHING_CORE_ERROR_ARGUMENT. Any other pointer is believed.
 * - Functions block, and call the functions of the link meanwhile. None of them may be called with the same scope from within those:
 *   that is SCOPETHING_CORE_ERROR_BUSY. A scope belongs to one thread or to one interrupt priority.
 * - Nothing waits without a bound but a capture for its trigger, which `cancel` ends.
 * - Numbers have their unit in the name: _s seconds, _us microseconds, _hz hertz, _v volts.
 */

#ifndef SCOPETHING_CORE_H
#define SCOPETHING_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The version of the binary interface. A library of another version cannot be used.
#define SCOPETHING_CORE_ABI_VERSION 0

// Channel A, in a set of channels.
#define SCOPETHING_CORE_CHANNEL_A 1

// Channel B.
#define SCOPETHING_CORE_CHANNEL_B 2

// Logic line L0; L1 is the next bit, and so on up to L7.
#define SCOPETHING_CORE_CHANNEL_L0 256

// All eight logic lines.
#define SCOPETHING_CORE_CHANNEL_LOGIC 65280

// A sine.
#define SCOPETHING_CORE_WAVE_SINE 0

// A ramp up and down; a sawtooth at the ends of the symmetry.
#define SCOPETHING_CORE_WAVE_TRIANGLE 1

// An exponential rise and fall.
#define SCOPETHING_CORE_WAVE_EXPONENTIAL 2

// High, then low.
#define SCOPETHING_CORE_WAVE_SQUARE 3

// What a function of a link returns when the link is gone.
#define SCOPETHING_CORE_LINK_CLOSED -1

// What a function of a link returns when bytes were lost and the link goes on, such as after an overrun of a receiver: the driver
// repeats what it was doing.
#define SCOPETHING_CORE_LINK_LOST_BYTES -2

// Below the level, then above it.
#define SCOPETHING_CORE_TRIGGER_RISING 0

// Above the level, then below it.
#define SCOPETHING_CORE_TRIGGER_FALLING 1

// Above the level.
#define SCOPETHING_CORE_TRIGGER_ABOVE 2

// Below the level.
#define SCOPETHING_CORE_TRIGGER_BELOW 3

// The size of a scope, in 8 bytes.
#define SCOPETHING_CORE_SCOPE_WORDS 72

// Nothing is generated.
#define SCOPETHING_CORE_GENERATES_NOTHING 0

// The waveform generator plays.
#define SCOPETHING_CORE_GENERATES_WAVEFORM 1

// A clock runs.
#define SCOPETHING_CORE_GENERATES_CLOCK 2

// Logic lines are held.
#define SCOPETHING_CORE_GENERATES_LEVELS 3

// The size of a trace, in 8 bytes: 12 KiB of samples, and how they were captured.
#define SCOPETHING_CORE_TRACE_WORDS 1584

// The trigger came.
#define SCOPETHING_CORE_ENDED_BY_TRIGGER 0

// The trigger did not come in time.
#define SCOPETHING_CORE_ENDED_BY_TIMEOUT 1

// It was cancelled: this is what was sampled around that moment.
#define SCOPETHING_CORE_ENDED_BY_CANCEL 2

// How a function ended. The numbers are those of libscopething.
typedef enum {
    // All is well.
    SCOPETHING_CORE_OK = 0,
    // An argument makes no sense: a null pointer, a number out of range.
    SCOPETHING_CORE_ERROR_ARGUMENT = 1,
    // The memory is no scope that was initialised, or no trace that was planned or captured.
    SCOPETHING_CORE_ERROR_HANDLE = 2,
    // The device does not answer.
    SCOPETHING_CORE_ERROR_NOT_FOUND = 3,
    // The scope does something else, or another generator runs: end that first.
    SCOPETHING_CORE_ERROR_BUSY = 4,
    // What answers is no BitScope Micro.
    SCOPETHING_CORE_ERROR_WRONG_DEVICE = 5,
    // The link is gone: open it anew, then the scope.
    SCOPETHING_CORE_ERROR_LINK_LOST = 6,
    // The device answered what it should not, or too late: try again.
    SCOPETHING_CORE_ERROR_BAD_ANSWER = 7,
    // The device cannot do what was asked.
    SCOPETHING_CORE_ERROR_PLAN = 8,
    // It was cancelled, and there is nothing to show.
    SCOPETHING_CORE_ERROR_CANCELLED = 10,
} ScopethingCoreStatus;

// A scope: memory for the driver, aligned to 8 bytes. What is in it is the library's.
typedef struct {
    // The library's.
    uint64_t memory[SCOPETHING_CORE_SCOPE_WORDS];
} ScopethingCoreScope;

// How the driver reaches its device: functions of the caller. Fill it with scopething_core_link_init first.
typedef struct {
    // The size of this structure, in bytes; set by scopething_core_link_init.
    size_t struct_size;
    // Handed to each of the functions.
    void *context;
    // Reads up to `size` bytes that have come, and returns how many; 0 if none has. It may sleep until one comes, for a few
    // milliseconds: between two calls the driver looks at its deadlines. Below 0: SCOPETHING_CORE_LINK_CLOSED or
    // SCOPETHING_CORE_LINK_LOST_BYTES. While a script of up to 183 bytes is written, as many must be kept that come.
    int32_t (*read)(void *context, uint8_t *bytes, size_t size);
    // Takes up to `size` bytes to be sent, and returns how many; 0 if there is no room yet. Below 0 as `read`.
    int32_t (*write)(void *context, const uint8_t *bytes, size_t size);
    // Sends what was taken; NULL if that needs no doing. Returns 0, or below 0 as `read`.
    int32_t (*flush)(void *context);
    // The time since any moment, which never runs backwards.
    uint64_t (*now_us)(void *context);
    // The longest time from the last byte written to the first byte of the answer, the device's own work left out.
    uint32_t round_trip_us;
    // The lowest rate at which bytes arrive, in bytes a second.
    uint32_t bytes_per_second;
    // Whether bytes are lost without either end noticing, as datagrams are.
    bool is_lossy;
} ScopethingCoreLink;

// What is asked of a capture. Fill it with scopething_core_request_init first, then change what is to be otherwise.
typedef struct {
    // The size of this structure, in bytes; set by scopething_core_request_init.
    size_t struct_size;
    // The channels, SCOPETHING_CORE_CHANNEL_ bits. Default: A.
    uint32_t channels;
    // Roughly how many samples, of both analog channels together. Default: 1000.
    uint32_t samples;
    // The time span. Default: 1 ms.
    double period_s;
    // The bottom of the range; NAN: what the probe measures safely, or 0 V for logic alone. With `raw` a fraction.
    double low_v;
    // The top of the range, likewise; 3.3 V for logic alone.
    double high_v;
    // What the trigger watches: A, B, or the logic lines whose levels `trigger_high` has, as bits; 0: the first channel.
    uint32_t trigger_channels;
    // Of a trigger on logic lines, those that must be high, SCOPETHING_CORE_CHANNEL_ bits; the others must be low.
    uint32_t trigger_high;
    // The trigger level; NAN: the middle of the range. With `raw` a fraction.
    double level_v;
    // How the signal must behave: SCOPETHING_CORE_TRIGGER_RISING, FALLING, ABOVE or BELOW.
    uint32_t trigger_type;
    // A trigger filter of 4 samples instead of 8.
    bool hair_trigger;
    // Capture without a trigger after the period or 100 ms, whichever is longer, instead of waiting on.
    bool auto_trigger;
    // 8 bits a sample, where twice the captures a second count more than resolution.
    bool eight_bits;
    // The range is given as fractions of the converter's, and samples are fractions of the range.
    bool raw;
    // The part of the span before the trigger, 0 to 1. Default: 0.25.
    double position;
    // The time from the trigger to the first sample, 0 to 4294 s. Default: 0.
    double delay_s;
    // How long to wait for the trigger; 0 captures at once, NAN waits as long as it takes. Default: NAN.
    double timeout_s;
    // Volts at the tip of the probe of channel A for a volt at the input, such as 10. Default: 1.
    double attenuation_a;
    // Likewise of channel B.
    double attenuation_b;
} ScopethingCoreRequest;

// What is known of a device.
typedef struct {
    // What it calls itself, such as "BS000501"; until it was opened, what is expected.
    char revision[9];
    // Whether that is the revision that this driver was compared with.
    bool is_known_revision;
    // What is generated: one of the SCOPETHING_CORE_GENERATES_ numbers.
    uint32_t generates;
} ScopethingCoreInfo;

// What is asked of a stream. Fill it with scopething_core_stream_request_init first.
typedef struct {
    // The size of this structure, in bytes; set by scopething_core_stream_request_init.
    size_t struct_size;
    // The channels, SCOPETHING_CORE_CHANNEL_ bits. Default: A.
    uint32_t channels;
    // The range is given as fractions of the converter's, and samples are fractions of the range.
    bool raw;
    // Frames a second: 2441.5 to 500000, as far as the link carries them. Default: 2500.
    double frame_rate_hz;
    // The bottom of the range; NAN: what the probe measures safely. With `raw` a fraction.
    double low_v;
    // The top of the range, likewise.
    double high_v;
    // Volts at the tip of the probe of channel A for a volt at the input, such as 10. Default: 1.
    double attenuation_a;
    // Likewise of channel B.
    double attenuation_b;
} ScopethingCoreStreamRequest;

// The samples that were taken at one moment: a byte for each analog channel, then one for the logic lines, bit n for line Ln.
typedef struct {
    // ScopethingCoreStreamInfo has their places and what they mean in volts.
    uint8_t samples[3];
} ScopethingCoreFrame;

// Frames that follow on one another.
typedef struct {
    // The frames; there can be none between two gaps.
    const ScopethingCoreFrame *frames;
    // How many there are.
    size_t count;
    // The number of the first one, those that are missing counted as well.
    uint64_t first;
    // Whether some are missing just before these frames.
    bool is_gap;
    // Whether it is known how many; `first` is an estimate otherwise.
    bool is_lost_known;
    // How many are missing, if that is known.
    uint64_t lost_frames;
} ScopethingCoreBlock;

// Called with the frames that have come; anything but 0 ends the stream.
typedef int32_t (*scopething_core_receive)(void *user, const ScopethingCoreBlock *block);

// How a stream is made.
typedef struct {
    // Frames a second.
    double frame_rate_hz;
    // Bytes a second that the link must carry.
    double bytes_per_second;
    // A sample of channel A is `a_low_v` + sample x `a_step_v`.
    float a_low_v;
    // See `a_low_v`.
    float a_step_v;
    // Likewise of channel B.
    float b_low_v;
    // See `a_low_v`.
    float b_step_v;
    // The place of channel A's sample in a frame; 255 if it was not asked for.
    uint8_t a_place;
    // Likewise of channel B.
    uint8_t b_place;
    // Likewise of the logic lines.
    uint8_t logic_place;
} ScopethingCoreStreamInfo;

// What a stream has amounted to.
typedef struct {
    // Frames received.
    uint64_t frames;
    // Frames that are missing; of gaps whose length is not known, the estimate.
    uint64_t lost_frames;
    // How often some were missing.
    uint64_t gaps;
    // How many of the gaps are of a length that is not known.
    uint64_t unknown_gaps;
    // The time from the start of the stream to its last bytes.
    uint64_t elapsed_us;
} ScopethingCoreStreamTotals;

// A trace: memory for a plan and its samples, aligned to 8 bytes. What is in it is the library's.
typedef struct {
    // The library's.
    uint64_t memory[SCOPETHING_CORE_TRACE_WORDS];
} ScopethingCoreTrace;

// How a capture is made.
typedef struct {
    // The trace mode, such as "Macro".
    char mode[32];
    // Samples a second, of both analog channels together.
    double sample_rate_hz;
    // The time span.
    double period_s;
    // The time from the trigger to the first sample.
    double delay_s;
    // Samples of a trace, of both analog channels together.
    uint32_t samples;
    // How many of them lie before the trigger.
    uint32_t pre_trigger_samples;
    // Bytes of an analog sample: 1 or 2.
    uint32_t sample_bytes;
    // Bytes that are read from the device.
    uint32_t dump_bytes;
    // How many notices there are, which scopething_core_plan_notice has.
    uint32_t notice_count;
} ScopethingCorePlan;

// Asked now and then while a capture runs; anything but 0 cancels it.
typedef int32_t (*scopething_core_cancel)(void *user);

// What was captured.
typedef struct {
    // Why it ended: one of the SCOPETHING_CORE_ENDED_ numbers.
    uint32_t end_reason;
    // Whether `trigger_time_s` is known.
    bool triggered;
    // When it triggered, from the first sample on; NAN if that is not known.
    double trigger_time_s;
    // The level that it triggered at, likewise.
    double trigger_level_v;
    // When the first sample was taken, by the device's clock, which starts anywhere.
    double start_s;
} ScopethingCoreTraceInfo;

// The samples of a channel.
typedef struct {
    // How many there are.
    size_t count;
    // When the first one was taken, from the first sample of the capture on.
    double start_s;
    // The time from one to the next.
    double period_s;
    // The smallest difference that the samples show; 1 for a logic line.
    double resolution_v;
} ScopethingCoreSeries;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the binary interface of this library.
uint32_t scopething_core_abi_version(void);

// Plays a waveform between two voltages of 0 to 3.3 V, on the waveform output and L4; `symmetry` is the part of the period spent rising,
// or high, 0 to 1, and `once` plays one period. `real_frequency_hz` receives what comes out, and may be NULL.
ScopethingCoreStatus scopething_core_wave(ScopethingCoreScope *scope,
                                          uint32_t shape,
                                          double frequency_hz,
                                          double low_v,
                                          double high_v,
                                          double symmetry,
                                          bool once,
                                          double *real_frequency_hz);

// Runs a clock on L5, high for the part `duty` of its period, 0 to 1. `real_frequency_hz` receives what comes out, and may be NULL.
ScopethingCoreStatus scopething_core_clock(ScopethingCoreScope *scope,
                                           double frequency_hz,
                                           double duty,
                                           double *real_frequency_hz);

// Holds up to three logic lines high or low, SCOPETHING_CORE_CHANNEL_ bits; lines held before that are not among them are let go.
ScopethingCoreStatus scopething_core_hold(ScopethingCoreScope *scope,
                                          uint32_t held,
                                          uint32_t high);

// Stops whatever is generated; no harm if nothing is.
ScopethingCoreStatus scopething_core_stop_generators(ScopethingCoreScope *scope);

// Fills a link with the defaults: no functions, 200 ms, 11000 bytes a second (115200 baud), not lossy.
ScopethingCoreStatus scopething_core_link_init(ScopethingCoreLink *link);

// Fills a request with the defaults.
ScopethingCoreStatus scopething_core_request_init(ScopethingCoreRequest *request);

// Makes a scope of the caller's memory. Nothing is sent to the device: scopething_core_open does that. The link is copied; its
// context must stay.
ScopethingCoreStatus scopething_core_init(ScopethingCoreScope *scope,
                                          const ScopethingCoreLink *link);

// Resets and identifies the device, which may be another than before; generators stop. Captures and generators do it by themselves
// where it was not done, and after a failure. A silent device fails after 1 s and three times the link's round trip.
ScopethingCoreStatus scopething_core_open(ScopethingCoreScope *scope);

// Ends the use of a scope: its memory is the caller's again. Nothing is sent; generators run on. To use it again, initialise it.
ScopethingCoreStatus scopething_core_close(ScopethingCoreScope *scope);

// Reports what is known of the device, without asking it.
ScopethingCoreStatus scopething_core_info(ScopethingCoreScope *scope, ScopethingCoreInfo *info);

// Reads the device's serial number, eight characters, in eight round trips the first time. An empty text if it has none.
ScopethingCoreStatus scopething_core_read_serial(ScopethingCoreScope *scope,
                                                 char *text,
                                                 size_t size);

// Writes what the last function of this scope that failed reports: what happened, and what to do about it. An empty text if the
// last one did not fail. It links the formatting of numbers, some 20 KiB; without it scopething_core_status_text has a sentence for each
// status.
ScopethingCoreStatus scopething_core_message(ScopethingCoreScope *scope,
                                             char *text,
                                             size_t size);

// What a status means and what to do about it, a sentence; that of a wrong argument for what is no status. Never NULL.
const char *scopething_core_status_text(int32_t status);

// Fills a request with the defaults.
ScopethingCoreStatus scopething_core_stream_request_init(ScopethingCoreStreamRequest *request);

// Streams until `receive` returns anything but 0, or the link or the device fails. `frames` is room for those that come at once: for a
// quarter of a second of them, so that what is merely late is not taken for lost. `info` receives how the stream is made before the first
// frames, `totals` what it has amounted to; both may be NULL. A device that falls silent fails after the link's round trip.
ScopethingCoreStatus scopething_core_stream(ScopethingCoreScope *scope,
                                            const ScopethingCoreStreamRequest *request,
                                            ScopethingCoreFrame *frames,
                                            size_t capacity,
                                            scopething_core_receive receive,
                                            void *user,
                                            ScopethingCoreStreamInfo *info,
                                            ScopethingCoreStreamTotals *totals);

// Plans a capture into a trace, with the scope's generators as they are; no device is needed. What the trace held is gone.
ScopethingCoreStatus scopething_core_plan(ScopethingCoreScope *scope,
                                          const ScopethingCoreRequest *request,
                                          ScopethingCoreTrace *trace);

// Reports how a planned capture is made.
ScopethingCoreStatus scopething_core_plan_info(const ScopethingCoreTrace *trace, ScopethingCorePlan *info);

// Writes what a plan does otherwise than asked, or what else should be known of it: the notice of this number, from 0 on.
ScopethingCoreStatus scopething_core_plan_notice(const ScopethingCoreTrace *trace,
                                                 uint32_t number,
                                                 char *text,
                                                 size_t size);

// Captures into a trace that was planned, again and again if wanted, and waits for the trigger as long as was asked. `cancel` may be
// NULL; it is called with `user` each time that the link has nothing. A capture that it ends has what was sampled around that moment.
ScopethingCoreStatus scopething_core_capture(ScopethingCoreScope *scope,
                                             ScopethingCoreTrace *trace,
                                             scopething_core_cancel cancel,
                                             void *user);

// As scopething_core_capture, for links that may change bytes: everything is read twice and compared.
ScopethingCoreStatus scopething_core_capture_verified(ScopethingCoreScope *scope,
                                                      ScopethingCoreTrace *trace,
                                                      scopething_core_cancel cancel,
                                                      void *user);

// Reports what was captured.
ScopethingCoreStatus scopething_core_trace_info(const ScopethingCoreTrace *trace, ScopethingCoreTraceInfo *info);

// Reports how many samples of a channel there are, and when they were taken.
ScopethingCoreStatus scopething_core_series(const ScopethingCoreTrace *trace,
                                            uint32_t channel,
                                            ScopethingCoreSeries *series);

// Reads the samples of channel A or B in volts, or as fractions of the range if the capture was raw, from sample `first` on. `count`
// receives how many were copied: no more than `capacity`, and 0 behind the last.
ScopethingCoreStatus scopething_core_read_volts(const ScopethingCoreTrace *trace,
                                                uint32_t channel,
                                                size_t first,
                                                float *volts,
                                                size_t capacity,
                                                size_t *count);

// Reads the samples of channel A or B as they were converted, from sample `first` on: steps from the bottom of the range, of which there
// are 256 or, with 2 bytes a sample, 65536. `count` receives how many were copied.
ScopethingCoreStatus scopething_core_read_raw(const ScopethingCoreTrace *trace,
                                              uint32_t channel,
                                              size_t first,
                                              uint16_t *steps,
                                              size_t capacity,
                                              size_t *count);

// Reads the logic lines from sample `first` on: a byte a sample, bit n for line Ln; lines that were not captured are 0. `count` receives
// how many were copied.
ScopethingCoreStatus scopething_core_read_logic(const ScopethingCoreTrace *trace,
                                                size_t first,
                                                uint8_t *lines,
                                                size_t capacity,
                                                size_t *count);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SCOPETHING_CORE_H */
