//! Firmware for a bridge: a UF2 file onto the drive of a board in its boot loader.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::super::message::print_note;
use crate::capture_arguments::seconds;
use crate::failure::Failure;
use crate::progress::with_progress;

/// The UF2 format (<https://github.com/microsoft/uf2>): its blocks, and where in one stands what.
const BLOCK_BYTES: usize = 512;
const MAGIC: [(usize, u32); 3] = [(0, 0x0A32_4655), (4, 0x9E5D_5157), (508, 0x0AB1_6F30)];
const FLAGS_AT: usize = 8;
const NUMBER_AT: usize = 20;
const COUNT_AT: usize = 24;
const FAMILY_AT: usize = 28;
const FAMILY_PRESENT: u32 = 0x2000;
/// What a board in its boot loader has on its drive (RP2040 data sheet, section 2.8.4; RP2350 data sheet, section 5.5.3).
const INFORMATION: &str = "INFO_UF2.TXT";
/// The chips that a bridge may have.
const CHIPS: [Chip; 2] = [
    Chip { family: 0xE48B_FF56, board: "Board-ID: RPI-RP2", drive: "RPI-RP2", name: "the RP2040 of a Pico" },
    // Of programs in Arm code, in the secure state.
    Chip { family: 0xE48B_FF59, board: "Board-ID: RP2350", drive: "RP2350", name: "the RP2350 of a Pico 2" },
];
/// How often drives are looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Where the board's drive is.
#[derive(Debug, Args)]
pub(super) struct DriveArguments {
    /// Where the drive of the board is mounted [default: the one RPI-RP2 or RP2350 drive that is]
    #[arg(long, value_name = "PATH")]
    drive: Option<PathBuf>,
    /// How long to wait for that drive
    #[arg(long, value_name = "T", default_value = "60s", value_parser = seconds)]
    wait: f64,
}

impl DriveArguments {
    /// Whether the drive was named.
    pub(super) fn is_named(&self) -> bool {
        self.drive.is_some()
    }
}

/// A chip, as its boot loader and its firmware name it.
#[derive(Debug, PartialEq, Eq)]
struct Chip {
    /// The number of the UF2 files for it.
    family: u32,
    /// A line of what its drive has.
    board: &'static str,
    /// How its drive is called.
    drive: &'static str,
    /// What a user calls it.
    name: &'static str,
}

/// How copying has ended.
enum Copied {
    /// The drive has all of it.
    Whole,
    /// All was handed over, and the drive went before it confirmed that it has it.
    DriveGone,
}

/// Firmware that was read and is for a bridge's chip.
#[derive(Debug)]
pub(super) struct Firmware {
    chip: &'static Chip,
    name: PathBuf,
    bytes: Vec<u8>,
}

fn word(block: &[u8], at: usize) -> Option<u32> {
    let bytes = block.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// The chip that the bytes of a UF2 file are for, or what is wrong with them.
fn chip(bytes: &[u8]) -> Result<&'static Chip, &'static str> {
    let blocks = bytes.len() / BLOCK_BYTES;
    if blocks == 0 || !bytes.len().is_multiple_of(BLOCK_BYTES) {
        return Err(
            "it is no whole UF2 file: give scopething-bridge.elf.uf2 as firmware-bridge/build has made it",
        );
    }
    let family = word(bytes, FAMILY_AT);
    for (number, block) in bytes.chunks(BLOCK_BYTES).enumerate() {
        if MAGIC.iter().any(|&(at, magic)| word(block, at) != Some(magic)) {
            return Err("it is no UF2 file");
        }
        let places = (word(block, NUMBER_AT), word(block, COUNT_AT));
        if places != (u32::try_from(number).ok(), u32::try_from(blocks).ok()) {
            return Err("blocks of it are missing: copy or build it again");
        }
        let has_family = word(block, FLAGS_AT).is_some_and(|flags| flags & FAMILY_PRESENT != 0);
        if !has_family || word(block, FAMILY_AT) != family {
            return Err("it is not for one chip: build it again");
        }
    }
    let chip = CHIPS.iter().find(|chip| Some(chip.family) == family);
    chip.ok_or("it is for another chip than the RP2040 of a Pico or the RP2350 of a Pico 2")
}

impl Firmware {
    /// Reads and checks a file.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let bytes = fs::read(path)
            .map_err(|error| Failure::Failed(anyhow::anyhow!("{shown} cannot be read: {error}")))?;
        let chip = chip(&bytes).map_err(|fault| {
            Failure::Failed(anyhow::anyhow!("{shown} is no firmware for a bridge: {fault}"))
        })?;
        let name = path.file_name().map_or_else(|| "firmware.uf2".into(), PathBuf::from);
        Ok(Self { chip, name, bytes })
    }

    /// Waits for the drive of a board, and copies the firmware there: the board starts it by itself.
    pub(super) async fn flash(self, place: &DriveArguments) -> Result<(), Failure> {
        let wait = Duration::from_secs_f64(place.wait.clamp(0.0, 86_400.0));
        let chip = self.chip;
        let waiting = match &place.drive {
            Some(drive) => format!("waiting for a board in its boot loader at {}", drive.display()),
            None => format!("waiting for the drive {}", chip.drive),
        };
        let drive = with_progress(find(chip, place.drive.as_deref(), wait), &waiting).await?;
        let shown = drive.display().to_string();
        let copying = tokio::task::spawn_blocking(move || self.copy(&drive));
        let copied = with_progress(async { copying.await.map_err(io::Error::other)? }, "copying");
        let copied = copied.await.map_err(|error| {
            Failure::Failed(anyhow::anyhow!("the firmware cannot be copied to {shown}: {error}"))
        })?;
        match copied {
            Copied::Whole => print_note!("copied to {shown}: the board starts it by itself"),
            Copied::DriveGone => print_note!(
                "the drive went while it was being written, as it does when a board restarts: check with `bridge status`"
            ),
        }
        Ok(())
    }

    fn copy(&self, drive: &Path) -> io::Result<Copied> {
        let mut file = File::create(drive.join(&self.name))?;
        file.write_all(&self.bytes)?;
        match file.sync_all() {
            // It may have all it needs and have restarted already, or have been unplugged.
            Err(_) if !is_board(drive) => Ok(Copied::DriveGone),
            synchronised => synchronised.map(|()| Copied::Whole),
        }
    }
}

