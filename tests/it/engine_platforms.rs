//! The engine against the embedded API server, over the duplex stream and over TLS alike.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test picks the one case it waits for"
)]

use crate::engine_bed::on_both;

on_both!(
    rows_come_change_and_go,
    two_applications_with_one_name_stay_distinct,
    any_kind_comes_with_the_columns_of_the_server,
    a_refresh_is_observed_when_the_controller_has_answered,
    a_sync_is_observed_when_its_operation_is_over,
    a_sync_beside_a_running_operation_is_refused,
    an_intent_for_an_object_that_was_made_again_is_refused,
    read_only_mode_refuses_in_the_engine,
    a_switch_is_read_back,
    a_delete_sets_the_finalizer_and_is_observed,
    a_workload_is_scaled_restarted_and_deleted,
    an_edit_is_checked_before_it_is_written,
    a_tree_reaches_down_to_the_pods,
    an_object_is_told_in_yaml_describe_and_diff,
);

mod cases {
    use crate::engine_bed::{Bed, Engine};
    use serde_json::{Value, json};
    use tiphys::domain::application::Refresh;
    use tiphys::domain::intent::{Cascade, Propagation, Stage, Switch, SyncRequest, Verb};
    use tiphys::domain::object::{GroupKind, Text};
    use tiphys::domain::status::Health;
    use tiphys::engine::EngineOptions;
    use tiphys::engine::protocol::{Answer, Delta, DiffBase, Fetch, Rows, Topic, Update};

    fn applications() -> Topic {
        Topic::Kind(GroupKind::new("argoproj.io", "Application"))
    }

    fn row<T>(
        delta: &Delta,
        name: &str,
        field: impl Fn(&tiphys::domain::application::Application) -> T,
    ) -> Option<T> {
        let Rows::Applications(rows) = &delta.rows else {
            return None;
        };
        rows.iter().find(|row| &*row.object.name == name).map(field)
    }

    fn failed(stage: &Stage) -> String {
        match stage {
            Stage::Failed { sentence, .. } => sentence.to_string(),
            other => panic!("a refusal was expected: {other:?}"),
        }
    }

    fn accepted(stage: &Stage) -> String {
        match stage {
            Stage::Accepted { detail } => detail.to_string(),
            other => panic!("acceptance was expected: {other:?}"),
        }
    }

    fn observed(stage: &Stage) -> String {
        match stage {
            Stage::Observed { detail } => detail.to_string(),
            other => panic!("an observation was expected: {other:?}"),
        }
    }

    pub(super) async fn rows_come_change_and_go(bed: Bed) {
        bed.application("argocd", "shop", &json!({})).await;
        let mut engine = bed.engine().await;

        let ticket = engine.subscribe(applications());
        engine
            .delta(ticket, "the row", |delta| row(delta, "shop", |_| ()))
            .await;
        let status = json!({"status": {"health": {"status": "Degraded"}}});
        bed.patch_application("argocd", "shop", &status).await;
        engine
            .delta(ticket, "the change", |delta| {
                row(delta, "shop", |row| row.health).filter(|health| *health == Health::Degraded)
            })
            .await;
        let path = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/shop";
        let delete = http::Request::delete(path)
            .body(Vec::new())
            .expect("a request");
        bed.client.request::<Value>(delete).await.expect("deleted");

        let removed = engine
            .delta(ticket, "the removal", |delta| {
                delta.removed.first().cloned()
            })
            .await;
        assert_eq!(removed.0, engine.application("argocd", "shop"));
    }

    pub(super) async fn two_applications_with_one_name_stay_distinct(bed: Bed) {
        let first = bed
            .application("argocd", "shop", &json!({"health": {"status": "Healthy"}}))
            .await;
        let second = bed
            .application("team", "shop", &json!({"health": {"status": "Degraded"}}))
            .await;
        let mut engine = bed.engine().await;

        let ticket = engine.subscribe(applications());
        let rows = engine
            .delta(ticket, "both rows", |delta| match &delta.rows {
                Rows::Applications(rows) if rows.len() == 2 => Some(rows.clone()),
                _ => None,
            })
            .await;
        let health = |namespace: &str| {
            let object = engine.application(namespace, "shop");
            rows.iter()
                .find(|row| row.object == object)
                .map(|row| (row.uid.clone(), row.health))
        };
        assert_eq!(health("argocd"), Some((first.clone(), Health::Healthy)));
        assert_eq!(health("team"), Some((second, Health::Degraded)));

        let target = engine.application("argocd", "shop");
        let id = engine.act(&target, Some(first), Verb::Refresh(Refresh::Hard));
        accepted(&engine.outcome(id).await);
        let other = bed
            .read("/apis/argoproj.io/v1alpha1/namespaces/team/applications/shop")
            .await;
        assert_eq!(other["metadata"].get("annotations"), None);
    }

