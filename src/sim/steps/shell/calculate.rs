//! Whole numbers as `$((…))` and `expr` calculate with them.

/// Returns what a calculation comes to; what cannot be read counts as 0.
pub(super) fn calculate(text: &str, names: &dyn Fn(&str) -> String) -> i64 {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let two = ["==", "!=", "<=", ">=", "&&", "||", "**"];
        if let Some(mark) = two.iter().find(|mark| rest.starts_with(**mark)) {
            tokens.push((*mark).to_owned());
            rest = rest.strip_prefix(mark).unwrap_or_default().trim_start();
            continue;
        }
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        if first != '"' && first != '$' {
            tokens.push(token.to_owned());
        }
        rest = after.trim_start();
    }
    let mut reader = Reader {
        tokens,
        at: 0,
        depth: 0,
        names,
    };
    reader.level(0)
}

const LEVELS: [&[&str]; 6] = [
    &["||"],
    &["&&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["+", "-"],
    &["*", "/", "%"],
];

struct Reader<'n> {
    tokens: Vec<String>,
    at: usize,
    depth: usize,
    names: &'n dyn Fn(&str) -> String,
}

impl Reader<'_> {
    fn level(&mut self, level: usize) -> i64 {
        let Some(marks) = LEVELS.get(level) else {
            return self.operand();
        };
        let mut left = self.level(level + 1);
        while let Some(mark) = self.tokens.get(self.at).cloned() {
            if !marks.contains(&mark.as_str()) {
                break;
            }
            self.at += 1;
            let right = self.level(level + 1);
            left = combine(&mark, left, right);
        }
        left
    }

    fn operand(&mut self) -> i64 {
        let Some(token) = self.tokens.get(self.at).cloned() else {
            return 0;
        };
        self.at += 1;
        self.depth += 1;
        if self.depth > 200 {
            return 0;
        }
        match token.as_str() {
            "-" => self.operand().wrapping_neg(),
            "+" => self.operand(),
            "!" => i64::from(self.operand() == 0),
            "(" => {
                let inner = self.level(0);
                self.at += 1;
                inner
            }
            text => text
                .parse()
                .unwrap_or_else(|_name| (self.names)(text).trim().parse().unwrap_or(0)),
        }
    }
}

fn combine(mark: &str, left: i64, right: i64) -> i64 {
    match mark {
        "+" => left.wrapping_add(right),
        "-" => left.wrapping_sub(right),
        "*" => left.wrapping_mul(right),
        "/" => left.checked_div(right).unwrap_or(0),
        "%" => left.checked_rem(right).unwrap_or(0),
        "==" => i64::from(left == right),
        "!=" => i64::from(left != right),
        "<" => i64::from(left < right),
        ">" => i64::from(left > right),
        "<=" => i64::from(left <= right),
        ">=" => i64::from(left >= right),
        "&&" => i64::from(left != 0 && right != 0),
        _ => i64::from(left != 0 || right != 0),
    }
}
