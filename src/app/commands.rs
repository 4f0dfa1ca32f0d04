//! The one table of commands: keys, palette, `:`, help and documentation are all made from it.
//!
//! A command is something a user can invoke. Its id is what keymaps name; it never changes once
//! released.

/// A group of commands under one heading of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    General,
    Moving,
    Tables,
    Objects,
    Applications,
    Rollouts,
    Runs,
    Images,
    Metrics,
    Tree,
    Texts,
    Logs,
}

impl Group {
    /// Returns the heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::General => "General",
            Self::Moving => "Moving",
            Self::Tables => "Tables",
            Self::Objects => "Objects",
            Self::Applications => "Applications",
            Self::Rollouts => "Rollouts",
            Self::Runs => "Runs and events",
            Self::Images => "Images and registries",
            Self::Metrics => "Metrics and alerts",
            Self::Tree => "Tree",
            Self::Texts => "Texts",
            Self::Logs => "Logs",
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct CommandInfo {
    pub command: Command,
    /// What keymaps name.
    pub id: &'static str,
    /// In the imperative, for help, menu and palette.
    pub title: &'static str,
    pub group: Group,
    /// What may be typed after `:`, besides the id.
    pub words: &'static [&'static str],
}

macro_rules! commands {
    ($($name:ident, $id:literal, $title:literal, $group:ident, [$($word:literal),*];)*) => {
        /// Something a user can invoke by key, palette, menu or `:`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Command { $($name),* }

        /// Every command, in the order of the help.
        pub const COMMANDS: &[CommandInfo] = &[
            $(CommandInfo { command: Command::$name, id: $id, title: $title,
                group: Group::$group, words: &[$($word),*] }),*
        ];
    };
}

