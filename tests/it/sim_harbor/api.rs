//! Every call of the API answers as Harbor's definition says.

use super::rig::{Rig, WEB, robot_request};
use http::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn what_can_be_read_is_as_defined() {
    let rig = Rig::start();
    let digest = rig.digest(WEB, "2.0.0").await;
    let shop = rig.project("shop").await;
    let robots = rig.get("/robots").await;
    let robot = robots[0]["id"].clone();
    let one = format!("{WEB}/artifacts/{digest}");
    let list = format!(
        "{WEB}/artifacts?with_tag=true&with_label=true&with_scan_overview=true&with_accessory=true\
         &with_sbom_overview=true&with_immutable_status=true&with_inherited_accessory=true"
    );
    let paths = [
        "/ping".to_owned(),
        "/health".to_owned(),
        "/systeminfo".to_owned(),
        "/systeminfo/volumes".to_owned(),
        "/statistics".to_owned(),
        "/users/current".to_owned(),
        "/permissions".to_owned(),
        "/configurations".to_owned(),
        "/search?q=shop".to_owned(),
        "/projects?with_detail=true".to_owned(),
        "/projects/shop".to_owned(),
        "/projects/shop/summary".to_owned(),
        "/projects/shop/_deletable".to_owned(),
        "/projects/shop/members".to_owned(),
        "/projects/shop/metadatas/".to_owned(),
        "/projects/shop/scanner".to_owned(),
        "/projects/shop/scanner/candidates".to_owned(),
        "/projects/shop/repositories".to_owned(),
        "/projects/shop/repositories/api%252Fcore".to_owned(),
        "/projects/shop/artifacts?latest_in_repository=true&q=media_type=application/vnd.oci.image.config.v1%2Bjson".to_owned(),
        "/projects/shop/auditlog-exts".to_owned(),
        "/projects/shop/immutabletagrules".to_owned(),
        "/projects/shop/webhook/policies".to_owned(),
        "/projects/shop/webhook/events".to_owned(),
        "/projects/shop/webhook/lasttrigger".to_owned(),
        "/repositories".to_owned(),
        list,
        one.clone(),
        format!("{one}/tags?with_immutable_status=true"),
        format!("{one}/accessories"),
        format!("{one}/additions/vulnerabilities"),
        "/labels?scope=g".to_owned(),
        "/labels/1?x=1".replace("/1?x=1", "?scope=g"),
        "/robots".to_owned(),
        format!("/robots?q=Level=project,ProjectID={shop}"),
        format!("/robots/{robot}"),
        "/quotas?reference=project&sort=-used.storage".to_owned(),
        format!("/quotas/{shop}"),
        "/security/summary?with_dangerous_cve=true&with_dangerous_artifact=true".to_owned(),
        "/security/vul?tune_count=true&with_tag=true".to_owned(),
        "/scans/all/metrics".to_owned(),
        "/scans/schedule/metrics".to_owned(),
        "/system/scanAll/schedule".to_owned(),
        "/system/gc".to_owned(),
        "/system/gc/schedule".to_owned(),
        "/system/CVEAllowlist".to_owned(),
        "/jobservice/pools".to_owned(),
        "/jobservice/pools/all/workers".to_owned(),
        "/jobservice/queues".to_owned(),
        "/schedules".to_owned(),
        "/schedules/all/paused".to_owned(),
        "/scanners".to_owned(),
        "/replication/policies".to_owned(),
        "/replication/executions".to_owned(),
        "/registries".to_owned(),
        "/retentions/metadatas".to_owned(),
        "/auditlog-exts".to_owned(),
    ];
    for path in paths {
        rig.get(&path).await;
    }
}

