//! What GitHub's answers say besides their content: how often it may be asked, whether there is
//! more, whether anything has changed, and why it refuses.
//!
//! `docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api` and
//! `…/best-practices-for-using-the-rest-api`. Pure.

use crate::engine::fault::Fault;
use crate::engine::transport::Answer;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// How many answers are remembered.
const REMEMBERED: usize = 500;

/// An answer that can be asked for again at no cost.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// Its `ETag`; empty when it has none.
    pub(super) mark: String,
    pub(super) body: Arc<Value>,
    /// There is another page.
    pub(super) has_next: bool,
}

impl Kept {
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        let body = if answer.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&answer.body).ok()?
        };
        Some(Self {
            mark: answer.header("etag").to_owned(),
            body: Arc::new(body),
            has_next: has_next(answer.header("link")),
        })
    }
}

/// Reads a `Link` header for a page that follows.
fn has_next(links: &str) -> bool {
    links.split(',').any(|link| {
        link.split(';')
            .skip(1)
            .any(|one| one.trim() == "rel=\"next\"")
    })
}

/// The answers that are remembered, by path; the oldest go first.
#[derive(Debug, Default)]
pub(super) struct Memory {
    kept: HashMap<String, Kept>,
    order: VecDeque<String>,
}

impl Memory {
    pub(super) fn find(&self, path: &str) -> Option<Kept> {
        self.kept.get(path).cloned()
    }

    pub(super) fn keep(&mut self, path: &str, kept: Kept) {
        if self.kept.insert(path.to_owned(), kept).is_none() {
            self.order.push_back(path.to_owned());
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.kept.remove(&oldest);
            }
        }
    }
}

/// How often GitHub may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    most: i64,
    left: i64,
    resets: DateTime<Utc>,
    /// Nothing may be asked before this, whatever is left (`retry-after`).
    closed: Option<DateTime<Utc>>,
}

impl Limit {
    pub(super) fn of(answer: &Answer, now: DateTime<Utc>) -> Option<Self> {
        let number = |name: &str| answer.header(name).parse::<i64>().ok();
        let refused = matches!(answer.code, 403 | 429);
        let closed = number("retry-after")
            .filter(|_| refused)
            .map(|seconds| now + TimeDelta::seconds(seconds.clamp(1, 3_600)));
        let known = number("x-ratelimit-limit")
            .zip(number("x-ratelimit-remaining"))
            .zip(number("x-ratelimit-reset"));
        let Some(((most, left), resets)) = known else {
            return closed.map(|until| Self {
                most: 0,
                left: 0,
                resets: until,
                closed: Some(until),
            });
        };
        Some(Self {
            most,
            left,
            resets: DateTime::from_timestamp(resets, 0)?,
            closed,
        })
    }

    /// Returns until when nothing may be asked.
    pub(super) fn closed_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let spent = (self.left <= 0).then_some(self.resets);
        self.closed.max(spent).filter(|until| *until > now)
    }

    /// Refuses to ask when GitHub would refuse to answer.
    pub(super) fn allows(&self, now: DateTime<Utc>, has_token: bool) -> Result<(), Fault> {
        let Some(until) = self.closed_until(now) else {
            return Ok(());
        };
        let until = until.format("%H:%M:%S");
        let most = match self.most {
            0 => String::from("GitHub asks for patience"),
            most => format!("GitHub's {most} requests an hour are used up"),
        };
        let more = if has_token || self.most == 0 {
            ""
        } else {
            "; a token (`GITHUB_TOKEN`) raises them to 5000"
        };
        Err(Fault::Busy(format!("{most} until {until} UTC{more}")))
    }

    /// Says what is left.
    pub(super) fn words(&self) -> String {
        let until = self.resets.format("%H:%M");
        format!(
            "{} of {} requests are left until {until} UTC",
            self.left, self.most
        )
    }

    /// Says what is left when it is little: less than a tenth.
    pub(super) fn note(&self, now: DateTime<Utc>) -> Option<String> {
        if self.left * 10 > self.most || self.resets <= now {
            return None;
        }
        Some(format!(
            "GitHub: {}, so it is asked less often",
            self.words()
        ))
    }

    /// Returns how long to wait before asking again: what is left is to last until the reset.
    pub(super) fn pace(&self, usual: TimeDelta, now: DateTime<Utc>) -> TimeDelta {
        if let Some(until) = self.closed_until(now) {
            return (until - now).max(usual);
        }
        if self.left * 10 > self.most || self.resets <= now {
            return usual;
        }
        // One look costs a handful of requests.
        let looks = (self.left / 5).max(1);
        let share = (self.resets - now).num_seconds() / looks;
        usual.max(TimeDelta::seconds(share))
    }
}

