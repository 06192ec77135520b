// What scopething.hpp promises, asked of the simulated scope. Prints a line; exits 1 at the first that fails.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include <scopething.hpp>

#define EXPECT(what) expect((what), #what, __LINE__)

namespace {

const char *const url = "sim:?A=sine,1kHz,0..3V&clock=fast";

void expect(bool holds, const char *what, int line) {
    if (!holds) {
        std::fprintf(stderr, "line %d: not so: %s\n", line, what);
        std::exit(1);
    }
}

template <typename Work>
ScopethingStatus status_of(Work work) {
    try {
        work();
    } catch (const scopething::Error &error) {
        EXPECT(std::strlen(error.what()) > 10);
        return error.status();
    }
    return SCOPETHING_OK;
}

void handles() {
    static_assert(!std::is_copy_constructible_v<scopething::Scope> && std::is_move_constructible_v<scopething::Scope>);
    scopething_scope first;
    {
        scopething::Scope scope(url);
        first = scope.get();
        scopething::Scope moved(std::move(scope));
        EXPECT(scope.get() == 0 && moved.get() == first);
        EXPECT(moved.serial_number().size() == 8 && std::strcmp(moved.info().revision, "BS000501") == 0);
        EXPECT(status_of([&] { scope.serial_number(); }) == SCOPETHING_ERROR_HANDLE);
        scope = scopething::Scope(url);
        EXPECT(scope.get() != first && scope.serial_number().size() == 8);
    }
    // Each was closed once.
    EXPECT(scopething_close(first, nullptr) == SCOPETHING_ERROR_HANDLE);
    EXPECT(status_of([] { scopething::Scope nowhere("socket://127.0.0.1:1"); }) == SCOPETHING_ERROR_NOT_FOUND);
    EXPECT(scopething::version().find('.') != std::string::npos);
    std::size_t count = 0;
    EXPECT(scopething_list(nullptr, 0, &count, nullptr) == SCOPETHING_OK && scopething::ports().size() == count);
}

void captures() {
    scopething::Scope scope(url);
    scopething::CaptureRequest request;
    request.channels = SCOPETHING_CHANNEL_A | SCOPETHING_CHANNEL_L0 << 3;
    EXPECT(scope.plan(request).samples == 1000);
    scopething::Capture capture = scope.capture(request);
    EXPECT(capture.ended() && capture.info().triggered && capture.series(SCOPETHING_CHANNEL_A).count == 1000);
    auto volts = capture.volts(SCOPETHING_CHANNEL_A);
    EXPECT(volts.size() == 1000 && capture.raw(SCOPETHING_CHANNEL_A).size() == 1000 && capture.logic().size() == 1000);
    auto [low, high] = std::minmax_element(volts.begin(), volts.end());
    EXPECT(std::fabs(*low) < 0.1f && std::fabs(*high - 3) < 0.1f);
    EXPECT(status_of([&] { capture.volts(SCOPETHING_CHANNEL_B); }) == SCOPETHING_ERROR_ARGUMENT);
    request.channels = 0;
    EXPECT(status_of([&] { scope.start(request); }) == SCOPETHING_ERROR_ARGUMENT);
}

void progress() {
    scopething::Scope silent("sim:?A=dc,0V&B=dc,0V");
    scopething::CaptureRequest request;
    scopething::Capture capture = silent.start(request);
    int calls = 0;
    capture.wait([&](std::uint32_t, std::uint32_t) { return ++calls < 3; }, 0.01);
    EXPECT(calls >= 3 && capture.info().end_reason == SCOPETHING_ENDED_BY_CANCEL);
    // What is thrown within a callback arrives here, and has cancelled.
    scopething::Capture another = silent.start(request);
    bool thrown = false;
    try {
        another.wait([](std::uint32_t, std::uint32_t) -> bool { throw std::runtime_error("by the test"); }, 0.01);
    } catch (const std::runtime_error &error) {
        thrown = std::strcmp(error.what(), "by the test") == 0;
    }
    EXPECT(thrown && another.info().end_reason == SCOPETHING_ENDED_BY_CANCEL);

    scopething::Scope scope("sim:?clock=fast");
    auto cancelled = [&] { scope.calibrate("x1", SCOPETHING_CHANNEL_A, false, [](auto, auto) { return false; }, 16); };
    EXPECT(status_of(cancelled) == SCOPETHING_ERROR_CANCELLED);
    EXPECT(scope.calibrate("x1", SCOPETHING_CHANNEL_A, false, nullptr, 16).used > 0);
}

void generators_and_streams() {
    scopething::Scope scope("sim:?clock=fast");
    EXPECT(std::fabs(scope.wave("sine 1kHz 0..3V") - 1000) <= 0.1);
    EXPECT(status_of([&] { scope.clock("1MHz 50%"); }) == SCOPETHING_ERROR_ARGUMENT);
    scope.stop_generators();
    EXPECT(scope.clock("1MHz 50%") == 1e6);
    scope.stop_generators();
    EXPECT(std::fabs(scope.wave_samples(1000, 0, 3, {0, 1}) - 1000) <= 0.1);
    scope.stop_generators();
    scope.hold("L3=1,L5=0");
    EXPECT(scope.info().generates == SCOPETHING_GENERATES_LEVELS);
    scope.stop_generators();
    scopething::Stream stream = scope.stream(scopething::StreamRequest());
    std::vector<float> rows(100);
    EXPECT(stream.info().column_count == 1 && stream.read(rows).rows == 100 && stream.totals().frames >= 100);
}

} // namespace

int main() {
    handles();
    captures();
    progress();
    generators_and_streams();
    std::puts("the wrapper: ok");
    return 0;
}