#[tokio::test]
async fn what_hangs_below_lists_is_as_defined() {
    let rig = Rig::start();
    let first = |list: &Value| list[0]["id"].clone();
    let gc = first(&rig.get("/system/gc").await);
    let policy = first(&rig.get("/replication/policies").await);
    let execution = first(&rig.get("/replication/executions").await);
    let remote = first(&rig.get("/registries").await);
    let scanner = rig.get("/scanners").await[0]["uuid"].clone();
    let scanner = scanner.as_str().expect("a scanner");
    let shop = rig.get("/projects/shop").await;
    let retention = shop["metadata"]["retention_id"].as_str().expect("a rule");
    for path in [
        format!("/system/gc/{gc}"),
        format!("/system/gc/{gc}/log"),
        format!("/replication/policies/{policy}"),
        format!("/replication/executions/{execution}"),
        format!("/replication/executions/{execution}/tasks"),
        format!("/replication/executions/{execution}/tasks/1/log"),
        format!("/registries/{remote}"),
        format!("/registries/{remote}/info"),
        format!("/scanners/{scanner}"),
        format!("/scanners/{scanner}/metadata"),
        format!("/retentions/{retention}"),
        format!("/retentions/{retention}/executions"),
    ] {
        rig.get(&path).await;
    }
}

#[tokio::test]
async fn an_artifact_tells_platforms_signature_contents_and_history() {
    let rig = Rig::start();

    let all = rig
        .get(&format!(
            "{WEB}/artifacts?with_accessory=true&with_scan_overview=true&q=tags=latest"
        ))
        .await;
    let index = &all[0];
    let children = index["references"].as_array().expect("platforms");
    let child = children[0]["child_digest"].as_str().expect("a digest");
    let image = rig
        .get(&format!("{WEB}/artifacts/{child}?with_accessory=true"))
        .await;
    let history = rig
        .get(&format!("{WEB}/artifacts/{child}/additions/build_history"))
        .await;
    let sbom = image["addition_links"]["sbom"]["href"]
        .as_str()
        .expect("a link");
    let sbom = sbom.strip_prefix("/api/v2.0").expect("below the base");
    let contents = rig.get(sbom).await;

    assert_eq!(all.as_array().map(Vec::len), Some(1));
    assert_eq!(children.len(), 2);
    assert_eq!(index["accessories"][0]["type"], "signature.cosign");
    let overview = index["scan_overview"].as_object().expect("an overview");
    let (form, overview) = overview.iter().next().expect("a form");
    assert!(form.starts_with("application/vnd.security.vulnerability.report"));
    assert_eq!(overview["severity"], "Critical");
    assert_eq!(overview["summary"]["summary"]["Critical"], 1);
    assert!(image["extra_attrs"]["config"]["Labels"].is_object());
    assert!(history.as_array().is_some_and(|steps| steps.len() == 6));
    assert_eq!(contents["spdxVersion"], "SPDX-2.3");
    let report = rig
        .get(&format!("{WEB}/artifacts/latest/additions/vulnerabilities"))
        .await;
    let report = report
        .as_object()
        .and_then(|all| all.values().next())
        .expect("a report");
    assert_eq!(report["vulnerabilities"][0]["id"], "CVE-2024-5535");
    assert_eq!(report["vulnerabilities"][0]["fix_version"], "3.1.6-r0");
}

