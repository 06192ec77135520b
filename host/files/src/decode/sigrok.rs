//! sigrok-cli: what its decoders are, and what they find.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use thiserror::Error;

/// How long sigrok-cli may take to describe its decoders: it loads Python and all of them.
const QUESTION_LIMIT: Duration = Duration::from_secs(20);

/// Why nothing was decoded.
#[derive(Debug, Error)]
pub enum SigrokError {
    /// It is not installed.
    #[error(
        "sigrok-cli, whose decoders are used, was not found: install it (Debian and Ubuntu: sudo apt install sigrok-cli; Fedora: \
         sudo dnf install sigrok-cli; Arch: sudo pacman -S sigrok-cli; macOS: brew install sigrok-cli; Windows: \
         https://sigrok.org/wiki/Downloads), or name it in SCOPETHING_SIGROK_CLI"
    )]
    Missing,
    /// It cannot be run.
    #[error("sigrok-cli cannot be run")]
    Run(#[from] io::Error),
    /// There is no such decoder.
    #[error("sigrok has no decoder {id:?}: `sigrok-cli -L` lists those that it has")]
    NoDecoder {
        /// What was asked for.
        id: String,
    },
    /// It failed.
    #[error("sigrok-cli failed ({status}): {message}")]
    Failed {
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it printed.
        message: String,
    },
    /// It did not end in time.
    #[error("sigrok-cli did not end within {} s", limit.as_secs())]
    TooLong {
        /// How long it had.
        limit: Duration,
    },
    /// It printed something else than expected.
    #[error(
        "sigrok-cli printed {line:?}, which is not understood: report this with the output of `sigrok-cli --version`"
    )]
    Form {
        /// What it printed.
        line: String,
    },
}

/// How sigrok describes a decoder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decoder {
    /// What it takes: `logic`, or what another decoder puts out.
    pub(super) inputs: Vec<String>,
    /// What it puts out to the next in a stack.
    pub(super) outputs: Vec<String>,
    pub(super) required_channels: Vec<String>,
    pub(super) optional_channels: Vec<String>,
    pub(super) options: Vec<String>,
    described_options: Vec<String>,
    /// The classes of its annotations.
    pub(super) classes: Vec<String>,
    rows: Vec<Row>,
}

/// A row of annotations, as `PulseView` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    id: String,
    title: String,
    classes: Vec<String>,
}

/// Something that a decoder found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Annotation {
    /// The first sample, and the one behind the last.
    pub(super) samples: (u64, u64),
    /// The decoder that found it, with its number, as in `uart-1`.
    pub(super) decoder: String,
    pub(super) class: String,
    /// What it is, the longest text first: at least one.
    pub(super) texts: Vec<String>,
}

/// Samples of logic lines, a bit each.
pub(super) struct Samples<'a> {
    /// A file of bytes: as many a sample as the lines need.
    pub(super) file: &'a Path,
    pub(super) lines: usize,
    /// Samples a second, in hertz.
    pub(super) rate_hz: u64,
}

impl Decoder {
    /// What its annotations can be asked for by: their classes, and the rows of several.
    pub(super) fn annotations(&self) -> impl Iterator<Item = &str> {
        let rows = self
            .rows
            .iter()
            .map(|row| row.id.as_str())
            .filter(|row| !self.classes.iter().any(|class| class == row));
        self.classes.iter().map(String::as_str).chain(rows)
    }

    /// Whether it has annotations of a class or a row.
    pub(super) fn has_annotations(&self, name: &str) -> bool {
        self.annotations().any(|known| known == name)
    }

    /// The names of the channels that it needs.
    #[must_use]
    pub fn required_channels(&self) -> &[String] {
        &self.required_channels
    }

    /// The names of the channels that it takes as well.
    #[must_use]
    pub fn optional_channels(&self) -> &[String] {
        &self.optional_channels
    }

    /// Its options, each with what sigrok documents of it, such as `baudrate: Baud rate (default 115200)`.
    #[must_use]
    pub fn described_options(&self) -> &[String] {
        &self.described_options
    }

