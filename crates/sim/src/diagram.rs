//! A run as a space–time diagram: time from left to right, a lane a node, a line a
//! message. What mentions the place of a violation stands out.
//!
//! Of a run only what led to the violation is drawn: the messages about its place,
//! however early they were, and the last messages before it. The moments of what is drawn
//! stand at even distances, so that a quiet time between them takes no room. Every line
//! and mark tells its text when it is pointed at.

use crate::trace::{Line, Mark, What};
use crate::world::Run;
use isegoria_types::{NodeId, Vertex};
use std::fmt::Write;

/// At most so many messages are drawn.
const MESSAGES_MAX: usize = 250;
/// At most so many moments are told in ms.
const TICKS_MAX: usize = 16;
const WIDTH: f64 = 1600.0;
const MARGIN: f64 = 70.0;
const LANE: f64 = 90.0;

/// Whether a line of a trace mentions a place: a vertex by its name, a slot by its number.
pub fn mentions(place: Vertex) -> impl Fn(&str) -> bool {
    let names = [place.to_string(), format!("slot: {}", place.number)];
    move |text| {
        names.iter().any(|name| {
            text.match_indices(name.as_str()).any(|(at, _)| {
                let after = text[at + name.len()..].chars().next();
                let before = text[..at].chars().next_back();
                !after.is_some_and(|next| next.is_ascii_digit()) && !before.is_some_and(char::is_alphanumeric)
            })
        })
    }
}

/// What led to the end of a recorded run, as SVG.
#[must_use]
pub fn draw(run: &Run, title: &str) -> String {
    let violation = run.outcome.as_ref().err();
    let place = violation.and_then(|violation| violation.place);
    let about = place.map(mentions);
    let is_about = |text: &str| about.as_ref().is_some_and(|about| about(text));
    let lines = chosen(run.trace.lines(), &is_about);
    let scale = Scale::new(&lines, run.layout.node_count);
    let mut svg = String::new();
    let subtitle = violation.map_or("no violation".to_owned(), ToString::to_string);
    let red =
        if place.is_some() { "red: about the place of the violation" } else { "no single place is involved" };
    open(&mut svg, &scale, [title, &subtitle, red]);
    for line in lines {
        draw_line(&mut svg, &scale, line, &is_about);
    }
    svg.push_str("</svg>\n");
    svg
}

/// The lines to draw: those about the place, newest first, until there are too many
/// messages; then everything from the last messages on, as far as there is room.
fn chosen<'a>(lines: &'a [Line], is_about: &impl Fn(&str) -> bool) -> Vec<&'a Line> {
    let lines: Vec<&Line> =
        lines.iter().filter(|line| !matches!(line.what, What::Delivered { .. })).collect();
    let (about, others): (Vec<usize>, Vec<usize>) =
        (0..lines.len()).rev().partition(|at| is_about(&lines[*at].to_string()));
    let mut room = MESSAGES_MAX;
    let mut fits = |at: &usize| match lines[*at].what {
        What::Sent { .. } if room == 0 => false,
        What::Sent { .. } => {
            room -= 1;
            true
        }
        _ => true,
    };
    let mut drawn: Vec<usize> = about.into_iter().take_while(&mut fits).collect();
    drawn.extend(others.into_iter().take_while(&mut fits));
    drawn.sort_unstable();
    drawn.into_iter().map(|at| lines[at]).collect()
}

/// Where moments and nodes stand on the picture.
struct Scale {
    /// When something that is drawn happens, µs, in order; messages that arrive included.
    moments: Vec<u64>,
    node_count: usize,
}

impl Scale {
    fn new(lines: &[&Line], node_count: usize) -> Scale {
        let end = lines.last().map_or(0, |line| line.at_us);
        let arrival = |line: &&Line| match line.what {
            What::Sent { arrives_us, .. } => arrives_us.filter(|at| *at <= end),
            _ => None,
        };
        let mut moments: Vec<u64> =
            lines.iter().map(|line| line.at_us).chain(lines.iter().filter_map(arrival)).collect();
        moments.sort_unstable();
        moments.dedup();
        Scale { moments, node_count }
    }

    /// What comes after the end stands at the right edge.
    fn x(&self, at_us: u64) -> f64 {
        let before = self.moments.partition_point(|moment| *moment < at_us);
        let last = self.moments.len().saturating_sub(1).max(1);
        (MARGIN + before as f64 / last as f64 * (WIDTH - 2.0 * MARGIN)).min(WIDTH - 10.0)
    }

    /// Some of the moments, to be written above the picture.
    fn ticks(&self) -> impl Iterator<Item = u64> {
        self.moments.iter().step_by(self.moments.len().div_ceil(TICKS_MAX).max(1)).copied()
    }

    fn y(&self, node: NodeId) -> f64 {
        110.0 + node.index() as f64 * LANE
    }

    fn height(&self) -> f64 {
        110.0 + self.node_count as f64 * LANE
    }
}

