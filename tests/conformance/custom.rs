//! Custom kinds: those of the demo, one made on the spot, and other projects' with their examples.

use crate::kubectl::{Check, Kubectl, contains, equals};
use crate::matrix::Named;
use std::path::{Path, PathBuf};

pub(crate) const CHECKS: &[Named] = &[
    ("a definition is served at once", definition),
    ("custom objects are validated and defaulted", validated),
    ("custom objects are applied, patched and edited", changed),
    (
        "custom objects scale, and have a status of their own",
        subresources,
    ),
    ("Applications are checked by our definition", application),
    ("a definition takes its objects with it", removed),
];

/// Only for one kubectl: these are cluster-wide.
pub(crate) const EXAMPLES: &[Named] = &[
    (
        "definitions of other projects are accepted",
        other_definitions,
    ),
    (
        "examples of other projects are accepted, typos refused",
        other_examples,
    ),
];

/// Each kubectl has a group of its own, because definitions are for all namespaces.
fn group(kubectl: &Kubectl) -> String {
    format!("v{}.example.org", kubectl.version.replace('.', "-"))
}

/// Each has names of its own as well: `kubectl explain` goes by the resource alone when groups come and go.
fn short(kubectl: &Kubectl) -> String {
    kubectl.version.replace('.', "")
}

fn definition(kubectl: &Kubectl) -> Check {
    let text = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: shipsSHORT.GROUP}
spec:
  group: GROUP
  scope: Namespaced
  names: {plural: shipsSHORT, singular: shipSHORT, kind: ShipSHORT, shortNames: [shSHORT], categories: [fleetSHORT]}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}, scale: {specReplicasPath: .spec.oars, statusReplicasPath: .status.oars}}
      additionalPrinterColumns: [{name: Oars, type: integer, jsonPath: .spec.oars}, {name: Sail, type: string, jsonPath: .spec.sail}]
      schema:
        openAPIV3Schema:
          type: object
          required: [spec]
          properties:
            spec:
              type: object
              required: [oars]
              properties:
                oars: {type: integer, minimum: 2, description: How many oars there are.}
                sail: {type: string, default: square, enum: [square, lateen]}
                crew: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [name], items: {type: object, required: [name], properties: {name: {type: string}, role: {type: string}}}}
            status: {type: object, properties: {oars: {type: integer}}}
";
    let text = text
        .replace("GROUP", &group(kubectl))
        .replace("SHORT", &short(kubectl));
    kubectl.must_feed(&["apply", "-f", "-"], &text)?;
    let name = format!("crd/{}", ships(kubectl));
    kubectl.must(&[
        "wait",
        "--for=condition=Established",
        &name,
        "--timeout=20s",
    ])?;
    let explained = kubectl.must(&["explain", &ships(kubectl), "--recursive"])?;
    contains("explain", &explained, "oars")
}

fn ship(kubectl: &Kubectl, spec: &str) -> String {
    let group = group(kubectl);
    let short = short(kubectl);
    format!("apiVersion: {group}/v1\nkind: Ship{short}\nmetadata: {{name: argo}}\nspec: {spec}\n")
}

/// The resource with its group.
fn ships(kubectl: &Kubectl) -> String {
    format!("ships{}.{}", short(kubectl), group(kubectl))
}

fn validated(kubectl: &Kubectl) -> Check {
    let apply = ["apply", "-f", "-"];
    for (spec, wanted) in [
        (
            "{oars: many}",
            "spec.oars in body must be of type integer: \"string\"",
        ),
        (
            "{oars: 1}",
            "spec.oars in body should be greater than or equal to 2",
        ),
        (
            "{oars: 2, sail: round}",
            "spec.sail: Unsupported value: \"round\": supported values: \"square\", \"lateen\"",
        ),
        ("{sail: square}", "spec.oars: Required value"),
        (
            "{oars: 2, crew: [{name: a}, {name: a}]}",
            "spec.crew[1]: Duplicate value",
        ),
        ("{oars: 2, ores: 3}", "unknown field \"spec.ores\""),
    ] {
        kubectl
            .feed(&apply, &ship(kubectl, spec))
            .must_fail_with(wanted)?;
    }
    kubectl.must_feed(&apply, &ship(kubectl, "{oars: 50}"))?;
    let resource = ships(kubectl);
    let sail = kubectl.must(&["get", &resource, "argo", "-o", "jsonpath={.spec.sail}"])?;
    equals("default", &sail, "square")?;
    let table = kubectl.must(&["get", &resource])?;
    contains("columns", &table, "OARS")?;
    contains("columns", &table, "square")?;
    let short = short(kubectl);
    contains(
        "short name",
        &kubectl.must(&["get", &format!("sh{short}")])?,
        "argo",
    )?;
    contains(
        "category",
        &kubectl.must(&["get", &format!("fleet{short}")])?,
        "argo",
    )
}

