//! Finding the word that was meant.

/// Returns the candidate nearest to a mistyped word, when one is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).max(1) + 1;
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edit distance with swaps of neighbours (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, a) in left.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, b) in right.iter().enumerate() {
            let mut best = above[column] + usize::from(a != b);
            best = best.min(above[column + 1] + 1).min(line[column] + 1);
            let swapped = row > 0 && column > 0 && *a == right[column - 1] && *b == left[row - 1];
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            line.push(best);
        }
        before = above;
        above = line;
    }
    above.last().copied().unwrap_or_default()
}

/// Shortens a parser's "unknown field `x`, expected one of …" to the one that was meant.
///
/// Any other message comes back as it is.
pub fn explain_unknown_field(message: &str) -> String {
    let Some((_, rest)) = message.split_once("unknown field `") else {
        return message.to_owned();
    };
    let Some((unknown, rest)) = rest.split_once('`') else {
        return message.to_owned();
    };
    let expected = rest.split_once("expected ").map_or("", |(_, list)| list);
    let expected = expected.strip_prefix("one of ").unwrap_or(expected);
    let fields = expected
        .split([',', ' ', '\n'])
        .map(|field| field.trim_matches('`'))
        .filter(|field| !field.is_empty() && *field != "or");
    match nearest(unknown, fields) {
        Some(field) => format!("`{unknown}` is not a field here; did you mean `{field}`?"),
        None => format!("`{unknown}` is not a field here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parsers_list_of_fields_becomes_the_one_that_was_meant() {
        for message in [
            "unknown field `spede`, expected one of `speed`, `seed`",
            "unknown field `spede`, expected one of speed, seed",
            "unknown field `spede`, expected `speed`",
            "unknown field `spede`, expected `speed` or `other`",
        ] {
            assert_eq!(
                explain_unknown_field(message),
                "`spede` is not a field here; did you mean `speed`?"
            );
        }
        assert_eq!(explain_unknown_field("invalid type"), "invalid type");
    }

    #[test]
    fn nearest_word_is_found_through_a_swap_or_a_slip() {
        let words = ["sync-app", "rollback", "terminate"];

        assert_eq!(nearest("sinc-app", words), Some("sync-app"));
        assert_eq!(nearest("rollabck", words), Some("rollback"));
        assert_eq!(nearest("xyzzy", words), None);
    }
}
