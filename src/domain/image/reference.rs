//! Image references and digests, normalised as container runtimes do.
//!
//! The grammar is that of distribution's `reference` package: a first part with a dot, a colon or
//! the name `localhost` is a host; without one the host is `docker.io`, where official images lie
//! below `library/`. What a node reports as `imageID` comes in several dress (`docker-pullable://`,
//! a bare config digest, a bare name) and is read by [`ImageId`].

use crate::domain::object::Text;
use std::fmt;

/// The host of references that name none.
pub const DOCKER_HUB: &str = "docker.io";

/// The digest of some content: `sha256:` and 64 hexadecimal digits, or another algorithm.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Text);

impl Digest {
    /// Reads a digest; a bare `sha256` in hexadecimal is one too.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let Some((algorithm, hex)) = text.split_once(':') else {
            let bare = text.len() == 64 && is_hex(text);
            return bare.then(|| Self(format!("sha256:{text}").into()));
        };
        let known = match algorithm {
            "sha256" => hex.len() == 64,
            "sha384" => hex.len() == 96,
            "sha512" => hex.len() == 128,
            _ => false,
        };
        (known && is_hex(hex)).then(|| Self(text.into()))
    }

    /// Returns it as text, such as `sha256:0123…`.
    pub fn text(&self) -> &Text {
        &self.0
    }

    /// Returns the first twelve digits, as people quote digests.
    pub fn short(&self) -> &str {
        let hex = self.0.split_once(':').map_or(&*self.0, |(_, hex)| hex);
        hex.get(..12).unwrap_or(hex)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an image is: host, repository, and tag or digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// With its port, in lower case.
    pub host: Text,
    /// Path below the host, such as `library/nginx`.
    pub repository: Text,
    /// As written; [`Reference::tag_or_latest`] settles what is left out.
    pub tag: Option<Text>,
    pub digest: Option<Digest>,
}

impl Reference {
    /// Reads a reference; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = undressed(text.trim());
        let (text, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(Digest::parse(digest)?)),
            None => (text, None),
        };
        let (name, tag) = split_tag(text);
        if name.is_empty() || tag.is_some_and(|tag| !is_tag(tag)) {
            return None;
        }
        let (host, path) = split_host(name);
        if path.is_empty() || !path.split('/').all(is_path_part) {
            return None;
        }
        let host = host.to_ascii_lowercase();
        let official = host == DOCKER_HUB && !path.contains('/');
        let library = if official { "library/" } else { "" };
        Some(Self {
            host: host.into(),
            repository: format!("{library}{path}").into(),
            tag: tag.map(Text::from),
            digest,
        })
    }

    /// Returns the tag that is pulled; none when a digest pins it without one.
    pub fn tag_or_latest(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Some(tag),
            (None, None) => Some("latest"),
            (None, Some(_)) => None,
        }
    }

    /// Returns `host/repository`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }

    /// Returns the last part of the repository, as people call the image.
    pub fn short_name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or_default()
    }

    /// Returns the repository without its last part: a project, or an organisation.
    pub fn project(&self) -> &str {
        self.repository
            .rsplit_once('/')
            .map_or("", |(project, _)| project)
    }

    /// Returns the same image under another tag or digest.
    #[must_use]
    pub fn at(&self, tag: Option<Text>, digest: Option<Digest>) -> Self {
        Self {
            host: Text::clone(&self.host),
            repository: Text::clone(&self.repository),
            tag,
            digest,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Takes the runtime's scheme away.
fn undressed(text: &str) -> &str {
    let dresses = [
        "docker-pullable://",
        "docker://",
        "containerd://",
        "cri-o://",
    ];
    let mut found = dresses.iter().filter_map(|dress| text.strip_prefix(dress));
    found.next().unwrap_or(text)
}

fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        // A colon before a slash belongs to the host's port.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        Some(_) | None => (text, None),
    }
}

fn split_host(name: &str) -> (&str, &str) {
    let Some((first, rest)) = name.split_once('/') else {
        return (DOCKER_HUB, name);
    };
    let is_host = first.contains(['.', ':'])
        || first == "localhost"
        || first.bytes().any(|byte| byte.is_ascii_uppercase());
    if !is_host {
        return (DOCKER_HUB, name);
    }
    match first {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => {
            (DOCKER_HUB, rest)
        }
        _ => (first, rest),
    }
}

fn is_path_part(part: &str) -> bool {
    let ends = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let bytes = part.as_bytes();
    ends(bytes.first())
        && ends(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(byte))
}

