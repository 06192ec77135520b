//! What Linux shows of a serial port and the USB device behind it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::{port_users, setup};
use super::report::Finding;

/// A system whose files are below some directory.
pub(super) struct System {
    root: PathBuf,
    /// Names of programs that run.
    is_running: fn(&str) -> bool,
    kernel: Vec<String>,
}

/// A BitScope's USB adapter.
const VENDOR: &str = "0403";
const PRODUCT: &str = "6001";
/// Lines of the kernel that are kept, the latest.
const MAX_KERNEL_LINES: usize = 40;
/// Resets and disconnections of USB from which on they are worth a word.
const MANY_RESETS: usize = 3;
/// The latency timer that the driver starts with, in milliseconds, and the one that captures want.
const LATENCY_TIMER_MS: u32 = 1;

impl System {
    /// The one that the program runs on.
    pub(super) fn running() -> Self {
        Self { root: PathBuf::from("/"), is_running: port_users::runs, kernel: kernel_messages() }
    }

    /// What the kernel has printed of USB and of serial ports.
    pub(super) fn kernel_messages(&self) -> Vec<String> {
        self.kernel.clone()
    }

    /// All that can be seen. `port` is the serial port in question, if there is one.
    pub(super) fn examine(&self, port: Option<&str>) -> Vec<Finding> {
        let mut findings = vec![self.release()];
        findings.extend(self.driver(port));
        findings.extend(port.map(|port| self.latency_timer(port)));
        findings.push(self.rule());
        findings.extend(self.modem_manager());
        findings.extend(self.resets());
        findings
    }

