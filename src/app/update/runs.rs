//! Runs of pipelines: which ones a command is about, what may be asked of them now, what their
//! dialogs say, and the log beside the tree.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "screens that are not named here show no run"
)]

use super::subject::{Subject, subjects};
use super::{Effects, navigate};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::overlays::dialog::{Field, FieldId, FieldValue, Form};
use crate::app::screens::run::REST;
use crate::app::screens::{FlowItem, LogsScreen, NodeLog, RunView, Screen};
use crate::app::state::State;
use crate::domain::event_flow::event_source_kind;
use crate::domain::intent::{Intent, Verb};
use crate::domain::object::{ObjectRef, Text, Uid};
use crate::domain::pipeline::cron::cron_kind;
use crate::domain::pipeline::template::{RunTemplate, is_template};
use crate::domain::pipeline::{
    CancelWay, Phase, RunDetail, RunRow, RunVerb, System, forecast, is_run,
};
use crate::engine::protocol::{Fetch, LogOptions, Request, Scope, Topic};
use tui_input::Input;

/// Returns the runs a command is about: chosen ones, or the one whose screen is open.
pub(super) fn chosen_runs(state: &State) -> Vec<Subject> {
    if let Some(open) = open_run(state) {
        return vec![open];
    }
    let mut found: Vec<Subject> = subjects(state)
        .into_iter()
        .filter(|subject| is_run(&subject.object.kind))
        .collect();
    found.dedup();
    found
}

/// Returns the run that the open screens belong to.
fn open_run(state: &State) -> Option<Subject> {
    let mut screens = state.stack.iter().rev();
    screens.find_map(|screen| match screen {
        Screen::Run(screen) => Some(Subject {
            object: screen.object.clone(),
            uid: screen.uid.clone(),
        }),
        _ => None,
    })
}

/// Returns the schedules a command is about.
pub(super) fn chosen_crons(state: &State) -> Vec<Subject> {
    let all = subjects(state).into_iter();
    all.filter(|subject| subject.object.kind == cron_kind())
        .collect()
}

/// Returns what a run can be made from: a template under the cursor, else that of a run.
pub(super) fn chosen_template(state: &State) -> Option<Subject> {
    let direct = subjects(state)
        .into_iter()
        .find(|subject| is_template(&subject.object.kind));
    direct.or_else(|| {
        let run = chosen_runs(state).into_iter().next()?;
        let template = run_row(state, &run.object)?.template.clone()?;
        is_template(&template.kind).then_some(Subject {
            uid: None,
            object: template,
        })
    })
}

/// Returns the EventSource under the cursor and the event that is meant.
pub(super) fn chosen_source(state: &State) -> Option<(Subject, Option<Text>)> {
    if let Screen::Flow(screen) = state.screen() {
        let (source, event) = match screen.current()? {
            FlowItem::Source(source) => (source, None),
            FlowItem::Event(source, event) => (source, Some(Text::clone(&event.name))),
            _ => return None,
        };
        let subject = Subject {
            object: source.object.clone(),
            uid: Some(source.uid.clone()),
        };
        return Some((subject, event));
    }
    let all = subjects(state).into_iter();
    let mut sources = all.filter(|subject| subject.object.kind == event_source_kind());
    Some((sources.next()?, None))
}

/// Returns the webhook under the cursor, as an object that can be named.
pub(super) fn chosen_webhook(state: &State) -> Option<(Subject, Text)> {
    let Screen::Flow(screen) = state.screen() else {
        return None;
    };
    let Some(FlowItem::Webhook(webhook)) = screen.current() else {
        return None;
    };
    let object = ObjectRef {
        cluster: state.link.connection.as_ref()?.cluster.clone(),
        kind: crate::domain::object::GroupKind::new("", "Webhook"),
        namespace: None,
        name: Text::clone(&webhook.id),
    };
    let id = Text::clone(&webhook.id);
    Some((Subject { object, uid: None }, id))
}

/// Returns what is known of a run: the detail of an open screen, else its row.
pub(super) fn run_row<'state>(state: &'state State, object: &ObjectRef) -> Option<&'state RunRow> {
    open_detail(state, object)
        .map(|detail| &detail.row)
        .or_else(|| state.store.row(object)?.run())
}

