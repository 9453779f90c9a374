//! What a statement does to its session, as RDS Proxy sees it ("Avoiding pinning an RDS Proxy" in the Amazon Aurora User
//! Guide): nothing, a change that is tracked, or something that pins.

use std::fmt;

use crate::token::{Kind, Token, tokens};

/// A longer statement pins unseen.
const LONGEST_STATEMENT: usize = 16 * 1024;

/// The variables that are tracked, in the words of the guide; `NAMES` and `CHARACTER SET` are recognised by their grammar.
const TRACKED_VARIABLES: [&str; 22] = [
    "autocommit",
    "auto_increment_increment",
    "character_set_client",
    "character_set_connection",
    "character_set_database",
    "character_set_filesystem",
    "character_set_results",
    "character_set_server",
    "collation_connection",
    "collation_database",
    "collation_server",
    "interactive_timeout",
    "net_write_timeout",
    "query_cache_type",
    "session_track_schema",
    "sql_mode",
    "time_zone",
    "transaction_isolation",
    "tx_isolation",
    "transaction_read_only",
    "tx_read_only",
    "wait_timeout",
];

/// Those of them that set, without a scope, what the next transaction is, and only that.
const OF_THE_NEXT_TRANSACTION: [&str; 4] = [
    "transaction_isolation",
    "tx_isolation",
    "transaction_read_only",
    "tx_read_only",
];

/// Why a session was pinned to its database connection for as long as it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PinReason {
    /// A statement of more than 16 KB.
    LongStatement,
    /// A prepared statement, of the protocol or of SQL.
    PreparedStatement,
    /// Session settings that are not tracked were changed.
    SessionSettings,
    /// A user variable was set.
    UserVariable,
    /// A temporary table was made.
    TemporaryTable,
    /// Tables were locked.
    LockedTables,
    /// A named lock was taken.
    NamedLock,
    /// The rows of the statement before were asked for.
    RowCount,
    /// SQL in a comment, which is executed.
    ExecutableComment,
}

impl fmt::Display for PinReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::LongStatement => "statement of more than 16 KB",
            Self::PreparedStatement => "prepared statement",
            Self::SessionSettings => "session settings that are not tracked",
            Self::UserVariable => "user variable",
            Self::TemporaryTable => "temporary table",
            Self::LockedTables => "locked tables",
            Self::NamedLock => "named lock",
            Self::RowCount => "rows of the statement before",
            Self::ExecutableComment => "executable comment",
        })
    }
}

/// A change of a session that another database connection can be given as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Another database is in use.
    Database(Vec<u8>),
    /// A database is gone.
    DroppedDatabase(Vec<u8>),
    /// A variable was set.
    Variable(Variable),
}

/// A variable that was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Which one; lower case.
    pub(crate) name: Vec<u8>,
    /// The statement that sets it.
    pub(crate) statement: Vec<u8>,
}

/// What a text does, all its statements together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    pub(crate) pin: Option<PinReason>,
    /// Once it succeeded.
    pub(crate) changes: Vec<Change>,
}

impl Effects {
    pub(crate) fn pin(reason: PinReason) -> Self {
        Self {
            pin: Some(reason),
            changes: Vec::new(),
        }
    }
}

/// What this text does to the session that sends it.
pub(crate) fn effects(text: &[u8]) -> Effects {
    if text.len() > LONGEST_STATEMENT {
        return Effects::pin(PinReason::LongStatement);
    }
    let tokens = tokens(text);
    let mut effects = Effects::default();
    let mut statements = 0;
    for statement in tokens.split(|token| token.kind == Kind::Sign(b';')) {
        if statement.is_empty() {
            continue;
        }
        statements += 1;
        match changes(statement, text) {
            Ok(changes) => effects.changes.extend(changes),
            Err(reason) => return Effects::pin(reason),
        }
    }
    if statements > 1 && !effects.changes.is_empty() {
        // If one fails, nobody knows which changes were made before.
        return Effects::pin(PinReason::SessionSettings);
    }
    effects
}

