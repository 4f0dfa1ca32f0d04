//! Argo CD Applications on the wire, in two depths.
//!
//! [`ApplicationWire`] is parsed for every object of every list and watch, so it borrows from the
//! input and counts `status.resources` without keeping them. [`ApplicationDetailWire`] is parsed
//! for the one Application that is open.

use super::field::{Field, Shape, Str, object_shapes, struct_from_map};
use super::meta::MetaWire;
use crate::domain::object::Text;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess};
use serde_json::value::RawValue;

/// An Application as its row needs it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ApplicationWire<'a> {
    #[serde(borrow)]
    pub metadata: Field<MetaWire<'a>>,
    #[serde(borrow)]
    pub spec: Field<SpecWire<'a>>,
    #[serde(borrow)]
    pub status: Field<StatusWire<'a>>,
    #[serde(borrow)]
    pub operation: Field<OperationWire<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SpecWire<'a> {
    #[serde(borrow)]
    pub project: Field<Str<'a>>,
    /// Raw, because they are compared with `status.sync.comparedTo` first.
    #[serde(borrow)]
    pub source: Option<&'a RawValue>,
    #[serde(borrow)]
    pub sources: Option<&'a RawValue>,
    #[serde(borrow)]
    pub destination: Option<&'a RawValue>,
    #[serde(borrow)]
    pub ignore_differences: Option<&'a RawValue>,
    #[serde(borrow)]
    pub source_hydrator: Field<HydratorWire<'a>>,
    #[serde(borrow)]
    pub sync_policy: Field<SyncPolicyWire<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SourceWire<'a> {
    #[serde(borrow, rename = "repoURL")]
    pub repo: Field<Str<'a>>,
    #[serde(borrow)]
    pub path: Field<Str<'a>>,
    #[serde(borrow)]
    pub chart: Field<Str<'a>>,
    #[serde(borrow)]
    pub target_revision: Field<Str<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HydratorWire<'a> {
    #[serde(borrow)]
    pub dry_source: Field<SourceWire<'a>>,
    #[serde(borrow)]
    pub sync_source: Field<HydratedWire<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HydratedWire<'a> {
    #[serde(borrow)]
    pub target_branch: Field<Str<'a>>,
    #[serde(borrow)]
    pub path: Field<Str<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DestinationWire<'a> {
    #[serde(borrow)]
    pub server: Field<Str<'a>>,
    #[serde(borrow)]
    pub name: Field<Str<'a>>,
    #[serde(borrow)]
    pub namespace: Field<Str<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SyncPolicyWire<'a> {
    pub automated: Field<AutomatedWire>,
    #[serde(borrow)]
    pub sync_options: Field<Vec<Field<Str<'a>>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AutomatedWire {
    pub prune: Field<bool>,
    pub self_heal: Field<bool>,
    pub allow_empty: Field<bool>,
    pub enabled: Field<bool>,
}

impl<'de> Shape<'de> for AutomatedWire {
    const EXPECTED: &'static str = "an object";

    fn from_map<A: MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
        struct_from_map(map)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StatusWire<'a> {
    #[serde(borrow)]
    pub sync: Field<SyncWire<'a>>,
    #[serde(borrow)]
    pub health: Field<HealthWire<'a>>,
    #[serde(borrow)]
    pub operation_state: Field<OperationStateWire<'a>>,
    #[serde(borrow)]
    pub conditions: Field<Vec<Field<ConditionWire<'a>>>>,
    #[serde(borrow)]
    pub summary: Field<SummaryWire<'a>>,
    pub reconciled_at: Field<DateTime<Utc>>,
    pub resources: Field<ResourceCount>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SyncWire<'a> {
    #[serde(borrow)]
    pub status: Field<Str<'a>>,
    #[serde(borrow)]
    pub revision: Field<Str<'a>>,
    #[serde(borrow)]
    pub revisions: Field<Vec<Field<Str<'a>>>>,
    #[serde(borrow)]
    pub compared_to: Field<ComparedToWire<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ComparedToWire<'a> {
    #[serde(borrow)]
    pub source: Option<&'a RawValue>,
    #[serde(borrow)]
    pub sources: Option<&'a RawValue>,
    #[serde(borrow)]
    pub destination: Option<&'a RawValue>,
    #[serde(borrow)]
    pub ignore_differences: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct HealthWire<'a> {
    #[serde(borrow)]
    pub status: Field<Str<'a>>,
    #[serde(borrow)]
    pub message: Field<Str<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConditionWire<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Field<Str<'a>>,
    #[serde(borrow)]
    pub message: Field<Str<'a>>,
    pub last_transition_time: Field<DateTime<Utc>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SummaryWire<'a> {
    #[serde(borrow)]
    pub images: Field<Vec<Field<Str<'a>>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OperationStateWire<'a> {
    #[serde(borrow)]
    pub phase: Field<Str<'a>>,
    #[serde(borrow)]
    pub message: Field<Str<'a>>,
    pub started_at: Field<DateTime<Utc>>,
    pub finished_at: Field<DateTime<Utc>>,
    pub retry_count: Field<i64>,
    #[serde(borrow)]
    pub operation: Field<OperationWire<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OperationWire<'a> {
    #[serde(borrow)]
    pub initiated_by: Field<InitiatorWire<'a>>,
    #[serde(borrow)]
    pub retry: Field<RetryWire<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct InitiatorWire<'a> {
    #[serde(borrow)]
    pub username: Field<Str<'a>>,
    pub automated: Field<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RetryWire<'a> {
    pub limit: Field<i64>,
    #[serde(borrow)]
    pub backoff: Field<BackoffWire<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BackoffWire<'a> {
    #[serde(borrow)]
    pub duration: Field<Str<'a>>,
    pub factor: Field<i64>,
    #[serde(borrow)]
    pub max_duration: Field<Str<'a>>,
}

object_shapes!(
    ApplicationWire,
    ApplicationDetailWire,
    SpecWire,
    SourceWire,
    HydratorWire,
    HydratedWire,
    DestinationWire,
    SyncPolicyWire,
    StatusWire,
    SyncWire,
    ComparedToWire,
    HealthWire,
    ConditionWire,
    SummaryWire,
    OperationStateWire,
    OperationWire,
    InitiatorWire,
    RetryWire,
    BackoffWire,
    DetailStatusWire,
    DetailSummaryWire,
    DetailOperationStateWire,
    SyncResultWire,
    ResourceResultWire,
    ManagedResourceWire,
    HistoryWire,
    CountedWire,
);

/// `status.resources[]`, counted without being kept; only Rollouts are remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceCount {
    pub total: u32,
    /// Those with a sync status other than Synced; hooks have none.
    pub out_of_sync: u32,
    /// Namespace and name of every Rollout.
    pub rollouts: Vec<(Text, Text)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CountedWire<'a> {
    #[serde(borrow)]
    status: Field<Str<'a>>,
    #[serde(borrow)]
    kind: Field<Str<'a>>,
    #[serde(borrow)]
    namespace: Field<Str<'a>>,
    #[serde(borrow)]
    name: Field<Str<'a>>,
}