    pub(super) async fn any_kind_comes_with_the_columns_of_the_server(bed: Bed) {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"},
            "data": {"a": "1", "b": "2"}});
        bed.create("/api/v1/namespaces/prod/configmaps", &map).await;
        let mut engine = bed.engine().await;

        let ticket = engine.subscribe(Topic::Kind(GroupKind::new("", "ConfigMap")));
        let (columns, cells) = engine
            .delta(ticket, "the row", |delta| match &delta.rows {
                Rows::Objects { columns, rows } => {
                    let row = rows.iter().find(|row| &*row.object.name == "settings")?;
                    Some((columns.clone(), row.cells.clone()))
                }
                Rows::Applications(_)
                | Rows::Rollouts(_)
                | Rows::AnalysisRuns(_)
                | Rows::Runs(_)
                | Rows::CronRuns(_)
                | Rows::Registry(_) => None,
            })
            .await;
        let columns = columns.expect("the server has columns");
        let name = columns
            .iter()
            .position(|column| &*column.name == "Name")
            .expect("a column");
        assert_eq!(cells.get(name), Some(&Text::from("settings")));
        assert_eq!(cells.len(), columns.len());
    }

    pub(super) async fn a_refresh_is_observed_when_the_controller_has_answered(bed: Bed) {
        let uid = bed.application("argocd", "shop", &json!({})).await;
        let mut engine = bed.engine().await;
        let target = engine.application("argocd", "shop");

        let id = engine.act(&target, Some(uid), Verb::Refresh(Refresh::Hard));
        let detail = accepted(&engine.outcome(id).await);
        assert!(detail.contains("waiting for the controller"), "{detail}");
        let answer = json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": null}},
            "status": {"reconciledAt": "2026-01-01T00:00:00Z"}});
        bed.patch_application("argocd", "shop", &answer).await;

        assert!(observed(&engine.outcome(id).await).contains("2026-01-01"));
    }

    pub(super) async fn a_sync_is_observed_when_its_operation_is_over(bed: Bed) {
        let uid = bed.application("argocd", "shop", &json!({})).await;
        let mut engine = bed.engine().await;
        let target = engine.application("argocd", "shop");

        let id = engine.act(&target, Some(uid), Verb::Sync(SyncRequest::default()));
        accepted(&engine.outcome(id).await);
        let path = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/shop";
        let operation = bed.read(path).await["operation"].clone();
        assert!(operation["sync"].is_object(), "{operation}");
        let state = json!({"operation": operation, "phase": "Succeeded", "message": "all done",
            "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:09Z"});
        let over = json!({"operation": null, "status": {"operationState": state}});
        bed.patch_application("argocd", "shop", &over).await;

        assert_eq!(observed(&engine.outcome(id).await), "all done");
    }

    pub(super) async fn a_sync_beside_a_running_operation_is_refused(bed: Bed) {
        let uid = bed.application("argocd", "shop", &json!({})).await;
        let running = json!({"operation": {"initiatedBy": {"username": "bert"}, "sync": {}}});
        bed.patch_application("argocd", "shop", &running).await;
        let mut engine = bed.engine().await;
        let target = engine.application("argocd", "shop");

        let id = engine.act(&target, Some(uid), Verb::Sync(SyncRequest::default()));

        let sentence = failed(&engine.outcome(id).await);
        assert!(
            sentence.contains("cannot sync `argocd/shop`: another operation is running"),
            "{sentence}"
        );
    }

    pub(super) async fn an_intent_for_an_object_that_was_made_again_is_refused(bed: Bed) {
        bed.application("argocd", "shop", &json!({})).await;
        let mut engine = bed.engine().await;
        let target = engine.application("argocd", "shop");
        let old = tiphys::domain::object::Uid("another-life".into());

        let id = engine.act(&target, Some(old), Verb::Sync(SyncRequest::default()));

        assert!(failed(&engine.outcome(id).await).contains("made again"));
    }

    pub(super) async fn read_only_mode_refuses_in_the_engine(bed: Bed) {
        let uid = bed.application("argocd", "shop", &json!({})).await;
        let options = EngineOptions {
            read_only: true,
            ..EngineOptions::default()
        };
        let mut engine = bed.engine_with(options).await;
        let target = engine.application("argocd", "shop");

        let id = engine.act(&target, Some(uid), Verb::Refresh(Refresh::Normal));

        assert!(failed(&engine.outcome(id).await).contains("read-only"));
    }

    pub(super) async fn a_switch_is_read_back(bed: Bed) {
        let uid = bed.application("argocd", "shop", &json!({})).await;
        let mut engine = bed.engine().await;
        let target = engine.application("argocd", "shop");

        let switch = Verb::Switch {
            switch: Switch::SelfHeal,
            on: true,
        };
        let id = engine.act(&target, Some(uid), switch);
        accepted(&engine.outcome(id).await);
        observed(&engine.outcome(id).await);

        let path = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/shop";
        let automated = bed.read(path).await["spec"]["syncPolicy"]["automated"].clone();
        assert_eq!(automated, json!({"enabled": false, "selfHeal": true}));
    }

    pub(super) async fn a_delete_sets_the_finalizer_and_is_observed(bed: Bed) {
        let uid = bed.application("argocd", "shop", &json!({})).await;
        let mut engine = bed.engine().await;
        let target = engine.application("argocd", "shop");

        let id = engine.act(
            &target,
            Some(uid),
            Verb::DeleteApplication(Cascade::Foreground),
        );
        accepted(&engine.outcome(id).await);
        let path = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/shop";
        let finalizers = bed.read(path).await["metadata"]["finalizers"].clone();
        assert_eq!(
            finalizers,
            json!(["resources-finalizer.argocd.argoproj.io"])
        );
        bed.patch_application("argocd", "shop", &json!({"metadata": {"finalizers": null}}))
            .await;

        assert_eq!(observed(&engine.outcome(id).await), "it is gone");
    }

    fn deployment() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "prod"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "web:1"}]}}}})
    }

    const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/prod/deployments/web";

    async fn act(engine: &mut Engine, kind: GroupKind, name: &str, verb: Verb) -> Stage {
        let target = engine.object(kind, "prod", name);
        let id = engine.act(&target, None, verb);
        engine.outcome(id).await
    }

    pub(super) async fn a_workload_is_scaled_restarted_and_deleted(bed: Bed) {
        bed.create("/apis/apps/v1/namespaces/prod/deployments", &deployment())
            .await;
        let mut engine = bed.engine().await;
        let kind = || GroupKind::new("apps", "Deployment");

        accepted(&act(&mut engine, kind(), "web", Verb::Scale { replicas: 3 }).await);
        assert_eq!(bed.read(DEPLOYMENT).await["spec"]["replicas"], 3);
        accepted(&act(&mut engine, kind(), "web", Verb::Restart).await);
        let template = bed.read(DEPLOYMENT).await["spec"]["template"]["metadata"].clone();
        assert!(template["annotations"]["kubectl.kubernetes.io/restartedAt"].is_string());
        let delete = Verb::Delete {
            propagation: Propagation::Background,
            force: false,
        };
        accepted(&act(&mut engine, kind(), "web", delete).await);
    }

    pub(super) async fn an_edit_is_checked_before_it_is_written(bed: Bed) {
        bed.create("/apis/apps/v1/namespaces/prod/deployments", &deployment())
            .await;
        let mut engine = bed.engine().await;
        let kind = || GroupKind::new("apps", "Deployment");
        let edited = |from: &str, to: &str| {
            let manifest = deployment().to_string().replace(from, to);
            Verb::Replace {
                manifest: manifest.into(),
            }
        };

        let typo = act(
            &mut engine,
            kind(),
            "web",
            edited("\"replicas\"", "\"replicass\""),
        )
        .await;
        assert!(failed(&typo).contains("replicass"), "{typo:?}");
        let renamed = act(
            &mut engine,
            kind(),
            "web",
            edited("\"name\":\"web\"", "\"name\":\"other\""),
        )
        .await;
        assert!(failed(&renamed).contains("metadata.name"), "{renamed:?}");
        accepted(&act(&mut engine, kind(), "web", edited("web:1", "web:2")).await);

        let image =
            bed.read(DEPLOYMENT).await["spec"]["template"]["spec"]["containers"][0]["image"]
                .clone();
        assert_eq!(image, "web:2");
    }

    async fn owned(bed: &Bed, path: &str, mut body: Value, owner: &Value) -> Value {
        body["metadata"]["ownerReferences"] = json!([{"apiVersion": owner["apiVersion"],
            "kind": owner["kind"], "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"], "controller": true}]);
        bed.create(path, &body).await
    }

    pub(super) async fn a_tree_reaches_down_to_the_pods(bed: Bed) {
        let resources = json!({"resources": [
            {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "prod", "name": "web", "status": "Synced"},
            {"version": "v1", "kind": "ConfigMap", "namespace": "prod", "name": "absent", "status": "OutOfSync"}]});
        bed.application("argocd", "shop", &resources).await;
        let above = bed
            .create("/apis/apps/v1/namespaces/prod/deployments", &deployment())
            .await;
        let mut set = deployment();
        set["kind"] = "ReplicaSet".into();
        set["metadata"]["name"] = "web-1".into();
        let set = owned(
            &bed,
            "/apis/apps/v1/namespaces/prod/replicasets",
            set,
            &above,
        )
        .await;
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1-a"},
            "spec": {"containers": [{"name": "c", "image": "web:1"}]}});
        owned(&bed, "/api/v1/namespaces/prod/pods", pod, &set).await;
        let mut engine = bed.engine().await;

        let topic = Topic::Application(engine.application("argocd", "shop"));
        let ours = engine.subscribe(topic);
        let tree = engine
            .until("the whole tree", |update| match update {
                Update::Tree { ticket, tree, .. } if *ticket == ours => {
                    let missing = tree
                        .nodes
                        .iter()
                        .any(|node| node.health == Some(Health::Missing));
                    (missing && tree.nodes.len() == 4).then(|| tree.clone())
                }
                _ => None,
            })
            .await;
        let pod = tree
            .nodes
            .iter()
            .find(|node| &*node.object.name == "web-1-a")
            .expect("the Pod");
        let parent = &tree.nodes[pod.parent.expect("a parent")];
        assert_eq!(&*parent.object.name, "web-1");
        assert_eq!(pod.images, [Text::from("web:1")]);
    }

    pub(super) async fn an_object_is_told_in_yaml_describe_and_diff(bed: Bed) {
        let mut applied = deployment();
        let annotation = applied.to_string();
        applied["spec"]["replicas"] = 5.into();
        applied["metadata"]["annotations"] =
            json!({"kubectl.kubernetes.io/last-applied-configuration": annotation});
        bed.create("/apis/apps/v1/namespaces/prod/deployments", &applied)
            .await;
        bed.application("argocd", "shop", &json!({})).await;
        let mut engine = bed.engine().await;
        let object = engine.object(GroupKind::new("apps", "Deployment"), "prod", "web");

        let yaml = engine
            .fetch(Fetch::Yaml {
                object: object.clone(),
                reveal_secrets: false,
            })
            .await;
        let Ok(Answer::Text { lines, .. }) = yaml else {
            panic!("YAML was expected: {yaml:?}");
        };
        assert!(
            lines.iter().any(|line| &**line == "  replicas: 5"),
            "{lines:#?}"
        );
        let described = engine
            .fetch(Fetch::Describe {
                object: object.clone(),
            })
            .await;
        assert!(
            matches!(described, Ok(Answer::Text { .. })),
            "{described:?}"
        );
        let application = engine.application("argocd", "shop");
        let diff = engine
            .fetch(Fetch::Diff {
                application,
                object: Some(object.clone()),
            })
            .await;
        let Ok(Answer::Diff(diffs)) = diff else {
            panic!("a diff was expected: {diff:?}");
        };
        assert_eq!(diffs[0].against, DiffBase::LastApplied);
        assert!(
            diffs[0]
                .target
                .as_ref()
                .is_some_and(|text| text.contains("replicas: 1"))
        );
        let kinds = engine.fetch(Fetch::Kinds).await;
        let Ok(Answer::Kinds(kinds)) = kinds else {
            panic!("kinds were expected: {kinds:?}");
        };
        assert!(
            kinds
                .iter()
                .any(|entry| &*entry.plural == "applications" && entry.namespaced)
        );
        let access = engine.fetch(Fetch::Access { object }).await;
        let Ok(Answer::Access(rights)) = access else {
            panic!("rights were expected: {access:?}");
        };
        assert!(rights.contains(&(Text::from("scale"), true)), "{rights:?}");
    }
}
