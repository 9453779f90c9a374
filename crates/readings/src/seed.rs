//! Fills databases with customers and readings.
