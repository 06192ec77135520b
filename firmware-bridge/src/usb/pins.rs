//! A socket on two pins, which a block of PIO drives: transfers from `rp-pio-usb-host`.
//!
//! What that has to be known for: it asks again after each NAK a millisecond later, and tries packets again that were lost, in
//! bulk transfers for ever, so that each of those has a limit here (control transfers have its own: 50 ms without data, 500 ms
//! with); a bus reset that is dropped half-way would leave the bus in it, so that one task alone watches for devices; and an
//! interrupt within a packet has it acknowledged late or lost, so that none comes meanwhile.
//!
//! It does not report what it tries again. What can be known is read off the flags that its programs leave: that no answer to a
//! packet began, and that an answer was acknowledged but is not the one that is due. An answer that arrives damaged leaves the
//! flags of a NAK, and is not counted.

use core::cell::Cell;
use core::future::poll_fn;
use core::pin::pin;

use embassy_rp::pac;
use embassy_rp::peripherals::PIO0;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::watch::Watch;
use embassy_time::{Duration, Timer, with_timeout};
use embassy_usb_driver::host::{DeviceEvent, PipeError, UsbHostAllocator, UsbHostController, UsbPipe, pipe};
use embassy_usb_driver::{Direction, EndpointAddress, EndpointInfo, EndpointType, Speed};
use rp_pio_usb_host::{Bus, PioPipe};
use scopething_core::link::bridge::{UsbError, UsbState, UsbStep};

use super::host::{
    ADDRESS, DEVICE_DESCRIPTOR_BYTES, GET_DESCRIPTOR, Identity, SET_ADDRESS, SET_CONFIGURATION, TO_HOST,
    VENDOR,
};
use super::socket::{ENDPOINTS, Socket, refused};
use super::{PACKET_BYTES, UsbDevice};

/// The chip answers each millisecond; a packet is asked for again as often.
const RECEIVE_LIMIT: Duration = Duration::from_millis(100);
/// The chip takes no more while its 128 bytes wait for the serial line.
const SEND_LIMIT: Duration = Duration::from_millis(250);
/// How long a device may take until it answers at a new address (USB 2.0, 9.2.6.3).
const ADDRESS_RECOVERY: Duration = Duration::from_millis(2);
/// Those who wait for a device to come, and for it to go.
const WATCHERS: usize = 3;
/// Until it is known how long the packets of endpoint 0 are, they are of the least size.
const MIN_PACKET: u16 = 8;
/// Flags of the PIO block that the programs of the driver raise, as version 0.1.0 has them, and that it clears ahead of what raises
/// them: the last packet was sent; an answer to it began.
const SENT: u8 = 1 << 0;
const ANSWERED: u8 = 1 << 3;

/// The bus: two pins and the PIO block that drives them.
pub type PinBus = Bus<'static, PIO0>;

type Pipe<T, D> = PioPipe<'static, 'static, T, D, PIO0>;

/// A socket on two pins.
pub struct PinSocket {
    bus: &'static PinBus,
    /// What is there.
    speed: Watch<CriticalSectionRawMutex, Option<Speed>, WATCHERS>,
}

impl PinSocket {
    /// A socket whose devices are seen while [`PinSocket::watch`] runs.
    #[must_use]
    pub const fn new(bus: &'static PinBus) -> Self {
        Self { bus, speed: Watch::new_with(None) }
    }

    /// Watches for devices that come and go, for ever.
    ///
    /// # Cancellation
    /// It must not be dropped: it may be in the middle of a reset of the bus.
    pub async fn watch(&self) -> ! {
        let mut controller = self.bus.controller();
        let sender = self.speed.sender();
        loop {
            match controller.wait_for_device_event().await {
                DeviceEvent::Connected(speed) => sender.send(Some(speed)),
                _ => sender.send(None),
            }
        }
    }

    async fn until(&self, wanted: impl Fn(Option<Speed>) -> bool) {
        match self.speed.receiver() {
            Some(mut receiver) => {
                receiver.get_and(|speed| wanted(*speed)).await;
            }
            // There are never so many: the task that serves the socket, and the two waits that it has at a time.
            None => core::future::pending().await,
        }
    }

