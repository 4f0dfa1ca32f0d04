//! Colours as people write them: W3C names, `#rrggbb`, `default` and 0–255.

use ratatui::style::Color;

/// Reads a colour; `None` when it is none.
pub fn parse(text: &str) -> Option<Color> {
    if text.eq_ignore_ascii_case("default") {
        return Some(Color::Reset);
    }
    if let Some(hex) = text.strip_prefix('#') {
        return parse_hex(hex);
    }
    if let Ok(index) = text.parse::<u8>() {
        return Some(Color::Indexed(index));
    }
    let name = text.to_ascii_lowercase().replace("grey", "gray");
    let (_, hex) = entries().find(|(known, _)| *known == name)?;
    parse_hex(hex)
}

fn parse_hex(hex: &str) -> Option<Color> {
    let digits = u32::from_str_radix(hex, 16).ok()?;
    match hex.len() {
        6 => Some(from_u32(digits)),
        3 => {
            let wide = |shift: u32| (digits >> shift & 0xf) * 0x11;
            Some(from_u32(wide(8) << 16 | wide(4) << 8 | wide(0)))
        }
        _ => None,
    }
}

fn from_u32(rgb: u32) -> Color {
    Color::Rgb((rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8)
}

/// Returns all names, for suggestions.
pub fn names<'a>() -> impl Iterator<Item = &'a str> {
    entries()
        .map(|(name, _)| -> &'a str { name })
        .chain(["default"])
}

fn entries() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMES
        .split_whitespace()
        .filter_map(|entry| entry.split_once('='))
}

/// Returns red, green and blue of a colour; `None` for the terminal's own.
pub fn to_rgb(colour: Color) -> Option<(u8, u8, u8)> {
    Some(match colour {
        Color::Reset => return None,
        Color::Rgb(r, g, b) => (r, g, b),
        Color::Indexed(index) => indexed(index),
        Color::Black => indexed(0),
        Color::Red => indexed(1),
        Color::Green => indexed(2),
        Color::Yellow => indexed(3),
        Color::Blue => indexed(4),
        Color::Magenta => indexed(5),
        Color::Cyan => indexed(6),
        Color::Gray => indexed(7),
        Color::DarkGray => indexed(8),
        Color::LightRed => indexed(9),
        Color::LightGreen => indexed(10),
        Color::LightYellow => indexed(11),
        Color::LightBlue => indexed(12),
        Color::LightMagenta => indexed(13),
        Color::LightCyan => indexed(14),
        Color::White => indexed(15),
    })
}

/// Returns the SGR parameters of a colour; `base` is 30 for the foreground and 40 for the
/// background. The terminal's own colour has none.
pub fn sgr(colour: Color, base: u8) -> Option<String> {
    let named = |index: u8| Some((base + index).to_string());
    let bright = |index: u8| Some((base + 60 + index).to_string());
    match colour {
        Color::Reset => None,
        Color::Rgb(r, g, b) => Some(format!("{};2;{r};{g};{b}", base + 8)),
        Color::Indexed(index) => Some(format!("{};5;{index}", base + 8)),
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => bright(0),
        Color::LightRed => bright(1),
        Color::LightGreen => bright(2),
        Color::LightYellow => bright(3),
        Color::LightBlue => bright(4),
        Color::LightMagenta => bright(5),
        Color::LightCyan => bright(6),
        Color::White => bright(7),
    }
}

/// The xterm palette: 16 colours, a cube of 6×6×6, 24 greys.
fn indexed(index: u8) -> (u8, u8, u8) {
    const BASE: [u32; 16] = [
        0x00_0000, 0xcc_4444, 0x55_aa55, 0xc0_a040, 0x4a_7fd0, 0xb0_60b0, 0x40_a8a8, 0xd0_d0d0,
        0x70_7070, 0xff_6b6b, 0x7f_d77f, 0xff_d75f, 0x7a_a8ff, 0xd7_87d7, 0x6f_d7d7, 0xff_ffff,
    ];
    if let Some(rgb) = BASE.get(usize::from(index)) {
        return ((rgb >> 16) as u8, (rgb >> 8) as u8, *rgb as u8);
    }
    if index >= 232 {
        let grey = 8 + (index - 232) * 10;
        return (grey, grey, grey);
    }
    let cube = index - 16;
    let level = |n: u8| if n == 0 { 0 } else { 55 + n * 40 };
    (level(cube / 36), level(cube / 6 % 6), level(cube % 6))
}

/// The colour keywords of CSS Color Module Level 4, with `gray` for both spellings.
const NAMES: &str = "\
    aliceblue=f0f8ff antiquewhite=faebd7 aqua=00ffff aquamarine=7fffd4 azure=f0ffff \
    beige=f5f5dc bisque=ffe4c4 black=000000 blanchedalmond=ffebcd blue=0000ff \
    blueviolet=8a2be2 brown=a52a2a burlywood=deb887 cadetblue=5f9ea0 chartreuse=7fff00 \
    chocolate=d2691e coral=ff7f50 cornflowerblue=6495ed cornsilk=fff8dc crimson=dc143c \
    cyan=00ffff darkblue=00008b darkcyan=008b8b darkgoldenrod=b8860b darkgray=a9a9a9 \
    darkgreen=006400 darkkhaki=bdb76b darkmagenta=8b008b darkolivegreen=556b2f \
    darkorange=ff8c00 darkorchid=9932cc darkred=8b0000 darksalmon=e9967a darkseagreen=8fbc8f \
    darkslateblue=483d8b darkslategray=2f4f4f darkturquoise=00ced1 darkviolet=9400d3 \
    deeppink=ff1493 deepskyblue=00bfff dimgray=696969 dodgerblue=1e90ff firebrick=b22222 \
    floralwhite=fffaf0 forestgreen=228b22 fuchsia=ff00ff gainsboro=dcdcdc ghostwhite=f8f8ff \
    gold=ffd700 goldenrod=daa520 gray=808080 green=008000 greenyellow=adff2f honeydew=f0fff0 \
    hotpink=ff69b4 indianred=cd5c5c indigo=4b0082 ivory=fffff0 khaki=f0e68c lavender=e6e6fa \
    lavenderblush=fff0f5 lawngreen=7cfc00 lemonchiffon=fffacd lightblue=add8e6 \
    lightcoral=f08080 lightcyan=e0ffff lightgoldenrodyellow=fafad2 lightgray=d3d3d3 \
    lightgreen=90ee90 lightpink=ffb6c1 lightsalmon=ffa07a lightseagreen=20b2aa \
    lightskyblue=87cefa lightslategray=778899 lightsteelblue=b0c4de lightyellow=ffffe0 \
    lime=00ff00 limegreen=32cd32 linen=faf0e6 magenta=ff00ff maroon=800000 \
    mediumaquamarine=66cdaa mediumblue=0000cd mediumorchid=ba55d3 mediumpurple=9370db \
    mediumseagreen=3cb371 mediumslateblue=7b68ee mediumspringgreen=00fa9a \
    mediumturquoise=48d1cc mediumvioletred=c71585 midnightblue=191970 mintcream=f5fffa \
    mistyrose=ffe4e1 moccasin=ffe4b5 navajowhite=ffdead navy=000080 oldlace=fdf5e6 \
    olive=808000 olivedrab=6b8e23 orange=ffa500 orangered=ff4500 orchid=da70d6 \
    palegoldenrod=eee8aa palegreen=98fb98 paleturquoise=afeeee palevioletred=db7093 \
    papayawhip=ffefd5 peachpuff=ffdab9 peru=cd853f pink=ffc0cb plum=dda0dd powderblue=b0e0e6 \
    purple=800080 rebeccapurple=663399 red=ff0000 rosybrown=bc8f8f royalblue=4169e1 \
    saddlebrown=8b4513 salmon=fa8072 sandybrown=f4a460 seagreen=2e8b57 seashell=fff5ee \
    sienna=a0522d silver=c0c0c0 skyblue=87ceeb slateblue=6a5acd slategray=708090 snow=fffafa \
    springgreen=00ff7f steelblue=4682b4 tan=d2b48c teal=008080 thistle=d8bfd8 tomato=ff6347 \
    turquoise=40e0d0 violet=ee82ee wheat=f5deb3 white=ffffff whitesmoke=f5f5f5 yellow=ffff00 \
    yellowgreen=9acd32";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_colour_is_read() {
        assert_eq!(parse("Tomato"), Some(Color::Rgb(255, 99, 71)));
        assert_eq!(parse("SlateGrey"), Some(Color::Rgb(0x70, 0x80, 0x90)));
        assert_eq!(parse("#56c8c0"), Some(Color::Rgb(0x56, 0xc8, 0xc0)));
        assert_eq!(parse("#fa0"), Some(Color::Rgb(0xff, 0xaa, 0)));
        assert_eq!(parse("default"), Some(Color::Reset));
        assert_eq!(parse("204"), Some(Color::Indexed(204)));
        assert_eq!(parse("256"), None);
        assert_eq!(parse("#12345"), None);
        assert_eq!(parse("reddish"), None);
    }

    #[test]
    fn palette_indices_have_the_colours_of_xterm() {
        assert_eq!(to_rgb(Color::Indexed(16)), Some((0, 0, 0)));
        assert_eq!(to_rgb(Color::Indexed(196)), Some((255, 0, 0)));
        assert_eq!(to_rgb(Color::Indexed(255)), Some((238, 238, 238)));
        assert_eq!(to_rgb(Color::Reset), None);
    }
}
