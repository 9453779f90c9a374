//! Statements cut into tokens: just enough to tell what they do to a session.

/// A piece of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    /// As written, quotes and all.
    pub(crate) text: &'a [u8],
    /// Where it starts in the statement's text.
    pub(crate) start: usize,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword, a name or a number.
    Word,
    /// A name in backticks.
    Name,
    /// A string.
    String,
    /// `@name`.
    UserVariable,
    /// `@@name` or `@@session.name`.
    SystemVariable,
    /// `:=`.
    Assignment,
    /// Any other sign.
    Sign(u8),
    /// A comment that MySQL or MariaDB executes.
    ExecutableComment,
}

impl Token<'_> {
    pub(crate) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word.as_bytes())
    }

    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// Cuts a text into tokens. Comments that are only comments are left out.
pub(crate) fn tokens(text: &[u8]) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let rest = &text[start..];
        let (kind, length) = next(rest);
        if let Some(kind) = kind {
            tokens.push(Token {
                kind,
                text: &rest[..length],
                start,
            });
        }
        start += length;
    }
    tokens
}

/// What these bytes, which are not empty, begin with, and how long it is; nothing for what has no meaning.
fn next(text: &[u8]) -> (Option<Kind>, usize) {
    match text {
        [b'#', ..] => (None, line(text)),
        [b'-', b'-'] => (None, 2),
        [b'-', b'-', space, ..] if space.is_ascii_whitespace() || space.is_ascii_control() => {
            (None, line(text))
        }
        [b'/', b'*', b'!', ..] | [b'/', b'*', b'M', b'!', ..] => {
            (Some(Kind::ExecutableComment), comment(text))
        }
        [b'/', b'*', ..] => (None, comment(text)),
        [b'\'' | b'"', ..] => (Some(Kind::String), quoted(text)),
        [b'`', ..] => (Some(Kind::Name), quoted(text)),
        [b'@', b'@', name @ ..] => (Some(Kind::SystemVariable), 2 + word(name, b".`")),
        [b'@', b'\'' | b'"' | b'`', ..] => (Some(Kind::UserVariable), 1 + quoted(&text[1..])),
        [b'@', name @ ..] => (Some(Kind::UserVariable), 1 + word(name, b".")),
        [b':', b'=', ..] => (Some(Kind::Assignment), 2),
        [space, ..] if space.is_ascii_whitespace() => (None, 1),
        [sign, ..] => match word(text, b"") {
            0 => (Some(Kind::Sign(*sign)), 1),
            length => (Some(Kind::Word), length),
        },
        [] => (None, 0),
    }
}

fn line(text: &[u8]) -> usize {
    let end = text.iter().position(|&byte| byte == b'\n');
    end.unwrap_or(text.len())
}

fn comment(text: &[u8]) -> usize {
    let end = text.windows(2).skip(2).position(|pair| pair == b"*/");
    end.map_or(text.len(), |inside| inside + 4)
}

/// Up to the quote that closes the first one: quotes are doubled, or escaped except between backticks.
fn quoted(text: &[u8]) -> usize {
    let quote = text[0];
    let mut at = 1;
    while at < text.len() {
        if text[at] == b'\\' && quote != b'`' {
            at += 2;
        } else if text[at] != quote {
            at += 1;
        } else if text.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return at + 1;
        }
    }
    text.len()
}

fn word(text: &[u8], also: &[u8]) -> usize {
    let is_part = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..) || also.contains(byte)
    };
    let end = text.iter().position(|byte| !is_part(byte));
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str) -> Vec<(Kind, &str)> {
        tokens(text.as_bytes())
            .into_iter()
            .map(|token| (token.kind, std::str::from_utf8(token.text).unwrap()))
            .collect()
    }

    #[test]
    fn a_statement_is_cut_where_mysql_cuts_it() {
        use Kind::*;
        assert_eq!(
            cut("SELECT`a``b`,'it''s \\' ;'/* ; */FROM t-- ; \n;#x"),
            [
                (Word, "SELECT"),
                (Name, "`a``b`"),
                (Sign(b','), ","),
                (String, "'it''s \\' ;'"),
                (Word, "FROM"),
                (Word, "t"),
                (Sign(b';'), ";"),
            ]
        );
        assert_eq!(
            cut("@a:=@@session.x /*!40101 SET */ 1--2 @'b c' größe"),
            [
                (UserVariable, "@a"),
                (Assignment, ":="),
                (SystemVariable, "@@session.x"),
                (ExecutableComment, "/*!40101 SET */"),
                (Word, "1"),
                (Sign(b'-'), "-"),
                (Sign(b'-'), "-"),
                (Word, "2"),
                (UserVariable, "@'b c'"),
                (Word, "größe"),
            ]
        );
        assert_eq!(cut("/*/ ;"), []);
        assert_eq!(cut("'open"), [(String, "'open")]);
        assert_eq!(cut("'open\\"), [(String, "'open\\")]);
    }

    proptest! {
        #[test]
        fn any_text_is_cut_without_gaps_but_comments_and_spaces(text: Vec<u8>) {
            let mut end = 0;
            for token in tokens(&text) {
                prop_assert!(token.start >= end);
                end = token.end();
                prop_assert_eq!(token.text, &text[token.start..end]);
            }
            prop_assert!(end <= text.len());
        }
    }
}
