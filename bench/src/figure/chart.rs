//! Two kinds of charts as SVG: groups of bars, and lines.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::fmt::Display;
use std::ops::Range;

/// Size of a chart, pixels: the plot, and beside it the names of the series.
const SIZE: (u32, u32) = (1080, 480);
const LEGEND_WIDTH: u32 = 260;

/// Colours that are told apart with any eyes (M. Okabe and K. Ito, "Color Universal Design", 2008).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(140, 130, 20),
];

/// Numbers of a power of ten that have names on a logarithmic axis, from few to many.
const STEPS: [&[f64]; 4] = [
    &[1.0],
    &[1.0, 2.0, 5.0],
    &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
    &[1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 8.0, 9.0],
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// An axis with its unit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Axis {
    pub(crate) label: String,
    /// Powers of ten are equally far apart.
    pub(crate) log: bool,
}

/// Lines over numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Line>,
    /// Where something happened, and what.
    pub(crate) marks: Vec<(f64, String)>,
}

/// One line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// What theory says, thin and without points, in the colour of the line before.
    pub(crate) is_limit: bool,
    /// Points that have nothing to do with each other.
    pub(crate) is_loose: bool,
}

impl Line {
    /// A line for each name, in the order of the first point of each.
    pub(crate) fn by_name(points: impl IntoIterator<Item = (String, (f64, f64))>) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for (name, point) in points {
            match lines.iter_mut().find(|line| line.name == name) {
                Some(line) => line.points.push(point),
                None => lines.push(Line { name, points: vec![point], ..Line::default() }),
            }
        }
        lines
    }
}

/// Groups of bars.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bars {
    pub(crate) title: String,
    /// What the bars measure, with the unit.
    pub(crate) y: String,
    /// The groups.
    pub(crate) groups: Vec<String>,
    /// One bar a group, if there is one.
    pub(crate) series: Vec<(String, Vec<Option<Bar>>)>,
}

/// One bar.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bar {
    pub(crate) value: f64,
    /// Up to where the whisker goes.
    pub(crate) whisker: Option<f64>,
    /// What theory says, a line across.
    pub(crate) limit: Option<f64>,
}

