//! The computer's end of one cable: a USB device with two serial ports (CDC-ACM), of messages and of the BitScope itself.

use embassy_rp::Peri;
use embassy_rp::interrupt::typelevel::{Binding, USBCTRL_IRQ};
use embassy_rp::peripherals::USB;
use embassy_rp::usb::{Driver, InterruptHandler};
use embassy_time::{Duration, with_timeout};
use embassy_usb::class::cdc_acm::{CdcAcmClass, ControlChanged, Receiver, Sender, State};
use embassy_usb::{Builder, Config, UsbDevice};
use embedded_io_async::{BufRead, ErrorType, Read, Write};
use scopething_bridge::uplink::dtr_port::{DtrPort, Lines};
use static_cell::{ConstStaticCell, StaticCell};

use super::clock::BoardClock;

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

type UsbDriver = Driver<'static, USB>;
/// The device, which answers the computer's requests while it runs.
pub(super) type Device = UsbDevice<'static, UsbDriver>;
/// The port of messages: what it receives and what it sends.
pub(super) type MessagePort = (PortReceiver, PortSender);
/// The port that is the BitScope itself.
pub(super) type ScopePort = DtrPort<PortReceiver, PortSender, PortLines, BoardClock>;

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
    let scope =
        DtrPort::new(PortReceiver::new(receiver), PortSender::new(sender), PortLines(control), BoardClock);
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
}

impl ErrorType for PortReceiver {
    type Error = Disabled;
}

impl BufRead for PortReceiver {
    async fn fill_buf(&mut self) -> Result<&[u8], Disabled> {
        while self.start == self.end {
            self.receiver.wait_connection().await;
            // The place first: a read that is dropped leaves the packet empty.
            let count = self.receiver.read_packet(&mut self.packet).await.map_err(|_| Disabled)?;
            (self.start, self.end) = (0, count);
        }
        Ok(self.packet.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }
}

impl Read for PortReceiver {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Disabled> {
        let filled = self.fill_buf().await?;
        let count = filled.len().min(bytes.len());
        for (place, byte) in bytes.iter_mut().zip(filled) {
            *place = *byte;
        }
        self.consume(count);
        Ok(count)
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

/// The lines of a port.
pub(super) struct PortLines(ControlChanged<'static>);

impl Lines for PortLines {
    fn dtr(&self) -> bool {
        self.0.dtr()
    }

    async fn changed(&self) {
        self.0.control_changed().await;
    }
}