/// Returns whether a text can be a tag.
pub fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut bytes = text.bytes();
    text.len() <= 128
        && bytes.next().is_some_and(word)
        && bytes.all(|byte| word(byte) || b".-".contains(&byte))
}

/// What a node says that a container runs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ImageId {
    /// The repository by which the runtime knows it; not always the one that was asked for.
    pub name: Option<Reference>,
    /// Of an index, a platform's manifest or a config: runtimes differ.
    pub digest: Option<Digest>,
}

impl ImageId {
    /// Reads `status.containerStatuses[].imageID`; anything else is an empty one.
    pub fn parse(text: &str) -> Self {
        let bare = undressed(text.trim());
        if let Some(digest) = Digest::parse(bare) {
            return Self {
                name: None,
                digest: Some(digest),
            };
        }
        let Some(name) = Reference::parse(bare) else {
            return Self::default();
        };
        Self {
            digest: name.digest.clone(),
            name: Some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn parsed(text: &str) -> String {
        Reference::parse(text).map_or_else(|| String::from("-"), |one| one.to_string())
    }

    #[test]
    fn references_are_normalised_as_runtimes_do() {
        for (written, meant) in [
            ("nginx", "docker.io/library/nginx"),
            ("nginx:1.27-alpine", "docker.io/library/nginx:1.27-alpine"),
            ("bitnami/redis", "docker.io/bitnami/redis"),
            ("docker.io/nginx", "docker.io/library/nginx"),
            (
                "index.docker.io/library/nginx:1",
                "docker.io/library/nginx:1",
            ),
            ("localhost/app", "localhost/app"),
            ("localhost:5000/team/app:v1", "localhost:5000/team/app:v1"),
            (
                "registry.tiphys.local/shop/demo-app:2.3.0",
                "registry.tiphys.local/shop/demo-app:2.3.0",
            ),
            ("GHCR.io/Org/App", "-"),
            ("GHCR.io/org/app", "ghcr.io/org/app"),
            ("a//b", "-"),
            ("nginx:", "-"),
            ("nginx:bad tag", "-"),
            ("", "-"),
            ("nginx@sha256:1234", "-"),
        ] {
            assert_eq!(parsed(written), meant, "{written}");
        }
    }

    #[test]
    fn a_digest_pins_with_or_without_a_tag() {
        let pinned = Reference::parse(&format!("ghcr.io/o/a@sha256:{HEX}")).expect("a reference");
        assert_eq!(pinned.tag_or_latest(), None);
        let both = Reference::parse(&format!("ghcr.io/o/a:v1@sha256:{HEX}")).expect("a reference");
        assert_eq!(both.tag_or_latest(), Some("v1"));
        assert_eq!(
            both.digest.as_ref().map(Digest::short),
            Some("0123456789ab")
        );
        let open = Reference::parse("ghcr.io/o/a").expect("a reference");
        assert_eq!(open.tag_or_latest(), Some("latest"));
        assert_eq!((open.project(), open.short_name()), ("o", "a"));
    }

    #[test]
    fn image_ids_come_in_several_dresses() {
        let named = format!("docker-pullable://registry.example.com/a/b@sha256:{HEX}");
        let named = ImageId::parse(&named);
        assert_eq!(
            named.name.map(|name| name.name()).as_deref(),
            Some("registry.example.com/a/b")
        );
        assert!(named.digest.is_some());

        for config in [
            format!("sha256:{HEX}"),
            format!("docker://sha256:{HEX}"),
            HEX.to_owned(),
        ] {
            let id = ImageId::parse(&config);
            assert_eq!(id.name, None, "{config}");
            assert_eq!(
                id.digest.map(|one| one.to_string()),
                Some(format!("sha256:{HEX}"))
            );
        }
        let loaded = ImageId::parse("docker.io/library/local:dev");
        assert!(loaded.digest.is_none() && loaded.name.is_some());
        assert_eq!(ImageId::parse(""), ImageId::default());
    }

    #[test]
    fn digests_of_other_lengths_are_none() {
        assert_eq!(Digest::parse("sha256:12"), None);
        assert_eq!(Digest::parse(&format!("md5:{HEX}")), None);
        assert_eq!(
            Digest::parse(&format!("sha256:{}", HEX.to_uppercase())),
            None
        );
        assert!(Digest::parse(&format!("sha512:{HEX}{HEX}")).is_some());
    }
}
