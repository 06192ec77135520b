// libscopething for C++17: handles that close themselves, errors that are thrown. Nothing to link beyond libscopething.
#ifndef SCOPETHING_HPP
#define SCOPETHING_HPP

#include <cstddef>
#include <cstdint>
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

} // namespace detail

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

    /// Whether it has ended. Throws if it has failed.
    bool ended() const {
        bool ended = false;
        detail::call(scopething_capture_poll, handle_.get(), &ended);
        return ended;
    }

    /// Waits for its end; for ever if `timeout_s` is below 0.
    void wait(double timeout_s = -1) const { detail::call(scopething_capture_wait, handle_.get(), timeout_s); }

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

private:
    detail::Handle<scopething_stream_close> handle_;
};

/// A scope that is open.
class Scope {
public:
    explicit Scope(const std::string &url) : handle_(open(url)) {}

    ScopethingScopeInfo info() const {
        ScopethingScopeInfo info;
        detail::call(scopething_info, handle_.get(), &info);
        return info;
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
