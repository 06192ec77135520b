//! `scopething setup`: what a Linux system needs so that a user may open a BitScope.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::message::{print_note, print_status};
use scopething::atomic::{AtomicError, AtomicFile};

const EXAMPLES: &str = "\
Examples:
  scopething setup
      The udev rule for this system, and what to do with it
  sudo scopething setup --install
      Write the rule, have udev read it, and add the user who called sudo to the group
  scopething setup --install --root \"$DESTDIR\"
      For packages: only write the rule, below another root

On Windows and macOS nothing is needed: the driver of the system, or FTDI's, serves the port to every user.";

/// Print or install the udev rule and the group that opening a BitScope needs
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Write the rule, have udev read it, and add the user to the group; needs the superuser
    #[arg(long)]
    install: bool,
    /// Write below this directory, and leave the running system alone
    #[arg(long, value_name = "DIR", requires = "install")]
    root: Option<PathBuf>,
    /// The group that may open the port [default: dialout or uucp, whichever this system has]
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
}

/// Where the rule goes: ahead of systemd's rule of 73, which gives devices to whoever sits at the computer.
pub(super) const RULE_FILE: &str = "etc/udev/rules.d/70-scopething.rules";
/// Groups that own serial ports, in order: of Debian and Fedora, of Arch and SUSE, of some others.
const GROUPS: [&str; 3] = ["dialout", "uucp", "plugdev"];

/// The group that owns serial ports, by a file like `/etc/group`.
pub(super) fn serial_group(groups: &str) -> Option<&'static str> {
    let exists = |name: &str| groups.lines().any(|line| line.split(':').next() == Some(name));
    GROUPS.into_iter().find(|name| exists(name))
}

/// The rule: the group and whoever sits at the computer may open the port, which has a name with the serial number of the scope, nobody
/// takes the scope for a modem, and its bytes are not held back for 16 ms.
pub(super) fn rule(group: &str) -> String {
    let mut text = String::from(
        "# BitScope Micro: a FT232R (0403:6001). Other adapters with this chip get the same.\n\
         ACTION==\"remove\", GOTO=\"scopething_end\"\n",
    );
    // Memory takes whatever is written to it.
    let _ = write!(
        text,
        "SUBSYSTEM==\"tty\", ATTRS{{idVendor}}==\"0403\", ATTRS{{idProduct}}==\"6001\", GROUP=\"{group}\", MODE=\"0660\", \
         TAG+=\"uaccess\", SYMLINK+=\"bitscope-$attr{{serial}}\", ENV{{ID_MM_DEVICE_IGNORE}}=\"1\", ENV{{ID_MM_PORT_IGNORE}}=\"1\"\n\
         SUBSYSTEM==\"usb-serial\", DRIVER==\"ftdi_sio\", ATTRS{{idVendor}}==\"0403\", ATTRS{{idProduct}}==\"6001\", \
         ATTR{{latency_timer}}=\"1\"\n"
    );
    text + "LABEL=\"scopething_end\"\n"
}

impl Arguments {
    pub(super) fn run(&self) -> Result<(), Failure> {
        if !cfg!(target_os = "linux") && self.root.is_none() {
            print_status!(
                "nothing is needed on this system: plug the BitScope in, and see `scopething list`"
            );
            return Ok(());
        }
        let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
        let group = self.group.as_deref().or_else(|| serial_group(&groups)).unwrap_or(GROUPS[0]);
        if !group.chars().all(|char| char.is_ascii_alphanumeric() || "-_.".contains(char)) || group.is_empty()
        {
            return Err(Failure::Usage(anyhow::anyhow!("{group:?} cannot be the name of a group")));
        }
        let rule = rule(group);
        if !self.install {
            let mut out = io::stdout();
            out.write_all(rule.as_bytes())?;
            out.flush()?;
            print_status!(
                "`sudo scopething setup --install` does this:\n  writes these lines to /{RULE_FILE}\n  udevadm control --reload\n  \
                 udevadm trigger --subsystem-match=tty --subsystem-match=usb-serial\n  usermod -aG {group} $SUDO_USER, who then logs in again"
            );
            return Ok(());
        }
        if self.root.is_none() {
            require("udevadm")?;
        }
        let root = self.root.as_deref().unwrap_or(Path::new("/"));
        write(&root.join(RULE_FILE), &rule)?;
        if self.root.is_none() {
            apply(group)?;
        }
        Ok(())
    }
}

