//! Links as the vendor's programs write them, and the files that list them.
//!
//! A URL of this project is a link too, so that what has no name in the vendor's syntax, such as `sim:` or a bridge, can be opened.

use std::fs;
use std::path::{Path, PathBuf};

use host::link::{HostPort, LinkUrl};

/// The port of a link that names none, in decimal.
const UDP_PORT: u16 = 0x4001;
/// The largest file of links that is read, in bytes, and the most links that are tried.
const MAX_FILE_BYTES: u64 = 64 * 1024;
const MAX_LINKS: usize = 64;
/// The model of the BitScope Micro, without its revision.
const MODEL: &str = "BS0005";

/// What can be opened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LinkSpec {
    /// The name by which a program knows it.
    pub(crate) name: String,
    pub(crate) target: Target,
}

/// Where a link leads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    /// To no device: everything can be set up, and nothing captured. What the device calls itself.
    Nothing(String),
    /// To a device.
    Device(LinkUrl),
}

impl LinkSpec {
    /// Reads a link. None for one that is not understood, or leads to a kind of device or network that is not supported.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let device = |target: LinkUrl| Some(Self { name: text.to_owned(), target: Target::Device(target) });
        match kind.to_ascii_uppercase().as_str() {
            "NIL" => Self::nothing(rest),
            "USB" | "TTY" if rest.is_empty() => device(LinkUrl::FirstSerial),
            "USB" | "TTY" => {
                let port = rest.split(':').next().unwrap_or(rest);
                LinkUrl::parse(port).ok().and_then(device)
            }
            "UDP" if rest.to_ascii_uppercase().starts_with("MULTICAST") => None,
            "UDP" => {
                let (host, port) = rest.split_once(':').unwrap_or((rest, ""));
                let port = port.split(':').next().unwrap_or(port);
                let port = if port.is_empty() { UDP_PORT } else { u16::from_str_radix(port, 16).ok()? };
                // The URL's own rules decide what a host is.
                let at = HostPort { host: host.to_owned(), port };
                LinkUrl::parse(&format!("bitscope-server://{at}")).ok().and_then(device)
            }
            _ if text.is_empty() => None,
            _ => LinkUrl::parse(text).ok().and_then(device),
        }
    }

    /// `NIL:BS000501`, with a product and a vendor behind it if they are given.
    fn nothing(rest: &str) -> Option<Self> {
        let mut parts = rest.split(':');
        let revision = parts.next()?.to_owned();
        if !revision.to_ascii_uppercase().starts_with(MODEL) || revision.len() != 8 {
            return None;
        }
        let product = parts.next().unwrap_or("SIMULATE");
        let vendor = parts.next().unwrap_or("METACHIP");
        let name = format!("NIL:{revision}:{product}:{vendor}");
        Some(Self { name, target: Target::Nothing(revision) })
    }
}

/// The links that `BL_Open` is to try for its first argument: those of a file if it names one, or the one that it is.
pub(crate) fn links_of(argument: &str) -> Vec<LinkSpec> {
    let argument = argument.trim();
    if argument.is_empty() {
        let files = probe_files();
        let listed: Vec<LinkSpec> =
            files.iter().flat_map(|file| links_of_file(file)).take(MAX_LINKS).collect();
        return if listed.is_empty() { default_links() } else { listed };
    }
    if let Some(link) = LinkSpec::parse(argument).filter(|_| !Path::new(argument).is_file()) {
        return vec![link];
    }
    links_of_file(Path::new(argument))
}

/// Without a file: the first BitScope that is plugged in.
fn default_links() -> Vec<LinkSpec> {
    vec![LinkSpec { name: "USB:".to_owned(), target: Target::Device(LinkUrl::FirstSerial) }]
}

/// The user's file of links, then the computer's.
fn probe_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    if let Some(home) = std::env::home_dir() {
        files.push(config.unwrap_or_else(|| home.join(".config")).join("bitscope/bitscope.prb"));
        files.push(home.join(".bitscope/config/bitscope.prb"));
    }
    files.push(PathBuf::from("/etc/bitscope/bitscope.prb"));
    files
}

fn links_of_file(path: &Path) -> Vec<LinkSpec> {
    // What is no regular file of that size lists no links; a pipe would be waited for.
    let is_readable = fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() <= MAX_FILE_BYTES);
    let text = if is_readable { fs::read(path).unwrap_or_default() } else { Vec::new() };
    links_of_text(&String::from_utf8_lossy(&text))
}

/// One link a line. Lines with `#` in the vendor's files are comments; behind a link of ours it may stand in a file's name.
fn links_of_text(text: &str) -> Vec<LinkSpec> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.filter_map(LinkSpec::parse).take(MAX_LINKS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Option<String> {
        match LinkSpec::parse(text)?.target {
            Target::Device(url) => Some(url.to_string()),
            Target::Nothing(revision) => Some(format!("nothing {revision}")),
        }
    }

    #[test]
    fn vendor_links_are_read() {
        for (text, expected) in [
            ("USB:/dev/ttyUSB0", "/dev/ttyUSB0"),
            ("usb:/dev/ttyUSB0:115200", "/dev/ttyUSB0"),
            ("TTY:COM3", "COM3"),
            ("USB:", ""),
            ("UDP:127.0.0.1:3C8C", "bitscope-server://127.0.0.1:15500"),
            ("UDP:scope.lan", "bitscope-server://scope.lan:16385"),
            ("UDP:scope.lan:4001:1234", "bitscope-server://scope.lan:16385"),
            ("NIL:BS000501", "nothing BS000501"),
            ("sim:?A=sine,1kHz", "sim:?A=sine,1kHz"),
            ("SIM:", "sim:"),
            ("socket://localhost:5025", "socket://localhost:5025"),
            ("/dev/ttyACM3", "/dev/ttyACM3"),
        ] {
            assert_eq!(url(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn links_to_nowhere_are_none() {
        for text in [
            "",
            "FOO:x",
            "NIL:",
            "NIL:BS001003",
            "NIL:BS0005011",
            "UDP:",
            "UDP:x:zz",
            "UDP:MULTICAST",
            "UDP:a b",
        ] {
            assert_eq!(url(text), None, "{text}");
        }
    }

    #[test]
    fn absent_device_is_named_in_full() {
        let name = |text| LinkSpec::parse(text).map(|link| link.name);
        assert_eq!(name("NIL:BS000501").as_deref(), Some("NIL:BS000501:SIMULATE:METACHIP"));
        assert_eq!(name("nil:bs000501:ABC").as_deref(), Some("NIL:bs000501:ABC:METACHIP"));
    }

    #[test]
    fn files_list_links() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bitscope.prb");
        fs::write(&path, "# mine\n\nUDP:127.0.0.1:3C8C\r\nnonsense\nsim:?B=file:x.sr%23ana1\n").unwrap();
        let names: Vec<String> = links_of(path.to_str().unwrap()).into_iter().map(|link| link.name).collect();
        assert_eq!(names, ["UDP:127.0.0.1:3C8C", "sim:?B=file:x.sr%23ana1"]);
        assert_eq!(links_of("no-such-file.prb"), []);
    }
}
