//! The loan of the device to raw clients.

use tokio::sync::{oneshot, watch};

use scopething::link::Link;

/// The device, lent as a stream of bytes. Dropping it gives the device back, which is then reset.
#[derive(Debug)]
pub struct Loan {
    link: Option<Link>,
    back: Option<oneshot::Sender<Link>>,
    wanted: watch::Receiver<bool>,
}

impl Loan {
    /// `back` gets the stream when it is given back, `wanted` is true while others wait for the device.
    pub(crate) fn new(link: Link, back: oneshot::Sender<Link>, wanted: watch::Receiver<bool>) -> Self {
        Self { link: Some(link), back: Some(back), wanted }
    }

    /// The stream, and whether others wait for the device.
    pub fn parts(&mut self) -> (Option<&mut Link>, &mut watch::Receiver<bool>) {
        (self.link.as_mut(), &mut self.wanted)
    }

    /// Whether others wait for the device.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        *self.wanted.borrow()
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let (Some(link), Some(back)) = (self.link.take(), self.back.take()) {
            // The instrument may be closing.
            let _ = back.send(link);
        }
    }
}
