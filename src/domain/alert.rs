//! Alerts and silences, from Prometheus's rules and from an Alertmanager.
//!
//! An Alertmanager has no objects with uids: an alert is known by its fingerprint, a silence by
//! its id. Both get an [`ObjectRef`] all the same, so that intents and the ledger can name them.

use super::metric::{Labels, label_of};
use super::object::{Cluster, GroupKind, ObjectRef, Text};
use chrono::{DateTime, Utc};

/// Group of the kinds below; no API server serves it.
pub const GROUP: &str = "alertmanager";

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AlertState {
    /// It rings.
    Firing,
    /// Its expression holds, and not yet for long enough.
    Pending,
    /// It fires, and a silence or another alert keeps it quiet.
    Suppressed,
}

impl AlertState {
    /// Returns the word Prometheus and Alertmanager use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Pending => "pending",
            Self::Suppressed => "suppressed",
        }
    }
}

/// One alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Alertmanager's, or one of ours for an alert that only Prometheus knows.
    pub fingerprint: Text,
    pub labels: Labels,
    pub annotations: Labels,
    pub state: AlertState,
    pub since: Option<DateTime<Utc>>,
    /// What the rule's expression yields, when Prometheus says it.
    pub value: Option<f64>,
    /// Ids of the silences that keep it quiet.
    pub silenced_by: Vec<Text>,
    /// Fingerprints of the alerts that inhibit it.
    pub inhibited_by: Vec<Text>,
    pub receivers: Vec<Text>,
    /// What the rule asks, in PromQL; empty when nobody says it.
    pub expression: Text,
    /// Alertmanager knows it.
    pub delivered: bool,
}

impl Alert {
    /// Returns the alert's name.
    pub fn name(&self) -> &str {
        label_of(&self.labels, "alertname")
    }

    /// Returns the label `severity`; empty when there is none.
    pub fn severity(&self) -> &str {
        label_of(&self.labels, "severity")
    }

    /// Returns the label `namespace`; empty when there is none.
    pub fn namespace(&self) -> &str {
        label_of(&self.labels, "namespace")
    }

    /// Returns the sentence people wrote about it: summary, description or message.
    pub fn summary(&self) -> &str {
        ["summary", "description", "message"]
            .into_iter()
            .map(|name| label_of(&self.annotations, name))
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    }

    /// Names the alert in a cluster.
    pub fn object(&self, cluster: &Cluster) -> ObjectRef {
        ObjectRef {
            cluster: cluster.clone(),
            kind: alert_kind(),
            namespace: None,
            name: self.name().into(),
        }
    }

    /// Returns matchers that match this alert and what differs in nothing but its Pod.
    pub fn matchers(&self) -> Vec<Matcher> {
        let own = ["pod", "instance", "container", "endpoint", "prometheus"];
        let kept = self.labels.iter();
        kept.filter(|(name, _)| !own.contains(&&**name))
            .map(|(name, value)| Matcher::equal(Text::clone(name), Text::clone(value)))
            .collect()
    }
}

/// Whether a silence works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SilenceState {
    Active,
    /// It begins later.
    Pending,
    Expired,
}

impl SilenceState {
    /// Returns the word Alertmanager uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Expired => "expired",
        }
    }
}

/// One silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    pub id: Text,
    pub state: SilenceState,
    pub matchers: Vec<Matcher>,
    pub starts: Option<DateTime<Utc>>,
    pub ends: Option<DateTime<Utc>>,
    pub created_by: Text,
    pub comment: Text,
}

impl Silence {
    /// Names the silence in a cluster.
    pub fn object(&self, cluster: &Cluster) -> ObjectRef {
        silence_object(cluster, &self.id)
    }
}

/// One condition on a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Matcher {
    pub name: Text,
    pub value: Text,
    pub regex: bool,
    /// False for `!=` and `!~`.
    pub equal: bool,
}

impl Matcher {
    /// Wants a label to be exactly this.
    pub fn equal(name: impl Into<Text>, value: impl Into<Text>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            regex: false,
            equal: true,
        }
    }

    /// Returns the matcher as people write it: `severity="page"`, `pod=~"api-.*"`.
    pub fn words(&self) -> String {
        let operator = match (self.regex, self.equal) {
            (false, true) => "=",
            (false, false) => "!=",
            (true, true) => "=~",
            (true, false) => "!~",
        };
        format!("{}{operator}{:?}", self.name, &*self.value)
    }

    /// Reads `name=value`, `name!=value`, `name=~value` or `name!~value`; quotes are optional.
    pub fn parse(text: &str) -> Option<Self> {
        let at = text.find(['=', '!'])?;
        let (name, rest) = text.split_at_checked(at)?;
        let (operator, value) = ["=~", "!~", "!=", "="]
            .into_iter()
            .find_map(|operator| Some((operator, rest.strip_prefix(operator)?)))?;
        let name = name.trim();
        let unquoted = value
            .trim()
            .strip_prefix('"')
            .and_then(|v| v.strip_suffix('"'));
        (!name.is_empty()).then(|| Self {
            name: name.into(),
            value: unquoted.unwrap_or(value.trim()).into(),
            regex: operator.ends_with('~'),
            equal: !operator.starts_with('!'),
        })
    }
}

/// What the Alerts screen shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertBoard {
    /// Firing first, then by severity and name.
    pub alerts: Vec<Alert>,
    /// Active first; expired ones only for a while.
    pub silences: Vec<Silence>,
    /// What is missing from the picture, such as an Alertmanager.
    pub notes: Vec<Text>,
}

/// The kind under which an alert is named.
pub fn alert_kind() -> GroupKind {
    GroupKind::new(GROUP, "Alert")
}

/// The kind under which a silence is named.
pub fn silence_kind() -> GroupKind {
    GroupKind::new(GROUP, "Silence")
}

/// Names a silence by its id.
pub fn silence_object(cluster: &Cluster, id: &str) -> ObjectRef {
    ObjectRef {
        cluster: cluster.clone(),
        kind: silence_kind(),
        namespace: None,
        name: id.into(),
    }
}

/// Returns how loud a severity is; 0 is the loudest.
pub fn severity_rank(severity: &str) -> u8 {
    match severity {
        "critical" | "page" | "emergency" => 0,
        "error" | "high" | "major" => 1,
        "warning" | "ticket" | "medium" => 2,
        "info" | "low" | "none" => 4,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read_as_they_are_written() {
        for text in ["a=\"b\"", "a!=\"b\"", "a=~\"b.*\"", "a!~\"b\"", "a=\"x=y\""] {
            let matcher = Matcher::parse(text).expect("a matcher");
            assert_eq!(matcher.words(), text);
        }
        assert_eq!(
            Matcher::parse("severity=page"),
            Some(Matcher::equal("severity", "page"))
        );
        assert_eq!(Matcher::parse("=x"), None);
        assert_eq!(Matcher::parse("nothing"), None);
    }
}
