//! Works an event off: for each Trigger the interceptors, the bindings, and what is made of them.

use super::Hub;
use super::bindings;
use super::interceptors::{self, Incoming};
use crate::sim::controllers::tekton::model::{
    EventListener, Trigger, TriggerBinding, TriggerTemplate,
};
use crate::sim::events::About;
use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::sync::Arc;

const STARTED: &str = "dev.tekton.event.triggers.started.v1";
const SUCCESSFUL: &str = "dev.tekton.event.triggers.successful.v1";
const FAILED: &str = "dev.tekton.event.triggers.failed.v1";
const DONE: &str = "dev.tekton.event.triggers.done.v1";

/// A Trigger, wherever it is written.
struct Meant {
    name: String,
    spec: Value,
}

/// An event at one EventListener.
struct Case {
    hub: Arc<Hub>,
    listener: Arc<EventListener>,
    namespace: String,
    id: String,
}

/// Works an event off for all Triggers of an EventListener.
pub(super) async fn all(
    hub: Arc<Hub>,
    listener: Arc<EventListener>,
    incoming: Incoming,
    id: String,
) {
    let case = Case {
        namespace: listener.metadata.namespace.clone().unwrap_or_default(),
        hub,
        listener,
        id,
    };
    case.tell(false, STARTED, &format!("event {}", case.id));
    for trigger in case.triggers().await {
        let outcome = match trigger {
            Ok(trigger) => match case.one(&trigger, incoming.clone()).await {
                Ok(made) => Ok(format!("trigger {:?} created {made}", trigger.name)),
                Err(why) => Err(format!("trigger {:?}: {why}", trigger.name)),
            },
            Err(why) => Err(why),
        };
        match outcome {
            Ok(told) => case.tell(false, SUCCESSFUL, &format!("event {}: {told}", case.id)),
            Err(why) => case.tell(true, FAILED, &format!("event {}: {why}", case.id)),
        }
    }
    case.tell(false, DONE, &format!("event {}", case.id));
}

impl Case {
    fn tell(&self, is_warning: bool, reason: &str, message: &str) {
        let about = About::object(&*self.listener);
        if is_warning {
            self.hub.recorder.warning(about, reason, message);
        } else {
            self.hub.recorder.normal(about, reason, message);
        }
    }

    fn list(&self, field: &str) -> Vec<Value> {
        let list = self.listener.spec.get(field).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    }

    async fn triggers(&self) -> Vec<Result<Meant, String>> {
        let mut meant = Vec::new();
        for written in self.list("triggers") {
            let text = |field: &str| written.get(field).and_then(Value::as_str);
            meant.push(match text("triggerRef") {
                None => Ok(Meant {
                    name: text("name").unwrap_or_default().to_owned(),
                    spec: written.clone(),
                }),
                Some(name) => self.fetch::<Trigger>(name).await.map(|trigger| Meant {
                    name: name.to_owned(),
                    spec: trigger.spec,
                }),
            });
        }
        if let Some(selector) = self.listener.spec.pointer("/labelSelector/matchLabels") {
            let labels = selector.as_object().into_iter().flatten();
            let labels: Vec<String> = labels
                .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
                .collect();
            let api = Api::<Trigger>::namespaced(self.hub.client.clone(), &self.namespace);
            match api
                .list(&ListParams::default().labels(&labels.join(",")))
                .await
            {
                Ok(found) => meant.extend(found.items.into_iter().map(|trigger| {
                    Ok(Meant {
                        name: trigger.metadata.name.unwrap_or_default(),
                        spec: trigger.spec,
                    })
                })),
                Err(error) => meant.push(Err(said(&error))),
            }
        }
        meant
    }