    /// Asks sigrok for a decoder.
    ///
    /// # Errors
    /// [`SigrokError`], also for one that it does not have.
    pub fn named(id: &str) -> Result<Self, SigrokError> {
        let output = run(&["--show", "-P", id], Some(QUESTION_LIMIT))?;
        if !output.status.success() {
            return Err(SigrokError::NoDecoder { id: id.to_owned() });
        }
        Ok(Self::parse(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Reads what `sigrok-cli --show` prints: sections of lines that begin with `- `.
    fn parse(text: &str) -> Self {
        let mut decoder = Self::default();
        let mut section = "";
        for line in text.lines() {
            let Some(entry) = line.strip_prefix("- ") else {
                // What is documented below the sections is prose.
                if line.starts_with("Documentation:") {
                    break;
                }
                section = line.trim_end_matches(':');
                continue;
            };
            let name = entry.split([' ', ':']).next().unwrap_or_default().to_owned();
            match section {
                "Possible decoder input IDs" => decoder.inputs.push(name),
                "Possible decoder output IDs" => decoder.outputs.push(name),
                "Required channels" => decoder.required_channels.push(name),
                "Optional channels" => decoder.optional_channels.push(name),
                "Options" => {
                    decoder.options.push(name);
                    decoder.described_options.push(entry.to_owned());
                }
                "Annotation classes" => decoder.classes.push(name),
                "Annotation rows" => decoder.rows.extend(Row::parse(entry)),
                _ => {}
            }
        }
        decoder
    }

    /// Whether it takes logic levels, and not what another decoder puts out.
    #[must_use]
    pub fn takes_logic(&self) -> bool {
        self.inputs.iter().any(|input| input == "logic")
    }

    pub(super) fn has_channel(&self, name: &str) -> bool {
        self.required_channels.iter().chain(&self.optional_channels).any(|channel| channel == name)
    }

    /// The title of the row that shows a class; the class itself where there is none.
    pub(super) fn row_of<'a>(&'a self, class: &'a str) -> &'a str {
        self.row(class).map_or(class, |row| &row.title)
    }

    /// Whether a class is of the single bits, of which there are many.
    pub(super) fn is_of_bits(&self, class: &str) -> bool {
        self.row(class).is_some_and(|row| row.id.split(['-', '_']).any(|part| matches!(part, "bit" | "bits")))
    }

    fn row(&self, class: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.classes.iter().any(|shown| shown == class))
    }
}

impl Row {
    /// Reads `rx-data (RX): rx-data, rx-start`.
    fn parse(entry: &str) -> Option<Self> {
        let (id, rest) = entry.split_once(" (")?;
        let (title, classes) = rest.rsplit_once("): ")?;
        let classes = classes.split(',').map(|class| class.trim().to_owned()).collect();
        Some(Self { id: id.to_owned(), title: title.to_owned(), classes })
    }
}

impl Annotation {
    /// Reads `931-948 uart-1: rx-start: "Start bit" "Start" "S"`.
    fn parse(line: &str) -> Option<Self> {
        let (span, rest) = line.split_once(' ')?;
        let (start, end) = span.split_once('-')?;
        let (decoder, rest) = rest.split_once(": ")?;
        let (class, texts) = rest.split_once(": ")?;
        // Quotation marks in a text stand as they are.
        let texts = texts.strip_prefix('"')?.strip_suffix('"')?.split("\" \"").map(str::to_owned).collect();
        Some(Self {
            samples: (start.parse().ok()?, end.parse().ok()?),
            decoder: decoder.to_owned(),
            class: class.to_owned(),
            texts,
        })
    }

    /// The name of the decoder, without the number of its instance.
    pub(super) fn decoder_id(&self) -> &str {
        self.decoder.rsplit_once('-').map_or(&self.decoder, |(id, _)| id)
    }
}

/// Runs decoders over samples. `stack` is as sigrok-cli has it, with channels by their numbers; `shown` chooses
/// annotations as its `-A` does.
pub(super) fn decode(
    samples: &Samples<'_>,
    stack: &str,
    shown: Option<&str>,
    limit: Option<Duration>,
) -> Result<Vec<Annotation>, SigrokError> {
    let format = format!("binary:numchannels={}:samplerate={}", samples.lines, samples.rate_hz);
    let file = samples.file.to_string_lossy();
    // From this level on it prints the class of each annotation, and all of its texts.
    let mut arguments =
        vec!["-l", "4", "-I", &format, "-i", &file, "-P", stack, "--protocol-decoder-samplenum"];
    arguments.extend(shown.into_iter().flat_map(|shown| ["-A", shown]));
    let output = run(&arguments, limit)?;
    let log = String::from_utf8_lossy(&output.stderr);
    let complaint = log.lines().find(|line| line.contains("No channel with name"));
    if !output.status.success() || complaint.is_some() {
        // The last line is the one that ended it; those before are of how it came there.
        let message =
            complaint.or_else(|| log.lines().rfind(|line| !line.trim().is_empty())).unwrap_or_default();
        return Err(SigrokError::Failed { status: output.status, message: message.to_owned() });
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let annotations = printed
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| Annotation::parse(line).ok_or_else(|| SigrokError::Form { line: line.to_owned() }));
    annotations.collect()
}

/// A decoder that sigrok-cli lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDecoder {
    /// Its name, as in `uart`.
    pub id: String,
    /// What it is for.
    pub name: String,
}

/// The decoders that sigrok-cli has.
///
/// # Errors
/// [`SigrokError`], [`Missing`](SigrokError::Missing) if it is not installed.
pub fn list() -> Result<Vec<ListedDecoder>, SigrokError> {
    let output = run(&["-L"], Some(QUESTION_LIMIT))?;
    Ok(parse_list(&String::from_utf8_lossy(&output.stdout)))
}

/// Reads the last section of what `sigrok-cli -L` prints, whose lines are a name, spaces and words.
fn parse_list(text: &str) -> Vec<ListedDecoder> {
    let decoders = text.lines().skip_while(|line| *line != "Supported protocol decoders:").skip(1);
    let listed = decoders.map_while(|line| line.strip_prefix("  ")?.split_once(' '));
    listed.map(|(id, name)| ListedDecoder { id: id.to_owned(), name: name.trim().to_owned() }).collect()
}

/// Runs sigrok-cli, for no longer than `limit`.
fn run(arguments: &[&str], limit: Option<Duration>) -> Result<Output, SigrokError> {
    let program = std::env::var_os("SCOPETHING_SIGROK_CLI").unwrap_or_else(|| "sigrok-cli".into());
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SigrokError::Missing,
        _ => error.into(),
    })?;
    let (ended, end) = mpsc::channel();
    let (out, log) = (child.stdout.take(), child.stderr.take());
    let out = read_aside(out, ended.clone());
    let log = read_aside(log, ended);
    if let Some(limit) = limit {
        // Both senders are gone when both streams have ended.
        if end.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            child.kill()?;
            child.wait()?;
            return Err(SigrokError::TooLong { limit });
        }
    }
    let [stdout, stderr] = [out, log].map(|reader| reader.join().unwrap_or_default());
    Ok(Output { status: child.wait()?, stdout, stderr })
}

