//! Intents on runs, on what makes runs, and on event sources.
//!
//! Flags are merge patches with the version that was looked at. Whatever edits the nodes of a
//! Workflow is GET and PUT, as `argo` does it; the nodes keep their encoding, and offloaded ones
//! are refused, because they are not in the object (Argo Workflows `workflow/util/util.go`).

mod bodies;
mod github;
mod nodes;

use super::observe::Expectation;
use super::{Accepted, Errand, TRIES, conflict_pause, text};
use crate::api::convert::run_template::run_template;
use crate::api::convert::{actions, tekton, workflow};
use crate::api::signature;
use crate::domain::event_flow::{Endpoint, EventSource, event_source_kind};
use crate::domain::finding::Finding;
use crate::domain::nearest::nearest;
use crate::domain::node::Node;
use crate::domain::object::{GroupKind, ObjectRef, Text};
use crate::domain::pipeline::template::{RunTemplate, is_template};
use crate::domain::pipeline::{CancelWay, RunRow, RunVerb, System, is_run};
use crate::engine::facts::items;
use crate::engine::fault::Fault;
use crate::engine::pipelines::{RECEIVER, pod_label, source_path};
use crate::engine::protocol::Scope;
use crate::engine::transport::{Call, JSON, MERGE_PATCH, segment};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderName, Method};
use serde_json::{Value, json};

const EVENT: HeaderName = HeaderName::from_static("x-github-event");
const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");

const NOTHING_CHANGED: &str = "the server would take it; nothing was changed";
const BUSY: &str = "it keeps changing while it is being written";

/// Why nodes are not changed, and what to do instead.
#[derive(Debug)]
struct Refusal {
    reason: String,
    hint: &'static str,
}

impl Refusal {
    fn new(reason: impl Into<String>, hint: &'static str) -> Self {
        Self {
            reason: reason.into(),
            hint,
        }
    }
}

impl Errand {
    /// Carries out what is asked of a run or of what makes runs.
    pub(super) async fn change_run(&self, verb: &RunVerb) -> Result<Accepted, Finding> {
        if self.intent.target.kind == System::Actions.kind() {
            return self.change_github_run(verb).await;
        }
        match verb {
            RunVerb::Submit {
                parameters,
                namespace,
            } => self.submit(parameters, namespace.as_ref()).await,
            RunVerb::Suspend => {
                let body = json!({ "spec": { "suspend": true } });
                self.flag(verb, body, "no further step begins").await
            }
            RunVerb::Stop => {
                let body = json!({ "spec": { "shutdown": "Stop" } });
                self.flag(verb, body, "it is to stop").await
            }
            RunVerb::Terminate => {
                let body = json!({ "spec": { "shutdown": "Terminate" } });
                self.flag(verb, body, "it is to end at once").await
            }
            RunVerb::Resume { node, parameters } => {
                self.must_be(System::Workflows)?;
                let now = self.session.now();
                let edit =
                    |live: &mut Value| nodes::resume(live, (node.as_deref(), parameters), now);
                self.edit(verb, edit).await
            }
            RunVerb::Retry => self.retry_run(verb).await,
            RunVerb::Resubmit => self.resubmit().await,
            RunVerb::Cancel(way) => self.cancel(verb, *way).await,
            RunVerb::SuspendCron { on } => {
                self.must_be_cron()?;
                let body = json!({ "spec": { "suspend": on } });
                let what = if *on {
                    "the schedule rests"
                } else {
                    "the schedule goes on"
                };
                self.patch_flag(verb, body, what).await
            }
            RunVerb::TriggerCron => {
                self.must_be_cron()?;
                let live = self.target().await?;
                let body = bodies::of_cron(&live, self.session.now());
                self.make(workflow::workflow_kind(), body).await
            }
            RunVerb::TestEvent { event, payload } => self.test_event(event, payload).await,
            RunVerb::Replay { id } => self.replay(id).await,
        }
    }

    fn must_be(&self, system: System) -> Result<(), Finding> {
        if self.intent.target.kind == system.kind() {
            return Ok(());
        }
        let kind = &self.intent.target.kind.kind;
        Err(self.refuse(
            format!("it is a {kind}, not a {}", system.kind().kind),
            "runs of Tekton are cancelled and run again; Workflows can be steered",
        ))
    }

