//! A USB host for one full-speed device: transfers from packets, what is tried again, and enumeration.
//!
//! Plain code above [`Packets`], which sends or receives one packet: it builds for the computer too, where its tests run.
//! USB 2.0 is the specification meant by section numbers.

use core::cell::Cell;

use scopething_core::link::bridge::{UsbError, UsbStep};

use super::{PACKET_BYTES, UsbDevice};

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketError {
    /// Nothing came back.
    Silent,
    /// What came back has a bit error.
    Damaged,
    /// The packet that came has the other data toggle: it may be the one before, whose acknowledgement was lost.
    OutOfTurn,
    /// The packet that came is longer than it may be.
    TooLong,
    /// The device refuses.
    Stalled,
    /// The device had nothing, or took nothing, for as long as it may.
    Busy,
    /// It was unplugged.
    Gone,
}

impl PacketError {
    const fn final_error(self) -> UsbError {
        match self {
            Self::Silent => UsbError::Silent,
            Self::Damaged | Self::OutOfTurn | Self::TooLong => UsbError::Garbled,
            Self::Stalled => UsbError::Stalled,
            Self::Busy => UsbError::Busy,
            Self::Gone => UsbError::Gone,
        }
    }
}

/// Where a packet goes or comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The device's address.
    pub address: u8,
    /// The endpoint's number.
    pub number: u8,
    /// Bytes of a packet at the most.
    pub packet_bytes: u8,
}

/// Single packets on the bus. Each completes within a time that is bounded, NAKs included.
pub trait Packets {
    /// Drives a reset for as long as devices need, and waits until they are ready.
    fn reset(&mut self) -> impl Future<Output = Result<(), PacketError>>;

    /// Waits for as long as a device may take until it answers at a new address: 2 ms (section 9.2.6.3).
    fn recover(&mut self) -> impl Future<Output = ()>;

    /// Sends a SETUP packet to endpoint 0 of an address.
    fn setup(&mut self, address: u8, bytes: [u8; 8]) -> impl Future<Output = Result<(), PacketError>>;

    /// Receives a packet with this data toggle, acknowledges it, and gives its length.
    fn receive(
        &mut self,
        from: Endpoint,
        toggle: bool,
        packet: &mut [u8; PACKET_BYTES],
    ) -> impl Future<Output = Result<usize, PacketError>>;

    /// Sends a packet with this data toggle.
    fn send(
        &mut self,
        to: Endpoint,
        toggle: bool,
        bytes: &[u8],
    ) -> impl Future<Output = Result<(), PacketError>>;
}

/// How often a packet is tried before the transfer fails (section 10.2.6: three times).
const TRIES: u8 = 3;
/// How often a device may repeat a packet before the transfer fails: each time its acknowledgement was lost.
const MAX_REPETITIONS: u8 = 16;
/// Until it is known how long the packets of endpoint 0 are, they are of the least size.
const MIN_PACKET: u8 = 8;
/// The address that the device gets: it is alone on the bus.
pub(super) const ADDRESS: u8 = 1;

pub(super) const TO_HOST: u8 = 0x80;
pub(super) const VENDOR: u8 = 0x40;
pub(super) const SET_ADDRESS: u8 = 5;
pub(super) const GET_DESCRIPTOR: u8 = 6;
pub(super) const SET_CONFIGURATION: u8 = 9;
const DEVICE_DESCRIPTOR: u16 = 0x100;
pub(super) const DEVICE_DESCRIPTOR_BYTES: usize = 18;
const HUB_CLASS: u8 = 9;

/// What a device identifies itself as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its vendor.
    pub vendor: u16,
    /// Its product.
    pub product: u16,
    /// It is a hub.
    pub is_hub: bool,
}

impl Identity {
    /// What a device descriptor reports (section 9.6.1).
    pub(super) const fn of(descriptor: [u8; DEVICE_DESCRIPTOR_BYTES]) -> Self {
        let [_, _, _, _, class, _, _, _, v0, v1, p0, p1, _, _, _, _, _, _] = descriptor;
        Self {
            vendor: u16::from_le_bytes([v0, v1]),
            product: u16::from_le_bytes([p0, p1]),
            is_hub: class == HUB_CLASS,
        }
    }
}

/// A device that has an address.
pub struct Device<'a, P> {
    packets: P,
    control: Endpoint,
    bulk_in: Endpoint,
    bulk_out: Endpoint,
    toggle_in: bool,
    toggle_out: bool,
    retries: &'a Cell<u32>,
}

