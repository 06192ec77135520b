//! Traces that stay on the screen for a while.

use std::collections::VecDeque;

use ratatui::layout::Rect;
use scopething_files::plot::terminal::{Canvas, Ink};

use super::arithmetic::Operation;
use super::knobs::Side;
use super::model::Model;

/// How long traces stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Persistence {
    #[default]
    Off,
    Short,
    Long,
    Infinite,
}

impl Persistence {
    pub(super) const ALL: [Self; 4] = [Self::Off, Self::Short, Self::Long, Self::Infinite];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Short => "short",
            Self::Long => "long",
            Self::Infinite => "infinite",
        }
    }

    /// Traces that stay; none: all.
    fn traces(self) -> Option<usize> {
        match self {
            Self::Off => Some(0),
            Self::Short => Some(10),
            Self::Long => Some(100),
            Self::Infinite => None,
        }
    }
}

/// What the dots of a canvas stand for: where that changes, those of before are of another picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    plot: Rect,
    zoom: (f64, f64),
    channels: [(f64, f64); 2],
    window: Option<(f64, f64)>,
    xy: bool,
    math: Option<Operation>,
}

impl Scale {
    pub(super) fn of(model: &Model, plot: Rect) -> Self {
        let channel = |side: Side| {
            model.knobs().map_or((0.0, 0.0), |knobs| (side.of(knobs).middle, side.of(knobs).volts_per_div))
        };
        Self {
            plot,
            zoom: model.zoom,
            channels: Side::BOTH.map(channel),
            window: model.window(),
            xy: model.analysis.xy,
            math: model.analysis.math,
        }
    }
}

/// The traces of before, as dots.
#[derive(Debug, Default)]
pub(super) struct Past {
    scale: Option<Scale>,
    traces: VecDeque<Vec<(Ink, Canvas)>>,
}

impl Past {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Adds the dots of a trace, and forgets the oldest of those that need not stay.
    pub(super) fn add(&mut self, canvases: Vec<(Ink, Canvas)>, scale: Scale, persistence: Persistence) {
        if self.scale.as_ref() != Some(&scale) {
            *self = Self { scale: Some(scale), traces: VecDeque::new() };
        }
        if let Some(most) = persistence.traces() {
            self.traces.push_back(canvases);
            while self.traces.len() > most {
                self.traces.pop_front();
            }
        } else {
            let all = merged(self.canvases(), canvases);
            self.traces.clear();
            self.traces.push_back(all);
        }
    }

    /// All dots that stay, each ink by itself, if they are of this scale.
    pub(super) fn shown(&self, scale: &Scale) -> Vec<(Ink, Canvas)> {
        if self.scale.as_ref() == Some(scale) { self.canvases() } else { Vec::new() }
    }

    fn canvases(&self) -> Vec<(Ink, Canvas)> {
        self.traces.iter().fold(Vec::new(), |all, canvases| merged(all, canvases.clone()))
    }
}

fn merged(mut all: Vec<(Ink, Canvas)>, new: Vec<(Ink, Canvas)>) -> Vec<(Ink, Canvas)> {
    for (ink, canvas) in new {
        match all.iter_mut().find(|(one, _)| *one == ink) {
            Some((_, below)) => below.add(&canvas),
            None => all.push((ink, canvas)),
        }
    }
    all
}
