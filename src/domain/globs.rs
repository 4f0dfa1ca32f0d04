//! Shell patterns as projects and sync windows use them.
//!
//! `*` matches anything, slashes included (Argo CD `util/glob` passes no separator, except for
//! source repositories, where `/` separates), `?` one character, `[a-z]`, `[!a]` and `{a,b}`.

/// Matches with `*` crossing every character.
pub fn matches(pattern: &str, text: &str) -> bool {
    alternatives(pattern)
        .iter()
        .any(|one| walk(one, &text.chars().collect::<Vec<_>>(), None))
}

/// Matches with `*` stopping at a separator and `**` crossing it.
pub fn matches_parts(pattern: &str, text: &str, separator: char) -> bool {
    alternatives(pattern)
        .iter()
        .any(|one| walk(one, &text.chars().collect::<Vec<_>>(), Some(separator)))
}

/// Writes `{a,b}` out; an unclosed brace is a plain character.
fn alternatives(pattern: &str) -> Vec<Vec<char>> {
    let Some((before, rest)) = pattern.split_once('{') else {
        return vec![pattern.chars().collect()];
    };
    let Some((inside, after)) = rest.split_once('}') else {
        return vec![pattern.chars().collect()];
    };
    inside
        .split(',')
        .flat_map(|one| alternatives(&format!("{before}{one}{after}")))
        .collect()
}

fn walk(pattern: &[char], text: &[char], separator: Option<char>) -> bool {
    let Some((first, rest)) = pattern.split_first() else {
        return text.is_empty();
    };
    match first {
        '*' => {
            let (crossing, rest) = match rest.split_first() {
                Some(('*', tail)) => (None, tail),
                _ => (separator, rest),
            };
            let mut skipped = 0;
            loop {
                if walk(rest, text.get(skipped..).unwrap_or_default(), separator) {
                    return true;
                }
                match text.get(skipped) {
                    Some(c) if Some(*c) != crossing => skipped += 1,
                    _ => return false,
                }
            }
        }
        '?' => text
            .split_first()
            .is_some_and(|(c, tail)| Some(*c) != separator && walk(rest, tail, separator)),
        '[' => class(rest).is_some_and(|(set, negated, after)| {
            text.split_first().is_some_and(|(c, tail)| {
                set.iter().any(|(low, high)| (low..=high).contains(&c)) != negated
                    && walk(after, tail, separator)
            })
        }),
        '\\' => rest.split_first().is_some_and(|(c, after)| {
            text.split_first()
                .is_some_and(|(d, tail)| c == d && walk(after, tail, separator))
        }),
        c => text
            .split_first()
            .is_some_and(|(d, tail)| c == d && walk(rest, tail, separator)),
    }
}

/// Ranges, whether negated, and what follows.
type Class<'a> = (Vec<(char, char)>, bool, &'a [char]);

fn class(pattern: &[char]) -> Option<Class<'_>> {
    let end = pattern.iter().position(|c| *c == ']')?;
    let (inside, after) = (pattern.get(..end)?, pattern.get(end + 1..)?);
    let (negated, inside) = match inside.split_first() {
        Some(('!' | '^', tail)) => (true, tail),
        _ => (false, inside),
    };
    let mut ranges = Vec::new();
    let mut rest = inside;
    while let Some((low, tail)) = rest.split_first() {
        if let ['-', high, more @ ..] = tail {
            ranges.push((*low, *high));
            rest = more;
        } else {
            ranges.push((*low, *low));
            rest = tail;
        }
    }
    Some((ranges, negated, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_projects() {
        let cases = [
            ("*", "anything/at:all", true),
            ("", "", true),
            ("team-*", "team-a", true),
            ("team-*", "my-team-a", false),
            ("*-prod", "shop-prod", true),
            ("shop-?", "shop-1", true),
            ("shop-?", "shop-12", false),
            ("shop-[a-c]", "shop-b", true),
            ("shop-[!a-c]", "shop-b", false),
            ("{dev,staging}-*", "staging-x", true),
            ("{dev,staging}-*", "prod-x", false),
            ("a\\*", "a*", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_star_stops_at_the_separator_and_two_do_not() {
        assert!(matches_parts("https://git/*", "https://git/a", '/'));
        assert!(!matches_parts("https://git/*", "https://git/a/b", '/'));
        assert!(matches_parts("https://git/**", "https://git/a/b", '/'));
    }
}
