//! watch, wait and events.

use crate::kubectl::{Check, Kubectl, contains};
use crate::matrix::Named;

pub(crate) const CHECKS: &[Named] = &[("get --watch", watch), ("wait", wait), ("events", events)];

fn watch(kubectl: &Kubectl) -> Check {
    let mut following = kubectl.follow(&["get", "cm", "--watch", "--output-watch-events"]);
    following.until("colors")?;
    kubectl.must(&["create", "configmap", "passing", "--from-literal=a=b"])?;
    following.until("ADDED      passing")?;
    kubectl.must(&["label", "cm", "passing", "x=y"])?;
    following.until("MODIFIED   passing")?;
    kubectl.must(&["delete", "cm", "passing"])?;
    following.until("DELETED    passing")?;
    let mut names = kubectl.follow(&["get", "cm", "-w", "-o", "name"]);
    names.until("configmap/colors")
}

fn wait(kubectl: &Kubectl) -> Check {
    let there = "jsonpath={.data.sky}=blue";
    kubectl.must(&[
        "wait",
        &format!("--for={there}"),
        "cm/colors",
        "--timeout=20s",
    ])?;
    kubectl
        .run(&[
            "wait",
            "--for=jsonpath={.data.sky}=pink",
            "cm/colors",
            "--timeout=1s",
        ])
        .must_fail_with("timed out")
}

fn events(kubectl: &Kubectl) -> Check {
    let text = format!(
        "apiVersion: v1\nkind: Event\nmetadata: {{name: seen}}\ntype: Warning\nreason: Spotted\nmessage: land ahead\ncount: 1\nfirstTimestamp: 2026-01-01T00:00:00Z\nlastTimestamp: 2026-01-01T00:00:00Z\ninvolvedObject: {{apiVersion: v1, kind: ConfigMap, name: colors, namespace: {}}}\n",
        kubectl.namespace
    );
    kubectl.must_feed(&["create", "-f", "-"], &text)?;
    contains(
        "get events",
        &kubectl.must(&["get", "events"])?,
        "land ahead",
    )?;
    contains("events", &kubectl.must(&["events"])?, "land ahead")
}
