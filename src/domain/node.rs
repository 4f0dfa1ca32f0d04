//! Reading an object whose shape nobody promised.
//!
//! [`Node`] is the little that the rules in this module need of a JSON-like tree, so that they
//! work on `serde_json::Value` (implemented in `api`) without `domain` depending on it.

/// A JSON-like value that can be walked; every wrong turn yields `None`.
pub trait Node: Sized {
    /// Returns the member of an object.
    fn member(&self, name: &str) -> Option<&Self>;
    /// Returns the items of an array; empty for anything else.
    fn items(&self) -> &[Self];
    /// Returns the members of an object in the order stored; empty for anything else.
    fn members(&self) -> Vec<(&str, &Self)>;
    /// Returns a string's text.
    fn text(&self) -> Option<&str>;
    /// Returns an integer; a fraction yields `None`.
    fn integer(&self) -> Option<i64>;
    /// Returns a boolean.
    fn boolean(&self) -> Option<bool>;
    /// Returns whether this is JSON `null`.
    fn is_null(&self) -> bool;
    /// Parses a JSON document held in a string (some annotations carry one).
    fn parse(text: &str) -> Option<Self>;

    /// Follows members by name.
    fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.member(name))
    }
}
