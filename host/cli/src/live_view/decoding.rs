//! What sigrok's decoders find in traces, as lanes below the lines. The server runs them.

use ratatui::text::Span;
use scopething_files::plot::terminal::Ink;
use scopething_serve::client::{ClientError, Decoded, DecodedAnnotation, DecodedLane};

use super::analysis::Analysis;
use super::layout::Layout;
use super::model::Model;
use super::painter::Painter;
use super::picture::Picture;

/// The most decoders at a time: as many as the server takes.
const MAX_DECODERS: usize = 8;
/// The status of a trace that is not kept any longer: a later one is decoded instead.
const GONE: u16 = 404;
/// Statuses of what is not decoded in any trace of these settings: a decoder or a line that is not there, no sigrok-cli.
const REFUSED: [u16; 2] = [422, 501];

/// A trace as it came, and as it is shown.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) captured: Picture,
    pub(super) picture: Picture,
}

/// What the server is to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    generation: u64,
    pub(super) seq: u64,
    pub(super) decoders: Vec<String>,
}

/// The trace that is being decoded.
#[derive(Debug)]
struct Asked {
    seq: u64,
    changes: u64,
    /// Of the history there is none: that one stays on the screen by itself.
    live: Option<Shown>,
}

/// What is to be decoded, and what was found.
#[derive(Debug, Default)]
pub(super) struct Decoding {
    wanted: Vec<String>,
    /// Counts what makes the answers to earlier requests void.
    generation: u64,
    asked: Option<Asked>,
    /// The last trace that could not be decoded.
    failed: Option<u64>,
    /// The changes of settings with which nothing can be decoded.
    refused: Option<u64>,
    found: Option<Decoded>,
    /// The live trace in which that was found. It stays on the screen until something was found in a later one, since what is
    /// drawn and what was found in it belong together.
    decoded: Option<Shown>,
}

impl Decoding {
    /// Wants a decoder as well, or with `off` none any more.
    ///
    /// # Errors
    /// If there are too many.
    pub(super) fn want(&mut self, decoder: &str) -> Result<(), String> {
        let is_off = decoder == "off";
        let is_known = self.wanted.iter().any(|one| one == decoder);
        if !is_off && !is_known && self.wanted.len() >= MAX_DECODERS {
            return Err(format!("{MAX_DECODERS} decoders are the most: decode off takes them away"));
        }
        self.forget();
        if is_off {
            self.wanted.clear();
        } else if !is_known {
            self.wanted.push(decoder.to_owned());
        }
        Ok(())
    }

    /// Traces are numbered anew, or something else is wanted: what was found, and what is asked for, is void.
    pub(super) fn forget(&mut self) {
        let (wanted, generation) = (std::mem::take(&mut self.wanted), self.generation + 1);
        *self = Self { wanted, generation, ..Self::default() };
    }

    /// The lanes of a trace.
    pub(super) fn lanes_of(&self, seq: Option<u64>) -> &[DecodedLane] {
        match &self.found {
            Some(found) if Some(found.seq) == seq => &found.lanes,
            _ => &[],
        }
    }

    /// The earlier trace that is shown instead of a live one.
    pub(super) fn instead_of(&self, live: &Picture) -> Option<&Picture> {
        let Shown { picture, .. } = self.decoded.as_ref()?;
        let is_of_now = picture.about.changes == live.about.changes && picture.about.seq < live.about.seq;
        (is_of_now && !self.lanes_of(Some(picture.about.seq)).is_empty()).then_some(picture)
    }

    /// Has the earlier trace shown as others are by now.
    pub(super) fn look_again(&mut self, analysis: &Analysis) {
        if let Some(Shown { captured, picture }) = &mut self.decoded {
            picture.clone_from(captured);
            analysis.derive(picture);
        }
    }

    /// What is to be asked for: of a trace of the history, or of the last live one, which is given as well.
    pub(super) fn wish(&mut self, picture: &Picture, live: impl FnOnce() -> Option<Shown>) -> Option<Wish> {
        let (seq, changes) = (picture.about.seq, picture.about.changes);
        let is_done = self.failed == Some(seq) || self.found.as_ref().is_some_and(|found| found.seq == seq);
        if self.wanted.is_empty() || self.asked.is_some() || is_done || self.refused == Some(changes) {
            return None;
        }
        self.asked = Some(Asked { seq, changes, live: live() });
        Some(Wish { generation: self.generation, seq, decoders: self.wanted.clone() })
    }

    /// What has become of a wish. Returns why nothing was found, if the user should know.
    pub(super) fn take(&mut self, wish: &Wish, decoded: Result<Decoded, ClientError>) -> Option<String> {
        let asked = if wish.generation == self.generation { self.asked.take() } else { None };
        let Asked { seq, changes, live } = asked?;
        match decoded {
            Ok(found) => {
                (self.found, self.decoded) = (Some(found), live);
                None
            }
            Err(error) => {
                let status = if let ClientError::Refused { status, .. } = &error { *status } else { 0 };
                self.failed = Some(seq);
                if REFUSED.contains(&status) {
                    self.refused = Some(changes);
                }
                (status != GONE).then(|| error.to_string())
            }
        }
    }
}

pub(super) fn draw(painter: &mut Painter<'_>, model: &Model, layout: &Layout) {
    let (Some((from_s, to_s)), Some(picture)) = (model.window(), model.shown()) else { return };
    let about = &picture.about;
    let column = |start_s: f64| {
        let part = (start_s - about.trigger - from_s) / (to_s - from_s);
        layout.column(part)
    };
    let is_shown =
        |one: &DecodedAnnotation| one.end - about.trigger > from_s && one.start - about.trigger < to_s;
    for (lane, place) in model.decoding.lanes_of(Some(about.seq)).iter().zip(&layout.decoded) {
        let style = painter.ink(Ink::Logic);
        painter.put((layout.area.x, place.y), place.x, &lane.title, style);
        for one in lane.annotations.iter().filter(|one| is_shown(one)) {
            let (from, to) = (column(one.start), column(one.end).max(column(one.start) + 1));
            painter.put((from, place.y), to, "│", style);
            painter.put((from + 1, place.y), to, fitting(&one.texts, to.saturating_sub(from + 1)), style);
        }
    }
}

/// The longest of the texts that there is room for; the shortest otherwise, which is cut.
fn fitting(texts: &[String], room: u16) -> &str {
    let fits = |text: &&String| Span::raw(text.as_str()).width() <= usize::from(room);
    texts.iter().find(fits).or(texts.last()).map_or("", String::as_str)
}
