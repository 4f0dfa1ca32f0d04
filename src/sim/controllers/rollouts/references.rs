//! What a Rollout names has to be there: Services, AnalysisTemplates, routes.
//!
//! Follows Argo Rollouts' `pkg/apis/rollouts/validation/validation_references.go`.

use super::model::{Analysis, Rollout};
use super::pass::{Outcome, Pass};
use super::services::managed_by;
use super::{analysis, routing};
use crate::sim::apiserver::schema::FieldError;
use crate::sim::controllers::runtime::ObjectKey;
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};
use std::sync::Arc;

/// The Rollout names a Service of this name.
pub(super) fn names_service(rollout: &Rollout, name: &str) -> bool {
    service_fields(rollout).iter().any(|(_, one)| *one == name)
}

/// The Rollout takes its template from a workload of this name.
pub(super) fn names_workload(rollout: &Rollout, name: &str) -> bool {
    let reference = rollout.spec.workload_ref.as_ref();
    reference.is_some_and(|reference| reference.name == name)
}

/// Returns the fields that name Services, with the names.
fn service_fields(rollout: &Rollout) -> Vec<(&'static str, &str)> {
    let mut fields = Vec::new();
    if let Some(one) = rollout.blue_green() {
        fields.push(("blueGreen.activeService", one.active_service.as_str()));
        fields.push(("blueGreen.previewService", one.preview_service.as_str()));
    } else if let Some(one) = rollout.canary() {
        fields.push(("canary.stableService", one.stable_service.as_str()));
        fields.push(("canary.canaryService", one.canary_service.as_str()));
        if let Some(one) = &one.ping_pong {
            fields.push(("canary.pingPong.pingService", one.ping_service.as_str()));
            fields.push(("canary.pingPong.pongService", one.pong_service.as_str()));
        }
    }
    fields.retain(|(_, name)| !name.is_empty());
    fields
}

/// Returns the analyses of a Rollout with the fields they stand in.
fn analyses(rollout: &Rollout) -> Vec<(String, &Analysis)> {
    let mut found = Vec::new();
    if let Some(one) = rollout.blue_green() {
        for (name, analysis) in [
            ("prePromotionAnalysis", &one.pre_promotion_analysis),
            ("postPromotionAnalysis", &one.post_promotion_analysis),
        ] {
            let field = format!("spec.strategy.blueGreen.{name}.templates");
            found.extend(analysis.as_ref().map(|analysis| (field, analysis)));
        }
    }
    if let Some(canary) = rollout.canary() {
        for (index, step) in canary.steps.iter().enumerate() {
            let field = format!("spec.strategy.canary.steps[{index}].analysis.templates");
            found.extend(step.analysis.as_ref().map(|analysis| (field, analysis)));
        }
        let background = canary.analysis.as_ref();
        let field = "spec.strategy.canary.analysis.templates".to_owned();
        found.extend(background.map(|one| (field, &one.analysis)));
    }
    found
}

/// Checks that everything that is named is there and fits.
pub(super) async fn check(pass: &Pass<'_>) -> Outcome<Result<(), String>> {
    let rollout = &pass.rollout;
    for (field, name) in service_fields(rollout) {
        let services = pass.controller.services.informer();
        let key = ObjectKey::new(rollout.namespace(), name);
        if let Err(error) = check_service(pass, services.get(&key), (field, name)) {
            return Ok(Err(error.to_string()));
        }
    }
    for (field, one) in analyses(rollout) {
        if let Err(problem) = analysis::missing_template(pass, one).await? {
            let (name, detail) = problem;
            let error = FieldError::invalid(field, &json!(name), detail);
            return Ok(Err(error.to_string()));
        }
    }
    routing::check(pass).await
}

fn check_service(
    pass: &Pass<'_>,
    service: Option<Arc<Service>>,
    (field, name): (&str, &str),
) -> Result<(), FieldError> {
    let field = format!("spec.strategy.{field}");
    let refuse = |detail: String| {
        Err(FieldError::invalid(
            field,
            &Value::String(name.to_owned()),
            detail,
        ))
    };
    let Some(service) = service else {
        return refuse(format!("service \"{name}\" not found"));
    };
    let labels = pass.template.metadata.as_ref();
    let labels = labels.and_then(|meta| meta.labels.as_ref());
    let selector = service.spec.as_ref().and_then(|one| one.selector.as_ref());
    for (label, value) in selector.into_iter().flatten() {
        let wanted = labels.and_then(|labels| labels.get(label));
        if label != super::model::HASH_LABEL && wanted != Some(value) {
            return refuse(format!(
                "Service \"{name}\" has unmatch label \"{label}\" in rollout"
            ));
        }
    }
    if managed_by(&service).is_some_and(|owner| owner != pass.rollout.name()) {
        return refuse(format!("Service \"{name}\" is managed by another Rollout"));
    }
    Ok(())
}