fn changed(kubectl: &Kubectl) -> Check {
    let resource = ships(kubectl);
    kubectl.must_feed(
        &["apply", "-f", "-"],
        &ship(kubectl, "{oars: 40, sail: lateen}"),
    )?;
    let strategic = kubectl.run(&["patch", &resource, "argo", "--type=strategic", "-p", "{}"]);
    strategic.must_fail_with("not support")?;
    kubectl.must(&[
        "patch",
        &resource,
        "argo",
        "--type=merge",
        "-p",
        r#"{"spec":{"oars":30}}"#,
    ])?;
    let out = kubectl.must(&[
        "get",
        &resource,
        "argo",
        "-o",
        "jsonpath={.spec.oars} {.metadata.generation}",
    ])?;
    equals("patched", &out, "30 3")?;
    let crew = [
        "apply",
        "--server-side",
        "--field-manager=one",
        "--force-conflicts",
        "-f",
        "-",
    ];
    kubectl.must_feed(&crew, &ship(kubectl, "{oars: 30, crew: [{name: jason}]}"))?;
    let crew = ["apply", "--server-side", "--field-manager=two", "-f", "-"];
    kubectl.must_feed(
        &crew,
        &ship(kubectl, "{crew: [{name: tiphys, role: helm}], oars: 30}"),
    )?;
    let names = kubectl.must(&[
        "get",
        &resource,
        "argo",
        "-o",
        "jsonpath={.spec.crew[*].name}",
    ])?;
    equals("both crews", &names, "jason tiphys")
}

fn subresources(kubectl: &Kubectl) -> Check {
    let resource = format!("{}/argo", ships(kubectl));
    kubectl.must(&["scale", &resource, "--replicas=20"])?;
    let oars = kubectl.must(&["get", &resource, "-o", "jsonpath={.spec.oars}"])?;
    equals("scaled", &oars, "20")?;
    let status = r#"{"status":{"oars":20},"spec":{"oars":99}}"#;
    kubectl.must(&[
        "patch",
        &resource,
        "--subresource=status",
        "--type=merge",
        "-p",
        status,
    ])?;
    let both = "jsonpath={.status.oars} {.spec.oars}";
    equals(
        "status alone",
        &kubectl.must(&["get", &resource, "-o", both])?,
        "20 20",
    )?;
    let main = r#"{"status":{"oars":1}}"#;
    kubectl.must(&["patch", &resource, "--type=merge", "-p", main])?;
    equals(
        "status untouched",
        &kubectl.must(&["get", &resource, "-o", both])?,
        "20 20",
    )?;
    kubectl.must(&[
        "wait",
        "--for=jsonpath={.status.oars}=20",
        &resource,
        "--timeout=20s",
    ])?;
    Ok(())
}

fn application(kubectl: &Kubectl) -> Check {
    let text = |automated: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: probe}}\nspec:\n  project: default\n  destination: {{namespace: {}, server: https://kubernetes.default.svc}}\n  source: {{repoURL: https://git.invalid/none.git, path: none}}\n  syncPolicy: {{automated: {automated}}}\n",
            kubectl.namespace
        )
    };
    let create = ["create", "-f", "-"];
    kubectl
        .feed(&create, &text("{selfHael: true}"))
        .must_fail_with("unknown field \"spec.syncPolicy.automated.selfHael\"")?;
    kubectl
        .feed(&create, &text("{selfHeal: \"yes\"}"))
        .must_fail_with("must be of type boolean")?;
    kubectl.must_feed(&create, &text("{enabled: false}"))?;
    let table = kubectl.must(&["get", "applications.argoproj.io", "probe"])?;
    contains("columns", &table, "SYNC STATUS")?;
    kubectl.must(&["delete", "applications.argoproj.io", "probe"])?;
    Ok(())
}

