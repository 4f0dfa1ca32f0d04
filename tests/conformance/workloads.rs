//! Deployments and what controllers make of them: scale, rollout, logs, garbage collection.

use crate::kubectl::{Check, Kubectl, contains, equals};
use crate::matrix::Named;

pub(crate) const CHECKS: &[Named] = &[
    ("a deployment rolls out", rolls_out),
    ("scale", scale),
    ("rollout restart, history and undo", rollout),
    ("logs", logs),
    ("describe a deployment and a pod", describe),
    ("get all", get_all),
    ("expose, autoscale and run", others),
    ("delete with its dependents", cascade),
];

fn rolls_out(kubectl: &Kubectl) -> Check {
    kubectl.must(&[
        "create",
        "deployment",
        "web",
        "--image=nginx:1.27",
        "--replicas=2",
    ])?;
    kubectl.must(&["rollout", "status", "deploy/web", "--timeout=30s"])?;
    kubectl.must(&[
        "wait",
        "--for=condition=Available",
        "deploy/web",
        "--timeout=30s",
    ])?;
    let table = kubectl.must(&["get", "deploy", "web"])?;
    contains("ready", &table, "2/2")?;
    let pods = kubectl.must(&["get", "pods", "-l", "app=web"])?;
    contains("pods", &pods, "Running")?;
    kubectl.must(&[
        "wait",
        "--for=condition=Ready",
        "pod",
        "-l",
        "app=web",
        "--timeout=30s",
    ])?;
    Ok(())
}

fn scale(kubectl: &Kubectl) -> Check {
    kubectl
        .run(&[
            "scale",
            "deploy/web",
            "--replicas=1",
            "--current-replicas=7",
        ])
        .must_fail_with("Expected replicas to be 7")?;
    kubectl.must(&[
        "scale",
        "deploy/web",
        "--replicas=3",
        "--current-replicas=2",
    ])?;
    kubectl.must(&["rollout", "status", "deploy/web", "--timeout=30s"])?;
    let replicas = kubectl.must(&[
        "get",
        "deploy",
        "web",
        "-o",
        "jsonpath={.status.readyReplicas}",
    ])?;
    equals("ready", &replicas, "3")
}

fn rollout(kubectl: &Kubectl) -> Check {
    kubectl.must(&["set", "image", "deploy/web", "nginx=nginx:1.28"])?;
    kubectl.must(&["rollout", "status", "deploy/web", "--timeout=30s"])?;
    let history = kubectl.must(&["rollout", "history", "deploy/web"])?;
    contains("history", &history, "2")?;
    kubectl.must(&["rollout", "undo", "deploy/web"])?;
    kubectl.must(&["rollout", "status", "deploy/web", "--timeout=30s"])?;
    let path = "jsonpath={.spec.template.spec.containers[0].image}";
    equals(
        "undone",
        &kubectl.must(&["get", "deploy", "web", "-o", path])?,
        "nginx:1.27",
    )?;
    kubectl.must(&["rollout", "restart", "deploy/web"])?;
    kubectl.must(&["rollout", "status", "deploy/web", "--timeout=30s"])?;
    kubectl.must(&["rollout", "pause", "deploy/web"])?;
    kubectl.must(&["rollout", "resume", "deploy/web"])?;
    Ok(())
}

fn logs(kubectl: &Kubectl) -> Check {
    let text = kubectl.must(&["logs", "deploy/web", "--tail=5"])?;
    if text.trim().is_empty() {
        return Err("a running container has no logs".to_owned());
    }
    kubectl.must(&["logs", "-l", "app=web", "--timestamps", "--prefix"])?;
    kubectl
        .run(&["logs", "no-such-pod"])
        .must_fail_with("not found")
}

fn describe(kubectl: &Kubectl) -> Check {
    let deployment = kubectl.must(&["describe", "deploy", "web"])?;
    contains("replica sets", &deployment, "NewReplicaSet")?;
    contains("events", &deployment, "ScalingReplicaSet")?;
    let pods = kubectl.must(&["describe", "pods", "-l", "app=web"])?;
    contains("pod", &pods, "Ready")?;
    contains("pod events", &pods, "Started")
}

fn get_all(kubectl: &Kubectl) -> Check {
    let all = kubectl.must(&["get", "all"])?;
    for wanted in ["pod/web-", "deployment.apps/web", "replicaset.apps/web-"] {
        contains("get all", &all, wanted)?;
    }
    Ok(())
}

const NIGHTLY: &str = "
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: 30 2 * * *
  suspend: true
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: report
              image: busybox:1
              env: [{name: SELF, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
              volumeMounts: [{name: queries, mountPath: /queries}, {name: scratch, mountPath: /scratch}]
          volumes: [{name: queries, configMap: {name: colors}}, {name: scratch, emptyDir: {}}]
";

fn others(kubectl: &Kubectl) -> Check {
    kubectl.must(&["expose", "deploy/web", "--port=80"])?;
    let address = kubectl.must(&["get", "svc", "web", "-o", "jsonpath={.spec.clusterIP}"])?;
    contains("cluster address", &address, ".")?;
    kubectl.must(&[
        "autoscale",
        "deploy/web",
        "--min=1",
        "--max=4",
        "--cpu-percent=80",
    ])?;
    kubectl.must(&["get", "hpa", "web"])?;
    kubectl.must(&["run", "single", "--image=busybox:1", "--restart=Never"])?;
    kubectl.must(&["delete", "pod", "single", "--now"])?;
    kubectl.must(&["delete", "hpa", "web"])?;
    kubectl.must_feed(&["create", "-f", "-"], NIGHTLY)?;
    kubectl.must(&["create", "job", "tonight", "--from=cronjob/nightly"])?;
    let template = "jsonpath={.spec.template.spec.volumes[*].configMap.name} {.spec.template.spec.containers[0].env[0].valueFrom.fieldRef.fieldPath}";
    let copied = kubectl.must(&["get", "job", "tonight", "-o", template])?;
    equals("copied template", &copied, "colors metadata.name")?;
    // The job goes first: it belongs to the cron job and would go with it.
    kubectl.must(&["delete", "job/tonight"])?;
    kubectl.must(&["delete", "cronjob/nightly"])?;
    Ok(())
}

fn cascade(kubectl: &Kubectl) -> Check {
    kubectl.must(&[
        "delete",
        "deploy",
        "web",
        "--cascade=foreground",
        "--timeout=30s",
    ])?;
    kubectl.must(&[
        "wait",
        "--for=delete",
        "pod",
        "-l",
        "app=web",
        "--timeout=30s",
    ])?;
    let left = kubectl.must(&["get", "rs,pods", "-l", "app=web", "-o", "name"])?;
    equals("dependents", &left, "")
}
