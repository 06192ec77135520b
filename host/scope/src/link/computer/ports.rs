//! Which serial ports there are, and which of them belong to a BitScope.
//!
//! ```no_run
//! for port in scopething::link::list_ports()? {
//!     match port.obstacle {
//!         _ if !port.is_bitscope() => println!("{}", port.name),
//!         None => println!("{}: a BitScope", port.name),
//!         Some(obstacle) => println!("{}: a BitScope, but {obstacle}", port.name),
//!     }
//! }
//! # Ok::<(), scopething::link::OpenError>(())
//! ```

use std::fmt;
use std::io;
use std::path::Path;

use serialport::{SerialPortInfo, SerialPortType};

use super::serial::SerialLink;
use crate::link::OpenError;

/// The USB vendor and product id of the FTDI bridge in a BitScope
/// ([section 1 of the reference](scopething_core::vm#1-the-link)). Other devices with the same bridge carry them too.
const BITSCOPE_USB_ID: (u16, u16) = (0x0403, 0x6001);

/// The USB vendor and product id of a bridge with one cable, which are for tests of anybody's, and the name that it is known by.
const BRIDGE_USB_ID: (u16, u16) = (0x1209, 0x0001);
const BRIDGE_NAME: &str = "ScopeThing bridge";
/// The first interfaces of its two ports.
const BRIDGE_MESSAGES: u8 = 0;
const BRIDGE_SCOPE: u8 = 2;

/// Which port of a bridge with one cable it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortOfBridge {
    /// That of messages: [`LinkUrl::Bridge`](crate::link::LinkUrl::Bridge).
    Messages,
    /// That which is the BitScope itself: [`LinkUrl::Serial`](crate::link::LinkUrl::Serial). Opening it takes the BitScope from whoever
    /// uses it by the other.
    Scope,
}

/// A serial port that is there, not opened.
#[derive(Debug)]
pub struct Port {
    /// What [`LinkUrl::Serial`](crate::link::LinkUrl::Serial) calls it.
    pub name: String,
    /// What the device behind it reports of itself, if it is on USB.
    pub usb: Option<UsbDevice>,
    /// What it is of a bridge with one cable, if it is one of its two.
    pub bridge: Option<PortOfBridge>,
    /// Why a BitScope cannot be used. Other ports are not tried.
    pub obstacle: Option<OpenError>,
}

/// How a USB device introduces itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbDevice {
    /// Vendor id.
    pub vendor: u16,
    /// Product id.
    pub product: u16,
    /// The manufacturer's name.
    pub manufacturer: Option<String>,
    /// The product's name.
    pub product_name: Option<String>,
    /// The serial number of the bridge, which need not be that of the BitScope.
    pub serial_number: Option<String>,
}

impl fmt::Display for UsbDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.product)?;
        let named = [&self.manufacturer, &self.product_name, &self.serial_number];
        named.into_iter().flatten().try_for_each(|name| write!(f, " {name}"))
    }
}

impl Port {
    /// Whether its USB id is that of a BitScope. An adaptor with an FT232 has the same: only what answers distinguishes them.
    #[must_use]
    pub fn is_bitscope(&self) -> bool {
        self.usb.as_ref().is_some_and(|usb| (usb.vendor, usb.product) == BITSCOPE_USB_ID)
    }
}

/// All serial ports, sorted by name. Those with a BitScope's USB id are opened and closed again, to see
/// whether they can be used. Blocks while it does so.
///
/// # Errors
///
/// [`OpenError::NoPortList`] if the operating system does not list them.
pub fn list_ports() -> Result<Vec<Port>, OpenError> {
    let mut ports = found_ports()?;
    for port in &mut ports {
        if port.is_bitscope() {
            port.obstacle = SerialLink::open(&port.name).err();
        }
    }
    Ok(ports)
}

/// The ports with a BitScope's USB id: at least one.
pub(super) fn bitscopes() -> Result<Vec<Port>, OpenError> {
    let mut ports = found_ports()?;
    ports.retain(Port::is_bitscope);
    if ports.is_empty() { Err(OpenError::NoBitScope) } else { Ok(ports) }
}

