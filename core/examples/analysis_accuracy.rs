//! Prints how accurately the analysis finds shape and frequency, over shape, noise and periods, and how long it takes.
//!
//! `cargo run --release -p scopething-core --example analysis_accuracy`

#[path = "../tests/seeded_series/mod.rs"]
mod seeded_series;

use std::time::{Duration, Instant};

use fastrand::Rng;
use seeded_series::{Drawn, SHAPES, analysed, frequency_error, is_same_shape, start_error};

const PERIODS: [f64; 5] = [2.5, 4.0, 10.0, 50.0, 200.0];
const NOISE: [f64; 4] = [0.0, 0.01, 0.02, 0.05];

/// Series drawn for each cell of the table.
const SERIES_PER_CELL: u64 = 200;

/// Series drawn at random.
const RANDOM_SERIES: u64 = 10_000;

fn print_table(samples: usize) {
    println!(
        "{samples} samples: shape right, and the median and the largest error of the frequency, of {SERIES_PER_CELL}"
    );
    println!(
        "{:14} {:>6} {}",
        "shape",
        "noise",
        PERIODS.map(|periods| format!("{periods:>22} periods")).join(" ")
    );
    let mut scratch = Vec::new();
    for name in SHAPES {
        for noise in NOISE {
            let cells = PERIODS.map(|periods| {
                let mut right = 0;
                let mut errors: Vec<f64> = (0..SERIES_PER_CELL)
                    .map(|seed| {
                        let mut rng = Rng::with_seed(seed);
                        // Not a whole number of samples a period, another one for each seed.
                        let periods = periods * (1.0 + 0.01 * rng.f64());
                        let drawn = Drawn::with(&mut rng, name, periods, noise);
                        let found = analysed(&drawn.samples(&mut rng, samples), &mut scratch);
                        right += u64::from(is_same_shape(&drawn, &found, samples));
                        frequency_error(&drawn, &found)
                    })
                    .collect();
                errors.sort_by(f64::total_cmp);
                let (median, largest) = (errors[errors.len() / 2], errors[errors.len() - 1]);
                let percent = 100.0 * right as f64 / SERIES_PER_CELL as f64;
                format!("{percent:>9.1} % {median:>8.1e} {largest:>8.1e}")
            });
            println!("{name:14} {:>4} % {}", 100.0 * noise, cells.join("  "));
        }
    }
}

fn print_random(samples: usize) {
    let mut scratch = Vec::new();
    let (mut shape, mut frequency, mut start) = (0, 0, 0);
    for seed in 0..RANDOM_SERIES {
        let mut rng = Rng::with_seed(seed);
        let drawn = Drawn::any(&mut rng);
        let found = analysed(&drawn.samples(&mut rng, samples), &mut scratch);
        shape += u64::from(is_same_shape(&drawn, &found, samples));
        frequency += u64::from(frequency_error(&drawn, &found) < 0.01);
        start +=
            u64::from(start_error(&drawn, &found) < f64::max(0.02, 1.5 * drawn.periods / samples as f64));
    }
    let percent = |right: u64| 100.0 * right as f64 / RANDOM_SERIES as f64;
    println!(
        "{RANDOM_SERIES} series of {samples} samples, any shape, 2.5 to 200 periods, noise to 5 %: shape right {:.2} %, \
         frequency within 1 % {:.2} %, start within 0.02 periods or 1.5 samples {:.2} %",
        percent(shape),
        percent(frequency),
        percent(start)
    );
}

/// The shortest of several runs: the others waited for something else.
fn print_time(samples: usize, periods: f64) {
    let mut rng = Rng::with_seed(1);
    let mut scratch = Vec::new();
    let series = Drawn::with(&mut rng, "sine", periods, 0.02).samples(&mut rng, samples);
    let shortest = (0..50)
        .map(|_| {
            let begin = Instant::now();
            std::hint::black_box(analysed(std::hint::black_box(&series), &mut scratch));
            begin.elapsed()
        })
        .min();
    println!("{samples:>6} samples, {periods:>5} periods: {:?}", shortest.unwrap_or(Duration::ZERO));
}

fn main() {
    for samples in [1000, 12_288] {
        print_table(samples);
        print_random(samples);
        println!();
    }
    println!("time of one analysis");
    for samples in [1000, 3072, 6144, 12_288] {
        for periods in [2.5, 20.0, 200.0] {
            print_time(samples, periods);
        }
    }
}
