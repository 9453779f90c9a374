//! Customers, made up from their ids.

use fastrand::Rng;
use seed::{Table, literal};

/// Made-up customers.
pub(super) struct Customers;

const SURNAMES: [&str; 64] = [
    "Abbott", "Adeyemi", "Åkesson", "Almeida", "Andersen", "Baker", "Balogun", "Becker", "Bennett",
    "Bianchi", "Brandt", "Campbell", "Castro", "Chaudhry", "Çelik", "Conti", "D'Angelo", "Dubois",
    "Eriksen", "Farkas", "Ferreira", "Fischer", "Fontaine", "García", "Grant", "Haddad", "Hansen",
    "Hofmann", "Horváth", "Ivanova", "Jansen", "Kaya", "Keller", "Kim", "Kowalska", "Krüger",
    "Lambert", "Larsson", "Lefèvre", "Lund", "Marino", "Mbeki", "Mensah", "Moreau", "Müller",
    "Nakamura", "Nguyễn", "Novák", "O'Neill", "Okafor", "Øster", "Papadaki", "Patel", "Quinn",
    "Rossi", "Santos", "Schäfer", "Silva", "Szabó", "Tanaka", "de Boer", "Walker", "Weiß", "Żak",
];

const GIVEN_NAMES: [&str; 64] = [
    "Ada", "Ahmed", "Aiko", "Amara", "Anaïs", "André", "Anna", "Asha", "Bence", "Björn", "Carla",
    "Chidi", "Chloé", "Clara", "Daan", "Diego", "Ebba", "Elif", "Emre", "Enzo", "Eva", "Femi",
    "Finn", "Fanny", "Greta", "Hana", "Hugo", "Ines", "Ivo", "Jana", "Joost", "José", "Juno",
    "Karim", "Kofi", "Lars", "Leïla", "Liv", "Łucja", "Malik", "Marta", "Mei", "Milo", "Nadia",
    "Noah", "Nora", "Olga", "Oskar", "Paula", "Priya", "Rafael", "Renée", "Rosa", "Samir", "Sara",
    "Søren", "Tariq", "Thea", "Tomás", "Uma", "Viktor", "Wanda", "Yara", "Zoë",
];

impl Table for Customers {
    const NAME: &'static str = "Customers";
    const COLUMNS: &'static str = "Customers_ID, Surname, Givenname";

    fn write_values(&self, sql: &mut String, id: u64) {
        let mut random = Rng::with_seed(id);
        sql.push_str(&format!("({id},"));
        literal(sql, SURNAMES[random.usize(..SURNAMES.len())]);
        sql.push(',');
        literal(sql, GIVEN_NAMES[random.usize(..GIVEN_NAMES.len())]);
        sql.push(')');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_many_kinds_and_fit_their_columns() {
        let mut all = String::new();
        (1..=5_000).for_each(|id| Customers.write_values(&mut all, id));
        for part in ["'O''Neill'", "'Nguyễn'", "'de Boer'", "'Żak'", "'Zoë'"] {
            assert!(all.contains(part), "{part}");
        }
        assert!(
            SURNAMES
                .iter()
                .chain(&GIVEN_NAMES)
                .all(|name| name.chars().count() <= 64)
        );
    }
}