impl Lines {
    /// The chart as an SVG document.
    pub(crate) fn svg(&self) -> String {
        drawn(|area| self.draw(area))
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), Trouble> {
        let shown = |point: &(f64, f64)| (self.x.place(point.0), self.y.place(point.1));
        let points = || self.series.iter().flat_map(|line| &line.points).filter(|point| self.can_show(point));
        let x = padded(points().map(|point| shown(point).0), self.x.log);
        let y = padded(points().map(|point| shown(point).1), self.y.log);
        let (x_coordinates, y_coordinates) = (self.x.coordinates(x), self.y.coordinates(y.clone()));
        let (plot, legend) = area.split_horizontally(SIZE.0 - LEGEND_WIDTH);
        let mut chart = ChartBuilder::on(&plot)
            .caption(&self.title, ("sans-serif", 18))
            .margin(8)
            .x_label_area_size(42)
            .y_label_area_size(70)
            .build_cartesian_2d(x_coordinates, y_coordinates)
            .map_err(trouble)?;
        chart
            .configure_mesh()
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .x_label_formatter(&|at| self.x.name(*at))
            .y_label_formatter(&|at| self.y.name(*at))
            .light_line_style(WHITE)
            .draw()
            .map_err(trouble)?;
        let mut names = Vec::new();
        let mut number = 0;
        for line in &self.series {
            number += usize::from(!line.is_limit);
            let colour = COLOURS[number.saturating_sub(1) % COLOURS.len()];
            let points: Vec<(f64, f64)> =
                line.points.iter().filter(|point| self.can_show(point)).map(shown).collect();
            // What cannot be shown is a gap, and not a straight line across.
            let pieces: Vec<Vec<(f64, f64)>> = line
                .points
                .split(|point| !self.can_show(point))
                .map(|piece| piece.iter().map(shown).collect())
                .collect();
            if line.is_limit {
                let dashes = DashedLineSeries::new(points, 6, 4, colour.stroke_width(1));
                chart.draw_series(dashes).map_err(trouble)?;
            } else {
                for piece in pieces.into_iter().filter(|_| !line.is_loose) {
                    chart.draw_series(LineSeries::new(piece, colour.stroke_width(2))).map_err(trouble)?;
                }
                // Beyond the last colour the first one comes again, with triangles.
                let is_again = number > COLOURS.len();
                if points.len() <= 32 && is_again {
                    let dots = points.into_iter().map(|point| TriangleMarker::new(point, 5, colour.filled()));
                    chart.draw_series(dots).map_err(trouble)?;
                } else if points.len() <= 32 {
                    let dots = points.into_iter().map(|point| Circle::new(point, 3, colour.filled()));
                    chart.draw_series(dots).map_err(trouble)?;
                }
                let name = if is_again { format!("△ {}", line.name) } else { line.name.clone() };
                names.push((name, colour));
            }
        }
        for (at, what) in &self.marks {
            let at = self.x.place(*at);
            let (low, high) = (y.start, y.end);
            let rule = PathElement::new(vec![(at, low), (at, high)], RGBColor(160, 0, 0).stroke_width(1));
            chart.draw_series([rule]).map_err(trouble)?;
            let word = Text::new(
                what.clone(),
                (at, high),
                ("sans-serif", 13).into_font().color(&RGBColor(160, 0, 0)),
            );
            chart.draw_series([word]).map_err(trouble)?;
        }
        let has_limits = self.series.iter().any(|line| line.is_limit);
        draw_legend(&legend, &names, has_limits.then_some("dashed: what distance allows"))
    }

    /// Logarithms are of what is above nothing.
    fn can_show(&self, (x, y): &(f64, f64)) -> bool {
        (!self.x.log || *x > 0.0) && (!self.y.log || *y > 0.0)
    }
}

/// Where things stand along an axis, and which places have names.
struct Coordinates {
    places: RangedCoordf64,
    named: Vec<f64>,
}

impl Ranged for Coordinates {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.places.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.named.clone()
    }

    fn range(&self) -> Range<f64> {
        self.places.range()
    }
}

impl Axis {
    fn place(&self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }

    /// Places that are named: of a logarithmic axis some numbers of each power of ten, as few as suffice.
    fn coordinates(&self, places: Range<f64>) -> Coordinates {
        let named = if self.log {
            let all = STEPS.iter().map(|steps| decades(&places, steps));
            // The last ones are as many as there are.
            all.reduce(|found, more| if found.len() >= 4 { found } else { more }).unwrap_or_default()
        } else {
            let coordinates: RangedCoordf64 = places.clone().into();
            coordinates.key_points(11)
        };
        Coordinates { places: places.into(), named }
    }

    fn name(&self, place: f64) -> String {
        number(if self.log { 10_f64.powf(place) } else { place })
    }
}

/// The logarithms within a range of these multiples of each power of ten.
fn decades(places: &Range<f64>, steps: &[f64]) -> Vec<f64> {
    #[allow(clippy::cast_possible_truncation)] // A handful of powers of ten.
    let (first, last) = (places.start.floor() as i32, places.end.ceil() as i32);
    let all =
        (first..=last).flat_map(|power| steps.iter().map(move |step| (step * 10_f64.powi(power)).log10()));
    all.filter(|place| places.contains(place)).collect()
}

