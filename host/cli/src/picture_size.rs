//! How large pictures in the terminal are.

use clap::Args;

use scopething_files::plot::AnnotationLane;
use scopething_files::plot::terminal::{self, Size};
use scopething_waveform::waveform::Waveform;

/// How large pictures in the terminal are.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct PictureArguments {
    /// Columns of pictures in the terminal, 40 to 1000 [default: COLUMNS, as many as the terminal has, or 100]
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=1000))]
    width: Option<u16>,
}

/// Where there is no terminal.
const COLUMNS: u16 = 100;
const ROWS: u16 = 24;

impl PictureArguments {
    /// A picture for a terminal as large as the one there is, but for a row in which the prompt follows.
    pub(super) fn draw(self, waveform: &Waveform, is_terminal: bool) -> String {
        self.draw_annotated(waveform, &[], is_terminal)
    }

    /// As [`draw`](Self::draw), with lanes of annotations below the waveform.
    pub(super) fn draw_annotated(
        self,
        waveform: &Waveform,
        lanes: &[AnnotationLane],
        is_terminal: bool,
    ) -> String {
        let size = self.size(waveform, is_terminal, (1, 16));
        let more = if is_terminal { 0 } else { u16::try_from(lanes.len()).unwrap_or(0) };
        let size = Size { rows: size.rows.saturating_add(more), ..size };
        terminal::draw_annotated(waveform, lanes, size, style(is_terminal))
    }

    /// The size of a picture that leaves so many rows of a terminal free, and has at least so many itself.
    pub(super) fn size(self, waveform: &Waveform, is_terminal: bool, (free, least): (u16, u16)) -> Size {
        let named = self.width.or_else(|| std::env::var("COLUMNS").ok()?.trim().parse().ok());
        match terminal_size::terminal_size() {
            Some((columns, rows)) if is_terminal => {
                Size { columns: named.unwrap_or(columns.0), rows: rows.0.saturating_sub(free).max(least) }
            }
            _ => {
                let lanes = u16::try_from(waveform.logic().count()).unwrap_or(0);
                Size { columns: named.unwrap_or(COLUMNS), rows: ROWS + lanes }
            }
        }
    }
}

/// What the terminal can show.
pub(super) fn style(is_terminal: bool) -> terminal::Style {
    terminal::Style::detect(is_terminal, |name| std::env::var(name).ok())
}
