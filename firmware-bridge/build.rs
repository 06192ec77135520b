//! Puts the memory map where the linker looks for it, when building for a board.
use std::{env, fs, path::PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=memory_rp2040.x");
    println!("cargo:rerun-if-changed=memory_rp235x.x");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "none") {
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        let is_pico2 = env::var_os("CARGO_FEATURE_RP235X").is_some();
        let map = if is_pico2 { "memory_rp235x.x" } else { "memory_rp2040.x" };
        fs::copy(map, out.join("memory.x")).expect("the memory map is copied");
        println!("cargo:rustc-link-search={}", out.display());
        // The Pico's second stage of the start has a script of its own.
        let scripts: &[&str] =
            if is_pico2 { &["-Tlink.x", "-Tdefmt.x"] } else { &["-Tlink.x", "-Tlink-rp.x", "-Tdefmt.x"] };
        for argument in [&["--nmagic"], scripts].concat() {
            println!("cargo:rustc-link-arg-bins={argument}");
        }
    }
}
