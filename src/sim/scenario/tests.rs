//! What a scenario's author is told, and that the scenarios inside the program are right.

use super::*;
use crate::sim::manifests;
use serde_json::json;

fn text<'o>(object: &'o Value, pointer: &str) -> &'o str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[test]
fn every_embedded_scenario_loads() {
    for name in embedded::names() {
        let scenario = from_files(&name, Origin::Embedded, &embedded::files(&name))
            .unwrap_or_else(|error| panic!("{name}: {error}"));

        assert!(!scenario.title.is_empty(), "{name} has a title");
    }
    assert!(embedded::names().iter().any(|name| name == DEFAULT));
}

/// Renders an Application's source from the newest commit of its repository.
fn rendered(scenario: &Scenario, application: &Value) -> Vec<Value> {
    let source = application.pointer("/spec/source").expect("a source");
    let name = crate::sim::git::repository_path(text(source, "/repoURL"));
    let repository = scenario
        .repositories
        .iter()
        .find(|repository| repository.name == name)
        .unwrap_or_else(|| panic!("{name} is a repository of the scenario"));
    let newest = history::as_tree(repository.commits.last().expect("a commit"));
    let options = manifests::Options::from_source(source).expect("options");
    manifests::load(&newest, text(source, "/path"), &options)
        .unwrap_or_else(|error| panic!("{}: {error}", text(application, "/metadata/name")))
        .objects
}

#[test]
fn every_application_of_the_default_scenario_renders() {
    let scenario =
        from_files(DEFAULT, Origin::Embedded, &embedded::files(DEFAULT)).expect("a scenario");
    let is_application = |object: &&Value| {
        text(object, "/kind") == "Application" && !text(object, "/spec/project").is_empty()
    };
    let mut open: Vec<Value> = scenario
        .manifests
        .iter()
        .filter(is_application)
        .cloned()
        .collect();
    let (mut applications, mut objects) = (0, 0);

    while let Some(application) = open.pop() {
        applications += 1;
        let found = rendered(&scenario, &application);
        assert!(
            !found.is_empty(),
            "{}",
            text(&application, "/metadata/name")
        );
        objects += found.len();
        open.extend(found.iter().filter(is_application).cloned());
    }

    assert!(applications >= 12, "{applications} Applications");
    assert!(objects >= 60, "{objects} objects");
}

#[test]
fn images_of_the_default_scenario_exist_except_the_one_nobody_pushed() {
    let scenario =
        from_files(DEFAULT, Origin::Embedded, &embedded::files(DEFAULT)).expect("a scenario");
    let mut there = scenario.images.clone();
    for artifact in &scenario.registry.artifacts {
        let name = artifact.image.rsplit_once(':').map_or("", |(name, _)| name);
        there.extend(artifact.also.iter().map(|tag| format!("{name}:{tag}")));
    }
    let mut missing = Vec::new();
    let mut open: Vec<Value> = scenario
        .manifests
        .iter()
        .filter(|object| text(object, "/kind") == "Application")
        .cloned()
        .collect();
    while let Some(application) = open.pop() {
        for object in rendered(&scenario, &application) {
            for image in images_in(&object) {
                let is_own = scenario
                    .registries
                    .iter()
                    .any(|host| image.starts_with(host.as_str()));
                if is_own && !there.contains(&image) {
                    missing.push(image);
                }
            }
            if text(&object, "/kind") == "Application" {
                open.push(object);
            }
        }
    }

    assert_eq!(missing, ["registry.tiphys.local/shop/catalog:5.1.0"]);
}

