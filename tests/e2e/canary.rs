//! A canary steered by keys to both of its ends: the analysis succeeds, or it fails.

use crate::demo::{A_MINUTE, Demo, has};

const IMAGE: &str = "registry.tiphys.local/shop/demo-app";

fn template(value: &str) -> String {
    format!(
        r"
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: success-rate, namespace: timeline}}
spec:
  metrics:
  - name: success-rate
    initialDelay: 2s
    count: 3
    interval: 1s
    successCondition: result[0] >= 0.95
    provider:
      prometheus:
        address: http://prometheus.monitoring.svc.cluster.local:9090
        query: vector({value})
"
    )
}

fn rollout() -> String {
    format!(
        r"
apiVersion: v1
kind: Namespace
metadata: {{name: timeline}}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: shop, namespace: timeline}}
spec:
  replicas: 5
  selector: {{matchLabels: {{app: shop}}}}
  strategy:
    canary:
      steps:
      - setWeight: 20
      - pause: {{}}
      - setWeight: 40
      - analysis: {{templates: [{{templateName: success-rate}}]}}
      - setWeight: 60
      - pause: {{duration: 2s}}
  template:
    metadata: {{labels: {{app: shop}}}}
    spec:
      containers: [{{name: app, image: '{IMAGE}:2.3.0'}}]
"
    )
}

fn apply(demo: &Demo, name: &str, text: &str) {
    let file = demo.home.path().join(name);
    std::fs::write(&file, text).expect("the manifest is written");
    demo.kubectl(&["apply", "-f", &file.display().to_string()]);
}

fn set_image(demo: &mut Demo, tag: &str) {
    demo.terminal.press("i");
    demo.terminal.sees("Set image");
    demo.terminal.press("ctrl-u");
    demo.terminal.types(&format!("{IMAGE}:{tag}"));
    demo.terminal.sees_line(&["Image", tag]);
    demo.terminal.press("enter");
    demo.terminal.sees_line(&["▸ Set image"]);
    demo.terminal.press("enter");
    // The second dialog says by which way, and what follows; it begins on Cancel.
    demo.terminal.sees("revision is made");
    demo.terminal.press("tab");
    demo.terminal.sees_line(&["▸ Set image"]);
    demo.terminal.press("enter");
    demo.terminal.loses("Cancel");
}

/// Waits for the pause of the first steps and goes on to the analysis.
fn promote_to_the_analysis(demo: &mut Demo, tag: &str) {
    demo.terminal
        .sees_line(&["Rollout shop", "Paused · CanaryPauseStep"]);
    demo.terminal
        .sees_line(&["canary", tag, "20 %", "1/1", "wanted 20", "by Pods 20"]);
    demo.terminal.sees_line(&["stable", "80 %", "4/4"]);
    demo.terminal
        .sees_line(&["steps", "✔ weight 20", "▶ pause", "○ weight 40"]);
    demo.terminal.press(">");
    demo.terminal.sees("It moves to step 3 of 6");
    demo.terminal.press("tab");
    demo.terminal.press("enter");
    demo.terminal
        .sees_line(&["canary", tag, "40 %", "2/2", "wanted 40", "by Pods 40"]);
}

#[test]
fn canary_is_promoted_by_keys_and_its_analysis_decides() {
    if !has("kubectl") {
        return;
    }
    let mut demo = Demo::start();
    apply(&demo, "rollout.yaml", &rollout());
    apply(&demo, "template.yaml", &template("0.99"));
    demo.terminal.types(":rollouts\r");
    demo.select("shop");
    demo.terminal
        .sees_line(&["timeline", "Healthy", "6/6", "100"]);
    demo.terminal.press("enter");
    demo.terminal.sees_line(&["Rollout shop", "Healthy"]);

    set_image(&mut demo, "2.4.1");
    promote_to_the_analysis(&mut demo, "2.4.1");
    demo.terminal
        .sees_line(&["success-rate", ">= 0.95", "0.99"]);
    demo.terminal
        .until_within(A_MINUTE, "the new version took over", |screen| {
            let line = |words: &[&str]| {
                let mut lines = screen.lines();
                lines.any(|line| words.iter().all(|word| line.contains(word)))
            };
            line(&["Rollout shop", "● Healthy"]) && line(&["stable", "2.4.1", "100 %", "5/5"])
        });

    apply(&demo, "template.yaml", &template("0.5"));
    set_image(&mut demo, "2.5.0");
    promote_to_the_analysis(&mut demo, "2.5.0");
    demo.terminal
        .until_within(A_MINUTE, "the analysis sent it back", |screen| {
            screen.contains("✗ Degraded · RolloutAborted")
        });
    demo.terminal
        .sees_line(&["stable", "2.4.1", "100 %", "5/5"]);
    demo.terminal
        .sees_line(&["success-rate", ">= 0.95", "0.5", "✗"]);
    demo.terminal.sees_line(&["why", "success-rate"]);
}