    fn pipe<T: pipe::Type, D: pipe::Direction>(
        &self,
        address: u8,
        endpoint: EndpointInfo,
    ) -> Result<Pipe<T, D>, UsbError> {
        // It has no limit to their number, and refuses only what no FT232 has.
        self.bus.controller().allocator().alloc_pipe(address, &endpoint, None).map_err(|_| UsbError::Garbled)
    }

    fn control_pipe(
        &self,
        address: u8,
        packet_bytes: u16,
    ) -> Result<Pipe<pipe::Control, pipe::InOut>, UsbError> {
        let addr = EndpointAddress::from_parts(0, Direction::Out);
        let ep_type = EndpointType::Control;
        self.pipe(address, EndpointInfo { addr, ep_type, max_packet_size: packet_bytes, interval_ms: 0 })
    }

    fn bulk_pipe<D: pipe::Direction>(&self, number: u8) -> Result<Pipe<pipe::Bulk, D>, UsbError> {
        let direction = if D::is_in() { Direction::In } else { Direction::Out };
        let addr = EndpointAddress::from_parts(number.into(), direction);
        let max_packet_size = PACKET_BYTES as u16;
        self.pipe(
            ADDRESS,
            EndpointInfo { addr, ep_type: EndpointType::Bulk, max_packet_size, interval_ms: 0 },
        )
    }

    /// The steps of an enumeration, each of which may fail.
    async fn identify<'a>(
        &self,
        retries: &'a Cell<u32>,
    ) -> Result<(PinDevice<'a>, Identity), (UsbStep, UsbError)> {
        let at = |step| move |error| (step, error);
        self.bus.controller().bus_reset().await;
        let mut control = self.control_pipe(0, MIN_PACKET).map_err(at(UsbStep::Reset))?;
        let mut head = [0; MIN_PACKET as usize];
        device_descriptor(&mut control, &mut head, retries).await.map_err(at(UsbStep::FirstDescriptor))?;
        // Byte 7 is the packet size of endpoint 0: 8, 16, 32 or 64 (section 9.6.1).
        let [.., size @ (8 | 16 | 32 | 64)] = head else {
            return Err((UsbStep::FirstDescriptor, UsbError::Garbled));
        };
        order(&mut control, 0, SET_ADDRESS, ADDRESS.into(), retries).await.map_err(at(UsbStep::Address))?;
        Timer::after(ADDRESS_RECOVERY).await;
        let control = self.control_pipe(ADDRESS, size.into()).map_err(at(UsbStep::Descriptor))?;
        let bulk_in = self.bulk_pipe(ENDPOINTS.to_host).map_err(at(UsbStep::Descriptor))?;
        let bulk_out = self.bulk_pipe(ENDPOINTS.to_device).map_err(at(UsbStep::Descriptor))?;
        let mut device = PinDevice { control, bulk_in, bulk_out, retries };
        let mut descriptor = [0; DEVICE_DESCRIPTOR_BYTES];
        device_descriptor(&mut device.control, &mut descriptor, retries)
            .await
            .map_err(at(UsbStep::Descriptor))?;
        Ok((device, Identity::of(descriptor)))
    }
}

impl Socket for PinSocket {
    type Device<'a> = PinDevice<'a>;

    fn start(&self) {}

    async fn plugged(&self) {
        self.until(|speed| speed.is_some()).await;
    }

    async fn unplugged(&self) {
        self.until(|speed| speed.is_none()).await;
    }

    fn is_low_speed(&self) -> bool {
        self.speed.try_get().flatten() == Some(Speed::Low)
    }

    async fn enumerate<'a>(
        &'a self,
        retries: &'a Cell<u32>,
    ) -> Result<(Self::Device<'a>, Identity), UsbState> {
        let identified = self.identify(retries).await;
        // Whatever a transfer failed with, if the device has gone.
        if self.speed.try_get().flatten().is_none() {
            return Err(UsbState::Empty);
        }
        identified.map_err(refused)
    }

    async fn configure(device: &mut Self::Device<'_>, configuration: u8) -> Result<(), UsbError> {
        order(&mut device.control, 0, SET_CONFIGURATION, configuration.into(), device.retries).await?;
        device.bulk_in.reset_data_toggle();
        device.bulk_out.reset_data_toggle();
        Ok(())
    }
}