fn open(svg: &mut String, scale: &Scale, [title, subtitle, red]: [&str; 3]) {
    let height = scale.height();
    put(
        svg,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"10\" y=\"24\" font-size=\"18\">{}</text>\n<text x=\"10\" y=\"46\" fill=\"#b00\">{}</text>\n\
             <text x=\"10\" y=\"66\" fill=\"#555\">moments in ms from left to right, at even distances · {red} · grey: \
             other messages · dashed: lost · ● commits ▲ applies × dies ○ starts ■ synced</text>\n",
            escape(title),
            escape(&subtitle.chars().take(220).collect::<String>()),
        ),
    );
    for node in (0..scale.node_count).map(NodeId::new) {
        let y = scale.y(node);
        put(
            svg,
            format_args!(
                "<line x1=\"{MARGIN}\" y1=\"{y}\" x2=\"{WIDTH}\" y2=\"{y}\" stroke=\"#ddd\"/><text x=\"20\" y=\"{y}\">{node}</text>\n"
            ),
        );
    }
    for at in scale.ticks() {
        let (x, ms) = (scale.x(at), at as f64 / 1000.0);
        put(svg, format_args!("<text x=\"{x:.1}\" y=\"86\" fill=\"#555\">{ms:.1}</text>\n"));
    }
}

fn draw_line(svg: &mut String, scale: &Scale, line: &Line, is_about: &impl Fn(&str) -> bool) {
    let told = line.to_string();
    let about = is_about(&told);
    let (colour, width) = if about { ("#c00", 2.0) } else { ("#bbb", 0.7) };
    let x = scale.x(line.at_us);
    match &line.what {
        What::Sent { from, to, arrives_us, .. } => {
            let (y1, y2) = (scale.y(*from), scale.y(*to));
            let (x2, y2, dash) = match arrives_us {
                Some(at) => (scale.x(*at), y2, ""),
                None => (x + 12.0, y1 + (y2 - y1) * 0.3, " stroke-dasharray=\"3 3\""),
            };
            put(
                svg,
                format_args!(
                    "<line x1=\"{x:.1}\" y1=\"{y1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" \
                     stroke-width=\"{width}\"{dash}><title>{}</title></line>\n",
                    escape(&told)
                ),
            );
        }
        What::At { node, mark, .. } => {
            let sign = match mark {
                Mark::Up => "○",
                Mark::Down => "×",
                Mark::Commit => "●",
                Mark::Apply => "▲",
                Mark::Synced => "■",
                Mark::Timer | Mark::Client => "·",
            };
            let fill = if about { "#c00" } else { "#469" };
            put(
                svg,
                format_args!(
                    "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{fill}\" text-anchor=\"middle\">{sign}<title>{}</title></text>\n",
                    scale.y(*node) + 4.0,
                    escape(&told)
                ),
            );
        }
        What::Note(text) => put(
            svg,
            format_args!(
                "<line x1=\"{x:.1}\" y1=\"92\" x2=\"{x:.1}\" y2=\"{}\" stroke=\"#eda\"/><text x=\"{x:.1}\" y=\"100\" \
                 fill=\"#a60\" font-size=\"9\">✱<title>{}</title></text>\n",
                scale.height(),
                escape(text)
            ),
        ),
        What::Delivered { .. } => {}
    }
}

fn put(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("writing into memory");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_by_its_whole_name() {
        let about = mentions(Vertex::new(NodeId::new(1), 5));
        assert!(about("n1 commits n2:5 {…}") && about("Phase2a { ballot: 1.n1, slot: 5, …"));
        assert!(!about("n2:51") && !about("n2:45") && !about("slot: 15") && !about("slot: 50"));
    }

    fn sent(at_us: u64, text: &str) -> Line {
        let [from, to] = [0, 1].map(NodeId::new);
        let what = What::Sent { from, to, arrives_us: Some(at_us + 5), text: text.to_owned() };
        Line { at_us, what }
    }

    #[test]
    fn what_led_to_the_violation_is_drawn_however_early_it_was() {
        let is_about = |text: &str| text.contains("this");
        let mut lines = vec![sent(1, "this"), sent(2, "early")];
        lines.extend((10..1_000).map(|at| sent(at, "late")));
        let drawn = chosen(&lines, &is_about);
        assert_eq!((drawn[0].at_us, drawn[1].at_us, drawn[249].at_us), (1, 751, 999));
        // A quiet time takes no room.
        let scale = Scale::new(&drawn, 2);
        assert!(scale.x(751) - scale.x(1) < 20.0 && scale.x(999) > scale.x(751) + 1_000.0);
        assert!(scale.x(1_004) <= WIDTH - 10.0);
    }

    #[test]
    fn of_too_much_about_the_place_the_newest_is_drawn() {
        let lines: Vec<Line> =
            (0..1_000).map(|at| sent(at, if at < 900 { "this" } else { "other" })).collect();
        let drawn = chosen(&lines, &|text: &str| text.contains("this"));
        assert_eq!((drawn.len(), drawn[0].at_us, drawn[249].at_us), (MESSAGES_MAX, 650, 899));
        let nothing: [Line; 0] = [];
        assert!(chosen(&nothing, &|_: &str| true).is_empty());
    }
}
