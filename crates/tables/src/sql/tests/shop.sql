CREATE TABLE customers (
    id {integer} PRIMARY KEY, name {text} NOT NULL, email {text}, vip {boolean} NOT NULL, balance {decimal} NOT NULL,
    owner {text} NOT NULL, settings {json}, created_at {moment} NOT NULL, internal_note {text});
CREATE TABLE orders (
    id {integer} PRIMARY KEY, customer_id {integer} NOT NULL REFERENCES customers (id), state {text} NOT NULL,
    total {decimal} NOT NULL, placed_at {timestamp} NOT NULL, note {text}, owner {text} NOT NULL,
    lock_version {integer} NOT NULL);
CREATE TABLE products (
    id {integer} PRIMARY KEY, sku {text} NOT NULL, name {text} NOT NULL, price {decimal} NOT NULL, weight {real},
    added {date} NOT NULL, attributes {json}, labels {texts}, {q}shelf life{q} {text}, {q}a.b{q} {text});
CREATE TABLE {q}lines{q} (
    order_id {integer} NOT NULL REFERENCES orders (id), number {integer} NOT NULL,
    product_id {integer} NOT NULL REFERENCES products (id), quantity {integer} NOT NULL, price {decimal} NOT NULL,
    PRIMARY KEY (order_id, number));
CREATE TABLE tags (id {integer} PRIMARY KEY, word {text} NOT NULL);
CREATE TABLE order_tags (
    order_id {integer} NOT NULL REFERENCES orders (id), tag_id {integer} NOT NULL REFERENCES tags (id),
    PRIMARY KEY (order_id, tag_id));
CREATE TABLE invoices (
    order_id {integer} PRIMARY KEY REFERENCES orders (id), number {text} NOT NULL, issued {date} NOT NULL);
CREATE TABLE employees (
    id {integer} PRIMARY KEY, name {text} NOT NULL, manager_id {integer} REFERENCES employees (id));
CREATE TABLE archived_orders (
    id {integer} PRIMARY KEY, customer_id {integer} NOT NULL, total {decimal} NOT NULL, owner {text} NOT NULL);
CREATE VIEW order_totals AS
    SELECT customer_id, count(*) AS orders, sum(total) AS total FROM orders GROUP BY customer_id;
INSERT INTO customers VALUES
    (1, 'Ada', 'ada@example.org', TRUE, 10.50, 'ada', '{"theme": "dark", "depth": {"n": 5}, "list": [10, 20], "on": true, "none": null}', '2026-01-01T08:00:00{utc}', 'x'),
    (2, 'bob', NULL, FALSE, 0.00, 'bob', '{"theme": "light"}', '2026-01-02T08:00:00.5{utc}', NULL),
    (3, 'Cyd', 'CYD@example.org', FALSE, -3.25, 'cyd', NULL, '2026-01-03T08:00:00{utc}', NULL),
    (4, 'Élan', 'a_b%c', TRUE, 99.99, 'ada', '{"theme": null}', '2026-01-04T08:00:00{utc}', NULL);
INSERT INTO orders VALUES
    (10, 1, 'new', 20.00, '2026-02-01T10:00:00', 'first', 'ada', 1),
    (11, 1, 'paid', 30.50, '2026-02-02T10:00:00', NULL, 'ada', 2),
    (12, 2, 'sent', 5.25, '2026-02-03T10:00:00.25', 'a "quoted" note', 'bob', 1),
    (13, 3, 'gone', 7.00, '2026-02-04T10:00:00', NULL, 'cyd', 1);
INSERT INTO products VALUES
    (100, 'A-1', 'Apple', 1.00, 0.5, '2026-01-01', '{"color": "red", "size": 3}', {none}, NULL, 'dotted'),
    (101, 'B-2', 'Bread', 2.50, NULL, '2026-01-02', NULL, {none}, '3 days', NULL),
    (102, 'C-3', 'Cake', 10.00, 1.25, '2026-01-03', '{"color": "brown"}', {none}, NULL, NULL);
INSERT INTO {q}lines{q} VALUES
    (10, 1, 100, 5, 1.00), (10, 2, 101, 2, 2.50), (10, 3, 102, 1, 10.00), (11, 1, 102, 3, 10.00), (12, 1, 101, 2, 2.50);
INSERT INTO tags VALUES (1, 'urgent'), (2, 'gift'), (3, 'unused');
INSERT INTO order_tags VALUES (10, 1), (10, 2), (12, 2);
INSERT INTO invoices VALUES (10, 'I-10', '2026-02-05'), (12, 'I-12', '2026-02-06');
INSERT INTO employees VALUES (1, 'Root', NULL), (2, 'Left', 1), (3, 'Right', 1), (4, 'Leaf', 2);
INSERT INTO archived_orders VALUES (1, 1, 1.00, 'ada'), (2, 2, 20.00, 'bob');
