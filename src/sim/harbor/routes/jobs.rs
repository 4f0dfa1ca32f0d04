//! Work of the whole system: scans of everything, removal of garbage, queues and schedules.

use super::super::access::Scope;
use super::super::call::{Answer, Answered, Call, time};
use super::super::error::Refusal;
use super::super::model::{Execution, Status, Vendor};
use super::super::scan::ScanKind;
use super::super::state::{Bench, Schedule};
use super::{no_method, no_path, number};
use serde::Deserialize;
use serde_json::{Value, json};

const POOL: &str = "a6f0c1b2d3e4";
const QUEUES: [&str; 6] = [
    "GARBAGE_COLLECTION",
    "IMAGE_SCAN",
    "REPLICATION",
    "RETENTION",
    "SCHEDULER",
    "WEBHOOK",
];
/// Seconds that the removal of garbage takes.
const GC_TAKES: i64 = 8;

/// Answers `/scans`, `/system`, `/jobservice` and `/schedules`.
pub(super) fn answer(
    bench: &mut Bench<'_>,
    call: &Call,
    (first, rest): (&str, &[&str]),
) -> Answered {
    match (call.method.as_str(), first, rest) {
        ("GET", "scans", [which @ ("all" | "schedule"), "metrics"]) => {
            bench.require(&call.caller, Scope::System, ("scan-all", "read"))?;
            Ok(Answer::json(&metrics(bench, which)))
        }
        (_, "system", ["scanAll", rest @ ..]) => scan_all(bench, call, rest),
        (_, "system", ["gc", rest @ ..]) => gc(bench, call, rest),
        (_, "system", ["CVEAllowlist"]) => allowlist(bench, call),
        ("GET", "system", ["purgeaudit"]) => {
            bench.require(&call.caller, Scope::System, ("audit-log", "list"))?;
            Ok(Answer::json(&json!([])))
        }
        (_, "jobservice", rest) => jobservice(bench, call, rest),
        ("GET", "schedules", []) => {
            bench.require(&call.caller, Scope::System, ("jobservice-monitor", "list"))?;
            schedules(bench, call)
        }
        ("GET", "schedules", [kind, "paused"]) => {
            bench.require(&call.caller, Scope::System, ("jobservice-monitor", "list"))?;
            Ok(Answer::json(
                &json!({"paused": bench.state.paused.contains(*kind)}),
            ))
        }
        (_, _, _) => Err(no_path(call)),
    }
}

#[derive(Deserialize)]
struct AskedSchedule {
    schedule: Option<AskedTime>,
    #[serde(default)]
    parameters: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct AskedTime {
    #[serde(rename = "type")]
    kind: String,
    cron: String,
}

impl AskedSchedule {
    fn time(&self) -> Result<&AskedTime, Refusal> {
        let found = self.schedule.as_ref();
        let time = found.ok_or_else(|| Refusal::bad_request("schedule should not be empty"))?;
        let known = [
            "Hourly", "Daily", "Weekly", "Custom", "Manual", "None", "Schedule",
        ];
        if !known.contains(&time.kind.as_str()) {
            return Err(Refusal::unprocessable(format!(
                "schedule.type in body should be one of {known:?}: \"{}\"",
                time.kind
            )));
        }
        Ok(time)
    }
}

fn newest<'b>(
    bench: &'b Bench<'_>,
    vendor: Vendor,
    trigger: Option<&str>,
) -> Option<&'b Execution> {
    let all = bench.state.executions.values().rev();
    all.into_iter()
        .find(|work| work.vendor == vendor && trigger.is_none_or(|wanted| work.trigger == wanted))
}

fn metrics(bench: &Bench<'_>, which: &str) -> Value {
    let trigger = (which == "schedule").then_some("Schedule");
    let Some(work) = newest(bench, Vendor::ScanAll, trigger) else {
        return json!({"total": 0, "completed": 0, "metrics": {}, "ongoing": false, "trigger": "Manual"});
    };
    let scans = bench.state.scans.of_kind(ScanKind::Vulnerabilities);
    let own = scans.filter(|(_, _, scan)| scan.scan_all == Some(work.id));
    let own: Vec<Status> = own.map(|(_, _, scan)| scan.status).collect();
    let count = |status: Status| own.iter().filter(|one| **one == status).count();
    let all = [
        Status::Pending,
        Status::Running,
        Status::Success,
        Status::Error,
        Status::Stopped,
    ];
    let metrics: serde_json::Map<String, Value> = all
        .into_iter()
        .filter(|status| count(*status) > 0)
        .map(|status| (status.word().to_owned(), json!(count(status))))
        .collect();
    json!({
        "total": own.len(),
        "completed": own.iter().filter(|status| status.is_final()).count(),
        "metrics": metrics,
        "ongoing": !work.status.is_final(),
        "trigger": work.trigger,
    })
}