/// The numbers of the bulk endpoints that are used.
#[derive(Debug, Clone, Copy)]
pub struct BulkEndpoints {
    /// To the host.
    pub to_host: u8,
    /// To the device.
    pub to_device: u8,
}

impl<'a, P: Packets> Device<'a, P> {
    /// Resets the bus, gives the device on it an address and reads what it is. `retries` counts packets that were tried
    /// again.
    ///
    /// # Errors
    /// The step that failed, and how.
    pub async fn enumerate(
        packets: P,
        bulk: BulkEndpoints,
        retries: &'a Cell<u32>,
    ) -> Result<(Self, Identity), (UsbStep, UsbError)> {
        let endpoint = |number, packet_bytes| Endpoint { address: 0, number, packet_bytes };
        let mut device = Self {
            packets,
            control: endpoint(0, MIN_PACKET),
            bulk_in: endpoint(bulk.to_host, PACKET_BYTES as u8),
            bulk_out: endpoint(bulk.to_device, PACKET_BYTES as u8),
            toggle_in: false,
            toggle_out: false,
            retries,
        };
        let at = |step| move |error| (step, error);
        device.reset().await.map_err(at(UsbStep::Reset))?;
        let mut descriptor = [0; DEVICE_DESCRIPTOR_BYTES];
        let (head, _) = descriptor.split_at_mut(MIN_PACKET.into());
        device.device_descriptor(head).await.map_err(at(UsbStep::FirstDescriptor))?;
        // Byte 7 is the packet size of endpoint 0: 8, 16, 32 or 64 (section 9.6.1).
        device.control.packet_bytes = match descriptor.get(7) {
            Some(&size @ (8 | 16 | 32 | 64)) => size,
            _ => return Err((UsbStep::FirstDescriptor, UsbError::Garbled)),
        };
        device.order(0, SET_ADDRESS, ADDRESS.into()).await.map_err(at(UsbStep::Address))?;
        device.packets.recover().await;
        for endpoint in [&mut device.control, &mut device.bulk_in, &mut device.bulk_out] {
            endpoint.address = ADDRESS;
        }
        device.device_descriptor(&mut descriptor).await.map_err(at(UsbStep::Descriptor))?;
        Ok((device, Identity::of(descriptor)))
    }

    /// Selects a configuration: its endpoints work from now on.
    ///
    /// # Errors
    /// How it failed.
    pub async fn configure(&mut self, configuration: u8) -> Result<(), UsbError> {
        self.order(0, SET_CONFIGURATION, configuration.into()).await?;
        (self.toggle_in, self.toggle_out) = (false, false);
        Ok(())
    }

    async fn reset(&mut self) -> Result<(), UsbError> {
        self.packets.reset().await.map_err(PacketError::final_error)
    }

    async fn device_descriptor(&mut self, bytes: &mut [u8]) -> Result<(), UsbError> {
        let [l0, l1] = (bytes.len() as u16).to_le_bytes();
        let [v0, v1] = DEVICE_DESCRIPTOR.to_le_bytes();
        self.setup([TO_HOST, GET_DESCRIPTOR, v0, v1, 0, 0, l0, l1]).await?;
        let mut packet = [0; PACKET_BYTES];
        let mut toggle = true;
        let mut received = 0;
        while received < bytes.len() {
            let count = self.receive(self.control, toggle, &mut packet).await?;
            let place = bytes.get_mut(received..received + count);
            let (Some(place), Some(part)) = (place, packet.get(..count)) else {
                return Err(UsbError::Garbled);
            };
            place.copy_from_slice(part);
            received += count;
            toggle = !toggle;
            if count < usize::from(self.control.packet_bytes) && received < bytes.len() {
                return Err(UsbError::Garbled);
            }
        }
        self.send(self.control, true, &[]).await
    }

    /// A request without data.
    async fn order(&mut self, kind: u8, request: u8, value: u16) -> Result<(), UsbError> {
        let [v0, v1] = value.to_le_bytes();
        self.setup([kind, request, v0, v1, 0, 0, 0, 0]).await?;
        let mut packet = [0; PACKET_BYTES];
        match self.receive(self.control, true, &mut packet).await? {
            0 => Ok(()),
            _ => Err(UsbError::Garbled),
        }
    }

    /// Counts one more failure of a packet; an error if it is not tried again.
    fn try_again(&self, error: PacketError, tries: &mut u8) -> Result<(), UsbError> {
        *tries += 1;
        let passing = matches!(error, PacketError::Silent | PacketError::Damaged | PacketError::OutOfTurn);
        if !passing || *tries >= TRIES {
            return Err(error.final_error());
        }
        self.retries.set(self.retries.get().wrapping_add(1));
        Ok(())
    }

