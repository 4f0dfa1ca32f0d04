//! Edits of a Workflow's nodes: resume and retry; pure.
//!
//! Sources: Argo Workflows `workflow/util/util.go` (`updateSuspendedNode`, `ResumeWorkflow`,
//! `FormulateRetryWorkflow`).

use super::Refusal;
use crate::api::compressed;
use crate::api::convert::workflow::{PREFIX, decoded};
use crate::domain::node::Node;
use crate::domain::object::Text;
use crate::domain::pipeline::Nodes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};

type Wire = Map<String, Value>;

fn text<'v>(value: &'v Value, path: &[&str]) -> &'v str {
    value.at(path).and_then(Node::text).unwrap_or_default()
}

/// Takes the nodes out, whatever their encoding.
fn taken(live: &Value) -> Result<(Wire, Nodes), Refusal> {
    match decoded(live) {
        Ok((nodes, place)) => Ok((nodes.into_owned(), place)),
        Err(Nodes::Unreadable(why)) => Err(Refusal::new(
            format!("its nodes cannot be read: {why}"),
            "ask argo-server to do it",
        )),
        Err(Nodes::Offloaded | Nodes::Inline | Nodes::Compressed) => Err(Refusal::new(
            "its nodes are kept in a database, so they cannot be changed here",
            "ask argo-server to do it, or resubmit the run",
        )),
    }
}

/// Puts the nodes back in the encoding they had.
fn put_back(live: &mut Value, nodes: Wire, place: &Nodes) -> Result<(), Refusal> {
    if *place != Nodes::Compressed {
        live["status"]["nodes"] = nodes.into();
        return Ok(());
    }
    let packed = serde_json::to_vec(&nodes)
        .map_err(|error| error.to_string())
        .and_then(|bytes| compressed::pack(&bytes));
    let packed = packed
        .map_err(|why| Refusal::new(format!("its nodes cannot be packed: {why}"), "try again"))?;
    live["status"]["compressedNodes"] = packed.into();
    Ok(())
}

fn waits(node: &Value) -> bool {
    text(node, &["type"]) == "Suspend" && text(node, &["phase"]) == "Running"
}

/// Resumes all suspend nodes, or the one with an id, name or display name.
pub(super) fn resume(
    live: &mut Value,
    (wanted, given): (Option<&str>, &[(Text, Text)]),
    now: DateTime<Utc>,
) -> Result<String, Refusal> {
    let told = live.at(&["spec", "suspend"]).and_then(Node::boolean) == Some(true);
    let (mut nodes, place) = taken(live)?;
    let mut resumed = Vec::new();
    for (id, node) in nodes.iter_mut().filter(|(_, node)| waits(node)) {
        let names = [
            id.as_str(),
            text(node, &["displayName"]),
            text(node, &["name"]),
        ];
        if wanted.is_some_and(|wanted| !names.contains(&wanted)) {
            continue;
        }
        let label = text(node, &["displayName"]).to_owned();
        supply(node, given)?;
        node["phase"] = "Succeeded".into();
        node["finishedAt"] = now.to_rfc3339_opts(SecondsFormat::Secs, true).into();
        resumed.push(label);
    }
    if resumed.is_empty() && (wanted.is_some() || !told) {
        let reason = match wanted {
            Some(wanted) => format!("no step `{wanted}` of it waits"),
            None => String::from("nothing of it waits"),
        };
        return Err(Refusal::new(reason, "look at its steps"));
    }
    if let Some(spec) = live.get_mut("spec").and_then(Value::as_object_mut)
        && wanted.is_none()
    {
        let _told = spec.remove("suspend");
    }
    put_back(live, nodes, &place)?;
    Ok(if resumed.is_empty() {
        String::from("it goes on")
    } else {
        format!("it goes on from {}", resumed.join(", "))
    })
}

/// Gives the outputs that a person supplies their value, or their default.
fn supply(node: &mut Value, given: &[(Text, Text)]) -> Result<(), Refusal> {
    let parameters = node
        .pointer_mut("/outputs/parameters")
        .and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let name = text(parameter, &["name"]).to_owned();
        let open = parameter.at(&["valueFrom", "supplied"]).is_some();
        if !open || parameter.get("value").is_some_and(|value| !value.is_null()) {
            continue;
        }
        let value = given.iter().find(|(known, _)| **known == *name);
        let value = value.map(|(_, value)| Value::from(&**value));
        let default = parameter.at(&["valueFrom", "default"]).cloned();
        let Some(value) = value.or(default) else {
            return Err(Refusal::new(
                format!("`{name}` has neither a value nor a default"),
                "give it: NAME=VALUE after the run",
            ));
        };
        parameter["value"] = value;
        if let Some(parameter) = parameter.as_object_mut() {
            let _from = parameter.remove("valueFrom");
        }
    }
    Ok(())
}

