//! The RP2040's own USB controller as a host: one packet at a time through its endpoint EPX (data sheet, section 4.1).
//!
//! What the silicon does and the program has to know:
//!
//! - After a packet the status may stand in the upper half of the buffer control, though only one buffer is used (erratum
//!   RP2040-E4), and the lower half then stays as it was. A packet that was received is the half that is full. Bit 12,
//!   which selects the first buffer, is set as well: the data sheet does not say whether a host heeds it.
//! - A NAK is asked again by the controller itself, for ever. All other failures end the transaction.
//! - The buffer is given to the controller in a second write, and a transaction started in a second write, for both are
//!   seen by another clock (section 4.1.2.5.1).
//! - Its registers answer nothing before `RESET_DONE` reports it.

use core::cell::Cell;
use core::future::poll_fn;
use core::task::Poll;

use embassy_rp::Peri;
use embassy_rp::interrupt::typelevel::{Handler, Interrupt, USBCTRL_IRQ};
use embassy_rp::pac::usb::regs::{BuffStatus, Int, SieCtrl, SieStatus};
use embassy_rp::pac::usb_dpram::regs::EpBufferControl;
use embassy_rp::pac::{RESETS, USB, USB_DPRAM};
use embassy_rp::peripherals;
use embassy_sync::waitqueue::AtomicWaker;
use embassy_time::{Duration, Timer, with_timeout};
use scopething_core::link::bridge::{UsbError, UsbState};

use super::PACKET_BYTES;
use super::host::{Device, Endpoint, Identity, PacketError, Packets};
use super::socket::{ENDPOINTS, Socket, refused};

/// A reset of the root port, and the time to recover from it (7.1.7.5).
const RESET: Duration = Duration::from_millis(50);
const RECOVERY: Duration = Duration::from_millis(10);
/// How long a device may take until it answers at a new address (9.2.6.3).
const ADDRESS_RECOVERY: Duration = Duration::from_millis(2);
/// Endpoint 0 may take 500 ms for a packet (9.2.6.4); the FT232 answers within a millisecond.
const CONTROL_LIMIT: Duration = Duration::from_millis(250);
/// The latency timer has the chip answer each millisecond.
const RECEIVE_LIMIT: Duration = Duration::from_millis(100);
/// The chip takes no more while its 128 bytes wait for the serial line.
const SEND_LIMIT: Duration = Duration::from_millis(250);
/// Where EPX has its control register and its buffer, in bytes of the controller's memory (table 393).
const EPX_CONTROL: usize = 0x100;
const EPX_BUFFER: usize = 0x180;
const EPX_ENABLE: u32 = 1 << 31;
const EPX_TYPE_BULK: u32 = 2 << 26;
/// A write is seen by the controller so many cycles of the processor later.
const CROSSING: u32 = 12;
/// What the speed bits read when a device is there.
const LOW_SPEED: u8 = 1;

static WAKER: AtomicWaker = AtomicWaker::new();

/// Handles the interrupt of the USB controller.
pub struct InterruptHandler;

impl Handler<USBCTRL_IRQ> for InterruptHandler {
    unsafe fn on_interrupt() {
        // Each is a state, which the task clears: until it does so, it must not interrupt again.
        let raised = USB.ints().read();
        USB.inte().modify(|enabled| enabled.0 &= !raised.0);
        WAKER.wake();
    }
}

/// The socket on the board.
pub struct BoardSocket {
    _usb: Peri<'static, peripherals::USB>,
}

impl BoardSocket {
    /// Takes the controller, which does nothing yet.
    #[must_use]
    pub fn new(usb: Peri<'static, peripherals::USB>) -> Self {
        Self { _usb: usb }
    }
}

impl Socket for BoardSocket {
    type Device<'a> = Device<'a, Controller>;

    fn start(&self) {
        Controller::start();
    }

    async fn plugged(&self) {
        Controller::plugged().await;
    }

    async fn unplugged(&self) {
        Controller::unplugged().await;
    }

    fn is_low_speed(&self) -> bool {
        USB.sie_status().read().speed() == LOW_SPEED
    }

    async fn enumerate<'a>(
        &'a self,
        retries: &'a Cell<u32>,
    ) -> Result<(Self::Device<'a>, Identity), UsbState> {
        let frame = USB.sof_rd().read().count();
        let enumerated = Device::enumerate(Controller, ENDPOINTS, retries).await;
        if USB.sof_rd().read().count() == frame {
            return Err(UsbState::NoFrames);
        }
        enumerated.map_err(refused)
    }

    async fn configure(device: &mut Self::Device<'_>, configuration: u8) -> Result<(), UsbError> {
        device.configure(configuration).await
    }
}

/// The controller. There is one, and one task that uses it.
pub struct Controller;

