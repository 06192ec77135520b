//! `scopething list`: every scope that can be found.

use std::io::{self, Write as _};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::capture_arguments::UrlArgument;
use super::failure::Failure;
use super::identity::{Identity, Unidentified};
use super::message::print_note;
use super::port_users::{self, PortUser};
use super::table::Table;
use scopething::bridge::Client;
use scopething::link::{self, LinkUrl, OpenError, Port, PortOfBridge};
use scopething_serve::discovery::{self as served, Found, find};

const EXAMPLES: &str = "\
Examples:
  scopething list
      The serial ports, which of them may be BitScopes by their USB id, and which programs use them
  scopething list --identify
      Ask each that is free for its revision and serial number, which distinguishes a BitScope from an FT232
      adaptor, whose USB id is the same; other serial ports, whether a bridge answers
  scopething list --json
  scopething list --network
      Those as well that `scopething serve --allow` shares in the local network

The serial number of a port is that of its USB adapter, which need not be that of the BitScope. --identify connects, which
resets a BitScope, and sends other serial ports a request that a bridge answers.";

/// How long a serial port has to answer as a bridge does.
const BRIDGE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the local network has to answer.
const NETWORK_WAIT: Duration = Duration::from_secs(2);

/// List the scopes that can be found, and who uses them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    url: UrlArgument,
    /// Connect to what is free, and print what answers
    #[arg(long)]
    identify: bool,
    /// Ask the local network, for two seconds, for oscilloscopes that are served
    #[arg(long)]
    network: bool,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// A place where a scope is or may be.
struct Place {
    url: LinkUrl,
    kind: Kind,
    port: Option<Port>,
    state: State,
    identity: Option<Result<Identity, Unidentified>>,
    served: Option<Found>,
}

/// What there is at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A serial port with the USB id of a BitScope: one, unless it is found out that none answers.
    BitScope,
    /// Such a port where neither a BitScope nor a bridge answers.
    Adaptor,
    /// A serial port where a bridge answers.
    Bridge,
    /// The serial port of a bridge that is the BitScope itself.
    BridgedBitScope,
    /// Another serial port.
    Serial,
    /// Served in the local network.
    Served,
    /// A link that the user has named.
    Named,
    /// The simulated BitScope.
    Simulated,
}

/// Whether a place can be used.
enum State {
    Free,
    InUse(Vec<PortUser>),
    Unusable(OpenError),
    /// It was not tried.
    Unknown,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::BitScope => "BitScope",
            Self::Adaptor => "FT232 adaptor",
            Self::Bridge => "bridge",
            Self::BridgedBitScope => "bridge's BitScope",
            Self::Serial => "serial port",
            Self::Served => "network",
            Self::Named => "named link",
            Self::Simulated => "simulated",
        }
    }
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let named = self.url.parse()?;
        let mut places = places(named).await?;
        if self.identify {
            for place in &mut places {
                place.identify().await;
            }
        }
        // After the others were asked: what is served is used by others.
        let served =
            if self.network { find(NETWORK_WAIT).await.map_err(Failure::failed)? } else { Vec::new() };
        places.extend(served.into_iter().filter_map(Place::of_served));
        let mut out = crate::terminal::stdout();
        if self.json {
            writeln!(out, "{}", places.iter().map(Place::to_json).collect::<Value>())?;
            return Ok(());
        }
        let row = |place: &Place| [place.address(), place.kind_text().to_owned(), place.to_text()];
        write!(out, "{}", Table::new(places.iter().map(row)))?;
        out.flush()?;
        if places.iter().all(|place| matches!(place.kind, Kind::Serial | Kind::Adaptor | Kind::Simulated)) {
            print_note!("no BitScope was found: `scopething doctor` looks for the reason");
        }
        Ok(())
    }
}

async fn places(named: Option<LinkUrl>) -> Result<Vec<Place>, Failure> {
    // Opening ports blocks.
    let ports = tokio::task::spawn_blocking(link::list_ports).await.map_err(io::Error::other)?;
    let ports = match ports {
        Err(OpenError::NoPortList(error)) => {
            print_note!("the serial ports cannot be listed: {error}");
            Vec::new()
        }
        ports => ports?,
    };
    let mut places: Vec<Place> = ports.into_iter().map(Place::of_port).collect();
    if let Some(named) = named.filter(|named| !places.iter().any(|place| place.url == *named.sound())) {
        let kind = if named.is_bridge() { Kind::Bridge } else { Kind::Named };
        places.push(Place {
            url: named,
            kind,
            port: None,
            state: State::Unknown,
            identity: None,
            served: None,
        });
    }
    let simulated = LinkUrl::Sim { query: String::new() };
    places.retain(|place| place.url != simulated);
    places.push(Place {
        url: simulated,
        kind: Kind::Simulated,
        port: None,
        state: State::Free,
        identity: None,
        served: None,
    });
    Ok(places)
}

