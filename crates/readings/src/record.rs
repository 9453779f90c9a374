//! What callers get, and its JSON: the published shapes.

use rds_connection::Question;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    CustomerId, Key,
    repository::{CustomerOf, ReadingsOf},
};

/// A customer: `{"Id":1,"Surname":"Keller","Givenname":"Anna"}`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Customer {
    /// From 1.
    pub id: CustomerId,
    /// The family name.
    pub surname: String,
    /// The given name.
    pub givenname: String,
}

/// A reading: `{"MeasureID":1,"MeasureDate":"2020-01-31","MeasureValue":1234}`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Its own id, one for each reading of any customer.
    #[serde(rename = "MeasureID")]
    pub id: u32,
    /// The day, as RFC 3339 has it.
    #[serde(rename = "MeasureDate")]
    pub date: String,
    /// What the meter showed.
    #[serde(rename = "MeasureValue")]
    pub value: u32,
}

/// A customer's readings by their ids, none of them for a customer without: `{"Measures":[…]}`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Readings {
    /// By their ids.
    pub measures: Vec<Reading>,
}

/// What there is of a customer: a row or some in the database, JSON in the cache and for callers.
pub(crate) trait Record: Serialize + DeserializeOwned + Send + 'static {
    /// What the database is asked for it.
    type Question: Question<Answer = Option<Self>> + Send;

    fn question(id: CustomerId) -> Self::Question;
    fn key(id: CustomerId) -> Key;
    /// Whether it may be this customer's, as far as it says.
    fn may_be_of(&self, id: CustomerId) -> bool;
}

impl Record for Customer {
    type Question = CustomerOf;

    fn question(id: CustomerId) -> CustomerOf {
        CustomerOf(id)
    }

    fn key(id: CustomerId) -> Key {
        Key::Customer(id)
    }

    fn may_be_of(&self, id: CustomerId) -> bool {
        self.id == id
    }
}

impl Record for Readings {
    type Question = ReadingsOf;

    fn question(id: CustomerId) -> ReadingsOf {
        ReadingsOf(id)
    }

    fn key(id: CustomerId) -> Key {
        Key::Readings(id)
    }

    fn may_be_of(&self, _: CustomerId) -> bool {
        true
    }
}
