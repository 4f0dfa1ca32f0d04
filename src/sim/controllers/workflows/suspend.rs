//! Templates that wait: for somebody, for a while, or for an answer over HTTP.

use super::execute::Ready;
use super::node::{NodeType, Outputs, Phase};
use super::operate::{Halt, Operation, Wish};
use crate::sim::controllers::analysis::duration;
use crate::sim::controllers::runtime::time::utc;
use chrono::TimeDelta;

/// Reads a span: seconds, or as Go writes them, and days.
pub(super) fn span(text: &str) -> Result<TimeDelta, String> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Ok(TimeDelta::milliseconds((seconds * 1000.0) as i64));
    }
    if let Some(days) = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<i64>().ok())
    {
        return Ok(TimeDelta::days(days));
    }
    duration::go(text).map_err(|_no_span| {
        format!("unable to parse {text} as a duration: time: invalid duration {text:?}")
    })
}

impl Operation<'_> {
    pub(super) fn execute_suspend(&mut self, name: &str, ready: &Ready) -> Result<(), Halt> {
        if self.node(name).is_none() {
            self.initialize_executable(name, NodeType::Suspend, Phase::Running, ready);
        }
        if !self.may_execute(ready.options.on_exit) {
            let message = format!("Stopped with strategy '{}'", self.spec.shutdown);
            self.mark(name, Phase::Failed, &message);
            return Ok(());
        }
        let duration = ready
            .template
            .suspend
            .as_ref()
            .map(|suspend| suspend.duration.clone())
            .unwrap_or_default();
        if !duration.is_empty() {
            let started = self.node(name).and_then(|node| node.started_at.clone());
            let until = started.as_ref().map_or(self.now, utc) + span(&duration)?;
            if until <= self.now {
                self.resume_with_defaults(name)?;
                return Ok(());
            }
            self.look_at(until);
        }
        Ok(())
    }

    fn resume_with_defaults(&mut self, name: &str) -> Result<(), Halt> {
        let outputs = self.node(name).and_then(|node| node.outputs.clone());
        let mut outputs = outputs.unwrap_or_default();
        for parameter in &mut outputs.parameters {
            if parameter.value.is_none() {
                let from = parameter.value_from.as_ref();
                let default = from
                    .and_then(|from| from.get("default"))
                    .and_then(super::model::text_of)
                    .or_else(|| parameter.default.clone())
                    .ok_or_else(|| {
                        Halt::Mistake(format!(
                            "raw output parameter '{}' has not been set and does not have a \
                             default value",
                            parameter.name
                        ))
                    })?;
                parameter.value = Some(default);
                parameter.value_from = None;
            }
        }
        if outputs != Outputs::default() {
            self.set_outputs(name, Some(outputs));
        }
        self.mark(name, Phase::Succeeded, "");
        Ok(())
    }

    /// Asks a server, and ends with what it answers.
    pub(super) fn execute_http(&mut self, name: &str, ready: &Ready) {
        if self.node(name).is_none() {
            self.initialize_executable(name, NodeType::Http, Phase::Pending, ready);
        }
        let id = self.id_of(name);
        if let Some((phase, message, body)) = self.world.answers.get(&id).cloned() {
            let outputs = Outputs {
                result: Some(body),
                ..Outputs::default()
            };
            self.set_outputs(name, Some(outputs));
            self.mark(name, phase, &message);
            return;
        }
        if !self.may_execute(ready.options.on_exit) {
            let message = format!("Stopped with strategy '{}'", self.spec.shutdown);
            self.mark(name, Phase::Failed, &message);
            return;
        }
        self.mark(name, Phase::Running, "");
        let http = Box::new(ready.template.http.clone().unwrap_or_default());
        self.wishes.push(Wish::Ask { node: id, http });
    }

    /// Ends what waits once the workflow is shut down or over its time.
    pub(super) fn fail_what_waits(&mut self) {
        let shutting = self.is_shutting_down();
        let overdue = self.is_overdue();
        if !shutting && !overdue {
            return;
        }
        let message = if shutting {
            format!("Stopped with strategy '{}'", self.spec.shutdown)
        } else {
            "Step exceeded its deadline".to_owned()
        };
        let is_exit = |name: &str| name.contains(".onExit");
        let stop_only = self.spec.shutdown == "Stop" || !shutting;
        let names: Vec<String> = self
            .status
            .nodes
            .values()
            .filter(|node| {
                node.is_active_suspend() || (node.kind == NodeType::Http && !node.is_fulfilled())
            })
            .filter(|node| !(stop_only && is_exit(&node.name)))
            .map(|node| node.name.clone())
            .collect();
        for name in names {
            self.mark(&name, Phase::Failed, &message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_seconds_or_as_go_writes_them() {
        for (text, seconds) in [("20", 20), ("2m", 120), ("1d", 86_400), ("1h30m", 5_400)] {
            assert_eq!(
                span(text).map(|span| span.num_seconds()),
                Ok(seconds),
                "{text}"
            );
        }
        assert!(span("soon").is_err());
    }
}
