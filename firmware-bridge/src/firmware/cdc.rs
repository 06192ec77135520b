//! The computer's end of one cable: a USB device with two serial ports (CDC-ACM), of messages and of the BitScope itself.

use core::task::Poll;

use embassy_futures::poll_once;
use embassy_futures::select::{Either, Either3, select, select3};
use embassy_rp::Peri;
use embassy_rp::interrupt::typelevel::{Binding, USBCTRL_IRQ};
use embassy_rp::peripherals::USB;
use embassy_rp::usb::{Driver, InterruptHandler};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embassy_usb::class::cdc_acm::{CdcAcmClass, ControlChanged, Receiver, Sender, State};
use embassy_usb::{Builder, Config, UsbDevice};
use embedded_io_async::{ErrorType, Read, Write};
use scopething_bridge::uplink::direct::DirectPort;
use static_cell::{ConstStaticCell, StaticCell};

/// For tests, by <https://pid.codes/1209/0001/>: whoever hands boards out needs one of their own.
const VENDOR: u16 = 0x1209;
const PRODUCT: u16 = 0x0001;
/// The board and the BitScope, in mA: as much as a port of USB 2.0 has.
const MAX_POWER: u16 = 500;
/// Bytes of a bulk packet of full speed.
const PACKET_BYTES: usize = 64;
/// A computer that takes nothing for so long has nobody who reads: what is left is lost, as on a wire that ends nowhere; all but
/// one packet, which whoever opens the port next gets.
const WRITE_LIMIT: Duration = Duration::from_millis(500);
/// A port that was never opened by DTR is taken for closed after so long without a byte.
const SILENCE: Duration = Duration::from_secs(60);

type UsbDriver = Driver<'static, USB>;
/// The device, which answers the computer's requests while it runs.
pub(super) type Device = UsbDevice<'static, UsbDriver>;
/// The port of messages: what it receives and what it sends.
pub(super) type MessagePort = (PortReceiver, PortSender);

/// Makes the device, with a serial number: the device itself, the port of messages, the port of the BitScope.
pub(super) fn start(
    usb: Peri<'static, USB>,
    interrupts: impl Binding<USBCTRL_IRQ, InterruptHandler<USB>>,
    serial: &'static str,
) -> (Device, MessagePort, ScopePort) {
    static CONFIGURATION: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);
    static CAPABILITIES: ConstStaticCell<[u8; 32]> = ConstStaticCell::new([0; 32]);
    static CONTROL: ConstStaticCell<[u8; 64]> = ConstStaticCell::new([0; 64]);
    static PORTS: StaticCell<[State<'static>; 2]> = StaticCell::new();
    let mut config = Config::new(VENDOR, PRODUCT);
    config.manufacturer = Some("ScopeThing");
    config.product = Some("ScopeThing bridge");
    config.serial_number = Some(serial);
    config.max_power = MAX_POWER;
    let driver = Driver::new(usb, interrupts);
    let (configuration, capabilities) = (CONFIGURATION.take(), CAPABILITIES.take());
    let mut builder = Builder::new(driver, config, configuration, capabilities, &mut [], CONTROL.take());
    let [messages, scope] = PORTS.init([State::new(), State::new()]);
    let packet = PACKET_BYTES as u16;
    let (sender, receiver) = CdcAcmClass::new(&mut builder, messages, packet).split();
    let messages = (PortReceiver::new(receiver), PortSender::new(sender));
    let (sender, receiver, control) = CdcAcmClass::new(&mut builder, scope, packet).split_with_control();
    let scope = ScopePort {
        receiver: PortReceiver::new(receiver),
        sender: PortSender::new(sender),
        control,
        by_dtr: false,
        silent_at: Instant::MAX,
    };
    (builder.build(), messages, scope)
}

/// The computer has configured the device anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disabled;

impl core::fmt::Display for Disabled {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the computer has configured the bridge anew: open the port again")
    }
}

impl core::error::Error for Disabled {}

impl embedded_io_async::Error for Disabled {
    fn kind(&self) -> embedded_io_async::ErrorKind {
        embedded_io_async::ErrorKind::NotConnected
    }
}

/// What comes from the computer, in pieces of any length. Dropping a read loses nothing.
pub(super) struct PortReceiver {
    receiver: Receiver<'static, UsbDriver>,
    packet: [u8; PACKET_BYTES],
    /// What of the packet was not read yet.
    start: usize,
    end: usize,
}