fn schedule_json(schedule: Option<&Schedule>) -> Value {
    let Some(schedule) = schedule else {
        return json!({});
    };
    json!({
        "id": 1,
        "status": "Success",
        "creation_time": time(schedule.created),
        "update_time": time(schedule.created),
        "schedule": {"type": schedule.kind, "cron": schedule.cron},
        "parameters": if schedule.parameters.is_object() { schedule.parameters.clone() } else { json!({}) },
    })
}

fn scan_all(bench: &mut Bench<'_>, call: &Call, rest: &[&str]) -> Answered {
    let need = |action: &'static str| ("scan-all", action);
    let known = bench.state.schedules.contains_key("SCAN_ALL");
    match (call.method.as_str(), rest) {
        ("GET", ["schedule"]) => {
            bench.require(&call.caller, Scope::System, need("read"))?;
            Ok(Answer::json(&schedule_json(
                bench.state.schedules.get("SCAN_ALL"),
            )))
        }
        (method @ ("POST" | "PUT"), ["schedule"]) => {
            let action = if method == "POST" { "create" } else { "update" };
            bench.require(&call.caller, Scope::System, need(action))?;
            let asked: AskedSchedule = call.read()?;
            let wanted = asked.time()?;
            if wanted.kind == "Manual" {
                let going = newest(bench, Vendor::ScanAll, None);
                if let Some(work) = going.filter(|work| !work.status.is_final()) {
                    return Err(Refusal::conflict(format!(
                        "a previous scan all job aleady exits, its status is {}",
                        work.status.word()
                    )));
                }
                bench.scan_all("Manual");
                return Ok(Answer::created(
                    "/api/v2.0/system/scanAll/schedule".to_owned(),
                ));
            }
            if method == "POST" && known {
                return Err(Refusal::precondition(
                    "fail to set schedule for scan all as always had one, please delete it \
                     firstly then to re-schedule",
                ));
            }
            set_schedule(bench, "SCAN_ALL", &asked)?;
            Ok(answered(method))
        }
        ("POST", ["stop"]) => {
            bench.require(&call.caller, Scope::System, need("stop"))?;
            stop_scan_all(bench)?;
            Ok(Answer::accepted())
        }
        (_, ["schedule" | "stop"]) => Err(no_method(call)),
        (_, _) => Err(no_path(call)),
    }
}

fn stop_scan_all(bench: &mut Bench<'_>) -> Result<(), Refusal> {
    let going = newest(bench, Vendor::ScanAll, None);
    let Some(id) = going
        .filter(|work| !work.status.is_final())
        .map(|work| work.id)
    else {
        return Err(Refusal::bad_request(
            "no scan all job is found currently".to_owned(),
        ));
    };
    let now = bench.now;
    let going = bench.state.scans.going();
    let own = going.filter(|(_, scan)| scan.scan_all == Some(id));
    let own: Vec<_> = own.map(|(key, _)| key.clone()).collect();
    for key in own {
        bench.state.scans.change(&key, |scan| {
            scan.status = Status::Stopped;
            scan.end = Some(now);
        });
    }
    bench.end_work(id, Status::Stopped, "");
    Ok(())
}

fn answered(method: &str) -> Answer {
    if method == "POST" {
        Answer::status(http::StatusCode::CREATED)
    } else {
        Answer::ok()
    }
}

fn set_schedule(
    bench: &mut Bench<'_>,
    what: &'static str,
    asked: &AskedSchedule,
) -> Result<(), Refusal> {
    let wanted = asked.time()?;
    if wanted.kind == "None" {
        bench.state.schedules.remove(what);
        return Ok(());
    }
    let cron = match wanted.kind.as_str() {
        "Hourly" => "0 0 * * * *".to_owned(),
        "Daily" => "0 0 0 * * *".to_owned(),
        "Weekly" => "0 0 0 * * 0".to_owned(),
        _ if wanted.cron.split_whitespace().count() == 6 => wanted.cron.clone(),
        _ => {
            let message = format!("invalid cron string: {}", wanted.cron);
            return Err(Refusal::bad_request(message));
        }
    };
    let schedule = Schedule {
        kind: wanted.kind.clone(),
        cron,
        parameters: asked.parameters.clone(),
        created: bench.now,
    };
    bench.state.schedules.insert(what, schedule);
    Ok(())
}