pub(super) fn open_detail<'state>(
    state: &'state State,
    object: &ObjectRef,
) -> Option<&'state RunDetail> {
    let mut screens = state.stack.iter();
    screens.find_map(|screen| match screen {
        Screen::Run(screen) if screen.object == *object => screen.run(),
        _ => None,
    })
}

/// Returns what will happen after an intent.
pub(super) fn preview(state: &State, intent: &Intent, verb: &RunVerb) -> Vec<String> {
    let row = run_row(state, &intent.target);
    let detail = open_detail(state, &intent.target);
    forecast(row, detail, verb)
}

/// Returns where a run stands, in one line for a dialog.
pub(super) fn standing(row: &RunRow, now: chrono::DateTime<chrono::Utc>) -> String {
    let mut text = row.status_words().to_owned();
    if let Some((done, total)) = row.progress {
        text = format!("{text}, {done} of {total} steps");
    }
    if let Some(took) = row.duration(now) {
        text = format!("{text}, {}", crate::domain::rollout::span_text(took));
    }
    text
}

/// Returns what a dialog tells of its form besides the objects.
pub(super) fn fact(form: &Form) -> Option<(&'static str, String)> {
    match form {
        Form::Submit { template } if !template.description.is_empty() => {
            Some(("it is", super::preview::short(&template.description)))
        }
        Form::Resume {
            node: Some((_, label)),
            ..
        } => Some(("step", label.to_string())),
        _ => None,
    }
}

/// Returns why an intent cannot be asked of a run as it is now.
pub(super) fn objection(state: &State, object: &ObjectRef, verb: &Verb) -> Option<String> {
    let Verb::Run(verb) = verb else { return None };
    let row = run_row(state, object)?;
    let name = object.path();
    let workflow = row.system == System::Workflows;
    let over = row.phase.is_over();
    let actions = row.system == System::Actions;
    let reason = match verb {
        RunVerb::Retry if actions && !over => "still runs",
        RunVerb::Resubmit if actions && !over => "still runs; GitHub runs it again in place",
        RunVerb::Cancel(CancelWay::RunFinally | CancelWay::LetTasksEnd) if actions => {
            "has no final tasks; cancel it at once"
        }
        RunVerb::Retry if row.system == System::Tekton => {
            "is a run of Tekton; run it again as a whole"
        }
        RunVerb::Suspend | RunVerb::Resume { .. } if !workflow => {
            "is no Workflow; other runs are cancelled and run again"
        }
        RunVerb::Stop | RunVerb::Terminate if !workflow => "is no Workflow; cancel it",
        RunVerb::Cancel(_) if workflow => "is a Workflow; stop or terminate it",
        RunVerb::Suspend | RunVerb::Stop | RunVerb::Terminate | RunVerb::Cancel(_) if over => {
            "is over already"
        }
        RunVerb::Suspend if row.phase == Phase::Suspended => "is suspended already",
        RunVerb::Resume { .. } if row.phase != Phase::Suspended => "does not wait",
        RunVerb::Retry if !row.phase.is_bad() => "has not failed",
        _ => return None,
    };
    Some(format!("`{name}` {reason}"))
}

