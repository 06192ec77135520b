//! What was found in a waveform, as lanes of boxes with text below it.

/// A row of annotations, as the decoder of a bus makes them.
#[derive(Clone, Debug, PartialEq)]
pub struct AnnotationLane {
    /// The decoder that it is of, with its number, as in `uart-1`.
    pub decoder: String,
    /// What stands left of it.
    pub title: String,
    /// The annotations, in the order of their starts.
    pub annotations: Vec<Annotation>,
}

/// Something found in a span of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    /// When it begins, in seconds from the start of the capture.
    pub start_s: f64,
    /// When it ends, likewise.
    pub end_s: f64,
    /// What it is, the longest text first.
    pub texts: Vec<String>,
}

impl Annotation {
    /// The longest of its texts that has at most `room` characters; if none has, as much of the shortest as there is room
    /// for.
    pub(super) fn text(&self, room: usize) -> String {
        let fits = self.texts.iter().find(|text| text.chars().count() <= room);
        match fits.or(self.texts.last()) {
            Some(text) => text.chars().take(room).collect(),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_longest_that_fits() {
        let texts = ["Start bit", "Start", "St"].map(str::to_owned).to_vec();
        let annotation = Annotation { start_s: 0.0, end_s: 1.0, texts };
        for (room, text) in [(20, "Start bit"), (9, "Start bit"), (8, "Start"), (2, "St"), (1, "S"), (0, "")]
        {
            assert_eq!(annotation.text(room), text);
        }
    }
}
