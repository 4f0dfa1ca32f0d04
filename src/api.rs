//! What the servers say: minimal serde types, and their conversion into the domain.
