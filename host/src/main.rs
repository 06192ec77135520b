//! The `scopething` program: see `scopething --help`.

fn main() -> std::process::ExitCode {
    scopething::cli::run()
}
