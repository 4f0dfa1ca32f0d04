//! Argo Events on the embedded platform: what comes in, what is dropped and why, what is made.

use http::{Method, Request};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DynamicObject, ListParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tiphys::api::yaml;
use tiphys::domain::clock::Clock as _;
use tiphys::sim::git::{Author, NewCommit};
use tiphys::sim::scenario::{Component, WebhookShape};
use tiphys::sim::webhook::Form;
use tiphys::sim::{Pace, Simulation, SimulationOptions, scenario};

const NAMESPACE: &str = "argo-events";
const REPOSITORY: &str = "platform/checkout";
const DEADLINE: Duration = Duration::from_secs(20);

const SETUP: &str = r#"
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: {name: default, namespace: argo-events}
spec: {jetstream: {version: latest}}
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: git, namespace: argo-events}
spec:
  service: {ports: [{name: push, port: 12000, targetPort: 12000}, {name: signed, port: 13000, targetPort: 13000}]}
  webhook:
    push: {endpoint: /push, port: "12000", method: POST}
    approve: {endpoint: /approve, port: "12000", method: POST}
  github:
    signed:
      webhook: {endpoint: /signed, port: "13000", method: POST}
      webhookSecret: {name: git-webhook, key: secret}
      events: ["*"]
  calendar:
    tick: {interval: 10s, metadata: {by: clock}}
  resource:
    maps: {group: "", version: v1, resource: configmaps, namespace: argo-events, eventTypes: [ADD], filter: {prefix: watched-}}
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: main, namespace: argo-events}
spec:
  dependencies:
    - name: push
      eventSourceName: git
      eventName: push
      filters: {data: [{path: body.ref, type: string, value: [refs/heads/main]}]}
    - {name: approve, eventSourceName: git, eventName: approve}
    - {name: signed, eventSourceName: git, eventName: signed}
    - {name: tick, eventSourceName: git, eventName: tick}
    - {name: maps, eventSourceName: git, eventName: maps}
  triggers:
    - template:
        name: on-push
        conditions: push
        k8s: &map
          operation: create
          source:
            resource:
              apiVersion: v1
              kind: ConfigMap
              metadata: {generateName: on-}
              data: {}
          parameters:
            - {src: {dependencyName: push, dataKey: body.after}, dest: data.revision}
            - {src: {dependencyName: push, dataTemplate: "{{ .Input.body.after | substr 0 7 }}"}, dest: data.short}
            - {src: {dependencyName: push, dataKey: header.X-Gitea-Event.0}, dest: data.header}
            - {src: {dependencyName: push, dataKey: body.repository.full_name}, dest: data.repository}
    - template:
        name: on-both
        conditions: push && approve
        k8s:
          operation: create
          source: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {generateName: both-}}}
          parameters:
            - {src: {dependencyName: approve, dataKey: body.by}, dest: data.by}
    - template:
        name: on-signed
        conditions: signed
        k8s:
          operation: create
          source: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {generateName: signed-}}}
          parameters:
            - {src: {dependencyName: signed, dataKey: headers.X-Github-Event.0}, dest: data.header}
    - template:
        name: on-tick
        conditions: tick
        k8s:
          operation: create
          source: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {generateName: tick-}}}
          parameters:
            - {src: {dependencyName: tick, dataKey: metadata.by}, dest: data.by}
    - template:
        name: on-map
        conditions: maps
        k8s:
          operation: create
          source: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {generateName: seen-}}}
          parameters:
            - {src: {dependencyName: maps, dataKey: body.metadata.name}, dest: data.name}
    - template:
        name: on-approval
        conditions: approve
        argoWorkflow:
          operation: submit-from
          source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: WorkflowTemplate, metadata: {name: nobody-made-it}}}
"#;

struct Bed {
    simulation: Simulation,
}

impl Bed {
    async fn start(extra: &str) -> Self {
        Self::start_at(extra, None).await
    }

