//! The tables.

/// The statements that make the tables, each ended with a semicolon.
pub const SCHEMA: &str = include_str!("schema.sql");

/// The statements of [`SCHEMA`] one by one, for servers that take one at a time.
pub fn schema() -> impl Iterator<Item = &'static str> {
    let statements = SCHEMA.split(';').map(str::trim);
    statements.filter(|statement| !statement.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_statement_for_each_table() {
        let tables = schema().filter(|statement| statement.contains("CREATE TABLE IF NOT EXISTS"));
        assert_eq!((tables.count(), schema().count()), (2, 2));
    }
}