/// What a transaction does.
#[derive(Clone, Copy)]
enum Kind {
    Setup,
    Receive,
    Send,
}

/// Bits of the status that report how the last transaction ended; written, they are cleared.
const OUTCOME: u32 = 0xff04_0000;

impl Controller {
    /// Resets the controller and makes it a host, whatever it was in the middle of.
    fn start() {
        USBCTRL_IRQ::disable();
        RESETS.reset().modify(|reset| reset.set_usbctrl(true));
        RESETS.reset().modify(|reset| reset.set_usbctrl(false));
        // A few cycles of its clock.
        while !RESETS.reset_done().read().usbctrl() {}
        let memory = USB_DPRAM.as_ptr().cast::<u32>();
        for word in 0..EPX_BUFFER / 4 {
            // SAFETY: within the memory of the controller, which only this task uses. The reset leaves it as it was.
            unsafe { memory.add(word).write_volatile(0) };
        }
        USB.usb_muxing().write(|muxing| {
            muxing.set_to_phy(true);
            muxing.set_softcon(true);
        });
        USB.usb_pwr().write(|power| {
            power.set_vbus_detect(true);
            power.set_vbus_detect_override_en(true);
        });
        USB.main_ctrl().write(|control| {
            control.set_controller_en(true);
            control.set_host_ndevice(true);
        });
        USB.sie_ctrl().write_value(Self::idle());
        USB.inte().write_value(Int(0));
        USBCTRL_IRQ::unpend();
        // SAFETY: its handler only wakes the task.
        unsafe { USBCTRL_IRQ::enable() };
    }

    /// The bits that a host keeps set.
    fn idle() -> SieCtrl {
        let mut control = SieCtrl(0);
        control.set_sof_en(true);
        control.set_keep_alive_en(true);
        control.set_pulldown_en(true);
        control.set_vbus_en(true);
        control
    }

    /// Completes when a device is there.
    async fn plugged() {
        Self::until(Self::connection(), |status| (status.speed() != 0).then_some(())).await;
    }

    /// Completes when no device is there.
    async fn unplugged() {
        Self::until(Self::connection(), |status| (status.speed() == 0).then_some(())).await;
    }

    /// That a device has come or gone.
    fn connection() -> Int {
        let mut enabled = Int(0);
        enabled.set_host_conn_dis(true);
        enabled
    }

    /// That, or how a transaction has ended. While none runs these must not interrupt: the last outcome stays in the status,
    /// and would do so again and again.
    fn outcomes() -> Int {
        let mut enabled = Self::connection();
        enabled.set_trans_complete(true);
        enabled.set_stall(true);
        enabled.set_error_data_seq(true);
        enabled.set_error_rx_timeout(true);
        enabled.set_error_rx_overflow(true);
        enabled.set_error_bit_stuff(true);
        enabled.set_error_crc(true);
        enabled
    }

    /// Waits for something of the status, which one of these interrupts reports.
    async fn until<T>(interrupts: Int, mut what: impl FnMut(SieStatus) -> Option<T>) -> T {
        poll_fn(|context| {
            WAKER.register(context.waker());
            // The change of the connection is cleared by writing the connection's bits.
            USB.sie_status().write_value({
                let mut seen = SieStatus(0);
                seen.set_speed(0b11);
                seen
            });
            if let Some(value) = what(USB.sie_status().read()) {
                return Poll::Ready(value);
            }
            // Two waits share it: that for a transaction, and that for its device to go.
            USB.inte().modify(|enabled| enabled.0 |= interrupts.0);
            Poll::Pending
        })
        .await
    }

    /// Carries out a transaction, whose buffer is `buffer`.
    async fn transact(
        endpoint: Endpoint,
        kind: Kind,
        mut buffer: EpBufferControl,
        limit: Duration,
    ) -> Result<(), PacketError> {
        USB.sie_status().write_value(SieStatus(OUTCOME));
        USB.buff_status().write_value(BuffStatus(0b11));
        let control = EPX_ENABLE | EPX_BUFFER as u32 | if endpoint.number == 0 { 0 } else { EPX_TYPE_BULK };
        // SAFETY: a register of the controller's memory, aligned, which only this task uses.
        unsafe { USB_DPRAM.as_ptr().cast::<u32>().add(EPX_CONTROL / 4).write_volatile(control) };
        USB.addr_endp().write(|target| {
            target.set_address(endpoint.address);
            target.set_endpoint(endpoint.number);
        });
        buffer.set_last(0, true);
        buffer.set_reset(true);
        let register = USB_DPRAM.ep_in_buffer_control(0);
        register.write_value(buffer);
        let mut start = Self::idle();
        match kind {
            Kind::Setup => start.set_send_setup(true),
            Kind::Receive => start.set_receive_data(true),
            Kind::Send => start.set_send_data(true),
        }
        USB.sie_ctrl().write_value(start);
        cortex_m::asm::delay(CROSSING);
        if !matches!(kind, Kind::Setup) {
            buffer.set_available(0, true);
            register.write_value(buffer);
            cortex_m::asm::delay(CROSSING);
        }
        start.set_start_trans(true);
        USB.sie_ctrl().write_value(start);
        if let Ok(outcome) = with_timeout(limit, Self::until(Self::outcomes(), outcome)).await {
            return outcome;
        }
        // It asks again and again; the bus is started anew afterwards.
        let mut stop = Self::idle();
        stop.set_stop_trans(true);
        USB.sie_ctrl().write_value(stop);
        Err(PacketError::Busy)
    }
}

