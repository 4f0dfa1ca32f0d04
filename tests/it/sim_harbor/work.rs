//! Scans, removals and policies in platform time.

use super::rig::{Rig, WEB, cve};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tiphys::sim::harbor::shape::RegistryFault;

fn overview(artifact: &Value) -> Value {
    let forms = artifact["scan_overview"].as_object();
    forms
        .and_then(|forms| forms.values().next())
        .cloned()
        .unwrap_or_default()
}

#[tokio::test]
async fn a_scan_takes_platform_time_and_can_be_stopped() {
    let rig = Rig::start();
    let one = "/projects/guarded/repositories/app/artifacts/2.0.0";
    let look = format!("{one}?with_scan_overview=true");
    assert!(
        rig.get(&look).await.get("scan_overview").is_none(),
        "never scanned"
    );

    assert_eq!(
        rig.ask(Method::POST, &format!("{one}/scan"), None)
            .await
            .status,
        202
    );
    let twice = rig
        .post(
            &format!("{one}/scan"),
            json!({"scan_type": "vulnerability"}),
        )
        .await;
    assert_eq!(
        (twice.status, twice.code().as_str()),
        (StatusCode::CONFLICT, "CONFLICT")
    );
    assert_eq!(overview(&rig.get(&look).await)["scan_status"], "Pending");
    rig.step(2);
    let running = overview(&rig.get(&look).await);
    assert_eq!(
        (&running["scan_status"], &running["complete_percent"]),
        (&json!("Running"), &json!(0))
    );
    assert!(running.get("summary").is_none());
    rig.step(10);
    let done = overview(&rig.get(&look).await);
    assert_eq!(done["scan_status"], "Success");
    assert_eq!(done["duration"], 6);
    let log = format!(
        "{one}/scan/{}/log",
        done["report_id"].as_str().expect("a report")
    );
    assert_eq!(rig.ask(Method::GET, &log, None).await.status, 200);

    assert_eq!(
        rig.post(&format!("{one}/scan"), json!({"scan_type": "sbom"}))
            .await
            .status,
        202
    );
    rig.step(10);
    let made = rig
        .get(&format!(
            "{one}?with_accessory=true&with_sbom_overview=true"
        ))
        .await;
    assert_eq!(made["accessories"][0]["type"], "sbom.harbor");
    assert_eq!(
        made["sbom_overview"]["sbom_digest"],
        made["accessories"][0]["digest"]
    );

    rig.ask(Method::POST, &format!("{one}/scan"), None).await;
    let stop = rig
        .post(
            &format!("{one}/scan/stop"),
            json!({"scan_type": "vulnerability"}),
        )
        .await;
    assert_eq!(stop.status, StatusCode::ACCEPTED);
    assert_eq!(overview(&rig.get(&look).await)["scan_status"], "Stopped");
}

#[tokio::test]
async fn the_form_that_a_client_accepts_is_told() {
    let rig = Rig::start();
    let path = format!("/api/v2.0{WEB}/artifacts/2.0.0/additions/vulnerabilities");
    let native = "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0";

    let accepts = [("x-accept-vulnerabilities", native)];
    let told = rig.send((Method::GET, &path), &accepts, "").await.json();

    assert!(told.get(native).is_some(), "{told}");
}

#[tokio::test]
async fn a_new_vulnerability_is_found_when_everything_is_scanned_again() {
    let rig = Rig::start();
    let look = "/security/vul?q=cve_id=CVE-2099-0001";
    assert_eq!(rig.get(look).await, json!([]));

    let known = cve("CVE-2099-0001", "critical", "musl", None);
    rig.harbor
        .play(&RegistryFault::NewCve(known))
        .expect("it happens");

    let metrics = rig.get("/scans/all/metrics").await;
    assert_eq!(
        (&metrics["ongoing"], &metrics["completed"]),
        (&json!(true), &json!(0))
    );
    let again = rig
        .post(
            "/system/scanAll/schedule",
            json!({"schedule": {"type": "Manual"}}),
        )
        .await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    rig.step(20);
    let metrics = rig.get("/scans/all/metrics").await;
    assert_eq!(metrics["completed"], metrics["total"]);
    let found = rig.get(look).await;
    assert!(
        found.as_array().is_some_and(|all| all.len() >= 7),
        "{found}"
    );
    rig.step(20);
    assert_eq!(rig.get("/scans/all/metrics").await["ongoing"], json!(false));
}

