//! Themes: which style each [`Role`] has on this terminal.
//!
//! A style follows from what something *is* (a role, chosen from a typed status), never from the
//! text that is printed. The built-in themes are files like any other and lie in `themes/`; a
//! user's file is read by [`parse()`], which reports all mistakes at once. Colours are reduced here
//! to what the terminal can show; without colours the `mono` theme speaks by weight alone.

pub mod colour;
pub mod parse;
pub mod role;

pub use parse::{Problem, ThemeFile, parse, unknown};
pub use role::Role;

use parse::{Look, Shade};
use ratatui::style::{Color, Modifier, Style};
use termprofile::TermProfile;

/// The built-in themes: name and file.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("tiphys-dark", include_str!("../../themes/tiphys-dark.toml")),
    (
        "tiphys-light",
        include_str!("../../themes/tiphys-light.toml"),
    ),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// What a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    pub profile: TermProfile,
    /// Draw with ASCII only.
    pub ascii: bool,
}

impl Default for Capability {
    fn default() -> Self {
        Self {
            profile: TermProfile::TrueColor,
            ascii: false,
        }
    }
}

/// A theme made ready for one terminal.
#[derive(Clone, Debug)]
pub struct Theme {
    pub name: String,
    pub dark: bool,
    /// Draw with ASCII only.
    pub ascii: bool,
    /// What the terminal's own foreground and background stand for in exported pictures.
    pub canvas: (Color, Color),
    /// One for each role, in the order of [`Role::ALL`].
    styles: Vec<Style>,
}

impl Theme {
    /// Makes a theme file ready for a terminal. Without colours, the `mono` theme is used.
    pub fn new(file: &ThemeFile, capability: Capability) -> Self {
        if capability.profile <= TermProfile::NoColor && file.name != "mono" {
            return Self::named("mono", capability).unwrap_or_else(|| Self::plain(capability));
        }
        let styles = Role::ALL
            .iter()
            .map(|role| style_of(*role, file, capability.profile))
            .collect();
        Self {
            name: file.name.clone(),
            dark: file.dark,
            ascii: capability.ascii,
            canvas: file.canvas,
            styles,
        }
    }

    /// Returns a built-in theme.
    pub fn named(name: &str, capability: Capability) -> Option<Self> {
        let (name, source) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        let file = parse(name, source).ok()?;
        Some(Self::new(&file, capability))
    }

    /// Returns the built-in theme for a dark or a light terminal.
    pub fn for_background(background: Background, capability: Capability) -> Self {
        let name = match background {
            Background::Dark => "tiphys-dark",
            Background::Light => "tiphys-light",
        };
        Self::named(name, capability).unwrap_or_else(|| Self::plain(capability))
    }

    /// No styles at all: what is left when even a built-in file cannot be read.
    fn plain(capability: Capability) -> Self {
        Self {
            name: "plain".to_owned(),
            dark: true,
            ascii: capability.ascii,
            canvas: (Color::White, Color::Black),
            styles: Vec::new(),
        }
    }

    /// Returns the style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }
}

/// Whether a terminal is dark or light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Background {
    #[default]
    Dark,
    Light,
}

/// Asks the terminal whether it is dark or light. Must run before anything else reads its input;
/// a terminal that does not answer within a fifth of a second counts as dark.
pub fn detect_background() -> Background {
    let mut options = terminal_colorsaurus::QueryOptions::default();
    options.timeout = std::time::Duration::from_millis(200);
    match terminal_colorsaurus::theme_mode(options) {
        Ok(terminal_colorsaurus::ThemeMode::Light) => Background::Light,
        Ok(terminal_colorsaurus::ThemeMode::Dark) | Err(_) => Background::Dark,
    }
}

/// Follows fallbacks until foreground and background are known; modifiers are the role's own, or
/// those of the first role on the way that the file mentions.
fn style_of(role: Role, file: &ThemeFile, profile: TermProfile) -> Style {
    let mut style = Style::default();
    let mut next = Some(role);
    while let Some(role) = next {
        let written = file.roles.iter().find(|(known, _)| *known == role);
        if let Some((_, look)) = written {
            return apply(style, look, profile);
        }
        style = Style::default();
        next = role.fallback();
    }
    style
}

