//! Layers above a screen: dialog, menu, palette and prompt; and the toasts.

pub mod dialog;
pub mod menu;
pub mod prompt;
pub mod secret;
pub mod toasts;

pub use dialog::{Confirmation, Dialog, Field, FieldId, FieldValue, Focus};
pub use menu::{Menu, MenuItem, Palette, PaletteItem};
pub use prompt::{Completion, Prompt, PromptKind};
pub use secret::SecretNote;
pub use toasts::{Toast, ToastKind, Toasts};

/// What lies above the screen.
#[derive(Debug)]
pub enum Overlay {
    Dialog(Box<Dialog>),
    Menu(Menu),
    Palette(Palette),
    Prompt(Prompt),
    Secret(SecretNote),
}
