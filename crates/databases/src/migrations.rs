//! Migrations: plain `.sql` files, each run once, in the order of their names, by one runner at a time.