/// Returns the form of a command on runs with what it is about.
pub(super) fn form_of(state: &State, command: Command) -> Option<(Form, Vec<Subject>)> {
    let worded = |verb: RunVerb| Form::Worded(Box::new(Verb::Run(verb)));
    Some(match command {
        Command::SuspendRun => (worded(RunVerb::Suspend), chosen_runs(state)),
        Command::StopRun => (worded(RunVerb::Stop), chosen_runs(state)),
        Command::RetryRun => (worded(RunVerb::Retry), chosen_runs(state)),
        Command::Resubmit => (worded(RunVerb::Resubmit), chosen_runs(state)),
        Command::TriggerCron => (worded(RunVerb::TriggerCron), chosen_crons(state)),
        Command::SwitchCron => {
            let chosen = chosen_crons(state);
            let mut rows = chosen
                .iter()
                .filter_map(|one| state.store.row(&one.object)?.cron());
            let on = !rows.all(|row| row.suspended);
            (worded(RunVerb::SuspendCron { on }), chosen)
        }
        Command::CancelRun => {
            let chosen = chosen_runs(state);
            let of_actions = |one: &Subject| one.object.kind == System::Actions.kind();
            let form = if chosen.iter().all(of_actions) {
                worded(RunVerb::Cancel(CancelWay::Now))
            } else {
                Form::Cancel
            };
            (form, chosen)
        }
        Command::Terminate => (worded(RunVerb::Terminate), chosen_runs(state)),
        Command::ResumeRun => resume_form(state),
        Command::TestEvent => {
            let (source, event) = chosen_source(state)?;
            let events = endpoints(state, &source.object);
            (Form::TestEvent { events, event }, vec![source])
        }
        Command::Replay => {
            let (subject, id) = chosen_webhook(state)?;
            (worded(RunVerb::Replay { id }), vec![subject])
        }
        _ => return None,
    })
}

/// The node under the cursor when it waits; else everything that waits, with the values that are
/// wanted of a person when it is one node.
fn resume_form(state: &State) -> (Form, Vec<Subject>) {
    let chosen = chosen_runs(state);
    let waiting = match (state.screen(), chosen.as_slice()) {
        (Screen::Run(screen), _) => screen.current().filter(|node| node.waits()),
        _ => None,
    };
    let of_run = || {
        let [one] = chosen.as_slice() else {
            return None;
        };
        let mut nodes = open_detail(state, &one.object)?.waiting();
        let first = nodes.next()?;
        nodes.next().is_none().then_some(first)
    };
    let form = match waiting.or_else(of_run) {
        Some(node) => Form::Resume {
            node: Some((Text::clone(&node.id), Text::clone(&node.label))),
            wanted: node.wanted().cloned().collect(),
        },
        None => Form::Resume {
            node: None,
            wanted: Vec::new(),
        },
    };
    (form, chosen)
}

fn endpoints(state: &State, source: &ObjectRef) -> Vec<Text> {
    let mut screens = state.stack.iter();
    let flow = screens.find_map(|screen| match screen {
        Screen::Flow(screen) => screen.flow.ready(),
        _ => None,
    });
    let sources = flow.into_iter().flat_map(|flow| &flow.sources);
    let mut sources = sources.filter(|one| one.object == *source);
    let events = sources.next().map(|one| &*one.events).unwrap_or_default();
    let with = events.iter().filter(|event| event.endpoint.is_some());
    with.map(|event| Text::clone(&event.name)).collect()
}

/// Asks for what a template needs; its dialog opens with the answer.
pub(super) fn begin_submit(state: &mut State, out: &mut Effects) {
    let Some(subject) = chosen_template(state) else {
        state.refuse(super::choose::not_here(Command::Submit), "");
        return;
    };
    let ticket = state.tickets.next();
    let object = subject.object.clone();
    let _none = state.tickets.templates.insert(ticket, subject.uid);
    navigate::fetch(ticket, Fetch::Template { object }, out);
    state.note("reading the template");
}

/// Opens the dialog of a template that was asked for.
pub(super) fn open_submit(state: &mut State, template: RunTemplate, uid: Option<Uid>) {
    let subject = Subject {
        uid: uid.or_else(|| Some(template.uid.clone())),
        object: template.object.clone(),
    };
    let form = Form::Submit {
        template: Box::new(template),
    };
    super::dialogs::open_form(state, form, vec![subject]);
}

fn typed(id: FieldId, label: &str, value: String, hint: &str) -> Field {
    Field {
        id,
        label: label.into(),
        value: FieldValue::Text(Input::new(value)),
        hint: hint.into(),
    }
}

fn choice(id: FieldId, label: &str, options: Vec<Text>, chosen: usize) -> Field {
    Field {
        id,
        label: label.into(),
        value: FieldValue::Choice { options, chosen },
        hint: "".into(),
    }
}

