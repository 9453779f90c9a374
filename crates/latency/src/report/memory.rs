//! Init against memory: where a row is to the left and low, a cold start is quick and memory is left.

use maud::{Markup, html};

use super::{
    axis::{Axis, Mark},
    document::Document,
    page::percent,
};

const HEIGHT: f64 = 380.0;
/// The room of the labels under the axis.
const FOOT: f64 = 24.0;
/// The lines of names are so far apart.
const LINE: f64 = 15.0;
/// Of a point.
const RADIUS: f64 = 4.5;
/// A narrow screen, and how wide a letter is at most, in CSS pixels: names apart there are apart on wider ones.
const NARROW: f64 = 330.0;
const LETTER: f64 = 6.2;

struct Point<'a> {
    name: &'a str,
    memory: f64,
    init: f64,
}

/// The picture, if any row has both.
pub(super) fn figure(document: &Document) -> Option<Markup> {
    let names = document.names();
    let points: Vec<_> = names
        .iter()
        .zip(&document.rows)
        .filter_map(|(name, row)| {
            let number = |key| row.number(key).filter(|it| Axis::draws(*it));
            Some(Point {
                name,
                memory: number("peak_memory_mb")?,
                init: number("init_ms")?,
            })
        })
        .collect();
    let x = Axis::logarithmic(points.iter().map(|point| point.memory))?;
    let y = Axis::logarithmic(points.iter().map(|point| point.init))?;
    let height = |init: f64| (1.0 - y.place(init)) * (HEIGHT - FOOT);
    let places: Vec<_> = points
        .iter()
        .map(|point| {
            (
                x.place(point.memory),
                height(point.init),
                point.name.chars().count(),
            )
        })
        .collect();
    let labels = apart(&places);
    Some(html! {
        figure #memory {
            h2 { "Measured: init against memory" }
            p { "Up: init duration in milliseconds. To the right: peak memory in MB. Both axes are logarithmic." }
            svg.plot width="100%" height=(HEIGHT) role="img" {
                title { "Init duration against peak memory" }
                desc {
                    @for Point { name, memory, init } in &points {
                        (name) ": init " (format!("{init:.1}")) " ms, " (format!("{memory:.1}")) " MB. "
                    }
                }
                @for Mark { value, label } in y.marks() {
                    @let y = format!("{:.1}", height(*value));
                    line.grid x1="0" x2="100%" y1=(y) y2=(y) {}
                    text.mark x="0" y=(y) dy="-4" { (label) }
                }
                @for Mark { value, label } in x.marks() {
                    @let x = percent(x.place(*value));
                    line.grid x1=(x) x2=(x) y1="0" y2=(HEIGHT - FOOT) {}
                    text.mark x=(x) y=(HEIGHT - 6.0) text-anchor="middle" { (label) }
                }
                @for (point, ((place, y, _), label)) in points.iter().zip(places.iter().zip(&labels)) {
                    svg x=(percent(*place)) y=(format!("{y:.1}")) overflow="visible" {
                        line.leader x1="0" y1="0" x2=(label.side(9.0)) y2=(format!("{:.1}", label.below)) {}
                        circle.point r=(RADIUS) { title { (point.name) } }
                        text x=(label.side(12.0)) y=(format!("{:.1}", label.below + 4.0)) text-anchor=(label.anchor()) {
                            (point.name)
                        }
                    }
                }
            }
        }
    })
}

/// Where a point's name is.
struct Label {
    /// How far below its point, in CSS pixels.
    below: f64,
    is_left: bool,
}

impl Label {
    fn side(&self, distance: f64) -> f64 {
        if self.is_left { -distance } else { distance }
    }

    fn anchor(&self) -> &'static str {
        if self.is_left { "end" } else { "start" }
    }
}

/// Places for the names of points, each given by its place along the axis, its height and its name's length: as near as
/// can be, none on another or on a point.
fn apart(points: &[(f64, f64, usize)]) -> Vec<Label> {
    let mut taken: Vec<Room> = points
        .iter()
        .map(|&(place, y, _)| Room {
            from: place * NARROW - RADIUS,
            to: place * NARROW + RADIUS,
            y,
            height: 2.0 * RADIUS,
        })
        .collect();
    points
        .iter()
        .enumerate()
        .map(|(at, &(place, y, letters))| {
            let x = place * NARROW;
            let width = 16.0 + letters as f64 * LETTER;
            let nearer = place > 0.5;
            let room = |(y, is_left): (f64, bool)| {
                let (from, to) = if is_left {
                    (x - width, x)
                } else {
                    (x, x + width)
                };
                let height = LINE;
                (
                    Room {
                        from,
                        to,
                        y,
                        height,
                    },
                    is_left,
                )
            };
            let is_free = |(room, _): &(Room, bool)| {
                let in_height = (LINE / 2.0..HEIGHT - FOOT - LINE / 2.0).contains(&room.y);
                let in_width = room.from >= 0.0 && room.to <= NARROW;
                let others = taken.iter().enumerate().filter(|(other, _)| *other != at);
                in_height
                    && in_width
                    && others
                        .map(|(_, other)| other)
                        .all(|other| !room.meets(other))
            };
            let steps = (0..4 * points.len() + 8).flat_map(|step| [step as f64, -(step as f64)]);
            let mut candidates = steps
                .map(|step| y + step * LINE / 2.0)
                .flat_map(|y| [(y, nearer), (y, !nearer)])
                .map(room);
            let (room, is_left) = candidates.find(is_free).unwrap_or(room((y, nearer)));
            let below = room.y - y;
            taken.push(room);
            Label { below, is_left }
        })
        .collect()
}

/// What a name or a point takes on a narrow screen.
struct Room {
    from: f64,
    to: f64,
    /// Its middle.
    y: f64,
    height: f64,
}

impl Room {
    fn meets(&self, other: &Self) -> bool {
        let in_height = (self.y - other.y).abs() < (self.height + other.height) / 2.0;
        in_height && self.from <= other.to && other.from <= self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_points_on_one_spot_are_apart_and_in_the_picture() {
        for (place, y) in [(0.2, 150.0), (0.9, 5.0), (0.0, HEIGHT - FOOT)] {
            let points = [(place, y, 12); 8];
            let mut heights: Vec<_> = apart(&points).iter().map(|label| y + label.below).collect();
            heights.sort_by(f64::total_cmp);
            assert!(
                heights.windows(2).all(|pair| pair[1] - pair[0] >= LINE),
                "{heights:?}"
            );
            assert!(
                heights.iter().all(|y| (0.0..HEIGHT - FOOT).contains(y)),
                "{heights:?}"
            );
        }
    }

    #[test]
    fn a_name_that_is_in_nobodys_way_is_beside_its_point() {
        let labels = apart(&[(0.1, 100.0, 5), (0.1, 200.0, 5), (0.9, 100.0, 5)]);
        assert!(labels.iter().all(|label| label.below == 0.0));
        assert_eq!(labels[0].anchor(), "start");
        assert_eq!(labels[2].anchor(), "end");
    }
}
