//! Buses in traces, by the decoders of sigrok: `sigrok-cli` runs beside this program, once at a time, and for a limited time.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use scopething_files::decode::{
    self, DecodeError, DecodeOptions, Decoder, Decoders, SigrokError, Stack, lanes,
};
use scopething_instrument::page::{Acquired, Role};
use serde_json::{Value, json};

use super::{Site, refusal};

/// The most stacks of decoders that a client may ask for at once.
const MAX_STACKS: usize = 8;
/// How long each stack may take.
const LIMIT: Duration = Duration::from_secs(10);

/// All decoders that there are.
pub(super) async fn list(_: Role, State(site): State<Site>) -> Response {
    let listed = run(&site, || {
        let listed = decode::list()?;
        Ok(listed.into_iter().map(|decoder| json!({"id": decoder.id, "name": decoder.name})).collect())
    });
    answer(listed.await)
}

/// What a decoder takes.
pub(super) async fn describe(_: Role, State(site): State<Site>, Path(id): Path<String>) -> Response {
    let described = run(&site, move || {
        // Also what a name is, which is handed to another program.
        let Stack(stack) = id.parse().map_err(DecodeError::Refused)?;
        let [spec] = stack.as_slice() else {
            return Err(DecodeError::Refused("give the name of one decoder".to_owned()));
        };
        let decoder = Decoder::named(&spec.id)?;
        Ok(json!({
            "id": spec.id,
            "takes_logic": decoder.takes_logic(),
            "required_channels": decoder.required_channels(),
            "optional_channels": decoder.optional_channels(),
            "options": decoder.described_options(),
        }))
    });
    answer(described.await)
}

/// What a trace has of these decoders, which are parted by semicolons.
pub(super) async fn decoded(
    site: &Site,
    acquired: Arc<Acquired>,
    decoders: Option<String>,
    threshold: Option<f64>,
) -> Response {
    let found = run(site, move || {
        let stacks = decoders.iter().flat_map(|text| text.split(';'));
        let stacks = stacks.take(MAX_STACKS + 1).map(str::parse::<Stack>).collect::<Result<Vec<_>, _>>();
        let stacks = stacks.map_err(DecodeError::Refused)?;
        if stacks.is_empty() || stacks.len() > MAX_STACKS {
            let reason = format!("give 1 to {MAX_STACKS} decoders, as in ?decoders=uart:rx=L0,baudrate=9600");
            return Err(DecodeError::Refused(reason));
        }
        let options = DecodeOptions { threshold, limit: Some(LIMIT), ..DecodeOptions::default() };
        let described = Decoders::of(&stacks)?;
        let decoded = decode::decode(&acquired.capture.waveform, &stacks, &described, &options)?;
        let lanes: Vec<Value> = lanes(&decoded.found)
            .into_iter()
            .map(|lane| {
                let annotations: Vec<Value> = lane
                    .annotations
                    .iter()
                    .map(|one| json!({"start": one.start_s, "end": one.end_s, "texts": one.texts}))
                    .collect();
                json!({"decoder": lane.decoder, "title": lane.title, "annotations": annotations})
            })
            .collect();
        Ok(json!({"seq": acquired.about.seq, "duration": acquired.about.duration, "lanes": lanes}))
    });
    answer(found.await)
}

/// Has sigrok-cli do something, after what it does for others.
async fn run(
    site: &Site,
    work: impl FnOnce() -> Result<Value, DecodeError> + Send + 'static,
) -> Result<Value, DecodeError> {
    // It is never closed.
    let turn = Arc::clone(&site.decoding).acquire_owned().await;
    let done = tokio::task::spawn_blocking(move || {
        // A client that leaves does not end what runs for it, so that it must not let the next one begin.
        let _turn = turn;
        work()
    })
    .await;
    done.unwrap_or_else(|_| Err(DecodeError::Refused("the decoder could not be run".to_owned())))
}

fn answer(result: Result<Value, DecodeError>) -> Response {
    let error = match result {
        Ok(value) => return Json(value).into_response(),
        Err(error) => error,
    };
    let status = match error {
        DecodeError::Sigrok(SigrokError::Missing) => StatusCode::NOT_IMPLEMENTED,
        DecodeError::Sigrok(SigrokError::NoDecoder { .. }) | DecodeError::Refused(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        DecodeError::Sigrok(_) | DecodeError::Samples(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    refusal(status, &error.to_string())
}
