//! Recording and alerting rules (`rules/manager.go`, `rules/alerting.go` of Prometheus).
//!
//! All groups are evaluated at the times of one loop; each at its own interval. Firing alerts are
//! handed to the Alertmanager after each evaluation, as are those that ended.

mod alert;
mod file;
mod group;
pub(super) mod template;

pub(super) use alert::{ActiveAlert, Phase};
pub(super) use group::{Group, Kind, Rule};

use super::{Core, read, write};
use std::time::Duration;

/// Reads a rule file; a file of the same name is replaced.
pub(super) fn load(core: &Core, file_name: &str, text: &str) -> Result<(), Vec<String>> {
    let groups = file::read(file_name, text, core.options.evaluation_interval)?;
    let mut all = write(&core.rules);
    all.retain(|group| group.file != file_name);
    all.extend(groups);
    Ok(())
}

/// Returns how often to look whether a group is due: the shortest interval.
pub(super) fn tick(core: &Core) -> Duration {
    read(&core.rules)
        .iter()
        .map(|group| group.interval)
        .fold(core.options.evaluation_interval, Duration::min)
        .max(Duration::from_millis(1))
}

/// Evaluates the groups that are due.
pub(super) fn evaluate(core: &Core, at: i64) {
    // Copied: a rule's query may take a while, and readers need not wait for it.
    let mut groups: Vec<Group> = read(&core.rules).clone();
    groups.retain(|group| group.is_due(at));
    for group in &mut groups {
        group.evaluate(core, at);
    }
    let mut all = write(&core.rules);
    for group in groups {
        // A file that was loaded again meanwhile starts afresh.
        if let Some(there) = all.iter_mut().find(|there| there.same_load(&group)) {
            *there = group;
        }
    }
}