fn removed(kubectl: &Kubectl) -> Check {
    let name = ships(kubectl);
    kubectl.must(&["delete", "crd", &name, "--timeout=30s"])?;
    kubectl.run(&["get", &name]).must_fail_with("the server")
}

fn oracles() -> Option<PathBuf> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = std::env::var_os("TIPHYS_ORACLES")
        .map_or_else(|| checkout.join("../shared/oracles"), PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    println!("skipped: no oracles at {}", root.display());
    None
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

fn other_definitions(kubectl: &Kubectl) -> Check {
    let Some(root) = oracles() else { return Ok(()) };
    let mut arguments = vec![
        "apply".to_owned(),
        "--server-side".to_owned(),
        "--force-conflicts".to_owned(),
    ];
    for entry in std::fs::read_dir(root.join("crds")).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        // The demo's own definitions of Argo CD's kinds stay.
        if !path.ends_with("argo-cd") {
            arguments.push("-f".to_owned());
            arguments.push(path.display().to_string());
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let out = kubectl.must(&arguments)?;
    println!("{} definitions of other projects", out.lines().count());
    let wait = [
        "wait",
        "--for=condition=Established",
        "crd",
        "--all",
        "--timeout=30s",
    ];
    kubectl.must(&wait)?;
    Ok(())
}

/// As many files as one kubectl takes well within its deadline.
const FILES_AT_ONCE: usize = 60;

/// Runs kubectl over many files at once; returns what it printed and what it complained of.
fn create_all(kubectl: &Kubectl, options: &[&str], files: &[PathBuf]) -> (String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    for some in files.chunks(FILES_AT_ONCE) {
        let names: Vec<String> = some.iter().map(|file| file.display().to_string()).collect();
        let mut arguments = vec!["create", "--validate=strict"];
        arguments.extend(options);
        for name in &names {
            arguments.extend(["-f", name]);
        }
        let said = kubectl.run(&arguments);
        out.push_str(&said.out);
        err.push_str(&said.err);
    }
    (out, err)
}

/// Writes the files anew with a field that their kinds do not know.
fn misspell(files: &[PathBuf], folder: &Path) -> Vec<PathBuf> {
    let mut written = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let text = std::fs::read_to_string(file).expect("the file can be read");
        let typo = text.replacen("\nspec:\n", "\nspec:\n  tpyo: 1\n", 1);
        if typo != text {
            let path = folder.join(format!("typo-{number}.yaml"));
            std::fs::write(&path, typo).expect("the file can be written");
            written.push(path);
        }
    }
    written
}

fn other_examples(kubectl: &Kubectl) -> Check {
    let Some(root) = oracles() else { return Ok(()) };
    let namespace = "conf-examples";
    kubectl.must(&["create", "namespace", namespace])?;
    let mut files = Vec::new();
    for name in ["workflows/examples", "tekton/examples"] {
        yaml_files(&root.join(name), &mut files);
    }
    let (out, mut wrong) = create_all(kubectl, &["-n", namespace], &files);
    println!("{} objects of {} files", out.lines().count(), files.len());
    let typos = misspell(&files, kubectl.folder());
    let options = ["-n", namespace, "--dry-run=server"];
    let (_, refused) = create_all(kubectl, &options, &typos);
    for typo in &typos {
        let name = format!("\"{}\"", typo.display());
        let mut about = refused.lines().filter(|line| line.contains(&name));
        if !about.any(|line| line.contains("unknown field \"spec.tpyo\"")) {
            wrong.push_str(&format!("{name} is not refused for its typo\n"));
        }
    }
    kubectl.must(&["delete", "namespace", namespace, "--timeout=30s"])?;
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}