    /// Works an event off for one Trigger; returns what was made.
    async fn one(&self, trigger: &Meant, mut incoming: Incoming) -> Result<String, String> {
        let list = |field: &str| trigger.spec.get(field).and_then(Value::as_array).cloned();
        for written in list("interceptors").unwrap_or_default() {
            let interceptor = interceptors::read(&written)?;
            let place = (&self.hub.client, self.namespace.as_str());
            interceptors::pass(&interceptor, &mut incoming, place).await?;
        }
        let event = json!({
            "body": incoming.body,
            "header": incoming.headers,
            "extensions": incoming.extensions,
            "context": {"eventID": self.id},
        });
        let bound = self.bound(&list("bindings").unwrap_or_default()).await?;
        let values = bindings::values(&bound, &event)?;
        let template = self.template(&trigger.spec).await?;
        let mut made = Vec::new();
        for mut object in bindings::objects(&template, &values, &self.hub.new_id()) {
            let listener = self.listener.metadata.name.as_deref().unwrap_or_default();
            bindings::label(
                &mut object,
                &[
                    ("triggers.tekton.dev/eventlistener", listener),
                    ("triggers.tekton.dev/trigger", &trigger.name),
                    ("triggers.tekton.dev/triggers-eventid", &self.id),
                ],
            );
            made.push(self.create(object).await?);
        }
        if made.is_empty() {
            return Err("its template makes nothing".to_owned());
        }
        Ok(made.join(", "))
    }

    /// Returns names and written values of all bindings.
    async fn bound(&self, written: &[Value]) -> Result<Vec<(String, String)>, String> {
        let mut bound = Vec::new();
        for binding in written {
            let text = |field: &str| binding.get(field).and_then(Value::as_str);
            match (text("ref"), text("name"), text("value")) {
                (Some(_), _, _) if text("kind") == Some("ClusterTriggerBinding") => {
                    return Err("ClusterTriggerBindings are not served by the embedded \
                                platform; use a TriggerBinding"
                        .to_owned());
                }
                (Some(name), _, _) => {
                    let found = self.fetch::<TriggerBinding>(name).await?;
                    let params = found.spec.get("params").and_then(Value::as_array).cloned();
                    bound.extend(params.into_iter().flatten().filter_map(|param| {
                        let text = |field: &str| Some(param.get(field)?.as_str()?.to_owned());
                        Some((text("name")?, text("value").unwrap_or_default()))
                    }));
                }
                (None, Some(name), Some(value)) => bound.push((name.to_owned(), value.to_owned())),
                (None, _, _) => {
                    return Err("a binding needs a ref, or a name and a value".to_owned());
                }
            }
        }
        Ok(bound)
    }

    async fn template(&self, trigger: &Value) -> Result<Value, String> {
        let template = trigger.get("template").cloned().unwrap_or_default();
        if let Some(inline) = template.get("spec") {
            return Ok(inline.clone());
        }
        let name = template.get("ref").or_else(|| template.get("name"));
        let name = name.and_then(Value::as_str).unwrap_or_default();
        Ok(self.fetch::<TriggerTemplate>(name).await?.spec)
    }

    async fn fetch<K>(&self, name: &str) -> Result<K, String>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api = Api::<K>::namespaced(self.hub.client.clone(), &self.namespace);
        match api.get_opt(name).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => {
                let (plural, group) = (K::plural(&()), K::group(&()));
                Err(format!("{plural}.{group} {name:?} not found"))
            }
            Err(error) => Err(said(&error)),
        }
    }

    async fn create(&self, object: Value) -> Result<String, String> {
        let text = |field: &str| {
            object
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (api_version, kind) = (text("apiVersion"), text("kind").to_owned());
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let named = GroupVersionKind::gvk(group, version, &kind);
        let namespace = object
            .pointer("/metadata/namespace")
            .and_then(Value::as_str);
        let namespace = namespace.unwrap_or(&self.namespace).to_owned();
        let resource = ApiResource::from_gvk(&named);
        let api =
            Api::<DynamicObject>::namespaced_with(self.hub.client.clone(), &namespace, &resource);
        let object: DynamicObject = serde_json::from_value(object)
            .map_err(|error| format!("couldn't create resource: {error}"))?;
        match api.create(&PostParams::default(), &object).await {
            Ok(made) => Ok(format!("{kind} {}", made.metadata.name.unwrap_or_default())),
            Err(error) => Err(format!(
                "couldn't create resource with group version kind {:?}: {}",
                format!(
                    "{api_version}, Kind={kind}",
                    api_version = resource.api_version
                ),
                said(&error)
            )),
        }
    }
}

/// Returns what the API server said.
pub(super) fn said(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return status.message.clone();
    }
    error.to_string()
}
