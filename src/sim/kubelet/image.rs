//! Which images can be pulled, and how what runs from them behaves.
//!
//! [`ImageProfile`] is read from a scenario; [`ImageSource`] is what the kubelet asks. Times are
//! seconds of platform time.

use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock};

/// How containers of some images behave. What is left out behaves well.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ImageProfile {
    /// The images it is about: a reference in which `*` stands for anything.
    pub image: String,
    /// How long a pull takes; by default 0.5 to 1.5 s.
    pub pull_seconds: Option<f64>,
    /// Pulling fails with this message (`not found`, `unauthorized` …).
    pub pull_error: Option<String>,
    /// From the start of the container until its probes succeed.
    pub ready_after: f64,
    /// The readiness probe never succeeds.
    pub never_ready: bool,
    /// From the start of the container until its liveness probe begins to fail.
    pub unhealthy_after: Option<f64>,
    /// From the start of the container until it exits.
    pub exit_after: Option<f64>,
    /// What it exits with.
    pub exit_code: i32,
    /// The exit is the kernel's doing: out of memory.
    pub out_of_memory: bool,
    /// How long it takes to end after SIGTERM; by default 0.2 s.
    pub stop_seconds: Option<f64>,
    /// What it writes when it starts.
    pub log_start: Vec<String>,
    /// What it writes over and over; `{n}` is the line's number.
    pub log_lines: Vec<String>,
    /// The time between two of these lines; by default 5 s.
    pub log_every: Option<f64>,
    /// What it writes before it exits by itself.
    pub log_end: Vec<String>,
    /// The share of requests it fails, 0 to 1.
    pub errors: f64,
    /// What it answers those with; by default 500.
    pub error_code: Option<u16>,
    /// Half of its requests take at most this many milliseconds; by default 12.
    pub latency_p50_ms: Option<f64>,
    /// 95 % of its requests take at most this many milliseconds; by default 3.5 times the half's.
    pub latency_p95_ms: Option<f64>,
}

impl ImageProfile {
    /// Returns what is wrong with the numbers.
    pub fn mistake(&self) -> Option<&'static str> {
        let is_span = |value: Option<f64>| value.is_none_or(|ms| ms > 0.0 && ms <= 600_000.0);
        if !(0.0..=1.0).contains(&self.errors) {
            return Some("`errors` is a share of the requests, from 0 to 1");
        }
        if self
            .error_code
            .is_some_and(|code| !(400..=599).contains(&code))
        {
            return Some("`error-code` is an HTTP status from 400 to 599");
        }
        if !is_span(self.latency_p50_ms) || !is_span(self.latency_p95_ms) {
            return Some("latencies are milliseconds: more than 0, at most 600000");
        }
        let is_above = self.latency_p95_ms > self.latency_p50_ms;
        (self.latency_p95_ms.is_some() && self.latency_p50_ms.is_some() && !is_above)
            .then_some("`latency-p95-ms` is more than `latency-p50-ms`")
    }
}

/// What became of a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullOutcome {
    /// The image is on the node.
    Pulled {
        /// `sha256:…`
        digest: String,
        /// Bytes, compressed.
        size: u64,
    },
    /// The registry does not give it.
    Failed {
        /// What the container runtime says.
        message: String,
    },
}

/// Where images come from and what they do.
pub trait ImageSource: Debug + Send + Sync + 'static {
    /// Pulls an image.
    fn pull(&self, image: &str) -> PullOutcome;

    /// Returns how containers of the image behave.
    fn profile(&self, image: &str) -> ImageProfile;
}

/// A registry of the platform, as its nodes pull from it.
pub trait OwnRegistry: Debug + Send + Sync + 'static {
    /// Returns whether a reference is to this registry.
    fn holds(&self, image: &str) -> bool;

    /// Pulls an image: its digest and size, or what the container runtime says about it.
    fn pull(&self, image: &str) -> Result<(String, u64), String>;
}

/// Images by rule: the platform's own registry must have them, others can always be pulled.
#[derive(Debug, Default)]
pub struct ImageCatalog {
    own_hosts: Vec<String>,
    own: Option<Arc<dyn OwnRegistry>>,
    present: RwLock<BTreeSet<String>>,
    profiles: Vec<ImageProfile>,
}

impl ImageCatalog {
    /// Makes a catalog; `own_hosts` are the registries whose images must have been added.
    pub fn new(own_hosts: Vec<String>, profiles: Vec<ImageProfile>) -> Self {
        Self {
            own_hosts,
            own: None,
            present: RwLock::default(),
            profiles,
        }
    }

    /// Lets the images of one host come from a registry with content.
    #[must_use]
    pub fn pulling_from(mut self, own: Arc<dyn OwnRegistry>) -> Self {
        self.own = Some(own);
        self
    }

    /// Makes an image of an own registry available.
    pub fn add(&self, image: impl Into<String>) {
        self.present
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(image.into());
    }

    fn is_missing(&self, image: &str) -> bool {
        let host = image.split('/').next().unwrap_or_default();
        self.own_hosts.iter().any(|own| own == host)
            && !self
                .present
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(image)
    }
}

