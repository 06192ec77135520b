//! A program with a terminal of its own.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tokio::process::{Child, Command};

use super::{HANG, bounded};

/// The user's side of a terminal, and the program at the other.
pub(crate) struct Pty {
    keys: File,
    shown: Receiver<Vec<u8>>,
    child: Child,
    /// Holds the terminal open when the program has ended, so that its modes can be looked at.
    side: File,
}

impl Pty {
    /// Starts a program with its standard streams at a new terminal of so many columns and rows.
    pub(crate) fn start(command: &mut Command, (columns, rows): (u16, u16)) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let side = || File::options().read(true).write(true).open(&name).unwrap();
        let keys = File::from(master);
        set_size(&keys, (columns, rows));
        let child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        let mut output = keys.try_clone().unwrap();
        let (sender, shown) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            // The terminal fails once all have closed it.
            while let Ok(count @ 1..) = output.read(&mut chunk) {
                if sender.send(chunk[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { keys, shown, child, side: side() }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Makes the terminal another size, as dragging its window does.
    pub(crate) fn resize(&mut self, size: (u16, u16)) {
        set_size(&self.keys, size);
    }

    /// What was shown next; `wanted` and `so_far` are for the message that it does not come.
    #[track_caller]
    pub(crate) fn next(&mut self, wanted: &str, so_far: &dyn Fn() -> String) -> Vec<u8> {
        match self.shown.recv_timeout(HANG) {
            Ok(chunk) => chunk,
            Err(RecvTimeoutError::Timeout) => panic!("no {wanted} in {}", so_far()),
            Err(RecvTimeoutError::Disconnected) => panic!("ended without {wanted}: {}", so_far()),
        }
    }

    /// Whether the terminal gives lines to programs and shows what is typed, as a shell finds it.
    pub(crate) fn is_cooked(&self) -> bool {
        let modes = tcgetattr(&self.side).unwrap().local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Waits for the program's end.
    pub(crate) async fn end(&mut self) -> Option<i32> {
        bounded("the end of the program", self.child.wait()).await.unwrap().code()
    }
}

fn set_size(terminal: &File, (columns, rows): (u16, u16)) {
    let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}