fn images_in(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(field, inner)| match (field.as_str(), inner) {
                ("image", Value::String(image)) => vec![image.clone()],
                _ => images_in(inner),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(images_in).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[test]
fn history_has_the_files_and_texts_of_its_time() {
    let scenario =
        from_files(DEFAULT, Origin::Embedded, &embedded::files(DEFAULT)).expect("a scenario");
    let guestbook = scenario
        .repositories
        .iter()
        .find(|repository| repository.name == "platform/guestbook")
        .expect("the guestbook");

    let first = guestbook.commits.first().expect("a commit");
    let prod = "overlays/prod/kustomization.yaml";
    assert!(!first.files.contains_key(prod));
    let tagged = guestbook
        .commits
        .iter()
        .find(|commit| commit.tag.as_deref() == Some("v1.1.0"))
        .expect("a tag");
    let then = String::from_utf8_lossy(tagged.files.get(prod).expect("a file")).into_owned();
    assert!(then.contains("newTag: 1.1.0"), "{then}");
}

const WRONG: &str = r#"title = "Wrong"
startz = ["argocd"]
starts = ["argocdd", 7]

[[image-profile]]
image = "a:*"
exit-afer = 3
exit-code = "one"

[[repository]]
name = "platform/app"
folder = "repositories/ap"

[[repository]]
name = "platform/app2"
folder = "repositories/app"

  [[repository.commit]]
  age = "soon"
  author = "nobody"
  message = "First"
  without = ["overlay"]
  was = [{ files = ["deployment.yml"], text = "a", instead = "b" }]

[[sync]]
application = "argocd/ap"

[[fault]]
after = "5"
what = "Nothing"

[[fault]]
after = "5s"
what = "A commit"
commit = { repository = "platform/app3", file = "x", text = "y", instead = "z", author = "A <a@b>", message = "m" }
"#;

#[test]
fn every_mistake_is_reported_at_once_with_its_line_and_the_nearest_name() {
    let files: MemoryFiles = [
        ("scenario.toml", WRONG),
        ("repositories/app/deployment.yaml", "a: 1\n"),
        ("manifests/app.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: app, namespace: argocd}\n"),
        ("manifests/broken.yaml", "a: [1\n"),
    ]
    .into_iter()
    .collect();

    let error = from_files("wrong", Origin::Embedded, &files).expect_err("mistakes");

    let listed = error.to_string();
    let expected = [
        "manifests/broken.yaml:",
        "scenario.toml:2: `startz` is not a field here; did you mean `starts`?",
        "scenario.toml:3: `argocdd` is not a part of the platform; did you mean `argocd`?",
        "scenario.toml:7: `exit-afer` is not a field here; did you mean `exit-after`?",
        "scenario.toml:8: invalid type: string \"one\", expected i32",
        "scenario.toml:12: the folder `repositories/ap` does not exist or is empty",
        "scenario.toml:19: `soon` is not a span of time",
        "scenario.toml:22: there is no `overlay` in the repository's folder",
        "scenario.toml:23: there is no file `deployment.yml` here; did you mean `deployment.yaml`?",
        "scenario.toml:26: `argocd/ap` is not an Application in `manifests`; did you mean `argocd/app`?",
        "scenario.toml:29: `5` is not a span of time",
        "a fault is an `object` with `patch` or `delete`, a `commit`, or something of the `registry`",
        "there is no repository `platform/app3`; did you mean `platform/app2`?",
    ];
    for message in expected {
        assert!(
            listed.contains(message),
            "missing: {message}\nin:\n{listed}"
        );
    }
}

#[test]
fn an_unknown_scenario_names_the_nearest() {
    let error = load("defualt", None).expect_err("unknown");

    assert_eq!(
        error.to_string(),
        "there is no scenario `defualt`; did you mean `default`?"
    );
}

#[test]
fn a_folder_of_the_users_own_is_a_scenario() {
    let folder = tempfile::tempdir().expect("a folder");
    let mine = folder.path().join("scenarios/mine");
    std::fs::create_dir_all(mine.join("manifests")).expect("a folder");
    std::fs::write(mine.join("scenario.toml"), "title = \"Mine\"\n").expect("a file");
    std::fs::write(
        mine.join("manifests/a.yaml"),
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n",
    )
    .expect("a file");

    let by_name = load("mine", Some(folder.path())).expect("a scenario");
    let by_path = load(&mine.display().to_string(), None).expect("a scenario");

    assert_eq!(by_name.title, "Mine");
    assert_eq!(by_path.name, "mine");
    assert_eq!(
        by_path.manifests,
        [json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})]
    );
    assert!(
        list(Some(folder.path()))
            .iter()
            .any(|listed| listed.name == "mine")
    );
}
