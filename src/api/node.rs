//! Lets the rules of `domain` walk JSON that a server sent.

use crate::domain::node::Node;
use serde_json::Value;

impl Node for Value {
    fn member(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    fn items(&self) -> &[Self] {
        self.as_array().map(Vec::as_slice).unwrap_or_default()
    }

    fn members(&self) -> Vec<(&str, &Self)> {
        let Some(members) = self.as_object() else {
            return Vec::new();
        };
        members
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .collect()
    }

    fn text(&self) -> Option<&str> {
        self.as_str()
    }

    fn integer(&self) -> Option<i64> {
        self.as_i64()
    }

    fn boolean(&self) -> Option<bool> {
        self.as_bool()
    }

    fn is_null(&self) -> bool {
        Self::is_null(self)
    }

    fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wrong_turns_yield_nothing() {
        let object = json!({"spec": {"replicas": 3, "ratio": 0.5, "paused": true, "hosts": ["a"]}});

        assert_eq!(
            object.at(&["spec", "replicas"]).and_then(Node::integer),
            Some(3)
        );
        assert_eq!(object.at(&["spec", "ratio"]).and_then(Node::integer), None);
        assert_eq!(object.at(&["spec", "replicas", "deeper"]), None);
        assert_eq!(
            object
                .at(&["spec", "hosts"])
                .map_or(0, |hosts| hosts.items().len()),
            1
        );
        assert!(object.items().is_empty());
        assert_eq!(Value::parse("{"), None);
    }
}
