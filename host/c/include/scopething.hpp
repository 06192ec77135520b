// libscopething for C++17: handles that close themselves, errors that are thrown. Nothing to link beyond libscopething.
#ifndef SCOPETHING_HPP
#define SCOPETHING_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "scopething.h"

namespace scopething {

/// What a call reports when it fails.
class Error : public std::runtime_error {
public:
    explicit Error(const ScopethingError &error) : std::runtime_error(error.message), status_(error.status) {}

    ScopethingStatus status() const noexcept { return status_; }

private:
    ScopethingStatus status_;
};

namespace detail {

/// Calls a function of the library with room for its error, and throws that.
template <typename Function, typename... Arguments>
void call(Function function, Arguments... arguments) {
    ScopethingError error;
    if (function(arguments..., &error) != SCOPETHING_OK) {
        throw Error(error);
    }
}

/// A handle that is closed once.
template <ScopethingStatus (*Close)(std::uint64_t, ScopethingError *)>
class Handle {
public:
    explicit Handle(std::uint64_t handle) noexcept : handle_(handle) {}
    Handle(Handle &&other) noexcept : handle_(std::exchange(other.handle_, 0)) {}
    Handle &operator=(Handle &&other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    Handle(const Handle &) = delete;
    Handle &operator=(const Handle &) = delete;
    ~Handle() {
        if (handle_ != 0) {
            Close(handle_, nullptr);
        }
    }

    std::uint64_t get() const noexcept { return handle_; }

private:
    std::uint64_t handle_;
};

/// A progress function of C++ as the library calls one: what it throws goes around the library.
class Progress {
public:
    explicit Progress(std::function<bool(std::uint32_t, std::uint32_t)> function) : function_(std::move(function)) {}

    static std::int32_t call(void *user, std::uint32_t done, std::uint32_t total) noexcept {
        auto &progress = *static_cast<Progress *>(user);
        try {
            return progress.function_(done, total) ? 0 : 1;
        } catch (...) {
            progress.thrown_ = std::current_exception();
            return 1;
        }
    }

    void rethrow() const {
        if (thrown_) {
            std::rethrow_exception(thrown_);
        }
    }

private:
    std::function<bool(std::uint32_t, std::uint32_t)> function_;
    std::exception_ptr thrown_;
};

/// Calls a function of the library that reports progress. What its progress function threw is thrown before what it failed of.
template <typename Function>
void call_with(Progress &progress, Function function) {
    ScopethingError error;
    ScopethingStatus status = function(&error);
    progress.rethrow();
    if (status != SCOPETHING_OK) {
        throw Error(error);
    }
}

} // namespace detail

/// Called with how much is done of how much, as `scopething_progress`; false cancels. It may throw, which cancels as well.
using Progress = std::function<bool(std::uint32_t done, std::uint32_t total)>;

/// The version of the library.
inline std::string version() {
    char text[32];
    detail::call(scopething_version, text, sizeof text);
    return text;
}

/// The serial ports of the computer; none is opened.
inline std::vector<ScopethingPort> ports() {
    std::vector<ScopethingPort> ports(16);
    for (;;) {
        std::size_t count = 0;
        detail::call(scopething_list, ports.data(), ports.size(), &count);
        bool all = count <= ports.size();
        ports.resize(count);
        if (all) {
            return ports;
        }
    }
}

/// What is asked of a capture, with every default.
struct CaptureRequest : ScopethingCaptureRequest {
    CaptureRequest() { detail::call(scopething_capture_request_init, this); }
};

/// What is asked of a stream, with every default.
struct StreamRequest : ScopethingStreamRequest {
    StreamRequest() { detail::call(scopething_stream_request_init, this); }
};

/// A capture that was started.
class Capture {
public:
    explicit Capture(scopething_capture handle) : handle_(handle) {}

    /// The handle, for functions of `scopething.h`; it is not to be closed.
    scopething_capture get() const noexcept { return handle_.get(); }

    /// Whether it has ended. Throws if it has failed.
    bool ended() const {
        bool ended = false;
        detail::call(scopething_capture_poll, handle_.get(), &ended);
        return ended;
    }

    /// Waits for its end; for ever if `timeout_s` is below 0.
    void wait(double timeout_s = -1) const { detail::call(scopething_capture_wait, handle_.get(), timeout_s); }

    /// Waits for its end. `progress` is called every `interval_s` on this thread with the milliseconds so far; if it returns false
    /// the capture ends with the trace around that moment.
    void wait(Progress progress, double interval_s = 0.1) const {
        detail::Progress user(std::move(progress));
        detail::call_with(user, [&](ScopethingError *error) {
            return scopething_capture_wait_with(handle_.get(), interval_s, detail::Progress::call, &user, error);
        });
    }

    void cancel() const { detail::call(scopething_capture_cancel, handle_.get()); }

    ScopethingCaptureInfo info() const {
        ScopethingCaptureInfo info;
        detail::call(scopething_capture_info, handle_.get(), &info);
        return info;
    }

    ScopethingSeries series(std::uint32_t channel) const {
        ScopethingSeries series;
        detail::call(scopething_capture_series, handle_.get(), channel, &series);
        return series;
    }

    std::vector<float> volts(std::uint32_t channel) const {
        return read<float>(series(channel).count, [&](float *values, std::size_t capacity, std::size_t *count) {
            detail::call(scopething_capture_read_volts, handle_.get(), channel, values, capacity, count);
        });
    }

