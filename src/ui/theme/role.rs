//! What a piece of the screen means. A theme gives each role a style; screens name roles only.

use crate::domain::status::{Freshness, Health, SyncStatus};

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $symbol:literal, $fallback:ident;)*) => {
        /// A meaning that has a style.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Role { $($(#[$doc])* $name),* }

        impl Role {
            /// Every role, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the word used in theme files.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// Returns the character that stands for the role in a style dump.
            pub fn symbol(self) -> char {
                match self { $(Self::$name => $symbol),* }
            }

            /// Returns the role that lends its style when a theme leaves this one out; a role
            /// that names itself has none.
            pub fn fallback(self) -> Option<Self> {
                let lender = match self { $(Self::$name => Self::$fallback),* };
                (lender != self).then_some(lender)
            }
        }
    };
}

roles! {
    Text = "text", ' ', Text;
    /// Ages, revisions, what is there when looked for.
    Muted = "muted", 'm', Text;
    /// Names and what is read first.
    Strong = "strong", 'T', Text;
    /// The one accent.
    Accent = "accent", 'a', Text;
    Title = "title", 't', Accent;
    Border = "border", 'b', Muted;
    BorderFocus = "border_focus", 'B', Accent;
    /// Column headers.
    Header = "header", 'h', Muted;
    /// The header of the sorted column.
    Sort = "sort", 'O', Accent;
    Cursor = "cursor", '>', Text;
    Mark = "mark", '*', Accent;
    Filter = "filter", '/', Accent;
    Key = "key", 'k', Accent;
    Hint = "hint", 'i', Muted;
    Crumb = "crumb", 'c', Muted;
    CrumbActive = "crumb_active", 'C', Accent;
    Healthy = "healthy", 'H', Text;
    Progressing = "progressing", 'P', Text;
    Degraded = "degraded", 'D', Text;
    Suspended = "suspended", 'U', Muted;
    Missing = "missing", 'M', Text;
    Unknown = "unknown", '?', Muted;
    Synced = "synced", 'S', Healthy;
    OutOfSync = "out_of_sync", '!', Text;
    Running = "running", 'r', Progressing;
    Succeeded = "succeeded", 's', Muted;
    Failed = "failed", 'F', Degraded;
    /// A switch that is off although one would expect it on.
    Off = "off", 'o', Muted;
    Info = "info", 'I', Accent;
    Warning = "warning", 'W', OutOfSync;
    Error = "error", 'E', Degraded;
    Live = "live", 'L', Muted;
    Stale = "stale", 'Z', OutOfSync;
    Lost = "lost", 'X', Degraded;
    Added = "added", '+', Healthy;
    Removed = "removed", '-', Degraded;
    AddedWord = "added_word", 'A', Added;
    RemovedWord = "removed_word", 'R', Removed;
    Hunk = "hunk", '@', Muted;
    YamlKey = "yaml_key", 'y', Accent;
    YamlString = "yaml_string", 'q', Text;
    YamlNumber = "yaml_number", 'n', Accent;
    YamlConstant = "yaml_constant", 'N', Accent;
    YamlComment = "yaml_comment", '#', Muted;
    YamlPunctuation = "yaml_punctuation", ':', Muted;
    LogError = "log_error", 'e', Degraded;
    LogWarning = "log_warning", 'w', OutOfSync;
    LogInfo = "log_info", 'l', Text;
    LogDebug = "log_debug", 'd', Muted;
    LogTime = "log_time", '@', Muted;
    LogOrigin = "log_origin", 'g', Accent;
    SearchHit = "search_hit", 'f', Accent;
    SearchCurrent = "search_current", 'u', Cursor;
    Prompt = "prompt", 'p', Text;
    Ghost = "ghost", 'G', Muted;
    Dialog = "dialog", ' ', Text;
    DialogBorder = "dialog_border", 'x', Accent;
    DialogDanger = "dialog_danger", 'J', Degraded;
    Button = "button", 'v', Text;
    ButtonFocus = "button_focus", 'V', Cursor;
    ButtonDanger = "button_danger", 'K', ButtonFocus;
    Toast = "toast", 'z', Text;
    Bar = "bar", '|', Accent;
    BarRest = "bar_rest", '_', Muted;
    /// What serves now: the stable or active revision.
    Stable = "stable", '1', Healthy;
    /// What is being tried: the canary.
    Canary = "canary", '2', OutOfSync;
    /// What is being tried beside the active one: blue-green preview.
    Preview = "preview", '3', Progressing;
    /// The limit that an analysis or an alert holds against.
    Threshold = "threshold", '~', Degraded;
    Series1 = "series_1", '4', Progressing;
    Series2 = "series_2", '5', OutOfSync;
    Series3 = "series_3", '6', Healthy;
    Series4 = "series_4", '7', Suspended;
    Series5 = "series_5", '8', Missing;
    Series6 = "series_6", '9', Accent;
    /// The sentence that explains trouble.
    Why = "why", 'Y', Text;
    WhyWarning = "why_warning", '%', OutOfSync;
    WhyError = "why_error", '$', Degraded;
}

impl Role {
    /// Returns the role of the n-th line of a chart; they begin again after the last.
    pub fn of_series(number: usize) -> Self {
        const SERIES: [Role; 6] = [
            Role::Series1,
            Role::Series2,
            Role::Series3,
            Role::Series4,
            Role::Series5,
            Role::Series6,
        ];
        SERIES[number % SERIES.len()]
    }

    /// Returns the role of a health.
    pub fn of_health(health: Health) -> Self {
        match health {
            Health::Healthy => Self::Healthy,
            Health::Suspended => Self::Suspended,
            Health::Progressing => Self::Progressing,
            Health::Missing => Self::Missing,
            Health::Degraded => Self::Degraded,
            Health::Unknown => Self::Unknown,
        }
    }

    /// Returns the role of a sync status.
    pub fn of_sync(sync: SyncStatus) -> Self {
        match sync {
            SyncStatus::Synced => Self::Synced,
            SyncStatus::OutOfSync => Self::OutOfSync,
            SyncStatus::Unknown => Self::Unknown,
        }
    }

    /// Returns the role of a freshness.
    pub fn of_freshness(freshness: &Freshness) -> Self {
        match freshness {
            Freshness::Connecting | Freshness::Loading { .. } => Self::Progressing,
            Freshness::Live => Self::Live,
            Freshness::Stale { .. } => Self::Stale,
            Freshness::NeedsCredentials { .. } | Freshness::Forbidden { .. } => Self::Lost,
            Freshness::Absent { .. } => Self::Muted,
        }
    }
}
