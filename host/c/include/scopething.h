/* libscopething: a BitScope Micro from C.
 *
 * Generated from host/c/src by cbindgen; a test compares the two. What holds for all functions stands in host/pages/c.md:
 *
 * - A function returns SCOPETHING_OK or why not. `error` may be NULL; otherwise it receives the same and a message.
 * - Handles are numbers, never reused. A wrong one, one of another kind and one that was closed are SCOPETHING_ERROR_HANDLE.
 * - Memory is the caller's. Texts end with a zero byte and are cut to what fits; no text given may be longer than 4095 bytes.
 * - All functions may be called from any thread. A scope does one thing at a time: what comes meanwhile is
 *   SCOPETHING_ERROR_BUSY. Cancelling, polling, waiting and closing are allowed at any time.
 * - A callback runs on the thread that called the function it was given to. It may not close the scope it is called for.
 * - After fork, the child has none of its parent's handles; it opens its own.
 * - Numbers have their unit in the name: _s seconds, _hz hertz, _v volts.
 */

#ifndef SCOPETHING_H
#define SCOPETHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The version of the binary interface. A library of another version cannot be used.
#define SCOPETHING_ABI_VERSION 0

// Channel A, in a set of channels.
#define SCOPETHING_CHANNEL_A 1

// Channel B.
#define SCOPETHING_CHANNEL_B 2

// Logic line L0; L1 is the next bit, and so on up to L7.
#define SCOPETHING_CHANNEL_L0 256

// All eight logic lines.
#define SCOPETHING_CHANNEL_LOGIC 65280

// The trigger came.
#define SCOPETHING_ENDED_BY_TRIGGER 0

// The trigger did not come in time.
#define SCOPETHING_ENDED_BY_TIMEOUT 1

// It was cancelled: this is what was sampled around that moment.
#define SCOPETHING_ENDED_BY_CANCEL 2

// Below the level, then above it.
#define SCOPETHING_TRIGGER_RISING 0

// Above the level, then below it.
#define SCOPETHING_TRIGGER_FALLING 1

// Above the level.
#define SCOPETHING_TRIGGER_ABOVE 2

// Below the level.
#define SCOPETHING_TRIGGER_BELOW 3

// The generators are off.
#define SCOPETHING_GENERATES_NOTHING 0

// A waveform is played.
#define SCOPETHING_GENERATES_WAVEFORM 1

// Clocks run.
#define SCOPETHING_GENERATES_CLOCKS 2

// Logic lines are held.
#define SCOPETHING_GENERATES_LEVELS 3

// The size of the texts of errors, in bytes.
#define SCOPETHING_MESSAGE_SIZE 512

// The most columns of a stream: A, B and eight logic lines.
#define SCOPETHING_MAX_COLUMNS 10

// Of a block: frames are missing before it, and how many is not known.
#define SCOPETHING_LOST_UNKNOWN UINT64_MAX

// How a function ended.
typedef enum {
    // All is well.
    SCOPETHING_OK = 0,
    // An argument makes no sense: a null pointer, a number out of range, a text that is not understood.
    SCOPETHING_ERROR_ARGUMENT = 1,
    // The handle is none, or is one of something else, or was closed.
    SCOPETHING_ERROR_HANDLE = 2,
    // There is no device, or it does not answer.
    SCOPETHING_ERROR_NOT_FOUND = 3,
    // Another program has the device, or this scope does something else: wait for its end, or end it.
    SCOPETHING_ERROR_BUSY = 4,
    // What answers is no BitScope Micro.
    SCOPETHING_ERROR_WRONG_DEVICE = 5,
    // The link is gone: close the scope and open it again.
    SCOPETHING_ERROR_LINK_LOST = 6,
    // The device answered what it should not, or too late: try again.
    SCOPETHING_ERROR_BAD_ANSWER = 7,
    // The device cannot do what was asked.
    SCOPETHING_ERROR_PLAN = 8,
    // A file cannot be read or written.
    SCOPETHING_ERROR_FILE = 9,
    // It was cancelled, and there is nothing to show.
    SCOPETHING_ERROR_CANCELLED = 10,
    // The scope was closed meanwhile.
    SCOPETHING_ERROR_CLOSED = 11,
    // It has not happened in the time given. What was waited for goes on.
    SCOPETHING_ERROR_TIMEOUT = 12,
    // A fault of this library.
    SCOPETHING_ERROR_INTERNAL = 13,
} ScopethingStatus;

