//! `test`, `[` and `[[`.

use super::Shell;

impl Shell<'_> {
    /// Returns the code of a test: 0 when it holds.
    pub(super) fn test(&self, arguments: &[String]) -> i32 {
        let words: Vec<&str> = arguments
            .iter()
            .map(String::as_str)
            .filter(|word| !matches!(*word, "]" | "]]"))
            .collect();
        i32::from(!self.either(&words))
    }

    fn either(&self, words: &[&str]) -> bool {
        words
            .split(|word| matches!(*word, "-o" | "||"))
            .any(|part| {
                part.split(|word| matches!(*word, "-a" | "&&"))
                    .all(|one| self.one(one))
            })
    }

    fn one(&self, words: &[&str]) -> bool {
        let number = |text: &str| text.trim().parse::<i64>().unwrap_or(0);
        match words {
            ["!", rest @ ..] => !self.one(rest),
            ["-z"] => true,
            [text] | ["-n", text] => !text.is_empty(),
            ["-z", text] => text.is_empty(),
            ["-f", path] => self.is_file(path),
            ["-d", path] => self.is_folder(path),
            ["-e" | "-r" | "-w" | "-x", path] => self.is_file(path) || self.is_folder(path),
            ["-s", path] => self.files_at(path).is_some_and(|text| !text.is_empty()),
            [left, "=" | "==", right] => {
                left == right || crate::domain::globs::matches(right, left)
            }
            [left, "!=", right] => left != right,
            [left, "-eq", right] => number(left) == number(right),
            [left, "-ne", right] => number(left) != number(right),
            [left, "-lt", right] => number(left) < number(right),
            [left, "-le", right] => number(left) <= number(right),
            [left, "-gt", right] => number(left) > number(right),
            [left, "-ge", right] => number(left) >= number(right),
            [left, "=~", right] => regex::Regex::new(right).is_ok_and(|one| one.is_match(left)),
            _ => false,
        }
    }
}
