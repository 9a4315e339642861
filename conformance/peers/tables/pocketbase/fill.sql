-- What the shop of SQLite has, in PocketBase's own tables, whose keys are words of 15 letters. The shop is attached as `shop`.
BEGIN;
INSERT INTO customers (id, name, email, city)
SELECT printf('%015d', id), name, email, city FROM shop.customers;
INSERT INTO orders (id, customer, status, total_cents, placed_on, note)
SELECT printf('%015d', id), printf('%015d', customer_id), status, total_cents, placed_on, coalesce(note, '')
FROM shop.orders;
INSERT INTO lines (id, "order", product, quantity, price_cents)
SELECT printf('%015d', id), printf('%015d', order_id), product, quantity, price_cents FROM shop.lines;
COMMIT;
ANALYZE;
