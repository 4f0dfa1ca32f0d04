//! Keeps one copy of text that repeats: projects, repositories, namespaces, labels.

use crate::domain::object::Text;
use foldhash::HashSet;

/// A pool of texts. Each watch owns one, so it goes away with its rows.
#[derive(Debug, Default)]
pub struct Interner {
    pool: HashSet<Text>,
    sweep_at: usize,
}

impl Interner {
    /// Returns the pooled copy of a text that is likely to repeat.
    pub fn shared(&mut self, text: &str) -> Text {
        if let Some(known) = self.pool.get(text) {
            return Text::clone(known);
        }
        if self.pool.len() >= self.sweep_at {
            self.sweep();
        }
        let new = Text::from(text);
        self.pool.insert(Text::clone(&new));
        new
    }

    /// Forgets what nobody uses any more. The next sweep comes when the pool has doubled.
    fn sweep(&mut self) {
        self.pool.retain(|text| Text::strong_count(text) > 1);
        self.sweep_at = (self.pool.len() * 2).max(4_096);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_one_copy_and_unused_ones_go_away() {
        let mut interner = Interner::default();
        let first = interner.shared("default");
        let second = interner.shared("default");
        assert!(Text::ptr_eq(&first, &second));

        for number in 0..20_000 {
            drop(interner.shared(&number.to_string()));
        }
        assert!(interner.pool.len() < 10_000, "{}", interner.pool.len());
        assert!(Text::ptr_eq(&first, &interner.shared("default")));
    }
}
