//! Which tag an image should have, and the reason in one sentence.
//!
//! The tag chosen is that of `GetNewestVersionFromTags` in argocd-image-updater: the last of those
//! considered, even if it is older than what runs. The sentence adds what the updater does not say:
//! what would be newer, and which rule stands against it.

use super::constraint::Constraint;
use super::rules::{Allow, Policy, Strategy};
use super::version::Version;
use crate::domain::object::Text;
use chrono::{DateTime, Utc};
use std::cmp::Ordering;

/// A tag in the registry.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TagFact {
    pub name: Text,
    /// `None` when nobody knows, or nobody asked.
    pub built: Option<DateTime<Utc>>,
    pub digest: Option<Text>,
    /// Empty when nobody knows.
    pub platforms: Vec<Text>,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Current {
    /// Empty when it runs by digest alone.
    pub tag: Text,
    pub digest: Option<Text>,
}

impl Current {
    /// Returns `tag`, `tag@sha256:…` or `sha256:…`.
    pub fn text(&self) -> String {
        joined(&self.tag, self.digest.as_deref())
    }
}

/// What should run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub tag: Text,
    /// Given where the digest is followed.
    pub digest: Option<Text>,
}

impl Candidate {
    /// Returns `tag` or `tag@sha256:…`, as it is written back.
    pub fn text(&self) -> String {
        joined(&self.tag, self.digest.as_deref())
    }
}

fn joined(tag: &str, digest: Option<&str>) -> String {
    match digest {
        Some(digest) if tag.is_empty() => digest.to_owned(),
        Some(digest) => format!("{tag}@{digest}"),
        None => tag.to_owned(),
    }
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is to be replaced.
    Update,
    /// It is the best that is allowed.
    UpToDate,
    /// No tag may be used.
    NoCandidate,
    /// The rule itself cannot be followed.
    Wrong,
}

/// A choice and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub verdict: Verdict,
    /// The best that is allowed, also when it runs already.
    pub candidate: Option<Candidate>,
    /// One sentence without a full stop.
    pub why: Text,
}

impl Decision {
    fn without(verdict: Verdict, why: impl Into<Text>) -> Self {
        Self {
            verdict,
            candidate: None,
            why: why.into(),
        }
    }
}

/// Chooses the tag that an image should have.
pub fn choose(policy: &Policy, current: &Current, tags: &[TagFact]) -> Decision {
    let range = match range_of(policy, current) {
        Ok(range) => range,
        Err(why) => return Decision::without(Verdict::Wrong, why),
    };
    if tags.is_empty() {
        return Decision::without(Verdict::NoCandidate, "the registry has no tags");
    }
    let order = Order {
        policy,
        range: range.as_ref(),
    };
    let mut allowed = Vec::new();
    let mut barred = Vec::new();
    for tag in tags {
        match order.barrier(tag) {
            None => allowed.push(tag),
            Some(Barrier::Beside) => {}
            Some(barrier) => barred.push((tag, barrier)),
        }
    }
    let Some(best) = allowed.into_iter().max_by(|a, b| order.compare(a, b)) else {
        return Decision::without(Verdict::NoCandidate, order.why_none(&barred, tags.len()));
    };
    let candidate = Candidate {
        tag: Text::clone(&best.name),
        digest: best
            .digest
            .clone()
            .filter(|_| policy.strategy == Strategy::Digest),
    };
    let runs = match policy.strategy {
        Strategy::Digest => current.digest == candidate.digest,
        Strategy::Semver | Strategy::NewestBuild | Strategy::Alphabetical => {
            current.digest.is_none() && current.tag == candidate.tag
        }
    };
    let passed = order.passed_over(best, &barred);
    let (verdict, said) = if runs {
        (Verdict::UpToDate, order.why_it_stays(&candidate))
    } else {
        (Verdict::Update, order.why_it_goes(current, &candidate))
    };
    let why = match passed {
        Some(passed) if runs => passed,
        Some(passed) => format!("{said}; {passed}"),
        None => said,
    };
    Decision {
        verdict,
        candidate: Some(candidate),
        why: why.into(),
    }
}