    fn must_be_cron(&self) -> Result<(), Finding> {
        if self.intent.target.kind == crate::domain::pipeline::cron::cron_kind() {
            return Ok(());
        }
        let kind = &self.intent.target.kind.kind;
        Err(self.refuse(format!("it is a {kind}"), "choose a CronWorkflow"))
    }

    fn row(&self, live: &Value) -> RunRow {
        let target = &self.intent.target;
        let cluster = &self.session.cluster;
        match System::of_kind(&target.kind) {
            Some(System::Workflows) => workflow::run_row(live, cluster),
            Some(System::Actions) => {
                let repository = target.namespace.as_deref().unwrap_or_default();
                actions::run_row(live, None, cluster, repository)
            }
            Some(System::Tekton) | None => tekton::run_row(live, cluster, &target.kind),
        }
    }

    fn must_go_on(&self, row: &RunRow) -> Result<(), Finding> {
        if row.phase.is_over() {
            let reason = format!("it is over: {}", row.status_words());
            return Err(self.refuse(reason, "resubmit it to run it again"));
        }
        Ok(())
    }

    /// Sets a flag of a Workflow that is still running.
    async fn flag(&self, verb: &RunVerb, body: Value, what: &str) -> Result<Accepted, Finding> {
        self.must_be(System::Workflows)?;
        self.patch_flag(verb, body, what).await
    }

    async fn patch_flag(
        &self,
        verb: &RunVerb,
        body: Value,
        what: &str,
    ) -> Result<Accepted, Finding> {
        for attempt in 0..TRIES {
            let live = self.target().await?;
            let before = self.row(&live);
            if is_run(&self.intent.target.kind) {
                self.must_go_on(&before)?;
            }
            let mut body = body.clone();
            body["metadata"] =
                json!({ "resourceVersion": text(&live, &["metadata", "resourceVersion"]) });
            match self.patch("", MERGE_PATCH, &body).await? {
                Ok(_) => return Ok(self.accepted(what, verb)),
                Err(Fault::Conflict(_)) => conflict_pause(attempt).await,
                Err(fault) => return Err(self.explain(fault)),
            }
        }
        Err(self.refuse(BUSY, "try again in a moment"))
    }

    fn accepted(&self, what: &str, verb: &RunVerb) -> Accepted {
        if self.dry_run {
            return Accepted::dry(format!("{what}; {NOTHING_CHANGED}"));
        }
        Accepted::waiting(what, Expectation::Run(verb.clone()))
    }

    /// Edits the whole object and writes it back, again from the start after a conflict.
    async fn edit(
        &self,
        verb: &RunVerb,
        edit: impl Fn(&mut Value) -> Result<String, Refusal>,
    ) -> Result<Accepted, Finding> {
        for attempt in 0..TRIES {
            let mut live = self.target().await?;
            self.must_go_on(&self.row(&live))?;
            let what = edit(&mut live);
            let what = what.map_err(|refusal| self.refuse(&refusal.reason, refusal.hint))?;
            match self.put(&live).await? {
                Ok(()) => return Ok(self.accepted(&what, verb)),
                Err(Fault::Conflict(_)) => conflict_pause(attempt).await,
                Err(fault) => return Err(self.explain(fault)),
            }
        }
        Err(self.refuse(BUSY, "try again in a moment"))
    }

    async fn put(&self, live: &Value) -> Result<Result<(), Fault>, Finding> {
        let path = self.path("").await?;
        let call = Call::new(Method::PUT, path).body(JSON, live);
        Ok(self.session.send_json(call).await.map(drop))
    }

