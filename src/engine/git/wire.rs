//! Git's smart HTTP protocol, version 0, as far as one commit needs it: refs, one fetch of depth 1,
//! one push (git `Documentation/gitprotocol-http`, `gitprotocol-pack`, `gitprotocol-capabilities`).
//!
//! Everything is a packet line: four hexadecimal digits of length, then the data; `0000` ends a part.

use std::collections::BTreeMap;

const AGENT: &str = concat!("tiphys/", env!("CARGO_PKG_VERSION"));
const FLUSH: &[u8] = b"0000";
/// The id of what does not exist.
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// What is asked of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Fetch,
    Push,
}

impl Service {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fetch => "git-upload-pack",
            Self::Push => "git-receive-pack",
        }
    }
}

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packet<'p> {
    Data(&'p [u8]),
    Flush,
}

/// Takes the first packet off; nothing when no more is there.
fn packet<'p>(bytes: &mut &'p [u8]) -> Result<Option<Packet<'p>>, String> {
    let broken = || String::from("its answer is not in git's protocol");
    let Some((length, rest)) = bytes.split_at_checked(4) else {
        return if bytes.is_empty() {
            Ok(None)
        } else {
            Err(broken())
        };
    };
    let length = std::str::from_utf8(length).ok();
    let length = length.and_then(|text| usize::from_str_radix(text, 16).ok());
    let length = length.ok_or_else(broken)?;
    if length == 0 {
        *bytes = rest;
        return Ok(Some(Packet::Flush));
    }
    let data = length
        .checked_sub(4)
        .and_then(|size| rest.split_at_checked(size));
    let (data, rest) = data.ok_or_else(broken)?;
    *bytes = rest;
    if let Some(said) = data.strip_prefix(b"ERR ") {
        return Err(format!("it says: {}", words(said)));
    }
    Ok(Some(Packet::Data(data)))
}

/// Text from the other side, on one line.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn line(text: &str) -> Vec<u8> {
    let mut line = format!("{:04x}", text.len() + 4).into_bytes();
    line.extend_from_slice(text.as_bytes());
    line
}

/// What a repository says it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refs {
    /// Commit by full name, such as `refs/heads/main`.
    pub(super) by_name: BTreeMap<String, String>,
    capabilities: Vec<String>,
}

impl Refs {
    /// Reads the answer to `info/refs`.
    pub(super) fn read(bytes: &[u8], service: Service) -> Result<Self, String> {
        let mut rest = bytes;
        let announced = format!("# service={}", service.name());
        match packet(&mut rest)? {
            Some(Packet::Data(first)) if words(first) == announced => {}
            Some(_) | None => {
                return Err(String::from("it is no git server of the smart protocol"));
            }
        }
        let mut refs = Self::default();
        while let Some(packet) = packet(&mut rest)? {
            let Packet::Data(data) = packet else { continue };
            let mut halves = data.splitn(2, |byte| *byte == 0);
            let named = halves.next().map(words).unwrap_or_default();
            if let Some(capabilities) = halves.next() {
                let capabilities = words(capabilities);
                refs.capabilities = capabilities.split(' ').map(str::to_owned).collect();
            }
            if let Some((id, name)) = named.split_once(' ')
                && id != NOTHING
            {
                refs.by_name.insert(name.to_owned(), id.to_owned());
            }
        }
        Ok(refs)
    }

    fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|one| one == capability)
    }

    /// Returns the branch that HEAD means, by its full name.
    pub(super) fn head(&self) -> Option<&str> {
        let told = self
            .capabilities
            .iter()
            .find_map(|one| one.strip_prefix("symref=HEAD:"));
        told.or_else(|| {
            // An old server does not tell; the branch with the same commit is the one.
            let at = self.by_name.get("HEAD")?;
            let usual = ["refs/heads/main", "refs/heads/master"].into_iter();
            let others = self.by_name.keys().map(String::as_str);
            let mut names = usual.chain(others.filter(|name| name.starts_with("refs/heads/")));
            names.find(|name| self.by_name.get(*name) == Some(at))
        })
    }

    fn common(&self, wanted: &[&str]) -> String {
        let mut chosen: Vec<&str> = wanted.iter().copied().filter(|one| self.can(one)).collect();
        let agent = format!("agent={AGENT}");
        if self
            .capabilities
            .iter()
            .any(|one| one.starts_with("agent="))
        {
            chosen.push(&agent);
        }
        chosen.join(" ")
    }

    /// Asks for one commit without its past.
    ///
    /// # Errors
    /// The server cannot leave the past away.
    pub(super) fn want(&self, commit: &str) -> Result<Vec<u8>, String> {
        if !self.can("shallow") {
            return Err(String::from(
                "it cannot give one commit without the whole history",
            ));
        }
        let capabilities = self.common(&["shallow", "side-band-64k", "ofs-delta", "no-progress"]);
        let mut body = line(&format!("want {commit} {capabilities}\n"));
        body.extend(line("deepen 1\n"));
        body.extend_from_slice(FLUSH);
        body.extend(line("done\n"));
        Ok(body)
    }

    /// Takes the pack out of the answer to [`Refs::want`].
    pub(super) fn pack(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut rest = bytes;
        loop {
            match packet(&mut rest)? {
                Some(Packet::Data(data)) if words(data) == "NAK" => break,
                Some(_) => {}
                None => return Err(String::from("it sent no objects")),
            }
        }
        if !self.can("side-band-64k") {
            return Ok(rest.to_vec());
        }
        Ok(bands(rest)?.0)
    }

    /// Moves a branch with the objects of a pack.
    pub(super) fn push(&self, (old, new): (&str, &str), name: &str, pack: &[u8]) -> Vec<u8> {
        let capabilities = self.common(&["report-status", "side-band-64k"]);
        let mut body = line(&format!("{old} {new} {name}\0 {capabilities}"));
        body.extend_from_slice(FLUSH);
        body.extend_from_slice(pack);
        body
    }

    /// Reads what became of [`Refs::push`].
    pub(super) fn report(&self, bytes: &[u8], name: &str) -> Result<(), NotPushed> {
        let broken = |why: String| NotPushed::Refused(why);
        let (report, said) = if self.can("side-band-64k") {
            bands(bytes).map_err(broken)?
        } else {
            (bytes.to_vec(), String::new())
        };
        let mut rest = &*report;
        let mut taken = !self.can("report-status");
        while let Some(packet) = packet(&mut rest).map_err(broken)? {
            let Packet::Data(data) = packet else { continue };
            let text = words(data);
            if let Some(why) = text.strip_prefix("unpack ")
                && why != "ok"
            {
                return Err(NotPushed::Refused(format!(
                    "it cannot take the objects: {why}"
                )));
            }
            if let Some(why) = text.strip_prefix(&format!("ng {name} ")) {
                return Err(NotPushed::of(why, &said));
            }
            taken |= text == format!("ok {name}");
        }
        if taken {
            Ok(())
        } else {
            Err(NotPushed::Refused(String::from(
                "it does not say that it took the commit",
            )))
        }
    }
}

/// Why a branch did not move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotPushed {
    /// Somebody else moved it meanwhile.
    Moved,
    /// What the server says.
    Refused(String),
}

impl NotPushed {
    fn of(why: &str, said: &str) -> Self {
        let moved = [
            "fetch first",
            "non-fast-forward",
            "stale info",
            "failed to update ref",
            "cannot lock ref",
            "failed to lock",
            "incorrect old value",
            "reference already exists",
        ];
        if moved.iter().any(|one| why.contains(one)) {
            return Self::Moved;
        }
        let more = if said.is_empty() {
            String::new()
        } else {
            format!(": {said}")
        };
        Self::Refused(format!("it refuses the push ({why}){more}"))
    }
}

