//! Our definitions of Argo CD's kinds against upstream's, and the schema walker against other
//! projects' definitions and examples (`TIPHYS_ORACLES`).

use crate::oracles;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tiphys::api::yaml;
use tiphys::sim::apiserver::crd::KindFromCrd;
use tiphys::sim::apiserver::schema::{Schema, core_types};

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the file can be read");
    yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn our_definition(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data/crds");
    read(&folder.join(name))
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|end| end == "yaml") {
            found.push(path);
        }
    }
    found.sort();
}

/// Returns the version in which objects are stored.
fn stored(definition: &Value) -> &Value {
    let versions = definition["spec"]["versions"].as_array();
    let stored = versions.and_then(|all| all.iter().find(|one| one["storage"] == true));
    stored.unwrap_or(&Value::Null)
}

fn schema_of(definition: &Value) -> &Value {
    &stored(definition)["schema"]["openAPIV3Schema"]
}

/// Walks two schemas together and lists where ours is stricter than upstream's.
struct Comparison {
    paths: usize,
    wrong: Vec<String>,
}

fn type_of(schema: &Value) -> &str {
    if schema["x-kubernetes-int-or-string"] == true {
        return "integer or string";
    }
    schema["type"].as_str().unwrap_or("anything")
}

impl Comparison {
    fn walk(&mut self, upstream: &Value, ours: Option<&Value>, path: &str) {
        self.paths += 1;
        let Some(ours) = ours else {
            self.wrong.push(format!("{path} is not in ours"));
            return;
        };
        if type_of(upstream) != type_of(ours) {
            let both = (type_of(upstream), type_of(ours));
            self.wrong
                .push(format!("{path} is {} upstream, {} in ours", both.0, both.1));
            return;
        }
        for rule in ["required", "enum"] {
            self.no_stricter(rule, upstream, ours, path);
        }
        for rule in [
            "pattern",
            "maxLength",
            "minLength",
            "minimum",
            "maximum",
            "format",
        ] {
            if ours.get(rule).is_some() && ours.get(rule) != upstream.get(rule) {
                self.wrong.push(format!("{path} has another {rule}"));
            }
        }
        let open = ours["x-kubernetes-preserve-unknown-fields"] == true;
        for (name, below) in upstream["properties"].as_object().into_iter().flatten() {
            let found = ours["properties"].get(name);
            if found.is_some() || !open {
                self.walk(below, found, &format!("{path}.{name}"));
            }
        }
        if let Some(below) = upstream.get("items") {
            self.walk(below, ours.get("items"), &format!("{path}[]"));
        }
        let below = upstream.get("additionalProperties");
        if let Some(below) = below.filter(|below| below.is_object() && !open) {
            self.walk(
                below,
                ours.get("additionalProperties"),
                &format!("{path}.*"),
            );
        }
    }

    /// A list of required fields may be shorter than upstream's, a list of choices longer.
    fn no_stricter(&mut self, rule: &str, upstream: &Value, ours: &Value, path: &str) {
        let (small, large) = match rule {
            "enum" => (upstream, ours),
            _ => (ours, upstream),
        };
        let listed = |schema: &Value| schema[rule].as_array().cloned();
        let Some(own) = listed(ours) else { return };
        let allowed = listed(large).unwrap_or_default();
        let wanted = listed(small).unwrap_or(own);
        if wanted.iter().any(|one| !allowed.contains(one)) {
            self.wrong.push(format!("{path} is stricter in {rule}"));
        }
    }
}

/// Upstream's definitions and ours of the same kind.
const PAIRS: [(&str, &str); 22] = [
    ("argo-cd/application-crd.yaml", "applications.yaml"),
    ("argo-cd/applicationset-crd.yaml", "applicationsets.yaml"),
    ("argo-cd/appproject-crd.yaml", "appprojects.yaml"),
    ("rollouts/rollout-crd.yaml", "rollouts.yaml"),
    ("image-updater/imageupdaters.yaml", "imageupdaters.yaml"),
    ("rollouts/analysis-run-crd.yaml", "analysisruns.yaml"),
    (
        "rollouts/analysis-template-crd.yaml",
        "analysistemplates.yaml",
    ),
    (
        "rollouts/cluster-analysis-template-crd.yaml",
        "clusteranalysistemplates.yaml",
    ),
    ("rollouts/experiment-crd.yaml", "experiments.yaml"),
    ("tekton/task.yaml", "tasks.yaml"),
    ("tekton/taskrun.yaml", "taskruns.yaml"),
    ("tekton/pipeline.yaml", "pipelines.yaml"),
    ("tekton/pipelinerun.yaml", "pipelineruns.yaml"),
    ("tekton/eventlistener.yaml", "eventlisteners.yaml"),
    ("tekton/trigger.yaml", "triggers.yaml"),
    ("tekton/triggerbinding.yaml", "triggerbindings.yaml"),
    ("tekton/triggertemplate.yaml", "triggertemplates.yaml"),
    ("workflows/workflows.yaml", "workflows.yaml"),
    ("workflows/workflowtemplates.yaml", "workflowtemplates.yaml"),
    (
        "workflows/clusterworkflowtemplates.yaml",
        "clusterworkflowtemplates.yaml",
    ),
    ("workflows/cronworkflows.yaml", "cronworkflows.yaml"),
    (
        "workflows/workflowtaskresults.yaml",
        "workflowtaskresults.yaml",
    ),
];

