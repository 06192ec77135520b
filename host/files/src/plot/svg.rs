//! A picture of a waveform as SVG: one self-contained text, valid XML, on a light background.
//!
//! Text is set in whatever monospaced font the viewer has; all of them are near 0.6 of their size wide, which
//! is all the layout relies on. No script, no style sheet, no other file is referred to. See the [module
//! above](super) for an example.

use std::fmt::Write as _;

use super::annotation::AnnotationLane;
use super::chart::{Chart, legend};
use super::path::Point;
use super::size::PictureSize;
use scopething_waveform::waveform::{Channel, Series, Waveform};

// Blue, vermillion, bluish green and reddish purple of the palette of Okabe and Ito (2008), which the
// colour-blind can distinguish, the last two darkened for thin lines on white.
const COLOUR_A: &str = "#0072b2";
const COLOUR_B: &str = "#d55e00";
const COLOUR_LOGIC: &str = "#00795a";
const COLOUR_TRIGGER: &str = "#a0417a";
const COLOUR_PAPER: &str = "#ffffff";
const COLOUR_SCREEN: &str = "#fafbfc";
const COLOUR_GRID: &str = "#dfe4ea";
const COLOUR_FRAME: &str = "#8a96a3";
const COLOUR_TEXT: &str = "#26303a";
const COLOUR_QUIET_TEXT: &str = "#5b6774";

/// The font that [`png`](mod@super::png) brings along comes first, then what systems have of the same width.
const FONTS: &str = "Hack, 'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace";
const FONT_SIZE: f64 = 13.0;
const CHARACTER_WIDTH: f64 = 0.602 * FONT_SIZE;

const MARGIN_LEFT: f64 = 78.0;
const MARGIN_RIGHT: f64 = 28.0;
const MARGIN_TOP: f64 = 66.0;
const MARGIN_BOTTOM: f64 = 44.0;
const GAP_ABOVE_LANES: f64 = 12.0;
const MAX_BOX_HEIGHT: f64 = 26.0;

/// A rectangle of the picture, in user units.
#[derive(Clone, Copy)]
struct Area {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Area {
    fn x(self, fraction: f64) -> f64 {
        self.left + fraction * self.width
    }

    fn y(self, fraction: f64) -> f64 {
        self.top + (1.0 - fraction) * self.height
    }

    fn right(self) -> f64 {
        self.left + self.width
    }

    fn bottom(self) -> f64 {
        self.top + self.height
    }
}

/// Draws a waveform as an SVG document, which ends in a line feed.
#[must_use]
pub fn draw(recording: &Waveform, size: PictureSize) -> String {
    draw_annotated(recording, &[], size)
}

/// As [`draw`], with lanes of annotations below the waveform.
#[must_use]
pub fn draw_annotated(recording: &Waveform, annotated: &[AnnotationLane], size: PictureSize) -> String {
    let (width, height) = (f64::from(size.width()), f64::from(size.height()));
    let screen = Area {
        left: MARGIN_LEFT,
        top: MARGIN_TOP,
        width: width - MARGIN_LEFT - MARGIN_RIGHT,
        height: height - MARGIN_TOP - MARGIN_BOTTOM,
    };
    let (analog, lanes) = divide(screen, recording, annotated.len());
    let chart = Chart::new(recording, (screen.width / 95.0) as usize, (analog.height / 44.0) as usize);
    let mut drawing = Drawing { text: String::new() };
    drawing.open(size, &chart.title);
    drawing.heading(&chart, recording.is_raw(), screen);
    drawing.grid(&chart, analog, &lanes, screen);
    drawing.mark(&chart, analog, screen);
    for (series, lane) in chart.logic.iter().zip(&lanes) {
        drawing.lane(&chart, series, *lane);
    }
    for (annotated, lane) in annotated.iter().zip(lanes.iter().skip(chart.logic.len())) {
        drawing.annotations(&chart, annotated, *lane);
    }
    for series in chart.analog.iter().rev() {
        drawing.analog(&chart, series, analog);
    }
    drawing.text.push_str("</svg>\n");
    drawing.text
}

/// The analog part above, and a lane for each logic line and each row of annotations below; the analog part has no height without
/// channels.
fn divide(screen: Area, recording: &Waveform, annotated: usize) -> (Area, Vec<Area>) {
    let lane_count = recording.logic().count() + annotated;
    let has_analog = recording.analog().next().is_some();
    let for_lanes = match (has_analog, lane_count) {
        (_, 0) => 0.0,
        (true, count) => (count as f64 * 34.0).min(screen.height * 0.5),
        (false, _) => screen.height,
    };
    let gap = if has_analog && lane_count > 0 { GAP_ABOVE_LANES } else { 0.0 };
    let analog_height = if has_analog { screen.height - for_lanes - gap } else { 0.0 };
    let lane_height = for_lanes / lane_count.max(1) as f64;
    let first = screen.top + analog_height + gap;
    let lanes = (0..lane_count)
        .map(|lane| Area { top: first + lane as f64 * lane_height, height: lane_height, ..screen })
        .collect();
    (Area { height: analog_height, ..screen }, lanes)
}

fn colour(channel: Channel) -> &'static str {
    match channel {
        Channel::A => COLOUR_A,
        Channel::B => COLOUR_B,
        Channel::Logic(_) => COLOUR_LOGIC,
    }
}