fn write(path: &Path, rule: &str) -> Result<(), Failure> {
    let written = || -> Result<(), anyhow::Error> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let mut file = AtomicFile::create(path)?;
        file.write_all(rule.as_bytes())
            .map_err(|source| AtomicError::Write { path: path.to_owned(), source })?;
        file.commit()?;
        // Rules are read by whoever asks why a port is as it is.
        #[cfg(unix)]
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        Ok(())
    };
    written().map_err(|error| {
        Failure::Failed(
            error.context(format!("{} cannot be written: run it as the superuser", path.display())),
        )
    })?;
    print_status!("wrote {}", path.display());
    Ok(())
}

/// Refuses to install a rule where nothing reads it, as in most containers.
fn require(udevadm: &str) -> Result<(), Failure> {
    let version = std::process::Command::new(udevadm).arg("--version").output();
    version.map(drop).map_err(|error| {
        Failure::Failed(anyhow::anyhow!(
            "this system has no udev, and nothing was installed (`{udevadm}` cannot be run: {error}): install the rule \
             where the ports are, such as on the host of a container, or into an image with --root DIRECTORY"
        ))
    })
}

/// Has the running system take the rule, and adds the user to the group, which is of use without the rule as well.
fn apply(group: &str) -> Result<(), Failure> {
    let taken = run("udevadm", &["control", "--reload"])
        .and_then(|()| run("udevadm", &["trigger", "--subsystem-match=tty", "--subsystem-match=usb-serial"]));
    add_user(group).and(taken)
}

fn add_user(group: &str) -> Result<(), Failure> {
    let user = std::env::var("SUDO_USER").ok().filter(|user| !user.is_empty() && user != "root");
    let Some(user) = user else {
        print_note!("no user was added to {group}: `usermod -aG {group} NAME` adds one");
        return Ok(());
    };
    run("usermod", &["-aG", group, &user])?;
    print_status!(
        "{user} is in the group {group} after the next login; whoever sits at the computer may open the port now"
    );
    Ok(())
}

fn run(program: &str, arguments: &[&str]) -> Result<(), Failure> {
    let line = format!("{program} {}", arguments.join(" "));
    let status = std::process::Command::new(program).args(arguments).status();
    match status {
        Ok(status) if status.success() => {
            print_status!("ran {line}");
            Ok(())
        }
        Ok(status) => {
            Err(Failure::Failed(anyhow::anyhow!("`{line}` failed ({status}): see its message above")))
        }
        Err(error) => Err(Failure::Failed(anyhow::anyhow!("`{line}` cannot be run: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_is_the_one_that_this_system_has() {
        for (groups, group) in [
            ("root:x:0:\ndialout:x:20:me\nplugdev:x:46:\n", Some("dialout")),
            ("root:x:0:\nuucp:x:986:me\n", Some("uucp")),
            ("root:x:0:\nmydialout:x:1:\n", None),
        ] {
            assert_eq!(serial_group(groups), group);
        }
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_installed_without_udev() {
        assert!(require("true").is_ok());
        let Err(Failure::Failed(refused)) = require("no-such-udevadm") else { panic!("not refused") };
        assert!(refused.to_string().contains("--root"), "{refused}");
    }

    /// Each key of a rule is followed by an operator and a quoted value, with commas between, and a jump has its label.
    #[test]
    fn every_line_has_the_form_of_udev() {
        let rule = rule("uucp");
        let mut lines = 0;
        for line in rule.lines().filter(|line| !line.starts_with('#')) {
            lines += 1;
            for term in line.split(", ") {
                let (key, value) = term.split_once('=').expect("an operator");
                let value = value.trim_start_matches('=');
                assert!(value.len() > 2 && value.starts_with('"') && value.ends_with('"'), "{term}");
                assert!(key.starts_with(|first: char| first.is_ascii_uppercase()), "{term}");
            }
        }
        assert_eq!(lines, 4);
        assert!(rule.contains("GROUP=\"uucp\"") && rule.contains("LABEL=\"scopething_end\""));
    }
}
