//! Silences: over which alerts, from when to when.

use super::{Alertmanager, read, times, write};
use crate::sim::prometheus::labels::Labels;
use crate::sim::prometheus::matcher::{Comparison, Matcher, all_accept};
use crate::sim::rng::Rng;
use serde_json::{Value, json};
use std::cmp::Reverse;

/// A silence; times are milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Silence {
    pub(super) id: String,
    pub(super) matchers: Vec<Matcher>,
    starts_at: i64,
    ends_at: i64,
    updated_at: i64,
    created_by: String,
    comment: String,
}

/// Why a silence was not written: the status and what to say.
pub(super) type Refusal = (u16, Value);

impl Silence {
    pub(super) fn is_active(&self, now: i64) -> bool {
        self.state(now) == "active"
    }

    fn state(&self, now: i64) -> &'static str {
        if now < self.starts_at {
            "pending"
        } else if now < self.ends_at {
            "active"
        } else {
            "expired"
        }
    }

    pub(super) fn covers(&self, labels: &Labels) -> bool {
        all_accept(&self.matchers, labels)
    }

    fn json(&self, now: i64) -> Value {
        let matchers: Vec<Value> = self.matchers.iter().map(matcher_json).collect();
        json!({
            "id": self.id,
            "status": { "state": self.state(now) },
            "updatedAt": times::text(self.updated_at),
            "annotations": {},
            "comment": self.comment,
            "createdBy": self.created_by,
            "endsAt": times::text(self.ends_at),
            "matchers": matchers,
            "startsAt": times::text(self.starts_at),
        })
    }
}

fn matcher_json(matcher: &Matcher) -> Value {
    let comparison = matcher.comparison();
    json!({
        "isEqual": matches!(comparison, Comparison::Equal | Comparison::Matches),
        "isRegex": matches!(comparison, Comparison::Matches | Comparison::MatchesNot),
        "name": matcher.name,
        "value": matcher.value,
    })
}

impl Alertmanager {
    /// Returns the silences that speak of what the filter asks for, in the order of upstream.
    pub(super) fn silences(&self, filter: &[Matcher], states: &[&str], now: i64) -> Vec<Value> {
        let state = read(&self.state);
        let mut found: Vec<&Silence> = state
            .silences
            .values()
            .filter(|silence| states.contains(&silence.state(now)) && speaks_of(silence, filter))
            .collect();
        found.sort_by_key(|silence| match silence.state(now) {
            "active" => (0, silence.ends_at, Reverse(0)),
            "pending" => (1, silence.starts_at, Reverse(0)),
            _ => (2, 0, Reverse(silence.ends_at)),
        });
        found.into_iter().map(|silence| silence.json(now)).collect()
    }

    pub(super) fn silence(&self, id: &str, now: i64) -> Option<Value> {
        read(&self.state)
            .silences
            .get(id)
            .map(|silence| silence.json(now))
    }

    /// Writes a silence: a new one, or over the one with the given id.
    pub(super) fn write_silence(&self, wanted: &Value, now: i64) -> Result<String, Refusal> {
        let mut silence = wanted_silence(wanted, now)?;
        let mut state = write(&self.state);
        let id = wanted.get("id").and_then(Value::as_str).unwrap_or_default();
        if !id.is_empty() {
            let Some(old) = state.silences.get_mut(id) else {
                return Err((404, json!("silence not found")));
            };
            if may_become(old, &silence, now) {
                silence.starts_at = if old.is_active(now) {
                    old.starts_at
                } else {
                    silence.starts_at
                };
                id.clone_into(&mut silence.id);
                *old = silence;
                return Ok(id.to_owned());
            }
            if old.ends_at > now {
                old.ends_at = now;
                old.updated_at = now;
            }
        }
        let id = new_id(&mut state.ids);
        silence.id.clone_from(&id);
        silence.starts_at = silence.starts_at.max(now);
        state.silences.insert(id.clone(), silence);
        Ok(id)
    }

    /// Ends a silence now.
    pub(super) fn expire(&self, id: &str, now: i64) -> Result<(), Refusal> {
        let mut state = write(&self.state);
        let Some(silence) = state.silences.get_mut(id) else {
            return Err((404, json!(format!("silence {id} not found"))));
        };
        if silence.state(now) == "expired" {
            return Err((500, json!(format!("silence {id} already expired"))));
        }
        silence.starts_at = silence.starts_at.min(now);
        silence.ends_at = now;
        silence.updated_at = now;
        Ok(())
    }
}

