//! Ranges of versions as Masterminds/semver 3.4 reads and checks them (`constraints.go`).
//!
//! `||` separates alternatives, spaces or commas what must all hold; a part left out or `x`, `X`, `*`
//! stands for any. A pre-release satisfies an alternative only if that names a pre-release itself.

use super::version::{Version, are_identifiers, natural_number};
use std::fmt;

/// A range of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    text: String,
    alternatives: Vec<Vec<Bound>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// What of a version was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    Patch,
    Minor,
    All,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    operator: Operator,
    version: Version,
    open: Open,
}

impl Constraint {
    /// Reads a range; the error is one sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no range of versions");
        let mut alternatives = Vec::new();
        for one in text.split("||") {
            let bounds = bounds(one).ok_or_else(wrong)?;
            if bounds.is_empty() {
                return Err(wrong());
            }
            alternatives.push(bounds);
        }
        Ok(Self {
            text: text.to_owned(),
            alternatives,
        })
    }

    /// Returns whether a version satisfies it.
    pub fn allows(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|all| {
            let takes_pre = all.iter().any(|bound| bound.version.is_pre_release());
            (takes_pre || !version.is_pre_release()) && all.iter().all(|one| one.holds(version))
        })
    }

    /// Returns whether it would allow a version if pre-releases were taken.
    pub fn allows_but_for_pre_release(&self, version: &Version) -> bool {
        version.is_pre_release()
            && !self.allows(version)
            && self
                .alternatives
                .iter()
                .any(|all| all.iter().all(|one| one.holds(version)))
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads what must all hold: bounds, and ranges such as `1.2 - 1.4`.
fn bounds(text: &str) -> Option<Vec<Bound>> {
    let mut found: Vec<Bound> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest
            .find(|letter: char| !"=!<>~^".contains(letter))
            .unwrap_or(rest.len());
        let (operator, after) = rest.split_at(end);
        let operator = operator_of(operator)?;
        let after = after.trim_start();
        let end = after.find([' ', '\t', ',']).unwrap_or(after.len());
        let (version, after) = after.split_at(end);
        let mut bound = bound(operator, version)?;
        let after = after.trim_start();
        if let Some(upper) = after.strip_prefix("- ") {
            let upper = upper.trim_start();
            let end = upper.find([' ', '\t', ',']).unwrap_or(upper.len());
            let (version, after) = upper.split_at(end);
            bound.operator = Operator::GreaterOrEqual;
            found.push(bound);
            found.push(self::bound(Operator::LessOrEqual, version)?);
            rest = next(after);
        } else {
            found.push(bound);
            rest = next(after);
        }
    }
    Some(found)
}

/// Skips one separator.
fn next(text: &str) -> &str {
    let text = text.trim_start();
    text.strip_prefix(',').unwrap_or(text).trim_start()
}

fn operator_of(text: &str) -> Option<Operator> {
    Some(match text {
        "" | "=" => Operator::Equal,
        "!=" => Operator::NotEqual,
        ">" => Operator::Greater,
        "<" => Operator::Less,
        ">=" | "=>" => Operator::GreaterOrEqual,
        "<=" | "=<" => Operator::LessOrEqual,
        "~" | "~>" => Operator::Tilde,
        "^" => Operator::Caret,
        _ => return None,
    })
}

fn bound(operator: Operator, text: &str) -> Option<Bound> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, metadata) = text
        .split_once('+')
        .map_or((text, None), |(text, metadata)| (text, Some(metadata)));
    let (core, pre) = text
        .split_once('-')
        .map_or((text, None), |(core, pre)| (core, Some(pre)));
    let well_formed = |part: Option<&str>| part.is_none_or(are_identifiers);
    if !well_formed(metadata) || !well_formed(pre) {
        return None;
    }
    let parts: Vec<&str> = core.split('.').collect();
    let is_any = |part: &&str| matches!(*part, "x" | "X" | "*");
    let known = parts.iter().position(is_any).unwrap_or(parts.len());
    if parts.len() > 3
        || parts
            .iter()
            .skip(known)
            .any(|part| !is_any(part) && natural_number(part).is_none())
    {
        return None;
    }
    let number = |at: usize| match parts.get(at).filter(|_| at < known) {
        Some(part) => natural_number(part),
        None => Some(0),
    };
    let open = match known {
        0 => Open::All,
        1 => Open::Minor,
        2 => Open::Patch,
        _ => Open::Nothing,
    };
    Some(Bound {
        operator,
        version: Version {
            major: number(0)?,
            minor: number(1)?,
            patch: number(2)?,
            pre: pre.unwrap_or_default().to_owned(),
        },
        open,
    })
}

impl Bound {
    fn holds(&self, version: &Version) -> bool {
        let own = &self.version;
        match (self.operator, self.open) {
            (Operator::Equal, Open::Nothing) => version == own,
            (Operator::Equal | Operator::Tilde, _) => self.tilde(version),
            (Operator::NotEqual, _) => self.differs(version),
            (Operator::Greater, _) => self.is_below(version),
            (Operator::Less, _) => version < own,
            (Operator::GreaterOrEqual, _) => version >= own,
            (Operator::LessOrEqual, Open::Nothing) => version <= own,
            (Operator::LessOrEqual, open) => {
                version.major < own.major
                    || version.major == own.major
                        && (open == Open::Minor || version.minor <= own.minor)
            }
            (Operator::Caret, _) => self.caret(version),
        }
    }

