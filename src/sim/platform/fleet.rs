//! Further Applications, generated for a platform of any size.
//!
//! Each is real: it has its own folder in a git repository, with a ConfigMap and a Deployment
//! without replicas, so that thousands of them cost no pods.

use super::{GIT_URL, SimError, objects};
use crate::sim::git::{Author, GitError, GitServer, NewCommit};
use crate::sim::rng::Seed;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const REPOSITORY: &str = "platform/fleet";
const NAMESPACES: u32 = 40;
const TEAMS: [&str; 8] = [
    "billing", "search", "accounts", "shipping", "media", "insight", "mobile", "risk",
];
const PARTS: [&str; 8] = [
    "api", "web", "worker", "cache", "sync", "export", "admin", "gateway",
];

/// One generated Application, by its number.
struct Member {
    name: String,
    namespace: String,
    team: &'static str,
}

fn member(number: u32) -> Member {
    let pick = |list: &[&'static str; 8], index: u32| {
        list.get(index as usize % list.len())
            .copied()
            .unwrap_or("app")
    };
    let team = pick(&TEAMS, number);
    let part = pick(&PARTS, number / 8);
    Member {
        name: format!("{team}-{part}-{number:05}"),
        namespace: format!("fleet-{:02}", number % NAMESPACES),
        team,
    }
}

/// Writes the repository, all folders in one commit.
pub(super) fn write_repository(git: &GitServer, apps: u32) -> Result<(), GitError> {
    if apps == 0 || git.exists(REPOSITORY) {
        return Ok(());
    }
    git.create(REPOSITORY)?;
    let author = Author::new("fleet-bot", "fleet@shop.example");
    let mut commit = NewCommit::new(author, "Generate the fleet\n");
    for number in 0..apps {
        let name = member(number).name;
        commit = commit.write(format!("apps/{name}/app.yaml"), manifests(&name));
    }
    git.commit_files(REPOSITORY, &commit).map(drop)
}

fn manifests(name: &str) -> String {
    format!(
        "apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
data:
  name: {name}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  replicas: 0
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      containers:
        - name: main
          image: docker.io/library/busybox:1.37
"
    )
}

/// Creates the namespaces and the Applications.
pub(super) async fn create(client: &kube::Client, apps: u32, seed: u64) -> Result<(), SimError> {
    if apps == 0 {
        return Ok(());
    }
    let namespaces: BTreeSet<String> = (0..apps).map(|number| member(number).namespace).collect();
    let namespaces: Vec<Value> = namespaces
        .into_iter()
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .collect();
    objects::create_all(client, &namespaces).await?;
    let mut chance = Seed(seed).stream(&["fleet"]);
    let applications: Vec<Value> = (0..apps)
        .map(|number| application(&member(number), chance.below(10) > 0))
        .collect();
    objects::create_all(client, &applications).await
}

fn application(member: &Member, is_automatic: bool) -> Value {
    let policy = if is_automatic {
        json!({"automated": {"prune": true, "selfHeal": true}})
    } else {
        json!({"syncOptions": ["CreateNamespace=true"]})
    };
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": member.name,
            "namespace": "argocd",
            "labels": {"team": member.team, "fleet": "generated"},
        },
        "spec": {
            "project": "default",
            "source": {
                "repoURL": format!("{GIT_URL}/{REPOSITORY}.git"),
                "targetRevision": "HEAD",
                "path": format!("apps/{}", member.name),
            },
            "destination": {
                "server": "https://kubernetes.default.svc",
                "namespace": member.namespace,
            },
            "syncPolicy": policy,
        },
    })
}
