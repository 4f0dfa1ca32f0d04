//! Silences: made and ended in Alertmanager, and read back from it.

use super::{Accepted, Errand, text};
use crate::api::convert::alert::silence;
use crate::domain::alert::SilenceState;
use crate::domain::finding::{Finding, Severity};
use crate::domain::intent::SilenceRequest;
use crate::engine::metrics::{Trouble, alertmanager, tell_alertmanager};
use crate::engine::transport::segment;
use chrono::{SecondsFormat, TimeDelta};
use serde_json::json;

const NO_DRY_RUN: &str = "Alertmanager has no dry run; nothing was sent";

impl Errand {
    /// Makes a silence that begins now.
    pub(super) async fn silence(&self, request: &SilenceRequest) -> Result<Accepted, Finding> {
        let matches_all = request.matchers.iter().all(|one| one.value.is_empty());
        if request.matchers.is_empty() || matches_all {
            return Err(self.refuse(
                "a silence needs a matcher that does not match every alert",
                "name a label, such as `alertname=HighErrorRate`",
            ));
        }
        if request.length_seconds == 0 {
            return Err(self.refuse("a silence needs a length", "write for=2h"));
        }
        if self.dry_run {
            return Ok(Accepted::dry(NO_DRY_RUN));
        }
        let now = self.session.now();
        let end = now + TimeDelta::seconds(i64::from(request.length_seconds));
        let time =
            |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let matchers: Vec<_> = request
            .matchers
            .iter()
            .map(|one| {
                json!({ "name": *one.name, "value": *one.value, "isRegex": one.regex,
                    "isEqual": one.equal })
            })
            .collect();
        let body = json!({ "matchers": matchers, "startsAt": time(now), "endsAt": time(end),
            "createdBy": self.username(), "comment": *request.comment });
        let made = tell_alertmanager(&self.session, "/api/v2/silences", Some(&body)).await;
        let made = made.map_err(|trouble| self.troubled(&trouble))?;
        let id = text(&made, &["silenceID"]).to_owned();
        self.read_back(&id, SilenceState::Expired, false).await?;
        Ok(Accepted::seen(
            "the silence is made",
            format!("silence `{id}` is active"),
        ))
    }

    /// Ends the silence that the intent names.
    pub(super) async fn expire_silence(&self) -> Result<Accepted, Finding> {
        let id = self.intent.target.name.to_string();
        self.read_back(&id, SilenceState::Expired, false).await?;
        if self.dry_run {
            return Ok(Accepted::dry(NO_DRY_RUN));
        }
        let path = format!("/api/v2/silence/{}", segment(&id));
        let ended = tell_alertmanager(&self.session, &path, None).await;
        ended.map_err(|trouble| self.troubled(&trouble))?;
        self.read_back(&id, SilenceState::Expired, true).await?;
        Ok(Accepted::seen(
            "the silence is to end",
            String::from("it is expired"),
        ))
    }

    /// Reads the silence and checks that it is, or is not, in a state.
    async fn read_back(&self, id: &str, state: SilenceState, wanted: bool) -> Result<(), Finding> {
        let path = format!("/api/v2/silence/{}", segment(id));
        let found = alertmanager(&self.session, &path).await;
        let found = silence(&found.map_err(|trouble| self.troubled(&trouble))?);
        if (found.state == state) == wanted {
            return Ok(());
        }
        Err(self.refuse(
            format!("the silence is {}", found.state.word()),
            "look at the silences again",
        ))
    }

    fn troubled(&self, trouble: &Trouble) -> Finding {
        let sentence = format!("{}: {}", self.cannot(), trouble.sentence);
        Finding::new(Severity::Error, sentence).with_hint(trouble.hint)
    }

    fn username(&self) -> String {
        let options = &self.session.options;
        let named = options.username.as_deref().filter(|name| !name.is_empty());
        let name = named.unwrap_or(&self.session.context.user);
        if name.is_empty() { "tiphys" } else { name }.to_owned()
    }
}