/// Makes a fault of a refusal, in our words around GitHub's.
pub(super) fn fault(answer: &Answer, (path, has_token): (&str, bool)) -> Fault {
    let said = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
    let said = said.get("message").and_then(Value::as_str);
    let said = said.unwrap_or_default().trim_end_matches('.').to_owned();
    let repository = || {
        let mut parts = path.trim_start_matches("/repos/").split('/');
        let owner = parts.next().unwrap_or_default();
        format!("{owner}/{}", parts.next().unwrap_or_default())
    };
    let colon = if said.is_empty() { "" } else { ": " };
    let is_spent = answer.header("x-ratelimit-remaining") == "0"
        || !answer.header("retry-after").is_empty()
        || said.contains("rate limit");
    match answer.code {
        401 if has_token => Fault::Unauthorized(format!(
            "GitHub does not accept the token{colon}{said}; renew it where `TIPHYS_GITHUB_TOKEN`, `GITHUB_TOKEN` or `[[github]]` has it"
        )),
        401 => Fault::Unauthorized(format!(
            "GitHub wants a token{colon}{said}; give it as `TIPHYS_GITHUB_TOKEN` or `GITHUB_TOKEN`"
        )),
        403 | 429 if is_spent => Fault::Busy(format!("GitHub's limit is reached{colon}{said}")),
        403 => Fault::Forbidden(format!(
            "GitHub refuses `{}`{colon}{said}; the token needs `actions: read` there, and `write` for changes",
            repository()
        )),
        404 if path.starts_with("/repos/") => Fault::NotFound(format!(
            "GitHub does not show `{}`{colon}{said}; it is not there, or the token may not see it",
            repository()
        )),
        code => Fault::from_answer(code, &answer.body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| {
            let value = value.parse().expect("a header");
            (http::HeaderName::from_static(name), value)
        });
        Answer::new(code, headers.collect(), body.to_owned().into())
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("a time")
    }

    fn limit(left: &str) -> Limit {
        let headers = [
            ("x-ratelimit-limit", "60"),
            ("x-ratelimit-remaining", left),
            ("x-ratelimit-reset", "7200"),
        ];
        Limit::of(&answer(200, &headers, ""), at(3_600)).expect("a limit")
    }

    #[test]
    fn links_tell_whether_there_is_another_page() {
        let link = r#"<https://api.github.com/x?page=2>; rel="next", <https://api.github.com/x?page=9>; rel="last""#;
        let first = answer(200, &[("link", link), ("etag", "W/\"a\"")], "{}");
        let kept = Kept::of(&first).expect("JSON");
        assert!(kept.has_next);
        assert_eq!(kept.mark, "W/\"a\"");

        let last = r#"<https://api.github.com/x?page=1>; rel="prev""#;
        assert!(
            !Kept::of(&answer(200, &[("link", last)], "{}"))
                .expect("JSON")
                .has_next
        );
        assert!(Kept::of(&answer(200, &[], "<html>")).is_none());
    }

    #[test]
    fn nothing_is_asked_when_the_limit_is_spent_until_it_is_reset() {
        let spent = limit("0");

        let refused = spent
            .allows(at(3_700), false)
            .expect_err("spent")
            .to_string();
        assert_eq!(
            refused,
            "GitHub's 60 requests an hour are used up until 02:00:00 UTC; a token (`GITHUB_TOKEN`) raises them to 5000"
        );
        assert!(spent.allows(at(7_200), false).is_ok());
        assert_eq!(spent.pace(BUSY, at(7_000)), TimeDelta::seconds(200));
    }

    const BUSY: TimeDelta = TimeDelta::seconds(5);

    #[test]
    fn what_is_left_lasts_until_the_reset() {
        assert_eq!(limit("59").pace(BUSY, at(3_600)), BUSY);
        assert_eq!(limit("59").note(at(3_600)), None);
        assert_eq!(limit("5").pace(BUSY, at(3_600)), TimeDelta::seconds(3_600));
        assert!(
            limit("5")
                .note(at(3_600))
                .is_some_and(|note| note.contains("5 of 60"))
        );
    }

    #[test]
    fn a_second_limit_is_waited_out() {
        let refusal = answer(429, &[("retry-after", "30")], "");
        let limit = Limit::of(&refusal, at(100)).expect("a limit");
        assert_eq!(limit.closed_until(at(101)), Some(at(130)));
        assert_eq!(limit.closed_until(at(131)), None);
        assert!(matches!(fault(&refusal, ("/x", true)), Fault::Busy(_)));
    }

    #[test]
    fn refusals_say_what_to_do() {
        let body = r#"{"message":"Bad credentials","documentation_url":"x"}"#;
        let said = |code: u16, token: bool| {
            let path = "/repos/shop/app/actions/runs";
            fault(&answer(code, &[], body), (path, token)).to_string()
        };
        assert!(said(401, true).contains("does not accept the token: Bad credentials; renew it"));
        assert!(said(401, false).contains("wants a token"));
        assert!(said(403, true).contains("refuses `shop/app`"));
        assert!(said(404, true).contains("does not show `shop/app`"));
    }

    #[test]
    fn the_oldest_answers_are_forgotten() {
        let mut memory = Memory::default();
        let kept = Kept::of(&answer(200, &[], "{}")).expect("JSON");
        for number in 0..=REMEMBERED {
            memory.keep(&format!("/{number}"), kept.clone());
        }
        assert!(memory.find("/0").is_none());
        assert!(memory.find("/1").is_some());
    }
}