    std::vector<std::uint16_t> raw(std::uint32_t channel) const {
        return read<std::uint16_t>(
            series(channel).count, [&](std::uint16_t *values, std::size_t capacity, std::size_t *count) {
                detail::call(scopething_capture_read_raw, handle_.get(), channel, values, capacity, count);
            });
    }

    /// A byte a sample, bit n for line Ln.
    std::vector<std::uint8_t> logic() const {
        return read<std::uint8_t>(
            info().plan.samples, [&](std::uint8_t *values, std::size_t capacity, std::size_t *count) {
                detail::call(scopething_capture_read_logic, handle_.get(), values, capacity, count);
            });
    }

private:
    template <typename Value, typename Read>
    static std::vector<Value> read(std::size_t size, Read fill) {
        std::vector<Value> values(size);
        std::size_t count = 0;
        fill(values.data(), values.size(), &count);
        values.resize(count);
        return values;
    }

    detail::Handle<scopething_capture_close> handle_;
};

/// A stream that was started.
class Stream {
public:
    explicit Stream(scopething_stream handle) : handle_(handle) {}

    /// The handle, for functions of `scopething.h`; it is not to be closed.
    scopething_stream get() const noexcept { return handle_.get(); }

    ScopethingStreamInfo info() const {
        ScopethingStreamInfo info;
        detail::call(scopething_stream_info, handle_.get(), &info);
        return info;
    }

    /// Fills `values` with rows.
    ScopethingBlock read(std::vector<float> &values, double timeout_s = -1) const {
        ScopethingBlock block;
        detail::call(scopething_stream_read, handle_.get(), values.data(), values.size(), timeout_s, &block);
        return block;
    }

    ScopethingStreamTotals totals() const {
        ScopethingStreamTotals totals;
        detail::call(scopething_stream_totals, handle_.get(), &totals);
        return totals;
    }

private:
    detail::Handle<scopething_stream_close> handle_;
};

/// A scope that is open.
class Scope {
public:
    explicit Scope(const std::string &url) : handle_(open(url)) {}

    /// The handle, for functions of `scopething.h`; it is not to be closed.
    scopething_scope get() const noexcept { return handle_.get(); }

    ScopethingScopeInfo info() const {
        ScopethingScopeInfo info;
        detail::call(scopething_info, handle_.get(), &info);
        return info;
    }

    /// Reads the serial number from the device; empty if it has none.
    std::string serial_number() const {
        char serial[9];
        detail::call(scopething_serial_number, handle_.get(), serial, sizeof serial);
        return serial;
    }

    ScopethingPlan plan(const CaptureRequest &request) const {
        ScopethingPlan plan;
        detail::call(scopething_plan, handle_.get(), static_cast<const ScopethingCaptureRequest *>(&request), &plan);
        return plan;
    }

    Capture start(const CaptureRequest &request) const {
        scopething_capture capture = 0;
        detail::call(scopething_capture_start, handle_.get(), static_cast<const ScopethingCaptureRequest *>(&request),
                     &capture);
        return Capture(capture);
    }

    /// Captures, and waits for the end.
    Capture capture(const CaptureRequest &request) const {
        Capture capture = start(request);
        capture.wait();
        return capture;
    }

    Stream stream(const StreamRequest &request) const {
        scopething_stream stream = 0;
        detail::call(scopething_stream_start, handle_.get(), static_cast<const ScopethingStreamRequest *>(&request),
                     &stream);
        return Stream(stream);
    }

    /// Plays a waveform; returns the real frequency in hertz.
    double wave(const std::string &wave, bool once = false) const {
        double frequency_hz = 0;
        detail::call(scopething_wave, handle_.get(), wave.c_str(), once, &frequency_hz);
        return frequency_hz;
    }

    /// Runs clocks; returns the real frequency in hertz.
    double clock(const std::string &clocks) const {
        double frequency_hz = 0;
        detail::call(scopething_clock, handle_.get(), clocks.c_str(), &frequency_hz);
        return frequency_hz;
    }

    /// Plays a period of your own samples, 2 to 1024 of them from 0 to 1; returns the real frequency in hertz.
    double wave_samples(double frequency_hz, double low_v, double high_v, const std::vector<float> &samples,
                        bool once = false) const {
        double real_hz = 0;
        detail::call(scopething_wave_samples, handle_.get(), frequency_hz, low_v, high_v, samples.data(), samples.size(), once,
                     &real_hz);
        return real_hz;
    }

    /// Holds logic lines at levels, such as "L3=1,L5=0".
    void hold(const std::string &levels) const { detail::call(scopething_hold, handle_.get(), levels.c_str()); }

    /// Calibrates a probe whose tips are on the clock output (L5). With `save` it is kept in the user's file of calibrations.
    ScopethingCalibration calibrate(const std::string &probe, std::uint32_t channels, bool save, Progress progress = nullptr,
                                    std::uint32_t grid = 32) const {
        ScopethingCalibration calibration;
        auto function = progress ? detail::Progress::call : nullptr;
        detail::Progress user(std::move(progress));
        detail::call_with(user, [&](ScopethingError *error) {
            return scopething_calibrate(handle_.get(), probe.c_str(), channels, grid, save, function, &user, &calibration, error);
        });
        return calibration;
    }

    void stop_generators() const { detail::call(scopething_stop_generators, handle_.get()); }

private:
    static scopething_scope open(const std::string &url) {
        scopething_scope scope = 0;
        detail::call(scopething_open, url.c_str(), &scope);
        return scope;
    }

    detail::Handle<scopething_close> handle_;
};

} // namespace scopething

#endif // SCOPETHING_HPP