    async fn start_at(extra: &str, listen: Option<SocketAddr>) -> Self {
        let mut scenario = scenario::load(scenario::DEFAULT, None).expect("a scenario");
        scenario.starts = vec![Component::Events];
        scenario.syncs.clear();
        scenario.faults.clear();
        scenario.repositories.retain(|one| one.name == REPOSITORY);
        scenario.manifests = yaml::from_multi(&format!("{SETUP}{extra}")).expect("objects");
        let hook = |form, place: &str| WebhookShape {
            repository: REPOSITORY.to_owned(),
            url: format!("http://git-eventsource-svc.argo-events.svc:{place}"),
            form,
            secret: None,
        };
        scenario.webhooks = vec![
            hook(Form::Gitea, "12000/push"),
            hook(Form::GitHub, "13000/signed"),
        ];
        let start = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
        let options = SimulationOptions {
            pace: Pace::Stepped { start },
            listen,
            ..SimulationOptions::new(scenario)
        };
        let bed = Self {
            simulation: Simulation::start(options).await.expect("a platform"),
        };
        bed.until("the sensor is ready", async || {
            is_ready(&bed.get("Sensor", "main").await)
                && is_ready(&bed.get("EventSource", "git").await)
        })
        .await;
        bed
    }

    async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let waited = async {
            while !is_so().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, waited).await;
        if in_time.is_err() {
            let received = self.received().await;
            panic!("{what}: not within {DEADLINE:?}; received: {received:#}");
        }
    }

    async fn get(&self, kind: &str, name: &str) -> Value {
        let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", kind);
        let mut resource = kube::api::ApiResource::from_gvk(&kind);
        if kind.kind == "EventBus" {
            resource.plural = "eventbus".into();
        }
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.simulation.client(), NAMESPACE, &resource);
        let found = api.get_opt(name).await.expect("an answer");
        found.map_or(Value::Null, |object| object.data)
    }

    async fn maps(&self, prefix: &str) -> Vec<ConfigMap> {
        let api: Api<ConfigMap> = Api::namespaced(self.simulation.client(), NAMESPACE);
        let mut all = api
            .list(&ListParams::default())
            .await
            .expect("a list")
            .items;
        all.retain(|map| {
            map.metadata
                .name
                .as_deref()
                .is_some_and(|name| name.starts_with(prefix))
        });
        all
    }

    async fn ask(
        &self,
        method: Method,
        service: &str,
        path: &str,
        body: Value,
    ) -> Result<String, kube::Error> {
        let url = format!("/api/v1/namespaces/{NAMESPACE}/services/{service}/proxy{path}");
        let request = Request::builder().method(method).uri(url);
        let request = request.header("content-type", "application/json");
        let request = request
            .body(body.to_string().into_bytes())
            .expect("a request");
        self.simulation.client().request_text(request).await
    }

    async fn received(&self) -> Value {
        let text = self
            .ask(Method::GET, "webhooks", "/webhooks", Value::Null)
            .await;
        serde_json::from_str(&text.expect("the ledger")).expect("JSON")
    }

    fn push(&self, branch: &str) -> String {
        let mut commit = NewCommit::new(Author::new("dev", "dev@shop.example"), "Change it\n")
            .write("README.md", "changed\n");
        branch.clone_into(&mut commit.branch);
        let git = self.simulation.git();
        git.commit_files(REPOSITORY, &commit)
            .expect("a commit")
            .to_string()
    }
}

fn is_ready(object: &Value) -> bool {
    let conditions = object
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    conditions.is_some_and(|all| !all.is_empty() && all.iter().all(|one| one["status"] == "True"))
}

