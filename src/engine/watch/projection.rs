//! From an object on the wire to the row that is kept of it.

use crate::api::convert::application::ApplicationReader;
use crate::api::field::{Field, Str};
use crate::api::intern::Interner;
use crate::api::meta::{MetaWire, PartialWire, RawListWire};
use crate::api::table::{TableWire, cell_text};
use crate::domain::application::Application;
use crate::domain::health::health_of;
use crate::domain::object::{Cluster, GroupKind, ObjectRef, Text, Uid};
use crate::engine::fault::Fault;
use crate::engine::protocol::{Column, ObjectRow};
use crate::engine::transport;
use serde_json::Value;
use serde_json::value::RawValue;

/// A row and what identifies this state of it.
#[derive(Debug)]
pub(in crate::engine) struct Seen<R> {
    pub(in crate::engine) object: ObjectRef,
    pub(in crate::engine) uid: Uid,
    /// Equal versions are equal states.
    pub(in crate::engine) version: Text,
    pub(in crate::engine) row: R,
}

/// One page of a list.
#[derive(Debug)]
pub(in crate::engine) struct Page<R> {
    pub(in crate::engine) rows: Vec<Seen<R>>,
    pub(in crate::engine) version: String,
    pub(in crate::engine) continue_token: String,
}

/// Makes rows of one kind.
pub(in crate::engine) trait Projection: Send + Sync + 'static {
    type Row: Send + Sync + 'static;

    /// What to ask the server for.
    fn accept(&self) -> &'static str {
        transport::JSON
    }

    /// Query parameters besides the usual ones, each ending in `&`.
    fn query(&self) -> &'static str {
        ""
    }

    /// Reads a page of a list.
    fn page(&mut self, body: &[u8]) -> Result<Page<Self::Row>, Fault> {
        let list: RawListWire<'_> = parse(body)?;
        let meta = list.metadata.value().unwrap_or_default();
        Ok(Page {
            rows: list.items.iter().map(|item| self.object(item)).collect(),
            version: owned(meta.resource_version),
            continue_token: owned(meta.continue_token),
        })
    }

    /// Reads the object of a watch event; usually one.
    fn event(&mut self, object: &RawValue) -> Result<Vec<Seen<Self::Row>>, Fault> {
        Ok(vec![self.object(object)])
    }

    /// Reads one object.
    fn object(&mut self, object: &RawValue) -> Seen<Self::Row>;
}

fn parse<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, Fault> {
    serde_json::from_slice(body)
        .map_err(|error| Fault::Unreadable(format!("the answer cannot be read: {error}")))
}

fn owned(field: Field<Str<'_>>) -> String {
    field.value().unwrap_or_default().into_owned()
}

/// Applications, typed.
#[derive(Debug)]
pub(in crate::engine) struct Applications(ApplicationReader);

impl Applications {
    pub(in crate::engine) fn new(cluster: Cluster) -> Self {
        Self(ApplicationReader::new(cluster))
    }
}

impl Projection for Applications {
    type Row = Application;

    fn object(&mut self, object: &RawValue) -> Seen<Application> {
        let row = self.0.row(object.get());
        Seen {
            object: row.object.clone(),
            uid: row.uid.clone(),
            version: Text::clone(&row.resource_version.0),
            row,
        }
    }
}

/// One Application in full, with its JSON for whoever needs more.
#[derive(Debug)]
pub(in crate::engine) struct Details(pub(in crate::engine) ApplicationReader);

impl Projection for Details {
    type Row = crate::domain::application::ApplicationDetail;

    fn object(&mut self, object: &RawValue) -> Seen<Self::Row> {
        let detail = self.0.detail(object.get());
        Seen {
            object: detail.row.object.clone(),
            uid: detail.row.uid.clone(),
            version: Text::clone(&detail.row.resource_version.0),
            row: detail,
        }
    }
}

/// Any kind, as the server prints it.
#[derive(Debug)]
pub(in crate::engine) struct Tables {
    cluster: Cluster,
    kind: GroupKind,
    interner: Interner,
    columns: Option<Vec<Column>>,
}

