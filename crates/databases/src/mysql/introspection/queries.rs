//! Questions to `information_schema`. Each names one namespace, so that the server looks at no other. What the definitions of
//! tables alone tell is cheap (20 µs for each table). For checks, references and numbers of rows MariaDB opens each table,
//! which takes ten times as long: so that is asked of InnoDB itself where the account may, and of few tables where it may not.

pub(super) const NAMESPACE: &str =
    "SELECT CAST(schema_name AS CHAR) FROM information_schema.schemata WHERE schema_name = ?";

pub(super) const TABLES: &str = "\
    SELECT CAST(table_name AS CHAR), CAST(table_type AS CHAR), table_comment \
    FROM information_schema.tables WHERE table_schema = ? ORDER BY table_name";

/// Numbers of rows as InnoDB keeps them; a partition is a line of its own.
pub(super) const ROWS_OF_INNODB: &str = "\
    SELECT CAST(table_name AS CHAR), n_rows FROM mysql.innodb_table_stats WHERE database_name = ?";

pub(super) const ROWS: &str = "\
    SELECT CAST(table_name AS CHAR), table_rows \
    FROM information_schema.tables WHERE table_schema = ? AND table_rows IS NOT NULL";

pub(super) const VIEWS: &str = "\
    SELECT CAST(table_name AS CHAR), CAST(is_updatable AS CHAR) \
    FROM information_schema.views WHERE table_schema = ?";

pub(super) const COLUMNS: &str = "\
    SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), column_default, CAST(is_nullable AS CHAR), \
        CAST(data_type AS CHAR), CAST(column_type AS CHAR), character_maximum_length, CAST(extra AS CHAR), \
        column_comment, CAST(collation_name AS CHAR) \
    FROM information_schema.columns WHERE table_schema = ? ORDER BY table_name, ordinal_position";

pub(super) const CHECKS: &str = "\
    SELECT CAST(table_name AS CHAR), check_clause \
    FROM information_schema.check_constraints WHERE constraint_schema = ? AND check_clause LIKE 'json_valid(%'";

/// The same of one table.
pub(super) const CHECKS_OF_TABLE: &str = "\
    SELECT CAST(table_name AS CHAR), check_clause FROM information_schema.check_constraints \
    WHERE constraint_schema = ? AND table_name = ? AND check_clause LIKE 'json_valid(%'";

/// The indexes' columns. What kind an index is of tells only who opens the table.
pub(super) const INDEXES_MARIADB: &str = "\
    SELECT CAST(table_name AS CHAR), CAST(index_name AS CHAR), non_unique, CAST(column_name AS CHAR), 'btree' \
    FROM information_schema.statistics WHERE table_schema = ? AND ignored = 'NO' \
    ORDER BY table_name, index_name <> 'PRIMARY', index_name, seq_in_index";

/// The kinds of one table's indexes.
pub(super) const METHODS_OF_TABLE: &str = "\
    SELECT CAST(table_name AS CHAR), CAST(index_name AS CHAR), CAST(index_type AS CHAR) \
    FROM information_schema.statistics WHERE table_schema = ? AND table_name = ? AND index_type <> 'BTREE'";

/// The indexes that InnoDB has for full texts (32) and for shapes (64).
pub(super) const METHODS_OF_INNODB: &str = "\
    SELECT CAST(t.name AS CHAR), CAST(i.name AS CHAR), IF(i.type & 32, 'FULLTEXT', 'SPATIAL') \
    FROM information_schema.innodb_sys_indexes i JOIN information_schema.innodb_sys_tables t USING (table_id) \
    WHERE i.type & 96";

pub(super) const INDEXES_MYSQL: &str = "\
    SELECT CAST(table_name AS CHAR), CAST(index_name AS CHAR), non_unique, CAST(column_name AS CHAR), \
        CAST(index_type AS CHAR) \
    FROM information_schema.statistics WHERE table_schema = ? AND is_visible = 'YES' \
    ORDER BY table_name, index_name <> 'PRIMARY', index_name, seq_in_index";

pub(super) const REFERENCES: &str = "\
    SELECT CAST(table_name AS CHAR), CAST(constraint_name AS CHAR), CAST(column_name AS CHAR), \
        CAST(referenced_table_schema AS CHAR), CAST(referenced_table_name AS CHAR), \
        CAST(referenced_column_name AS CHAR) \
    FROM information_schema.key_column_usage WHERE table_schema = ? AND referenced_table_name IS NOT NULL \
    ORDER BY table_name, constraint_name, ordinal_position";

/// References as InnoDB keeps them, of all namespaces: `namespace/name`, and the tables as names of files.
pub(super) const REFERENCES_OF_INNODB: &str = "\
    SELECT CAST(id AS CHAR), CAST(for_name AS CHAR), CAST(ref_name AS CHAR) FROM information_schema.innodb_sys_foreign \
    ORDER BY for_name, id";

/// Their columns.
pub(super) const REFERRING_OF_INNODB: &str = "\
    SELECT CAST(id AS CHAR), CAST(for_col_name AS CHAR), CAST(ref_col_name AS CHAR) \
    FROM information_schema.innodb_sys_foreign_cols ORDER BY id, pos";

pub(super) const ROUTINES: &str = "\
    SELECT CAST(routine_name AS CHAR), CAST(routine_type AS CHAR), CAST(sql_data_access AS CHAR), \
        CAST(is_deterministic AS CHAR), CAST(data_type AS CHAR), CAST(dtd_identifier AS CHAR), \
        CAST(routine_comment AS CHAR) \
    FROM information_schema.routines WHERE routine_schema = ? ORDER BY routine_name, routine_type";

/// Position 0 is what a function returns.
pub(super) const PARAMETERS: &str = "\
    SELECT CAST(specific_name AS CHAR), CAST(routine_type AS CHAR), CAST(ordinal_position AS UNSIGNED), \
        CAST(parameter_mode AS CHAR), CAST(parameter_name AS CHAR), CAST(data_type AS CHAR), \
        CAST(dtd_identifier AS CHAR) \
    FROM information_schema.parameters WHERE specific_schema = ? AND ordinal_position > 0 \
    ORDER BY specific_name, routine_type, ordinal_position";
