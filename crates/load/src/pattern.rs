//! Text in which a number is new each time: `/customerdata/{1..4499}`.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    str::FromStr,
};

/// Text with placeholders: `{A..B}` is a whole number from A to B, each as likely as any other, and new each time the text
/// is written.
///
/// Any other brace is text, so JSON is written as it is: `{"customer": {1..4499}}`. `\{1..4499}` is the text `{1..4499}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Number { from: u64, to: u64 },
}

/// A placeholder that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{placeholder}' is no placeholder: {reason}")]
pub struct NotPattern {
    /// As far as it goes.
    pub placeholder: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Pattern {
    /// Text without placeholders, whatever is in it.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        let mut pattern = Self::default();
        pattern.push_text(&text.into());
        pattern
    }

    /// Whether it is the same each time.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// It with new numbers.
    #[must_use]
    pub fn rendered(&self) -> Cow<'_, str> {
        match &self.parts[..] {
            [] => Cow::Borrowed(""),
            [Part::Text(text)] => Cow::Borrowed(text),
            parts => {
                let mut rendered = String::new();
                for part in parts {
                    match part {
                        Part::Text(text) => rendered.push_str(text),
                        Part::Number { from, to } => {
                            // A string takes everything.
                            let _ = write!(rendered, "{}", fastrand::u64(from..=to));
                        }
                    }
                }
                Cow::Owned(rendered)
            }
        }
    }

    /// Adds text without placeholders to its end.
    pub(crate) fn push_text(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Text(last)) => last.push_str(text),
            _ if text.is_empty() => {}
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }
}

impl FromStr for Pattern {
    type Err = NotPattern;

    fn from_str(text: &str) -> Result<Self, NotPattern> {
        let mut pattern = Self::default();
        let mut rest = text;
        while let Some(at) = next_placeholder(rest) {
            let (before, placeholder) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('\\') {
                pattern.push_text(before);
                pattern.push_text("{");
                rest = &placeholder[1..];
                continue;
            }
            pattern.push_text(before);
            let end = placeholder.find('}').ok_or_else(|| NotPattern {
                placeholder: placeholder.chars().take(20).collect(),
                reason: "it has no }",
            })?;
            pattern.parts.push(range(&placeholder[..=end])?);
            rest = &placeholder[end + 1..];
        }
        pattern.push_text(rest);
        Ok(pattern)
    }
}

/// Where a brace is that is followed by letters and digits, if any, and two dots: three are JavaScript's.
fn next_placeholder(text: &str) -> Option<usize> {
    text.match_indices('{').map(|(at, _)| at).find(|at| {
        let rest = text[at + 1..]
            .trim_start_matches(|c: char| c.is_alphanumeric() || matches!(c, '-' | '+' | '_'));
        rest.starts_with("..") && !rest.starts_with("...")
    })
}

fn range(placeholder: &str) -> Result<Part, NotPattern> {
    let wrong = |reason| NotPattern {
        placeholder: placeholder.to_owned(),
        reason,
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    let (from, to) = placeholder
        .trim_matches(['{', '}'])
        .split_once("..")
        .and_then(|(from, to)| Some((number(from)?, number(to)?)))
        .ok_or_else(|| wrong("it has to be {A..B} with whole numbers, as {1..4499}"))?;
    if from > to {
        return Err(wrong("the first number is larger than the second"));
    }
    Ok(Part::Number { from, to })
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => out.write_str(text),
            Part::Number { from, to } => write!(out, "{{{from}..{to}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_placeholder_is_each_number_of_its_range_and_no_other() {
        let pattern = pattern("/a/{9..12}?b={7..7}");
        assert!(!pattern.is_constant());
        let texts: BTreeSet<_> = (0..1_000)
            .map(|_| pattern.rendered().into_owned())
            .collect();
        let all = ["/a/10?b=7", "/a/11?b=7", "/a/12?b=7", "/a/9?b=7"];
        assert_eq!(texts.iter().collect::<Vec<_>>(), all.each_ref());
        assert_eq!(pattern.to_string(), "/a/{9..12}?b={7..7}");
    }

    #[test]
    fn the_whole_range_of_numbers_can_be_asked_for() {
        let all = pattern("{0..18446744073709551615}");
        assert!(all.rendered().parse::<u64>().is_ok());
        let last = pattern("{18446744073709551615..18446744073709551615}");
        assert_eq!(last.rendered(), "18446744073709551615");
        assert_eq!(pattern("{0..0}").rendered(), "0");
    }

    #[test]
    fn any_other_brace_is_text() {
        for text in [
            "",
            "/hits",
            r#"{"a": {"b": "x..y"}, "c": []}"#,
            "{}",
            "}{",
            "f({...rest})",
            "{ 1..2 }",
            "é{é",
        ] {
            let pattern = pattern(text);
            assert!(pattern.is_constant(), "{text}");
            assert_eq!(pattern.rendered(), text);
        }
        assert_eq!(pattern(r#"{"a": {3..3}}"#).rendered(), r#"{"a": 3}"#);
    }

    #[test]
    fn a_placeholder_can_be_sent_as_text() {
        let pattern = pattern(r"a\{1..5}{2..2}\n");
        assert_eq!(pattern.rendered(), r"a{1..5}2\n");
    }

    #[test]
    fn a_placeholder_that_makes_no_sense_is_named() {
        let error = |text: &str| text.parse::<Pattern>().unwrap_err().to_string();
        assert_eq!(
            error("/a/{5..1}/b"),
            "'{5..1}' is no placeholder: the first number is larger than the second"
        );
        assert_eq!(error("/a/{1.."), "'{1..' is no placeholder: it has no }");
        for text in [
            "{a..b}",
            "{..5}",
            "{1..}",
            "{-1..5}",
            "{1..2..3}",
            "{1..18446744073709551616}",
            "{é..1}",
            "{1..1.5}",
            "{+1..2}",
        ] {
            assert_eq!(
                error(text),
                format!(
                    "'{text}' is no placeholder: it has to be {{A..B}} with whole numbers, as {{1..4499}}"
                )
            );
        }
    }
}