impl Bars {
    /// The chart as an SVG document.
    pub(crate) fn svg(&self) -> String {
        drawn(|area| self.draw(area))
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), Trouble> {
        let bars = || self.series.iter().flat_map(|(_, bars)| bars.iter().flatten());
        let tops = bars().flat_map(|bar| [Some(bar.value), bar.whisker, bar.limit]).flatten();
        let top = tops.fold(0.0, f64::max).max(1e-9) * 1.05;
        #[allow(clippy::cast_precision_loss)] // A handful of groups.
        let count = self.groups.len() as f64;
        let (plot, legend) = area.split_horizontally(SIZE.0 - LEGEND_WIDTH);
        let mut chart = ChartBuilder::on(&plot)
            .caption(&self.title, ("sans-serif", 18))
            .margin(8)
            .x_label_area_size(34)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..count, 0.0..top)
            .map_err(trouble)?;
        let group = |at: &f64| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Below the number of groups.
            let index = at.floor() as usize;
            let is_middle = (at - at.floor() - 0.5).abs() < 0.01;
            if is_middle { self.groups.get(index).cloned().unwrap_or_default() } else { String::new() }
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(self.groups.len() * 2 + 1)
            .x_label_formatter(&group)
            .y_desc(&self.y)
            .y_label_formatter(&|at| number(*at))
            .light_line_style(WHITE)
            .draw()
            .map_err(trouble)?;
        let mut names = Vec::new();
        for (index, (name, bars)) in self.series.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            names.push((name.clone(), colour));
            for (group, bar) in bars.iter().enumerate() {
                let Some(bar) = bar else { continue };
                let (left, right) = place(group, index, self.series.len());
                let middle = f64::midpoint(left, right);
                let body = Rectangle::new([(left, 0.0), (right, bar.value)], colour.mix(0.85).filled());
                chart.draw_series([body]).map_err(trouble)?;
                let thin = BLACK.stroke_width(1);
                if let Some(whisker) = bar.whisker {
                    let up = PathElement::new(vec![(middle, bar.value), (middle, whisker)], thin);
                    chart.draw_series([up]).map_err(trouble)?;
                }
                if let Some(limit) = bar.limit {
                    let across = PathElement::new(vec![(left, limit), (right, limit)], BLACK.stroke_width(2));
                    chart.draw_series([across]).map_err(trouble)?;
                }
            }
        }
        let has = |part: fn(&Bar) -> Option<f64>| bars().any(|bar| part(bar).is_some());
        let note = match (has(|bar| bar.whisker), has(|bar| bar.limit)) {
            (true, true) => Some("whisker: p99; line: what distance allows"),
            (true, false) => Some("whisker: p99"),
            (false, true) => Some("line: what distance allows"),
            (false, false) => None,
        };
        draw_legend(&legend, &names, note)
    }
}

/// From where to where a bar goes.
#[allow(clippy::cast_precision_loss)] // A handful of groups and series.
fn place(group: usize, index: usize, count: usize) -> (f64, f64) {
    let width = 0.84 / count.max(1) as f64;
    let left = group as f64 + 0.08 + index as f64 * width;
    (left, left + width * 0.94)
}

/// Everything with a little room around it; from 0 on, unless powers of ten are shown.
fn padded(values: impl Iterator<Item = f64>, log: bool) -> Range<f64> {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return 0.0..1.0;
    }
    if log {
        let room = ((high - low) * 0.05).max(0.05);
        return low - room..high + room;
    }
    let low = low.min(0.0);
    low..high + ((high - low) * 0.05).max(1e-9)
}

fn draw_legend(area: &Area<'_>, names: &[(String, RGBColor)], note: Option<&str>) -> Result<(), Trouble> {
    let font = ("sans-serif", 14).into_font();
    let mut y = 44;
    for (name, colour) in names {
        let square = Rectangle::new([(8, y), (22, y + 12)], colour.filled());
        area.draw(&square).map_err(trouble)?;
        area.draw(&Text::new(name.clone(), (28, y), font.clone())).map_err(trouble)?;
        y += 20;
    }
    if let Some(note) = note {
        let small = ("sans-serif", 12).into_font().color(&RGBColor(90, 90, 90));
        area.draw(&Text::new(note.to_owned(), (8, y + 6), small)).map_err(trouble)?;
    }
    Ok(())
}

