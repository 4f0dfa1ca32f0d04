//! Which token cannot follow the one before it.

use super::lexer::{Kind, Token};

/// Words that stand between two operands.
const BETWEEN: [&str; 4] = ["and", "or", "unless", "atan2"];
/// Words that follow an operator or an aggregation.
const MODIFIERS: [&str; 10] = [
    "bool",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "by",
    "without",
    "fill",
    "fill_left",
    "fill_right",
];

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Operand,
    Operator,
}

/// Returns the place and the description of the first token that is out of place.
pub(super) fn first_unexpected(tokens: &[Token<'_>], end: usize) -> Option<(usize, String)> {
    let mut next = Next::Operand;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.kind {
            Kind::OpenBrace => {
                if let Some(found) = in_braces(tokens, &mut at, end) {
                    return Some(found);
                }
                next = Next::Operator;
                continue;
            }
            Kind::OpenBracket => {
                at = closing(tokens, at, Kind::CloseBracket);
                next = Next::Operator;
            }
            Kind::Word | Kind::Number | Kind::Duration | Kind::Text | Kind::Operator => {
                next = match step(tokens, &mut at, next) {
                    Ok(next) => next,
                    Err(message) => return Some((token.start, message)),
                };
            }
            Kind::Open | Kind::Comma | Kind::At => next = Next::Operand,
            Kind::Close => {
                let empty = at.checked_sub(1).and_then(|at| tokens.get(at));
                let after_open = empty.is_some_and(|token| token.kind == Kind::Open);
                if next == Next::Operand && !after_open {
                    return Some((token.start, format!("unexpected {}", describe(token))));
                }
                next = Next::Operator;
            }
            Kind::Colon | Kind::CloseBracket | Kind::CloseBrace => {}
        }
        at += 1;
    }
    (next == Next::Operand).then(|| (end, "unexpected end of input".to_owned()))
}

/// Takes one word, literal or operator.
fn step(tokens: &[Token<'_>], at: &mut usize, next: Next) -> Result<Next, String> {
    let Some(token) = tokens.get(*at) else {
        return Ok(next);
    };
    let unexpected = || Err(format!("unexpected {}", describe(token)));
    if token.kind == Kind::Operator {
        let sign = matches!(token.text, "+" | "-");
        return if next == Next::Operator || sign {
            Ok(Next::Operand)
        } else {
            unexpected()
        };
    }
    if token.kind == Kind::Word && next == Next::Operator {
        if BETWEEN.iter().any(|word| token.is_word(word)) {
            return Ok(Next::Operand);
        }
        if token.is_word("offset") {
            return Ok(Next::Operand);
        }
    }
    if token.kind == Kind::Word && MODIFIERS.iter().any(|word| token.is_word(word)) {
        let listed = tokens
            .get(*at + 1)
            .is_some_and(|token| token.kind == Kind::Open);
        if listed {
            *at = closing(tokens, *at + 1, Kind::Close);
            return Ok(next);
        }
        if token.is_word("bool") || token.is_word("group_left") || token.is_word("group_right") {
            return Ok(next);
        }
        return Err(format!("unexpected {}, expected \"(\"", describe(token)));
    }
    if next == Next::Operator {
        return unexpected();
    }
    let calls = token.kind == Kind::Word
        && tokens
            .get(*at + 1)
            .is_some_and(|token| token.kind == Kind::Open);
    let grouped = token.kind == Kind::Word
        && tokens
            .get(*at + 1)
            .is_some_and(|token| token.is_word("by") || token.is_word("without"));
    Ok(if calls || grouped {
        Next::Operand
    } else {
        Next::Operator
    })
}

/// Walks over `{…}`; leaves `at` behind it.
fn in_braces(tokens: &[Token<'_>], at: &mut usize, end: usize) -> Option<(usize, String)> {
    *at += 1;
    loop {
        let label = tokens.get(*at)?;
        if label.kind == Kind::CloseBrace {
            *at += 1;
            return None;
        }
        if label.kind != Kind::Word && label.kind != Kind::Text {
            let message = format!(
                "unexpected {} in label matching, expected identifier or \"}}\"",
                describe(label)
            );
            return Some((label.start, message));
        }
        let sign = tokens.get(*at + 1);
        let only_name = label.kind == Kind::Text
            && sign.is_some_and(|token| matches!(token.kind, Kind::Comma | Kind::CloseBrace));
        if only_name {
            *at += 1;
        } else {
            if let Some(found) = wants(sign, end, Kind::Operator, "label matching operator") {
                return Some(found);
            }
            if let Some(found) = wants(tokens.get(*at + 2), end, Kind::Text, "string") {
                return Some(found);
            }
            *at += 3;
        }
        let after = tokens.get(*at)?;
        if after.kind == Kind::Comma {
            *at += 1;
        } else if after.kind != Kind::CloseBrace {
            let message = format!(
                "unexpected {} in label matching, expected \",\" or \"}}\"",
                describe(after)
            );
            return Some((after.start, message));
        }
    }
}

fn wants(token: Option<&Token<'_>>, end: usize, kind: Kind, name: &str) -> Option<(usize, String)> {
    match token {
        Some(token) if token.kind == kind => None,
        Some(token) => Some((
            token.start,
            format!(
                "unexpected {} in label matching, expected {name}",
                describe(token)
            ),
        )),
        None => Some((
            end,
            format!("unexpected end of input in label matching, expected {name}"),
        )),
    }
}

/// Returns the index of the bracket that closes the one at `from`, or the last token.
fn closing(tokens: &[Token<'_>], from: usize, kind: Kind) -> usize {
    let found = tokens
        .iter()
        .skip(from)
        .position(|token| token.kind == kind);
    found.map_or(tokens.len().saturating_sub(1), |found| from + found)
}

fn describe(token: &Token<'_>) -> String {
    match token.kind {
        Kind::Word => format!("identifier \"{}\"", token.text),
        Kind::Number => format!("number \"{}\"", token.text),
        Kind::Duration => format!("duration \"{}\"", token.text),
        Kind::Text => format!("string {}", token.text),
        Kind::Operator => format!("<op:{}>", token.text),
        Kind::Comma
        | Kind::Colon
        | Kind::At
        | Kind::Open
        | Kind::Close
        | Kind::OpenBracket
        | Kind::CloseBracket
        | Kind::OpenBrace
        | Kind::CloseBrace => format!("\"{}\"", token.text),
    }
}