    /// Runs again what failed: the Pods of it are deleted, then the object is written once. A
    /// conflict is not tried again, because the Pods are gone by then.
    async fn retry_run(&self, verb: &RunVerb) -> Result<Accepted, Finding> {
        self.must_be(System::Workflows)?;
        let mut live = self.target().await?;
        let row = self.row(&live);
        if !row.phase.is_bad() {
            let reason = format!("it is {}; only a failed run is retried", row.status_words());
            return Err(self.refuse(reason, "resubmit it to run it again"));
        }
        let retried = nodes::retry(&mut live);
        let retried = retried.map_err(|refusal| self.refuse(&refusal.reason, refusal.hint))?;
        if !self.dry_run {
            self.delete_pods(&retried.gone).await?;
        }
        let written = self.put(&live).await?;
        written.map_err(|fault| {
            let mut finding = self.explain(fault);
            finding.hint =
                Some("retry it once more; the Pods of failed steps are gone already".into());
            finding
        })?;
        Ok(self.accepted(&retried.what, verb))
    }

    /// Deletes the Pods of nodes; one that is gone already is as good.
    async fn delete_pods(&self, of_nodes: &[String]) -> Result<(), Finding> {
        let namespace = self.intent.target.namespace.as_deref().unwrap_or_default();
        let collection = format!("/api/v1/namespaces/{}/pods", segment(namespace));
        let label = segment(&pod_label(&self.intent.target));
        let list = Call::get(format!("{collection}?labelSelector={label}"));
        let list = self.session.send_json(list).await;
        let list = list.map_err(|fault| self.explain(fault))?;
        let id = format!("{}/node-id", workflow::PREFIX);
        for pod in items(&list, &["items"]) {
            let node = text(pod, &["metadata", "annotations", &id]);
            if !of_nodes.iter().any(|gone| gone == node) {
                continue;
            }
            let name = segment(text(pod, &["metadata", "name"]));
            let call = Call::new(Method::DELETE, format!("{collection}/{name}"));
            match self.session.send(call).await {
                Ok(_) | Err(Fault::NotFound(_)) => {}
                Err(fault) => return Err(self.explain(fault)),
            }
        }
        Ok(())
    }

    async fn resubmit(&self) -> Result<Accepted, Finding> {
        let kind = &self.intent.target.kind;
        let live = self.target().await?;
        let body = if *kind == workflow::workflow_kind() {
            bodies::resubmitted(&live)
        } else if System::of_kind(kind) == Some(System::Tekton) {
            bodies::run_again(&live)
        } else {
            return Err(self.refuse(format!("it is a {}", kind.kind), "choose a run"));
        };
        self.make(kind.clone(), body).await
    }

    async fn cancel(&self, verb: &RunVerb, way: CancelWay) -> Result<Accepted, Finding> {
        let kind = &self.intent.target.kind;
        let word = match (&*kind.kind, way) {
            ("PipelineRun", way) => way.status(),
            ("TaskRun", CancelWay::Now) => "TaskRunCancelled",
            ("TaskRun", _) => {
                return Err(
                    self.refuse("a TaskRun has no final tasks", "cancel it at once: how=now")
                );
            }
            _ => {
                return Err(self.refuse(
                    format!("it is a {}", kind.kind),
                    "a Workflow is stopped or terminated",
                ));
            }
        };
        let body = json!({ "spec": { "status": word } });
        self.patch_flag(verb, body, "it is to end").await
    }

    /// Refuses parameters that the template has not, where it takes no others, and those that
    /// look like a slip.
    fn check_names(
        &self,
        parameters: &[(Text, Text)],
        (live, template): (&Value, &RunTemplate),
    ) -> Result<(), Finding> {
        let kind = &self.intent.target.kind;
        for (name, _) in parameters {
            let workspace = name.strip_prefix(bodies::WORKSPACE);
            let known = match workspace {
                Some(workspace) => items(live, &["spec", "workspaces"])
                    .iter()
                    .any(|one| text(one, &["name"]) == workspace),
                None => template.parameters.iter().any(|one| one.name == *name),
            };
            if known {
                continue;
            }
            let names = template.parameters.iter().map(|one| &*one.name);
            if let Some(near) = nearest(name, names) {
                return Err(self.refuse(
                    format!("it has no parameter `{name}`; did you mean `{near}`?"),
                    "nothing was made; look at its YAML for the names of its parameters",
                ));
            }
            // A Workflow takes more than its template names; Tekton does not.
            if &*kind.group != crate::domain::kind::ARGO {
                return Err(self.refuse(
                    format!("it has no parameter `{name}`"),
                    "look at its YAML for the names of its parameters",
                ));
            }
        }
        Ok(())
    }

