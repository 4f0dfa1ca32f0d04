//! The text format in which metrics are scraped, written family by family.
//!
//! Follows the Prometheus text format 0.0.4: `# HELP` and `# TYPE` once per family, its samples
//! behind them. Whoever writes keeps a family's samples together.

use std::fmt::Write as _;

/// What kind of numbers a family holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    Counter,
    Gauge,
    Histogram,
}

impl Metric {
    fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A page of metrics that is being written.
#[derive(Clone, Debug, Default)]
pub struct Page(String);

impl Page {
    /// Opens a family; the samples that follow belong to it.
    pub fn family(&mut self, name: &str, metric: Metric, help: &str) {
        // Writing to a string cannot fail.
        let _written = writeln!(self.0, "# HELP {name} {help}").is_ok();
        let _written = writeln!(self.0, "# TYPE {name} {}", metric.word()).is_ok();
    }

    /// Writes one sample.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        if !labels.is_empty() {
            self.0.push('{');
            for (place, (label, text)) in labels.iter().enumerate() {
                if place > 0 {
                    self.0.push(',');
                }
                self.0.push_str(label);
                self.0.push_str("=\"");
                escape(&mut self.0, text);
                self.0.push('"');
            }
            self.0.push('}');
        }
        self.0.push(' ');
        self.number(value);
        self.0.push('\n');
    }

    /// Returns the text.
    pub fn into_text(self) -> String {
        self.0
    }

    fn number(&mut self, value: f64) {
        if value == f64::INFINITY {
            self.0.push_str("+Inf");
        } else if value == f64::NEG_INFINITY {
            self.0.push_str("-Inf");
        } else {
            let _written = write!(self.0, "{value}").is_ok();
        }
    }
}

fn escape(into: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '\\' => into.push_str("\\\\"),
            '"' => into.push_str("\\\""),
            '\n' => into.push_str("\\n"),
            other => into.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_written_as_scrapers_read_it() {
        let mut page = Page::default();
        page.family("requests_total", Metric::Counter, "Requests.");
        page.sample(
            "requests_total",
            &[("code", "200"), ("path", "a\"b\\c\n")],
            3.0,
        );
        page.sample("requests_total", &[], 0.5);
        page.sample("requests_total", &[("le", "x")], f64::INFINITY);

        assert_eq!(
            page.into_text(),
            "# HELP requests_total Requests.\n# TYPE requests_total counter\n\
             requests_total{code=\"200\",path=\"a\\\"b\\\\c\\n\"} 3\nrequests_total 0.5\n\
             requests_total{le=\"x\"} +Inf\n"
        );
    }
}
