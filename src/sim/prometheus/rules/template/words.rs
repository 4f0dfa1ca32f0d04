//! The words of an action.

/// A word, or a pipeline in parentheses.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    Text(String),
    Number(f64),
    /// `$labels.app`, `.Value`
    Path(String),
    /// A function.
    Name(String),
    Group(Vec<Self>),
    Pipe,
}

/// Splits an action.
pub(super) fn split(text: &str) -> Result<Vec<Word>, String> {
    let mut rest = text.trim_start();
    let words = until_close(&mut rest, 0)?;
    if rest.is_empty() {
        Ok(words)
    } else {
        Err("unexpected right paren".to_owned())
    }
}

/// Reads words up to a closing parenthesis or the end; `rest` then starts there.
fn until_close(rest: &mut &str, depth: usize) -> Result<Vec<Word>, String> {
    if depth > 20 {
        return Err("nested too deep".to_owned());
    }
    let mut words = Vec::new();
    loop {
        *rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            return Ok(words);
        };
        match first {
            ')' => return Ok(words),
            '(' => {
                *rest = rest.get(1..).unwrap_or_default();
                words.push(Word::Group(until_close(rest, depth + 1)?));
                *rest = rest.strip_prefix(')').ok_or("unclosed left paren")?;
            }
            '|' => {
                words.push(Word::Pipe);
                *rest = rest.get(1..).unwrap_or_default();
            }
            '"' | '`' => words.push(Word::Text(quoted(rest, first)?)),
            _ => words.push(plain(rest)?),
        }
    }
}

fn quoted(rest: &mut &str, quote: char) -> Result<String, String> {
    let mut out = String::new();
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if quote == '"' => match letters.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, other)) => out.push(other),
                None => break,
            },
            end if end == quote => {
                *rest = rest.get(at + 1..).unwrap_or_default();
                return Ok(out);
            }
            other => out.push(other),
        }
    }
    Err("unterminated quoted string".to_owned())
}

fn plain(rest: &mut &str) -> Result<Word, String> {
    let end = rest
        .find(|c: char| c.is_whitespace() || matches!(c, '|' | '(' | ')' | '"' | '`'))
        .unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    *rest = after;
    if word.starts_with('$') || (word.starts_with('.') && !is_number(word)) {
        return Ok(Word::Path(word.to_owned()));
    }
    if is_number(word) {
        return word
            .parse()
            .map(Word::Number)
            .map_err(|error| format!("bad number syntax: {word}: {error}"));
    }
    Ok(Word::Name(word.to_owned()))
}

fn is_number(word: &str) -> bool {
    word.trim_start_matches(['-', '+', '.'])
        .starts_with(|c: char| c.is_ascii_digit())
}
