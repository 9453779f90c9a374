//! Tables that can be filled.

/// A table whose rows are made up from their numbers.
pub trait Table: Sync {
    /// Its name.
    const NAME: &'static str;

    /// Its columns with commas and spaces between them. The first is the row's number, from 1.
    const COLUMNS: &'static str;

    /// Adds the row of this number as a list of SQL literals in parentheses, always the same.
    fn write_values(&self, sql: &mut String, number: u64);
}

/// One statement for the rows from `first` to `last`, or as many of them as it can have in `longest` bytes, and the last of
/// those. It is written as a whole or not at all.
pub fn insert<T: Table>(table: &T, first: u64, last: u64, longest: usize) -> (String, u64) {
    let mut sql = format!("INSERT INTO {} ({}) VALUES ", T::NAME, T::COLUMNS);
    for number in first..=last {
        let before = sql.len();
        if number > first {
            sql.push(',');
        }
        table.write_values(&mut sql, number);
        if number > first && sql.len() > longest {
            sql.truncate(before);
            return (sql, number - 1);
        }
    }
    (sql, last)
}

/// Adds a text as an SQL literal. It may have no backslash in it, which servers understand in different ways.
pub fn literal(sql: &mut String, text: &str) {
    sql.push('\'');
    sql.push_str(&text.replace('\'', "''"));
    sql.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Squares;

    impl Table for Squares {
        const NAME: &'static str = "squares";
        const COLUMNS: &'static str = "id, square";

        fn write_values(&self, sql: &mut String, number: u64) {
            sql.push_str(&format!("({number},{})", number * number));
        }
    }

    #[test]
    fn a_statement_has_as_many_rows_as_it_has_room_for() {
        let (all, last) = insert(&Squares, 1, 10, usize::MAX);
        assert_eq!(last, 10);
        assert!(all.starts_with("INSERT INTO squares (id, square) VALUES (1,1),(2,4),"));
        let (some, last) = insert(&Squares, 1, 10, all.len() - 1);
        assert_eq!(last, 9);
        assert!(some.ends_with(')') && all.starts_with(&some));
        // One row is the least: without it, there would be no end.
        assert_eq!(insert(&Squares, 5, 10, 0).1, 5);
    }

    #[test]
    fn a_text_can_not_get_out_of_its_quotes() {
        let mut sql = String::new();
        literal(&mut sql, "O'Neill");
        assert_eq!(sql, "'O''Neill'");
    }
}
