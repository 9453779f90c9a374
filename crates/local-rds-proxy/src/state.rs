//! The state of a session that can be given to any database connection.

use mysql_common::constants::CapabilityFlags;

use crate::statement::{Change, Variable};

/// What a client's session must find on the database connection that it borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// What the client and the database agreed on. It decides what responses look like, to the byte.
    pub(crate) capabilities: CapabilityFlags,
    /// The number of the collation that the client asked for when it connected.
    pub(crate) collation: u8,
    pub(crate) database: Option<Vec<u8>>,
    /// In the order in which they were set.
    pub(crate) variables: Vec<Variable>,
}

impl State {
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Database(name) => self.database = Some(name.clone()),
            Change::DroppedDatabase(name) => {
                self.database.take_if(|database| database == name);
            }
            Change::Variable(variable) => {
                self.variables.retain(|other| other.name != variable.name);
                self.variables.push(variable.clone());
            }
        }
    }

    /// Whether a connection in this state can be given the other one: what was agreed on stays, and there is no way back
    /// to no database.
    pub(crate) fn can_become(&self, other: &Self) -> bool {
        self.capabilities == other.capabilities
            && self.collation == other.collation
            && (self.database.is_none() || other.database.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Change {
        Change::Variable(Variable {
            name: name.into(),
            statement: format!("SET SESSION {name}={value}").into(),
        })
    }

    fn state() -> State {
        State {
            capabilities: CapabilityFlags::CLIENT_PROTOCOL_41,
            collation: 45,
            database: None,
            variables: Vec::new(),
        }
    }

    #[test]
    fn of_each_variable_the_last_value_counts_and_in_the_order_of_the_last_values() {
        let mut state = state();
        for change in [set("names", "a"), set("sql_mode", "b"), set("names", "c")] {
            state.apply(&change);
        }
        let mut other = self::state();
        for change in [set("sql_mode", "b"), set("names", "c")] {
            other.apply(&change);
        }
        assert_eq!(state, other);
    }

    #[test]
    fn a_dropped_database_is_no_longer_in_use() {
        let mut state = state();
        state.apply(&Change::Database("calls".into()));
        state.apply(&Change::DroppedDatabase("other".into()));
        assert_eq!(state.database, Some("calls".into()));
        assert!(!state.can_become(&self::state()));
        assert!(self::state().can_become(&state));
        state.apply(&Change::DroppedDatabase("calls".into()));
        assert_eq!(state.database, None);
    }
}