/// What a retry did to the nodes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Retried {
    pub(super) what: String,
    /// Ids of nodes whose Pods have to go.
    pub(super) gone: Vec<String>,
}

/// Makes a failed Workflow run again what failed.
pub(super) fn retry(live: &mut Value) -> Result<Retried, Refusal> {
    let name = text(live, &["metadata", "name"]).to_owned();
    let (mut nodes, place) = taken(live)?;
    let gone = to_delete(&nodes, &name);
    for id in &gone {
        let _node = nodes.remove(id);
    }
    for node in nodes.values_mut() {
        for list in ["children", "outboundNodes"] {
            if let Some(ids) = node.get_mut(list).and_then(Value::as_array_mut) {
                ids.retain(|id| !id.as_str().is_some_and(|id| gone.contains(id)));
            }
        }
        if is_group(node) && !is_good(node) {
            node["phase"] = "Running".into();
            node["message"] = "".into();
            without(node, "finishedAt");
        }
    }
    let count = gone.len();
    put_back(live, nodes, &place)?;
    begin_again(live);
    let mut gone: Vec<String> = gone.into_iter().collect();
    gone.sort();
    Ok(Retried {
        what: format!("{count} failed steps are to run again"),
        gone,
    })
}

/// Takes a member away: a schema may not take `null` in its place.
fn without(value: &mut Value, member: &str) {
    if let Some(members) = value.as_object_mut() {
        let _taken = members.remove(member);
    }
}

fn is_group(node: &Value) -> bool {
    let groups = ["Steps", "StepGroup", "DAG", "TaskGroup", "Retry"];
    groups.contains(&text(node, &["type"]))
}

fn is_good(node: &Value) -> bool {
    matches!(text(node, &["phase"]), "Succeeded" | "Skipped")
}

fn children(node: &Value) -> impl Iterator<Item = &str> {
    let children = node.at(&["children"]).map(Node::items).unwrap_or_default();
    children.iter().filter_map(Node::text)
}

/// What failed by itself, all that followed it, and the exit handler.
fn to_delete(nodes: &Wire, workflow: &str) -> HashSet<String> {
    let mut group_of: HashMap<&str, &str> = HashMap::new();
    for (id, node) in nodes.iter().filter(|(_, node)| is_group(node)) {
        for child in children(node) {
            let _other = group_of.insert(child, id);
        }
    }
    // A failure that its group forgives (another attempt, `continueOn`) is no reason to run again.
    let forgiven = |id: &str, node: &Value| {
        let groups = [group_of.get(id).copied(), Some(text(node, &["boundaryID"]))];
        let mut groups = groups
            .into_iter()
            .flatten()
            .filter_map(|group| nodes.get(group));
        groups.any(is_good)
    };
    let exit = format!("{workflow}.onExit");
    let begin = nodes.iter().filter(|(id, node)| {
        let failed = !is_group(node) && !is_good(node) && !forgiven(id, node);
        failed || text(node, &["name"]) == exit
    });
    let mut waiting: Vec<&str> = begin.map(|(id, _)| id.as_str()).collect();
    let mut gone: HashSet<String> = HashSet::new();
    while let Some(id) = waiting.pop() {
        let Some(node) = nodes.get(id).filter(|_| !gone.contains(id)) else {
            continue;
        };
        let _new = gone.insert(id.to_owned());
        waiting.extend(children(node));
        // What is inside a group that goes, goes with it.
        let inside = nodes
            .iter()
            .filter(|(_, other)| text(other, &["boundaryID"]) == id);
        if is_group(node) {
            waiting.extend(inside.map(|(id, _)| id.as_str()));
        }
    }
    gone
}