commands! {
    Help, "help", "Show the keys", General, ["h"];
    CommandPrompt, "command", "Type a command", General, [];
    FilterPrompt, "filter", "Filter or search", General, [];
    Palette, "palette", "Find any command", General, [];
    Menu, "menu", "Show all commands for this", General, [];
    Ledger, "ledger", "Show what was asked of the platform", General, ["operations", "journal"];
    Contexts, "contexts", "Show contexts", General, ["ctx", "context"];
    Namespaces, "namespaces", "Show namespaces", General, [];
    Applications, "applications", "Show Applications", General, [];
    Rollouts, "rollouts", "Show Rollouts", General, [];
    AnalysisRuns, "analysisruns", "Show AnalysisRuns", General, [];
    Runs, "runs", "Show runs of pipelines", General, ["pipelines"];
    Crons, "crons", "Show schedules of runs", General, ["cron"];
    EventFlow, "event-flow", "Show events: source, sensor, trigger", General, ["flow", "webhooks"];
    Alerts, "alerts", "Show alerts and silences", General, ["silences"];
    Dashboards, "dashboards", "Show dashboards", General, ["dashboard"];
    Query, "query", "Ask the metrics server", General, ["promql"];
    Images, "images", "Show images and where they run", General, [];
    Security, "security", "Show vulnerabilities in what runs", General, [];
    ImageUpdates, "image-updates", "Show images that are followed, and why they stay", General,
        ["updates"];
    Projects, "projects", "Show projects of registries and their quotas", General, [];
    Robots, "robots", "Show robot accounts", General, [];
    Registries, "registries", "Show registries and how they are", General, [];
    Aliases, "aliases", "Show kinds and their short names", General, ["a", "kinds"];
    Reload, "reload", "List and watch again from the start", General, [];
    RetryNow, "retry-now", "Try to connect again now", General, ["retry"];
    ToggleHeader, "toggle-header", "Show or hide the header", General, [];
    Save, "save", "Save what is shown to a file", General, [];
    Suspend, "suspend", "Suspend to the shell", General, [];
    Repaint, "repaint", "Draw the screen anew", General, [];
    Quit, "quit", "Quit", General, ["q", "q!", "exit"];

    Clear, "clear", "Clear the filter, or go back", Moving, [];
    Back, "back", "Go back", Moving, [];
    HistoryBack, "history-back", "Go to where you were before", Moving, [];
    HistoryForward, "history-forward", "Go forward again", Moving, [];
    LastPlace, "last-place", "Switch to the last place", Moving, [];
    Down, "down", "Move down", Moving, [];
    Up, "up", "Move up", Moving, [];
    First, "first", "Go to the first", Moving, ["top"];
    Last, "last", "Go to the last", Moving, ["bottom"];
    PageDown, "page-down", "Move a page down", Moving, [];
    PageUp, "page-up", "Move a page up", Moving, [];
    HalfPageDown, "half-page-down", "Move half a page down", Moving, [];
    HalfPageUp, "half-page-up", "Move half a page up", Moving, [];
    Left, "left", "Scroll left", Moving, [];
    Right, "right", "Scroll right", Moving, [];
    Open, "open", "Open", Moving, [];
    Namespace0, "namespace-0", "All namespaces", Moving, [];
    Namespace1, "namespace-1", "Namespace 1", Moving, [];
    Namespace2, "namespace-2", "Namespace 2", Moving, [];
    Namespace3, "namespace-3", "Namespace 3", Moving, [];
    Namespace4, "namespace-4", "Namespace 4", Moving, [];
    Namespace5, "namespace-5", "Namespace 5", Moving, [];
    Namespace6, "namespace-6", "Namespace 6", Moving, [];
    Namespace7, "namespace-7", "Namespace 7", Moving, [];
    Namespace8, "namespace-8", "Namespace 8", Moving, [];
    Namespace9, "namespace-9", "Namespace 9", Moving, [];

    Mark, "mark", "Mark", Tables, [];
    MarkRange, "mark-range", "Mark up to here", Tables, [];
    ClearMarks, "clear-marks", "Clear all marks", Tables, ["unmark"];
    ToggleFaults, "toggle-faults", "Show only what needs a person", Tables, ["faults"];
    ToggleWide, "toggle-wide", "Show more columns", Tables, ["wide"];
    SortName, "sort-name", "Sort by name", Tables, [];
    SortNamespace, "sort-namespace", "Sort by namespace", Tables, [];
    SortAge, "sort-age", "Sort by age", Tables, [];
    SortStatus, "sort-status", "Sort by status, the worst first", Tables, [];
    SortSync, "sort-sync", "Sort by sync state", Tables, [];
    SortOperation, "sort-operation", "Sort by last operation", Tables, [];
    SortLeft, "sort-left", "Sort by the column to the left", Tables, [];
    SortRight, "sort-right", "Sort by the column to the right", Tables, [];
    SortReverse, "sort-reverse", "Turn the order round", Tables, [];

    Describe, "describe", "Describe", Objects, [];
    Yaml, "yaml", "Show YAML", Objects, [];
    Edit, "edit", "Edit in your editor", Objects, [];
    Logs, "logs", "Show logs", Objects, ["log"];
    PreviousLogs, "previous-logs", "Show logs before the last restart", Objects, [];
    Events, "events-of", "Show events about this", Objects, [];
    Why, "why", "Explain why", Objects, ["explain"];
    CopyName, "copy-name", "Copy the name", Objects, ["copy"];
    CopyNamespace, "copy-namespace", "Copy the namespace", Objects, [];
    Restart, "restart", "Restart", Objects, [];
    Scale, "scale", "Scale", Objects, [];
    Delete, "delete", "Delete", Objects, [];
    RevealSecrets, "reveal-secrets", "Show or mask Secret values", Objects, ["decode"];

    Sync, "sync", "Sync", Applications, [];
    SyncOne, "sync-one", "Sync only this object", Applications, [];
    Refresh, "refresh", "Refresh: compare again", Applications, [];
    HardRefresh, "hard-refresh", "Hard refresh: render again and compare", Applications, ["refresh!"];
    Diff, "diff", "Show the difference to git", Applications, [];
    History, "history", "Show the history", Applications, [];
    Rollback, "rollback", "Roll back to this", Applications, [];
    Switches, "switches", "Change auto-sync, self-heal and prune", Applications, ["toggle"];
    Terminate, "terminate", "Terminate the operation, analysis or run", Applications, [];
    ConfirmDeletion, "confirm-deletion", "Confirm a deletion that waits", Applications, [];
    OpenLink, "open-link", "Copy the link", Applications, ["link"];

    Promote, "promote", "Promote: take the next step", Rollouts, [];
    PromoteFull, "promote-full", "Promote fully: skip every step that is left", Rollouts, [];
    Abort, "abort", "Abort: all traffic back to the stable revision", Rollouts, [];
    RetryRollout, "retry-rollout", "Retry an aborted update", Rollouts, [];
    Pause, "pause", "Pause: take no further step", Rollouts, [];
    Resume, "resume", "Resume: end the pause", Rollouts, [];
    Undo, "undo", "Go back to an earlier revision", Rollouts, ["rollout-undo"];
    SetImage, "set-image", "Set an image", Rollouts, [];

    Submit, "submit-run", "Submit a run from this", Runs, ["start-run"];
    ResumeRun, "resume-run", "Resume a run, or the step that waits", Runs, [];
    SuspendRun, "suspend-run", "Suspend a run: begin no further step", Runs, [];
    RetryRun, "retry-run", "Retry a run: run again what failed", Runs, [];
    Resubmit, "resubmit-run", "Run the same once more", Runs, ["rerun-run"];
    StopRun, "stop-run", "Stop a run: exit handlers still run", Runs, [];
    CancelRun, "cancel-run", "Cancel a run of Tekton or Actions", Runs, [];
    TriggerCron, "trigger-cron", "Make a run of the schedule now", Runs, [];
    SwitchCron, "switch-cron", "Suspend or resume the schedule", Runs, [];
    TestEvent, "send-event", "Send a test event", Runs, [];
    Replay, "replay-webhook", "Deliver a webhook once more", Runs, [];
    ToggleGraph, "toggle-graph", "Show the graph or the tree", Runs, ["graph"];

    ImagesOf, "images-of", "Show its images", Images, [];
    Repository, "repository", "Show all artifacts of the repository", Images, [];
    Scan, "scan", "Scan for vulnerabilities", Images, [];
    StopScan, "stop-scan", "Stop the scan", Images, [];
    MakeSbom, "make-sbom", "Make an SBOM", Images, [];
    ScanAll, "scan-all", "Scan every image of the registry", Images, [];
    Tag, "tag", "Tag, or move a tag here", Images, [];
    Untag, "untag", "Take a tag away", Images, [];
    CopyImage, "copy-image", "Copy by digest to another repository", Images, [];
    DeployImage, "deploy-image", "Set this image, or the newest, on the workloads that run it", Images, [];
    OverrideImage, "override-image", "Set this image, or the newest, in the Applications that run it", Images, [];
    CreateRobot, "create-robot", "Create a robot account", Images, [];
    RefreshRobot, "refresh-robot", "Give a robot account a new secret", Images, [];
    SwitchRobot, "switch-robot", "Disable or enable a robot account", Images, [];

    Metrics, "metrics", "Show requests, errors and latency", Metrics, ["charts"];
    LongerSpan, "longer-span", "Look back further", Metrics, ["zoom-out"];
    ShorterSpan, "shorter-span", "Look back less far", Metrics, ["zoom-in"];
    ZoomPanel, "zoom-panel", "Let one chart fill the screen", Metrics, ["zoom"];
    EditQuery, "edit-query", "Change the query", Metrics, [];
    Silence, "silence", "Silence", Metrics, [];
    ExpireSilence, "expire-silence", "End a silence", Metrics, ["unsilence"];

    Fold, "fold", "Fold or unfold", Tree, [];
    FoldAll, "fold-all", "Fold or unfold all", Tree, [];

    SearchNext, "search-next", "Next find", Texts, [];
    SearchPrevious, "search-previous", "Previous find", Texts, [];
    CopyAll, "copy-all", "Copy everything", Texts, [];
    ToggleWrap, "toggle-wrap", "Wrap long lines", Texts, ["wrap"];
    ToggleFull, "toggle-full", "Use the full screen", Texts, ["full"];

    ToggleAutoscroll, "toggle-autoscroll", "Follow new lines", Logs, ["autoscroll"];
    ToggleTimestamps, "toggle-timestamps", "Show timestamps", Logs, ["timestamps"];
    MarkLog, "mark-log", "Draw a line here", Logs, [];
    ClearLog, "clear-log", "Forget the lines so far", Logs, [];
    LogTail, "log-tail", "The last 500 lines", Logs, [];
    LogHead, "log-all", "All lines", Logs, [];
    LogMinute, "log-1m", "The last minute", Logs, [];
    LogFiveMinutes, "log-5m", "The last 5 minutes", Logs, [];
    LogQuarter, "log-15m", "The last 15 minutes", Logs, [];
    LogHalfHour, "log-30m", "The last 30 minutes", Logs, [];
    LogHour, "log-1h", "The last hour", Logs, [];
}