/// A device that has an address.
pub struct PinDevice<'a> {
    control: Pipe<pipe::Control, pipe::InOut>,
    bulk_in: Pipe<pipe::Bulk, pipe::In>,
    bulk_out: Pipe<pipe::Bulk, pipe::Out>,
    retries: &'a Cell<u32>,
}

impl UsbDevice for PinDevice<'_> {
    async fn vendor_request(&mut self, request: u8, value: u16) -> Result<(), UsbError> {
        order(&mut self.control, VENDOR, request, value, self.retries).await
    }

    async fn bulk_in(&mut self, packet: &mut [u8; PACKET_BYTES]) -> Result<usize, UsbError> {
        let received = self.bulk_in.request_in(packet);
        let received = counted(received, was_lost_or_repeated, self.retries);
        let received = with_timeout(RECEIVE_LIMIT, received).await;
        received.map_err(|_| UsbError::Silent)?.map_err(usb_error)
    }

    async fn bulk_out(&mut self, data: &[u8]) -> Result<(), UsbError> {
        let sent = self.bulk_out.request_out(data, false);
        let sent = with_timeout(SEND_LIMIT, counted(sent, was_lost, self.retries)).await;
        sent.map_err(|_| UsbError::Busy)?.map_err(usb_error)
    }
}

async fn device_descriptor(
    control: &mut Pipe<pipe::Control, pipe::InOut>,
    bytes: &mut [u8],
    retries: &Cell<u32>,
) -> Result<(), UsbError> {
    let [l0, l1] = (bytes.len() as u16).to_le_bytes();
    let setup = [TO_HOST, GET_DESCRIPTOR, 0, 1, 0, 0, l0, l1];
    match counted(control.control_in(&setup, bytes), was_lost, retries).await {
        Ok(count) if count == bytes.len() => Ok(()),
        Ok(_) => Err(UsbError::Garbled),
        Err(error) => Err(usb_error(error)),
    }
}

/// A request without data.
async fn order(
    control: &mut Pipe<pipe::Control, pipe::InOut>,
    kind: u8,
    request: u8,
    value: u16,
    retries: &Cell<u32>,
) -> Result<(), UsbError> {
    let [v0, v1] = value.to_le_bytes();
    let setup = [kind, request, v0, v1, 0, 0, 0, 0];
    counted(control.control_out(&setup, &[]), was_lost, retries).await.map_err(usb_error)
}

/// A transfer, with no interrupt while it is polled: it waits for packets as it is polled, and sends their acknowledgements. A
/// packet of the BitScope takes less than 0.1 ms, a request during enumeration up to 10 ms.
///
/// Each time that it is not done after a packet that is to be sent again, by `is_retried`, is one of the `retries`, if it
/// succeeds at last: a device that was pulled out answers nothing.
async fn counted<T>(
    transfer: impl Future<Output = Result<T, PipeError>>,
    is_retried: fn() -> bool,
    retries: &Cell<u32>,
) -> Result<T, PipeError> {
    let mut transfer = pin!(transfer);
    let mut tried_again = 0;
    let done = poll_fn(|context| {
        critical_section::with(|_| {
            mark();
            let polled = transfer.as_mut().poll(context);
            if polled.is_pending() && is_retried() {
                tried_again += 1;
            }
            polled
        })
    })
    .await?;
    retries.set(retries.get().wrapping_add(tried_again));
    Ok(done)
}

/// Sets the flags as they are not left by a packet that is to be sent again: a poll may send none.
fn mark() {
    pac::PIO0.irq().write(|flags| flags.set_irq(SENT));
    pac::PIO0.irq_force().write(|flags| flags.set_irq_force(ANSWERED));
}

/// No answer to the last packet began.
fn was_lost() -> bool {
    pac::PIO0.irq().read().irq() & ANSWERED == 0
}

/// As well: the answer was acknowledged, which is sent behind what asked for it, but is the one before once more.
fn was_lost_or_repeated() -> bool {
    was_lost() || pac::PIO0.irq().read().irq() & SENT != 0
}

fn usb_error(error: PipeError) -> UsbError {
    match error {
        PipeError::Stall => UsbError::Stalled,
        PipeError::Timeout | PipeError::Disconnected => UsbError::Silent,
        _ => UsbError::Garbled,
    }
}