fn found_ports() -> Result<Vec<Port>, OpenError> {
    // `available_ports` panics without this directory, as in a bare container.
    if cfg!(target_os = "linux") && !Path::new("/sys/class/tty").is_dir() {
        return Err(OpenError::NoPortList(io::ErrorKind::NotFound.into()));
    }
    let infos = serialport::available_ports().map_err(|error| OpenError::NoPortList(error.into()))?;
    Ok(in_order(infos))
}

fn in_order(infos: Vec<SerialPortInfo>) -> Vec<Port> {
    let mut ports: Vec<Port> =
        infos.into_iter().filter(|info| !is_dial_in(&info.port_name)).map(port).collect();
    // ttyUSB2 ahead of ttyUSB10.
    ports.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
    ports
}

/// On macOS each port has two names; the one for calls that come in waits for a modem.
fn is_dial_in(name: &str) -> bool {
    cfg!(target_os = "macos") && name.starts_with("/dev/tty.")
}

fn port(info: SerialPortInfo) -> Port {
    let (usb, interface) = match info.port_type {
        SerialPortType::UsbPort(usb) => {
            let device = UsbDevice {
                vendor: usb.vid,
                product: usb.pid,
                manufacturer: usb.manufacturer,
                product_name: usb.product,
                serial_number: usb.serial_number,
            };
            (Some(device), usb.interface)
        }
        SerialPortType::PciPort | SerialPortType::BluetoothPort | SerialPortType::Unknown => (None, None),
    };
    let bridge = usb.as_ref().and_then(|usb| bridge_port(usb, interface));
    Port { name: info.port_name, usb, bridge, obstacle: None }
}

fn bridge_port(usb: &UsbDevice, interface: Option<u8>) -> Option<PortOfBridge> {
    let named = usb.product_name.as_deref().is_some_and(|name| {
        // The operating system may put an underscore for a space.
        name.replace('_', " ") == BRIDGE_NAME
    });
    match interface {
        _ if (usb.vendor, usb.product) != BRIDGE_USB_ID || !named => None,
        Some(BRIDGE_MESSAGES) => Some(PortOfBridge::Messages),
        Some(BRIDGE_SCOPE) => Some(PortOfBridge::Scope),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serialport::UsbPortInfo;

    use super::*;

    fn usb(name: &str, vid: u16, pid: u16) -> SerialPortInfo {
        let info =
            UsbPortInfo { vid, pid, serial_number: None, manufacturer: None, product: None, interface: None };
        SerialPortInfo { port_name: name.to_owned(), port_type: SerialPortType::UsbPort(info) }
    }

    #[test]
    fn bitscopes_are_recognised_by_usb_id() {
        let unknown =
            SerialPortInfo { port_name: "/dev/ttyS0".to_owned(), port_type: SerialPortType::Unknown };
        let infos = vec![
            usb("/dev/ttyUSB10", 0x0403, 0x6001),
            usb("/dev/ttyUSB1", 0x0403, 0x6015),
            usb("/dev/ttyUSB2", 0x0403, 0x6001),
            unknown,
        ];
        let ports = in_order(infos);
        let names: Vec<_> = ports.iter().map(|port| (port.name.as_str(), port.is_bitscope())).collect();
        assert_eq!(
            names,
            [("/dev/ttyS0", false), ("/dev/ttyUSB1", false), ("/dev/ttyUSB2", true), ("/dev/ttyUSB10", true)]
        );
    }

    #[test]
    fn ports_of_a_bridge_are_known_by_name_and_interface() {
        let port = |vid, product: &str, interface| {
            let product = Some(product.to_owned());
            let info =
                UsbPortInfo { vid, pid: 0x0001, serial_number: None, manufacturer: None, product, interface };
            let port_type = SerialPortType::UsbPort(info);
            super::port(SerialPortInfo { port_name: "/dev/ttyACM0".to_owned(), port_type }).bridge
        };
        assert_eq!(port(0x1209, "ScopeThing bridge", Some(0)), Some(PortOfBridge::Messages));
        assert_eq!(port(0x1209, "ScopeThing_bridge", Some(2)), Some(PortOfBridge::Scope));
        assert_eq!(port(0x1209, "ScopeThing bridge", None), None, "it may be either");
        // The same ids are anybody's for tests.
        assert_eq!(port(0x1209, "another", Some(0)), None);
        assert_eq!(port(0x2e8a, "ScopeThing bridge", Some(0)), None);
    }
}