#[test]
fn our_definitions_accept_whatever_upstreams_accept() {
    let Some(folder) = oracles::folder("crds") else {
        return;
    };
    for (theirs, own) in PAIRS {
        let (upstream, ours) = (read(&folder.join(theirs)), our_definition(own));

        let mut comparison = Comparison {
            paths: 0,
            wrong: Vec::new(),
        };
        comparison.walk(schema_of(&upstream), Some(schema_of(&ours)), "");

        println!(
            "{own}: {} paths, {} wrong",
            comparison.paths,
            comparison.wrong.len()
        );
        assert!(
            comparison.wrong.is_empty(),
            "{own}: {:#?}",
            comparison.wrong
        );
        let mut names = ours["spec"]["names"].clone();
        if upstream["spec"]["names"].get("listKind").is_none() {
            names.as_object_mut().map(|names| names.remove("listKind"));
        }
        assert_eq!(upstream["spec"]["names"], names);
        assert_eq!(upstream["spec"]["scope"], ours["spec"]["scope"]);
        for part in ["subresources", "additionalPrinterColumns", "name"] {
            let version = |one: &Value| stored(one).get(part).cloned();
            assert_eq!(version(&upstream), version(&ours), "{own}: {part}");
        }
    }
}

fn kind_of(file: &str) -> KindFromCrd {
    let mut kinds = KindFromCrd::all(&our_definition(file)).expect("our definition is good");
    kinds.remove(0)
}

fn application() -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "web"},
        "spec": {
            "project": "default",
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "web"},
            "source": {"repoURL": "https://git.example.org/web.git", "path": "prod"},
            "syncPolicy": {"automated": {"prune": true}, "retry": {"limit": 5}},
        },
    })
}

#[test]
fn an_application_has_no_status_subresource_and_an_applicationset_has_one() {
    assert!(!kind_of("applications.yaml").status);
    assert!(kind_of("applicationsets.yaml").status);
    assert!(!kind_of("appprojects.yaml").status);
}

#[test]
fn a_good_application_is_accepted() {
    let kind = kind_of("applications.yaml");

    assert_eq!(kind.schema.validate(&application()), []);
    assert_eq!(
        kind.schema.unknown_fields(&application()),
        Vec::<String>::new()
    );
}

#[test]
fn wrong_fields_of_an_application_are_named() {
    let kind = kind_of("applications.yaml");
    let mut wrong = application();
    wrong["spec"]["syncPolicy"]["automated"]["selfHael"] = json!(true);
    wrong["spec"]["syncPolicy"]["retry"]["limit"] = json!("five");
    wrong["spec"]["source"]
        .as_object_mut()
        .expect("an object")
        .remove("repoURL");

    let errors: Vec<String> = kind
        .schema
        .validate(&wrong)
        .iter()
        .map(ToString::to_string)
        .collect();

    assert_eq!(
        errors,
        [
            "spec.source.repoURL: Required value",
            "spec.syncPolicy.retry.limit: Invalid value: \"string\": spec.syncPolicy.retry.limit in body must be of type integer: \"string\"",
        ]
    );
    assert_eq!(
        kind.schema.unknown_fields(&wrong),
        ["spec.syncPolicy.automated.selfHael"]
    );
}