/// Refuses to go on if a board is in its boot loader already: it would be taken for the bridge that is to be restarted.
pub(super) fn check_no_board() -> Result<(), Failure> {
    no_board_among(mounted())
}

fn no_board_among(drives: Vec<PathBuf>) -> Result<(), Failure> {
    let Some(drive) = drives.into_iter().find(|drive| is_board(drive)) else { return Ok(()) };
    Err(Failure::Failed(anyhow::anyhow!(
        "a board is in its boot loader already, at {}, and would be flashed instead: unplug it, or name the bridge's drive \
         with --drive",
        drive.display()
    )))
}

/// Whether a board in its boot loader is mounted there.
fn is_board(drive: &Path) -> bool {
    board(drive).is_some()
}

/// The chip of the board in its boot loader that is mounted there, if one is.
fn board(drive: &Path) -> Option<&'static Chip> {
    let text = fs::read_to_string(drive.join(INFORMATION)).ok()?;
    CHIPS.iter().find(|chip| text.lines().any(|line| line.trim_end() == chip.board))
}

/// The drive of a board with this chip that was named, or the only one that there is, once it is there.
async fn find(chip: &Chip, named: Option<&Path>, wait: Duration) -> Result<PathBuf, Failure> {
    let deadline = tokio::time::Instant::now() + wait;
    loop {
        let drives = named.map_or_else(mounted, |named| vec![named.to_owned()]);
        let (mut boards, mut others) = (Vec::new(), Vec::new());
        for drive in drives {
            match board(&drive) {
                Some(found) if found == chip => boards.push(drive),
                Some(found) => others.push((drive, found)),
                None => {}
            }
        }
        let is_over = named.is_some() || tokio::time::Instant::now() >= deadline;
        if let Some((drive, other)) = others.first().filter(|_| boards.is_empty() && is_over) {
            return Err(Failure::Failed(anyhow::anyhow!(
                "the board at {} has another chip: the firmware is for {}, not {}",
                drive.display(),
                chip.name,
                other.name
            )));
        }
        let mut boards = boards.into_iter();
        match (boards.next(), boards.next()) {
            (Some(drive), None) => return Ok(drive),
            (Some(one), Some(other)) => {
                return Err(Failure::Failed(anyhow::anyhow!(
                    "several boards are in their boot loader, at {} and {}: name one with --drive",
                    one.display(),
                    other.display()
                )));
            }
            (None, _) if tokio::time::Instant::now() >= deadline => return Err(not_found(chip, named)),
            (None, _) => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

/// That no drive of a board came, and what to do.
fn not_found(chip: &Chip, named: Option<&Path>) -> Failure {
    let what = match named {
        Some(named) => format!("no board in its boot loader is mounted at {}", named.display()),
        None => format!("no drive {} was mounted", chip.drive),
    };
    let remedy = if named.is_some() {
        "check --drive, or leave it out"
    } else {
        "name where it is mounted with --drive"
    };
    Failure::Failed(anyhow::anyhow!(
        "{what}: plug the board's own USB socket into this computer, with BOOTSEL held unless it was restarted by `bridge \
         update`; {remedy}"
    ))
}

/// Where drives are mounted.
#[cfg(target_os = "linux")]
fn mounted() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(|place| PathBuf::from(unescape(place)))
        .collect()
}

/// Undoes what a mount's place is written with: octal numbers for what would end a field (proc(5), getmntent(3)).
#[cfg(any(target_os = "linux", test))]
fn unescape(place: &str) -> String {
    let mut parts = place.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (code, part.get(3..)) {
            (Some(code), Some(rest)) if code.is_ascii() => {
                text.push(char::from(code));
                text.push_str(rest);
            }
            _ => {
                text.push('\\');
                text.push_str(part);
            }
        }
    }
    text
}

/// Where drives are mounted.
#[cfg(target_os = "macos")]
fn mounted() -> Vec<PathBuf> {
    let volumes = fs::read_dir("/Volumes").into_iter().flatten().flatten();
    volumes.map(|entry| entry.path()).collect()
}

/// Where drives are mounted.
#[cfg(windows)]
fn mounted() -> Vec<PathBuf> {
    ('A'..='Z').map(|letter| PathBuf::from(format!("{letter}:\\"))).collect()
}

/// Where drives are mounted: not known here, `--drive` names it.
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn mounted() -> Vec<PathBuf> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks as the description of the format has them.
    fn uf2(count: u32, family: u32) -> Vec<u8> {
        let block = |number: u32| {
            let head =
                [0x0A32_4655, 0x9E5D_5157, 0x2000, 0x1000_0000 + 256 * number, 256, number, count, family];
            let mut block: Vec<u8> = head.into_iter().flat_map(u32::to_le_bytes).collect();
            block.resize(508, 7);
            block.extend(0x0AB1_6F30_u32.to_le_bytes());
            block
        };
        (0..count).flat_map(block).collect()
    }

    #[test]
    fn only_whole_firmware_of_these_chips_is_taken() {
        let right = uf2(3, 0xE48B_FF56);
        assert_eq!(chip(&right).map(|chip| chip.drive), Ok("RPI-RP2"));
        assert_eq!(chip(&uf2(3, 0xE48B_FF59)).map(|chip| chip.drive), Ok("RP2350"));
        // The RP2350's family of RISC-V, blocks for two chips, a cut file, a missing block, no UF2 at all.
        let mixed = [&uf2(2, 0xE48B_FF56)[..512], &uf2(2, 0xE48B_FF59)[512..]].concat();
        for wrong in [&uf2(3, 0xE48B_FF5A), &mixed, &right[..1000], &right[..1024], &[0; 512][..], &[]] {
            assert!(chip(wrong).is_err(), "{} bytes", wrong.len());
        }
    }

    #[tokio::test]
    async fn firmware_goes_to_the_drive_of_its_chip_only() {
        let directory = tempfile::tempdir().unwrap();
        let text = "UF2 Bootloader v1.0\r\nModel: Raspberry Pi RP2350\r\nBoard-ID: RP2350\r\n";
        fs::write(directory.path().join("INFO_UF2.TXT"), text).unwrap();
        let [pico, pico2] = &CHIPS;
        let found = find(pico2, Some(directory.path()), Duration::ZERO).await;
        assert_eq!(found.ok().as_deref(), Some(directory.path()));
        let Err(Failure::Failed(error)) = find(pico, Some(directory.path()), Duration::from_secs(5)).await
        else {
            panic!("it would be flashed")
        };
        assert!(error.to_string().contains("another chip"), "{error}");
    }

    #[tokio::test]
    async fn drive_that_is_named_and_is_none_is_in_the_message() {
        let directory = tempfile::tempdir().unwrap();
        let [pico, _] = &CHIPS;
        let Err(Failure::Failed(error)) = find(pico, Some(directory.path()), Duration::ZERO).await else {
            panic!("there is none")
        };
        let text = error.to_string();
        assert!(
            text.contains(directory.path().to_str().unwrap()) && text.contains("check --drive"),
            "{text}"
        );
    }

    #[test]
    fn board_that_is_there_before_an_update_is_not_taken_for_the_bridge() {
        let directory = tempfile::tempdir().unwrap();
        let drives = || vec![directory.path().join("none"), directory.path().to_owned()];
        assert!(no_board_among(drives()).is_ok());
        fs::write(directory.path().join("INFO_UF2.TXT"), "Model: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n")
            .unwrap();
        let Err(Failure::Failed(error)) = no_board_among(drives()) else { panic!("it would be flashed") };
        assert!(error.to_string().contains("--drive"), "{error}");
    }

    #[test]
    fn mounts_with_spaces_are_read() {
        assert_eq!(unescape("/media/a\\040b\\134c"), "/media/a b\\c");
        assert_eq!(unescape("/media/x\\9"), "/media/x\\9");
    }
}