/// Sorts what comes in bands: data, and what is said to the user.
fn bands(bytes: &[u8]) -> Result<(Vec<u8>, String), String> {
    let mut rest = bytes;
    let (mut data, mut said) = (Vec::new(), Vec::new());
    while let Some(packet) = packet(&mut rest)? {
        let Packet::Data(packet) = packet else {
            continue;
        };
        match packet.split_first() {
            Some((1, part)) => data.extend_from_slice(part),
            Some((2, part)) => said.extend_from_slice(part),
            Some((3, part)) => return Err(format!("it says: {}", words(part))),
            Some(_) | None => {}
        }
    }
    Ok((data, words(&said)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn advertised(capabilities: &str) -> Vec<u8> {
        let mut body = line("# service=git-upload-pack\n");
        body.extend_from_slice(FLUSH);
        body.extend(line(&format!("{A} HEAD\0{capabilities}\n")));
        body.extend(line(&format!("{A} refs/heads/trunk\n")));
        body.extend_from_slice(FLUSH);
        body
    }

    fn band(number: u8, data: &[u8]) -> Vec<u8> {
        let mut packet = format!("{:04x}", data.len() + 5).into_bytes();
        packet.push(number);
        packet.extend_from_slice(data);
        packet
    }

    fn refs(capabilities: &str) -> Refs {
        Refs::read(&advertised(capabilities), Service::Fetch).expect("refs")
    }

    #[test]
    fn refs_and_the_default_branch_are_read() {
        let told = refs("shallow symref=HEAD:refs/heads/trunk agent=git/2");
        assert_eq!(told.head(), Some("refs/heads/trunk"));
        assert_eq!(
            told.by_name.get("refs/heads/trunk").map(String::as_str),
            Some(A)
        );
        assert_eq!(refs("shallow").head(), Some("refs/heads/trunk"));
        let page = Refs::read(b"<html>", Service::Fetch);
        assert!(page.is_err());
        let wrong = Refs::read(&advertised(""), Service::Push);
        assert!(wrong.is_err());
    }

    #[test]
    fn one_commit_is_asked_for_and_its_pack_is_taken_out() {
        let server = refs("shallow side-band-64k agent=git/2");
        let asked = server.want(A).expect("possible");
        let text = String::from_utf8(asked).expect("text");
        assert!(text.contains(&format!("want {A} shallow side-band-64k agent=tiphys/")));
        assert!(text.ends_with("000ddeepen 1\n00000009done\n"), "{text}");
        assert!(refs("").want(A).is_err());

        let mut answer = line(&format!("shallow {A}\n"));
        answer.extend_from_slice(FLUSH);
        answer.extend(line("NAK\n"));
        answer.extend(band(2, b"counting\n"));
        answer.extend(band(1, b"PACK"));
        answer.extend(band(1, b"rest"));
        answer.extend_from_slice(FLUSH);
        assert_eq!(server.pack(&answer), Ok(b"PACKrest".to_vec()));
        let error = line("ERR access denied\n");
        assert_eq!(
            server.pack(&error),
            Err(String::from("it says: access denied"))
        );
    }

    #[test]
    fn a_push_is_taken_moved_or_refused() {
        let server = refs("report-status side-band-64k");
        let answer = |report: &[&str]| {
            let lines: Vec<u8> = report.iter().flat_map(|text| line(text)).collect();
            let mut answer = band(2, b"only the release team may push\n");
            answer.extend(band(1, &[&*lines, FLUSH].concat()));
            answer.extend_from_slice(FLUSH);
            answer
        };
        let name = "refs/heads/main";
        let report = |lines: &[&str]| server.report(&answer(lines), name);
        assert_eq!(report(&["unpack ok\n", "ok refs/heads/main\n"]), Ok(()));
        let moved = report(&["unpack ok\n", "ng refs/heads/main fetch first\n"]);
        assert_eq!(moved, Err(NotPushed::Moved));
        let refused = report(&[
            "unpack ok\n",
            "ng refs/heads/main pre-receive hook declined\n",
        ]);
        let sentence =
            "it refuses the push (pre-receive hook declined): only the release team may push";
        assert_eq!(refused, Err(NotPushed::Refused(sentence.to_owned())));
        assert!(report(&["unpack ok\n"]).is_err());
    }
}
