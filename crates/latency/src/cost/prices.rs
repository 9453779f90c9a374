//! What AWS asks for each thing, from a data file with the source and the date of every price.

use std::collections::BTreeMap;

use serde::Deserialize;

const EU_WEST_2: &str = include_str!("../../data/prices-eu-west-2.csv");

/// On-demand prices of one Region in US dollars, first tier, without the free tier.
#[derive(Clone, Debug)]
pub struct Prices(BTreeMap<String, Price>);

/// One price.
#[derive(Clone, Debug, Deserialize)]
pub struct Price {
    item: String,
    /// What is counted.
    pub unit: String,
    /// US dollars for one unit.
    pub usd: f64,
    /// Where the price was read.
    pub source: String,
    /// When the source was published, as year-month-day.
    pub date: String,
}

/// A price that can't be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data file is broken.
    #[error("the price list is broken: {0}")]
    Broken(#[from] csv::Error),
    /// The data file has no such price.
    #[error("the price list has no item '{0}'")]
    Missing(String),
}

impl Prices {
    /// The prices of Europe (London), where the published results were measured.
    ///
    /// # Errors
    /// The data file is broken.
    pub fn eu_west_2() -> Result<Self, Error> {
        let mut prices = BTreeMap::new();
        for price in csv::Reader::from_reader(EU_WEST_2.as_bytes()).deserialize() {
            let price: Price = price?;
            prices.insert(price.item.clone(), price);
        }
        Ok(Self(prices))
    }

    /// The price of an item.
    ///
    /// # Errors
    /// The data file has no such item.
    pub fn of(&self, item: &str) -> Result<&Price, Error> {
        self.0
            .get(item)
            .ok_or_else(|| Error::Missing(item.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_price_says_where_and_when_it_was_read() {
        let prices = Prices::eu_west_2().unwrap();
        assert!(!prices.0.is_empty());
        for price in prices.0.values() {
            assert!(price.usd >= 0.0, "{price:?}");
            assert!(price.source.starts_with("https://"), "{price:?}");
            let date: Vec<_> = price.date.split('-').map(str::len).collect();
            assert_eq!(date, [4, 2, 2], "{price:?}");
        }
    }

    #[test]
    fn an_item_without_a_price_is_an_error() {
        let error = Prices::eu_west_2().unwrap().of("quantum").unwrap_err();
        assert_eq!(error.to_string(), "the price list has no item 'quantum'");
    }
}