// What went wrong.
typedef struct {
    // As the function returned.
    ScopethingStatus status;
    // What happened, and what to do about it; empty if all is well.
    char message[SCOPETHING_MESSAGE_SIZE];
} ScopethingError;

// A scope that is open.
typedef uint64_t scopething_scope;

// Called now and then while something is waited for, with how much is done of how much: points of a calibration, or
// milliseconds of a wait of which the whole is 0, which is not known. Anything but 0 cancels what is waited for.
typedef int32_t (*scopething_progress)(void *user, uint32_t done, uint32_t total);

// How well a calibration fits.
typedef struct {
    // How far the levels are off their true voltage: rms.
    double residual_v;
    // The same as a part of the range that each was measured with.
    double residual_of_range;
    // Levels that were used.
    uint32_t used;
    // Levels that were too far off.
    uint32_t rejected;
} ScopethingCalibration;

// What is asked of a capture. Fill it with scopething_capture_request_init first, then change what is to be otherwise.
typedef struct {
    // The size of this structure, in bytes; set by scopething_capture_request_init.
    size_t struct_size;
    // The channels, SCOPETHING_CHANNEL_ bits. Default: A.
    uint32_t channels;
    // Roughly how many samples, of both analog channels together. Default: 1000.
    uint32_t samples;
    // The time span. Default: 1 ms.
    double period_s;
    // The bottom of the range; NAN: what the probe measures safely, or 0 V for logic alone. With `raw` a fraction.
    double low_v;
    // The top of the range, likewise; 3.3 V for logic alone.
    double high_v;
    // What the trigger watches: "A", "B", or levels of logic lines such as "L3=1,L5=0". NULL: the first channel.
    const char *trigger;
    // The trigger level; NAN: the middle of the range. With `raw` a fraction.
    double level_v;
    // How the signal must behave: SCOPETHING_TRIGGER_RISING, FALLING, ABOVE or BELOW.
    uint32_t trigger_type;
    // A trigger filter of 4 samples instead of 8.
    bool hair_trigger;
    // Capture without a trigger after the period or 100 ms, whichever is longer, instead of waiting on.
    bool auto_trigger;
    // 8 bits a sample, where twice the captures a second count more than resolution.
    bool eight_bits;
    // The range is given as fractions of the converter's, and samples are fractions of the range.
    bool raw;
    // For links that may change bytes: everything is read twice and compared.
    bool verify;
    // The part of the span before the trigger, 0 to 1. Default: 0.25.
    double position;
    // The time from the trigger to the first sample, 0 to 4294 s. Default: 0.
    double delay_s;
    // How long to wait for the trigger; 0 captures at once, NAN waits as long as it takes. Default: NAN.
    double timeout_s;
    // The probe, by its name in the file of calibrations. NULL: x1.
    const char *probe;
    // The factor of a probe without a calibration, such as 10; NAN: that of the probe.
    double attenuation;
} ScopethingCaptureRequest;

// A capture that was started.
typedef uint64_t scopething_capture;

// How a capture is made.
typedef struct {
    // The trace mode, such as "Macro".
    char mode[32];
    // What is done otherwise than asked, and what else should be known: sentences, a line each. Empty if there is nothing.
    char notices[1024];
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
} ScopethingPlan;