#[tokio::test]
async fn pages_link_to_each_other_and_filters_leave_out() {
    let rig = Rig::start();

    let second = rig
        .ask(
            Method::GET,
            &format!("{WEB}/artifacts?page=2&page_size=1&sort=-push_time"),
            None,
        )
        .await;
    let tagged = rig.get(&format!("{WEB}/artifacts?q=tags=~1.")).await;
    let base = rig
        .get(&format!("{WEB}/artifacts?q=base=*&page_size=100"))
        .await;
    let unknown = rig.get(&format!("{WEB}/artifacts?q=nonsense=1")).await;
    let wrong = rig
        .ask(Method::GET, &format!("{WEB}/artifacts?q=nonsense"), None)
        .await;
    let large = rig.ask(Method::GET, "/projects?page_size=101", None).await;
    let severe = rig
        .get("/security/vul?q=severity=Critical,package=libssl3")
        .await;

    assert_eq!(second.header("x-total-count"), "3");
    let link = second.header("link");
    let (previous, next) = link.split_once(" , ").expect("two links");
    assert!(
        previous.starts_with("</api/v2.0/projects/shop/repositories/web/artifacts?"),
        "{link}"
    );
    assert!(
        previous.ends_with("page=1&page_size=1>; rel=\"prev\""),
        "{link}"
    );
    assert!(
        next.ends_with("page=3&page_size=1>; rel=\"next\""),
        "{link}"
    );
    assert_eq!(tagged.as_array().map(Vec::len), Some(2));
    assert_eq!(base.as_array().map(Vec::len), Some(5));
    assert_eq!(unknown.as_array().map(Vec::len), Some(3));
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(large.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(severe.as_array().map(Vec::len), Some(5));
}

#[tokio::test]
async fn refusals_have_harbors_codes() {
    let mut rig = Rig::start();
    let nobody = "/projects/shop/repositories/nobody/artifacts";
    let cases = [
        (Method::GET, "/projects/nobody", None, 404, "NOT_FOUND"),
        (Method::GET, nobody, None, 404, "NOT_FOUND"),
        (Method::HEAD, "/projects?project_name=nobody", None, 404, ""),
        (
            Method::POST,
            "/projects",
            Some(json!({"project_name": "shop"})),
            409,
            "CONFLICT",
        ),
        (
            Method::POST,
            "/projects",
            Some(json!({"project_name": "Shop"})),
            400,
            "BAD_REQUEST",
        ),
        (Method::DELETE, "/projects/shop", None, 412, "PRECONDITION"),
        (Method::GET, "/robots/9999", None, 404, "NOT_FOUND"),
        (
            Method::POST,
            "/robots",
            Some(robot_request("Bad", 1, ("a", "b"))),
            400,
            "BAD_REQUEST",
        ),
        (
            Method::POST,
            "/robots",
            Some(robot_request("bad", 0, ("a", "b"))),
            400,
            "BAD_REQUEST",
        ),
        (
            Method::POST,
            "/system/scanAll/stop",
            None,
            400,
            "BAD_REQUEST",
        ),
    ];
    for (method, path, body, status, code) in cases {
        let reply = rig.ask(method.clone(), path, body).await;
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.message());
        assert_eq!(reply.code(), code, "{method} {path}");
    }
    let again = json!({"schedule": {"type": "Daily"}});
    let again = rig.post("/system/scanAll/schedule", again).await;
    assert_eq!(
        (again.status, again.code().as_str()),
        (StatusCode::PRECONDITION_FAILED, "PRECONDITION")
    );
    let gc = json!({"schedule": {"type": "Manual"}, "parameters": {"workers": 11}});
    assert_eq!(
        rig.post("/system/gc/schedule", gc).await.status,
        StatusCode::BAD_REQUEST
    );

    rig.become_nobody();
    for path in [
        "/users/current",
        "/quotas",
        "/robots",
        "/projects/shop/repositories",
    ] {
        let reply = rig.ask(Method::GET, path, None).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            "{path}"
        );
    }
    let public = rig.get("/projects").await;
    let names: Vec<&str> = public
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(names, ["tools", "library"]);
    rig.get("/projects/tools/repositories/lint/artifacts").await;

    rig.become_account("admin", "wrong");
    assert_eq!(rig.get("/projects").await.as_array().map(Vec::len), Some(2));
    assert_eq!(
        rig.ask(Method::GET, "/users/current", None).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_robot_lives_by_its_permissions_its_time_and_its_secret() {
    let mut rig = Rig::start();
    let made = rig
        .post("/robots", robot_request("lister", 1, ("artifact", "list")))
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    let made = made.json();
    let (name, secret) = (
        made["name"].as_str().expect("a name"),
        made["secret"].as_str().expect("a secret"),
    );
    assert_eq!(name, "robot$shop+lister");
    let path = format!("/robots/{}", made["id"]);
    assert!(rig.get(&path).await.get("secret").is_none(), "told once");
    let artifacts = format!("{WEB}/artifacts");
    let status = async |rig: &Rig, path: &str| rig.ask(Method::GET, path, None).await.status;

    rig.become_account(name, secret);
    assert_eq!(status(&rig, &artifacts).await, StatusCode::OK);
    assert_eq!(
        status(&rig, "/users/current").await,
        StatusCode::PRECONDITION_FAILED
    );
    let forbidden = format!("{WEB}/artifacts/2.0.0/tags");
    assert_eq!(status(&rig, &forbidden).await, StatusCode::FORBIDDEN);
    assert_eq!(
        status(&rig, "/projects/guarded/repositories").await,
        StatusCode::FORBIDDEN
    );

    rig.step(86_401);
    assert_eq!(
        status(&rig, &artifacts).await,
        StatusCode::UNAUTHORIZED,
        "its time is over"
    );
    rig.become_admin();
    let mut longer = robot_request(name, 30, ("artifact", "list"));
    longer["name"] = json!(name);
    assert_eq!(
        rig.ask(Method::PUT, &path, Some(longer.clone()))
            .await
            .status,
        StatusCode::OK
    );
    let weak = rig
        .ask(Method::PATCH, &path, Some(json!({"secret": "weak"})))
        .await;
    assert_eq!(weak.status, StatusCode::BAD_REQUEST);
    let fresh = rig
        .ask(Method::PATCH, &path, Some(json!({"secret": ""})))
        .await
        .json();
    rig.become_account(name, secret);
    assert_eq!(
        status(&rig, &artifacts).await,
        StatusCode::UNAUTHORIZED,
        "the secret is old"
    );
    let secret = fresh["secret"].as_str().expect("a secret").to_owned();
    rig.become_account(name, &secret);
    assert_eq!(status(&rig, &artifacts).await, StatusCode::OK);

    rig.become_admin();
    longer["disable"] = json!(true);
    assert_eq!(
        rig.ask(Method::PUT, &path, Some(longer)).await.status,
        StatusCode::OK
    );
    rig.become_account(name, &secret);
    assert_eq!(
        status(&rig, &artifacts).await,
        StatusCode::UNAUTHORIZED,
        "it is disabled"
    );
}

#[tokio::test]
async fn tags_labels_and_copies_change_what_is_there() {
    let rig = Rig::start();
    let digest = rig.digest(WEB, "2.0.0").await;
    let one = format!("{WEB}/artifacts/{digest}");

    assert_eq!(
        rig.post(&format!("{one}/tags"), json!({"name": "prod"}))
            .await
            .status,
        201
    );
    let taken = rig
        .post(
            &format!("{WEB}/artifacts/1.0.0/tags"),
            json!({"name": "prod"}),
        )
        .await;
    assert_eq!(
        (taken.status, taken.code().as_str()),
        (StatusCode::CONFLICT, "CONFLICT")
    );
    assert_eq!(
        rig.ask(Method::DELETE, &format!("{one}/tags/prod"), None)
            .await
            .status,
        200
    );
    assert_eq!(
        rig.ask(Method::DELETE, &format!("{one}/tags/prod"), None)
            .await
            .status,
        404
    );

    let labels = rig.get("/labels?scope=g").await;
    let label = json!({"id": labels[0]["id"]});
    assert_eq!(
        rig.post(&format!("{one}/labels"), label.clone())
            .await
            .status,
        200
    );
    assert_eq!(rig.post(&format!("{one}/labels"), label).await.status, 409);
    let carried = rig.get(&format!("{one}?with_label=true")).await;
    assert_eq!(carried["labels"][0]["name"], labels[0]["name"]);

    let copy = format!("/projects/tools/repositories/web/artifacts?from=shop/web@{digest}");
    let copied = rig.post(&copy, Value::Null).await;
    assert_eq!(copied.status, StatusCode::CREATED);
    let there = format!(
        "/projects/tools/repositories/web/artifacts/{digest}?with_accessory=true&with_scan_overview=true"
    );
    let there = rig.get(&there).await;
    assert_eq!(there["accessories"][0]["type"], "signature.cosign");
    assert!(there["scan_overview"].is_object());

    let child = there["references"][0]["child_digest"]
        .as_str()
        .expect("a platform");
    let kept = rig
        .ask(Method::DELETE, &format!("{WEB}/artifacts/{child}"), None)
        .await;
    assert_eq!(kept.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(rig.ask(Method::DELETE, &one, None).await.status, 200);
    assert_eq!(rig.ask(Method::GET, &one, None).await.status, 404);
}
