//! Questions to `information_schema`. Each names one namespace: only then does the server open no other tables than its.
//! Columns have names of their own in MySQL only if they are given some, and types of their own everywhere: so they are
//! named and cast.

pub(super) const NAMESPACE: &str =
    "SELECT CAST(schema_name AS CHAR) FROM information_schema.schemata WHERE schema_name = ?";

pub(super) const TABLES: &str = "\
    SELECT CAST(table_name AS CHAR), CAST(table_type AS CHAR), table_rows, table_comment \
    FROM information_schema.tables WHERE table_schema = ? ORDER BY table_name";

pub(super) const VIEWS: &str = "\
    SELECT CAST(table_name AS CHAR), CAST(is_updatable AS CHAR) \
    FROM information_schema.views WHERE table_schema = ?";

pub(super) const COLUMNS: &str = "\
    SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), column_default, CAST(is_nullable AS CHAR), \
        CAST(data_type AS CHAR), CAST(column_type AS CHAR), character_maximum_length, CAST(extra AS CHAR), column_comment \
    FROM information_schema.columns WHERE table_schema = ? ORDER BY table_name, ordinal_position";

pub(super) const CHECKS: &str = "\
    SELECT CAST(table_name AS CHAR), check_clause \
    FROM information_schema.check_constraints WHERE constraint_schema = ? AND check_clause LIKE 'json_valid(%'";

pub(super) const INDEXES_MARIADB: &str = "\
    SELECT CAST(table_name AS CHAR), CAST(index_name AS CHAR), non_unique, CAST(column_name AS CHAR), \
        CAST(index_type AS CHAR) \
    FROM information_schema.statistics WHERE table_schema = ? AND ignored = 'NO' \
    ORDER BY table_name, index_name <> 'PRIMARY', index_name, seq_in_index";

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
