//! Customers and readings in the database: the statements, and how their rows are read.

use mysql_async::{FromValueError, Row, prelude::FromValue};
use rds_connection::{Error, Question};

use crate::{Customer, CustomerId, Reading, Readings};

const CUSTOMERS: &str = "SELECT Customers_ID, Surname, Givenname FROM Customers";
/// From the customers, so that one without readings is told from one that does not exist.
const READINGS: &str = "SELECT Customers_ID, Measure_ID, Measure_Date, Value \
    FROM Customers LEFT JOIN Readings ON Customers_ID_FK = Customers_ID";

/// Asks for a customer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CustomerOf(pub(crate) CustomerId);

impl Question for CustomerOf {
    type Answer = Option<Customer>;

    fn statement(&self) -> String {
        format!("{CUSTOMERS} WHERE Customers_ID = {}", self.0)
    }

    fn answer(&self, rows: Vec<Row>) -> Result<Option<Customer>, Error> {
        rows.into_iter().next().map(customer).transpose()
    }
}

/// Asks for a customer's readings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadingsOf(pub(crate) CustomerId);

impl Question for ReadingsOf {
    type Answer = Option<Readings>;

    fn statement(&self) -> String {
        format!("{READINGS} WHERE Customers_ID = {}", self.0)
    }

    fn answer(&self, rows: Vec<Row>) -> Result<Option<Readings>, Error> {
        if rows.is_empty() {
            return Ok(None);
        }
        let mut measures = Vec::with_capacity(rows.len());
        for row in rows {
            let (_, reading) = reading(row)?;
            measures.extend(reading);
        }
        Ok(Some(in_order(measures)))
    }
}

/// The statement for all customers, by their ids.
pub(crate) fn all_customers() -> String {
    format!("{CUSTOMERS} ORDER BY Customers_ID")
}

/// The statement for all readings, by the customers' ids: in the order of a key, which the server need not sort.
pub(crate) fn all_readings() -> String {
    format!("{READINGS} ORDER BY Customers_ID")
}

/// A row of [`all_customers`].
pub(crate) fn customer(mut row: Row) -> Result<Customer, Error> {
    Ok(Customer {
        id: id(&mut row)?,
        surname: take(&mut row, 1)?,
        givenname: take(&mut row, 2)?,
    })
}

/// A row of [`all_readings`]: a customer, and one of its readings if it has any.
pub(crate) fn reading(mut row: Row) -> Result<(CustomerId, Option<Reading>), Error> {
    let customer = id(&mut row)?;
    let Some(id) = take(&mut row, 1)? else {
        return Ok((customer, None));
    };
    let reading = Reading {
        id,
        date: take(&mut row, 2)?,
        value: take(&mut row, 3)?,
    };
    Ok((customer, Some(reading)))
}

/// A customer's readings, which the database may give in any order.
pub(crate) fn in_order(mut measures: Vec<Reading>) -> Readings {
    measures.sort_unstable_by_key(|reading| reading.id);
    Readings { measures }
}

fn id(row: &mut Row) -> Result<CustomerId, Error> {
    take::<u32>(row, 0)?.try_into().map_err(|_| Error::Row)
}

fn take<T: FromValue>(row: &mut Row, column: usize) -> Result<T, Error> {
    let value: Option<Result<T, FromValueError>> = row.take_opt(column);
    value.and_then(Result::ok).ok_or(Error::Row)
}

#[cfg(test)]
mod tests {
    use backends::mariadb::Options;
    use mysql_async::prelude::Queryable;
    use rds_connection::ask;

    use super::*;
    use crate::testing::{self, WITHOUT_READINGS};

    fn id(id: u32) -> CustomerId {
        id.try_into().unwrap()
    }

    #[tokio::test]
    async fn what_is_stored_is_read() {
        let database = testing::database(Options::default()).await.unwrap();
        let mut connection = database.settings().unwrap().connect().await.unwrap();
        let customer = ask(&mut connection, &CustomerOf(id(2))).await.unwrap();
        assert_eq!(
            serde_json::to_string(&customer).unwrap(),
            r#"{"Id":2,"Surname":"O'Neill \"x\"","Givenname":"山田 👩‍👩‍👧"}"#
        );
        let readings = ask(&mut connection, &ReadingsOf(id(1))).await.unwrap();
        assert_eq!(
            serde_json::to_string(&readings).unwrap(),
            r#"{"Measures":[{"MeasureID":1,"MeasureDate":"2020-01-31","MeasureValue":1234},{"MeasureID":7,"MeasureDate":"1999-12-31","MeasureValue":4294967295}]}"#
        );
        for unknown in [WITHOUT_READINGS + 1, u32::MAX] {
            let unknown = id(unknown);
            assert_eq!(
                ask(&mut connection, &CustomerOf(unknown)).await.unwrap(),
                None
            );
            assert_eq!(
                ask(&mut connection, &ReadingsOf(unknown)).await.unwrap(),
                None
            );
        }
        let without = ask(&mut connection, &ReadingsOf(id(WITHOUT_READINGS))).await;
        assert_eq!(without.unwrap(), Some(Readings { measures: vec![] }));
    }

    #[tokio::test]
    async fn all_come_in_the_order_of_their_customers_without_being_sorted() {
        let database = testing::database(Options::default()).await.unwrap();
        let mut connection = database.settings().unwrap().connect().await.unwrap();
        for statement in [all_customers(), all_readings()] {
            let explain = format!("EXPLAIN {statement}");
            let steps: Vec<Row> = connection.query(explain).await.unwrap();
            let steps = format!("{steps:?}").to_lowercase();
            assert!(!steps.contains("filesort"), "{steps}");
        }
        let rows: Vec<Row> = connection.query(all_readings()).await.unwrap();
        let customers: Vec<CustomerId> = rows
            .into_iter()
            .map(|row| reading(row).unwrap().0)
            .collect();
        assert!(customers.is_sorted());
    }

    #[tokio::test]
    async fn a_table_that_is_another_is_an_error_that_does_not_heal() {
        let database = testing::database(Options::default()).await.unwrap();
        let mut administration = database.administration().await.unwrap();
        for (statement, question) in [
            (
                "ALTER TABLE Customers MODIFY Surname VARCHAR(64) NULL",
                None,
            ),
            (
                "UPDATE Customers SET Surname = NULL",
                Some("the row is not"),
            ),
            ("DROP TABLE Readings", None),
            ("DROP TABLE Customers", Some("doesn't exist")),
        ] {
            administration
                .connection()
                .query_drop(statement)
                .await
                .unwrap();
            let Some(told) = question else { continue };
            let mut connection = database.settings().unwrap().connect().await.unwrap();
            let error = ask(&mut connection, &CustomerOf(id(1))).await.unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
            assert!(!error.is_transient(), "{error}");
        }
    }
}