impl<'de> Shape<'de> for ResourceCount {
    const EXPECTED: &'static str = "a list";

    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        let mut count = Self::default();
        while let Some(item) = list.next_element::<Field<CountedWire<'de>>>()? {
            count.total += 1;
            let item = item.value().unwrap_or_default();
            if item.kind.as_ref().is_some_and(|kind| kind == "Rollout") {
                let text = |field: Field<Str<'de>>| Text::from(&*field.value().unwrap_or_default());
                let named = (text(item.namespace), text(item.name));
                count.rollouts.push(named);
            }
            let status = item.status.value();
            if status.is_some_and(|status| !status.is_empty() && status != "Synced") {
                count.out_of_sync += 1;
            }
        }
        Ok(Some(count))
    }
}

/// What the open Application needs besides its row.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ApplicationDetailWire<'a> {
    #[serde(borrow)]
    pub spec: Field<SpecWire<'a>>,
    #[serde(borrow)]
    pub status: Field<DetailStatusWire<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DetailStatusWire<'a> {
    #[serde(borrow)]
    pub resources: Field<Vec<Field<ManagedResourceWire<'a>>>>,
    #[serde(borrow)]
    pub history: Field<Vec<Field<HistoryWire<'a>>>>,
    #[serde(borrow)]
    pub summary: Field<DetailSummaryWire<'a>>,
    #[serde(borrow)]
    pub operation_state: Field<DetailOperationStateWire<'a>>,
    /// `appTree`: the health in `resources[]` is not to be used.
    #[serde(borrow)]
    pub resource_health_source: Field<Str<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DetailSummaryWire<'a> {
    #[serde(borrow, rename = "externalURLs")]
    pub external_urls: Field<Vec<Field<Str<'a>>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DetailOperationStateWire<'a> {
    #[serde(borrow)]
    pub sync_result: Field<SyncResultWire<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SyncResultWire<'a> {
    #[serde(borrow)]
    pub resources: Field<Vec<Field<ResourceResultWire<'a>>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceResultWire<'a> {
    #[serde(borrow)]
    pub group: Field<Str<'a>>,
    #[serde(borrow)]
    pub kind: Field<Str<'a>>,
    #[serde(borrow)]
    pub namespace: Field<Str<'a>>,
    #[serde(borrow)]
    pub name: Field<Str<'a>>,
    #[serde(borrow)]
    pub status: Field<Str<'a>>,
    #[serde(borrow)]
    pub message: Field<Str<'a>>,
    #[serde(borrow)]
    pub hook_type: Field<Str<'a>>,
    #[serde(borrow)]
    pub hook_phase: Field<Str<'a>>,
    #[serde(borrow)]
    pub sync_phase: Field<Str<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ManagedResourceWire<'a> {
    #[serde(borrow)]
    pub group: Field<Str<'a>>,
    #[serde(borrow)]
    pub version: Field<Str<'a>>,
    #[serde(borrow)]
    pub kind: Field<Str<'a>>,
    #[serde(borrow)]
    pub namespace: Field<Str<'a>>,
    #[serde(borrow)]
    pub name: Field<Str<'a>>,
    #[serde(borrow)]
    pub status: Field<Str<'a>>,
    #[serde(borrow)]
    pub health: Field<HealthWire<'a>>,
    pub hook: Field<bool>,
    pub requires_pruning: Field<bool>,
    pub requires_deletion_confirmation: Field<bool>,
    pub sync_wave: Field<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HistoryWire<'a> {
    pub id: Field<i64>,
    #[serde(borrow)]
    pub revision: Field<Str<'a>>,
    #[serde(borrow)]
    pub revisions: Field<Vec<Field<Str<'a>>>>,
    #[serde(borrow)]
    pub source: Field<SourceWire<'a>>,
    #[serde(borrow)]
    pub sources: Field<Vec<Field<SourceWire<'a>>>>,
    pub deployed_at: Field<DateTime<Utc>>,
    pub deploy_started_at: Field<DateTime<Utc>>,
    #[serde(borrow)]
    pub initiated_by: Field<InitiatorWire<'a>>,
}