fn changes(statement: &[Token<'_>], text: &[u8]) -> Result<Vec<Change>, PinReason> {
    if let Some(reason) = statement.windows(2).find_map(pair_that_pins) {
        return Err(reason);
    }
    let [first, rest @ ..] = statement else {
        return Ok(Vec::new());
    };
    let is_any = |token: &Token<'_>, words: &[&str]| words.iter().any(|word| token.is(word));
    match rest {
        _ if first.kind == Kind::ExecutableComment => Err(PinReason::ExecutableComment),
        _ if is_any(first, &["PREPARE", "EXECUTE", "DEALLOCATE"]) => {
            Err(PinReason::PreparedStatement)
        }
        _ if first.is("SET") => set(rest, text),
        [database] if first.is("USE") => Ok(vec![Change::Database(name(database))]),
        _ if first.is("USE") => Err(PinReason::SessionSettings),
        [what, .., database] if first.is("DROP") && is_any(what, &["DATABASE", "SCHEMA"]) => {
            Ok(vec![Change::DroppedDatabase(name(database))])
        }
        [tables, ..] if first.is("LOCK") && is_any(tables, &["TABLE", "TABLES"]) => {
            Err(PinReason::LockedTables)
        }
        _ if first.is("FLUSH") && rest.iter().any(|token| token.is("LOCK")) => {
            Err(PinReason::LockedTables)
        }
        [temporary, ..] if first.is("CREATE") && temporary.is("TEMPORARY") => {
            Err(PinReason::TemporaryTable)
        }
        [or, _replace, temporary, ..]
            if first.is("CREATE") && or.is("OR") && temporary.is("TEMPORARY") =>
        {
            Err(PinReason::TemporaryTable)
        }
        _ => Ok(Vec::new()),
    }
}

/// What pins wherever it is in a statement.
fn pair_that_pins(pair: &[Token<'_>]) -> Option<PinReason> {
    let [one, other] = pair else { return None };
    let is_call = other.kind == Kind::Sign(b'(');
    if one.kind == Kind::UserVariable && other.kind == Kind::Assignment
        || one.is("INTO") && other.kind == Kind::UserVariable
    {
        Some(PinReason::UserVariable)
    } else if is_call && one.is("GET_LOCK") {
        Some(PinReason::NamedLock)
    } else if is_call && (one.is("ROW_COUNT") || one.is("FOUND_ROWS"))
        || one.is("SQL_CALC_FOUND_ROWS")
    {
        Some(PinReason::RowCount)
    } else if other.kind == Kind::ExecutableComment {
        Some(PinReason::ExecutableComment)
    } else {
        None
    }
}

/// What follows `SET`.
fn set(tokens: &[Token<'_>], text: &[u8]) -> Result<Vec<Change>, PinReason> {
    if let [scope, transaction, ..] = tokens
        && is_session(scope)
        && transaction.is("TRANSACTION")
    {
        // Isolation level and access mode are set by words, and not always both: each wording is a variable of its own.
        let wording = written(tokens, text);
        return Ok(vec![variable(wording, b"SET ", wording)]);
    }
    tokens
        .split(|token| token.kind == Kind::Sign(b','))
        .map(|assignment| assign(assignment, text))
        .collect()
}

fn assign(assignment: &[Token<'_>], text: &[u8]) -> Result<Change, PinReason> {
    match assignment {
        [variable, ..] if variable.kind == Kind::UserVariable => Err(PinReason::UserVariable),
        [names, value] if names.is("NAMES") && is_literal(value) => {
            Ok(variable(b"names", b"SET ", written(assignment, text)))
        }
        [names, value, collate, collation]
            if names.is("NAMES")
                && is_literal(value)
                && collate.is("COLLATE")
                && is_literal(collation) =>
        {
            Ok(variable(b"names", b"SET ", written(assignment, text)))
        }
        [character, set, value]
            if (character.is("CHARACTER") || character.is("CHAR"))
                && set.is("SET")
                && is_literal(value) =>
        {
            Ok(variable(
                b"character set",
                b"SET ",
                written(assignment, text),
            ))
        }
        [charset, value] if charset.is("CHARSET") && is_literal(value) => Ok(variable(
            b"character set",
            b"SET ",
            written(assignment, text),
        )),
        [scope, rest @ ..] if is_session(scope) && !rest.is_empty() && !is_equals(&rest[0]) => {
            system_variable(Some(scope.text), rest, text)
        }
        [first, rest @ ..] if first.kind == Kind::SystemVariable => {
            let qualified = &first.text[2..];
            let (scope, name) = match qualified.iter().position(|&byte| byte == b'.') {
                Some(dot) => (Some(&qualified[..dot]), &qualified[dot + 1..]),
                None => (None, qualified),
            };
            let is_of_session = match scope {
                Some(scope) => is_session_word(scope),
                None => !is_one_of(name, &OF_THE_NEXT_TRANSACTION),
            };
            if !is_of_session {
                return Err(PinReason::SessionSettings);
            }
            value(scope, name, rest, text)
        }
        _ => system_variable(None, assignment, text),
    }
}

/// `name = value`.
fn system_variable(
    scope: Option<&[u8]>,
    tokens: &[Token<'_>],
    text: &[u8],
) -> Result<Change, PinReason> {
    match tokens {
        [name, rest @ ..] if matches!(name.kind, Kind::Word | Kind::Name) => {
            value(scope, &self::name(name), rest, text)
        }
        _ => Err(PinReason::SessionSettings),
    }
}

/// `= value`, where only a value that does not depend on anything can be given to another connection.
fn value(
    scope: Option<&[u8]>,
    name: &[u8],
    tokens: &[Token<'_>],
    text: &[u8],
) -> Result<Change, PinReason> {
    let (Some(equals), literal) = (tokens.first(), tokens.get(1..).unwrap_or_default()) else {
        return Err(PinReason::SessionSettings);
    };
    let is_literal = match literal {
        [value] => is_literal(value),
        [sign, value] => matches!(sign.kind, Kind::Sign(b'-' | b'+')) && is_literal(value),
        _ => false,
    };
    // "RDS Proxy does not pin connections when you use SET LOCAL", whatever is set: so that is tracked as well.
    let is_local = scope.is_some_and(|scope| scope.eq_ignore_ascii_case(b"LOCAL"));
    let is_tracked = is_local || is_one_of(name, &TRACKED_VARIABLES);
    if !is_equals(equals) || !is_literal || !is_tracked {
        return Err(PinReason::SessionSettings);
    }
    let mut assignment = name.to_ascii_lowercase();
    assignment.push(b'=');
    assignment.extend_from_slice(written(literal, text));
    Ok(variable(name, b"SET SESSION ", &assignment))
}

fn variable(name: &[u8], set: &[u8], assignment: &[u8]) -> Change {
    Change::Variable(Variable {
        name: name.to_ascii_lowercase(),
        statement: [set, assignment].concat(),
    })
}

/// The text from the first of these tokens to the last.
fn written<'a>(tokens: &[Token<'_>], text: &'a [u8]) -> &'a [u8] {
    match tokens {
        [first, .., last] => &text[first.start..last.end()],
        [only] => &text[only.start..only.end()],
        [] => b"",
    }
}

fn is_literal(token: &Token<'_>) -> bool {
    matches!(token.kind, Kind::Word | Kind::String)
}

fn is_equals(token: &Token<'_>) -> bool {
    matches!(token.kind, Kind::Assignment | Kind::Sign(b'='))
}

fn is_session(token: &Token<'_>) -> bool {
    token.kind == Kind::Word && is_session_word(token.text)
}

fn is_session_word(word: &[u8]) -> bool {
    is_one_of(word, &["SESSION", "LOCAL"])
}

fn is_one_of(name: &[u8], names: &[&str]) -> bool {
    names
        .iter()
        .any(|one| name.eq_ignore_ascii_case(one.as_bytes()))
}

/// A name without its quotes.
fn name(token: &Token<'_>) -> Vec<u8> {
    let quoted = token.kind != Kind::Word;
    if !quoted || token.text.len() < 2 {
        return token.text.to_owned();
    }
    let quote = token.text[0];
    let inner = &token.text[1..token.text.len() - 1];
    let mut name = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        name.push(byte);
        if byte == quote {
            bytes.next();
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(text: &str) -> Option<PinReason> {
        let effects = effects(text.as_bytes());
        assert!(
            effects.pin.is_none() || effects.changes.is_empty(),
            "{text}"
        );
        effects.pin
    }

    /// The changes of a text that does not pin: variables as the statements that set them.
    fn changed(text: &str) -> Vec<String> {
        let Effects { pin, changes } = effects(text.as_bytes());
        assert_eq!(pin, None, "{text}");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        changes
            .into_iter()
            .map(|change| match change {
                Change::Database(name) => format!("use {}", text(name)),
                Change::DroppedDatabase(name) => format!("dropped {}", text(name)),
                Change::Variable(variable) => text(variable.statement),
            })
            .collect()
    }

    #[test]
    fn statements_that_leave_nothing_behind_neither_pin_nor_change() {
        for text in [
            "",
            ";",
            "SELECT * FROM transcriptions WHERE id = 7",
            "select 'SET @a = 1; GET_LOCK(1)' -- CREATE TEMPORARY TABLE t",
            "INSERT INTO t VALUES (1); UPDATE t SET a = @b",
            "BEGIN",
            "COMMIT",
            "CREATE TABLE temporary_things (id INT)",
            "CALL procedure()",
            "SELECT get_lock FROM locks",
            "FLUSH STATUS",
            "/* a plain comment */ SELECT 1",
        ] {
            assert_eq!(changed(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn what_the_guide_lists_pins() {
        use PinReason::*;
        for (text, reason) in [
            ("PREPARE s FROM 'SELECT 1'", PreparedStatement),
            ("execute s", PreparedStatement),
            ("SET @a = 1", UserVariable),
            ("SELECT @a := 1", UserVariable),
            ("SELECT 1 INTO @a", UserVariable),
            ("SET foreign_key_checks = 0", SessionSettings),
            ("SET GLOBAL wait_timeout = 1", SessionSettings),
            ("SET @@global.wait_timeout = 1", SessionSettings),
            (
                "SET time_zone = '+00:00', foreign_key_checks = 0",
                SessionSettings,
            ),
            (
                "SET sql_mode = CONCAT(@@sql_mode, ',ANSI')",
                SessionSettings,
            ),
            ("SET sql_mode = @@sql_mode", SessionSettings),
            ("SET TRANSACTION READ ONLY", SessionSettings),
            (
                "SET @@transaction_isolation = 'SERIALIZABLE'",
                SessionSettings,
            ),
            (
                "SET STATEMENT max_statement_time=1 FOR SELECT 1",
                SessionSettings,
            ),
            ("SET NAMES utf8mb4; SELECT 1", SessionSettings),
            ("SET", SessionSettings),
            ("SET autocommit", SessionSettings),
            ("SET ,", SessionSettings),
            ("USE", SessionSettings),
            ("CREATE TEMPORARY TABLE t (id INT)", TemporaryTable),
            (
                "create or replace temporary table t (id int)",
                TemporaryTable,
            ),
            ("LOCK TABLES t READ", LockedTables),
            ("FLUSH TABLES WITH READ LOCK", LockedTables),
            ("SELECT 1, GET_LOCK ('a', 1)", NamedLock),
            ("SELECT FOUND_ROWS()", RowCount),
            ("SELECT SQL_CALC_FOUND_ROWS * FROM t", RowCount),
            ("/*!40101 SET NAMES utf8 */", ExecutableComment),
            ("SELECT /*M! 1, */ 2", ExecutableComment),
            (
                "SELECT 1; CREATE TEMPORARY TABLE t (id INT)",
                TemporaryTable,
            ),
        ] {
            assert_eq!(pin(text), Some(reason), "{text}");
        }
    }

    #[test]
    fn a_statement_of_more_than_16_kib_pins() {
        let mut text = format!("SELECT '{}'", "x".repeat(LONGEST_STATEMENT - 9));
        assert_eq!(pin(&text), None);
        text.push(' ');
        assert_eq!(pin(&text), Some(PinReason::LongStatement));
    }

    #[test]
    fn what_the_guide_says_is_tracked_can_be_repeated() {
        for (text, change) in [
            ("USE calls", "use calls"),
            ("use `odd``name`", "use odd`name"),
            ("DROP DATABASE IF EXISTS calls", "dropped calls"),
            ("SET NAMES utf8mb4", "SET NAMES utf8mb4"),
            (
                "set names 'utf8mb4' collate utf8mb4_bin;",
                "SET names 'utf8mb4' collate utf8mb4_bin",
            ),
            ("SET CHARACTER SET latin1", "SET CHARACTER SET latin1"),
            ("SET AUTOCOMMIT=0", "SET SESSION autocommit=0"),
            (
                "SET @@session.time_zone := '+02:00'",
                "SET SESSION time_zone='+02:00'",
            ),
            (
                "SET SESSION wait_timeout = 60",
                "SET SESSION wait_timeout=60",
            ),
            ("SET @@sql_mode = ''", "SET SESSION sql_mode=''"),
            (
                "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            ),
            (
                "SET tx_isolation = 'SERIALIZABLE'",
                "SET SESSION tx_isolation='SERIALIZABLE'",
            ),
            (
                "SET LOCAL max_statement_time = -1",
                "SET SESSION max_statement_time=-1",
            ),
        ] {
            assert_eq!(changed(text), [change], "{text}");
        }
        assert_eq!(
            changed("SET time_zone = '+00:00', NAMES utf8mb4"),
            ["SET SESSION time_zone='+00:00'", "SET NAMES utf8mb4"]
        );
    }
}
