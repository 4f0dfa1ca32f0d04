//! Which artifact of a registry a container runs, and how that stands to what the registry has.
//!
//! An `imageID` may be the digest of an index, of a platform's manifest or of a config, and may
//! name another repository than was asked for. So an artifact is a set of digests, and belonging to
//! it is what counts; the name only helps when no digest says anything.

use super::reference::{Digest, ImageId, Reference};
use super::scan::{Scan, Severity};
use super::tag::{self, Version};
use crate::domain::object::Text;
use chrono::{DateTime, Utc};

/// How what runs stands to what the registry has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ImageState {
    /// The registry no longer has it: a Pod elsewhere could not pull it.
    Gone,
    /// Pods of one workload run different content under one reference.
    Mixed,
    /// The tag now names other content: a restart would change the image.
    MovedTag,
    /// So many newer artifacts exist.
    Behind(u32),
    /// Of the worst vulnerability, and how many have a fix.
    Vulnerable {
        severity: Severity,
        fixable: u32,
    },
    NotScanned,
    Unsigned,
    /// The registry cannot be asked, or does not know the repository.
    Unknown,
    /// A digest is asked for: the tag cannot move it.
    Pinned,
    Newest,
}

impl ImageState {
    /// Returns it in words.
    pub fn text(&self) -> String {
        match self {
            Self::Gone => String::from("gone"),
            Self::Mixed => String::from("mixed"),
            Self::MovedTag => String::from("tag moved"),
            Self::Behind(count) => format!("behind {count}"),
            Self::Vulnerable { severity, fixable } if *fixable > 0 => {
                format!("{} ({fixable} fixable)", severity.word().to_lowercase())
            }
            Self::Vulnerable { severity, .. } => severity.word().to_lowercase(),
            Self::NotScanned => String::from("not scanned"),
            Self::Unsigned => String::from("unsigned"),
            Self::Unknown => String::from("unknown"),
            Self::Pinned => String::from("pinned"),
            Self::Newest => String::from("newest"),
        }
    }

    /// Returns whether it asks for a person.
    pub fn is_trouble(&self) -> bool {
        match self {
            Self::Gone | Self::Mixed | Self::MovedTag => true,
            Self::Vulnerable { severity, .. } => *severity >= Severity::High,
            Self::Behind(_)
            | Self::NotScanned
            | Self::Unsigned
            | Self::Unknown
            | Self::Pinned
            | Self::Newest => false,
        }
    }

    /// Returns whether it is about the version, not about what is in the image.
    pub fn is_about_version(&self) -> bool {
        match self {
            Self::Gone
            | Self::Mixed
            | Self::MovedTag
            | Self::Behind(_)
            | Self::Unknown
            | Self::Pinned
            | Self::Newest => true,
            Self::Vulnerable { .. } | Self::NotScanned | Self::Unsigned => false,
        }
    }
}

/// Returns what is most in need of a person: trouble, then what is about the version.
pub fn loudest(states: &[ImageState]) -> Option<&ImageState> {
    let find = |wanted: fn(&ImageState) -> bool| states.iter().find(|one| wanted(one));
    find(ImageState::is_trouble)
        .or_else(|| find(|one| one.is_about_version() && *one != ImageState::Pinned))
        .or_else(|| states.first())
}

/// What a registry says of an artifact, as far as matching goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Of the index, or of the only manifest; `None` for a tag that was not looked up.
    pub digest: Option<Digest>,
    /// Digests of platforms' manifests and of configs.
    pub members: Vec<Digest>,
    pub tags: Vec<Text>,
    pub pushed: Option<DateTime<Utc>>,
}

impl Artifact {
    /// Returns whether a digest that a node reports is this content.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.digest.as_ref() == Some(digest) || self.members.contains(digest)
    }

    fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| &**own == tag)
    }

    fn is_release(&self) -> bool {
        self.tags.iter().any(|tag| !tag::is_technical(tag))
    }
}

/// What a container was asked to run, and what its node says it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    pub wanted: Reference,
    pub actual: ImageId,
}

