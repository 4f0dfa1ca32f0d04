//! Why an image stands as it does, and what would mend it.

use super::detail::ArtifactDetail;
use super::matching::ImageState;
use super::rows::ArtifactRow;
use super::scan::{Scan, Severity};
use crate::domain::finding::{Finding, Severity as Matter};

/// Returns what is to be said of an image, most important first; nothing when all is well.
pub fn why_image(detail: &ArtifactDetail) -> Vec<Finding> {
    let row = &detail.row;
    let mut findings = Vec::new();
    for place in row.places.iter().filter(|place| !place.trouble.is_empty()) {
        let sentence = format!(
            "`{}` in `{}` cannot be pulled: {}",
            place.container,
            place.pod.path(),
            place.trouble
        );
        let finding = Finding::new(Matter::Error, sentence);
        findings.push(finding.with_hint(
            "look at `:robots` for the account that pulls, and at `:projects` for what refuses",
        ));
        if findings.len() >= 3 {
            break;
        }
    }
    findings.extend(row.states.iter().filter_map(|state| about(state, row)));
    findings.extend(mended(detail));
    findings
        .into_iter()
        .map(|one| one.about(row.object.clone()))
        .chain(row.findings.iter().cloned())
        .chain(detail.findings.iter().cloned())
        .collect()
}

fn about(state: &ImageState, row: &ArtifactRow) -> Option<Finding> {
    let places = row
        .places
        .iter()
        .filter(|place| place.states.contains(state))
        .count();
    let (runs, asks) = match places {
        1 => (
            String::from("1 container runs"),
            String::from("1 container asks"),
        ),
        count => (
            format!("{count} containers run"),
            format!("{count} containers ask"),
        ),
    };
    let (matter, sentence, hint) = match state {
        ImageState::Gone => (
            Matter::Error,
            format!(
                "the registry no longer has what {runs}: a Pod on another node could not pull it"
            ),
            "roll out an image that is there, or push this one again",
        ),
        ImageState::Mixed => (
            Matter::Warning,
            String::from("Pods of one workload run different content under the same reference"),
            "restart the workload, and pin the image by its digest",
        ),
        ImageState::MovedTag => (
            Matter::Warning,
            format!(
                "the tag that {asks} for now names other content: a restart would change the image"
            ),
            "restart on purpose, or pin the image by its digest",
        ),
        ImageState::Behind(count) => (
            Matter::Info,
            match (&*row.newest, count) {
                ("", count) => format!("{count} newer artifacts exist"),
                (newest, 1) => format!("a newer artifact exists: `{newest}`"),
                (newest, count) => {
                    format!("{count} newer artifacts exist; the newest is `{newest}`")
                }
            },
            "promote it: set the image of the Application or the Rollout",
        ),
        ImageState::Vulnerable { severity, fixable } => {
            return Some(vulnerable(*severity, *fixable, row));
        }
        ImageState::NotScanned => return Some(not_scanned(&row.scan)),
        ImageState::Unsigned => (
            Matter::Info,
            String::from("it carries no signature"),
            "sign it in the pipeline that builds it",
        ),
        ImageState::Unknown | ImageState::Pinned | ImageState::Newest => return None,
    };
    Some(Finding::new(matter, sentence).with_hint(hint))
}

fn not_scanned(scan: &Scan) -> Finding {
    if let Scan::Failed { status } = scan {
        let sentence = format!("the last scan ended as {status}");
        return Finding::new(Matter::Warning, sentence)
            .with_hint("scan it again; `:registries` shows whether the scanner is healthy");
    }
    let sentence = "it was never scanned, so nobody knows its vulnerabilities";
    Finding::new(Matter::Info, sentence)
        .with_hint("scan it, or let the project scan what is pushed")
}

fn vulnerable(severity: Severity, fixable: u32, row: &ArtifactRow) -> Finding {
    let summary = row.scan.summary();
    let total = summary.map_or(0, |summary| summary.total);
    let bar = summary.map(|summary| summary.bar(4)).unwrap_or_default();
    let matter = if severity >= Severity::Critical {
        Matter::Error
    } else if severity >= Severity::High {
        Matter::Warning
    } else {
        Matter::Info
    };
    let sentence = format!(
        "it has {total} known vulnerabilities ({bar}), {fixable} with a fix; the worst is {}",
        severity.word()
    );
    Finding::new(matter, sentence).with_hint(if fixable > 0 {
        "build it anew on fixed packages, or promote a newer image"
    } else {
        "there is no fix yet; look whether the code is reachable"
    })
}

fn mended(detail: &ArtifactDetail) -> Option<Finding> {
    let (tag, ids) = detail.mended.as_ref()?;
    let mut names: Vec<&str> = ids.iter().map(|(id, _)| &**id).collect();
    names.dedup();
    let shown: Vec<&str> = names.iter().take(3).copied().collect();
    let more = names.len().saturating_sub(shown.len());
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let sentence = if names.is_empty() {
        format!("`{tag}` mends none of its vulnerabilities")
    } else {
        format!("`{tag}` mends {}{more}", shown.join(", "))
    };
    Some(Finding::new(Matter::Info, sentence))
}

#[cfg(test)]
mod tests {
    use super::super::reference::Reference;
    use super::super::scan::VulnSummary;
    use super::*;
    use crate::domain::object::Cluster;

    #[test]
    fn the_sentences_say_what_would_mend_it() {
        let image = Reference::parse("r.io/shop/app:1.0.0").expect("a reference");
        let mut row = ArtifactRow::unknown(&Cluster("demo".into()), &image);
        row.newest = "1.2.0".into();
        row.scan = Scan::Done(VulnSummary {
            severity: Severity::Critical,
            total: 5,
            fixable: 2,
            counts: [1, 4, 0, 0, 0, 0],
            ..VulnSummary::default()
        });
        row.states = vec![
            ImageState::Behind(2),
            ImageState::Vulnerable {
                severity: Severity::Critical,
                fixable: 2,
            },
        ];
        let mut detail = ArtifactDetail::of(row);
        detail.mended = Some((
            "1.2.0".into(),
            vec![
                ("CVE-1".into(), "openssl".into()),
                ("CVE-1".into(), "libssl".into()),
            ],
        ));

        let said: Vec<String> = why_image(&detail)
            .iter()
            .map(|one| one.sentence.to_string())
            .collect();

        assert_eq!(
            said,
            [
                "2 newer artifacts exist; the newest is `1.2.0`",
                "it has 5 known vulnerabilities (C1 H4), 2 with a fix; the worst is Critical",
                "`1.2.0` mends CVE-1",
            ]
        );
    }
}
