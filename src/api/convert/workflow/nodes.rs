//! `status.nodes` of a Workflow, as it is or compressed.

use crate::api::compressed;
use crate::api::convert::loose::{Loose, at};
use crate::api::convert::run_template::{parameters, scalar};
use crate::domain::object::{ObjectRef, Text};
use crate::domain::pipeline::{Artifact, NodeKind, Nodes, Phase, RunNode};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// Pods by the id of their node.
pub type Known = HashMap<Text, ObjectRef>;

type Wire<'v> = Cow<'v, Map<String, Value>>;

/// Returns the nodes on the wire and where they were.
///
/// # Errors
/// Says why there are none: they are elsewhere, or cannot be read.
pub fn decoded(value: &Value) -> Result<(Wire<'_>, Nodes), Nodes> {
    let version = at(value, &["status", "offloadNodeStatusVersion"]);
    if version
        .and_then(Value::as_str)
        .is_some_and(|version| !version.is_empty())
    {
        return Err(Nodes::Offloaded);
    }
    let packed = at(value, &["status", "compressedNodes"]).and_then(Value::as_str);
    if let Some(packed) = packed.filter(|packed| !packed.is_empty()) {
        let unpacked = compressed::unpack(packed).and_then(|(bytes, _)| {
            let nodes: Result<Map<String, Value>, _> = serde_json::from_slice(&bytes);
            nodes.map_err(|error| error.to_string())
        });
        return match unpacked {
            Ok(nodes) => Ok((Cow::Owned(nodes), Nodes::Compressed)),
            Err(why) => Err(Nodes::Unreadable(why.into())),
        };
    }
    let nodes = at(value, &["status", "nodes"]).and_then(Value::as_object);
    Ok((
        nodes.map_or_else(|| Cow::Owned(Map::new()), Cow::Borrowed),
        Nodes::Inline,
    ))
}

/// Reads the nodes.
pub(super) fn read(
    value: &Value,
    pods: Option<&Known>,
    loose: &mut Loose,
) -> (Vec<RunNode>, Nodes) {
    let (wire, place) = match decoded(value) {
        Ok(found) => found,
        Err(place) => return (Vec::new(), place),
    };
    let index: HashMap<&str, u32> = wire
        .keys()
        .enumerate()
        .map(|(at, id)| (id.as_str(), at as u32))
        .collect();
    let read = wire.iter().map(|(id, node)| {
        let mut read = node_of(id, node, &index, loose);
        if read.kind == NodeKind::Pod {
            read.container = "main".into();
            read.pod = pods.and_then(|pods| pods.get(&read.id)).cloned();
            read.pod_gone = pods.is_some() && read.pod.is_none() && read.started.is_some();
        }
        read
    });
    let mut nodes: Vec<RunNode> = read.collect();
    let attempts: Vec<u32> = nodes
        .iter()
        .filter(|node| node.kind == NodeKind::Retry)
        .flat_map(|node| node.children.iter().copied())
        .collect();
    for at in attempts {
        if let Some(node) = nodes.get_mut(at as usize) {
            node.is_attempt = true;
        }
    }
    (nodes, place)
}

fn node_of(id: &str, node: &Value, index: &HashMap<&str, u32>, loose: &mut Loose) -> RunNode {
    let kind = NodeKind::from_word(loose.str(node, &["type"])).unwrap_or(NodeKind::Pod);
    let label = loose.text(node, &["displayName"]);
    let name = loose.text(node, &["name"]);
    let label = if label.is_empty() {
        Text::clone(&name)
    } else {
        label
    };
    let mut read = RunNode::new(id, label, kind);
    read.name = name;
    let word = loose.str(node, &["phase"]);
    read.phase = Phase::from_word(word).unwrap_or(Phase::Pending);
    if kind == NodeKind::Suspend && read.phase == Phase::Running {
        read.phase = Phase::Suspended;
    }
    read.message = loose.text(node, &["message"]);
    read.template = template(node, loose);
    read.started = loose.time(node, &["startedAt"]);
    read.finished = loose.time(node, &["finishedAt"]);
    let children = loose.list(node, &["children"]).iter();
    read.children = children
        .filter_map(|child| index.get(child.as_str()?).copied())
        .collect();
    read.boundary = at(node, &["boundaryID"])
        .and_then(Value::as_str)
        .and_then(|boundary| index.get(boundary).copied());
    read.inputs = parameters(node, &["inputs", "parameters"], loose);
    read.outputs = parameters(node, &["outputs", "parameters"], loose);
    if let Some(result) = at(node, &["outputs", "result"]) {
        read.outputs.push(crate::domain::pipeline::Parameter {
            name: "result".into(),
            value: Some(scalar(Some(result))),
            ..crate::domain::pipeline::Parameter::default()
        });
    }
    for place in ["inputs", "outputs"] {
        let artifacts = loose.list(node, &[place, "artifacts"]).iter();
        read.artifacts.extend(artifacts.map(artifact));
    }
    read.exit_code = scalar(at(node, &["outputs", "exitCode"])).parse().ok();
    read.progress = super::progress(loose.str(node, &["progress"]));
    read.is_hook = loose.flag(node, &["nodeFlag", "hooked"]).unwrap_or(false)
        || read.name.ends_with(".onExit");
    read.is_attempt = loose.flag(node, &["nodeFlag", "retried"]).unwrap_or(false);
    read
}

fn template(node: &Value, loose: &mut Loose) -> Text {
    let own = loose.text(node, &["templateName"]);
    if !own.is_empty() {
        return own;
    }
    let name = loose.text(node, &["templateRef", "name"]);
    if name.is_empty() {
        return name;
    }
    let template = loose.str(node, &["templateRef", "template"]);
    format!("{name}/{template}").into()
}

fn artifact(value: &Value) -> Artifact {
    let place = ["path"].iter().map(|name| scalar(at(value, &[name])));
    let key = scalar(at(value, &["s3", "key"]));
    Artifact {
        name: scalar(at(value, &["name"])),
        place: if key.is_empty() {
            place.into_iter().next().unwrap_or_else(|| "".into())
        } else {
            key
        },
    }
}