struct Drawing {
    text: String,
}

impl Drawing {
    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(element);
        self.text.push('\n');
    }

    fn open(&mut self, size: PictureSize, title: &str) {
        let (width, height) = (size.width(), size.height());
        self.push(format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}""#
        ));
        self.push(format_args!(r#"font-family="{FONTS}" font-size="{FONT_SIZE}">"#));
        self.push(format_args!("<title>{}</title>", escaped(title)));
        self.push(format_args!(r#"<rect width="{width}" height="{height}" fill="{COLOUR_PAPER}"/>"#));
    }

    /// Title and legend, cut off where the picture ends.
    fn heading(&mut self, chart: &Chart<'_>, raw: bool, screen: Area) {
        let room = screen.width / CHARACTER_WIDTH;
        self.write(screen.left, 26.0, "start", COLOUR_TEXT, &fitted(&chart.title, room as usize));
        let mut left = screen.left;
        for series in &chart.analog {
            let (text, colour) = (legend(series, raw), colour(series.channel));
            let text = fitted(&text, ((screen.right() - left - 26.0) / CHARACTER_WIDTH) as usize);
            self.push(format_args!(
                r#"<line x1="{left:.1}" y1="46" x2="{:.1}" y2="46" stroke="{colour}" stroke-width="3"/>"#,
                left + 18.0
            ));
            self.write(left + 26.0, 50.5, "start", COLOUR_TEXT, &text);
            left += 26.0 + (text.chars().count() as f64 + 4.0) * CHARACTER_WIDTH;
        }
    }

    fn grid(&mut self, chart: &Chart<'_>, analog: Area, lanes: &[Area], screen: Area) {
        let lanes_area = lanes
            .first()
            .zip(lanes.last())
            .map(|(first, last)| Area { height: last.bottom() - first.top, ..*first });
        let panels: Vec<Area> =
            [Some(analog).filter(|panel| panel.height > 0.0), lanes_area].into_iter().flatten().collect();
        for panel in &panels {
            self.rectangle(*panel, COLOUR_SCREEN, "none");
        }
        let bottom = panels.last().map_or(screen.bottom(), |panel| panel.bottom());
        for tick in &chart.time.ticks {
            let x = screen.x(chart.time.fraction(tick.value));
            for panel in &panels {
                self.rule((x, panel.top), (x, panel.bottom()));
            }
            self.write(x, bottom + 18.0, "middle", COLOUR_QUIET_TEXT, &tick.label);
        }
        self.write(
            screen.x(0.5),
            bottom + 36.0,
            "middle",
            COLOUR_QUIET_TEXT,
            &format!("time ({})", chart.time.unit),
        );
        if let Some(level) = &chart.level {
            for tick in &level.ticks {
                let y = analog.y(level.fraction(tick.value));
                self.rule((analog.left, y), (analog.right(), y));
                self.write(analog.left - 8.0, y + 4.5, "end", COLOUR_QUIET_TEXT, &tick.label);
            }
            let unit = if level.unit.is_empty() { "range" } else { &level.unit };
            self.write(analog.left - 8.0, analog.top - 12.0, "end", COLOUR_QUIET_TEXT, unit);
        }
        for lane in lanes.iter().skip(1) {
            self.rule((lane.left, lane.top), (lane.right(), lane.top));
        }
        for panel in &panels {
            self.rectangle(*panel, "none", COLOUR_FRAME);
        }
    }

    fn mark(&mut self, chart: &Chart<'_>, analog: Area, screen: Area) {
        let Some(mark) = &chart.mark else { return };
        let x = screen.x(mark.x);
        self.push(format_args!(
            r#"<path d="M{x:.1} {:.1}V{:.1}" stroke="{COLOUR_TRIGGER}" stroke-dasharray="5 4" fill="none"/>"#,
            screen.top,
            screen.bottom()
        ));
        self.push(format_args!(
            r#"<path d="M{:.1} {:.1}h12l-6 9z" fill="{COLOUR_TRIGGER}"/>"#,
            x - 6.0,
            screen.top - 9.0
        ));
        let Some(y) = mark.y.map(|y| analog.y(y)) else { return };
        self.push(format_args!(
            r#"<path d="M{:.1} {y:.1}H{:.1}" stroke="{COLOUR_TRIGGER}" stroke-dasharray="2 5" fill="none"/>"#,
            analog.left,
            analog.right()
        ));
        self.push(format_args!(
            r#"<path d="M{:.1} {y:.1}l9 -6v12z" fill="{COLOUR_TRIGGER}"/>"#,
            analog.right()
        ));
        self.write(analog.right() + 11.0, y + 4.5, "start", COLOUR_TRIGGER, "T");
    }

    fn analog(&mut self, chart: &Chart<'_>, series: &Series, area: Area) {
        let columns = area.width as usize;
        self.lines(&chart.lines(series, columns), area, colour(series.channel));
        for dot in chart.dots(series, columns) {
            self.push(format_args!(
                r#"<circle cx="{:.1}" cy="{:.1}" r="2.6" fill="{}"/>"#,
                area.x(dot.x),
                area.y(dot.y),
                colour(series.channel)
            ));
        }
    }

    fn lane(&mut self, chart: &Chart<'_>, series: &Series, lane: Area) {
        let room = (MARGIN_LEFT / CHARACTER_WIDTH) as usize - 1;
        let name = series.label.clone().unwrap_or_else(|| series.channel.to_string());
        let middle = lane.top + lane.height / 2.0;
        self.write(lane.left - 8.0, middle + 4.5, "end", colour(series.channel), &fitted(&name, room));
        let inner = Area { top: lane.top + lane.height * 0.2, height: lane.height * 0.6, ..lane };
        self.lines(&chart.lines(series, lane.width as usize), inner, colour(series.channel));
    }

    /// Boxes with their texts. Of those that are too narrow to be distinguished, one is drawn.
    fn annotations(&mut self, chart: &Chart<'_>, annotated: &AnnotationLane, lane: Area) {
        let room = (MARGIN_LEFT / CHARACTER_WIDTH) as usize - 1;
        let middle = lane.top + lane.height / 2.0;
        self.write(lane.left - 8.0, middle + 4.5, "end", COLOUR_QUIET_TEXT, &fitted(&annotated.title, room));
        let height = (lane.height * 0.76).min(MAX_BOX_HEIGHT);
        let mut drawn = f64::NEG_INFINITY;
        for annotation in &annotated.annotations {
            let x = |time_s: f64| lane.x(chart.time.fraction(time_s).clamp(0.0, 1.0));
            let (left, right) = (x(annotation.start_s), x(annotation.end_s).max(x(annotation.start_s) + 1.0));
            let is_outside = annotation.end_s < chart.time.low || annotation.start_s > chart.time.high;
            if is_outside || right <= drawn + 1.0 {
                continue;
            }
            drawn = right;
            let width = right - left;
            self.push(format_args!(
                r#"<rect x="{left:.1}" y="{:.1}" width="{width:.1}" height="{height:.1}" rx="3" fill="{COLOUR_PAPER}" stroke="{COLOUR_FRAME}"/>"#,
                middle - height / 2.0,
            ));
            let text = annotation.text(((width - 4.0) / CHARACTER_WIDTH).max(0.0) as usize);
            if !text.is_empty() {
                self.write(left + width / 2.0, middle + 4.5, "middle", COLOUR_TEXT, &text);
            }
        }
    }

    fn lines(&mut self, lines: &[Vec<Point>], area: Area, colour: &str) {
        let mut path = String::new();
        for line in lines {
            for (index, point) in line.iter().enumerate() {
                let command = if index == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{command}{:.1} {:.1}", area.x(point.x), area.y(point.y));
            }
            if line.len() == 1 {
                // A line of no length is drawn as a dot by its round ends.
                path.push_str("h0");
            }
        }
        self.push(format_args!(r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6""#));
        self.push(format_args!(r#"stroke-linejoin="round" stroke-linecap="round"/>"#));
    }

    fn rule(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.push(format_args!(
            r#"<path d="M{:.1} {:.1}L{:.1} {:.1}" stroke="{COLOUR_GRID}"/>"#,
            from.0, from.1, to.0, to.1
        ));
    }

    fn rectangle(&mut self, area: Area, fill: &str, stroke: &str) {
        self.push(format_args!(
            r#"<rect x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" fill="{fill}" stroke="{stroke}"/>"#,
            area.left, area.top, area.width, area.height
        ));
    }

    fn write(&mut self, x: f64, y: f64, anchor: &str, colour: &str, text: &str) {
        self.push(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" fill="{colour}">{}</text>"#,
            escaped(text)
        ));
    }
}

/// At most `room` characters of a text.
fn fitted(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

/// Text that may stand in an XML element; characters that XML 1.0 cannot hold are replaced, and of two spaces
/// one is made to stay.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.replace("  ", "\u{a0} ").chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(all(test, feature = "pictures"))]
mod tests {
    use resvg::usvg::roxmltree::{Document, Node};

    use super::super::annotation::Annotation;
    use super::*;
    use scopething_waveform::waveform::{Details, Samples, Trigger, TriggerType};

    #[test]
    fn annotations_stand_below_what_they_are_of() {
        let levels = Series::new(Channel::L[0], 0.0, 1e-6, Samples::Levels([0, 1].repeat(50)));
        let recording = recording(vec![levels], Details::default());
        let annotation = |start_us: f64, end_us: f64, texts: &[&str]| Annotation {
            start_s: start_us * 1e-6,
            end_s: end_us * 1e-6,
            texts: texts.iter().map(|&text| text.to_owned()).collect(),
        };
        let lane = AnnotationLane {
            decoder: "uart-1".to_owned(),
            title: "RX <1>".to_owned(),
            annotations: vec![
                annotation(10.0, 30.0, &["Start bit", "S"]),
                annotation(50.0, 53.0, &["Start bit", "S"]),
                annotation(60.0, 60.01, &["thin"]),
                annotation(500.0, 600.0, &["outside"]),
            ],
        };
        let drawn = draw_annotated(&recording, &[lane], PictureSize::default());
        let document = Document::parse(&drawn).unwrap();
        let texts = texts(&document);
        for text in ["RX <1>", "Start bit", "S"] {
            assert_eq!(texts.iter().filter(|drawn| *drawn == text).count(), 1, "{text} in {texts:?}");
        }
        assert!(!texts.iter().any(|text| text == "thin" || text == "outside"));
        let boxes = document.descendants().filter(|node| node.attribute("rx").is_some());
        let number = |node: &Node<'_, '_>, name| node.attribute(name).unwrap().parse::<f64>().unwrap();
        let boxes: Vec<(f64, f64)> = boxes.map(|node| (number(&node, "x"), number(&node, "width"))).collect();
        assert_eq!(boxes.len(), 3);
        // 20 of 99 us, and 3.
        assert!((boxes[0].1 / boxes[1].1 - 20.0 / 3.0).abs() < 0.1, "{boxes:?}");
        assert_eq!(boxes[2].1, 1.0);
    }

    fn recording(channels: Vec<Series>, details: Details) -> Waveform {
        Waveform::new(1e6, channels, details).unwrap()
    }

    fn volts(samples: Vec<f32>) -> Series {
        Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(samples))
    }

    fn texts(document: &Document<'_>) -> Vec<String> {
        let texts = document.descendants().filter(|node| node.has_tag_name("text"));
        texts.filter_map(|node| node.text().map(str::to_owned)).collect()
    }

    fn strokes<'a>(document: &'a Document<'_>, colour: &str) -> Vec<Node<'a, 'a>> {
        document.descendants().filter(|node| node.attribute("stroke") == Some(colour)).collect()
    }

    #[test]
    fn any_channel_name_is_valid_xml() {
        let hostile = "<script>&\"'\u{1b}\u{0}\u{ffff}]]>";
        let label = Some(hostile.to_owned());
        let trigger =
            Trigger { time_s: 1e-6, level: None, kind: TriggerType::Above, source: hostile.to_owned() };
        let details =
            Details { mode: Some(hostile.to_owned()), trigger: Some(trigger), ..Details::default() };
        let line = Series::new(Channel::L[0], 0.0, 1e-6, Samples::Levels(vec![0, 1]));
        let channels =
            vec![Series { label: label.clone(), ..volts(vec![0.0, 1.0]) }, Series { label, ..line }];
        let drawing = draw(&recording(channels, details), PictureSize::default());
        let document = Document::parse(&drawing).unwrap();
        assert!(document.descendants().all(|node| !node.has_tag_name("script")));
        assert!(texts(&document)[0].starts_with("<script>&\"'\u{fffd}"));
    }

    #[test]
    fn ramp_rises_from_lower_left() {
        let ramp = recording(vec![volts((0..1000_u16).map(f32::from).collect())], Details::default());
        let drawing = draw(&ramp, PictureSize::default());
        let document = Document::parse(&drawing).unwrap();
        let path = strokes(&document, COLOUR_A)
            .into_iter()
            .find_map(|node| node.attribute("d").map(str::to_owned))
            .unwrap();
        let points: Vec<(f64, f64)> = path
            .trim_start_matches('M')
            .split('L')
            .map(|point| point.split_once(' ').unwrap())
            .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
            .collect();
        assert_eq!(points.len(), 1000);
        assert_eq!(points[0].0, MARGIN_LEFT);
        assert_eq!(points[999].0, 1200.0 - MARGIN_RIGHT);
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 > pair[1].1));
    }

    #[test]
    fn svg_size_is_bounded_by_columns() {
        let noise = |index: u32| (index.wrapping_mul(2_654_435_761) >> 8) as f32;
        let drawing = |count: u32| {
            let samples = (0..count).map(noise).collect();
            draw(&recording(vec![volts(samples)], Details::default()), PictureSize::default()).len()
        };
        assert!(drawing(1_000_000) < 100_000);
        assert!(drawing(12_288) < 100_000);
    }

    #[test]
    fn hostile_samples_give_finite_coordinates() {
        for samples in
            [vec![f32::NAN], vec![f32::INFINITY, 1.0], vec![f32::MAX, f32::MIN], vec![1e-40, -1e-40]]
        {
            let drawing = draw(&recording(vec![volts(samples)], Details::default()), PictureSize::default());
            assert!(Document::parse(&drawing).is_ok());
            assert!(!drawing.contains("NaN") && !drawing.contains("inf"), "{drawing}");
        }
    }

    #[test]
    fn axes_legend_and_lanes_are_written() {
        let mut channels = vec![volts(vec![0.0, 3.3, 0.0])];
        channels.extend(
            (0..8).map(|line| Series::new(Channel::L[line], 0.0, 1e-6, Samples::Levels(vec![0, 1, 0]))),
        );
        let drawing = draw(&recording(channels, Details::default()), PictureSize::new(320, 240).unwrap());
        let document = Document::parse(&drawing).unwrap();
        let texts = texts(&document);
        for expected in ["1.000 MS/s · 3 samples", "A\u{a0} 0.00 … 3.30 V", "time (µs)", "V", "L0", "L7"]
        {
            assert!(texts.iter().any(|text| text == expected), "{expected}: {texts:?}");
        }
        assert_eq!(strokes(&document, COLOUR_LOGIC).len(), 8);
    }
}
