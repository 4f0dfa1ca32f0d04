//! The tokens of a query and where they start, for finding mistakes.

/// The kinds of tokens, as far as they matter for what may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Number,
    Duration,
    Text,
    Operator,
    Comma,
    Colon,
    At,
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    OpenBrace,
    CloseBrace,
}

/// A token and the byte at which it starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
    pub(super) start: usize,
}

impl Token<'_> {
    /// Returns whether this is the keyword; keywords know no case.
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }
}

/// Splits a query; an error is a place and what is wrong there.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, (usize, String)> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut in_braces = false;
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else {
            break;
        };
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        if first == '#' {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        let (kind, length) = token(rest, first, in_braces).map_err(|message| (at, message))?;
        if matches!(kind, Kind::OpenBrace | Kind::CloseBrace) {
            in_braces = kind == Kind::OpenBrace;
        }
        found.push(Token {
            kind,
            text: rest.get(..length).unwrap_or_default(),
            start: at,
        });
        at += length;
    }
    Ok(found)
}

fn token(rest: &str, first: char, in_braces: bool) -> Result<(Kind, usize), String> {
    let single = match first {
        '(' => Some(Kind::Open),
        ')' => Some(Kind::Close),
        '[' => Some(Kind::OpenBracket),
        ']' => Some(Kind::CloseBracket),
        '{' => Some(Kind::OpenBrace),
        '}' => Some(Kind::CloseBrace),
        ',' => Some(Kind::Comma),
        '@' => Some(Kind::At),
        _ => None,
    };
    if let Some(kind) = single {
        return Ok((kind, 1));
    }
    match first {
        '"' | '\'' | '`' => quoted(rest, first),
        '0'..='9' | '.' => Ok(number(rest)),
        letter if letter.is_ascii_alphabetic() || letter == '_' => Ok((Kind::Word, word(rest))),
        ':' if !in_braces && rest.chars().nth(1).is_some_and(|c| c.is_ascii_alphabetic()) => {
            // Inside brackets a colon separates; a metric's name can begin with one elsewhere.
            Ok((Kind::Colon, 1))
        }
        ':' => Ok((Kind::Colon, 1)),
        '+' | '-' | '*' | '/' | '%' | '^' => Ok((Kind::Operator, 1)),
        '=' | '!' | '<' | '>' => comparison(rest, first, in_braces),
        other => Err(format!("unexpected character: '{other}'")),
    }
}

fn comparison(rest: &str, first: char, in_braces: bool) -> Result<(Kind, usize), String> {
    let second = rest.chars().nth(1);
    match (first, second) {
        ('=' | '!' | '<' | '>', Some('=')) | ('=' | '!', Some('~')) => Ok((Kind::Operator, 2)),
        ('<' | '>', _) => Ok((Kind::Operator, 1)),
        ('=', _) if in_braces => Ok((Kind::Operator, 1)),
        ('=', Some(other)) => Err(format!("unexpected character after '=': '{other}'")),
        (_, Some(other)) => Err(format!("unexpected character after '!': '{other}'")),
        (_, None) => Err(format!("unexpected character: '{first}'")),
    }
}

fn quoted(rest: &str, quote: char) -> Result<(Kind, usize), String> {
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if quote != '`' && letters.next().is_none() => break,
            '\\' if quote != '`' => {}
            '\n' if quote != '`' => break,
            end if end == quote => return Ok((Kind::Text, at + 1)),
            _ => {}
        }
    }
    Err(if quote == '`' {
        "unterminated raw string".to_owned()
    } else {
        "unterminated quoted string".to_owned()
    })
}

fn number(rest: &str) -> (Kind, usize) {
    let mut length = 0;
    let mut before = ' ';
    let hex = rest.starts_with("0x") || rest.starts_with("0X");
    for letter in rest.chars() {
        let part_of_exponent = !hex && matches!(before, 'e' | 'E') && matches!(letter, '+' | '-');
        if !(letter.is_ascii_alphanumeric() || letter == '.' || letter == '_' || part_of_exponent) {
            break;
        }
        before = letter;
        length += 1;
    }
    let text = rest.get(..length).unwrap_or_default();
    let unit = |c: char| matches!(c, 'y' | 'w' | 'd' | 'h' | 'm' | 's');
    let kind = if !hex && text.contains(unit) {
        Kind::Duration
    } else {
        Kind::Number
    };
    (kind, length)
}

fn word(rest: &str) -> usize {
    rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .unwrap_or(rest.len())
}