/// A number with as many digits as a label has room for.
fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size >= 1e6 => format!("{:.3}M", value / 1e6).replace(".000M", "M"),
        _ if size >= 1e4 => format!("{:.1}k", value / 1e3).replace(".0k", "k"),
        _ if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        _ if size >= 1.0 => format!("{value:.1}").trim_end_matches(".0").to_owned(),
        _ => format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

/// Nothing is drawn but into memory, so this is a mistake of ours.
#[derive(Debug)]
struct Trouble(String);

fn trouble(error: impl Display) -> Trouble {
    Trouble(error.to_string())
}

fn drawn(draw: impl FnOnce(&Area<'_>) -> Result<(), Trouble>) -> String {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        let all = area.fill(&WHITE).map_err(trouble).and_then(|()| draw(&area));
        let all = all.and_then(|()| area.present().map_err(trouble));
        if let Err(Trouble(what)) = all {
            panic!("a chart cannot be drawn into memory: {what}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_show_what_they_are_given() {
        let series = vec![
            Line {
                name: "one".to_owned(),
                points: vec![(1.0, 10.0), (2.0, 0.0), (3.0, 1000.0), (4.0, 20.0)],
                ..Line::default()
            },
            Line { points: vec![(1.0, 5.0), (3.0, 5.0)], is_limit: true, ..Line::default() },
        ];
        let y = Axis { label: "ms".to_owned(), log: true };
        let marks = vec![(2.0, "crash".to_owned())];
        let svg = Lines { title: "t & u".to_owned(), y, series, marks, ..Lines::default() }.svg();
        for word in ["<svg", "one", "crash", "t &amp; u", "what distance allows", "ms"] {
            assert!(svg.contains(word), "{word}: {svg}");
        }
        assert_eq!(svg.matches("<circle").count(), 3, "of 0 there is no logarithm");
        let across = svg.split("<polyline").filter(|line| line.contains("stroke-width=\"2\""));
        let points = across.map(|line| line.split("points=\"").nth(1).unwrap_or_default().split('"').next());
        let longest = points.map(|points| points.unwrap_or_default().split_whitespace().count()).max();
        assert_eq!(longest, Some(2), "no line goes across the gap: {svg}");
        Lines::default().svg();
    }

    #[test]
    fn bars_stand_in_their_groups() {
        let bar = |value| Some(Bar { value, whisker: Some(value * 2.0), limit: None });
        let series = vec![("a".to_owned(), vec![bar(1.0), None]), ("b".to_owned(), vec![bar(2.0), bar(3.0)])];
        let groups = vec!["x".to_owned(), "y".to_owned()];
        let svg = Bars { title: "t".to_owned(), y: "ms".to_owned(), groups, series }.svg();
        for word in [">\na\n<", ">\nx\n<", ">\ny\n<", "whisker: p99"] {
            assert!(svg.contains(word), "{word}: {svg}");
        }
        Bars::default().svg();
        assert_eq!(place(1, 0, 2).0, 1.08);
        assert!(place(0, 1, 2).1 < 0.93);
    }

    #[test]
    fn a_logarithmic_axis_has_names_however_short_it_is() {
        let axis = Axis { label: String::new(), log: true };
        let names = |from: f64, to: f64| -> Vec<String> {
            let named = axis.coordinates(from.log10()..to.log10()).named;
            named.into_iter().map(|place| axis.name(place)).collect()
        };
        assert_eq!(names(0.5, 2000.0), ["1", "10", "100", "1000"]);
        assert_eq!(names(0.9, 12.0), ["1", "2", "5", "10"]);
        assert!(names(140.0, 390.0).len() >= 4, "{:?}", names(140.0, 390.0));
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (0.999_999, "1"),
            (1.999_999, "2"),
            (1.5, "1.5"),
            (250.4, "250"),
            (12_500.0, "12.5k"),
            (2e6, "2M"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