// What was captured.
typedef struct {
    // How it was captured.
    ScopethingPlan plan;
    // Why it ended: one of the SCOPETHING_ENDED_ numbers.
    uint32_t end_reason;
    // Whether `trigger_time_s` is known.
    bool triggered;
    // When it triggered, from the first sample on.
    double trigger_time_s;
    // The level that it triggered at.
    double trigger_level_v;
    // When the first sample was taken, by the device's clock, which starts anywhere.
    double start_s;
} ScopethingCaptureInfo;

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
} ScopethingSeries;

// A serial port.
typedef struct {
    // Its name, which is also its URL.
    char name[256];
    // The USB device behind it; empty if it is none.
    char usb[256];
    // Why it cannot be opened; empty if nothing is known against it.
    char obstacle[256];
    // Whether it has the USB id of a BitScope.
    bool is_bitscope;
} ScopethingPort;

// What a scope is.
typedef struct {
    // The link, with the port that was found where none was named.
    char url[256];
    // The model, such as "BS05".
    char model[16];
    // What the device calls itself, such as "BS000501".
    char revision[16];
    // What it generates: one of the SCOPETHING_GENERATES_ numbers.
    uint32_t generates;
} ScopethingScopeInfo;

// What is asked of a stream. Fill it with scopething_stream_request_init first.
typedef struct {
    // The size of this structure, in bytes; set by scopething_stream_request_init.
    size_t struct_size;
    // The channels, SCOPETHING_CHANNEL_ bits. Default: A.
    uint32_t channels;
    // One channel without frames: four times as many samples, but nothing shows when some are lost.
    bool unframed;
    // The range is given as fractions of the converter's, and samples are fractions of the range.
    bool raw;
    // Rows a second. Default: 1000.
    double rate_hz;
    // The bottom of the range; NAN: what the probe measures safely.
    double low_v;
    // The top of the range.
    double high_v;
    // The probe, by its name in the file of calibrations. NULL: x1.
    const char *probe;
    // The factor of a probe without a calibration, such as 10; NAN: that of the probe.
    double attenuation;
} ScopethingStreamRequest;

// A stream that was started.
typedef uint64_t scopething_stream;

// What a stream's rows are.
typedef struct {
    // The time from one row to the next.
    double row_period_s;
    // The channel of each column, a SCOPETHING_CHANNEL_ bit.
    uint32_t columns[SCOPETHING_MAX_COLUMNS];
    // How many columns there are.
    uint32_t column_count;
    // What is done otherwise than asked, and what else should be known: sentences, a line each.
    char notices[1024];
} ScopethingStreamInfo;

// Rows that follow on one another.
typedef struct {
    // The number of the first one, from the start of the stream; missing ones count.
    uint64_t first;
    // Frames of the device that are missing just before it; SCOPETHING_LOST_UNKNOWN if some are, but how many is not known:
    // `first` is an estimate from there on.
    uint64_t lost_frames;
    // How many rows there are; 0 at the end of the stream.
    size_t rows;
} ScopethingBlock;

// What a stream has amounted to.
typedef struct {
    // Frames received.
    uint64_t frames;
    // Frames that the link lost, as far as is known.
    uint64_t lost_frames;
    // How often some were lost.
    uint64_t gaps;
    // Whether the stream has ended.
    bool ended;
} ScopethingStreamTotals;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the binary interface of this library.
uint32_t scopething_abi_version(void);

// The version of this library, such as "0.1.0".
ScopethingStatus scopething_version(char *text, size_t size, ScopethingError *error);

// Calibrates a probe on channel A, B or both, whose tips are on the clock output (L5). `grid` points are measured each way, 32 is
// usual; `progress` may be NULL. With `save` it is kept in the user's file of calibrations; the scope uses it at once either way.
ScopethingStatus scopething_calibrate(scopething_scope scope,
                                      const char *probe,
                                      uint32_t channels,
                                      uint32_t grid,
                                      bool save,
                                      scopething_progress progress,
                                      void *user,
                                      ScopethingCalibration *calibration,
                                      ScopethingError *error);

