//! What sigrok's decoders find in traces, as lanes below the lines. The server runs them.

use ratatui::text::Span;
use scopething_files::plot::terminal::Ink;
use scopething_serve::client::{ClientError, Decoded, DecodedAnnotation, DecodedLane, Frame};

use super::layout::Layout;
use super::model::Model;
use super::painter::Painter;

/// The most decoders at a time: as many as the server takes.
const MAX_DECODERS: usize = 8;
/// Statuses of what will not be decoded, however often it is asked for: a wrong decoder, or none at all.
const FINAL: [u16; 2] = [422, 501];

/// What is to be decoded, and what was found.
#[derive(Debug, Default)]
pub(super) struct Decoding {
    wanted: Vec<String>,
    /// What will not be decoded.
    is_refused: bool,
    /// The number of the trace that is being decoded, and of the last one for which that failed.
    asked: Option<u64>,
    failed: Option<u64>,
    found: Option<Decoded>,
    /// The trace that is being decoded, and the last one that came meanwhile: what is on the screen and what was found in it
    /// belong together.
    held: Option<Frame>,
    next: Option<Frame>,
}

impl Decoding {
    /// Wants a decoder as well, or with `off` none any more.
    pub(super) fn want(&mut self, decoder: &str) -> Result<(), String> {
        let wanted = std::mem::take(&mut self.wanted);
        *self = Self { held: self.held.take(), next: self.next.take(), asked: self.asked, ..Self::default() };
        if decoder == "off" {
            return Ok(());
        }
        self.wanted = wanted;
        if self.wanted.iter().any(|one| one == decoder) {
            return Ok(());
        }
        if self.wanted.len() >= MAX_DECODERS {
            return Err(format!("{MAX_DECODERS} decoders are the most: decode off takes them away"));
        }
        self.wanted.push(decoder.to_owned());
        Ok(())
    }

    /// Whether live traces wait for what is found in them.
    fn holds(&self) -> bool {
        !self.wanted.is_empty() && !self.is_refused
    }

    /// The lanes of a trace.
    pub(super) fn lanes_of(&self, seq: Option<u64>) -> &[DecodedLane] {
        match &self.found {
            Some(found) if Some(found.seq) == seq && !self.wanted.is_empty() => &found.lanes,
            _ => &[],
        }
    }

    /// Whether there is nothing more to be found in a trace.
    fn is_done(&self, seq: u64) -> bool {
        self.failed == Some(seq) || self.found.as_ref().is_some_and(|found| found.seq == seq)
    }

    /// A live trace; given back where it need not wait.
    pub(super) fn hold(&mut self, trace: Frame) -> Option<Frame> {
        if !self.holds() || self.is_done(trace.about.seq) {
            return Some(trace);
        }
        self.next = Some(trace);
        None
    }

    /// The trace that waits, where it need not any longer.
    pub(super) fn release(&mut self) -> Option<Frame> {
        if self.holds() { None } else { self.next.take() }
    }

    /// Traces are numbered anew.
    pub(super) fn forget(&mut self) {
        (self.found, self.failed, self.held, self.next) = (None, None, None, None);
    }

    /// What is to be asked for next: decoders, and the number of the trace that is on the screen, where that is no live one, or
    /// of the last one that came.
    pub(super) fn wish(&mut self, shown: Option<u64>, is_live: bool) -> Option<(u64, Vec<String>)> {
        if !self.holds() || self.asked.is_some() {
            return None;
        }
        let next = self.next.take_if(|_| is_live);
        let seq = next.as_ref().map(|frame| frame.about.seq).or(shown).filter(|seq| !self.is_done(*seq))?;
        self.held = next;
        self.asked = Some(seq);
        Some((seq, self.wanted.clone()))
    }

    /// What has become of that. Returns the trace that waited for it, and why nothing was found, if that is so.
    pub(super) fn take(
        &mut self,
        wanted: &[String],
        decoded: Result<Decoded, ClientError>,
    ) -> (Option<Frame>, Option<String>) {
        let asked = self.asked.take();
        if self.wanted != wanted {
            // Something else is wanted by now, which is asked for next.
            return (self.held.take(), None);
        }
        let reason = match decoded {
            Ok(found) => {
                self.found = Some(found);
                None
            }
            Err(error) => {
                let status =
                    if let ClientError::Refused { status, .. } = &error { Some(*status) } else { None };
                self.is_refused = status.is_some_and(|status| FINAL.contains(&status));
                self.failed = asked;
                Some(error.to_string())
            }
        };
        (self.held.take(), reason)
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
