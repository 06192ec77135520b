//! The shared library's name for the linker ends with the version of its binary interface.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // SCOPETHING_ABI_VERSION in src/lib.rs; a test compares the two.
    let abi = include_str!("abi-version").trim();
    println!("cargo:rerun-if-changed=abi-version");
    println!("cargo:rustc-env=SCOPETHING_ABI={abi}");
    match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux" | "android" | "freebsd") => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libscopething.so.{abi}");
        }
        Ok("macos") => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libscopething.{abi}.dylib");
        }
        _ => {}
    }
}