/// Returns the fields of the forms on runs.
pub(super) fn fields(state: &State, form: &Form) -> Vec<Field> {
    match form {
        Form::Submit { template } => submit_fields(state, template),
        Form::Resume { wanted, .. } => {
            let fields = wanted.iter().enumerate();
            fields.map(|(at, one)| parameter_field(at, one)).collect()
        }
        Form::Cancel => {
            let ways = [
                "now: final tasks do not run",
                "run-finally: cancel tasks, run final tasks",
                "let-tasks-end: then run final tasks",
            ];
            let ways = ways.into_iter().map(Text::from).collect();
            vec![choice(FieldId::Way, "How", ways, 1)]
        }
        Form::TestEvent { events, event } => {
            let at = events.iter().position(|one| Some(one) == event.as_ref());
            let payload = "{\"ref\":\"refs/heads/main\",\"after\":\"test\"}";
            vec![
                choice(
                    FieldId::Event,
                    "Event",
                    events.clone(),
                    at.unwrap_or_default(),
                ),
                typed(FieldId::Payload, "Payload", payload.to_owned(), "JSON"),
            ]
        }
        _ => Vec::new(),
    }
}

fn parameter_field(at: usize, one: &crate::domain::pipeline::Parameter) -> Field {
    let id = FieldId::Parameter(at);
    let value = one.value.as_ref().or(one.default.as_ref());
    if !one.choices.is_empty() {
        let chosen = one.choices.iter().position(|choice| Some(choice) == value);
        let chosen = chosen.unwrap_or_default();
        return choice(id, &one.name, one.choices.clone(), chosen);
    }
    let hint = match (&*one.description, value) {
        ("", None) => "needed",
        (description, _) => description,
    };
    let value = value.map(ToString::to_string).unwrap_or_default();
    typed(id, &one.name, value, hint)
}

fn submit_fields(state: &State, template: &RunTemplate) -> Vec<Field> {
    let parameters = template.parameters.iter().enumerate();
    let mut fields: Vec<Field> = parameters
        .map(|(at, one)| parameter_field(at, one))
        .collect();
    let first = fields.len();
    for (at, workspace) in template.workspaces.iter().enumerate() {
        let id = FieldId::Parameter(first + at);
        let label = format!("workspace {workspace}");
        let hint = "size:1Gi, emptyDir, pvc:CLAIM";
        fields.push(typed(id, &label, "size:1Gi".to_owned(), hint));
    }
    if template.object.namespace.is_none() {
        let namespace = match &state.link.scope {
            Scope::Namespace(namespace) => namespace.to_string(),
            Scope::All => String::new(),
        };
        fields.push(typed(
            FieldId::RunNamespace,
            "Namespace",
            namespace,
            "where to run it",
        ));
    }
    fields
}

/// Returns what a form on runs asks for.
///
/// # Errors
/// A sentence that says why it cannot be asked like this.
pub(super) fn verb_of(
    form: &Form,
    value: &dyn Fn(&FieldId) -> String,
    chosen: &dyn Fn(&FieldId) -> usize,
) -> Result<Option<RunVerb>, String> {
    Ok(Some(match form {
        Form::Submit { template } => submit_verb(template, value)?,
        Form::Resume { node, wanted } => {
            let mut parameters = Vec::new();
            for (at, one) in wanted.iter().enumerate() {
                let value = value(&FieldId::Parameter(at));
                if value.is_empty() && one.default.is_none() {
                    return Err(format!("`{}` needs a value", one.name));
                }
                if !value.is_empty() {
                    parameters.push((Text::clone(&one.name), value.into()));
                }
            }
            RunVerb::Resume {
                node: node.as_ref().map(|(id, _)| Text::clone(id)),
                parameters,
            }
        }
        Form::Cancel => {
            let way = CancelWay::ALL.get(chosen(&FieldId::Way));
            RunVerb::Cancel(way.copied().unwrap_or(CancelWay::RunFinally))
        }
        Form::TestEvent { events, .. } => {
            let Some(event) = events.get(chosen(&FieldId::Event)) else {
                return Err("this EventSource has no event with an endpoint".to_owned());
            };
            RunVerb::TestEvent {
                event: Text::clone(event),
                payload: value(&FieldId::Payload).into(),
            }
        }
        _ => return Ok(None),
    }))
}

