//! Which programs have a serial port open.

use std::fmt;
use std::path::Path;

use serde::Serialize;

/// A process that has a port open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PortUser {
    /// Its process id.
    pub(super) pid: u32,
    /// The name of its program.
    pub(super) command: String,
}

impl fmt::Display for PortUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.command, self.pid)
    }
}

/// The other processes that have a device open, as far as they can be seen: those of other users are hidden from all but
/// the superuser. None are found where the operating system does not list them.
pub(super) fn of_port(port: &str) -> Vec<PortUser> {
    below(Path::new("/proc"), Path::new(port))
}

/// As [`of_port`], with the processes listed in `proc` as Linux lists them in `/proc`.
fn below(proc: &Path, port: &Path) -> Vec<PortUser> {
    let device = port.canonicalize().unwrap_or_else(|_| port.to_owned());
    let mut users: Vec<PortUser> = processes(proc)
        .filter(|(pid, process)| *pid != std::process::id() && has_open(process, &device))
        .map(|(pid, process)| PortUser { pid, command: command(&process) })
        .collect();
    users.sort_by_key(|user| user.pid);
    users
}

/// Whether a program of this name runs.
pub(super) fn runs(name: &str) -> bool {
    processes(Path::new("/proc")).any(|(_, process)| command(&process) == name)
}

fn processes(proc: &Path) -> impl Iterator<Item = (u32, std::path::PathBuf)> + use<> {
    let entries = std::fs::read_dir(proc).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
}

fn has_open(process: &Path, device: &Path) -> bool {
    let opened = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    opened.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|target| target == device)
}

fn command(process: &Path) -> String {
    let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
    name.trim_end().to_owned()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn processes_with_the_port_open_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let device = directory.path().canonicalize().unwrap().join("ttyUSB0");
        std::fs::write(&device, "").unwrap();
        let link = directory.path().join("by-id");
        std::os::unix::fs::symlink(&device, &link).unwrap();
        for (pid, name, file) in
            [("70", "minicom\n", device.as_path()), ("8", "cat\n", Path::new("/dev/null"))]
        {
            let fds = directory.path().join(pid).join("fd");
            std::fs::create_dir_all(&fds).unwrap();
            std::os::unix::fs::symlink(file, fds.join("3")).unwrap();
            std::fs::write(directory.path().join(pid).join("comm"), name).unwrap();
        }
        let minicom = PortUser { pid: 70, command: "minicom".to_owned() };
        assert_eq!(below(directory.path(), &link), [minicom]);
        assert_eq!(below(directory.path(), Path::new("/dev/ttyUSB9")), []);
    }

    #[test]
    fn another_process_of_this_computer_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("held");
        let file = std::fs::File::create(&path).unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").stdin(file).spawn().unwrap();
        let users = of_port(path.to_str().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(users.iter().map(|user| user.pid).collect::<Vec<_>>(), [child.id()]);
    }
}
