//! The words of SQL that say what is done, of the databases in use: MySQL, PostgreSQL, SQL Server, Oracle, SQLite.

use std::sync::LazyLock;

use super::kind::{Kind, Verb};

/// Longer words are names of whoever made them.
const LONGEST: usize = 48;

/// The kind of a word, in whatever case it's written.
pub(super) fn kind(word: &[u8]) -> Kind {
    if word.len() > LONGEST {
        return Kind::Name;
    }
    let mut buffer = [0; LONGEST];
    let word = lower(word, &mut buffer);
    if let Some(kind) = WORDS.find(word) {
        return kind;
    }
    if !word.contains(&b'_') {
        return Kind::Name;
    }
    // Stored procedures of SQL Server, with or without the database that they are in: `master..xp_dirtree`.
    match word.rsplit(|byte| *byte == b'.').next() {
        Some([b'x', b'p', b'_', _, ..]) => Kind::Server,
        _ => Kind::Name,
    }
}

/// The kind of a word between backquotes: a function stays one, everything else is a name.
pub(super) fn quoted_kind(quoted: &[u8]) -> Kind {
    let word = quoted.strip_prefix(b"`").unwrap_or(quoted);
    match kind(word.strip_suffix(b"`").unwrap_or(word)) {
        function @ (Kind::FunctionName | Kind::DangerName) => function,
        _ => Kind::Name,
    }
}

/// Whether a word stands between operands, so that a dot behind it belongs to what follows.
pub(super) fn is_operator(word: &[u8]) -> bool {
    matches!(
        kind(word),
        Kind::Logic
            | Kind::Likeness
            | Kind::Operator
            | Kind::Not
            | Kind::Select
            | Kind::Union
            | Kind::Where
            | Kind::Number
    )
}

/// What a verb and the word behind it begin, or `None` when that is no beginning.
pub(super) fn pair(verb: Verb, word: &[u8]) -> Option<Kind> {
    let mut buffer = [0; LONGEST];
    if word.len() > LONGEST {
        return None;
    }
    let word = lower(word, &mut buffer);
    let (partners, together) = match verb {
        Verb::Case => ("when", Kind::Choice),
        Verb::Create => (
            "table database schema view procedure function trigger user index role login column sequence assembly alias",
            Kind::Statement,
        ),
        Verb::Delete => ("from", Kind::Statement),
        Verb::Execute if kind(word) == Kind::Server || word.starts_with(b"master.") => return Some(Kind::Server),
        Verb::Execute => (
            "immediate sp_executesql sp_configure sp_oacreate sp_addlogin",
            Kind::Server,
        ),
        Verb::Grant => ("all select create connect execute", Kind::Statement),
        Verb::Insert => ("into", Kind::Statement),
        Verb::Into => ("outfile dumpfile", Kind::Server),
        Verb::Load => ("data xml extension file", Kind::Statement),
        Verb::Order => ("by", Kind::Clause),
        Verb::Procedure => ("analyse", Kind::Server),
        Verb::Truncate => ("table", Kind::Statement),
        Verb::Waitfor => ("delay time", Kind::Server),
        Verb::Declare | Verb::Update => return None,
    };
    let known = partners.split(' ').any(|partner| partner.as_bytes() == word);
    known.then_some(together)
}

fn lower<'a>(word: &[u8], buffer: &'a mut [u8; LONGEST]) -> &'a [u8] {
    for (to, from) in buffer.iter_mut().zip(word) {
        *to = from.to_ascii_lowercase();
    }
    &buffer[..word.len()]
}

/// Words in alphabetical order, where those with each first letter begin, and which lengths they have, as bits.
struct Index {
    words: Vec<(&'static [u8], Kind)>,
    begins: [u16; 257],
    lengths: [u64; 256],
}

impl Index {
    fn new() -> Self {
        let mut words: Vec<(&[u8], Kind)> = GROUPS
            .iter()
            .flat_map(|(kind, words)| words.split_ascii_whitespace().map(|word| (word.as_bytes(), *kind)))
            .collect();
        words.sort_unstable_by_key(|(word, _)| *word);
        let mut begins = [0; 257];
        for (letter, begin) in (0u16..).zip(&mut begins) {
            let place = words.partition_point(|(word, _)| word.first().is_none_or(|first| u16::from(*first) < letter));
            *begin = u16::try_from(place).expect("there are some hundred words");
        }
        let mut lengths = [0; 256];
        for (word, _) in &words {
            lengths[usize::from(word[0])] |= 1 << word.len();
        }
        Index { words, begins, lengths }
    }

