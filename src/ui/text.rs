//! Text that is safe to put on a terminal, and that fits.
//!
//! Whatever came from a server passes through [`harmless`] before it reaches a cell: control
//! characters, escape sequences, bidirectional overrides and invisible characters become visible
//! glyphs of width one, so a string can neither steer the terminal nor look like another string.
//! Widths are display columns, counted by grapheme. Nothing here knows colours.

use std::borrow::Cow;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Stands for a character that must not be shown as it is.
pub const REPLACEMENT: char = '\u{FFFD}';
/// Ends a text that was cut.
pub const ELLIPSIS: &str = "…";

/// Returns the glyph to show instead of a character; the same one when it is harmless, and
/// `None` for a character that is left out.
fn safe_glyph(c: char) -> Option<char> {
    match c {
        '\n' | '\r' | '\u{2028}' | '\u{2029}' => Some('⏎'),
        '\t' => Some('→'),
        '\u{7f}' => Some('\u{2421}'),
        // Control pictures: U+2400 is the picture of NUL, and so on.
        c if c < ' ' => char::from_u32(0x2400 + u32::from(c)),
        // C1 controls: some terminals take U+009B for a CSI.
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => Some(REPLACEMENT),
        // Variation selectors make terminals disagree about widths and carry no meaning here.
        '\u{fe00}'..='\u{fe0f}' => None,
        other => Some(other),
    }
}

/// Returns whether a byte is a printable ASCII character: one column wide, and safe.
pub(super) fn is_plain(byte: u8) -> bool {
    (b' '..0x7f).contains(&byte)
}

/// Returns whether a character is safe, one column wide, and no part of a longer grapheme unless
/// something that combines follows it: ASCII, arrows, and what boxes, bars and marks are drawn with.
pub(super) fn is_single(c: char) -> bool {
    matches!(c, ' '..='~' | '·' | '…' | '\u{2190}'..='\u{21ff}' | '\u{2500}'..='\u{25cf}')
}

/// Returns the text with everything that could steer a terminal made visible.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let clean = text.bytes().all(is_plain) || text.chars().all(|c| safe_glyph(c) == Some(c));
    if clean {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter_map(safe_glyph).collect())
    }
}

/// Returns a line of a document: as [`harmless`], with tabs expanded to stops of four columns.
pub fn document_line(text: &str) -> Cow<'_, str> {
    let text = text.trim_end_matches(['\r', '\n']);
    if !text.contains('\t') {
        return harmless(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for part in text.split_inclusive('\t') {
        let Some(before) = part.strip_suffix('\t') else {
            out.push_str(&harmless(part));
            continue;
        };
        out.push_str(&harmless(before));
        let gap = 4 - width(&out) % 4;
        out.extend(std::iter::repeat_n(' ', gap));
    }
    Cow::Owned(out)
}

/// Returns how many columns a text takes.
pub fn width(text: &str) -> usize {
    if text.bytes().all(is_plain) {
        text.len()
    } else if text.chars().all(is_single) {
        text.chars().count()
    } else {
        text.graphemes(true).map(UnicodeWidthStr::width).sum()
    }
}

/// Returns the longest beginning that takes at most `columns` columns.
pub fn beginning(text: &str, columns: usize) -> &str {
    // Nothing combines up to the cut when what follows the cut does not either.
    let mut letters = text.char_indices();
    match letters
        .by_ref()
        .take(columns)
        .all(|(_, c)| is_single(c))
        .then(|| letters.next())
    {
        Some(Some((at, next))) if is_single(next) => return text.get(..at).unwrap_or_default(),
        Some(None) => return text,
        Some(Some(_)) | None => {}
    }
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        used += grapheme.width();
        if used > columns {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// Returns what is left of a text after its first `columns` columns. A wide character that is
/// cut in two leaves a blank.
pub fn after_columns(text: &str, columns: usize) -> Cow<'_, str> {
    if columns == 0 {
        return Cow::Borrowed(text);
    }
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        if used >= columns {
            let rest = text.get(at..).unwrap_or_default();
            return if used > columns {
                Cow::Owned(format!("{}{rest}", " ".repeat(used - columns)))
            } else {
                Cow::Borrowed(rest)
            };
        }
        used += grapheme.width();
    }
    Cow::Borrowed("")
}

/// Returns the text in at most `columns` columns, cut with `…` when it is longer.
pub fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    match columns {
        0 => Cow::Borrowed(""),
        _ => Cow::Owned(format!("{}{ELLIPSIS}", beginning(text, columns - 1))),
    }
}

