use std::io::Write as _;

use serde::Serialize;

/// One measured figure and its floor.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    floor: f64,
    ratio: f64,
}

impl Figure {
    /// Makes a figure of which more is better; the ratio is the part of the floor's rate that is reached.
    pub(crate) fn rate(name: &str, value: f64, unit: &'static str, floor: f64) -> Self {
        Self {
            name: name.to_owned(),
            value,
            unit,
            floor,
            ratio: value / floor,
        }
    }

    /// Makes a figure of which less is better; the ratio is how many times the floor it costs.
    pub(crate) fn cost(name: &str, value: f64, unit: &'static str, floor: f64) -> Self {
        Self::rate(name, value, unit, floor)
    }

    /// Makes a figure from times of one operation, whose ratio is still one of rates: the part of the floor's rate that is reached.
    pub(crate) fn time_per_operation(name: &str, value_ns: f64, floor_ns: f64, ratio: f64) -> Self {
        Self {
            name: name.to_owned(),
            value: value_ns,
            unit: "ns/op",
            floor: floor_ns,
            ratio,
        }
    }

    /// Says the ratio otherwise than by division: a median of ratios is steadier than a ratio of medians.
    pub(crate) fn with_ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }
}

/// Prints figures as they come.
pub(crate) struct Reporter {
    json: bool,
    header_due: bool,
}

impl Reporter {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            header_due: !json,
        }
    }

    /// Prints one figure to stdout. A reader that went away ends nothing: the next line finds it gone, too.
    pub(crate) fn report(&mut self, figure: &Figure) {
        let mut out = std::io::stdout().lock();
        if std::mem::take(&mut self.header_due) {
            let _ = writeln!(
                out,
                "{:<32} {:>14} {:>14} {:<8} {:>7}",
                "name", "value", "floor", "unit", "ratio"
            );
        }
        let Figure {
            name,
            value,
            unit,
            floor,
            ratio,
        } = figure;
        let _ = if self.json {
            writeln!(out, "{}", serde_json::json!(figure))
        } else {
            writeln!(out, "{name:<32} {value:>14.1} {floor:>14.1} {unit:<8} {ratio:>7.3}")
        };
        let _ = out.flush();
    }
}