/// Reads the constraint; the error says why the rule cannot be followed.
fn range_of(policy: &Policy, current: &Current) -> Result<Option<Constraint>, String> {
    match policy.strategy {
        Strategy::Semver => {
            if !current.tag.is_empty() && Version::parse(&current.tag).is_none() {
                return Err(format!("`{}`, which runs, is no version", current.tag));
            }
            if policy.constraint.is_empty() {
                return Ok(None);
            }
            Constraint::parse(&policy.constraint).map(Some)
        }
        Strategy::Digest if policy.constraint.is_empty() => Err(String::from(
            "`digest` follows one tag, and the image names none",
        )),
        Strategy::Digest | Strategy::NewestBuild | Strategy::Alphabetical => Ok(None),
    }
}

/// Why a tag is not considered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Barrier {
    NotAllowed,
    Ignored(Text),
    Platform,
    NoVersion,
    PreRelease,
    Constraint,
    /// Another tag than the one that is followed.
    Beside,
    NoDate,
}

struct Order<'p> {
    policy: &'p Policy,
    range: Option<&'p Constraint>,
}

impl Order<'_> {
    fn barrier(&self, tag: &TagFact) -> Option<Barrier> {
        let policy = self.policy;
        if policy.strategy == Strategy::Digest && tag.name != policy.constraint {
            return Some(Barrier::Beside);
        }
        if !policy.allow.matches(&tag.name) {
            return Some(Barrier::NotAllowed);
        }
        if let Some(glob) = policy.ignored_by(&tag.name) {
            return Some(Barrier::Ignored(Text::clone(glob)));
        }
        match policy.strategy {
            Strategy::Semver => return self.version_barrier(&tag.name),
            Strategy::Alphabetical => return None,
            Strategy::NewestBuild if tag.built.is_none() => return Some(Barrier::NoDate),
            Strategy::Digest | Strategy::NewestBuild => {}
        }
        (!policy.suits(&tag.platforms)).then_some(Barrier::Platform)
    }

    fn version_barrier(&self, tag: &str) -> Option<Barrier> {
        let Some(version) = Version::parse(tag) else {
            return Some(Barrier::NoVersion);
        };
        let range = self.range?;
        if range.allows(&version) {
            return None;
        }
        Some(if range.allows_but_for_pre_release(&version) {
            Barrier::PreRelease
        } else {
            Barrier::Constraint
        })
    }

    fn compare(&self, one: &TagFact, other: &TagFact) -> Ordering {
        let by_rank = match self.policy.strategy {
            Strategy::Semver => Version::parse(&one.name).cmp(&Version::parse(&other.name)),
            Strategy::NewestBuild => one.built.cmp(&other.built),
            Strategy::Digest | Strategy::Alphabetical => Ordering::Equal,
        };
        by_rank.then_with(|| one.name.cmp(&other.name))
    }

    /// Says which newer tag was passed over, and by what.
    fn passed_over(&self, best: &TagFact, barred: &[(&TagFact, Barrier)]) -> Option<String> {
        let newer = barred.iter().filter(|(tag, barrier)| {
            *barrier != Barrier::NoVersion && self.compare(tag, best) == Ordering::Greater
        });
        let (tag, barrier) = newer.max_by(|(a, _), (b, _)| self.compare(a, b))?;
        let name = &tag.name;
        let newer = match self.policy.strategy {
            Strategy::Semver => "is newer",
            Strategy::NewestBuild => "was built later",
            Strategy::Alphabetical | Strategy::Digest => "comes later by name",
        };
        let constraint = &self.policy.constraint;
        Some(match barrier {
            Barrier::Constraint => format!("{name} {newer} but not allowed by {constraint}"),
            Barrier::PreRelease => format!(
                "{name} {newer} but a pre-release, which {constraint} takes only as {constraint}-0"
            ),
            Barrier::Ignored(glob) => format!("{name} {newer} but ignored by {glob}"),
            Barrier::NotAllowed => {
                format!(
                    "{name} {newer} but does not match {}",
                    self.policy.allow.text()
                )
            }
            Barrier::Platform => format!(
                "{name} {newer} but not there for {}",
                self.policy.platforms.join(", ")
            ),
            Barrier::NoVersion | Barrier::Beside | Barrier::NoDate => return None,
        })
    }

    fn why_it_stays(&self, candidate: &Candidate) -> String {
        let tag = &candidate.tag;
        match self.policy.strategy {
            Strategy::Semver if self.policy.constraint.is_empty() => {
                format!("{tag} is the newest version")
            }
            Strategy::Semver => format!(
                "{tag} is the newest version that {} allows",
                self.policy.constraint
            ),
            Strategy::NewestBuild => format!("{tag} was built last"),
            Strategy::Digest => format!("{tag} still stands for the same digest"),
            Strategy::Alphabetical => format!("{tag} is the last by name"),
        }
    }

    fn why_it_goes(&self, current: &Current, candidate: &Candidate) -> String {
        let tag = &candidate.tag;
        let from = &current.tag;
        match self.policy.strategy {
            Strategy::Semver => {
                let back = Version::parse(tag) < Version::parse(from) && !from.is_empty();
                match (back, self.policy.constraint.is_empty()) {
                    (true, _) => format!(
                        "{from} is not allowed by {}; {tag} is the newest that is",
                        self.policy.constraint
                    ),
                    (false, true) => format!("{tag} is the newest version"),
                    (false, false) => format!(
                        "{tag} is the newest version that {} allows",
                        self.policy.constraint
                    ),
                }
            }
            Strategy::NewestBuild => format!("{tag} was built last"),
            Strategy::Digest if current.digest.is_none() => {
                format!("{tag} is to be pinned to the digest it stands for")
            }
            Strategy::Digest => format!("{tag} stands for another digest now"),
            Strategy::Alphabetical => format!("{tag} is the last by name"),
        }
    }

    /// Says why no tag can be used.
    fn why_none(&self, barred: &[(&TagFact, Barrier)], count: usize) -> String {
        let policy = self.policy;
        let all = |wanted: fn(&Barrier) -> bool| barred.iter().all(|(_, barrier)| wanted(barrier));
        if policy.strategy == Strategy::Digest && barred.is_empty() {
            return format!("the registry has no tag {}", policy.constraint);
        }
        if let Allow::Nothing(text, why) = &policy.allow {
            return format!("no tag matches {text}: {why}");
        }
        if all(|one| *one == Barrier::NotAllowed) {
            return format!("no tag matches {}", policy.allow.text());
        }
        if all(|one| matches!(one, Barrier::Ignored(_))) {
            return format!(
                "all of {count} tags are ignored by {}",
                policy.ignore.join(", ")
            );
        }
        if all(|one| *one == Barrier::NoVersion) {
            return format!("none of {count} tags is a version");
        }
        if all(|one| *one == Barrier::NoDate) {
            return String::from("no tag says when it was built");
        }
        if all(|one| *one == Barrier::Platform) {
            return format!("nothing is there for {}", policy.platforms.join(", "));
        }
        if all(|one| {
            matches!(
                one,
                Barrier::Constraint | Barrier::PreRelease | Barrier::NoVersion
            )
        }) {
            return format!("no version is allowed by {}", policy.constraint);
        }
        format!("none of {count} tags is both allowed and not ignored")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn policy(strategy: Strategy, constraint: &str) -> Policy {
        Policy {
            strategy,
            constraint: constraint.into(),
            ..Policy::default()
        }
    }

    fn tags(names: &[&str]) -> Vec<TagFact> {
        let built = |at: usize| DateTime::UNIX_EPOCH + TimeDelta::hours(at as i64);
        let tag = |(at, name): (usize, &&str)| TagFact {
            name: (*name).into(),
            built: Some(built(at)),
            digest: Some(format!("sha256:{at}").into()),
            platforms: vec!["linux/amd64".into()],
        };
        names.iter().enumerate().map(tag).collect()
    }

    fn at(tag: &str) -> Current {
        Current {
            tag: tag.into(),
            digest: None,
        }
    }

    fn said(policy: &Policy, current: &str, names: &[&str]) -> (Verdict, String, String) {
        let decision = choose(policy, &at(current), &tags(names));
        let to = decision.candidate.map(|one| one.text()).unwrap_or_default();
        (decision.verdict, to, decision.why.to_string())
    }

    fn expect(policy: &Policy, (current, names): (&str, &[&str]), wanted: (Verdict, &str, &str)) {
        let (verdict, to, why) = said(policy, current, names);
        assert_eq!((verdict, to.as_str(), why.as_str()), wanted);
    }

    #[test]
    fn semver_takes_the_highest_and_says_what_it_passes_over() {
        let own = &["2.4.0", "2.4.1", "2.6.0", "latest", "2.4.3"];
        let rule = policy(Strategy::Semver, "~2.4");
        expect(
            &rule,
            ("2.4.3", own),
            (
                Verdict::UpToDate,
                "2.4.3",
                "2.6.0 is newer but not allowed by ~2.4",
            ),
        );
        expect(
            &rule,
            ("2.4.1", own),
            (
                Verdict::Update,
                "2.4.3",
                "2.4.3 is the newest version that ~2.4 allows; 2.6.0 is newer but not allowed by ~2.4",
            ),
        );
        expect(
            &policy(Strategy::Semver, ""),
            ("2.6.0", own),
            (Verdict::UpToDate, "2.6.0", "2.6.0 is the newest version"),
        );
    }

    #[test]
    fn semver_goes_back_when_what_runs_is_not_allowed() {
        expect(
            &policy(Strategy::Semver, "~2.4"),
            ("2.6.0", &["2.4.1", "2.6.0"]),
            (
                Verdict::Update,
                "2.4.1",
                "2.6.0 is not allowed by ~2.4; 2.4.1 is the newest that is; 2.6.0 is newer but not allowed by ~2.4",
            ),
        );
    }

    #[test]
    fn pre_releases_need_to_be_named() {
        let own = &["1.0.0", "1.1.0-rc.1"];
        expect(
            &policy(Strategy::Semver, "1.x"),
            ("1.0.0", own),
            (
                Verdict::UpToDate,
                "1.0.0",
                "1.1.0-rc.1 is newer but a pre-release, which 1.x takes only as 1.x-0",
            ),
        );
        let (_, to, _) = said(&policy(Strategy::Semver, "1.x-0"), "1.0.0", own);
        assert_eq!(to, "1.1.0-rc.1");
        let (_, to, _) = said(&policy(Strategy::Semver, ""), "1.0.0", own);
        assert_eq!(to, "1.1.0-rc.1", "without a range everything counts");
    }

    #[test]
    fn equal_versions_are_told_apart_by_name() {
        let (_, to, _) = said(&policy(Strategy::Semver, ""), "1.0.0", &["v1.0.1", "1.0.1"]);
        assert_eq!(to, "v1.0.1");
    }

    #[test]
    fn rules_that_cannot_be_followed_are_said() {
        let (verdict, _, why) = said(&policy(Strategy::Semver, ""), "main", &["1.0.0"]);
        assert_eq!(
            (verdict, why.as_str()),
            (Verdict::Wrong, "`main`, which runs, is no version")
        );
        let (verdict, _, why) = said(&policy(Strategy::Semver, "stable"), "1.0.0", &["1.0.0"]);
        assert_eq!(
            (verdict, why.as_str()),
            (Verdict::Wrong, "`stable` is no range of versions")
        );
        let (verdict, _, why) = said(&policy(Strategy::Digest, ""), "main", &["main"]);
        assert_eq!(verdict, Verdict::Wrong);
        assert_eq!(why, "`digest` follows one tag, and the image names none");
    }

    #[test]
    fn the_newest_build_goes_by_date_and_name() {
        let mut rule = policy(Strategy::NewestBuild, "");
        rule.allow = Allow::parse("regexp:^main-");
        expect(
            &rule,
            ("main-b", &["main-z", "main-b", "pr-7"]),
            (
                Verdict::UpToDate,
                "main-b",
                "pr-7 was built later but does not match regexp:^main-",
            ),
        );
        expect(
            &rule,
            ("main-b", &["main-b", "main-a"]),
            (Verdict::Update, "main-a", "main-a was built last"),
        );
        rule.platforms = vec!["linux/arm64".into()];
        let (verdict, _, why) = said(&rule, "main-b", &["main-b"]);
        assert_eq!(
            (verdict, why.as_str()),
            (Verdict::NoCandidate, "nothing is there for linux/arm64")
        );
    }

    #[test]
    fn a_digest_is_followed_by_one_tag() {
        let rule = policy(Strategy::Digest, "stable");
        let own = tags(&["1.0", "stable"]);

        let first = choose(&rule, &at("stable"), &own);
        let pinned = Current {
            tag: "stable".into(),
            digest: Some("sha256:1".into()),
        };
        let same = choose(&rule, &pinned, &own);
        let moved = choose(&rule, &pinned, &tags(&["stable"]));
        let gone = choose(&rule, &pinned, &tags(&["1.0"]));

        assert_eq!(first.verdict, Verdict::Update);
        assert_eq!(
            first.candidate.map(|one| one.text()).as_deref(),
            Some("stable@sha256:1")
        );
        assert_eq!(&*same.why, "stable still stands for the same digest");
        assert_eq!(
            (moved.verdict, &*moved.why),
            (Verdict::Update, "stable stands for another digest now")
        );
        assert_eq!(
            (gone.verdict, &*gone.why),
            (Verdict::NoCandidate, "the registry has no tag stable")
        );
    }

    #[test]
    fn names_are_ordered_by_their_letters() {
        let mut rule = policy(Strategy::Alphabetical, "");
        rule.ignore = vec!["*-rc*".into()];
        expect(
            &rule,
            ("2026-01-02", &["2026-01-10", "2026-01-2", "2026-02-01-rc1"]),
            (
                Verdict::Update,
                "2026-01-2",
                "2026-01-2 is the last by name; 2026-02-01-rc1 comes later by name but ignored by *-rc*",
            ),
        );
    }

    #[test]
    fn why_there_is_no_candidate() {
        let none = |rule: &Policy, names: &[&str]| {
            let (verdict, _, why) = said(rule, "1.0.0", names);
            assert_eq!(verdict, Verdict::NoCandidate);
            why
        };
        let mut rule = policy(Strategy::Semver, "~9");
        assert_eq!(
            none(&rule, &["1.0.0", "main"]),
            "no version is allowed by ~9"
        );
        assert_eq!(none(&rule, &["main"]), "none of 1 tags is a version");
        assert_eq!(none(&rule, &[]), "the registry has no tags");
        rule.allow = Allow::parse("regexp:^v");
        assert_eq!(none(&rule, &["1.0.0"]), "no tag matches regexp:^v");
        rule.allow = Allow::parse("regexp:(");
        assert_eq!(
            none(&rule, &["1.0.0"]),
            "no tag matches regexp:(: its expression cannot be read"
        );
        rule.allow = Allow::Any;
        rule.ignore = vec!["*".into()];
        assert_eq!(
            none(&rule, &["1.0.0", "2.0.0"]),
            "all of 2 tags are ignored by *"
        );
    }
}
