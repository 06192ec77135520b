//! `libscopething`: a BitScope Micro from C, and from whatever calls C. The header is `include/scopething.h`, made of this.
//!
//! A thin layer over the crate `scopething`: numbers for handles, error codes with a message, and the caller's memory. Handles are
//! looked up, so that a wrong one is an error and not a crash; what is behind one lives until whoever uses it has done.
//!
//! `unsafe` is where C's pointers are: in [`memory`], and in the functions of the interface that call it.

#![deny(clippy::undocumented_unsafe_blocks)]
// The contract of every pointer stands once, in the header's introduction.
#![allow(clippy::missing_safety_doc, reason = "every function has the same contract, which is in the header")]
#![allow(
    clippy::doc_markdown,
    reason = "these comments are those of the header, where backticks mean nothing"
)]
#![allow(unreachable_pub, reason = "what C sees is public by its symbol")]

mod calibrate;
mod call;
mod capture;
mod generate;
mod list;
mod memory;
mod plan;
mod request;
mod scope;
mod status;
mod stream;
mod table;

use std::ffi::c_char;

use crate::call::call;
use crate::memory::Texts;
use crate::status::{ScopethingError, ScopethingStatus};

/// The version of the binary interface. A library of another version cannot be used.
pub const SCOPETHING_ABI_VERSION: u32 = 0;

/// Channel A, in a set of channels.
pub const SCOPETHING_CHANNEL_A: u32 = 1;
/// Channel B.
pub const SCOPETHING_CHANNEL_B: u32 = 2;
/// Logic line L0; L1 is the next bit, and so on up to L7.
pub const SCOPETHING_CHANNEL_L0: u32 = 0x100;
/// All eight logic lines.
pub const SCOPETHING_CHANNEL_LOGIC: u32 = 0xff00;

/// The version of the binary interface of this library.
#[unsafe(no_mangle)]
pub extern "C" fn scopething_abi_version() -> u32 {
    SCOPETHING_ABI_VERSION
}

/// The version of this library, such as "0.1.0".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_version(
    text: *mut c_char,
    size: usize,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the caller promises `size` bytes at `text`.
        let mut text = unsafe { Texts::new(text, size, "text") }?;
        text.set(env!("CARGO_PKG_VERSION"));
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn soname_has_the_version_of_the_interface() {
        assert_eq!(env!("SCOPETHING_ABI"), SCOPETHING_ABI_VERSION.to_string());
    }

    /// Both libraries for C: the folder of each, and its header.
    const HEADERS: [(&str, &str); 2] =
        [(".", "include/scopething.h"), ("../../core/c", "include/scopething_core.h")];

    fn folder(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    }

    #[test]
    fn headers_are_those_of_the_sources() {
        for (name, header) in HEADERS {
            let folder = folder(name);
            let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).unwrap();
            let builder = cbindgen::Builder::new().with_config(config).with_src(folder.join("src/lib.rs"));
            let mut made = Vec::new();
            builder.generate().unwrap().write(&mut made);
            let made = String::from_utf8(made).unwrap();
            let path = folder.join(header);
            if std::env::var_os("SCOPETHING_WRITE_HEADER").is_some() {
                std::fs::write(&path, &made).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                made == kept,
                "{header} is another one: run this test with SCOPETHING_WRITE_HEADER=1 to write it"
            );
        }
    }

    /// The numbers that a header gives names to, by their names behind `prefix`.
    fn numbers(header: &str, prefix: &str) -> BTreeMap<String, u32> {
        let number = |line: &str| {
            let line =
                line.trim().trim_start_matches("#define ").trim_end_matches(',').replacen(" = ", " ", 1);
            let (name, value) = line.strip_prefix(prefix)?.split_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        header.lines().filter_map(number).collect()
    }

    #[test]
    fn numbers_are_the_same_in_both_headers() {
        let read = |(name, header)| std::fs::read_to_string(folder(name).join(header)).unwrap();
        let [host, core] = HEADERS.map(read);
        let (host, core) = (numbers(&host, "SCOPETHING_"), numbers(&core, "SCOPETHING_CORE_"));
        // Each interface has a version of its own.
        let both = core.iter().filter(|(name, _)| host.contains_key(*name) && *name != "ABI_VERSION");
        let mut compared = 0;
        for (name, number) in both {
            assert_eq!(host.get(name), Some(number), "{name}");
            compared += 1;
        }
        // Ten statuses, four channels, four kinds of triggers, three of ends, and what is generated.
        assert!(compared >= 21, "{compared}");
    }
}
