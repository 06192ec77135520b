//! The spectrum below the traces: decibels over decades of frequency.

use scopething_files::plot::terminal::{Canvas, Ink};
use scopething_files::plot::{Point, lines};
use scopething_waveform::measure::AmplitudeSpectrum;
use scopething_waveform::quantity_text::quantity;

use super::knobs::short;
use super::layout::Layout;
use super::model::Model;
use super::painter::Painter;
use super::traces::ink_of;

/// Decibels at the top, of 1 V RMS, and from the top to the bottom.
const TOP_DB: f64 = 20.0;
const SPAN_DB: f64 = 120.0;
/// Decibels between two marks.
const MARK_DB: f64 = 40.0;
/// Peaks that are named.
const MAX_PEAKS: usize = 4;
/// What a bin has at least: 180 dB below 1 V.
const MIN_RMS: f64 = 1e-9;

/// Decibels of 1 V RMS.
fn decibels(rms: f64) -> f64 {
    20.0 * rms.max(MIN_RMS).log10()
}

/// The frequencies that are shown: from the second bin to half the sample rate.
fn range(found: &AmplitudeSpectrum) -> Option<(f64, f64)> {
    let last = found.rms.len().checked_sub(1).filter(|last| *last > 2)?;
    Some((2.0 * found.resolution_hz, last as f64 * found.resolution_hz))
}

pub(super) fn draw(painter: &mut Painter<'_>, model: &Model, layout: &Layout) {
    let area = layout.spectrum;
    let (Some(source), true) = (model.analysis.spectrum, area.height > 0) else { return };
    let frame = painter.ink(Ink::Frame);
    for column in area.x..area.right() {
        painter.put((column, area.y), column + 1, "─", frame);
    }
    let found = model.shown().and_then(|picture| picture.spectrum.as_ref());
    let Some(Ok(found)) = found else {
        let reason = found.and_then(|found| found.as_ref().err()).map_or("no trace yet", String::as_str);
        let text = format!("Spectrum: {reason}");
        painter.put((area.x + 1, area.y + 1), area.right(), &text, frame);
        return;
    };
    let Some((least_hz, most_hz)) = range(found) else { return };
    let across = |hz: f64| (hz / least_hz).ln() / (most_hz / least_hz).ln();
    let up = |rms: f64| ((decibels(rms) - TOP_DB) / SPAN_DB + 1.0).clamp(0.0, 1.0);
    let (top, rows) = (area.y + 1, area.height - 1);
    let mut canvas = Canvas::new(area.width.into(), rows.into(), painter.look.glyphs);
    let (width, dots) = canvas.dots();
    let bins = found.rms.iter().enumerate().skip(2);
    let points = bins.map(|(bin, rms)| Point { x: across(bin as f64 * found.resolution_hz), y: up(*rms) });
    for line in lines(points, width.max(1)) {
        canvas.join(&line, |y| (1.0 - y) * (dots - 1) as f64);
    }
    let style = painter.ink(ink_of(source));
    for (column, row, character) in canvas.characters() {
        let place = |start: u16, by: usize| start.saturating_add(u16::try_from(by).unwrap_or(u16::MAX));
        painter.overlay(place(area.x, column), place(top, row), character, style);
    }
    let mut mark_db = 0.0;
    while mark_db > TOP_DB - SPAN_DB {
        let row = top + ((TOP_DB - mark_db) / SPAN_DB * f64::from(rows)) as u16;
        let text = format!("{mark_db:.0} dBV");
        painter.put((area.right().saturating_sub(8), row), area.right(), &text, frame);
        mark_db -= MARK_DB;
    }
    let decades = (least_hz.log10().ceil() as i32)..=(most_hz.log10().floor() as i32);
    for hz in decades.map(|decade| 10.0_f64.powi(decade)) {
        let column = area.x + (across(hz) * f64::from(area.width)) as u16;
        painter.put((column, area.y), area.right(), &format!("┬{}", short(hz, "Hz")), frame);
    }
}

/// What stands out, in words.
pub(super) fn text(model: &Model) -> Option<(Ink, String)> {
    let source = model.analysis.spectrum?;
    let name = source.name();
    let Some(Ok(found)) = model.shown().and_then(|picture| picture.spectrum.as_ref()) else {
        return Some((Ink::Text, format!("{name} spectrum unknown")));
    };
    let peaks = found.sines.iter().take(MAX_PEAKS);
    let peaks: Vec<String> =
        peaks.map(|(hz, rms)| format!("{} {:.1} dBV", quantity(*hz, "Hz", 4), decibels(*rms))).collect();
    let peaks = if peaks.is_empty() { "nothing stands out".to_owned() } else { peaks.join(", ") };
    Some((ink_of(source), format!("{name} spectrum ({}) {peaks}", model.analysis.window)))
}