/// Whether a silence has a matcher for each label that the filter speaks of, and it fits.
fn speaks_of(silence: &Silence, filter: &[Matcher]) -> bool {
    filter.iter().all(|wanted| {
        let values = silence
            .matchers
            .iter()
            .filter(|matcher| matcher.name == wanted.name);
        let mut values = values.map(|matcher| matcher.value.as_str()).peekable();
        if values.peek().is_none() {
            return wanted.accepts("");
        }
        values.any(|value| wanted.accepts(value))
    })
}

/// Whether a silence may be changed in place: it is not over and covers the same.
fn may_become(old: &Silence, new: &Silence, now: i64) -> bool {
    let same = old.matchers.len() == new.matchers.len()
        && old
            .matchers
            .iter()
            .zip(&new.matchers)
            .all(|(old, new)| old.to_string() == new.to_string());
    let started = old.starts_at / 1000 == new.starts_at / 1000;
    same && match old.state(now) {
        "active" => started && new.ends_at >= now,
        "pending" => new.starts_at >= now,
        _ => false,
    }
}

/// Reads what is asked for, in the words of upstream when it is wrong.
fn wanted_silence(wanted: &Value, now: i64) -> Result<Silence, Refusal> {
    let text = |name: &str| wanted.get(name).and_then(Value::as_str).map(str::to_owned);
    let required = |name: &str| {
        text(name).ok_or_else(|| {
            (
                422,
                json!({ "code": 602, "message": format!("{name} in body is required") }),
            )
        })
    };
    let (comment, created_by) = (required("comment")?, required("createdBy")?);
    let time = |name: &str| -> Result<i64, Refusal> {
        let text = required(name)?;
        times::parse(&text).ok_or_else(|| {
            (422, json!({ "code": 601, "message": format!("{name} in body must be of type date-time: \"{text}\"") }))
        })
    };
    let (starts_at, ends_at) = (time("startsAt")?, time("endsAt")?);
    let matchers = wanted
        .get("matchers")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if matchers.is_empty() {
        return Err((
            422,
            json!({ "code": 612, "message": "matchers in body should have at least 1 items" }),
        ));
    }
    let invalid = |message: String| (400, json!(format!("invalid silence: {message}")));
    let mut read = Vec::with_capacity(matchers.len());
    for matcher in &matchers {
        read.push(wanted_matcher(matcher).map_err(invalid)?);
    }
    if read.iter().all(|matcher| matcher.accepts("")) {
        return Err(invalid(
            "at least one matcher must not match the empty string".to_owned(),
        ));
    }
    if ends_at < starts_at {
        return Err((
            400,
            json!("Failed to create silence: start time must be before end time"),
        ));
    }
    if ends_at < now {
        return Err((
            400,
            json!("Failed to create silence: end time can't be in the past"),
        ));
    }
    Ok(Silence {
        id: String::new(),
        matchers: read,
        starts_at,
        ends_at,
        updated_at: now,
        created_by,
        comment,
    })
}

fn wanted_matcher(matcher: &Value) -> Result<Matcher, String> {
    let text = |name: &str| {
        matcher
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let flag = |name: &str, or: bool| matcher.get(name).and_then(Value::as_bool).unwrap_or(or);
    if text("name").is_empty() {
        return Err("invalid label matcher 0: invalid label name \"\"".to_owned());
    }
    let comparison = match (flag("isRegex", false), flag("isEqual", true)) {
        (false, true) => Comparison::Equal,
        (false, false) => Comparison::NotEqual,
        (true, true) => Comparison::Matches,
        (true, false) => Comparison::MatchesNot,
    };
    Matcher::new(text("name"), comparison, text("value"))
}

/// Draws an id in the form of a random UUID.
fn new_id(ids: &mut Rng) -> String {
    let (first, second, third) = (ids.hex(8), ids.hex(4), ids.hex(3));
    let (fourth, last) = (ids.hex(3), ids.hex(12));
    format!("{first}-{second}-4{third}-a{fourth}-{last}")
}