#[tokio::test]
async fn garbage_and_old_tags_are_removed() {
    let rig = Rig::start();
    let image = format!("{}/shop/web:1.1.0", super::rig::HOST);
    let old = rig.digest(WEB, "1.1.0").await;
    rig.harbor
        .play(&RegistryFault::MoveTag {
            image,
            packages: Vec::new(),
        })
        .expect("it happens");
    let untagged = rig.get(&format!("{WEB}/artifacts?q=tags=nil")).await;
    assert_eq!(untagged[0]["digest"].as_str(), Some(old.as_str()));
    assert_ne!(rig.digest(WEB, "1.1.0").await, old);

    let parameters = json!({"delete_untagged": true, "dry_run": false, "workers": 1});
    let asked = json!({"schedule": {"type": "Manual"}, "parameters": parameters});
    assert_eq!(
        rig.post("/system/gc/schedule", asked).await.status,
        StatusCode::CREATED
    );
    assert_eq!(rig.get("/system/gc").await[0]["job_status"], "Running");
    rig.step(10);
    let gc = &rig.get("/system/gc").await[0];
    assert_eq!(gc["job_status"], "Success");
    let told: Value =
        serde_json::from_str(gc["job_parameters"].as_str().expect("text")).expect("JSON");
    assert_eq!(told["purged_manifests"], 1);
    assert_eq!(
        rig.ask(Method::GET, &format!("{WEB}/artifacts/{old}"), None)
            .await
            .status,
        404
    );

    let shop = rig.get("/projects/shop").await;
    let retention = shop["metadata"]["retention_id"]
        .as_str()
        .expect("a rule")
        .to_owned();
    let place = format!("/retentions/{retention}/executions");
    assert_eq!(
        rig.post(&place, json!({"dry_run": false})).await.status,
        StatusCode::CREATED
    );
    rig.step(10);
    let execution = rig.get(&place).await[0].clone();
    assert_eq!(execution["status"], "Success");
    rig.get(&format!("{place}/{}/tasks", execution["id"])).await;
    let repository = rig.get(&format!("{WEB}/artifacts?q=tags=*")).await;
    let tags = repository.as_array().expect("a list").iter();
    let tags = tags
        .filter_map(|one| one["tags"].as_array())
        .flatten()
        .count();
    assert_eq!(tags, 2, "{repository}");
}

#[tokio::test]
async fn a_replication_ends_and_can_be_asked_for() {
    let rig = Rig::start();
    let policy = rig.get("/replication/policies").await[0]["id"].clone();

    let begun = rig
        .post("/replication/executions", json!({"policy_id": policy}))
        .await;
    assert_eq!(begun.status, StatusCode::CREATED);
    let running = rig.get("/replication/executions?status=InProgress").await;
    assert_eq!(running[0]["in_progress"], running[0]["total"]);
    rig.step(10);

    let done = rig
        .get(&format!("/replication/executions/{}", running[0]["id"]))
        .await;
    assert_eq!(done["status"], "Succeed");
}

#[tokio::test]
async fn a_webhook_is_kept_for_the_project() {
    let rig = Rig::start();
    let policy = json!({
        "name": "tell", "enabled": true, "event_types": ["PUSH_ARTIFACT", "SCANNING_COMPLETED"],
        "targets": [{"type": "http", "address": "http://nobody.example/x", "auth_header": "Bearer x"}],
    });
    let made = rig
        .post("/projects/shop/webhook/policies", policy.clone())
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(
        rig.post("/projects/shop/webhook/policies", policy)
            .await
            .status,
        409
    );
    let wrong = json!({"name": "x", "event_types": ["NOTHING"], "targets": [{"type": "http", "address": "http://a"}]});
    assert_eq!(
        rig.post("/projects/shop/webhook/policies", wrong)
            .await
            .status,
        400
    );
    let listed = rig.get("/projects/shop/webhook/policies").await;
    assert_eq!(listed[0]["targets"][0]["auth_header"], "******");

    let one = format!("{WEB}/artifacts/1.0.0/scan");
    rig.ask(Method::POST, &one, None).await;
    rig.step(10);

    let place = format!("/projects/shop/webhook/policies/{}", listed[0]["id"]);
    let told = rig.get(&format!("{place}/executions")).await;
    assert_eq!(told[0]["vendor_type"], "WEBHOOK");
    let sent = told[0]["extra_attrs"]["payload"]
        .as_str()
        .expect("what is sent");
    let sent: Value = serde_json::from_str(sent).expect("JSON");
    assert_eq!(sent["type"], "SCANNING_COMPLETED");
    let resource = &sent["event_data"]["resources"][0];
    assert!(resource["scan_overview"].is_object(), "{sent}");
    let jobs = format!("/projects/shop/webhook/jobs?policy_id={}", listed[0]["id"]);
    assert_eq!(rig.get(&jobs).await[0]["event_type"], "SCANNING_COMPLETED");
    rig.get("/projects/shop/webhook/lasttrigger").await;
}
