//! What `intent_words` promises.

use super::*;

fn read(line: &str) -> Result<Worded, WordsProblem> {
    parse(line, |_| None)
}

#[test]
fn sync_is_read_with_its_parameters() {
    let worded = read("sync argocd/guestbook prune=true revision=v1.2 option=Replace=true");

    let Ok(Worded {
        verb: Verb::Sync(request),
        namespace,
        name,
        kind,
    }) = worded
    else {
        panic!("not a sync: {worded:?}");
    };
    assert_eq!(
        (namespace.as_deref(), &*name),
        (Some("argocd"), "guestbook")
    );
    assert_eq!(kind, applications());
    assert!(request.prune && !request.force);
    assert_eq!(request.revision.as_deref(), Some("v1.2"));
    assert_eq!(request.sync_options, Some(vec!["Replace=true".into()]));
}

#[test]
fn workload_needs_its_kind_and_namespace() {
    let worded = read("scale deploy/shop/api replicas=0").expect("an intent");
    assert_eq!(worded.verb, Verb::Scale { replicas: 0 });
    assert_eq!(&*worded.kind.kind, "Deployment");

    let problem = read("restart deploy/api").expect_err("no namespace");
    assert!(problem.sentence.contains("lacks the namespace"));
}

#[test]
fn wrong_word_is_refused_with_the_nearest() {
    let hint = |line| read(line).expect_err("a problem").hint;

    assert_eq!(
        hint("snyc argocd/x").as_deref(),
        Some("did you mean `sync`?")
    );
    assert_eq!(
        hint("sync argocd/x prnue=true").as_deref(),
        Some("did you mean `prune`?")
    );
    assert_eq!(
        hint("delete-app argocd/x cascade=foregruond").as_deref(),
        Some("did you mean `foreground`?")
    );
    assert_eq!(
        hint("restart deplyo/shop/api").as_deref(),
        Some("did you mean `deploy`?")
    );
}

#[test]
fn every_example_can_be_read() {
    for intent in INTENT_WORDS {
        let worded = read(intent.example);
        let verb = worded.as_ref().map(|worded| worded.verb.id());
        let id = match intent.word {
            "start" => "submit",
            "rerun" => "resubmit",
            word => word,
        };
        assert_eq!(verb, Ok(id), "{}", intent.example);
    }
}

#[test]
fn a_name_alone_is_a_rollout_for_intents_of_rollouts() {
    let worded = read("promote demo-app-dev/demo-app").expect("an intent");
    assert_eq!((worded.verb, worded.kind), (Verb::Promote, rollouts()));
    let worded = read("restart rollout/shop/api").expect("an intent");
    assert_eq!(worded.verb, Verb::RestartRollout);
    let worded = read("terminate analysisrun/shop/api-1").expect("an intent");
    assert_eq!(worded.verb, Verb::TerminateAnalysis);
    let problem = read("promote deployment/shop/api").expect_err("not a Rollout");
    assert!(problem.sentence.contains("for Rollouts"));
}

#[test]
fn sync_of_a_deployment_is_refused() {
    let problem = read("sync deployment/shop/api").expect_err("not an Application");
    assert!(problem.sentence.contains("for Applications"));
}