impl Place {
    fn of_port(mut port: Port) -> Self {
        let kind = match port.bridge {
            Some(PortOfBridge::Messages) => Kind::Bridge,
            Some(PortOfBridge::Scope) => Kind::BridgedBitScope,
            None if port.is_bitscope() => Kind::BitScope,
            None => Kind::Serial,
        };
        let users = port_users::of_port(&port.name);
        let state = match port.obstacle.take() {
            _ if !users.is_empty() => State::InUse(users),
            Some(OpenError::PortInUse { .. }) => State::InUse(users),
            Some(obstacle) => State::Unusable(obstacle),
            None if kind == Kind::BitScope => State::Free,
            None => State::Unknown,
        };
        let serial = LinkUrl::Serial { port: port.name.clone() };
        let bridge = format!("bridge://{}", port.name).parse().ok();
        Self {
            url: bridge.filter(|_| kind == Kind::Bridge).unwrap_or(serial),
            kind,
            port: Some(port),
            state,
            identity: None,
            served: None,
        }
    }

    /// What answered in the local network: the device itself has a URL, what else is served an address of its own kind.
    fn of_served(found: Found) -> Option<Self> {
        let address = found.address;
        let url = match found.kind {
            served::Kind::BitscopeServer => format!("bitscope-server://{address}"),
            // Pages and instruments are no links of this program: they are listed by their own addresses.
            served::Kind::Tcp | served::Kind::Page | served::Kind::Scpi => format!("socket://{address}"),
        };
        let url = url.parse().ok()?;
        Some(Self {
            url,
            kind: Kind::Served,
            port: None,
            state: State::Unknown,
            identity: None,
            served: Some(found),
        })
    }

    /// How it is reached: a URL of this program, the link of a page, or a VISA resource.
    fn address(&self) -> String {
        match &self.served {
            Some(Found { kind: served::Kind::Page, address, .. }) => format!("http://{address}/"),
            Some(Found { kind: served::Kind::Scpi, address, .. }) => {
                format!("TCPIP::{}::{}::SOCKET", address.ip(), address.port())
            }
            _ => self.url.to_string(),
        }
    }

    /// Asks what is there; a place that somebody uses is left alone.
    async fn identify(&mut self) {
        match (&self.state, self.kind) {
            // The BitScope of a bridge is asked by way of the other port: opening this one takes it from whoever uses it there.
            (State::InUse(_) | State::Unusable(_), _) | (_, Kind::BridgedBitScope) => {}
            (_, Kind::Serial) => self.look_for_bridge().await,
            _ => {
                let identity = Identity::at(&self.url).await;
                let is_unanswered = identity.as_ref().is_err_and(|unidentified| unidentified.is_unanswered);
                self.identity = Some(identity);
                if is_unanswered && self.kind == Kind::BitScope {
                    self.kind = Kind::Adaptor;
                    self.look_for_bridge().await;
                }
            }
        }
    }

    /// Whether a bridge answers at a serial port.
    async fn look_for_bridge(&mut self) {
        let LinkUrl::Serial { port } = &self.url else { return };
        let Ok(url) = format!("bridge://{port}").parse::<LinkUrl>() else { return };
        let asking = async {
            let link = link::open_bridge(&url).await.ok()?;
            let mut client = Client::new(link.stream, link.clock);
            client.status().await.ok()
        };
        let found = tokio::time::timeout(BRIDGE_TIMEOUT, Box::pin(asking)).await;
        if let Ok(Some(_)) = found {
            self.url = url;
            self.kind = Kind::Bridge;
            self.state = State::Free;
            self.identity = None;
        }
    }

    /// What there is, as far as it is known.
    fn kind_text(&self) -> &'static str {
        match (self.kind, &self.identity) {
            (Kind::BitScope, None | Some(Err(_))) => "BitScope?",
            (kind, _) => kind.name(),
        }
    }

    fn to_text(&self) -> String {
        let mut parts = Vec::new();
        if let Some(usb) = self.port.as_ref().and_then(|port| port.usb.as_ref()) {
            parts.push(usb.to_string());
        }
        if let Some(found) = &self.served {
            let what = match found.kind {
                served::Kind::Tcp | served::Kind::BitscopeServer => "the device itself",
                served::Kind::Page => "a page, for which the server prints a link",
                served::Kind::Scpi => "an instrument",
            };
            return format!("{what}; {}; serial number {}", found.model, found.serial);
        }
        parts.push(match &self.state {
            State::Free if self.kind == Kind::Simulated => "always there".to_owned(),
            State::Free => "free".to_owned(),
            State::InUse(users) if users.is_empty() => "in use by a program of another user".to_owned(),
            State::InUse(users) => {
                let users: Vec<String> = users.iter().map(ToString::to_string).collect();
                format!("in use by {}", users.join(", "))
            }
            State::Unusable(obstacle) => obstacle.to_string(),
            State::Unknown if self.kind == Kind::Serial => {
                format!("not a BitScope; a bridge there is bridge://{}", self.url)
            }
            State::Unknown => "not tried".to_owned(),
        });
        match &self.identity {
            Some(Ok(identity)) => parts.push(identity.to_string()),
            Some(Err(why)) if self.kind == Kind::Adaptor => {
                parts.push(format!("not a BitScope, or one that hangs: {why}"));
            }
            Some(Err(why)) => parts.push(why.to_string()),
            None if self.kind == Kind::BitScope && matches!(self.state, State::Free) => {
                parts.push("or an FT232 adaptor: --identify asks".to_owned());
            }
            None => {}
        }
        parts.join("; ")
    }

    fn to_json(&self) -> Value {
        let usb = self.port.as_ref().and_then(|port| port.usb.as_ref());
        let identity = self.identity.as_ref().and_then(|identity| identity.as_ref().ok());
        json!({
            "url": self.address(),
            "kind": self.kind.name(),
            "answers": self.identity.as_ref().map(Result::is_ok),
            "usb": usb.map(|usb| format!("{:04x}:{:04x}", usb.vendor, usb.product)),
            "manufacturer": usb.and_then(|usb| usb.manufacturer.as_ref()),
            "product": usb.and_then(|usb| usb.product_name.as_ref()),
            "usb_serial": usb.and_then(|usb| usb.serial_number.as_ref()),
            "state": match &self.state {
                State::Free => "free",
                State::InUse(_) => "in use",
                State::Unusable(_) => "unusable",
                State::Unknown => "unknown",
            },
            "users": match &self.state {
                State::InUse(users) => json!(users),
                _ => json!([]),
            },
            "obstacle": match &self.state {
                State::Unusable(obstacle) => Some(obstacle.to_string()),
                _ => None,
            },
            "model": identity.map(|identity| &identity.model).or(self.served.as_ref().map(|found| &found.model)),
            "revision": identity.map(|identity| &identity.revision),
            "serial": identity
                .and_then(|identity| identity.serial.as_ref().ok())
                .or(self.served.as_ref().map(|found| &found.serial)),
        })
    }
}

