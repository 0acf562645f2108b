//! The node's numbers as text for a scraper (Prometheus text format 0.0.4).
//!
//! Counts per node and nothing about any one twin: who scrapes is not told who was there when.

use std::fmt::Write;

use handover::{Metric, Sample};

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All samples as text, those of one metric together.
pub(crate) fn text(samples: &[Sample]) -> String {
    let mut text = format!(
        "# HELP hometwin_build_info The program that runs.\n# TYPE hometwin_build_info gauge\n\
         hometwin_build_info{{version=\"{}\"}} 1\n",
        env!("CARGO_PKG_VERSION")
    );
    let mut last = None;
    for Sample { metric, label, value } in samples {
        let About { name, kind, help, label: key } = about(*metric);
        if last.replace(*metric) != Some(*metric) {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        }
        let _ = match label {
            Some(label) => writeln!(text, "{name}{{{key}=\"{}\"}} {value}", plain(label)),
            None => writeln!(text, "{name} {value}"),
        };
    }
    text
}

struct About {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    label: &'static str,
}

fn about(metric: Metric) -> About {
    let (name, kind, help) = match metric {
        Metric::Crashes => (
            "hometwin_twin_crashes_total",
            "counter",
            "Processes of twins that did not end as agreed, since the start.",
        ),
        Metric::DiskFree => {
            ("hometwin_disk_free_bytes", "gauge", "Free bytes for the data folder.")
        }
        Metric::DiskSize => {
            ("hometwin_disk_size_bytes", "gauge", "Bytes of the file system of the data folder.")
        }
        Metric::GatewayStarts => {
            ("hometwin_gateway_starts_total", "counter", "Starts of the gateway, since the start.")
        }
        Metric::Jobs => (
            "hometwin_worker_jobs_total",
            "counter",
            "Foreign files that workers were given, since the start.",
        ),
        Metric::Problems => {
            ("hometwin_health_problems", "gauge", "Problems as `hometwin node health` lists them.")
        }
        Metric::Started => (
            "hometwin_start_time_seconds",
            "gauge",
            "When the node was started, in seconds since 1970.",
        ),
        Metric::TwinsAwake => ("hometwin_twins_awake", "gauge", "Twins that run now."),
        Metric::TwinsRegistered => ("hometwin_twins_registered", "gauge", "Twins of this node."),
        Metric::TwinStarts => {
            ("hometwin_twin_starts_total", "counter", "Starts of twins, since the start.")
        }
    };
    let label = if metric == Metric::Jobs { "outcome" } else { "problem" };
    About { name, kind, help, label }
}

fn plain(label: &str) -> String {
    label.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_metric_stand_together_under_one_head() {
        let sample = |metric, label: Option<&str>, value| {
            let label = label.map(str::to_owned);
            Sample { metric, label, value }
        };
        let text = text(&[
            sample(Metric::TwinsRegistered, None, 3),
            sample(Metric::Problems, Some("disk_short"), 1),
            sample(Metric::Problems, Some("a\"b\n"), 0),
        ]);
        assert_eq!(text.matches("# TYPE hometwin_health_problems gauge").count(), 1);
        assert!(text.contains("hometwin_twins_registered 3\n"));
        assert!(text.contains("hometwin_health_problems{problem=\"disk_short\"} 1\n"));
        assert!(text.ends_with("hometwin_health_problems{problem=\"ab\"} 0\n"));
    }
}