fn submit_verb(
    template: &RunTemplate,
    value: &dyn Fn(&FieldId) -> String,
) -> Result<RunVerb, String> {
    let mut parameters = Vec::new();
    for (at, one) in template.parameters.iter().enumerate() {
        let given = value(&FieldId::Parameter(at));
        let usual = one.value.as_ref().or(one.default.as_ref());
        if given.is_empty() && usual.is_none() {
            return Err(format!("`{}` needs a value", one.name));
        }
        // What the template says already need not be said again.
        if usual.is_none_or(|usual| **usual != *given) {
            parameters.push((Text::clone(&one.name), given.into()));
        }
    }
    let first = template.parameters.len();
    for (at, workspace) in template.workspaces.iter().enumerate() {
        let on = value(&FieldId::Parameter(first + at));
        if on.is_empty() {
            return Err(format!("workspace `{workspace}` needs something to lie on"));
        }
        parameters.push((format!("workspace.{workspace}").into(), on.into()));
    }
    let namespace = value(&FieldId::RunNamespace);
    if template.object.namespace.is_none() && namespace.is_empty() {
        return Err("write the namespace in which it is to run".to_owned());
    }
    Ok(RunVerb::Submit {
        parameters,
        namespace: (!namespace.is_empty()).then(|| namespace.into()),
    })
}

/// Notes that the cursor moved: the log follows when it has rested.
pub(super) fn cursor_moved(state: &mut State) {
    let due = state.now.real + REST;
    if let Screen::Run(screen) = state.screen_mut() {
        let wanted = screen.wanted_log().map(|(node, ..)| node);
        let shown = screen.log.as_ref().map(|log| Text::clone(&log.node));
        screen.log_due = (wanted != shown).then_some(due);
    }
}

/// Lets the log follow the cursor when it is time.
pub(super) fn settle_log(state: &mut State, out: &mut Effects) {
    let now = state.now.real;
    let due = match state.screen() {
        Screen::Run(screen) => screen.log_due.is_some_and(|due| due <= now),
        _ => false,
    };
    if due {
        show_log(state, out);
    }
}

/// Opens the log of the node under the cursor in the place of the one before.
pub(super) fn show_log(state: &mut State, out: &mut Effects) {
    let ticket = state.tickets.next();
    let Screen::Run(screen) = state.screen_mut() else {
        return;
    };
    screen.log_due = None;
    let wanted = screen.wanted_log();
    let same = match (&wanted, &screen.log) {
        (Some((node, pod, _)), Some(log)) => *node == log.node && *pod == log.lines.object,
        (None, None) => true,
        _ => false,
    };
    if same {
        return;
    }
    if let Some(ticket) = screen.log.take().and_then(|log| log.lines.ticket) {
        out.push(Effect::Engine(Request::Unsubscribe { ticket }));
    }
    if let Some((node, pod, container)) = wanted {
        let mut lines = LogsScreen::new(pod.clone(), false);
        lines.ticket = Some(ticket);
        lines.options = LogOptions {
            container: (!container.is_empty()).then_some(container),
            ..lines.options
        };
        let options = lines.options.clone();
        screen.log = Some(Box::new(NodeLog { node, lines }));
        navigate::subscribe(
            ticket,
            Topic::Logs {
                object: pod,
                options,
            },
            out,
        );
    }
    state.dirty = true;
}

/// Moves the cursor of an open graph; returns whether one is open.
pub(super) fn move_graph(state: &mut State, command: Command) -> bool {
    let page = state.window().cast_signed();
    let Screen::Run(screen) = state.screen_mut() else {
        return false;
    };
    if screen.view != RunView::Graph {
        return false;
    }
    let step = match command {
        Command::Left => (-1, 0),
        Command::Right => (1, 0),
        Command::Up => (0, -1),
        Command::Down => (0, 1),
        Command::PageUp | Command::HalfPageUp | Command::First => (0, -page),
        Command::PageDown | Command::HalfPageDown | Command::Last => (0, page),
        _ => return false,
    };
    if step.1.abs() > 1 {
        for _ in 0..step.1.abs() {
            screen.move_in_graph((0, step.1.signum()));
        }
    } else {
        screen.move_in_graph(step);
    }
    cursor_moved(state);
    true
}