/// How a transaction has ended, if it has.
fn outcome(status: SieStatus) -> Option<Result<(), PacketError>> {
    let error = if status.speed() == 0 {
        PacketError::Gone
    } else if status.stall_rec() {
        PacketError::Stalled
    } else if status.rx_overflow() {
        PacketError::TooLong
    } else if status.crc_error() || status.bit_stuff_error() {
        PacketError::Damaged
    } else if status.data_seq_error() {
        PacketError::OutOfTurn
    } else if status.rx_timeout() {
        PacketError::Silent
    } else {
        return status.trans_complete().then_some(Ok(()));
    };
    Some(Err(error))
}

/// The packet in the controller's buffer.
fn packet_memory() -> *mut u8 {
    USB_DPRAM.as_ptr().cast::<u8>().wrapping_add(EPX_BUFFER)
}

impl Packets for Controller {
    async fn recover(&mut self) {
        Timer::after(ADDRESS_RECOVERY).await;
    }

    async fn reset(&mut self) -> Result<(), PacketError> {
        let mut reset = Self::idle();
        reset.set_reset_bus(true);
        USB.sie_ctrl().write_value(reset);
        Timer::after(RESET).await;
        USB.sie_ctrl().write_value(Self::idle());
        Timer::after(RECOVERY).await;
        // The reset itself may look like an unplugging for a moment.
        if USB.sie_status().read().speed() == 0 { Err(PacketError::Gone) } else { Ok(()) }
    }

    async fn setup(&mut self, address: u8, bytes: [u8; 8]) -> Result<(), PacketError> {
        let [b0, b1, b2, b3, b4, b5, b6, b7] = bytes;
        let memory = USB_DPRAM.as_ptr().cast::<u32>();
        // SAFETY: the first two words of the controller's memory are the SETUP packet; only this task uses them.
        unsafe {
            memory.write_volatile(u32::from_le_bytes([b0, b1, b2, b3]));
            memory.add(1).write_volatile(u32::from_le_bytes([b4, b5, b6, b7]));
        }
        let endpoint = Endpoint { address, number: 0, packet_bytes: 8 };
        Self::transact(endpoint, Kind::Setup, EpBufferControl(0), CONTROL_LIMIT).await
    }

    async fn receive(
        &mut self,
        from: Endpoint,
        toggle: bool,
        packet: &mut [u8; PACKET_BYTES],
    ) -> Result<usize, PacketError> {
        let mut buffer = EpBufferControl(0);
        buffer.set_pid(0, toggle);
        buffer.set_length(0, from.packet_bytes.into());
        let limit = if from.number == 0 { CONTROL_LIMIT } else { RECEIVE_LIMIT };
        Self::transact(from, Kind::Receive, buffer, limit).await?;
        let buffer = USB_DPRAM.ep_in_buffer_control(0).read();
        let Some(half) = [0, 1].into_iter().find(|&half| buffer.full(half)) else {
            return Err(PacketError::Damaged);
        };
        let count = usize::from(buffer.length(half)).min(PACKET_BYTES);
        for (place, byte) in packet.iter_mut().take(count).enumerate() {
            // SAFETY: within the 64 bytes of the buffer, which the controller has given back.
            *byte = unsafe { packet_memory().add(place).read_volatile() };
        }
        Ok(count)
    }

    async fn send(&mut self, to: Endpoint, toggle: bool, bytes: &[u8]) -> Result<(), PacketError> {
        for (place, &byte) in bytes.iter().take(PACKET_BYTES).enumerate() {
            // SAFETY: within the 64 bytes of the buffer, which the controller does not have now.
            unsafe { packet_memory().add(place).write_volatile(byte) };
        }
        let mut buffer = EpBufferControl(0);
        buffer.set_full(0, true);
        buffer.set_pid(0, toggle);
        buffer.set_length(0, bytes.len().min(PACKET_BYTES) as u16);
        let limit = if to.number == 0 { CONTROL_LIMIT } else { SEND_LIMIT };
        Self::transact(to, Kind::Send, buffer, limit).await
    }
}
