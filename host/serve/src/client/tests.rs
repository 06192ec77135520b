use scopething::link::open;
use scopething_core::device::BS05;
use tokio::sync::oneshot;

use super::*;
use crate::{Listen, Server};

/// Serves the page for the simulated device while `visit` looks at it.
async fn with_page<T>(url: &str, visit: impl AsyncFnOnce(Link, Link) -> T) -> T {
    let link = open(&url.parse().unwrap()).await.unwrap();
    let places = Listen { web: Some("127.0.0.1:0".to_owned()), ..Listen::default() };
    let server = Server::open(link, BS05.analog, &places).await.unwrap();
    let links = server.web_links().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = Box::pin(server.run_until(async { drop(stopped.await) }, |_| {}));
    let visited = Box::pin(async {
        let visited = visit(links.control.parse().unwrap(), links.view.parse().unwrap()).await;
        drop(stop);
        visited
    });
    let (served, visited) = tokio::join!(served, visited);
    served.unwrap();
    visited
}

async fn until<T>(client: &mut Client, wanted: impl Fn(Message) -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = wanted(client.next().await.unwrap().expect("more")) {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found).await.expect("what was waited for")
}

#[test]
fn links_are_read() {
    let read = |text: &str| text.parse::<Link>().map(|link| (link.authority, link.token));
    let token = Some("0123abcd".to_owned());
    assert_eq!(read("http://127.0.0.1:8080/"), Ok(("127.0.0.1:8080".to_owned(), None)));
    assert_eq!(read("http://board:8080/#token=0123abcd"), Ok(("board:8080".to_owned(), token)));
    assert_eq!(read("[::1]:81"), Ok(("[::1]:81".to_owned(), None)));
    assert_eq!(read("board"), Ok(("board:80".to_owned(), None)));
    for wrong in [
        "",
        "https://board/",
        "http://board/page",
        "http://a@board/",
        "board:x",
        "board/#token=",
        "board/#token=a\r\nb",
        "a b",
    ] {
        assert!(read(wrong).is_err(), "{wrong:?}");
    }
    // A link that is shown does not open the knobs.
    assert_eq!(
        "http://board:8080/#token=0123abcd".parse::<Link>().unwrap().to_string(),
        "http://board:8080/"
    );
}

#[tokio::test]
async fn knobs_are_turned_and_traces_arrive() {
    Box::pin(with_page("sim:?A=sine,1kHz,0..3V&clock=fast", async |link, _| {
        let mut client = Client::connect(&link).await.unwrap();
        client.view(&View { columns: Some(100), measure: true, ..View::default() }).await.unwrap();
        let settings = json!({"time_per_div": "1ms", "trigger": {"level": 1.5}});
        client.command(7, json!({"type": "set", "settings": settings})).await.unwrap();
        until(&mut client, |message| (message == Message::Done { id: 7 }).then_some(())).await;
        let changes = until(&mut client, |message| match message {
            Message::State(state) if state.settings.time_per_div == 1e-3 => Some(state.changes),
            _ => None,
        });
        let changes = changes.await;
        let trace = until(&mut client, |message| match message {
            Message::Trace(trace) if trace.about.changes == changes => Some(trace),
            _ => None,
        });
        let trace = trace.await;
        let a = trace.channels.iter().find(|channel| channel.block.name == "A").unwrap();
        let highest = a.volts().map(|(_, high)| high).fold(f64::MIN, f64::max);
        let lowest = a.volts().map(|(low, _)| low).fold(f64::MAX, f64::min);
        assert!((highest - 3.0).abs() < 0.1 && lowest.abs() < 0.1, "{lowest} {highest}");
        let frequency = until(&mut client, |message| match message {
            Message::Measurements(measured) => measured["channels"]["A"]["wave"]["frequency"].as_f64(),
            _ => None,
        });
        assert!((frequency.await - 1000.0).abs() < 5.0);
        client.command(8, json!({"type": "set", "settings": {"position": 7}})).await.unwrap();
        let reason = until(&mut client, |message| match message {
            Message::Refused { id: Some(8), reason } => Some(reason),
            _ => None,
        });
        assert!(reason.await.contains("position"));
        let csv = String::from_utf8(trace_file(&link, trace.about.seq, "csv").await.unwrap()).unwrap();
        assert!(csv.lines().any(|line| line.starts_with("time,A,B,L0")), "{}", &csv[..200]);
        client.command(9, json!({"type": "pin", "seq": trace.about.seq, "name": "before"})).await.unwrap();
        until(&mut client, |message| (message == Message::Done { id: 9 }).then_some(())).await;
        let kept = traces(&link).await.unwrap();
        let names: Vec<u64> = kept
            .iter()
            .filter(|one| one.name.as_deref() == Some("before"))
            .map(|one| one.about.seq)
            .collect();
        assert_eq!(names, [trace.about.seq], "{kept:?}");
        let whole = super::trace(&link, trace.about.seq).await.unwrap();
        assert_eq!(whole.about, trace.about);
        let a = whole.channels.iter().find(|channel| channel.block.name == "A").unwrap();
        assert_eq!(a.extremes.len(), a.block.samples);
        let refused = trace_file(&link, 1_000_000, "csv").await.unwrap_err();
        assert!(refused.to_string().contains("no such trace"), "{refused}");
    }))
    .await;
}

#[tokio::test]
async fn who_may_not_look_learns_why() {
    Box::pin(with_page("sim:?clock=fast", async |link, view| {
        let wrong = Link { token: Some("0123".to_owned()), ..link };
        let refused = Client::connect(&wrong).await.unwrap_err().to_string();
        assert!(refused.contains("token"), "{refused}");
        let mut client = Client::connect(&view).await.unwrap();
        let role = until(&mut client, |message| match message {
            Message::State(state) => Some(state.role),
            _ => None,
        });
        assert_eq!(role.await, "view");
    }))
    .await;
    let nobody = Client::connect(&"127.0.0.1:1".parse().unwrap()).await.unwrap_err();
    assert!(matches!(nobody, ClientError::Unreached { .. }), "{nobody}");
}
