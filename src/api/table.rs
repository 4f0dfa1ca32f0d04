//! The server's own tables (`meta.k8s.io/v1` Table), one page or one watch event at a time.

use super::field::{Field, Str, object_shapes};
use super::meta::ListMetaWire;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A page of rows; the columns come with the first page or event only.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TableWire<'a> {
    #[serde(borrow)]
    pub kind: Field<Str<'a>>,
    #[serde(borrow)]
    pub metadata: Field<ListMetaWire<'a>>,
    #[serde(borrow)]
    pub column_definitions: Field<Vec<Field<ColumnWire<'a>>>>,
    #[serde(borrow)]
    pub rows: Vec<RowWire<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ColumnWire<'a> {
    #[serde(borrow)]
    pub name: Field<Str<'a>>,
    #[serde(borrow, rename = "type")]
    pub kind: Field<Str<'a>>,
    pub priority: Field<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RowWire<'a> {
    pub cells: Vec<Value>,
    #[serde(borrow)]
    pub object: Option<&'a RawValue>,
}

object_shapes!(ColumnWire);

/// Returns a cell as kubectl prints it.
pub fn cell_text(cell: &Value) -> String {
    match cell {
        Value::Null => String::from("<none>"),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => cell.to_string(),
    }
}