    /// Makes a run from a template, a Pipeline or a schedule.
    async fn submit(
        &self,
        parameters: &[(Text, Text)],
        namespace: Option<&Text>,
    ) -> Result<Accepted, Finding> {
        let kind = self.intent.target.kind.clone();
        if !is_template(&kind) {
            return Err(self.refuse(
                format!("no run is made from a {}", kind.kind),
                "choose a WorkflowTemplate, a Pipeline, a Task or a CronWorkflow",
            ));
        }
        let live = self.target().await?;
        let template = run_template(&live, &self.session.cluster, &kind);
        let given = |name: &str| parameters.iter().any(|(known, _)| &**known == name);
        let missing: Vec<String> = template
            .required()
            .filter(|one| !given(&one.name))
            .map(|one| format!("{}=", one.name))
            .collect();
        if !missing.is_empty() {
            let mut finding = self.refuse("it has parameters without a value", "");
            finding.hint = Some(format!("give {}", missing.join(" ")).into());
            return Err(finding);
        }
        self.check_names(parameters, (&live, &template))?;
        if kind == crate::domain::pipeline::cron::cron_kind() {
            let body = bodies::of_cron(&live, self.session.now());
            return self
                .make(workflow::workflow_kind(), bodies::with(body, parameters))
                .await;
        }
        let place = self.place(namespace)?;
        if &*kind.group == crate::domain::kind::ARGO {
            let body = bodies::of_template(&live, &place, parameters);
            return self.make(workflow::workflow_kind(), body).await;
        }
        let wanted = template.workspaces.iter().map(|one| &**one);
        let body = bodies::of_pipeline(&live, &place, (parameters, wanted.collect()));
        let body = body.map_err(|refusal| self.refuse(&refusal.reason, refusal.hint))?;
        let made = if &*kind.kind == "Pipeline" {
            tekton::pipeline_run_kind()
        } else {
            tekton::task_run_kind()
        };
        self.make(made, body).await
    }

    /// The namespace for the run: given, that of the template, or the one that is shown.
    fn place(&self, given: Option<&Text>) -> Result<Text, Finding> {
        if let Some(namespace) = given.or(self.intent.target.namespace.as_ref()) {
            return Ok(Text::clone(namespace));
        }
        match &self.session.scope {
            Scope::Namespace(namespace) => Ok(Text::clone(namespace)),
            Scope::All => Err(self.refuse(
                "it belongs to no namespace, so it is not known where to run it",
                "give namespace=",
            )),
        }
    }

    async fn make(&self, kind: GroupKind, body: Value) -> Result<Accepted, Finding> {
        let resource = self.session.resource(&kind).await;
        let resource = resource.map_err(|fault| self.explain(fault))?;
        let namespace = text(&body, &["metadata", "namespace"]).to_owned();
        let dry = if self.dry_run { "&dryRun=All" } else { "" };
        let path = resource.collection(Some(&namespace));
        let path = format!("{path}?fieldManager=tiphys{dry}");
        let call = Call::new(Method::POST, path).body(JSON, &body);
        let made = self.session.send_json(call).await;
        let made = made.map_err(|fault| self.explain(fault))?;
        if self.dry_run {
            return Ok(Accepted::dry(NOTHING_CHANGED));
        }
        let name = text(&made, &["metadata", "name"]);
        let object = self.session.object_ref(kind, &namespace, name);
        let mut accepted = Accepted::waiting(
            format!("`{name}` is made"),
            Expectation::Run(RunVerb::TriggerCron),
        );
        accepted.of = Some(object);
        Ok(accepted)
    }