impl Command {
    /// Returns its row of the table.
    pub fn info(self) -> &'static CommandInfo {
        // The enum and the table are made from the same list, in the same order.
        &COMMANDS[self as usize]
    }

    /// Returns what keymaps name.
    pub fn id(self) -> &'static str {
        self.info().id
    }

    /// Returns the command with an id.
    pub fn with_id(id: &str) -> Option<Self> {
        let found = COMMANDS.iter().find(|info| info.id == id);
        found.map(|info| info.command)
    }

    /// Returns the command that a word after `:` names.
    pub fn named(word: &str) -> Option<Self> {
        let found = COMMANDS
            .iter()
            .find(|info| info.id == word || info.words.contains(&word));
        found.map(|info| info.command)
    }

    /// Returns which of the favourite namespaces it chooses; 0 is all.
    pub(super) fn namespace_number(self) -> Option<usize> {
        let first = Self::Namespace0 as usize;
        let last = Self::Namespace9 as usize;
        let number = self as usize;
        (first..=last).contains(&number).then(|| number - first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_command_finds_its_own_row() {
        for info in COMMANDS {
            assert_eq!(info.command.info().id, info.id);
            assert_eq!(Command::with_id(info.id), Some(info.command));
        }
    }

    #[test]
    fn no_id_or_word_means_two_commands() {
        let mut seen = HashSet::new();
        for info in COMMANDS {
            for word in info.words.iter().chain([&info.id]) {
                assert!(seen.insert(*word), "`{word}` is used twice");
            }
        }
    }
}