    fn read(&self, path: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.root.join(path.trim_start_matches('/'))).ok()?;
        Some(text.trim_end().to_owned())
    }

    fn release(&self) -> Finding {
        let kernel = self.read("proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned());
        let release = self.read("etc/os-release").unwrap_or_default();
        let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        let name = name.map_or("an unknown distribution", |name| name.trim_matches('"'));
        Finding::fine("system", &format!("{name}, Linux {kernel}"))
    }

    /// USB devices that have the BitScope's id, by their names in sysfs.
    fn usb_devices(&self) -> Vec<String> {
        let entries =
            std::fs::read_dir(self.root.join("sys/bus/usb/devices")).into_iter().flatten().flatten();
        let is_bitscope = |device: &Path| {
            let id = |file: &str| std::fs::read_to_string(device.join(file)).unwrap_or_default();
            id("idVendor").trim() == VENDOR && id("idProduct").trim() == PRODUCT
        };
        let found = entries.filter(|entry| is_bitscope(&entry.path()));
        let mut names: Vec<String> =
            found.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Whether a device that is plugged in has the driver that makes a port of it.
    fn driver(&self, port: Option<&str>) -> Option<Finding> {
        let devices = self.usb_devices();
        if port.is_some() || devices.is_empty() {
            return None;
        }
        let remedy = if (self.is_running)("brltty") {
            "brltty takes such adapters for braille displays: remove it (`sudo apt remove brltty`) and plug the BitScope in again"
        } else {
            "load the driver: `sudo modprobe ftdi_sio`, then plug the BitScope in again"
        };
        Some(Finding::problem(
            "driver",
            &format!(
                "USB device {} is there, and no driver has made a serial port of it",
                devices.join(", ")
            ),
            remedy,
        ))
    }

    fn latency_timer(&self, port: &str) -> Finding {
        let device = std::fs::canonicalize(self.root.join(port.trim_start_matches('/')));
        let name = device.ok().and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
        let name = name.or_else(|| Some(port.rsplit('/').next()?.to_owned())).unwrap_or_default();
        let timer = self.read(&format!("sys/class/tty/{name}/device/latency_timer"));
        match timer.as_deref().map(str::parse::<u32>) {
            Some(Ok(ms)) if ms <= LATENCY_TIMER_MS => Finding::fine("latency timer", &format!("{ms} ms")),
            Some(Ok(ms)) => Finding::advice(
                "latency timer",
                &format!(
                    "{ms} ms: each answer of the BitScope waits so long, unless the program may change it"
                ),
                "`sudo scopething setup --install` sets it to 1 ms whenever it is plugged in",
            ),
            _ => Finding::fine("latency timer", "this port has none"),
        }
    }

    fn rule(&self) -> Finding {
        let path = format!("/{}", setup::RULE_FILE);
        let Some(rule) = self.read(&path) else {
            return Finding::advice(
                "udev rule",
                &format!("there is no {path}"),
                "`sudo scopething setup --install` writes it",
            );
        };
        if rule.contains(VENDOR) && rule.contains(PRODUCT) {
            Finding::fine("udev rule", &format!("{path} is there"))
        } else {
            Finding::advice(
                "udev rule",
                &format!("{path} is another one"),
                "`sudo scopething setup --install` writes it anew",
            )
        }
    }

    fn modem_manager(&self) -> Option<Finding> {
        if !(self.is_running)("ModemManager") {
            return None;
        }
        let rule = self.read(setup::RULE_FILE).unwrap_or_default();
        Some(if rule.contains("ID_MM_DEVICE_IGNORE") {
            Finding::fine("ModemManager", "it runs, and the udev rule makes it leave BitScopes alone")
        } else {
            Finding::advice(
                "ModemManager",
                "it runs, and talks to a BitScope for some seconds after it is plugged in",
                "`sudo scopething setup --install` keeps it away",
            )
        })
    }

    /// Resets, disconnections and failures of USB that the kernel has printed since the system was started.
    fn resets(&self) -> Option<Finding> {
        let is_reset = |line: &&String| {
            [
                "USB disconnect",
                "reset full-speed USB",
                "over-current",
                "device descriptor read",
                "device not accepting",
                "disabled by hub",
            ]
            .iter()
            .any(|sign| line.contains(sign))
        };
        let resets: Vec<&String> = self.kernel.iter().filter(is_reset).collect();
        let last = resets.last()?;
        let found =
            format!("the kernel reports {} resets or disconnections of USB, the last: {last}", resets.len());
        Some(if resets.len() < MANY_RESETS {
            Finding::fine("USB", &found)
        } else {
            Finding::advice(
                "USB",
                &found,
                "use another cable and another socket, or a hub with a power supply of its own",
            )
        })
    }
}

/// The kernel's lines of USB and serial ports, from whichever log this user may read; none if that is none.
fn kernel_messages() -> Vec<String> {
    let logs: [(&str, &[&str]); 2] = [
        ("dmesg", &["--color=never"]),
        ("journalctl", &["-k", "-b", "-q", "--no-pager", "-o", "short-monotonic"]),
    ];
    let read = |(program, arguments): (&str, &[&str])| {
        let output =
            Command::new(program).args(arguments).stdin(std::process::Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let text = logs.into_iter().find_map(read).unwrap_or_default();
    latest_of_usb(&text)
}

fn latest_of_usb(text: &str) -> Vec<String> {
    let concerns = |line: &&str| {
        ["usb ", "ftdi_sio", "ttyUSB", "cdc_acm", "hub "].iter().any(|sign| line.contains(sign))
    };
    let mut lines: Vec<String> = text.lines().filter(concerns).map(str::to_owned).collect();
    lines.drain(..lines.len().saturating_sub(MAX_KERNEL_LINES));
    lines
}

#[cfg(test)]
mod tests {
    use super::super::report::Verdict;
    use super::*;

    fn system(
        files: &[(&str, &str)],
        running: fn(&str) -> bool,
        kernel: &str,
    ) -> (tempfile::TempDir, System) {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let root = directory.path().canonicalize().unwrap();
        (directory, System { root, is_running: running, kernel: latest_of_usb(kernel) })
    }

    fn found<'a>(findings: &'a [Finding], what: &str) -> &'a Finding {
        findings
            .iter()
            .find(|finding| finding.what == what)
            .unwrap_or_else(|| panic!("no {what} in {findings:?}"))
    }

    const USB: [(&str, &str); 3] = [
        ("sys/bus/usb/devices/1-1/idVendor", "0403\n"),
        ("sys/bus/usb/devices/1-1/idProduct", "6001\n"),
        ("etc/os-release", "NAME=Debian\nPRETTY_NAME=\"Debian 13\"\n"),
    ];

    #[test]
    fn device_without_a_driver_is_a_problem() {
        let (_directory, bare) = system(&USB, |_| false, "");
        let findings = bare.examine(None);
        let driver = found(&findings, "driver");
        assert_eq!(driver.verdict, Verdict::Problem);
        assert!(
            driver.found.contains("1-1") && driver.remedy.as_ref().unwrap().contains("modprobe ftdi_sio")
        );
        assert!(found(&findings, "system").found.starts_with("Debian 13"));
        let (_directory, taken) = system(&USB, |name| name == "brltty", "");
        assert!(found(&taken.examine(None), "driver").remedy.as_ref().unwrap().contains("brltty"));
        // A port shows that there is a driver.
        assert!(bare.examine(Some("/dev/ttyUSB0")).iter().all(|finding| finding.what != "driver"));
    }

    #[test]
    fn latency_timer_follows_links_to_the_port() {
        for (ms, verdict) in [("1\n", Verdict::Fine), ("16\n", Verdict::Advice)] {
            let files = [("sys/class/tty/ttyUSB3/device/latency_timer", ms), ("dev/ttyUSB3", "")];
            let (directory, system) = system(&files, |_| false, "");
            std::fs::create_dir_all(directory.path().join("dev/serial/by-id")).unwrap();
            let link = directory.path().join("dev/serial/by-id/usb-BitScope");
            std::os::unix::fs::symlink(directory.path().join("dev/ttyUSB3"), link).unwrap();
            for port in ["/dev/ttyUSB3", "/dev/serial/by-id/usb-BitScope"] {
                assert_eq!(found(&system.examine(Some(port)), "latency timer").verdict, verdict, "{port}");
            }
        }
    }

    #[test]
    fn modem_manager_matters_without_the_rule() {
        let rule = setup::rule("dialout");
        for (files, verdict) in
            [(vec![], Verdict::Advice), (vec![(setup::RULE_FILE, rule.as_str())], Verdict::Fine)]
        {
            let (_directory, system) = system(&files, |name| name == "ModemManager", "");
            let findings = system.examine(None);
            assert_eq!(found(&findings, "ModemManager").verdict, verdict);
            assert_eq!(found(&findings, "udev rule").verdict, verdict);
        }
    }

    #[test]
    fn hub_that_resets_is_noticed() {
        let once = "[1.0] usb 1-1: USB disconnect, device number 4\n[1.5] ext4: mounted\n";
        let often = once.to_owned()
            + "[2.0] usb 1-1: reset full-speed USB device number 5 using xhci_hcd\n[3.0] usb 1-1: device descriptor read/64, error -71\n";
        for (kernel, verdict, count) in
            [(once, Verdict::Fine, "1 resets"), (&often, Verdict::Advice, "3 resets")]
        {
            let (_directory, system) = system(&[], |_| false, kernel);
            let findings = system.examine(None);
            let usb = found(&findings, "USB");
            assert_eq!(usb.verdict, verdict);
            assert!(usb.found.contains(count), "{}", usb.found);
        }
    }
}