    /// Sends a payload to an endpoint of an EventSource.
    async fn test_event(&self, event: &str, payload: &str) -> Result<Accepted, Finding> {
        if self.intent.target.kind != event_source_kind() {
            let kind = &self.intent.target.kind.kind;
            return Err(self.refuse(format!("it is a {kind}"), "choose an EventSource"));
        }
        let live = self.target().await?;
        let source = crate::api::convert::event::event_source(&live, &self.session.cluster);
        let endpoint = self.endpoint(&source, event)?;
        let body: Value = serde_json::from_str(payload).map_err(|error| {
            self.refuse(
                format!("the payload is no JSON: {error}"),
                "write an object, such as {\"ref\":\"refs/heads/main\"}",
            )
        })?;
        if self.dry_run {
            return Ok(Accepted::dry(
                "an event source has no dry run; nothing was sent",
            ));
        }
        let base = source_path(&self.intent.target, endpoint.port);
        let method = endpoint.method.parse().unwrap_or(Method::POST);
        let mut call = Call::new(method, format!("{base}{}", endpoint.path)).body(JSON, &body);
        if let Some((name, key)) = &endpoint.secret {
            // As GitHub sends it; the text is the one that `Call::body` writes.
            let secret = self.webhook_secret(name, key).await?;
            let signature = signature::sign(secret.trim(), body.to_string().as_bytes());
            call = call
                .with_header(EVENT, "push")
                .with_header(SIGNATURE, &format!("sha256={signature}"));
        }
        let answer = self.session.send(call).await;
        let answer = answer.map_err(|fault| self.explain(fault))?;
        let said = String::from_utf8_lossy(&answer);
        let said: String = said.chars().take(120).collect();
        Ok(Accepted::seen(
            "the event is sent",
            format!("the event source answered: {}", said.trim()),
        ))
    }

    /// Reads the secret that an endpoint wants payloads signed with.
    async fn webhook_secret(&self, name: &str, key: &str) -> Result<String, Finding> {
        let namespace = self.intent.target.namespace.as_deref().unwrap_or_default();
        let (namespace, escaped) = (segment(namespace), segment(name));
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{escaped}");
        let secret = self.session.send_json(Call::get(path)).await;
        let secret = secret.map_err(|fault| {
            fault.into_finding(&format!(
                "the payload has to be signed, and the Secret `{name}` cannot be read"
            ))
        })?;
        let value = BASE64.decode(text(&secret, &["data", key])).ok();
        let value = value.and_then(|bytes| String::from_utf8(bytes).ok());
        value.filter(|value| !value.is_empty()).ok_or_else(|| {
            self.refuse(
                format!("the Secret `{name}` has no `{key}` to sign the payload with"),
                "correct `webhookSecret` of the EventSource, or the Secret",
            )
        })
    }

    fn endpoint<'s>(&self, source: &'s EventSource, event: &str) -> Result<&'s Endpoint, Finding> {
        let found = source.events.iter().find(|one| &*one.name == event);
        let endpoint = found.and_then(|one| one.endpoint.as_ref());
        let Some(endpoint) = endpoint else {
            let with = source.events.iter().filter(|one| one.endpoint.is_some());
            let names: Vec<&str> = with.map(|one| &*one.name).collect();
            let reason = format!("`{event}` is no event of it that has an endpoint");
            let mut finding = self.refuse(reason, "");
            finding.hint = Some(if names.is_empty() {
                "it has no event with an endpoint".into()
            } else {
                format!("its events with an endpoint are {}", names.join(", ")).into()
            });
            return Err(finding);
        };
        Ok(endpoint)
    }

    /// Asks the receiver to deliver a webhook once more.
    async fn replay(&self, id: &str) -> Result<Accepted, Finding> {
        if self.dry_run {
            return Ok(Accepted::dry("a receiver has no dry run; nothing was sent"));
        }
        let (namespace, service) = RECEIVER;
        let path = format!(
            "/api/v1/namespaces/{namespace}/services/{service}/proxy/webhooks/{}/replay",
            segment(id)
        );
        let answer = self.session.send_json(Call::new(Method::POST, path)).await;
        let answer = answer.map_err(|fault| self.explain(fault))?;
        let code = answer.at(&["request", "status"]).and_then(Node::integer);
        let code = code.unwrap_or(200);
        Ok(Accepted::seen(
            "it is delivered again",
            format!("the answer was {code}"),
        ))
    }

    /// Returns the object to look at for the effect.
    pub(super) fn looked_at(&self, accepted: &Accepted) -> ObjectRef {
        let of = accepted.of.clone();
        of.unwrap_or_else(|| self.intent.target.clone())
    }
}
