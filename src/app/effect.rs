//! What `update` asks the runtime to do.

use crate::domain::object::{ObjectRef, Text, Uid};
use crate::engine::protocol::Request;

/// One thing to do outside the state.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Hand a request to the engine; never waited for.
    Engine(Request),
    /// Put text on the clipboard (OSC 52). `what` names it in the toast.
    Copy {
        text: String,
        what: Text,
    },
    /// Write text to a new file; the runtime chooses the folder and keeps the name unique.
    Save {
        name: String,
        text: String,
    },
    /// Open `$EDITOR` on a manifest; the terminal is left meanwhile.
    Edit {
        object: ObjectRef,
        uid: Option<Uid>,
        text: String,
    },
    /// Stop as the shell's job control does (SIGTSTP), and come back.
    Suspend,
    /// Draw everything anew, because something else wrote to the terminal.
    Repaint,
    Quit,
}
