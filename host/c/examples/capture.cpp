// Plays a sine, captures it on two channels, and streams: capture [URL]
#include <algorithm>
#include <cstdio>

#include <scopething.hpp>

int main(int argc, char **argv) try {
    scopething::Scope scope(argc > 1 ? argv[1] : "");
    double frequency_hz = scope.wave("sine 1kHz 0..3.3V");

    scopething::CaptureRequest request;
    request.channels = SCOPETHING_CHANNEL_A | SCOPETHING_CHANNEL_B;
    request.period_s = 2e-3;
    scopething::Capture capture = scope.capture(request);
    for (auto channel : {SCOPETHING_CHANNEL_A, SCOPETHING_CHANNEL_B}) {
        auto volts = capture.volts(channel);
        auto [low, high] = std::minmax_element(volts.begin(), volts.end());
        std::printf("%zu samples of %.1f Hz, %.1f V to %.1f V\n", volts.size(), frequency_hz, *low, *high);
    }

    scopething::Stream stream = scope.stream(scopething::StreamRequest());
    std::vector<float> rows(100);
    auto block = stream.read(rows);
    std::printf("%zu rows, %llu frames lost\n", block.rows, static_cast<unsigned long long>(block.lost_frames));
    return 0;
} catch (const scopething::Error &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