fn gc_json(work: &Execution) -> Value {
    json!({
        "id": work.id,
        "job_name": work.vendor.word(),
        "job_kind": work.trigger.to_uppercase(),
        "job_parameters": work.details.to_string(),
        "job_status": work.status.word(),
        "schedule": {"type": work.trigger, "cron": ""},
        "deleted": false,
        "creation_time": time(work.start),
        "update_time": time(work.end.unwrap_or(work.start)),
    })
}

fn gc(bench: &mut Bench<'_>, call: &Call, rest: &[&str]) -> Answered {
    let need = |action: &'static str| ("garbage-collection", action);
    match (call.method.as_str(), rest) {
        ("GET", []) => {
            bench.require(&call.caller, Scope::System, need("list"))?;
            let all = bench.state.executions.values();
            let rows: Vec<_> = all
                .filter(|work| work.vendor == Vendor::GarbageCollection)
                .collect();
            let page = call.page(rows, "-id", |work, key| match key {
                "id" => Some(json!(work.id)),
                "job_status" | "status" => Some(json!(work.status.word())),
                "creation_time" => Some(time(work.start)),
                _ => None,
            })?;
            Ok(page.answer(|work| gc_json(work)))
        }
        ("GET", ["schedule"]) => {
            bench.require(&call.caller, Scope::System, need("read"))?;
            let schedule = bench.state.schedules.get("GARBAGE_COLLECTION");
            let Some(schedule) = schedule else {
                return Ok(Answer::json(&json!({})));
            };
            Ok(Answer::json(&json!({
                "id": 1,
                "job_name": "GARBAGE_COLLECTION",
                "job_kind": "SCHEDULE",
                "job_parameters": schedule.parameters.to_string(),
                "job_status": "Success",
                "schedule": {"type": schedule.kind, "cron": schedule.cron},
                "deleted": false,
                "creation_time": time(schedule.created),
                "update_time": time(schedule.created),
            })))
        }
        (method @ ("POST" | "PUT"), ["schedule"]) => {
            let action = if method == "POST" { "create" } else { "update" };
            bench.require(&call.caller, Scope::System, need(action))?;
            begin_gc(bench, call, method)
        }
        (method, [id, rest @ ..]) => {
            let id = number(id, "gc_id")?;
            one_gc(bench, call, (method, id), rest)
        }
        (_, []) => Err(no_method(call)),
    }
}

fn one_gc(
    bench: &mut Bench<'_>,
    call: &Call,
    (method, id): (&str, i64),
    rest: &[&str],
) -> Answered {
    let action = if method == "PUT" { "stop" } else { "read" };
    bench.require(&call.caller, Scope::System, ("garbage-collection", action))?;
    let found = bench.state.executions.get(&id);
    let found = found.filter(|work| work.vendor == Vendor::GarbageCollection);
    let work = found.ok_or_else(|| Refusal::not_found(format!("GC job {id} not found")))?;
    match (method, rest) {
        ("GET", []) => Ok(Answer::json(&gc_json(work))),
        ("GET", ["log"]) => Ok(Answer::text("text/plain", work.log.join("\n") + "\n")),
        ("PUT", []) => {
            if work.status.is_final() {
                return Err(Refusal::bad_request(format!(
                    "the GC job {id} is not running"
                )));
            }
            bench.end_work(id, Status::Stopped, "");
            Ok(Answer::ok())
        }
        (_, _) => Err(no_method(call)),
    }
}

fn begin_gc(bench: &mut Bench<'_>, call: &Call, method: &str) -> Answered {
    let asked: AskedSchedule = call.read()?;
    let workers = asked.parameters["workers"].as_i64().unwrap_or(1);
    if !(1..=10).contains(&workers) {
        return Err(Refusal::bad_request(format!(
            "Error: Invalid GC workers:{workers}, must be between 1 and 10"
        )));
    }
    if asked.time()?.kind != "Manual" {
        if method == "POST" && bench.state.schedules.contains_key("GARBAGE_COLLECTION") {
            return Err(Refusal::precondition(
                "fail to set schedule for GC as always had one, please delete it firstly then to \
                 re-schedule",
            ));
        }
        set_schedule(bench, "GARBAGE_COLLECTION", &asked)?;
        return Ok(answered(method));
    }
    let going = newest(bench, Vendor::GarbageCollection, None);
    if going.is_some_and(|work| !work.status.is_final()) {
        return Err(Refusal::conflict("a GC job is running already"));
    }
    let flag = |name: &str| asked.parameters[name].as_bool().unwrap_or(false);
    let details = json!({
        "delete_untagged": flag("delete_untagged"),
        "dry_run": flag("dry_run"),
        "workers": workers,
        "redis_url_reg": "",
        "time_window": 2,
    });
    let id = bench.begin_work((Vendor::GarbageCollection, 0), "Manual", GC_TAKES, details);
    Ok(Answer::created(format!("/api/v2.0/system/gc/{id}")))
}

