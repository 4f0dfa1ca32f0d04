//! Rules about tags: which cannot be moved, and which are kept.

use super::super::access::Scope;
use super::super::call::{Answer, Answered, Call, time, time_or_zero};
use super::super::error::Refusal;
use super::super::model::{Execution, ImmutableRule, Project, Retention, Status, Vendor};
use super::super::state::Bench;
use super::{no_method, no_path, number};
use serde::Deserialize;
use serde_json::{Value, json};

/// Seconds that removing old tags takes.
const TAKES: i64 = 4;

/// Answers what is below `/projects/P/immutabletagrules`.
pub(super) fn immutable(
    bench: &mut Bench<'_>,
    call: &Call,
    project: &Project,
    rest: &[&str],
) -> Answered {
    let scope = Scope::Project(&project.name);
    let need = |action: &'static str| ("immutable-tag", action);
    match (call.method.as_str(), rest) {
        ("GET", []) => {
            bench.require(&call.caller, scope, need("list"))?;
            let rows: Vec<_> = project.immutable.iter().collect();
            let page = call.page(rows, "id", |rule, key| match key {
                "id" => Some(json!(rule.id)),
                "disabled" => Some(json!(rule.disabled)),
                _ => None,
            })?;
            Ok(page.answer(|rule| rule.json()))
        }
        ("POST", []) => {
            bench.require(&call.caller, scope, need("create"))?;
            let id = bench.state.next_id();
            let rule = read_rule(call, id)?;
            change(bench, project.id, |rules| rules.push(rule));
            let place = format!("/api/v2.0/projects/{}/immutabletagrules/{id}", project.name);
            Ok(Answer::created(place))
        }
        ("PUT", [id]) => {
            bench.require(&call.caller, scope, need("update"))?;
            let id = number(id, "immutable_rule_id")?;
            let rule = read_rule(call, id)?;
            change(bench, project.id, |rules| {
                rules.retain(|known| known.id != id);
                rules.push(rule);
            });
            Ok(Answer::ok())
        }
        ("DELETE", [id]) => {
            bench.require(&call.caller, scope, need("delete"))?;
            let id = number(id, "immutable_rule_id")?;
            if !project.immutable.iter().any(|rule| rule.id == id) {
                return Err(Refusal::not_found(format!(
                    "immutable tag rule {id} not found"
                )));
            }
            change(bench, project.id, |rules| {
                rules.retain(|rule| rule.id != id);
            });
            Ok(Answer::ok())
        }
        (_, _) => Err(no_method(call)),
    }
}

fn change(bench: &mut Bench<'_>, project: i64, work: impl FnOnce(&mut Vec<ImmutableRule>)) {
    if let Some(project) = bench.state.projects.get_mut(&project) {
        work(&mut project.immutable);
    }
}

fn read_rule(call: &Call, id: i64) -> Result<ImmutableRule, Refusal> {
    let asked: Value = call.read()?;
    let text = |pointer: &str| asked.pointer(pointer).and_then(Value::as_str);
    let tags = text("/tag_selectors/0/pattern");
    let repositories = text("/scope_selectors/repository/0/pattern");
    let (Some(tags), Some(repositories)) = (tags, repositories) else {
        return Err(Refusal::bad_request(
            "a rule has a tag selector and a repository selector, each with a pattern",
        ));
    };
    Ok(ImmutableRule {
        id,
        disabled: asked["disabled"] == json!(true),
        repositories: repositories.to_owned(),
        tags: tags.to_owned(),
        excludes: text("/tag_selectors/0/decoration") == Some("excludes"),
    })
}