impl Running {
    /// Reads a container's `image` and the `image` and `imageID` of its status. What was asked for
    /// may be an image id on its own; then the node's name for it is taken.
    pub fn read(spec: &str, status: &str, image_id: &str) -> Option<Self> {
        let actual = ImageId::parse(image_id);
        let is_id = Digest::parse(spec.trim_start_matches("docker://")).is_some();
        let wanted = (!is_id)
            .then(|| Reference::parse(spec))
            .flatten()
            .or_else(|| Reference::parse(status).filter(|_| Digest::parse(status).is_none()))
            .or_else(|| actual.name.clone())?;
        Some(Self { wanted, actual })
    }

    /// Returns the digest that runs: what the node says, else what was asked for.
    pub fn digest(&self) -> Option<&Digest> {
        self.actual.digest.as_ref().or(self.wanted.digest.as_ref())
    }
}

/// What a repository has, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Shelf<'a> {
    /// Those that were read; the newest are among them.
    pub artifacts: &'a [Artifact],
    /// Whether a digest that is not among them is surely not there: the registry was asked for it.
    pub complete: bool,
}

/// How a container's image stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Index of the artifact that runs.
    pub artifact: Option<usize>,
    /// Index of the newest one.
    pub newest: Option<usize>,
    pub states: Vec<ImageState>,
}

/// Judges one container by what its repository has.
pub fn judge(running: &Running, shelf: Shelf<'_>) -> Standing {
    let artifacts = shelf.artifacts;
    let by_digest = running
        .digest()
        .and_then(|digest| artifacts.iter().position(|one| one.contains(digest)));
    let tag = running.wanted.tag_or_latest();
    let by_tag = tag.and_then(|tag| artifacts.iter().position(|one| one.has_tag(tag)));
    let known = running.digest().is_some();
    // A container that has not begun runs what its tag names.
    let artifact = if known { by_digest } else { by_tag };
    let mut states = Vec::new();
    if running.wanted.digest.is_some() {
        states.push(ImageState::Pinned);
    }
    if artifact.is_none() {
        let gone = known && shelf.complete && !artifacts.is_empty();
        states.push(if gone {
            ImageState::Gone
        } else {
            ImageState::Unknown
        });
    }
    let pinned = running.wanted.digest.is_some();
    if known && !pinned && by_tag.is_some_and(|named| Some(named) != by_digest) {
        states.push(ImageState::MovedTag);
    }
    let own = artifact.and_then(|at| artifacts.get(at));
    let first = own.and_then(|own| own.tags.first().map(|tag| &**tag));
    // Beside a digest a tag is only a remark.
    let own_tag = if pinned { first } else { tag.or(first) }.unwrap_or_default();
    let ahead = ahead_of(own, own_tag, artifacts);
    let newest = ahead.first().copied().or(artifact);
    match u32::try_from(ahead.len()) {
        Ok(0) | Err(_) if artifact.is_some() => states.push(ImageState::Newest),
        Ok(count) if count > 0 => states.push(ImageState::Behind(count)),
        Ok(_) | Err(_) => {}
    }
    states.sort();
    Standing {
        artifact,
        newest,
        states,
    }
}

/// Returns the artifacts that are newer than the one that runs, the newest first.
///
/// By version when the running tag is one: the highest precedence, one step for each version. Else
/// by push time among tagged artifacts. `latest` and signatures' tags are no releases, and
/// pre-releases count only when one runs.
fn ahead_of(own: Option<&Artifact>, running: &str, artifacts: &[Artifact]) -> Vec<usize> {
    let Some(version) = Version::parse(running) else {
        return pushed_after(own, artifacts);
    };
    let best_of = |one: &Artifact| -> Option<Text> {
        let tags = one.tags.iter();
        let mut following: Vec<&Text> = tags.filter(|tag| tag::may_follow(&version, tag)).collect();
        following.sort_by(|a, b| tag::newest_first(a, b));
        following.first().map(|tag| Text::clone(tag))
    };
    let newer = |tag: &str| Version::parse(tag).is_some_and(|one| version.precedence(&one).is_lt());
    let mut found: Vec<(usize, Text)> = artifacts
        .iter()
        .enumerate()
        .filter_map(|(at, one)| Some((at, best_of(one)?)))
        .filter(|(at, best)| newer(best) && artifacts.get(*at) != own)
        .collect();
    found.sort_by(|(_, a), (_, b)| tag::newest_first(a, b));
    found.into_iter().map(|(at, _)| at).collect()
}