fn datum<'m>(map: &'m ConfigMap, key: &str) -> &'m str {
    let found = map.data.as_ref().and_then(|data| data.get(key));
    found.map_or("", String::as_str)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_reaches_the_sensor_in_both_forms_with_valid_signatures() {
    let bed = Bed::start("").await;

    let revision = bed.push("main");

    bed.until("both triggers fired", async || {
        bed.maps("on-").await.len() == 1 && bed.maps("signed-").await.len() == 1
    })
    .await;
    let made = bed.maps("on-").await.remove(0);
    assert_eq!(datum(&made, "revision"), revision);
    assert_eq!(datum(&made, "short"), revision.get(..7).expect("a digest"));
    assert_eq!(datum(&made, "header"), "push");
    assert_eq!(datum(&made, "repository"), REPOSITORY);
    let labels = made.metadata.labels.expect("labels");
    assert_eq!(labels["events.argoproj.io/sensor"], "main");
    assert_eq!(labels["events.argoproj.io/trigger"], "on-push");
    assert!(
        labels["events.argoproj.io/action-timestamp"]
            .parse::<i64>()
            .is_ok()
    );
    assert_eq!(
        datum(&bed.maps("signed-").await.remove(0), "header"),
        "push"
    );
    bed.simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_or_dropped_says_why_and_can_be_sent_again() {
    let bed = Bed::start("").await;
    let service = "git-eventsource-svc";

    let nowhere = bed.ask(Method::POST, service, "/nowhere", json!({})).await;
    let dropped = bed
        .ask(
            Method::POST,
            service,
            "/push",
            json!({"ref": "refs/heads/next"}),
        )
        .await;
    assert!(nowhere.is_err());
    assert_eq!(dropped.expect("it is taken"), "success");
    bed.push("next");
    bed.ask(Method::POST, service, "/approve", json!({"by": "ann"}))
        .await
        .expect("it is taken");

    bed.until("every outcome is noted", async || {
        let text = bed.received().await.to_string();
        [
            "no event of `argo-events/git` is at `/nowhere`",
            "`body.ref` is `refs/heads/next`, not like refs/heads/main",
            "`on-both` fires when push && approve",
            "nobody-made-it",
        ]
        .iter()
        .all(|wanted| text.contains(wanted))
    })
    .await;
    assert!(bed.maps("on-").await.is_empty());
    bed.push("main");
    bed.until("both have come", async || {
        bed.maps("both-").await.len() == 1
    })
    .await;
    assert_eq!(datum(&bed.maps("both-").await.remove(0), "by"), "ann");

    let all = bed.received().await;
    let fired = all["items"]
        .as_array()
        .expect("entries")
        .iter()
        .find(|one| {
            one["event"] == "push" && one["consequences"].to_string().contains("\"fired\"")
        });
    let id = fired.expect("one that fired")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/webhooks/{id}/replay");
    let again = bed.ask(Method::POST, "webhooks", &path, Value::Null).await;
    assert!(
        again
            .expect("it is sent again")
            .contains(&format!("\"replayOf\":\"{id}\""))
    );
    bed.until("it was made again", async || {
        bed.maps("on-").await.len() == 2
    })
    .await;
    bed.simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_signature_is_refused_over_the_bytes_as_they_came() {
    let bed = Bed::start("").await;

    let refused = bed
        .ask(
            Method::POST,
            "git-eventsource-svc",
            "/signed",
            json!({"ref": "x"}),
        )
        .await;

    assert!(refused.is_err());
    let received = bed.received().await.to_string();
    assert!(received.contains("missing signature"), "{received}");
    bed.simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_source_has_ports_of_its_own_that_any_client_can_ask() {
    let any = "127.0.0.1:0".parse().expect("an address");
    let bed = Bed::start_at("", Some(any)).await;
    let endpoints = bed.simulation.endpoints().expect("endpoints");
    let url = |port: u16| {
        let sources = endpoints.event_sources.iter();
        let mut found = sources.filter(|one| one.name == "git" && one.port == port);
        found.next().expect("a port").url.clone()
    };
    let _chosen = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let send = async |url: String, body: &'static str| {
        let request = client.post(url).header("X-Gitea-Event", "push").body(body);
        let answer = request.send().await.expect("an answer");
        let code = answer.status().as_u16();
        (code, answer.text().await.expect("a body"))
    };

    let body =
        r#"{"ref": "refs/heads/main", "after": "c0ffee1", "repository": {"full_name": "shop/a"}}"#;
    let pushed = send(format!("{}/push", url(12_000)), body).await;
    assert_eq!(pushed, (200, "success".to_owned()));
    bed.until("the trigger fired", async || {
        bed.maps("on-").await.len() == 1
    })
    .await;
    let (code, said) = send(format!("{}/push", url(13_000)), "{}").await;
    assert!(code >= 400, "another port has other paths: {code} {said}");
    let (code, _) = send(format!("{}/push", url(12_000)), "{").await;
    assert_eq!(code, 400);

    // The service proxy tells the ports apart, too.
    let body = json!({"ref": "refs/heads/main"});
    let own = bed.ask(
        Method::POST,
        "git-eventsource-svc:push",
        "/push",
        body.clone(),
    );
    assert_eq!(own.await.expect("it is taken"), "success");
    let other = bed.ask(
        Method::POST,
        "git-eventsource-svc:13000",
        "/push",
        body.clone(),
    );
    assert!(other.await.is_err());
    let none = bed
        .ask(Method::POST, "git-eventsource-svc:80", "/push", body)
        .await;
    let why = none.expect_err("no such port").to_string();
    assert!(
        why.contains("no service port 80 found for service"),
        "{why}"
    );
    bed.simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn triggers_keep_their_rate_and_hand_failures_to_the_dead_letter_trigger() {
    let sensor = r"
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: careful, namespace: argo-events}
spec:
  dependencies: [{name: approve, eventSourceName: git, eventName: approve}]
  triggers:
    - rateLimit: {unit: Minute, requestsPerUnit: 2}
      template: &slow
        name: slow
        k8s: {operation: create, source: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {generateName: slow-}}}}
    - atLeastOnce: true
      retryStrategy: {steps: 2, duration: 1s}
      template: &bad
        name: bad
        argoWorkflow: {operation: submit-from, source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: WorkflowTemplate, metadata: {name: nowhere}}}}
      dlqTrigger:
        template:
          name: letter
          k8s: {operation: create, source: {resource: {apiVersion: v1, kind: ConfigMap, metadata: {generateName: letter-}}}}
    - template: {name: worse, argoWorkflow: {operation: submit-from, source: {resource: {apiVersion: argoproj.io/v1alpha1, kind: WorkflowTemplate, metadata: {name: nowhere}}}}}
      dlqTrigger: {template: {name: never, log: {}}}