    async fn setup(&mut self, bytes: [u8; 8]) -> Result<(), UsbError> {
        let mut tries = 0;
        while let Err(error) = self.packets.setup(self.control.address, bytes).await {
            self.try_again(error, &mut tries)?;
        }
        Ok(())
    }

    async fn receive(
        &mut self,
        from: Endpoint,
        toggle: bool,
        packet: &mut [u8; PACKET_BYTES],
    ) -> Result<usize, UsbError> {
        let mut tries = 0;
        let mut repetitions = 0;
        loop {
            let error = match self.packets.receive(from, toggle, packet).await {
                Ok(count) => return Ok(count),
                Err(error) => error,
            };
            if error != PacketError::OutOfTurn || repetitions == MAX_REPETITIONS {
                self.try_again(error, &mut tries)?;
                continue;
            }
            // A repetition has come whole: failures before it are not consecutive with those after it.
            (tries, repetitions) = (0, repetitions + 1);
            self.retries.set(self.retries.get().wrapping_add(1));
            // A controller that acknowledges repetitions has done so three times in vain, or it is one that does not.
            if repetitions > TRIES {
                self.drop_repetition(from, !toggle, packet).await;
            }
        }
    }

    /// Receives a packet as the repetition that it is, for controllers that acknowledge it in no other way (section 8.6.4 has
    /// them do so), since the device does not go on before. Where the controller does acknowledge, this would lose the
    /// packet behind it.
    async fn drop_repetition(&mut self, from: Endpoint, toggle: bool, packet: &mut [u8; PACKET_BYTES]) {
        for _ in 0..TRIES {
            match self.packets.receive(from, toggle, packet).await {
                Err(PacketError::Silent | PacketError::Damaged) => {}
                _ => return,
            }
        }
    }

    async fn send(&mut self, to: Endpoint, toggle: bool, bytes: &[u8]) -> Result<(), UsbError> {
        let mut tries = 0;
        while let Err(error) = self.packets.send(to, toggle, bytes).await {
            self.try_again(error, &mut tries)?;
        }
        Ok(())
    }
}