/// Answers what begins with `/retentions`.
pub(super) fn retentions(bench: &mut Bench<'_>, call: &Call, rest: &[&str]) -> Answered {
    if let ["metadatas"] = rest {
        return Ok(Answer::json(&metadata()));
    }
    let [id, below @ ..] = rest else {
        return Err(no_method(call));
    };
    let id = number(id, "id")?;
    let found = bench.state.projects.values().find_map(|project| {
        let rule = project.retention.as_ref()?;
        (rule.id == id).then(|| (project.id, project.name.clone(), rule.clone()))
    });
    let (project, name, rule) =
        found.ok_or_else(|| Refusal::not_found(format!("retention policy {id} not found")))?;
    let scope = Scope::Project(&name);
    let need = |action: &'static str| ("tag-retention", action);
    match (call.method.as_str(), below) {
        ("GET", []) => {
            bench.require(&call.caller, scope, need("read"))?;
            Ok(Answer::json(&policy(&rule, project)))
        }
        ("GET", ["executions"]) => {
            bench.require(&call.caller, scope, need("list"))?;
            let all = bench.state.executions.values();
            let rows: Vec<&Execution> = all
                .filter(|work| work.vendor == Vendor::Retention && work.vendor_id == id)
                .collect();
            let page = call.page(rows, "-id", |work, key| {
                (key == "id").then(|| json!(work.id))
            })?;
            Ok(page.answer(|work| execution(work)))
        }
        ("POST", ["executions"]) => {
            #[derive(Deserialize)]
            struct Asked {
                #[serde(default)]
                dry_run: bool,
            }
            bench.require(&call.caller, scope, need("operate"))?;
            let asked: Asked = call.read()?;
            let details = json!({"dry_run": asked.dry_run});
            let work = bench.begin_work((Vendor::Retention, id), "Manual", TAKES, details);
            Ok(Answer::created(format!(
                "/api/v2.0/retentions/{id}/executions/{work}"
            )))
        }
        (method, ["executions", execution_id, rest @ ..]) => {
            let action = if method == "PATCH" { "operate" } else { "read" };
            bench.require(&call.caller, scope, need(action))?;
            let number = number(execution_id, "eid")?;
            one(bench, call, (id, number), rest)
        }
        (_, []) => Err(no_method(call)),
        (_, _) => Err(no_path(call)),
    }
}

fn one(bench: &mut Bench<'_>, call: &Call, (policy, id): (i64, i64), rest: &[&str]) -> Answered {
    let work = bench.state.executions.get(&id).cloned();
    let work = work
        .filter(|work| work.vendor == Vendor::Retention && work.vendor_id == policy)
        .ok_or_else(|| Refusal::not_found(format!("execution {id} not found")))?;
    match (call.method.as_str(), rest) {
        ("PATCH", []) => {
            if !work.status.is_final() {
                bench.end_work(id, Status::Stopped, "");
            }
            Ok(Answer::ok())
        }
        ("GET", ["tasks"]) => {
            let page = call.page(vec![&work], "", |_, _| None)?;
            Ok(page.answer(|work| {
                json!({
                    "id": work.id,
                    "execution_id": work.id,
                    "repository": "",
                    "job_id": format!("{:024x}", work.id),
                    "status": work.status.word(),
                    "status_code": 0,
                    "status_revision": 0,
                    "start_time": time(work.start),
                    "end_time": time_or_zero(work.end),
                    "total": work.details["total"].as_i64().unwrap_or(0),
                    "retained": work.details["retained"].as_i64().unwrap_or(0),
                })
            }))
        }
        ("GET", ["tasks", _]) => Ok(Answer::text("text/plain", work.log.join("\n") + "\n")),
        (_, _) => Err(no_method(call)),
    }
}

fn execution(work: &Execution) -> Value {
    json!({
        "id": work.id,
        "policy_id": work.vendor_id,
        "start_time": time(work.start),
        "end_time": time_or_zero(work.end),
        "status": work.status.word(),
        "trigger": work.trigger,
        "dry_run": work.details["dry_run"] == json!(true),
    })
}

fn policy(rule: &Retention, project: i64) -> Value {
    json!({
        "id": rule.id,
        "algorithm": "or",
        "rules": [{
            "id": 1,
            "priority": 0,
            "disabled": false,
            "action": "retain",
            "template": "latestPushedK",
            "params": {"latestPushedK": rule.keep},
            "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "**"}],
            "scope_selectors": {"repository": [
                {"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"},
            ]},
        }],
        "trigger": {"kind": "Schedule", "settings": {"cron": rule.cron}, "references": {}},
        "scope": {"level": "project", "ref": project},
    })
}

fn metadata() -> Value {
    let template = |name: &str, text: &str, unit: &str| {
        json!({
            "rule_template": name, "display_text": text, "action": "retain",
            "params": [{"type": "int", "unit": unit, "required": true}],
        })
    };
    json!({
        "templates": [
            template("latestPushedK", "the most recently pushed # artifacts", "COUNT"),
            template("latestPulledN", "the most recently pulled # artifacts", "COUNT"),
            template("nDaysSinceLastPush", "pushed within the last # days", "DAYS"),
            template("nDaysSinceLastPull", "pulled within the last # days", "DAYS"),
        ],
        "scope_selectors": [{
            "display_text": "Repositories", "kind": "doublestar",
            "decorations": ["repoMatches", "repoExcludes"],
        }],
        "tag_selectors": [{
            "display_text": "Tags", "kind": "doublestar", "decorations": ["matches", "excludes"],
        }],
    })
}