impl PortReceiver {
    const fn new(receiver: Receiver<'static, UsbDriver>) -> Self {
        Self { receiver, packet: [0; PACKET_BYTES], start: 0, end: 0 }
    }

    /// Waits until there is something to read.
    async fn filled(&mut self) -> Result<(), Disabled> {
        while self.start == self.end {
            self.receiver.wait_connection().await;
            // The place first: a read that is dropped leaves the packet empty.
            let count = self.receiver.read_packet(&mut self.packet).await.map_err(|_| Disabled)?;
            (self.start, self.end) = (0, count);
        }
        Ok(())
    }

    fn take(&mut self, bytes: &mut [u8]) -> usize {
        let left = self.packet.get(self.start..self.end).unwrap_or_default();
        let count = left.len().min(bytes.len());
        for (place, byte) in bytes.iter_mut().zip(left) {
            *place = *byte;
        }
        self.start += count;
        count
    }
}

impl ErrorType for PortReceiver {
    type Error = Disabled;
}

impl Read for PortReceiver {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Disabled> {
        self.filled().await?;
        Ok(self.take(bytes))
    }
}

/// What goes to the computer. What nobody there takes is lost.
pub(super) struct PortSender {
    sender: Sender<'static, UsbDriver>,
    /// The last packet was full: another must follow, or the computer waits for the rest of it.
    is_open_ended: bool,
    /// Nobody has taken the last packet in time.
    is_deaf: bool,
}

impl PortSender {
    const fn new(sender: Sender<'static, UsbDriver>) -> Self {
        Self { sender, is_open_ended: false, is_deaf: false }
    }

    async fn send(&mut self, packet: &[u8]) {
        let limit = if self.is_deaf { Duration::from_ticks(0) } else { WRITE_LIMIT };
        let sent = with_timeout(limit, self.sender.write_packet(packet)).await;
        self.is_deaf = sent.is_err();
        self.is_open_ended = sent.is_ok() && packet.len() == PACKET_BYTES;
    }
}

impl ErrorType for PortSender {
    type Error = Disabled;
}

impl Write for PortSender {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Disabled> {
        let packet = bytes.get(..PACKET_BYTES).unwrap_or(bytes);
        self.send(packet).await;
        Ok(packet.len())
    }

    async fn flush(&mut self) -> Result<(), Disabled> {
        if self.is_open_ended {
            self.send(&[]).await;
        }
        Ok(())
    }
}

/// The port that is the BitScope itself: open while its DTR is set, or, for software that leaves DTR alone, for a minute after
/// each byte.
pub(super) struct ScopePort {
    receiver: PortReceiver,
    sender: PortSender,
    control: ControlChanged<'static>,
    /// DTR has been set since it was opened.
    by_dtr: bool,
    /// When it counts as closed, if nothing is received and DTR was never set.
    silent_at: Instant,
}

impl ScopePort {
    fn take(&mut self, bytes: &mut [u8]) -> usize {
        self.silent_at = Instant::now() + SILENCE;
        self.receiver.take(bytes)
    }
}

impl ErrorType for ScopePort {
    type Error = Disabled;
}

impl Read for ScopePort {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Disabled> {
        loop {
            self.by_dtr |= self.control.dtr();
            if self.by_dtr && !self.control.dtr() {
                // What was sent ahead of the closing goes first: left here, it would be taken for software without DTR.
                return match poll_once(self.receiver.filled()) {
                    Poll::Ready(filled) => filled.map(|()| self.take(bytes)),
                    Poll::Pending => Ok(0),
                };
            }
            let silence = async {
                if self.by_dtr {
                    core::future::pending::<()>().await;
                }
                Timer::at(self.silent_at).await;
            };
            match select3(self.receiver.filled(), self.control.control_changed(), silence).await {
                Either3::First(filled) => {
                    filled?;
                    return Ok(self.take(bytes));
                }
                Either3::Second(()) => {}
                Either3::Third(()) => return Ok(0),
            }
        }
    }
}

impl Write for ScopePort {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Disabled> {
        self.sender.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), Disabled> {
        self.sender.flush().await
    }
}

impl DirectPort for ScopePort {
    async fn opened(&mut self) {
        self.by_dtr = false;
        while !self.control.dtr() {
            match select(self.receiver.filled(), self.control.control_changed()).await {
                Either::First(Ok(())) => break,
                Either::First(Err(Disabled)) | Either::Second(()) => {}
            }
        }
        self.silent_at = Instant::now() + SILENCE;
    }
}
