//! When the cockpit wakes up by itself.

use crate::cockpit::{Cockpit, app};
use chrono::TimeDelta;
use std::time::Duration;
use tiphys::app::schedule::next_deadline;
use tiphys::domain::status::Freshness;
use tiphys::engine::protocol::{SourceName, Update};

#[test]
fn idle_dashboard_has_no_deadline() {
    let mut cockpit = Cockpit::connected();
    cockpit.pass(Duration::from_secs(20));

    assert!(next_deadline(&cockpit.state).is_none());
}

#[test]
fn old_rows_wake_nobody_for_hours() {
    let mut cockpit = Cockpit::connected();
    cockpit.list(vec![app("old")]);

    let deadline = next_deadline(&cockpit.state).platform.expect("an age");

    assert_eq!(deadline - cockpit.now.platform, TimeDelta::days(1));
}

#[test]
fn young_row_wakes_when_its_age_reads_differently() {
    let mut cockpit = Cockpit::connected();
    let mut young = app("young");
    young.created = Some(cockpit.now.platform - TimeDelta::seconds(90));
    cockpit.list(vec![app("old"), young]);

    let deadline = next_deadline(&cockpit.state).platform.expect("an age");

    assert_eq!(deadline - cockpit.now.platform, TimeDelta::seconds(30));
}

#[test]
fn row_outside_the_window_wakes_nobody() {
    let mut cockpit = Cockpit::connected();
    let mut rows: Vec<_> = (0..50)
        .map(|number| app(&format!("app-{number:02}")))
        .collect();
    rows[40].created = Some(cockpit.now.platform);
    cockpit.list(rows);

    let deadline = next_deadline(&cockpit.state).platform.expect("an age");

    assert!(deadline - cockpit.now.platform > TimeDelta::hours(1));
}

#[test]
fn message_wakes_when_it_goes_away() {
    let mut cockpit = Cockpit::connected();
    cockpit.press("ctrl-r");

    let deadline = next_deadline(&cockpit.state).real;

    assert_eq!(deadline, Some(cockpit.now.real + Duration::from_secs(6)));
}

#[test]
fn stale_source_counts_down_to_its_next_try() {
    let mut cockpit = Cockpit::connected();
    let now = cockpit.now.platform;
    cockpit.report(Update::Freshness {
        generation: cockpit.state.link.generation,
        source: SourceName::Kubernetes,
        freshness: Freshness::Stale {
            since: now - TimeDelta::minutes(10),
            retry_at: now + TimeDelta::seconds(5),
            reason: "no answer".into(),
        },
    });

    let deadline = next_deadline(&cockpit.state).platform;

    assert_eq!(deadline, Some(now + TimeDelta::seconds(1)));
}