#[test]
fn wrong_fields_of_a_rollout_are_named_and_its_pod_template_is_open() {
    let kind = kind_of("rollouts.yaml");
    let wrong = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web"},
        "spec": {
            "template": {"spec": {"containers": [{"name": "web", "anything": 1}]}},
            "strategy": {"canary": {
                "steps": [{"setWeigth": 20}, {"pause": {"duration": "1m"}}, {"setWeight": "40"}],
            }},
        },
    });

    let errors: Vec<String> = kind
        .schema
        .validate(&wrong)
        .iter()
        .map(ToString::to_string)
        .collect();

    assert_eq!(
        kind.schema.unknown_fields(&wrong),
        ["spec.strategy.canary.steps[0].setWeigth"]
    );
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("spec.strategy.canary.steps[2].setWeight: Invalid value"));
    assert!(kind.status && kind.scale.is_some());
}

#[test]
fn the_kinds_that_route_traffic_can_be_served() {
    for (file, kinds) in [("gateway-api.yaml", 3), ("istio.yaml", 2)] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data/crds");
        let text = std::fs::read_to_string(folder.join(file)).expect("the file can be read");
        let documents: Vec<Value> = yaml::from_multi(&text).expect("good YAML");
        assert_eq!(documents.len(), kinds);
        for document in documents {
            let found = KindFromCrd::all(&document).expect("the definition is good");
            assert!(found.iter().all(|version| version.served));
        }
    }
}

type Kinds = BTreeMap<(String, String), KindFromCrd>;

/// Reads every definition of the oracles, by `apiVersion` and kind.
fn oracle_kinds(folder: &Path) -> Kinds {
    let mut files = Vec::new();
    yaml_files(folder, &mut files);
    let mut kinds = Kinds::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("the file can be read");
        let documents: Vec<Value> =
            yaml::from_multi(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for document in documents {
            if document["kind"] != "CustomResourceDefinition" {
                continue;
            }
            let definition = core_types()
                .find("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
                .expect("definitions are built in")
                .schema();
            assert_eq!(definition.validate(&document), [], "{}", file.display());
            assert_eq!(definition.unknown_fields(&document), Vec::<String>::new());
            assert_eq!(definition.decode_error(&document), None);
            let found = KindFromCrd::all(&document)
                .unwrap_or_else(|errors| panic!("{}: {errors:?}", file.display()));
            for kind in found {
                let api_version = format!("{}/{}", kind.group, kind.version);
                kinds.insert((api_version, kind.kind.clone()), kind);
            }
        }
    }
    kinds
}

#[test]
fn every_definition_of_other_projects_can_be_served() {
    let Some(folder) = oracles::folder("crds") else {
        return;
    };

    let kinds = oracle_kinds(&folder);

    println!("{} versions of custom kinds", kinds.len());
    assert!(kinds.len() >= 30, "{:?}", kinds.keys());
}

/// Lists unknown fields, without a null that dumps of live pod templates carry and upstream warns of.
fn unknown(schema: &Schema, object: &Value) -> Vec<String> {
    let mut fields = schema.unknown_fields(object);
    fields.retain(|field| !field.ends_with(".metadata.creationTimestamp"));
    fields
}

#[test]
fn examples_of_other_projects_are_accepted_and_typos_in_them_are_not() {
    let Some(folder) = oracles::folder("crds") else {
        return;
    };
    let kinds = oracle_kinds(&folder);
    let mut files = Vec::new();
    for name in ["workflows/examples", "tekton/examples", "rollouts/objects"] {
        yaml_files(
            &oracles::folder(name).expect("the oracles are whole"),
            &mut files,
        );
    }
    let mut checked = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).expect("the file can be read");
        let documents: Vec<Value> =
            yaml::from_multi(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for document in documents {
            let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
            let key = (text("apiVersion"), text("kind"));
            let schema = match (kinds.get(&key), key.0.split_once('/')) {
                (Some(kind), _) => kind.schema.clone(),
                (None, Some((group, version))) => match core_types().find(group, version, &key.1) {
                    Some(found) => found.schema(),
                    None => continue,
                },
                (None, None) => match core_types().find("", &key.0, &key.1) {
                    Some(found) => found.schema(),
                    None => continue,
                },
            };
            let place = file.display();
            assert_eq!(schema.decode_error(&document), None, "{place}");
            assert_eq!(schema.validate(&document), [], "{place}");
            assert_eq!(unknown(&schema, &document), Vec::<String>::new(), "{place}");
            checked += 1;
            if !document["spec"].is_object() {
                continue;
            }
            let mut wrong = document.clone();
            wrong["spec"]["tpyo"] = json!(1);
            assert_eq!(unknown(&schema, &wrong), ["spec.tpyo"], "{place}");
        }
    }
    println!("{checked} example objects");
    assert!(checked >= 40, "only {checked} examples were checked");
}
