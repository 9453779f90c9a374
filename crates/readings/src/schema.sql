-- Customers and the readings of their meters, with the published study's names. Ids begin at 1.
CREATE TABLE IF NOT EXISTS Customers (
  Customers_ID INT UNSIGNED NOT NULL PRIMARY KEY,
  Surname VARCHAR(64) NOT NULL,
  Givenname VARCHAR(64) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE IF NOT EXISTS Readings (
  Measure_ID INT UNSIGNED NOT NULL PRIMARY KEY,
  Customers_ID_FK INT UNSIGNED NOT NULL,
  Measure_Date DATE NOT NULL,
  Value INT UNSIGNED NOT NULL, -- what the meter showed
  INDEX (Customers_ID_FK),
  FOREIGN KEY (Customers_ID_FK) REFERENCES Customers (Customers_ID)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