fn pushed_after(own: Option<&Artifact>, artifacts: &[Artifact]) -> Vec<usize> {
    let Some(since) = own.and_then(|own| own.pushed) else {
        return Vec::new();
    };
    let mut found: Vec<(usize, DateTime<Utc>)> = artifacts
        .iter()
        .enumerate()
        .filter(|(_, one)| one.is_release())
        .filter_map(|(at, one)| Some((at, one.pushed?)))
        .filter(|(_, pushed)| *pushed > since)
        .collect();
    found.sort_by_key(|(_, pushed)| std::cmp::Reverse(*pushed));
    found.into_iter().map(|(at, _)| at).collect()
}

/// Returns what a scan and signatures add to the states of an artifact that runs.
pub fn content_states(scan: &Scan, signed: Option<bool>) -> Vec<ImageState> {
    let mut states = Vec::new();
    match scan {
        Scan::Done(summary) if summary.total > 0 => states.push(ImageState::Vulnerable {
            severity: summary.severity,
            fixable: summary.fixable,
        }),
        Scan::Never | Scan::Failed { .. } => states.push(ImageState::NotScanned),
        Scan::Untold | Scan::Impossible | Scan::Running { .. } | Scan::Done(_) => {}
    }
    if signed == Some(false) {
        states.push(ImageState::Unsigned);
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(letter: char) -> Digest {
        let hex: String = std::iter::repeat_n(letter, 64).collect();
        Digest::parse(&format!("sha256:{hex}")).expect("a digest")
    }

    fn artifact(letter: char, tags: &[&str], hour: u32) -> Artifact {
        let pushed = DateTime::parse_from_rfc3339(&format!("2026-01-01T{hour:02}:00:00Z"));
        Artifact {
            digest: Some(digest(letter)),
            members: Vec::new(),
            tags: tags.iter().map(|tag| Text::from(*tag)).collect(),
            pushed: pushed.ok().map(|at| at.with_timezone(&Utc)),
        }
    }

    fn running(image: &str, id: &str) -> Running {
        Running::read(image, "", id).expect("readable")
    }

    fn id_of(letter: char) -> String {
        format!("r.io/a/b@{}", digest(letter))
    }

    fn judged(image: &str, id: &str, artifacts: &[Artifact]) -> Standing {
        let shelf = Shelf {
            artifacts,
            complete: true,
        };
        judge(&running(image, id), shelf)
    }

    #[test]
    fn the_newest_version_runs() {
        let shelf = [
            artifact('a', &["1.0.0"], 1),
            artifact('b', &["1.1.0", "latest"], 2),
        ];
        let standing = judged("r.io/a/b:1.1.0", &id_of('b'), &shelf);
        assert_eq!(standing.states, [ImageState::Newest]);
        assert_eq!(standing.artifact, Some(1));
    }

    #[test]
    fn newer_versions_are_counted_and_named() {
        let shelf = [
            artifact('a', &["1.0.0"], 1),
            artifact('b', &["1.1.0"], 2),
            artifact('c', &["2.0.0-rc.1"], 3),
            artifact('d', &["1.10.0", "stable"], 4),
            artifact('e', &["1.2.0-alpine"], 5),
        ];
        let standing = judged("r.io/a/b:1.0.0", &id_of('a'), &shelf);
        assert_eq!(standing.states, [ImageState::Behind(2)]);
        assert_eq!(standing.newest, Some(3));
    }

    #[test]
    fn every_kind_of_digest_is_the_same_artifact() {
        let mut index = artifact('a', &["1.0.0"], 1);
        index.members = vec![digest('b'), digest('c')];
        let shelf = [index];
        for id in [
            id_of('a'),
            id_of('b'),
            digest('c').to_string(),
            format!("docker-pullable://other.io/x/y@{}", digest('b')),
        ] {
            let standing = judged("r.io/a/b:1.0.0", &id, &shelf);
            assert_eq!(standing.states, [ImageState::Newest], "{id}");
        }
    }

    #[test]
    fn a_tag_that_moved_away_is_told() {
        let shelf = [artifact('a', &[], 1), artifact('b', &["main"], 2)];
        let standing = judged("r.io/a/b:main", &id_of('a'), &shelf);
        assert_eq!(
            standing.states,
            [ImageState::MovedTag, ImageState::Behind(1)]
        );
        assert_eq!((standing.artifact, standing.newest), (Some(0), Some(1)));
    }

    #[test]
    fn what_is_pinned_does_not_move() {
        let shelf = [artifact('a', &["1.0.0"], 1), artifact('b', &["1.1.0"], 2)];
        let image = format!("r.io/a/b:1.1.0@{}", digest('a'));
        let standing = judged(&image, &id_of('a'), &shelf);
        assert_eq!(standing.states, [ImageState::Behind(1), ImageState::Pinned]);
        let image = format!("r.io/a/b@{}", digest('a'));
        let standing = judged(&image, "", &shelf);
        assert_eq!(standing.states, [ImageState::Behind(1), ImageState::Pinned]);
    }

    #[test]
    fn gone_is_said_only_when_it_is_sure() {
        let shelf = [artifact('a', &["1.0.0"], 1)];
        let standing = judged("r.io/a/b:0.9.0", &id_of('f'), &shelf);
        assert_eq!(standing.states, [ImageState::Gone, ImageState::Behind(1)]);

        let unsure = Shelf {
            artifacts: &shelf,
            complete: false,
        };
        let standing = judge(&running("r.io/a/b:0.9.0", &id_of('f')), unsure);
        assert!(standing.states.contains(&ImageState::Unknown));
        let standing = judged("r.io/a/b:0.9.0", &id_of('f'), &[]);
        assert_eq!(standing.states, [ImageState::Unknown]);
    }

    #[test]
    fn a_container_that_has_not_begun_goes_by_its_tag() {
        let shelf = [artifact('a', &["1.0.0"], 1)];
        let standing = judged("r.io/a/b:1.0.0", "", &shelf);
        assert_eq!(standing.artifact, Some(0));
        assert_eq!(standing.states, [ImageState::Newest]);
    }

    #[test]
    fn commits_are_ordered_by_when_they_were_pushed() {
        let shelf = [
            artifact('a', &["3f2a91c"], 3),
            artifact('b', &["9b1c22e"], 5),
            artifact('c', &["sha256-00.sig"], 7),
            artifact('d', &["77aa0d1"], 4),
        ];
        let standing = judged("r.io/a/b:3f2a91c", &id_of('a'), &shelf);
        assert_eq!(standing.states, [ImageState::Behind(2)]);
        assert_eq!(standing.newest, Some(1));
    }

    #[test]
    fn an_image_id_as_the_wanted_image_takes_the_nodes_name() {
        let spec = digest('a').to_string();
        let read = Running::read(&spec, "r.io/a/b:1", &id_of('a')).expect("readable");
        assert_eq!(&*read.wanted.host, "r.io");
        assert!(Running::read("", "", "").is_none());
    }

    #[test]
    fn content_adds_its_own_states() {
        let summary = super::super::scan::VulnSummary {
            severity: Severity::High,
            total: 3,
            fixable: 2,
            ..Default::default()
        };
        let states = content_states(&Scan::Done(summary), Some(false));
        assert_eq!(states[0].text(), "high (2 fixable)");
        assert_eq!(states[1], ImageState::Unsigned);
        assert!(states[0].is_trouble() && !states[1].is_trouble());
        assert_eq!(content_states(&Scan::Never, None), [ImageState::NotScanned]);
        assert!(content_states(&Scan::Untold, Some(true)).is_empty());
    }
}
