//! Object metadata, list envelopes and watch events, as far as anybody looks at them.

use super::field::{Field, Members, Str, object_shapes};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

/// `metadata` of any object.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MetaWire<'a> {
    #[serde(borrow)]
    pub name: Field<Str<'a>>,
    #[serde(borrow)]
    pub namespace: Field<Str<'a>>,
    #[serde(borrow)]
    pub uid: Field<Str<'a>>,
    #[serde(borrow)]
    pub resource_version: Field<Str<'a>>,
    pub creation_timestamp: Field<DateTime<Utc>>,
    pub deletion_timestamp: Field<DateTime<Utc>>,
    #[serde(borrow)]
    pub finalizers: Field<Vec<Field<Str<'a>>>>,
    #[serde(borrow)]
    pub labels: Field<Members<'a>>,
    #[serde(borrow)]
    pub annotations: Field<AnnotationsWire<'a>>,
    #[serde(borrow)]
    pub owner_references: Field<Vec<Field<OwnerWire<'a>>>>,
}

/// The annotations that mean something to us; the rest (often huge) is skipped.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AnnotationsWire<'a> {
    #[serde(borrow, rename = "argocd.argoproj.io/refresh")]
    pub refresh: Field<Str<'a>>,
    #[serde(borrow, rename = "argocd.argoproj.io/skip-reconcile")]
    pub skip_reconcile: Field<Str<'a>>,
    #[serde(borrow, rename = "argocd.argoproj.io/tracking-id")]
    pub tracking_id: Field<Str<'a>>,
}

/// One entry of `metadata.ownerReferences`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct OwnerWire<'a> {
    #[serde(borrow)]
    pub kind: Field<Str<'a>>,
    #[serde(borrow)]
    pub name: Field<Str<'a>>,
    #[serde(borrow)]
    pub uid: Field<Str<'a>>,
}

object_shapes!(MetaWire, AnnotationsWire, OwnerWire, ListMetaWire);

/// `metadata` of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ListMetaWire<'a> {
    #[serde(borrow)]
    pub resource_version: Field<Str<'a>>,
    #[serde(borrow, rename = "continue")]
    pub continue_token: Field<Str<'a>>,
}

/// A page of a list, its items still raw.
#[derive(Debug, Deserialize)]
pub struct RawListWire<'a> {
    #[serde(default, borrow)]
    pub kind: Field<Str<'a>>,
    #[serde(default, borrow)]
    pub metadata: Field<ListMetaWire<'a>>,
    #[serde(default, borrow)]
    pub items: Vec<&'a RawValue>,
}

/// One line of a watch.
#[derive(Debug, Deserialize)]
pub struct EventWire<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Str<'a>,
    #[serde(borrow)]
    pub object: &'a RawValue,
}

/// Any object of which only the metadata matters (a bookmark).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PartialWire<'a> {
    #[serde(borrow)]
    pub metadata: Field<MetaWire<'a>>,
}

/// A `Status` object: why the server said no.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct StatusWire<'a> {
    #[serde(borrow)]
    pub kind: Field<Str<'a>>,
    #[serde(borrow)]
    pub message: Field<Str<'a>>,
    #[serde(borrow)]
    pub reason: Field<Str<'a>>,
    pub code: Field<i64>,
}