fn allowlist(bench: &mut Bench<'_>, call: &Call) -> Answered {
    match call.method.as_str() {
        "GET" => {
            if !call.caller.is_authenticated() {
                return Err(Refusal::unauthorized("unauthorized"));
            }
            let items = bench.state.allowlist.iter().map(|id| json!({"cve_id": id}));
            let body = json!({"id": 1, "project_id": 0, "items": items.collect::<Vec<_>>()});
            Ok(Answer::json(&body))
        }
        "PUT" => {
            bench.require(&call.caller, Scope::System, ("configuration", "update"))?;
            let asked: super::projects::Allowlist = call.read()?;
            bench.state.allowlist = asked.items.into_iter().map(|item| item.cve_id).collect();
            Ok(Answer::ok())
        }
        _ => Err(no_method(call)),
    }
}

fn jobservice(bench: &mut Bench<'_>, call: &Call, rest: &[&str]) -> Answered {
    let monitor = |action: &'static str| ("jobservice-monitor", action);
    match (call.method.as_str(), rest) {
        ("GET", ["pools"]) => {
            bench.require(&call.caller, Scope::System, monitor("list"))?;
            let since = bench.state.projects.values().map(|one| one.created).min();
            Ok(Answer::json(&json!([{
                "pid": 1,
                "worker_pool_id": POOL,
                "start_at": time(since.unwrap_or(bench.now)),
                "heartbeat_at": time(bench.now),
                "concurrency": 10,
                "host": "harbor-jobservice",
            }])))
        }
        ("GET", ["pools", pool, "workers"]) => {
            bench.require(&call.caller, Scope::System, monitor("list"))?;
            if !matches!(*pool, POOL | "all") {
                return Err(Refusal::not_found(format!("pool {pool} not found")));
            }
            let scans = bench
                .state
                .scans
                .going()
                .filter(|(_, scan)| scan.status == Status::Running);
            let workers = scans.map(|(_, scan)| {
                json!({
                    "id": scan.report_id, "pool_id": POOL, "job_name": "IMAGE_SCAN",
                    "job_id": scan.report_id, "start_at": time(scan.start), "check_in": "",
                })
            });
            Ok(Answer::json(&Value::Array(workers.collect())))
        }
        ("GET", ["queues"]) => {
            bench.require(&call.caller, Scope::System, monitor("list"))?;
            let waiting = bench
                .state
                .scans
                .going()
                .filter(|(_, scan)| scan.status == Status::Pending);
            let waiting = waiting.count();
            let queues = QUEUES.map(|kind| {
                let count = if kind == "IMAGE_SCAN" { waiting } else { 0 };
                let paused = bench.state.paused.contains(kind);
                json!({"job_type": kind, "count": count, "latency": 0, "paused": paused})
            });
            Ok(Answer::json(&json!(queues)))
        }
        ("PUT", ["queues", kind]) => change_queue(bench, call, kind),
        (_, _) => Err(no_path(call)),
    }
}

fn change_queue(bench: &mut Bench<'_>, call: &Call, kind: &str) -> Answered {
    #[derive(Deserialize)]
    struct Asked {
        action: String,
    }
    let need = ("jobservice-monitor", "stop");
    bench.require(&call.caller, Scope::System, need)?;
    let asked: Asked = call.read()?;
    match asked.action.as_str() {
        "pause" => {
            bench.state.paused.insert(kind.to_owned());
        }
        "resume" => {
            bench.state.paused.remove(kind);
        }
        "stop" => {}
        other => {
            return Err(Refusal::unprocessable(format!(
                "action in body should be one of [stop pause resume]: \"{other}\""
            )));
        }
    }
    Ok(Answer::ok())
}

fn schedules(bench: &Bench<'_>, call: &Call) -> Answered {
    let rows: Vec<_> = bench.state.schedules.iter().collect();
    let page = call.page(rows, "", |_, _| None)?;
    Ok(page.answer(|(what, schedule)| {
        json!({
            "id": 1, "vendor_type": what, "vendor_id": -1, "cron": schedule.cron,
            "update_time": time(schedule.created),
        })
    }))
}
