-- The calendar's own database. No other service reads it; they ask over HTTP.

CREATE TABLE all_slots (
    id         INTEGER PRIMARY KEY,
    starts_at  TEXT NOT NULL UNIQUE,
    minutes    INTEGER NOT NULL CHECK (minutes > 0),
    room       TEXT NOT NULL
) STRICT;

-- The slot is the key, so that of two who book it at the same moment one gets 409, whatever either of them had read.
CREATE TABLE bookings (
    slot_id    INTEGER PRIMARY KEY REFERENCES all_slots (id),
    purpose    TEXT NOT NULL CHECK (length(purpose) BETWEEN 1 AND 200),
    booked_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;

CREATE VIEW slots AS
SELECT all_slots.id, all_slots.starts_at, all_slots.minutes, all_slots.room
FROM all_slots
WHERE NOT EXISTS (SELECT 1 FROM bookings WHERE bookings.slot_id = all_slots.id);

-- Three a day for the ten days that follow the first start.
WITH RECURSIVE
    days (day) AS (SELECT 1 UNION ALL SELECT day + 1 FROM days WHERE day < 10),
    hours (hour, room) AS (VALUES (9, 'Drawbridge'), (11, 'Keep'), (14, 'Drawbridge'))
INSERT INTO all_slots (starts_at, minutes, room)
SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now', 'start of day', '+' || day || ' days', '+' || hour || ' hours'), 60, room
FROM days CROSS JOIN hours
ORDER BY day, hour;