fn begin_again(live: &mut Value) {
    if let Some(labels) = live
        .pointer_mut("/metadata/labels")
        .and_then(Value::as_object_mut)
    {
        let _completed = labels.remove(&format!("{PREFIX}/completed"));
        let _archived = labels.remove(&format!("{PREFIX}/workflow-archiving-status"));
    }
    if let Some(spec) = live.get_mut("spec").and_then(Value::as_object_mut) {
        let _ended = spec.remove("shutdown");
    }
    live["status"]["phase"] = "".into();
    live["status"]["message"] = "".into();
    if let Some(status) = live.get_mut("status") {
        without(status, "finishedAt");
    }
    let conditions = live
        .pointer_mut("/status/conditions")
        .and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        if text(condition, &["type"]) == "Completed" {
            *condition = json!({ "type": "Completed", "status": "False" });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workflow(nodes: &Value) -> Value {
        json!({"metadata": {"name": "w", "labels": {format!("{PREFIX}/completed"): "true"}},
            "spec": {"shutdown": "Stop"}, "status": {"phase": "Failed", "message": "x",
            "finishedAt": "2026-01-01T00:00:00Z", "nodes": nodes,
            "conditions": [{"type": "Completed", "status": "True"}]}})
    }

    #[test]
    fn a_node_that_waits_is_resumed_with_the_value_that_is_given() {
        let mut live = workflow(&json!({
            "a": {"type": "Suspend", "phase": "Running", "displayName": "approve", "outputs":
                {"parameters": [{"name": "go", "valueFrom": {"supplied": {}}}]}},
            "b": {"type": "Suspend", "phase": "Running", "displayName": "other"}}));
        let now = DateTime::UNIX_EPOCH;

        let refused = resume(&mut live, (Some("approve"), &[]), now).expect_err("no value");
        assert!(refused.reason.contains("`go`"));
        let given = [(Text::from("go"), Text::from("yes"))];
        let what = resume(&mut live, (Some("approve"), &given), now).expect("resumed");

        assert_eq!(what, "it goes on from approve");
        let nodes = &live["status"]["nodes"];
        assert_eq!(nodes["a"]["phase"], "Succeeded");
        assert_eq!(
            nodes["a"]["outputs"]["parameters"][0],
            json!({"name": "go", "value": "yes"})
        );
        assert_eq!(nodes["b"]["phase"], "Running");
        assert!(resume(&mut live, (Some("approve"), &[]), now).is_err());
    }

    #[test]
    fn what_succeeded_is_kept_and_what_followed_a_failure_goes() {
        let mut live = workflow(&json!({
            "w": {"name": "w", "type": "Steps", "phase": "Failed", "children": ["g0"],
                "outboundNodes": ["b"]},
            "g0": {"name": "w[0]", "type": "StepGroup", "phase": "Succeeded", "boundaryID": "w",
                "children": ["a"]},
            "a": {"name": "w[0].a", "type": "Pod", "phase": "Succeeded", "boundaryID": "w",
                "children": ["g1"]},
            "g1": {"name": "w[1]", "type": "StepGroup", "phase": "Failed", "boundaryID": "w",
                "children": ["b", "c"]},
            "b": {"name": "w[1].b", "type": "Pod", "phase": "Failed", "boundaryID": "w"},
            "c": {"name": "w[1].c", "type": "Pod", "phase": "Succeeded", "boundaryID": "w"},
            "x": {"name": "w.onExit", "type": "Pod", "phase": "Succeeded"}}));

        let retried = retry(&mut live).expect("retried");

        assert_eq!(retried.gone, ["b", "x"]);
        let nodes = &live["status"]["nodes"];
        assert_eq!(nodes["g1"]["phase"], "Running");
        assert_eq!(nodes["g1"]["children"], json!(["c"]));
        assert_eq!(nodes["w"]["outboundNodes"], json!([]));
        assert_eq!(nodes["g0"]["phase"], "Succeeded");
        assert_eq!(live["status"]["phase"], "");
        assert_eq!(live["spec"], json!({}));
        assert_eq!(live["metadata"]["labels"], json!({}));
        assert_eq!(live["status"]["conditions"][0]["status"], "False");
    }

    #[test]
    fn a_failed_attempt_that_was_made_good_stays() {
        let mut live = workflow(&json!({
            "w": {"name": "w", "type": "DAG", "phase": "Failed", "children": ["r"]},
            "r": {"name": "w.a", "type": "Retry", "phase": "Succeeded", "boundaryID": "w",
                "children": ["r0", "r1"]},
            "r0": {"name": "w.a(0)", "type": "Pod", "phase": "Failed"},
            "r1": {"name": "w.a(1)", "type": "Pod", "phase": "Succeeded", "children": ["b"]},
            "b": {"name": "w.b", "type": "Pod", "phase": "Error", "boundaryID": "w"}}));

        assert_eq!(retry(&mut live).expect("retried").gone, ["b"]);
    }

    #[test]
    fn compressed_nodes_stay_compressed_and_offloaded_ones_are_refused() {
        let nodes = json!({"w": {"name": "w", "type": "Pod", "phase": "Failed"}});
        let packed = compressed::pack(nodes.to_string().as_bytes()).expect("packed");
        let mut live = workflow(&Value::Null);
        live["status"]["compressedNodes"] = packed.clone().into();

        retry(&mut live).expect("retried");

        assert_ne!(live["status"]["compressedNodes"], packed);
        assert!(live["status"]["nodes"].is_null());
        live["status"]["offloadNodeStatusVersion"] = "fnv:1".into();
        assert!(retry(&mut live).is_err_and(|refusal| refusal.reason.contains("database")));
    }
}