// Starts a capture and returns at once. The scope can do nothing else until it has ended. Close it with
// scopething_capture_close.
ScopethingStatus scopething_capture_start(scopething_scope scope,
                                          const ScopethingCaptureRequest *request,
                                          scopething_capture *capture,
                                          ScopethingError *error);

// Reports whether a capture has ended, without waiting. Returns why, if it has failed.
ScopethingStatus scopething_capture_poll(scopething_capture capture, bool *ended, ScopethingError *error);

// Waits for the end of a capture, for ever if `timeout_s` is below 0. SCOPETHING_ERROR_TIMEOUT leaves it running.
ScopethingStatus scopething_capture_wait(scopething_capture capture, double timeout_s, ScopethingError *error);

// Waits for the end of a capture. `progress` is called every `interval_s`, of 1 ms to 1 hour, on this thread, and cancels the
// capture when it returns anything but 0: then the trace around that moment is what was captured.
ScopethingStatus scopething_capture_wait_with(scopething_capture capture,
                                              double interval_s,
                                              scopething_progress progress,
                                              void *user,
                                              ScopethingError *error);

// Cancels a capture: it ends soon with the trace around this moment. No harm if it has ended.
ScopethingStatus scopething_capture_cancel(scopething_capture capture, ScopethingError *error);

// Forgets a capture; one that runs is cancelled first, and its end is waited for.
ScopethingStatus scopething_capture_close(scopething_capture capture, ScopethingError *error);

// Reports what was captured.
ScopethingStatus scopething_capture_info(scopething_capture capture,
                                         ScopethingCaptureInfo *info,
                                         ScopethingError *error);

// Reports how many samples of a channel there are, and when they were taken.
ScopethingStatus scopething_capture_series(scopething_capture capture,
                                           uint32_t channel,
                                           ScopethingSeries *series,
                                           ScopethingError *error);

// Reads the samples of channel A or B in volts, or as fractions of the range if the capture was raw. `count` receives how many
// were copied: no more than `capacity`.
ScopethingStatus scopething_capture_read_volts(scopething_capture capture,
                                               uint32_t channel,
                                               float *volts,
                                               size_t capacity,
                                               size_t *count,
                                               ScopethingError *error);

// Reads the samples of channel A or B as they were converted: steps from the bottom of the range, of which there are 256 or,
// with 2 bytes a sample, 65536. `count` receives how many were copied.
ScopethingStatus scopething_capture_read_raw(scopething_capture capture,
                                             uint32_t channel,
                                             uint16_t *steps,
                                             size_t capacity,
                                             size_t *count,
                                             ScopethingError *error);

// Reads the logic lines: a byte a sample, bit n for line Ln; lines that were not captured are 0. `count` receives how many were
// copied.
ScopethingStatus scopething_capture_read_logic(scopething_capture capture,
                                               uint8_t *lines,
                                               size_t capacity,
                                               size_t *count,
                                               ScopethingError *error);

// Plays a waveform, such as "sine 1kHz 0..3.3V", "square 2kHz 30%" or "triangle 50Hz"; `file:PATH` plays the samples in a file.
// `frequency_hz` receives the real frequency, and may be NULL.
ScopethingStatus scopething_wave(scopething_scope scope,
                                 const char *wave,
                                 bool once,
                                 double *frequency_hz,
                                 ScopethingError *error);

// Plays a period of your own samples: 2 to 1024 of them from 0 to 1, between two voltages.
ScopethingStatus scopething_wave_samples(scopething_scope scope,
                                         double frequency_hz,
                                         double low_v,
                                         double high_v,
                                         const float *samples,
                                         size_t count,
                                         bool once,
                                         double *real_frequency_hz,
                                         ScopethingError *error);

// Runs clocks, such as "1MHz 50%" or "1MHz L4, L5 phase 90deg". `frequency_hz` receives the real frequency, and may be NULL.
ScopethingStatus scopething_clock(scopething_scope scope,
                                  const char *clocks,
                                  double *frequency_hz,
                                  ScopethingError *error);