impl ImageSource for ImageCatalog {
    fn pull(&self, image: &str) -> PullOutcome {
        let full = full_reference(image);
        let failed = |what: &str| PullOutcome::Failed {
            message: format!(
                "failed to pull and unpack image \"{full}\": failed to resolve reference \
                 \"{full}\": {full}: {what}"
            ),
        };
        if let Some(error) = self.profile(image).pull_error {
            return failed(&error);
        }
        if let Some(own) = self.own.as_ref().filter(|own| own.holds(&full)) {
            return match own.pull(&full) {
                Ok((digest, size)) => PullOutcome::Pulled { digest, size },
                Err(said) => PullOutcome::Failed {
                    message: format!("failed to pull and unpack image \"{full}\": {said}"),
                },
            };
        }
        if self.is_missing(image) {
            return failed("not found");
        }
        PullOutcome::Pulled {
            digest: digest_of(image),
            size: 20_000_000 + u64::from(crate::sim::rng::fnv32a(image.as_bytes())) % 80_000_000,
        }
    }

    fn profile(&self, image: &str) -> ImageProfile {
        self.profiles
            .iter()
            .find(|profile| glob(&profile.image, image))
            .cloned()
            .unwrap_or_default()
    }
}

/// Returns the digest that an image of this name has on the platform.
pub fn digest_of(image: &str) -> String {
    use sha2::{Digest, Sha256};
    if let Some((_, digest)) = image.split_once('@') {
        return digest.to_owned();
    }
    let hash = Sha256::digest(image.as_bytes());
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16);
    let hex: String = hash
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(digit)
        .collect();
    format!("sha256:{hex}")
}

/// Spells out registry, namespace and tag, as container runtimes do.
pub fn full_reference(image: &str) -> String {
    let (name, tag) = split_tag(image);
    let host = name.split('/').next().unwrap_or_default();
    let has_host =
        name.contains('/') && (host.contains('.') || host.contains(':') || host == "localhost");
    let name = match (has_host, name.contains('/')) {
        (true, _) => name.to_owned(),
        (false, true) => format!("docker.io/{name}"),
        (false, false) => format!("docker.io/library/{name}"),
    };
    match tag {
        Some(tag) => format!("{name}{tag}"),
        None => format!("{name}:latest"),
    }
}

/// The image is pulled at each start unless the pod says otherwise: no tag, or `latest`.
pub(super) fn is_moving(image: &str) -> bool {
    matches!(split_tag(image).1, None | Some(":latest"))
}

/// The reference can be read at all.
pub(super) fn is_valid(image: &str) -> bool {
    let (name, tag) = split_tag(image);
    let name_ok = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/:".contains(c));
    let tag_ok = tag.is_none_or(|tag| {
        tag.len() > 1
            && tag
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-:@".contains(c))
    });
    name_ok && tag_ok
}

/// Splits off `:tag` or `@digest`, with its separator.
fn split_tag(image: &str) -> (&str, Option<&str>) {
    if let Some(at) = image.find('@') {
        let (name, tag) = image.split_at(at);
        return (name, Some(tag));
    }
    match image.rfind(':') {
        Some(at) if image.rfind('/').is_none_or(|slash| slash < at) => {
            let (name, tag) = image.split_at(at);
            (name, Some(tag))
        }
        Some(_) | None => (image, None),
    }
}

fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let mut exact = true;
    for piece in pieces {
        exact = piece.is_empty();
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        // The last piece must end the text; an earlier match may be followed by another.
        rest = if piece.is_empty() { rest } else { after };
        if !piece.is_empty() {
            exact = rest.is_empty();
        }
    }
    if pattern.contains('*') {
        exact
            || pattern
                .rsplit('*')
                .next()
                .is_some_and(|end| text.ends_with(end))
    } else {
        rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_spelled_out_as_runtimes_do() {
        assert_eq!(full_reference("nginx"), "docker.io/library/nginx:latest");
        assert_eq!(full_reference("argoproj/app:1"), "docker.io/argoproj/app:1");
        assert_eq!(full_reference("host:5000/a/b"), "host:5000/a/b:latest");
        assert!(is_moving("host:5000/a/b"));
        assert!(!is_moving("nginx@sha256:abc"));
        assert!(!is_valid("Nginx:1"));
        assert!(!is_valid("nginx:"));
    }

    #[test]
    fn only_own_registries_can_lack_an_image() {
        let catalog = ImageCatalog::new(vec!["registry.demo".into()], Vec::new());

        let other = catalog.pull("quay.io/any/thing:v9");
        let missing = catalog.pull("registry.demo/shop/web:v1");
        catalog.add("registry.demo/shop/web:v1");
        let added = catalog.pull("registry.demo/shop/web:v1");

        assert!(matches!(other, PullOutcome::Pulled { .. }));
        assert!(
            matches!(&missing, PullOutcome::Failed { message } if message.ends_with("web:v1: not found"))
        );
        assert!(matches!(added, PullOutcome::Pulled { .. }));
    }

    #[test]
    fn profiles_match_by_glob() {
        assert!(glob("*/web:*", "registry.demo/web:v1"));
        assert!(glob("nginx:1", "nginx:1"));
        assert!(glob("nginx:*-bad", "nginx:2-bad"));
        assert!(!glob("nginx:*-bad", "nginx:2-good"));
        assert!(!glob("nginx:1", "nginx:12"));
        assert!(!glob("nginx:1", "my/nginx:1"));
    }

    #[test]
    fn a_profile_reads_from_toml_and_refuses_typos() {
        let profile: ImageProfile =
            toml::from_str("image = \"*bad*\"\nexit-after = 2\nexit-code = 1").expect("it reads");

        assert_eq!(profile.exit_after, Some(2.0));
        assert!(toml::from_str::<ImageProfile>("image = \"x\"\nexit-kode = 1").is_err());
    }
}
