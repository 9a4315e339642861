-- A shop of 100,000 orders, the same on every engine.
CREATE TABLE customers (
    id BIGINT PRIMARY KEY,
    name VARCHAR(100) NOT NULL,
    email VARCHAR(100) NOT NULL,
    city VARCHAR(100) NOT NULL
);
CREATE TABLE orders (
    id BIGINT PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customers (id),
    status VARCHAR(20) NOT NULL,
    total_cents BIGINT NOT NULL,
    placed_on DATE NOT NULL,
    note VARCHAR(200)
);
CREATE TABLE `lines` (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    order_id BIGINT NOT NULL REFERENCES orders (id),
    product VARCHAR(100) NOT NULL,
    quantity BIGINT NOT NULL,
    price_cents BIGINT NOT NULL
);
INSERT INTO customers
SELECT seq, CONCAT('Customer ', seq), CONCAT('customer', seq, '@example.com'), CONCAT('City ', seq % 97)
FROM seq_1_to_2000;
INSERT INTO orders
SELECT seq, seq * 7919 % 2000 + 1, CASE seq % 3 WHEN 0 THEN 'open' WHEN 1 THEN 'paid' ELSE 'shipped' END,
    100 + seq * 31 % 99900, CONCAT('2026-0', seq % 9 + 1, '-1', seq % 10),
    CASE seq % 4 WHEN 0 THEN 'Leave it with the neighbour' END
FROM seq_1_to_100000;
INSERT INTO `lines`
SELECT seq, (seq - 1) DIV 3 + 1, CONCAT('Product ', seq * 13 % 5000), seq % 5 + 1, 100 + seq * 17 % 9900
FROM seq_1_to_300000;
ANALYZE TABLE customers, orders, `lines`;