/// Returns the text in at most `columns` columns, cut in the middle: long generated names differ
/// at their end.
pub fn fit_middle(text: &str, columns: usize) -> Cow<'_, str> {
    let total = width(text);
    if total <= columns {
        return Cow::Borrowed(text);
    }
    if columns < 5 {
        return fit(text, columns);
    }
    let tail = (columns - 1) / 2;
    let head = columns - 1 - tail;
    Cow::Owned(format!(
        "{}{ELLIPSIS}{}",
        beginning(text, head),
        after_columns(text, total - tail)
    ))
}

/// Returns the text padded with blanks on the right to exactly `columns` columns.
pub fn pad(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let blanks = columns.saturating_sub(width(&text));
    format!("{text}{}", " ".repeat(blanks))
}

/// Breaks a text at blanks into lines of at most `columns` columns; longer words are cut.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let mut word = word;
            let gap = usize::from(!line.is_empty());
            if width(&line) + gap + width(word) <= columns {
                line.extend(std::iter::repeat_n(' ', gap));
                line.push_str(word);
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            while width(word) > columns {
                let head = beginning(word, columns);
                if head.is_empty() {
                    break;
                }
                lines.push(head.to_owned());
                word = word.get(head.len()..).unwrap_or_default();
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// Returns a number of things in words: `1 source`, `2 sources`.
pub fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Returns the short form of a revision: seven characters of a commit, all of a version.
pub fn short_revision(revision: &str) -> &str {
    let is_sha = revision.len() >= 40 && revision.bytes().all(|b| b.is_ascii_hexdigit());
    if is_sha {
        revision.get(..7).unwrap_or(revision)
    } else {
        revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_become_pictures() {
        assert_eq!(harmless("\u{1b}[31mred\u{7}"), "␛[31mred␇");
        assert_eq!(harmless("a\u{9b}2Jb"), "a\u{FFFD}2Jb");
    }

    #[test]
    fn bidi_and_invisible_characters_are_shown() {
        assert_eq!(harmless("user\u{202e}gpj.exe"), "user\u{FFFD}gpj.exe");
        assert_eq!(harmless("ad\u{200b}min"), "ad\u{FFFD}min");
        assert_eq!(harmless("a\nb\tc"), "a⏎b→c");
    }

    #[test]
    fn clean_text_is_borrowed() {
        assert!(matches!(harmless("guestbook-prod"), Cow::Borrowed(_)));
        assert!(matches!(harmless("ゲストブック é"), Cow::Borrowed(_)));
    }

    #[test]
    fn wide_characters_count_two_columns_when_cut() {
        assert_eq!(fit("ゲストブック", 7), "ゲスト…");
        assert_eq!(fit("ゲストブック", 6), "ゲス…");
        assert_eq!(width(&fit("ゲストブック", 6)), 5);
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd", 3), "ab…");
        assert_eq!(fit("abcd", 0), "");
    }

    #[test]
    fn middle_cut_keeps_both_ends() {
        assert_eq!(fit_middle("guestbook-ui-7d9f8c-x2x9p", 12), "guestb…x2x9p");
    }

    #[test]
    fn scrolling_right_through_a_wide_character_keeps_columns() {
        assert_eq!(after_columns("aゲb", 2), " b");
        assert_eq!(after_columns("aゲb", 3), "b");
    }

    #[test]
    fn single_characters_are_a_column_and_a_grapheme_each() {
        let singles: String = (' '..='\u{ffff}').filter(|c| is_single(*c)).collect();
        assert_eq!(singles.graphemes(true).count(), singles.chars().count());
        assert!(singles.graphemes(true).all(|one| one.width() == 1));
        assert_eq!(harmless(&singles), singles);
    }

    #[test]
    fn letter_is_not_cut_from_what_combines_with_it() {
        assert_eq!(beginning("abe\u{301}d", 3), "abe\u{301}");
        assert_eq!(beginning("abe\u{301}d", 2), "ab");
        assert_eq!(beginning("ab", 2), "ab");
        assert_eq!(beginning("─│·ab", 2), "─│");
        assert_eq!(width("─│·e\u{301}b"), 5);
    }

    #[test]
    fn tabs_go_to_stops() {
        assert_eq!(document_line("a\tb\tc"), "a   b   c");
    }

    #[test]
    fn words_wrap_and_long_words_are_cut() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("a\nb", 5), ["a", "b"]);
    }

    #[test]
    fn only_commits_are_shortened() {
        assert_eq!(
            short_revision("3f2a91c4d5e6f7089123456789abcdef01234567"),
            "3f2a91c"
        );
        assert_eq!(short_revision("v1.2.3"), "v1.2.3");
        assert_eq!(short_revision("main"), "main");
    }
}
