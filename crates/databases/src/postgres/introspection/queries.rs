//! The questions to the catalogs. Each is about all namespaces at once, so that their number doesn't grow with that of
//! tables. They ask `pg_catalog` itself: `information_schema` shows only what the role may see, and takes seconds where
//! there are thousands of tables.
//!
//! `$1` are the namespaces. The search path is empty meanwhile, so that names of types and in expressions come with
//! their namespace.

/// The relations whose columns are looked at: those of the namespaces, partitions being reached through their table,
/// and the composite types that routines give.
macro_rules! looked_at {
    () => {
        "select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = any($1) and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
         union
         select t.typrelid from pg_proc p
         join pg_namespace n on n.oid = p.pronamespace
         join pg_type t on t.oid = p.prorettype
         where n.nspname = any($1) and t.typrelid <> 0"
    };
}

/// `$2` is the table of migrations, which is no part of the schema. The bits of `pg_relation_is_updatable` are those of
/// UPDATE, INSERT and DELETE.
pub(super) const RELATIONS: &str = "
    select c.oid, n.nspname::text, c.relname::text, c.relkind::text, d.description, c.reltuples::float8,
           case when c.relkind in ('v', 'f') then pg_relation_is_updatable(c.oid, false) & 28 = 28
                else c.relkind in ('r', 'p') end
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    left join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass and d.objsubid = 0
    where n.nspname = any($1) and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition and c.relname <> $2
    order by n.nspname, c.relname";

pub(super) const COLUMNS: &str = concat!(
    "select a.attrelid, a.attnum, a.attname::text, a.atttypid, format_type(a.atttypid, a.atttypmod), a.atttypmod,
            a.attnotnull, pg_get_expr(e.adbin, e.adrelid), a.attidentity::text, a.attgenerated::text, d.description
     from pg_attribute a
     left join pg_attrdef e on e.adrelid = a.attrelid and e.adnum = a.attnum
     left join pg_description d
            on d.objoid = a.attrelid and d.classoid = 'pg_class'::regclass and d.objsubid = a.attnum
     where a.attnum > 0 and not a.attisdropped and a.attrelid in (",
    looked_at!(),
    ") order by a.attrelid, a.attnum"
);

/// The types that columns and routines use, with those that they are made of.
pub(super) const TYPES: &str = concat!(
    "with recursive used (oid) as (
         select a.atttypid from pg_attribute a
         where a.attnum > 0 and not a.attisdropped and a.attrelid in (",
    looked_at!(),
    ")
         union
         select unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]) || p.prorettype)
         from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = any($1)
         union
         select part.oid from used
         join pg_type t on t.oid = used.oid
         cross join lateral (values (t.typelem), (t.typbasetype)) part (oid)
         where part.oid <> 0
     )
     select t.oid, t.typname::text, t.typtype::text, t.typcategory::text, t.typelem, t.typbasetype, t.typtypmod,
            t.typnotnull, t.typdefault,
            array(select e.enumlabel::text from pg_enum e where e.enumtypid = t.oid order by e.enumsortorder)
     from used join pg_type t on t.oid = used.oid"
);

/// Primary and foreign keys. Those that partitions have of their table are left out.
pub(super) const KEYS: &str = "
    select k.conrelid, k.conname::text, k.contype::text, k.conkey, k.confrelid, k.confkey
    from pg_constraint k
    join pg_namespace n on n.oid = k.connamespace
    where n.nspname = any($1) and k.contype in ('p', 'f') and k.conparentid = 0
    order by k.conrelid, k.conname";

/// Sizes are those that the planner goes by: to measure ten thousand files takes longer than all else.
pub(super) const INDEXES: &str = "
    select i.indrelid, x.relname::text, m.amname::text, i.indkey::int2[], i.indnkeyatts, i.indisunique, i.indisprimary,
           i.indimmediate, i.indpred is not null, x.relpages::int8 * current_setting('block_size')::int8,
           pg_stat_get_numscans(x.oid)
    from pg_index i
    join pg_class x on x.oid = i.indexrelid
    join pg_am m on m.oid = x.relam
    join pg_class c on c.oid = i.indrelid
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any($1) and i.indisvalid and i.indislive and not c.relispartition
    order by i.indrelid, x.relname";

pub(super) const ROUTINES: &str = "
    select n.nspname::text, p.proname::text, p.prokind::text, p.provolatile::text, p.proretset, p.prorettype,
           p.pronargdefaults, a.types, p.proargmodes::text[], p.proargnames,
           array(select format_type(u.oid, null) from unnest(a.types) with ordinality u (oid, at) order by u.at),
           t.typrelid, r.relkind::text, rn.nspname::text, r.relname::text, d.description
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    join pg_type t on t.oid = p.prorettype
    cross join lateral (select coalesce(p.proallargtypes, p.proargtypes::oid[]) as types) a
    left join pg_class r on r.oid = t.typrelid
    left join pg_namespace rn on rn.oid = r.relnamespace
    left join pg_description d on d.objoid = p.oid and d.classoid = 'pg_proc'::regclass and d.objsubid = 0
    where n.nspname = any($1) and p.prokind in ('f', 'p')
      and p.prorettype not in ('pg_catalog.trigger'::regtype, 'pg_catalog.event_trigger'::regtype)
    order by n.nspname, p.proname, p.oid";

/// What views are made of.
pub(super) const VIEWS: &str = "
    select w.ev_class, w.ev_action::text
    from pg_rewrite w
    join pg_class c on c.oid = w.ev_class
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any($1) and c.relkind in ('v', 'm') and w.rulename = '_RETURN'";

/// A digest of all rows of the catalogs that the schema is read from. A row that is changed has another `xmin`;
/// what VACUUM and ANALYZE write doesn't change it.
pub(super) const DIGEST: &str = "
    with namespaces as (select n.oid from pg_namespace n where n.nspname = any($1)),
    relations as (select c.oid, c.xmin from pg_class c where c.relnamespace in (select oid from namespaces)),
    rows (oid, version) as (
        select r.oid, r.xmin from relations r
        union all
        select a.attrelid, a.xmin from pg_attribute a where a.attrelid in (select oid from relations)
        union all
        select e.oid, e.xmin from pg_attrdef e where e.adrelid in (select oid from relations)
        union all
        select i.indexrelid, i.xmin from pg_index i where i.indrelid in (select oid from relations)
        union all
        select k.oid, k.xmin from pg_constraint k where k.connamespace in (select oid from namespaces)
        union all
        select p.oid, p.xmin from pg_proc p where p.pronamespace in (select oid from namespaces)
        union all
        select w.oid, w.xmin from pg_rewrite w where w.ev_class in (select oid from relations)
        union all
        select d.objoid, d.xmin from pg_description d
        where d.classoid in ('pg_class'::regclass, 'pg_proc'::regclass) and d.objoid >= 16384
        union all
        select e.oid, e.xmin from pg_enum e
        union all
        select t.oid, t.xmin from pg_type t where t.typtype = 'd' and t.oid >= 16384
    )
    select count(*)::text || ' ' || coalesce(sum(hashint8((oid::int8 << 32) # version::text::int8)::numeric), 0)::text
    from rows";
