-- Call transcriptions, about 250 bytes each, with the ids 1 to the number of rows without a gap.
CREATE TABLE IF NOT EXISTS transcriptions (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  call_id CHAR(36) CHARACTER SET ascii NOT NULL, -- a UUID
  agent VARCHAR(64) NOT NULL,
  language VARCHAR(35) CHARACTER SET ascii NOT NULL, -- a BCP 47 tag
  started_at DATETIME(3) NOT NULL, -- UTC
  duration DECIMAL(8, 3) NOT NULL, -- seconds
  confidence DECIMAL(5, 4) NOT NULL, -- 0 to 1
  text TEXT NOT NULL,
  summary VARCHAR(255) NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