// Holds logic lines at levels, such as "L3=1,L5=0".
ScopethingStatus scopething_hold(scopething_scope scope, const char *levels, ScopethingError *error);

// Stops whatever is generated. No harm if nothing is.
ScopethingStatus scopething_stop_generators(scopething_scope scope, ScopethingError *error);

// Lists the serial ports, sorted by name; none is opened. `count` receives how many there are, which may be more than
// `capacity`: then the first of them are listed. `ports` may be NULL if `capacity` is 0.
ScopethingStatus scopething_list(ScopethingPort *ports, size_t capacity, size_t *count, ScopethingError *error);

// Plans a capture without making it: with the scope's generators as they are, or without a scope, if `scope` is 0.
ScopethingStatus scopething_plan(scopething_scope scope,
                                 const ScopethingCaptureRequest *request,
                                 ScopethingPlan *plan,
                                 ScopethingError *error);

// Fills a request with the defaults.
ScopethingStatus scopething_capture_request_init(ScopethingCaptureRequest *request, ScopethingError *error);

// Opens a scope by its URL: "" is the first BitScope that is plugged in, "/dev/ttyUSB0" or "COM3" a serial port,
// "socket://HOST:PORT", "bitscope-server://HOST:PORT" and "bridge:PORT" are others, and "sim:" is simulated in this process.
// Takes some 5 s at most, and with "" up to 4 s more for each port that is asked in vain. Close it with scopething_close.
ScopethingStatus scopething_open(const char *url,
                                 scopething_scope *scope,
                                 ScopethingError *error);

// Closes a scope: what it does is ended, what it generates is stopped. Its captures that have ended can still be read.
ScopethingStatus scopething_close(scopething_scope scope, ScopethingError *error);

// Reports what a scope is. Nothing is sent to the device.
ScopethingStatus scopething_info(scopething_scope scope, ScopethingScopeInfo *info, ScopethingError *error);

// Reads the serial number from the device: 9 bytes are enough. Empty if it has none.
ScopethingStatus scopething_serial_number(scopething_scope scope, char *serial, size_t size, ScopethingError *error);

// The name of a status, such as "SCOPETHING_OK"; null for what is none.
const char *scopething_status_name(int32_t status);

// Fills a request with the defaults.
ScopethingStatus scopething_stream_request_init(ScopethingStreamRequest *request, ScopethingError *error);

// Starts a stream, which has the scope until it is closed with scopething_stream_close. Rows wait for you: a million at most, what
// comes beyond is given up and counted as lost.
ScopethingStatus scopething_stream_start(scopething_scope scope,
                                         const ScopethingStreamRequest *request,
                                         scopething_stream *stream,
                                         ScopethingError *error);

// Reports what a stream's rows are.
ScopethingStatus scopething_stream_info(scopething_stream stream, ScopethingStreamInfo *info, ScopethingError *error);

// Reads rows, one after another with a value a column: volts, fractions if the stream is raw, or levels 0 and 1. `capacity` counts
// values. Waits until `capacity` is full, for `timeout_s` at most (below 0: as long as it takes), and gives what there is then, or
// SCOPETHING_ERROR_TIMEOUT if there is nothing. Rows before and behind a gap come in two calls. After the last row it gives 0 rows, or
// why the stream failed.
ScopethingStatus scopething_stream_read(scopething_stream stream,
                                        float *values,
                                        size_t capacity,
                                        double timeout_s,
                                        ScopethingBlock *block,
                                        ScopethingError *error);

// Reports what a stream has amounted to so far.
ScopethingStatus scopething_stream_totals(scopething_stream stream,
                                          ScopethingStreamTotals *totals,
                                          ScopethingError *error);

// Ends a stream, and waits until the scope can be used again. Rows that were not read are dropped.
ScopethingStatus scopething_stream_close(scopething_stream stream, ScopethingError *error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SCOPETHING_H */
