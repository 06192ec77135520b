//! Who may look, and who may turn knobs: tokens in links, and what a browser is made to keep to.
//!
//! A page of another site must not reach the device through the user's browser. Requests name the host they were
//! meant for, which must be an address or a name of this computer, so that no name of somebody else's can be
//! pointed here; and where a browser names the site whose page sends it, that must be this one's.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use scopething_instrument::page::Role;

/// The number of random bytes in a token.
const TOKEN_BYTES: usize = 16;

/// Why a request is refused before it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ForeignRequest {
    /// It names a host that is not this computer.
    Host,
    /// A page of another site sends it.
    Origin,
}

impl ForeignRequest {
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Host => {
                "the request names another host: use the address of this computer, its name, or localhost"
            }
            Self::Origin => "the request comes from a page of another site",
        }
    }
}

/// The tokens and names of one listener.
#[derive(Debug)]
pub(super) struct Access {
    /// None where no token is needed to change settings: on this computer alone.
    control: Option<String>,
    view: String,
    /// What this computer is called, in lower case.
    names: Vec<String>,
}

/// Links to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebLinks {
    /// With every knob.
    pub control: String,
    /// To look only.
    pub view: String,
}

impl Access {
    /// New tokens. Whoever can connect to a loopback address has the knobs without one.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub(super) fn new(bound: SocketAddr) -> Result<Self, getrandom::Error> {
        let control = if bound.ip().is_loopback() { None } else { Some(token()?) };
        Ok(Self { control, view: token()?, names: names() })
    }

    pub(super) fn links(&self, bound: SocketAddr) -> WebLinks {
        let host = match (bound.ip(), self.names.get(1)) {
            (address, Some(name)) if address.is_unspecified() => format!("{name}:{}", bound.port()),
            _ => bound.to_string(),
        };
        let link = |token: Option<&String>| match token {
            // The part behind # stays in the browser: no log and no other site gets to see it.
            Some(token) => format!("http://{host}/#token={token}"),
            None => format!("http://{host}/"),
        };
        WebLinks { control: link(self.control.as_ref()), view: link(Some(&self.view)) }
    }

    /// What a request with this token may do; none: nothing.
    pub(super) fn role(&self, token: Option<&str>) -> Option<Role> {
        match (token, &self.control) {
            (None, None) => Some(Role::Control),
            (Some(token), _) if is_same(token, &self.view) => Some(Role::View),
            (Some(token), Some(control)) if is_same(token, control) => Some(Role::Control),
            _ => None,
        }
    }

    /// Refuses what was meant for another host, or comes from another site's page.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), ForeignRequest> {
        let host =
            headers.get(header::HOST).and_then(|host| host.to_str().ok()).ok_or(ForeignRequest::Host)?;
        let name = host_name(host).ok_or(ForeignRequest::Host)?;
        if name.parse::<IpAddr>().is_err() && !self.names.contains(&name) {
            return Err(ForeignRequest::Host);
        }
        match headers.get(header::ORIGIN) {
            None => Ok(()),
            Some(origin) if is_same_origin(origin, host) => Ok(()),
            Some(_) => Err(ForeignRequest::Origin),
        }
    }
}

fn is_same_origin(origin: &HeaderValue, host: &str) -> bool {
    let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
    origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host))
}

/// The host of `host:port`, in lower case, an address of IPv6 without its brackets.
fn host_name(host: &str) -> Option<String> {
    let uri: Uri = format!("http://{host}/").parse().ok()?;
    let authority = uri.authority()?;
    if authority.as_str() != host || host.contains('@') {
        return None;
    }
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    Some(name.to_ascii_lowercase())
}

fn token() -> Result<String, getrandom::Error> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Compares in a time that does not depend on where two texts differ.
fn is_same(given: &str, expected: &str) -> bool {
    let differences = given.bytes().zip(expected.bytes()).fold(0, |sum, (one, other)| sum | (one ^ other));
    given.len() == expected.len() && differences == 0
}

/// `localhost`, and what the system calls this computer, in the network as well.
fn names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    if let Some(name) = host_name_of_system() {
        let name = name.to_ascii_lowercase();
        if !name.contains('.') {
            names.push(format!("{name}.local"));
        }
        names.insert(1, name);
    }
    names
}

#[cfg(unix)]
fn host_name_of_system() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    (!name.is_empty() && name != "localhost").then_some(name)
}

#[cfg(not(unix))]
fn host_name_of_system() -> Option<String> {
    std::env::var("COMPUTERNAME").ok().filter(|name| !name.is_empty())
}

/// What every answer makes the browser keep to: nothing from elsewhere, no frame of another page, no guessing of
/// types.
pub(super) const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
             manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn access(bound: &str) -> Access {
        Access::new(bound.parse().unwrap()).unwrap()
    }

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn loopback_needs_no_token_but_for_looking() {
        let access = access("127.0.0.1:80");
        assert_eq!(access.role(None), Some(Role::Control));
        assert_eq!(access.role(Some(&access.view.clone())), Some(Role::View));
        for wrong in ["", "x", &access.view[1..]] {
            assert_eq!(access.role(Some(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn other_addresses_need_a_token() {
        let access = access("192.0.2.1:80");
        let control = access.control.clone().unwrap();
        assert_eq!((access.role(None), access.role(Some(""))), (None, None));
        assert_eq!(access.role(Some(&control)), Some(Role::Control));
        assert_eq!(access.role(Some(&access.view.clone())), Some(Role::View));
        let links = access.links("192.0.2.1:80".parse().unwrap());
        assert_eq!(links.control, format!("http://192.0.2.1:80/#token={control}"));
        assert_ne!(links.control, links.view);
    }

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let tokens: std::collections::BTreeSet<String> = (0..100).map(|_| token().unwrap()).collect();
        assert_eq!(tokens.len(), 100);
        assert!(tokens.iter().all(|token| token.len() == 32), "{tokens:?}");
    }

    #[test]
    fn names_of_others_are_refused() {
        let access = access("127.0.0.1:80");
        for host in ["127.0.0.1:80", "localhost:8080", "LOCALHOST", "[::1]:80", "192.0.2.7"] {
            assert_eq!(access.check(&headers(&[(header::HOST, host)])), Ok(()), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:80", "", "a b", "user@localhost", "localhost/x"]
        {
            assert_eq!(access.check(&headers(&[(header::HOST, host)])), Err(ForeignRequest::Host), "{host}");
        }
        assert_eq!(access.check(&headers(&[])), Err(ForeignRequest::Host));
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let access = access("127.0.0.1:80");
        let from =
            |origin| access.check(&headers(&[(header::HOST, "localhost:80"), (header::ORIGIN, origin)]));
        assert_eq!(from("http://localhost:80"), Ok(()));
        for origin in
            ["http://evil.example", "null", "https://localhost:80", "http://localhost:81", "http://localhost"]
        {
            assert_eq!(from(origin), Err(ForeignRequest::Origin), "{origin}");
        }
    }
}
