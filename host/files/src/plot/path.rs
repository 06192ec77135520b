//! The way of a signal across a picture, in as many points as the picture has use for.

/// A place in a picture: `x` from 0 at the left to 1 at the right; `y` from 0 at the bottom to 1 at the top.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// From the left.
    pub x: f64,
    /// From the bottom.
    pub y: f64,
}

/// What came in one column of pixels: enough of it to draw the same picture as all its points would.
struct Column {
    number: usize,
    first: Point,
    last: Point,
    // With their order: the line reaches them in it.
    least: (usize, Point),
    greatest: (usize, Point),
    count: usize,
}

impl Column {
    fn new(number: usize, point: Point) -> Self {
        Self { number, first: point, last: point, least: (0, point), greatest: (0, point), count: 1 }
    }

    fn add(&mut self, point: Point) {
        if point.y < self.least.1.y {
            self.least = (self.count, point);
        }
        if point.y > self.greatest.1.y {
            self.greatest = (self.count, point);
        }
        self.last = point;
        self.count += 1;
    }

    fn append_to(&self, line: &mut Vec<Point>) {
        let mut kept = [(0, self.first), self.least, self.greatest, (self.count - 1, self.last)];
        kept.sort_by_key(|&(order, _)| order);
        let mut latest = None;
        for (order, point) in kept {
            if latest != Some(order) {
                line.push(point);
            }
            latest = Some(order);
        }
    }
}

/// Joins points into lines, leaving out those that make no difference in a picture of `columns` columns.
///
/// Of each column the first, the last, the lowest and the highest point are kept, in their order. A line ends
/// where a point is not a finite number, and what lies outside the picture to the left or right counts to its
/// edge.
pub fn lines(points: impl Iterator<Item = Point>, columns: usize) -> Vec<Vec<Point>> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = Vec::new();
    let mut column: Option<Column> = None;
    for point in points {
        if !(point.x.is_finite() && point.y.is_finite()) {
            finish(&mut lines, &mut line, column.take());
            continue;
        }
        let number = ((point.x * columns as f64) as usize).min(columns - 1);
        match &mut column {
            Some(column) if column.number == number => column.add(point),
            _ => {
                if let Some(full) = column.replace(Column::new(number, point)) {
                    full.append_to(&mut line);
                }
            }
        }
    }
    finish(&mut lines, &mut line, column);
    lines
}

fn finish(lines: &mut Vec<Vec<Point>>, line: &mut Vec<Point>, column: Option<Column>) {
    if let Some(column) = column {
        column.append_to(line);
    }
    if !line.is_empty() {
        lines.push(std::mem::take(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(x: f64, y: f64) -> Point {
        Point { x, y }
    }

    #[test]
    fn few_points_are_all_kept() {
        let points: Vec<_> = (0..10).map(|index| point(f64::from(index) / 9.0, 0.5)).collect();
        assert_eq!(lines(points.iter().copied(), 100), [points]);
    }

    #[test]
    fn glitch_of_one_sample_among_many_shows() {
        let points =
            (0..12288).map(|index| point(f64::from(index) / 12287.0, f64::from(u8::from(index == 5000))));
        let lines = lines(points, 80);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].iter().filter(|point| point.y == 1.0).count(), 1);
        assert!(lines[0].len() <= 4 * 80);
    }

    #[test]
    fn line_breaks_where_there_is_no_number() {
        let points = [point(0.0, 0.0), point(0.1, f64::NAN), point(0.2, 1.0)];
        assert_eq!(lines(points.into_iter(), 10), [vec![points[0]], vec![points[2]]]);
        assert!(lines([point(f64::NAN, 0.0)].into_iter(), 10).is_empty());
    }

    proptest! {
        #[test]
        fn each_column_keeps_its_extremes_and_its_ends(
            heights in prop::collection::vec(-5.0_f64..5.0, 1..400), columns in 1_usize..50
        ) {
            let last = (heights.len().max(2) - 1) as f64;
            let points: Vec<_> =
                heights.iter().enumerate().map(|(index, &y)| point(index as f64 / last, y)).collect();
            let drawn = lines(points.iter().copied(), columns).concat();
            prop_assert!(drawn.windows(2).all(|pair| pair[0].x <= pair[1].x));
            for number in 0..columns {
                let inside = |p: &&Point| ((p.x * columns as f64) as usize).min(columns - 1) == number;
                let all: Vec<_> = points.iter().filter(inside).collect();
                let kept: Vec<_> = drawn.iter().filter(inside).collect();
                let least = |of: &[&Point]| of.iter().map(|p| p.y).fold(f64::INFINITY, f64::min);
                let most = |of: &[&Point]| of.iter().map(|p| p.y).fold(f64::NEG_INFINITY, f64::max);
                prop_assert_eq!(least(&all), least(&kept));
                prop_assert_eq!(most(&all), most(&kept));
                prop_assert_eq!((all.first(), all.last()), (kept.first(), kept.last()));
                prop_assert!(kept.len() <= 4);
            }
        }
    }
}
