//! `~/.config/scopething/config.toml`: what the options are that the command line leaves out.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer};

use super::failure::Failure;
use scopething::link::LinkUrl;
use scopething_waveform::quantity::{self, Unit};

/// Defaults of a user.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    /// As `--url`.
    #[serde(default, deserialize_with = "url")]
    pub(super) url: Option<LinkUrl>,
    /// As `--probes`.
    pub(super) probes: Option<String>,
    /// The range of captures and streams of analog channels, bottom and top, in volts.
    #[serde(default, deserialize_with = "range")]
    pub(super) range: Option<(f64, f64)>,
}

impl ConfigFile {
    /// Where it is. None where the user has no home directory.
    pub(super) fn path() -> Option<PathBuf> {
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty())?;
        Some(home.join(".config/scopething/config.toml"))
    }

    /// The user's, read once; without any defaults if there is none.
    ///
    /// # Errors
    /// Wrong usage, if it is there and not understood.
    pub(super) fn of_user() -> Result<&'static Self, Failure> {
        static READ: OnceLock<Result<ConfigFile, String>> = OnceLock::new();
        let read =
            READ.get_or_init(|| Self::path().map_or_else(|| Ok(Self::default()), |path| Self::read(&path)));
        read.as_ref().map_err(|reason| Failure::Usage(anyhow::anyhow!("{reason}")))
    }

    /// Reads a file, which need not be there.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
        };
        toml::from_str(&text).map_err(|error| {
            let line =
                error.span().map(|span| text.get(..span.start).unwrap_or_default().lines().count().max(1));
            let line = line.map(|line| format!("line {line} of ")).unwrap_or_default();
            format!("{line}{}: {}", path.display(), error.message())
        })
    }
}

fn url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<LinkUrl>, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// Reads `0V..5V`, as signals are written.
fn range<'de, D: Deserializer<'de>>(from: D) -> Result<Option<(f64, f64)>, D::Error> {
    let text = String::deserialize(from)?;
    let ends = text.split_once("..").and_then(|(low, high)| {
        let volts = |end| quantity::parse(end, Unit::Volts).ok();
        Some((volts(low)?, volts(high)?))
    });
    match ends {
        Some((low, high)) if low < high => Ok(Some((low, high))),
        _ => Err(serde::de::Error::custom(format!("{text:?} is not a range: write it like 0V..5V"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ConfigFile, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        ConfigFile::read(&path)
    }

    #[test]
    fn defaults_are_read() {
        let file = read("url = 'sim:?A=dc,1V'\nprobes = 'x10'\nrange = '-500mV..5V'\n").unwrap();
        assert_eq!(file.url.unwrap().to_string(), "sim:?A=dc,1V");
        assert_eq!((file.probes.as_deref(), file.range), (Some("x10"), Some((-0.5, 5.0))));
        assert_eq!(read(""), Ok(ConfigFile::default()));
        assert_eq!(ConfigFile::read(Path::new("/nowhere/config.toml")), Ok(ConfigFile::default()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, parts) in [
            ("probes = 'x1'\nurls = 'sim:'", ["line 2 of ", "urls"]),
            ("url = 'nowhere'", ["line 1 of ", "nowhere"]),
            ("\n\nrange = '5V..1V'", ["line 3 of ", "0V..5V"]),
            ("range = 5", ["line 1 of ", "string"]),
        ] {
            let refused = read(text).unwrap_err();
            assert!(parts.iter().all(|part| refused.contains(part)), "{refused}");
        }
    }
}