#[cfg(test)]
mod tests {
    use scopething::link::UsbDevice;

    use super::*;

    /// A port with the USB id of a BitScope.
    fn ftdi(name: &str) -> Place {
        let usb = UsbDevice {
            vendor: 0x0403,
            product: 0x6001,
            manufacturer: Some("FTDI".to_owned()),
            product_name: Some("FT232R USB UART".to_owned()),
            serial_number: None,
        };
        Place::of_port(Port { name: name.to_owned(), usb: Some(usb), bridge: None, obstacle: None })
    }

    #[test]
    fn what_was_not_asked_may_be_an_adaptor() {
        let place = ftdi("/dev/ttyUSB0");
        assert_eq!(place.kind_text(), "BitScope?");
        assert!(
            place.to_text().ends_with("free; or an FT232 adaptor: --identify asks"),
            "{}",
            place.to_text()
        );
        let json = place.to_json();
        assert_eq!((&json["kind"], &json["answers"]), (&json!("BitScope"), &Value::Null));
    }

    #[test]
    fn what_has_answered_is_a_bitscope() {
        let identity = Identity {
            model: "BitScope Micro".to_owned(),
            revision: "BS000501".to_owned(),
            serial: Ok("DB98TI79".to_owned()),
        };
        let place = Place { identity: Some(Ok(identity)), ..ftdi("/dev/ttyUSB0") };
        assert_eq!(place.kind_text(), "BitScope");
        assert!(place.to_text().ends_with("free; BitScope Micro, revision BS000501, serial number DB98TI79"));
        assert_eq!(place.to_json()["answers"], true);
    }

    /// A pseudo-terminal whose other end is silent, as an adaptor without anything behind it.
    #[cfg(unix)]
    #[tokio::test]
    async fn what_does_not_answer_is_an_adaptor() {
        use serialport::SerialPort as _;

        let (_silent, port) = serialport::TTYPort::pair().unwrap();
        let mut place = ftdi(&port.name().unwrap());
        place.identify().await;
        assert_eq!(place.kind_text(), "FT232 adaptor");
        assert!(place.to_text().contains("not a BitScope, or one that hangs: "), "{}", place.to_text());
        let json = place.to_json();
        assert_eq!((&json["kind"], &json["answers"]), (&json!("FT232 adaptor"), &json!(false)));
    }

    #[test]
    fn what_is_served_is_listed_as_it_is_reached() {
        let found = |kind, port| Found {
            kind,
            address: ([192, 168, 77, 1], port).into(),
            model: "MSO2072A".to_owned(),
            serial: "BS001234".to_owned(),
        };
        for (kind, address) in [
            (served::Kind::Tcp, "socket://192.168.77.1:2323"),
            (served::Kind::BitscopeServer, "bitscope-server://192.168.77.1:2323"),
            (served::Kind::Page, "http://192.168.77.1:2323/"),
            (served::Kind::Scpi, "TCPIP::192.168.77.1::2323::SOCKET"),
        ] {
            let place = Place::of_served(found(kind, 2323)).unwrap();
            assert_eq!(place.address(), address);
            let json = place.to_json();
            assert_eq!((&json["url"], &json["kind"]), (&json!(address), &json!("network")));
            assert_eq!((&json["model"], &json["serial"]), (&json!("MSO2072A"), &json!("BS001234")));
            assert!(place.to_text().contains("BS001234"), "{}", place.to_text());
        }
    }
}
