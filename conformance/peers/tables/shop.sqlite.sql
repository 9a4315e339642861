-- A shop of 100,000 orders, the same on every engine.
CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    city TEXT NOT NULL
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    status TEXT NOT NULL,
    total_cents INTEGER NOT NULL,
    placed_on TEXT NOT NULL,
    note TEXT
);
CREATE TABLE lines (
    id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES orders (id),
    product TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    price_cents INTEGER NOT NULL
);
PRAGMA journal_mode = wal;
BEGIN;
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2000)
INSERT INTO customers
SELECT n, 'Customer ' || n, 'customer' || n || '@example.com', 'City ' || (n % 97) FROM numbers;
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)
INSERT INTO orders
SELECT n, n * 7919 % 2000 + 1, CASE n % 3 WHEN 0 THEN 'open' WHEN 1 THEN 'paid' ELSE 'shipped' END, 100 + n * 31 % 99900,
    '2026-0' || (n % 9 + 1) || '-1' || (n % 10), CASE n % 4 WHEN 0 THEN 'Leave it with the neighbour' END
FROM numbers;
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 300000)
INSERT INTO lines
SELECT n, (n - 1) / 3 + 1, 'Product ' || (n * 13 % 5000), n % 5 + 1, 100 + n * 17 % 9900 FROM numbers;
COMMIT;
CREATE INDEX orders_of_customer ON orders (customer_id);
CREATE INDEX lines_of_order ON lines (order_id);
ANALYZE;
PRAGMA wal_checkpoint = truncate;
