//! What scripts of steps come to.

use super::super::Effect;
use super::super::behaviour::Behaviour;
use super::follow;
use crate::sim::rng::Seed;
use std::collections::BTreeMap;

fn run(script: &str) -> Behaviour {
    let mut rng = Seed(1).stream(&["test"]);
    follow(script, &BTreeMap::new(), &BTreeMap::new(), &mut rng)
}

fn said(script: &str) -> String {
    let behaviour = run(script);
    format!("{}|{}", behaviour.exit_code, behaviour.lines.join("/"))
}

#[test]
fn words_quotes_variables_and_sums() {
    for (script, wanted) in [
        ("echo hello world", "0|hello world"),
        ("echo \"a  b\" 'c $X'", "0|a  b c $X"),
        ("X=1; echo $X ${X} ${Y:-none} ${#X}", "0|1 1 none 1"),
        (
            "echo -n $(( 2 + 3 * 4 )); echo $(( \"1\" + \"2\" ))",
            "0|143",
        ),
        ("A=5; B=6; echo $((${A}+${B})) $((A*B))", "0|11 30"),
        ("echo $(echo in | tr a-z A-Z)", "0|IN"),
        ("printf '%s-%s\\n' a b", "0|a-b"),
        ("X='a b'; for i in $X; do echo \"<$i>\"; done", "0|<a>/<b>"),
        ("f() { echo got $1; }; f one", "0|got one"),
        ("V=v1.2; echo ${V#v} ${V%.2}", "0|1.2 v1"),
        (
            "cat <<EOF\nline $((1+1))\nEOF\necho after",
            "0|line 2/after",
        ),
    ] {
        assert_eq!(said(script), wanted, "{script}");
    }
}

#[test]
fn conditions_codes_and_strictness() {
    for (script, wanted) in [
        ("echo intentional failure; exit 1", "1|intentional failure"),
        (
            "if [ 123 == 123 ]; then echo yes; else echo no; fi",
            "0|yes",
        ),
        ("if [[ ! abc ]]; then exit 1; fi", "0|"),
        ("if [[ !  ]]; then echo empty; fi", "0|empty"),
        (
            "test -z \"\" || echo full; test -z x || echo full",
            "0|full",
        ),
        ("set -e; false; echo no", "1|"),
        (
            "set -e; false || true; if false; then :; fi; echo yes",
            "0|yes",
        ),
        ("false; echo $?", "0|1"),
        ("! false && echo ok", "0|ok"),
        ("X=$(false); echo $?", "0|1"),
        (
            "case v1 in v*) echo version;; *) echo other;; esac",
            "0|version",
        ),
        (
            "i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; echo $i",
            "0|3",
        ),
        ("echo $(exit 3); echo next", "0|/next"),
        (
            "echo 'unclosed",
            "2|sh: syntax error: unterminated quoted string",
        ),
    ] {
        assert_eq!(said(script), wanted, "{script}");
    }
    assert!(run("while true; do sleep 1; done").forever);
    assert!((run("sleep 2m").seconds - 120.2).abs() < 0.1);
}

#[test]
fn files_are_written_read_and_removed() {
    let behaviour = run(
        "mkdir -p /w/app; echo -n hi > /w/app/a; cd /w/app; cat a | tee b; ls; rm -rf /w/app/a
        if [ -d /w/app/ ]; then echo there; fi; if [ ! -f a ]; then echo gone; fi; cat a",
    );

    assert_eq!(
        behaviour.files.get("/w/app/b").map(String::as_str),
        Some("hi")
    );
    assert_eq!(behaviour.exit_code, 1);
    assert_eq!(
        behaviour.lines,
        [
            "hia",
            "b",
            "there",
            "gone",
            "cat: can't open 'a': No such file or directory"
        ]
    );
}

#[test]
fn what_tools_change_outside_becomes_an_effect() {
    let behaviour = run("
        git clone http://gitea.gitea:3000/gitops/custom-apps.git /manifests
        cd /manifests/demo-app
        sed -i \"s|image: localhost:30087/demo-app:.*|image: localhost:30087/demo-app:abc123|\" deployment.yaml
        git config user.name \"Argo Workflows\"
        git add deployment.yaml
        git commit -m \"chore: update image to abc123\"
        git push
        docker push localhost:30087/demo-app:abc123");

    let repository = "http://gitea.gitea:3000/gitops/custom-apps.git".to_owned();
    assert_eq!(
        behaviour.effects,
        [
            Effect::Clone {
                repository: repository.clone(),
                revision: String::new()
            },
            Effect::CommitImage {
                repository,
                branch: String::new(),
                path: "demo-app/deployment.yaml".to_owned(),
                image: "localhost:30087/demo-app:abc123".to_owned(),
                message: "chore: update image to abc123".to_owned(),
            },
            Effect::PushImage {
                reference: "localhost:30087/demo-app:abc123".to_owned()
            },
        ]
    );
}

#[test]
fn a_task_that_clones_leaves_the_commit() {
    let behaviour = run("
        CHECKOUT_DIR=\"/workspace/output/app\"
        cleandir() {
          if [[ -d \"$CHECKOUT_DIR\" ]] ; then
            rm -rf \"$CHECKOUT_DIR\"/*
            rm -rf \"$CHECKOUT_DIR\"/.[!.]*
          fi
        }
        if [[ \"false\" == \"true\" ]] ; then
          cleandir
        fi
        test -z \"\" || export HTTP_PROXY=
        /ko-app/git-init \\
          -url \"https://git.example/x\" \\
          -revision \"main\" \\
          -path \"$CHECKOUT_DIR\" \\
          -sslVerify=\"true\"
        cd \"$CHECKOUT_DIR\"
        RESULT_SHA=\"$(git rev-parse HEAD | tr -d '\\n')\"
        EXIT_CODE=\"$?\"
        if [ \"$EXIT_CODE\" != 0 ]
        then
          exit $EXIT_CODE
        fi
        echo -n \"$RESULT_SHA\" > /tekton/results/commit");

    assert_eq!(behaviour.exit_code, 0, "{:?}", behaviour.lines);
    assert_eq!(behaviour.files["/tekton/results/commit"].len(), 40);
    assert!(behaviour.files.contains_key("/workspace/output/app/"));
}