    /// `~1.2.3` is `>=1.2.3, <1.3`; `~1` is `>=1, <2`; `~0.0.0` and `~*` take everything.
    fn tilde(&self, version: &Version) -> bool {
        let own = &self.version;
        if version < own {
            return false;
        }
        let zero = (own.major, own.minor, own.patch) == (0, 0, 0);
        if zero && matches!(self.open, Open::All | Open::Nothing) {
            return true;
        }
        version.major == own.major && (self.open == Open::Minor || version.minor == own.minor)
    }

    /// `^1.2.3` is `>=1.2.3, <2`; below 1 the first number that is not 0 must stay.
    fn caret(&self, version: &Version) -> bool {
        let own = &self.version;
        if version < own {
            return false;
        }
        if own.major > 0 || self.open == Open::Minor {
            return version.major == own.major;
        }
        if version.major > 0 {
            // `^*` is written by nobody who wants only 0.0.
            return self.open == Open::All;
        }
        if own.minor > 0 || self.open == Open::Patch {
            return version.minor == own.minor;
        }
        self.open == Open::All || version.minor == 0 && version.patch == own.patch
    }

    /// `!=1.2` excludes all of 1.2.
    fn differs(&self, version: &Version) -> bool {
        let own = &self.version;
        match self.open {
            Open::Nothing => version != own,
            Open::All => false,
            Open::Minor => version.major != own.major,
            Open::Patch => (version.major, version.minor) != (own.major, own.minor),
        }
    }

    /// `>1.2` begins with 1.3, `>1` with 2.
    fn is_below(&self, version: &Version) -> bool {
        let own = &self.version;
        match self.open {
            Open::Nothing => version > own,
            Open::All => false,
            Open::Minor => version.major > own.major,
            Open::Patch => (version.major, version.minor) > (own.major, own.minor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(constraint: &str, version: &str) -> bool {
        let constraint = Constraint::parse(constraint).expect("a range");
        constraint.allows(&Version::parse(version).expect("a version"))
    }

    #[test]
    fn ranges_take_what_masterminds_takes() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            (
                "~2.4",
                &["2.4.0", "2.4.9", "v2.4.1"],
                &["2.3.9", "2.5.0", "2.4.1-rc.1"],
            ),
            ("~1", &["1.0.0", "1.9.9"], &["2.0.0", "0.9.9"]),
            ("~1.2.3", &["1.2.3", "1.2.10"], &["1.2.2", "1.3.0"]),
            ("~>1.2", &["1.2.7"], &["1.3.0"]),
            ("1.x", &["1.0.0", "1.9.9"], &["2.0.0"]),
            ("1.2.x", &["1.2.0", "1.2.5"], &["1.3.0"]),
            ("1.2", &["1.2.0", "1.2.5"], &["1.3.0"]),
            ("*", &["0.0.1", "9.9.9"], &["1.0.0-rc.1"]),
            ("^1.2.3", &["1.2.3", "1.9.0"], &["1.2.2", "2.0.0"]),
            ("^0.2.3", &["0.2.3", "0.2.9"], &["0.3.0", "1.0.0"]),
            ("^0.0.3", &["0.0.3"], &["0.0.4", "0.1.0"]),
            ("^0.0", &["0.0.9"], &["0.1.0"]),
            ("^0", &["0.9.9"], &["1.0.0"]),
            (">=1.2, <2.0", &["1.2.0", "1.9.9"], &["2.0.0", "1.1.9"]),
            (">= 1.2 < 2.0", &["1.5.0"], &["2.0.0"]),
            ("1.2 - 1.4.5", &["1.2.0", "1.4.5"], &["1.4.6", "1.1.9"]),
            ("1.2 - 1.4", &["1.4.9"], &["1.5.0"]),
            ("<1.2 || >=3", &["1.1.9", "3.0.0"], &["2.0.0", "1.2.0"]),
            (">1.2", &["1.3.0", "2.0.0"], &["1.2.9"]),
            (">1", &["2.0.0"], &["1.9.0"]),
            ("<=1.2", &["1.2.9", "0.1.0"], &["1.3.0"]),
            ("<=1", &["1.9.9"], &["2.0.0"]),
            ("!=1.2", &["1.3.0"], &["1.2.5"]),
            ("!=1.2.3", &["1.2.4"], &["1.2.3"]),
            ("=1.2.3", &["1.2.3"], &["1.2.4"]),
            ("=>1.2", &["1.2.0"], &["1.1.0"]),
            ("~0.0.0", &["0.0.0", "5.0.0"], &["1.0.0-a"]),
        ];
        for (constraint, takes, leaves) in cases {
            for version in *takes {
                assert!(allows(constraint, version), "{constraint} takes {version}");
            }
            for version in *leaves {
                assert!(
                    !allows(constraint, version),
                    "{constraint} leaves {version}"
                );
            }
        }
    }

    #[test]
    fn a_pre_release_is_taken_only_where_one_is_named() {
        assert!(allows("~2.4-0", "2.4.1-rc.1"));
        assert!(
            allows(">=1.0.0-0, <2", "1.5.0-rc.1"),
            "one names it for all"
        );
        assert!(
            !allows(">=1.0.0-0 <1.2 || ~2", "2.1.0-rc.1"),
            "not for alternatives"
        );
        let range = Constraint::parse("~2.4").expect("a range");
        let version = Version::parse("2.4.1-rc.1").expect("a version");
        assert!(range.allows_but_for_pre_release(&version));
    }

    #[test]
    fn what_is_no_range_is_said() {
        for bad in [
            "", "abc", "~", "1.2.3.4", ">> 1", "1.2 ||", "latest", "1,,2", "~1.2-",
        ] {
            assert!(Constraint::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            Constraint::parse("latest").expect_err("no range"),
            "`latest` is no range of versions"
        );
    }
}