";
    let bed = Bed::start(&sensor.replace("&slow", "").replace("&bad", "")).await;
    bed.until("it is ready", async || {
        is_ready(&bed.get("Sensor", "careful").await)
    })
    .await;

    for _ in 0..2 {
        let sent = bed.ask(
            Method::POST,
            "git-eventsource-svc",
            "/approve",
            json!({"by": "ann"}),
        );
        sent.await.expect("it is taken");
    }

    bed.until("one fired at once", async || {
        bed.maps("slow-").await.len() == 1
    })
    .await;
    bed.until("both letters came", async || {
        bed.simulation.clock().step(Duration::from_millis(100));
        bed.maps("letter-").await.len() == 2
    })
    .await;
    assert_eq!(
        bed.maps("slow-").await.len(),
        1,
        "the second one waits half a minute"
    );
    bed.until("the second one fired", async || {
        bed.simulation.clock().step(Duration::from_secs(1));
        bed.maps("slow-").await.len() == 2
    })
    .await;
    let received = bed.received().await.to_string();
    assert!(received.contains("its dlqTrigger is not fired, because `atLeastOnce` is not set"));
    bed.simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calendars_and_changed_objects_are_events_too() {
    let bed = Bed::start("").await;
    assert!(bed.maps("tick-").await.is_empty());

    let map: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "watched-one"}})).expect("a map");
    let api: Api<ConfigMap> = Api::namespaced(bed.simulation.client(), NAMESPACE);
    api.create(&PostParams::default(), &map)
        .await
        .expect("it is created");
    bed.until("the object was seen", async || {
        bed.maps("seen-").await.len() == 1
    })
    .await;
    assert_eq!(
        datum(&bed.maps("seen-").await.remove(0), "name"),
        "watched-one"
    );

    let before = bed.simulation.clock().now();
    bed.until("the clock ticked", async || {
        bed.simulation.clock().step(Duration::from_millis(500));
        bed.maps("tick-").await.len() == 2
    })
    .await;
    assert!(bed.simulation.clock().now() - before >= chrono::TimeDelta::seconds(19));
    assert_eq!(datum(&bed.maps("tick-").await.remove(0), "by"), "clock");
    bed.simulation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_bus_and_wrong_sensors_are_told_in_their_status() {
    let wrong = r#"
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: no-bus, namespace: argo-events}
spec:
  eventBusName: elsewhere
  dependencies: [{name: a, eventSourceName: git, eventName: push}]
  triggers: [{template: {name: t, log: {}}}]
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: bad-conditions, namespace: argo-events}
spec:
  dependencies: [{name: a, eventSourceName: git, eventName: push}]
  triggers: [{template: {name: t, conditions: a && b, log: {}}}]
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: streams, namespace: argo-events}
spec: {kafka: {orders: {url: "kafka:9092"}}}
"#;
    let bed = Bed::start(wrong).await;
    for (kind, name, words) in [
        ("Sensor", "no-bus", "EventBus elsewhere not found"),
        (
            "Sensor",
            "bad-conditions",
            "the conditions name `b`, which is no dependency",
        ),
        (
            "EventSource",
            "streams",
            "events of the kind `kafka` do not come on the embedded platform",
        ),
    ] {
        bed.until(name, async || {
            bed.get(kind, name).await.to_string().contains(words)
        })
        .await;
    }
    bed.simulation.shutdown().await;
}