/// Kinds that have no health and may be large: their bodies stay on the server.
const METADATA_ONLY: &[(&str, &str)] = &[
    ("", "ConfigMap"),
    ("", "Secret"),
    ("", "Event"),
    ("", "ServiceAccount"),
    ("", "Endpoints"),
    ("events.k8s.io", "Event"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("coordination.k8s.io", "Lease"),
    ("apps", "ControllerRevision"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
];

impl Tables {
    pub(in crate::engine) fn new(cluster: Cluster, kind: GroupKind) -> Self {
        Self {
            cluster,
            kind,
            interner: Interner::default(),
            columns: None,
        }
    }

    /// Returns the columns, once the server has sent them.
    pub(in crate::engine) fn columns(&self) -> Option<Vec<Column>> {
        self.columns.clone()
    }

    fn has_health(&self) -> bool {
        !METADATA_ONLY
            .iter()
            .any(|(group, kind)| self.kind.is(group, kind))
    }

    fn rows(&mut self, table: TableWire<'_>) -> Vec<Seen<ObjectRow>> {
        if let Some(columns) = table
            .column_definitions
            .value()
            .filter(|all| !all.is_empty())
        {
            let columns = columns.into_iter().filter_map(Field::value);
            let columns = columns.map(|column| {
                let kind = owned(column.kind);
                Column {
                    name: owned(column.name).into(),
                    priority: column.priority.value().unwrap_or_default() as i32,
                    numeric: kind == "integer" || kind == "number",
                }
            });
            self.columns = Some(columns.collect());
        }
        let width = self.columns.as_ref().map_or(0, Vec::len);
        let mut rows = Vec::with_capacity(table.rows.len());
        for row in table.rows {
            let mut cells: Vec<Text> = row
                .cells
                .iter()
                .map(|cell| self.interner.shared(&cell_text(cell)))
                .collect();
            cells.resize(width, self.interner.shared(""));
            let raw = row.object.map_or("{}", RawValue::get);
            rows.push(self.seen(raw, cells));
        }
        rows
    }

    fn seen(&mut self, json: &str, cells: Vec<Text>) -> Seen<ObjectRow> {
        let wire: PartialWire<'_> = serde_json::from_str(json).unwrap_or_default();
        let meta: MetaWire<'_> = wire.metadata.value().unwrap_or_default();
        let verdict = self
            .has_health()
            .then(|| serde_json::from_str::<Value>(json).ok())
            .flatten()
            .and_then(|mut object| {
                self.name_kind(&mut object);
                health_of(&object)
            });
        let namespace = meta.namespace.value().unwrap_or_default();
        let labels = meta.labels.value().unwrap_or_default().0;
        let object = ObjectRef {
            cluster: self.cluster.clone(),
            kind: self.kind.clone(),
            namespace: (!namespace.is_empty()).then(|| self.interner.shared(&namespace)),
            name: Text::from(&*meta.name.value().unwrap_or_default()),
        };
        let uid = Uid(Text::from(&*meta.uid.value().unwrap_or_default()));
        let labels = labels.into_iter().filter_map(|(key, value)| {
            let value = self.interner.shared(&value.value()?);
            Some((self.interner.shared(&key), value))
        });
        let row = ObjectRow {
            object: object.clone(),
            uid: uid.clone(),
            labels: labels.collect(),
            cells,
            verdict,
            created: meta.creation_timestamp.value(),
            deleting: meta.deletion_timestamp.as_ref().is_some(),
        };
        Seen {
            object,
            uid,
            version: Text::from(&*meta.resource_version.value().unwrap_or_default()),
            row,
        }
    }

    /// Items of a plain list do not repeat their kind; health rules go by it.
    fn name_kind(&self, object: &mut Value) {
        if let Some(members) = object.as_object_mut()
            && !members.contains_key("kind")
        {
            let group = &self.kind.group;
            let slash = if group.is_empty() { "" } else { "/" };
            members.insert(String::from("kind"), (*self.kind.kind).into());
            members.insert(
                String::from("apiVersion"),
                format!("{group}{slash}v1").into(),
            );
        }
    }
}

impl Projection for Tables {
    type Row = ObjectRow;

    fn accept(&self) -> &'static str {
        transport::TABLE
    }

    fn query(&self) -> &'static str {
        if self.has_health() {
            "includeObject=Object&"
        } else {
            "includeObject=Metadata&"
        }
    }

    fn page(&mut self, body: &[u8]) -> Result<Page<ObjectRow>, Fault> {
        let table: TableWire<'_> = parse(body)?;
        if table.kind.as_ref().map(|kind| &**kind) != Some("Table") {
            return self.plain_page(body);
        }
        let (version, continue_token) = match table.metadata.as_ref() {
            Some(meta) => (text(&meta.resource_version), text(&meta.continue_token)),
            None => (String::new(), String::new()),
        };
        Ok(Page {
            rows: self.rows(table),
            version,
            continue_token,
        })
    }

    fn event(&mut self, object: &RawValue) -> Result<Vec<Seen<ObjectRow>>, Fault> {
        let table: TableWire<'_> = parse(object.get().as_bytes())?;
        if table.kind.as_ref().map(|kind| &**kind) == Some("Table") {
            return Ok(self.rows(table));
        }
        Ok(vec![self.object(object)])
    }

    fn object(&mut self, object: &RawValue) -> Seen<ObjectRow> {
        self.seen(object.get(), Vec::new())
    }
}

impl Tables {
    /// A server without tables (some aggregated ones) sends a plain list.
    fn plain_page(&mut self, body: &[u8]) -> Result<Page<ObjectRow>, Fault> {
        let list: RawListWire<'_> = parse(body)?;
        let meta = list.metadata.value().unwrap_or_default();
        Ok(Page {
            rows: list.items.iter().map(|item| self.object(item)).collect(),
            version: owned(meta.resource_version),
            continue_token: owned(meta.continue_token),
        })
    }
}

fn text(field: &Field<Str<'_>>) -> String {
    field.as_ref().map(ToString::to_string).unwrap_or_default()
}
