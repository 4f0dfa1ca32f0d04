//! A table of one kind: Applications, namespaces, or any other.

use crate::app::view::TableView;
use crate::domain::object::GroupKind;
use crate::engine::protocol::Ticket;

/// A table and the subscription that feeds it.
#[derive(Debug)]
pub struct TableScreen {
    pub view: TableView,
    /// Absent until the first connection.
    pub ticket: Option<Ticket>,
    /// How many rows there are in all, where they are read page by page.
    pub extent: Option<usize>,
    /// How many of them were asked for.
    pub asked: usize,
}

impl TableScreen {
    /// Makes an empty table.
    pub fn new(kind: GroupKind) -> Self {
        Self {
            view: TableView::new(kind),
            ticket: None,
            extent: None,
            asked: 0,
        }
    }
}
