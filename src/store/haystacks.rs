//! The texts that filters search, all of a table's in one piece of memory.
//!
//! A filter asks every row. Texts that lie side by side are read from memory in one go, where
//! ten thousand pieces of the heap would be waited for one by one. Spans are given by row
//! number; the text of a row that grew moves to the end, and the gaps go when they are more
//! than the texts.

/// Gaps of fewer bytes are not worth the work of closing them.
const WORTHWHILE: usize = 64 * 1_024;

/// The texts of a table, by row number.
#[derive(Debug, Default)]
pub(super) struct Haystacks {
    text: String,
    spans: Vec<Span>,
    /// Bytes of `text` that belong to no row.
    gaps: usize,
}

/// Where a row's text is, in bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    length: u32,
    /// How much room it has there.
    room: u32,
}

impl Span {
    fn range(self, length: u32) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + length as usize
    }
}

impl Haystacks {
    /// Returns the text of a row; empty when it has none.
    pub(super) fn get(&self, row: usize) -> &str {
        let span = self.spans.get(row).copied().unwrap_or_default();
        self.text.get(span.range(span.length)).unwrap_or_default()
    }

    /// Takes the text of a row in, in place of what it had.
    pub(super) fn put(&mut self, row: usize, text: &str) {
        if self.spans.len() <= row {
            self.spans.resize(row + 1, Span::default());
        }
        let old = self.spans.get(row).copied().unwrap_or_default();
        let span = if text.len() <= old.room as usize {
            // All of the room is written, so that no letter of the old text is cut in two.
            let blanks = std::iter::repeat_n(' ', old.room as usize - text.len());
            let whole: String = text.chars().chain(blanks).collect();
            self.text.replace_range(old.range(old.room), &whole);
            Span {
                length: text.len() as u32,
                ..old
            }
        } else {
            self.gaps += old.room as usize;
            self.append(text)
        };
        if let Some(place) = self.spans.get_mut(row) {
            *place = span;
        }
        self.close_gaps();
    }

    /// Forgets the text of a row.
    pub(super) fn remove(&mut self, row: usize) {
        if let Some(span) = self.spans.get_mut(row) {
            self.gaps += span.room as usize;
            *span = Span::default();
        }
        self.close_gaps();
    }

    fn append(&mut self, text: &str) -> Span {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        let length = text.len() as u32;
        Span {
            start,
            length,
            room: length,
        }
    }

    fn close_gaps(&mut self) {
        if self.gaps < WORTHWHILE || self.gaps < self.text.len() / 2 {
            return;
        }
        let before = std::mem::take(&mut self.text);
        self.text.reserve(before.len() - self.gaps);
        self.gaps = 0;
        let mut spans = std::mem::take(&mut self.spans);
        for span in &mut spans {
            let text = before.get(span.range(span.length)).unwrap_or_default();
            *span = self.append(text);
        }
        self.spans = spans;
    }
}

#[cfg(test)]
mod tests {
    use super::Haystacks;
    use std::collections::BTreeMap;

    #[test]
    fn texts_that_grow_shrink_and_go_stay_apart() {
        let mut texts = Haystacks::default();
        texts.put(2, "guestbook");
        texts.put(0, "straße");
        texts.put(2, "app");
        texts.put(1, "");
        assert_eq!(["straße", "", "app"], [0, 1, 2].map(|row| texts.get(row)));
        texts.put(2, "guestbook-preview");
        texts.remove(0);
        assert_eq!(
            ["", "", "guestbook-preview", ""],
            [0, 1, 2, 3].map(|row| texts.get(row))
        );
    }

    #[test]
    fn a_letter_of_several_bytes_may_be_cut_by_a_shorter_text() {
        let mut texts = Haystacks::default();
        texts.put(0, "ß");
        texts.put(1, "next");
        texts.put(0, "a");
        assert_eq!(["a", "next"], [0, 1].map(|row| texts.get(row)));
    }

    #[test]
    fn a_thousand_changes_leave_every_text_right_and_few_gaps() {
        let mut texts = Haystacks::default();
        let mut wanted: BTreeMap<usize, String> = BTreeMap::new();
        for turn in 0..20_000_usize {
            let row = turn * 7_919 % 311;
            if turn % 11 == 0 {
                texts.remove(row);
                wanted.remove(&row);
                continue;
            }
            let text = format!("{turn}ä").repeat(turn * 31 % 53);
            texts.put(row, &text);
            wanted.insert(row, text);
        }
        for row in 0..311 {
            let expected = wanted.get(&row).map_or("", String::as_str);
            assert_eq!(expected, texts.get(row), "row {row}");
        }
        let needed: usize = wanted.values().map(String::len).sum();
        assert!(texts.text.len() <= 2 * needed + 2 * super::WORTHWHILE);
    }
}