impl<P: Packets> UsbDevice for Device<'_, P> {
    async fn vendor_request(&mut self, request: u8, value: u16) -> Result<(), UsbError> {
        self.order(VENDOR, request, value).await
    }

    async fn bulk_in(&mut self, packet: &mut [u8; PACKET_BYTES]) -> Result<usize, UsbError> {
        let count = self.receive(self.bulk_in, self.toggle_in, packet).await?;
        self.toggle_in = !self.toggle_in;
        Ok(count)
    }

    async fn bulk_out(&mut self, data: &[u8]) -> Result<(), UsbError> {
        self.send(self.bulk_out, self.toggle_out, data).await?;
        self.toggle_out = !self.toggle_out;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use embassy_futures::block_on;

    use super::*;

    const BULK: BulkEndpoints = BulkEndpoints { to_host: 1, to_device: 2 };

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Disturbance {
        Damaged,
        Lost,
        AcknowledgementLost,
    }

    /// What becomes of a packet with the other toggle.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Repetitions {
        /// The host's controller acknowledges it.
        Acknowledged,
        /// It does not.
        Ignored,
        /// Nothing that the host's controller does makes the device go on.
        Endless,
    }

    /// A device and the wire to it.
    struct Wire {
        /// Packets that the device sends, in order.
        to_send: VecDeque<u8>,
        sends_toggle: bool,
        received: Vec<u8>,
        awaited_toggle: bool,
        repetitions: Repetitions,
        numbers: fastrand::Rng,
        probability: f64,
        disturbed_in_row: u32,
        packets: u32,
    }

    impl Wire {
        fn new(seed: u64, probability: f64, repetitions: Repetitions) -> Self {
            Self {
                to_send: (0..=u8::MAX).collect(),
                sends_toggle: false,
                received: Vec::new(),
                awaited_toggle: false,
                repetitions,
                numbers: fastrand::Rng::with_seed(seed),
                probability,
                disturbed_in_row: 0,
                packets: 0,
            }
        }

        /// What becomes of the next packet; of three in a row one arrives.
        fn disturb(&mut self) -> Option<Disturbance> {
            self.packets += 1;
            if self.disturbed_in_row + 1 == TRIES.into() || self.numbers.f64() >= self.probability {
                self.disturbed_in_row = 0;
                return None;
            }
            self.disturbed_in_row += 1;
            self.numbers.choice([Disturbance::Damaged, Disturbance::Lost, Disturbance::AcknowledgementLost])
        }

        fn acknowledged(&mut self) {
            if self.repetitions == Repetitions::Endless {
                return;
            }
            self.to_send.pop_front();
            self.sends_toggle = !self.sends_toggle;
        }
    }

    impl Packets for &mut Wire {
        async fn reset(&mut self) -> Result<(), PacketError> {
            Ok(())
        }

        async fn recover(&mut self) {}

        async fn setup(&mut self, _: u8, _: [u8; 8]) -> Result<(), PacketError> {
            Ok(())
        }

        async fn receive(
            &mut self,
            _: Endpoint,
            toggle: bool,
            packet: &mut [u8; PACKET_BYTES],
        ) -> Result<usize, PacketError> {
            let disturbance = self.disturb();
            match disturbance {
                Some(Disturbance::Damaged) => return Err(PacketError::Damaged),
                Some(Disturbance::Lost) => return Err(PacketError::Silent),
                Some(Disturbance::AcknowledgementLost) | None => {}
            }
            packet[0] = *self.to_send.front().ok_or(PacketError::Busy)?;
            let is_in_turn = self.sends_toggle == toggle;
            if disturbance.is_none() && (is_in_turn || self.repetitions == Repetitions::Acknowledged) {
                self.acknowledged();
            }
            if is_in_turn { Ok(1) } else { Err(PacketError::OutOfTurn) }
        }

        async fn send(&mut self, _: Endpoint, toggle: bool, bytes: &[u8]) -> Result<(), PacketError> {
            let disturbance = self.disturb();
            if matches!(disturbance, Some(Disturbance::Damaged | Disturbance::Lost)) {
                return Err(PacketError::Silent);
            }
            if toggle == self.awaited_toggle {
                self.received.extend(bytes);
                self.awaited_toggle = !toggle;
            }
            if disturbance.is_some() { Err(PacketError::Silent) } else { Ok(()) }
        }
    }

    fn device<'a>(wire: &'a mut Wire, retries: &'a Cell<u32>) -> Device<'a, &'a mut Wire> {
        let endpoint = |number| Endpoint { address: ADDRESS, number, packet_bytes: PACKET_BYTES as u8 };
        Device {
            packets: wire,
            control: endpoint(0),
            bulk_in: endpoint(BULK.to_host),
            bulk_out: endpoint(BULK.to_device),
            toggle_in: false,
            toggle_out: false,
            retries,
        }
    }

    #[test]
    fn disturbed_packets_arrive_once_in_order() {
        let kinds = [Repetitions::Acknowledged, Repetitions::Ignored];
        for (seed, kind) in (0..2000).flat_map(|seed| kinds.map(|kind| (seed, kind))) {
            let mut wire = Wire::new(seed, 0.3, kind);
            let retries = Cell::new(0);
            let mut host = device(&mut wire, &retries);
            for number in 0..=u8::MAX {
                let mut packet = [0; PACKET_BYTES];
                let received = block_on(host.bulk_in(&mut packet));
                assert_eq!((received, packet[0]), (Ok(1), number), "seed {seed}, {kind:?}");
                assert_eq!(block_on(host.bulk_out(&[number])), Ok(()), "seed {seed}");
            }
            assert!(retries.get() > 100, "{}", retries.get());
            assert!(wire.received.iter().copied().eq(0..=u8::MAX), "seed {seed}: {:?}", wire.received);
        }
    }

    #[test]
    fn packet_that_fails_three_times_fails_its_transfer() {
        let mut wire = Wire::new(1, 0.0, Repetitions::Acknowledged);
        wire.to_send.clear();
        let retries = Cell::new(0);
        let mut packet = [0; PACKET_BYTES];
        assert_eq!(block_on(device(&mut wire, &retries).bulk_in(&mut packet)), Err(UsbError::Busy));
        assert_eq!((wire.packets, retries.get()), (1, 0));
        wire.probability = 1.0;
        wire.disturbed_in_row = u32::MAX / 2;
        assert!(block_on(device(&mut wire, &retries).bulk_in(&mut packet)).is_err());
        assert_eq!((wire.packets, retries.get()), (1 + u32::from(TRIES), 2));
    }

    #[test]
    fn device_that_repeats_for_ever_is_given_up() {
        let mut wire = Wire::new(1, 0.0, Repetitions::Endless);
        wire.sends_toggle = true;
        let retries = Cell::new(0);
        let mut host = device(&mut wire, &retries);
        assert_eq!(block_on(host.bulk_in(&mut [0; PACKET_BYTES])), Err(UsbError::Garbled));
        assert!(wire.packets <= 2 * u32::from(MAX_REPETITIONS) + u32::from(TRIES), "{}", wire.packets);
    }
}