    fn find(&self, word: &[u8]) -> Option<Kind> {
        let first = usize::from(*word.first()?);
        if self.lengths[first] & (1 << word.len()) == 0 {
            return None;
        }
        let range = usize::from(self.begins[first])..usize::from(self.begins[first + 1]);
        let same = &self.words[range];
        let place = same.binary_search_by(|(known, _)| (*known).cmp(word)).ok()?;
        Some(same[place].1)
    }
}

static WORDS: LazyLock<Index> = LazyLock::new(Index::new);

const GROUPS: &[(Kind, &str)] = &[
    (Kind::Logic, "and or xor"),
    (
        Kind::Likeness,
        "like ilike rlike regexp glob similar in is between sounds match any some overlaps",
    ),
    (Kind::Operator, "div mod collate"),
    (
        Kind::Not,
        "not all binary distinct distinctrow interval prior sql_no_cache high_priority sql_calc_found_rows straight_join",
    ),
    (
        Kind::Number,
        "null true false unknown current_date current_time current_timestamp sysdate systimestamp localtime localtimestamp utc_date",
    ),
    (Kind::Select, "select"),
    (Kind::Union, "union except intersect minus"),
    (Kind::From, "from"),
    (Kind::Where, "where having"),
    (Kind::Clause, "limit"),
    (
        Kind::Keyword,
        "set by as on join using values then else when end asc desc table with for lateral natural returning separator \
         escape exists",
    ),
    (Kind::Verb(Verb::Case), "case"),
    (Kind::Verb(Verb::Create), "create drop alter rename"),
    (Kind::Verb(Verb::Declare), "declare"),
    (Kind::Verb(Verb::Delete), "delete"),
    (Kind::Verb(Verb::Execute), "exec execute"),
    (Kind::Verb(Verb::Grant), "grant revoke"),
    (Kind::Verb(Verb::Insert), "insert merge"),
    (Kind::Verb(Verb::Into), "into"),
    (Kind::Verb(Verb::Load), "load"),
    (Kind::Verb(Verb::Order), "order group"),
    (Kind::Verb(Verb::Procedure), "procedure"),
    (Kind::Verb(Verb::Truncate), "truncate"),
    (Kind::Verb(Verb::Update), "update"),
    (Kind::Verb(Verb::Waitfor), "waitfor"),
    (Kind::FunctionName, FUNCTIONS),
    (Kind::DangerName, DANGERS),
];

/// Functions that a statement may call for honest reasons.
const FUNCTIONS: &str = "
    abs acos ascii asciistr asin atan atan2 avg bin bit_count bit_length btrim cast ceil ceiling char char_length
    character_length charindex checksum chr coalesce coercibility col_length col_name compress concat concat_ws conv
    convert convert_from cos cot count crc32 curdate current_database current_schema current_setting current_user curtime
    database datalength date date_add date_format date_sub dateadd datediff datename datepart day dayname db_id db_name
    decode degrees des_decrypt des_encrypt elt encode encrypt exp export_set field find_in_set floor format found_rows
    from_base64 from_days from_unixtime generate_series greatest group_concat has_table_privilege hex hextoraw host_id
    hostname hour if ifnull iif inet_aton inet_ntoa initcap instr isnull json_agg json_extract json_keys last_insert_id
    lcase least left len length listagg ln locate log log10 log2 lower lpad ltrim make_set max md5 mid min minute month
    monthname nchar newid now nullif numeric nvl nvl2 object_id object_name octet_length old_password ord password
    patindex pi position pow power quarter quote quote_ident quote_literal quotename radians rand random rawtohex
    regexp_instr regexp_like regexp_replace regexp_substr repeat replace replicate reverse right round row row_count
    rpad rtrim schema_name second servername session_user sha sha1 sha2 sign sin soundex space sqrt stddev str strcmp
    string_agg string_to_array array_agg array_to_string stuff substr substring substring_index sum suser_id
    suser_name suser_sname system_user tan to_base64 to_char to_date to_hex to_number to_timestamp translate trim
    typeof ucase unhex unicode unistr unix_timestamp upper user user_id user_name utc_time uuid variance version week
    xmlagg year zeroblob";

/// Functions that let a statement wait, read files, reach other servers or fail with what was asked for as the message.
const DANGERS: &str = "
    aes_decrypt aes_encrypt analyse benchmark bit_and bit_or bit_xor ctxsys.drithsx.sn database_to_xml dblink
    dblink_connect dbms_export_extension.get_domain_index_tables dbms_java.runjava dbms_ldap.init dbms_lock.sleep
    dbms_pipe.receive_message dbms_scheduler.create_job dbms_session.sleep dbms_utility.sqlid_to_sqlhash
    dbms_xmlgen.getxml extractvalue fn_xe_file_target_read_file geometrycollection get_lock gtid_subset gtid_subtract
    has_dbaccess httpuritype is_free_lock is_member is_srvrolemember is_used_lock json_table linestring lo_export
    lo_import load_extension load_file master_pos_wait multilinestring multipoint multipolygon name_const opendatasource
    openquery openrowset ordsys.ord_dicom.getmappingxpath pg_cancel_backend pg_ls_dir pg_read_binary_file pg_read_file
    pg_reload_conf pg_sleep pg_sleep_for pg_sleep_until pg_stat_file polygon query_to_xml randomblob release_lock
    serverproperty sleep sp_executesql sp_oacreate sp_password sqlite_version st_latfromgeohash st_longfromgeohash
    sys_eval sys_exec table_to_xml updatexml utl_file.fopen utl_http.request utl_inaddr.get_host_address
    utl_inaddr.get_host_name utl_smtp.open_connection xmlelement xmltype";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_there_once_and_found() {
        assert!(WORDS.words.windows(2).all(|two| two[0].0 < two[1].0));
        for (word, known) in &WORDS.words {
            assert!(word.len() <= LONGEST && kind(word) == *known);
        }
        assert_eq!(kind(b"SeLeCt"), Kind::Select);
        assert_eq!(kind(b"selects"), Kind::Name);
        assert_eq!(kind(b"xp_anything"), Kind::Server);
        assert_eq!(kind(&[b'a'; 500]), Kind::Name);
    }
}
