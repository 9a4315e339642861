-- A bank of interview questions, and the interviews held with them.
--
-- The rules of the data stand here and not in the page, so that no client, however wrong, can break them:
-- the gate turns a broken rule into 409 or 422 and changes nothing.

CREATE TABLE topics (
    id    INTEGER PRIMARY KEY,
    area  TEXT NOT NULL,
    name  TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE questions (
    id        INTEGER PRIMARY KEY,
    topic_id  INTEGER NOT NULL REFERENCES topics (id),
    level     INTEGER NOT NULL CHECK (level BETWEEN 1 AND 3),  -- 1 junior, 2 middle, 3 senior
    question  TEXT NOT NULL UNIQUE,
    answer    TEXT NOT NULL,
    try_it    TEXT                                             -- a command that shows it on this very gate
) STRICT;

-- The page asks by level, or by level and topic: both are prefixes of this index.
CREATE INDEX questions_by_level_and_topic ON questions (level, topic_id);
-- The other way round it asks by topic alone; the foreign key needs it too.
CREATE INDEX questions_by_topic ON questions (topic_id);

CREATE TABLE candidates (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL CHECK (length(trim(name)) BETWEEN 1 AND 200),
    email       TEXT NOT NULL COLLATE NOCASE UNIQUE CHECK (email LIKE '_%@_%' AND length(email) <= 254),
    created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;

CREATE TABLE interviews (
    id            INTEGER PRIMARY KEY,
    candidate_id  INTEGER NOT NULL REFERENCES candidates (id),
    interviewer   TEXT NOT NULL CHECK (length(trim(interviewer)) BETWEEN 1 AND 200),
    -- The slot lives in the calendar's own database: no foreign key reaches there. That is the price of a second service.
    slot_id       INTEGER,
    starts_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    finished_at   TEXT,
    conclusion    TEXT NOT NULL DEFAULT '' CHECK (length(conclusion) <= 10000)
) STRICT;

CREATE INDEX interviews_by_candidate ON interviews (candidate_id);

-- A line of a score card: a question to be asked, then how it was answered.
CREATE TABLE scores (
    id            INTEGER PRIMARY KEY,
    interview_id  INTEGER NOT NULL REFERENCES interviews (id) ON DELETE CASCADE,
    question_id   INTEGER NOT NULL REFERENCES questions (id),
    position      INTEGER NOT NULL CHECK (position > 0),
    score         INTEGER CHECK (score BETWEEN 0 AND 4),       -- NULL: not asked yet
    note          TEXT NOT NULL DEFAULT '' CHECK (length(note) <= 10000),
    UNIQUE (interview_id, question_id),
    UNIQUE (interview_id, position)
) STRICT;

CREATE INDEX scores_by_question ON scores (question_id);

CREATE TABLE salary_bands (
    level     INTEGER PRIMARY KEY CHECK (level BETWEEN 1 AND 3),
    title     TEXT NOT NULL,
    minimum   INTEGER NOT NULL CHECK (minimum > 0),            -- euros a year
    maximum   INTEGER NOT NULL,
    reasoning TEXT NOT NULL,                                   -- internal: the route does not reveal it
    CHECK (maximum >= minimum)
) STRICT;

INSERT INTO salary_bands (level, title, minimum, maximum, reasoning) VALUES
    (1, 'Junior backend developer', 45000, 56000, 'Fixed by the works agreement.'),
    (2, 'Backend developer',        56000, 74000, 'Median of the region, minus five per cent.'),
    (3, 'Senior backend developer', 74000, 98000, 'Up to here without asking the board.');

-- One line for each interview: how far it is, and the average of what has been scored.
CREATE VIEW interview_summaries AS
SELECT interviews.id AS interview_id, candidates.name AS candidate, interviews.interviewer, interviews.starts_at,
       interviews.finished_at, interviews.conclusion, count(scores.id) AS questions, count(scores.score) AS scored,
       round(avg(scores.score), 2) AS average
FROM interviews
JOIN candidates ON candidates.id = interviews.candidate_id
LEFT JOIN scores ON scores.interview_id = interviews.id
GROUP BY interviews.id;

-- Averages of an interview by topic and by level: two shapes of one card, put under each other.
CREATE VIEW interview_averages AS
SELECT scores.interview_id, 'topic' AS kind, topics.id AS key, topics.name AS name, count(scores.id) AS questions,
       count(scores.score) AS scored, round(avg(scores.score), 2) AS average
FROM scores
JOIN questions ON questions.id = scores.question_id
JOIN topics ON topics.id = questions.topic_id
GROUP BY scores.interview_id, topics.id
UNION ALL
SELECT scores.interview_id, 'level', questions.level, CASE questions.level WHEN 1 THEN 'Junior' WHEN 2 THEN 'Middle' ELSE 'Senior' END,
       count(scores.id), count(scores.score), round(avg(scores.score), 2)
FROM scores
JOIN questions ON questions.id = scores.question_id
GROUP BY scores.interview_id, questions.level;
