//! Which statements leave a session free to go on with another database connection.

/// What a statement of this kind begins with. All others change the session, or may.
const PLAIN: [&str; 10] = [
    "SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "REPLACE", "BEGIN", "START", "COMMIT",
    "ROLLBACK",
];

/// Functions that read or change what belongs to a session.
const OF_THE_SESSION: [&str; 7] = [
    "FOUND_ROWS",
    "GET_LOCK",
    "LAST_INSERT_ID",
    "RELEASE_ALL_LOCKS",
    "RELEASE_LOCK",
    "ROW_COUNT",
    "SQL_CALC_FOUND_ROWS",
];

/// A longer statement pins unseen ("Avoiding pinning an RDS Proxy" in the Amazon Aurora User Guide).
const LONGEST: usize = 16 * 1024;

/// Whether a statement pins its session: whatever is not a plain query, one that only its text has an effect on.
///
/// The text is not parsed: a variable's `@`, a second statement or a word of a session pins wherever it stands. One pin too
/// many costs a connection, one too few would show a session another's.
pub(crate) fn pins(statement: &[u8]) -> bool {
    if statement.len() > LONGEST {
        return true;
    }
    let text = String::from_utf8_lossy(statement).to_ascii_uppercase();
    let mut words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let first = text
        .trim_start()
        .split(|letter: char| !letter.is_alphanumeric())
        .next();
    let is_one = !text.trim_end().trim_end_matches(';').contains(';');
    !first.is_some_and(|first| PLAIN.contains(&first))
        || !is_one
        || text.contains('@')
        || text.contains("/*")
        || words.any(|word| OF_THE_SESSION.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_query_pins_nothing() {
        for statement in [
            "SELECT * FROM transcriptions WHERE id = 7",
            "  select 1;",
            "INSERT INTO t VALUES ('GET_LOCKS')",
            "START TRANSACTION READ ONLY",
            "COMMIT",
        ] {
            assert!(!pins(statement.as_bytes()), "{statement}");
        }
    }

    #[test]
    fn anything_else_pins() {
        for statement in [
            "",
            "SET NAMES latin1",
            "USE calls",
            "SELECT @a := 1",
            "SELECT @@time_zone",
            "SELECT 1; SELECT 2",
            "SELECT get_lock('a', 1)",
            "SELECT LAST_INSERT_ID()",
            "/*! SET @a = 1 */",
            "SELECT 1 /*! INTO @a */",
            "CREATE TEMPORARY TABLE t (id INT)",
            "LOCK TABLES t READ",
            "PREPARE s FROM 'SELECT 1'",
            "CALL p()",
        ] {
            assert!(pins(statement.as_bytes()), "{statement}");
        }
        let long = format!("SELECT '{}'", "x".repeat(LONGEST));
        assert!(pins(long.as_bytes()));
    }
}