fn apply(style: Style, look: &Look, profile: TermProfile) -> Style {
    let mut style = style.add_modifier(look.modifiers);
    style.fg = look.fg.and_then(|shade| reduce(shade, profile));
    style.bg = look.bg.and_then(|shade| reduce(shade, profile));
    if profile <= TermProfile::NoTty {
        style = style.remove_modifier(Modifier::all());
    }
    style
}

fn reduce(shade: Shade, profile: TermProfile) -> Option<Color> {
    if shade.full == Color::Reset {
        return None;
    }
    match profile {
        TermProfile::NoTty | TermProfile::NoColor => None,
        TermProfile::Ansi16 => shade
            .ansi16
            .or(shade.ansi256)
            .map_or_else(|| profile.adapt_color(shade.full), Some)
            .map(named_index),
        TermProfile::Ansi256 => shade
            .ansi256
            .map_or_else(|| profile.adapt_color(shade.full), Some),
        TermProfile::TrueColor => Some(shade.full),
    }
}

/// A terminal of 16 colours knows the short codes only (SGR 30–37 and 90–97).
fn named_index(colour: Color) -> Color {
    const NAMED: [Color; 16] = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    if let Color::Indexed(index) = colour {
        NAMED.get(usize::from(index)).copied().unwrap_or(colour)
    } else {
        colour
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_themes_have_no_mistakes_and_style_every_role() {
        for (name, source) in BUILT_IN {
            let file = parse(name, source).unwrap_or_else(|problems| panic!("{problems:#?}"));
            assert_eq!(file.name, name);
            let theme = Theme::new(&file, Capability::default());
            assert_eq!(theme.styles.len(), Role::ALL.len());
        }
    }

    #[test]
    fn loud_roles_differ_from_quiet_ones_in_every_theme_and_depth() {
        let depths = [
            TermProfile::NoColor,
            TermProfile::Ansi16,
            TermProfile::Ansi256,
            TermProfile::TrueColor,
        ];
        for (name, _) in BUILT_IN {
            for profile in depths {
                let capability = Capability {
                    profile,
                    ascii: false,
                };
                let theme = Theme::named(name, capability).unwrap();
                for loud in [Role::Degraded, Role::Failed, Role::Lost, Role::Cursor] {
                    assert_ne!(
                        theme.style(loud),
                        theme.style(Role::Healthy),
                        "{name} {profile:?}"
                    );
                    assert_ne!(
                        theme.style(loud),
                        theme.style(Role::Text),
                        "{name} {profile:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn without_colours_no_style_has_a_colour() {
        let capability = Capability {
            profile: TermProfile::NoColor,
            ascii: false,
        };
        let theme = Theme::named("tiphys-dark", capability).unwrap();
        for role in Role::ALL {
            assert_eq!(theme.style(*role).fg, None, "{role:?}");
            assert_eq!(theme.style(*role).bg, None, "{role:?}");
        }
    }

    #[test]
    fn sixteen_colours_use_the_short_codes() {
        let capability = Capability {
            profile: TermProfile::Ansi16,
            ascii: false,
        };
        let theme = Theme::named("tiphys-dark", capability).unwrap();
        for role in Role::ALL {
            for colour in [theme.style(*role).fg, theme.style(*role).bg] {
                assert!(
                    !matches!(colour, Some(Color::Rgb(..) | Color::Indexed(_))),
                    "{role:?} {colour:?}"
                );
            }
        }
    }

    #[test]
    fn a_role_that_is_left_out_takes_its_fallback() {
        let file = parse("mine", "[roles]\naccent = \"teal\"\n").unwrap();
        let theme = Theme::new(&file, Capability::default());
        assert_eq!(theme.style(Role::Title).fg, Some(Color::Rgb(0, 128, 128)));
    }
}