/// Reads a stream to its end beside this thread; `ended` is dropped then.
fn read_aside(
    stream: Option<impl Read + Send + 'static>,
    ended: mpsc::Sender<()>,
) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What breaks off is shorter, and the status shows why.
        let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
        drop(ended);
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_are_read_with_all_their_texts() {
        let start = Annotation::parse("931-948 uart-1: rx-start: \"Start bit\" \"Start\" \"S\"").unwrap();
        assert_eq!(
            (start.samples, start.decoder.as_str(), start.decoder_id()),
            ((931, 948), "uart-1", "uart")
        );
        assert_eq!(
            (start.class.as_str(), start.texts.clone()),
            ("rx-start", ["Start bit", "Start", "S"].map(str::to_owned).to_vec())
        );
        let quote = Annotation::parse("0-1 sle44xx-2: data: \"\"\"").unwrap();
        assert_eq!((quote.decoder_id(), quote.texts.as_slice()), ("sle44xx", &["\"".to_owned()][..]));
        let colons = Annotation::parse("0-1 a-1: x: \"Address: 0x50: \" \"A: 50\"").unwrap();
        assert_eq!(colons.texts, ["Address: 0x50: ", "A: 50"].map(str::to_owned).to_vec());
        for line in ["", "uart-1: \"48\"", "0-1 uart-1: 48", "a-b uart-1: x: \"48\""] {
            assert_eq!(Annotation::parse(line), None, "{line}");
        }
    }

    #[test]
    fn decoders_are_listed() {
        let text = "Supported hardware drivers:\n  demo  Demo\n\nSupported protocol decoders:\n  ac97      Audio Codec '97\n  uart      Universal\n\nother\n";
        let listed = parse_list(text);
        assert_eq!(listed.len(), 2);
        assert_eq!((listed[1].id.as_str(), listed[0].name.as_str()), ("uart", "Audio Codec '97"));
        assert_eq!(parse_list("nothing"), []);
    }

    #[test]
    fn sections_of_a_decoder_are_read() {
        let text = "ID: i2c\nName: I2C\nPossible decoder input IDs:\n- logic\nPossible decoder output IDs:\n- i2c\n\
            Decoder tags:\n- Embedded/industrial\nAnnotation classes:\n- start: Start condition\n- bit: Data bit\n\
            Annotation rows:\n- bits (Bits): bit\n- addr-data (Address/data): start, ack\n\
            Required channels:\n- scl (SCL): Serial clock line\n- sda (SDA): Serial data line\nOptional channels:\nNone.\n\
            Options:\n- address_format: Displayed slave address format ('shifted', default 'shifted')\nDocumentation:\n- not this\n";
        let decoder = Decoder::parse(text);
        assert!(decoder.takes_logic() && decoder.has_channel("sda") && !decoder.has_channel("rx"));
        assert_eq!(
            (decoder.outputs.join(" "), decoder.options.join(" ")),
            ("i2c".to_owned(), "address_format".to_owned())
        );
        assert_eq!(decoder.classes, ["start", "bit"]);
        assert_eq!((decoder.row_of("ack"), decoder.row_of("other")), ("Address/data", "other"));
        assert!(decoder.is_of_bits("bit") && !decoder.is_of_bits("ack"));
        assert!(decoder.optional_channels.is_empty());
    }
}
