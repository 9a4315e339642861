-- What several people at once, and several tables in one request, ask of the schema.

-- Each change of an interview raises its version, and the gate makes an entity tag of it: whoever concludes an interview that
-- somebody else has changed meanwhile is told so, and overwrites nothing.
ALTER TABLE interviews ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

-- An interviewer's own interviews, and all of them in the order in which they are shown.
CREATE INDEX interviews_by_interviewer ON interviews (interviewer);

-- A rule about rows sees the row and nothing else. So a line of a score card says itself whose interview it belongs to, and the
-- database, not a client, holds that true.
ALTER TABLE scores ADD COLUMN interviewer TEXT;

UPDATE scores SET interviewer = (SELECT interviews.interviewer FROM interviews WHERE interviews.id = scores.interview_id);

CREATE INDEX scores_by_interviewer ON scores (interviewer);

CREATE TRIGGER scores_are_of_the_interviewer BEFORE INSERT ON scores
WHEN NEW.interviewer IS NOT NULL
    AND NEW.interviewer IS NOT (SELECT interviews.interviewer FROM interviews WHERE interviews.id = NEW.interview_id)
BEGIN
    SELECT RAISE(ABORT, 'a score belongs to whoever holds the interview');
END;

CREATE TRIGGER scores_stay_with_the_interviewer BEFORE UPDATE OF interview_id, interviewer ON scores
WHEN NEW.interviewer IS NOT (SELECT interviews.interviewer FROM interviews WHERE interviews.id = NEW.interview_id)
BEGIN
    SELECT RAISE(ABORT, 'a score belongs to whoever holds the interview');
END;

CREATE TRIGGER scores_learn_the_interviewer AFTER INSERT ON scores WHEN NEW.interviewer IS NULL
BEGIN
    UPDATE scores
    SET interviewer = (SELECT interviews.interviewer FROM interviews WHERE interviews.id = NEW.interview_id)
    WHERE scores.id = NEW.id;
END;

CREATE TRIGGER scores_follow_the_interview AFTER UPDATE OF interviewer ON interviews
BEGIN
    UPDATE scores SET interviewer = NEW.interviewer WHERE scores.interview_id = NEW.id;
END;

-- What can be looked for by one word. Members of a union have one shape, which these views give them.
CREATE VIEW found_candidates AS SELECT id, name AS text FROM candidates;

CREATE VIEW found_questions AS SELECT id, question AS text FROM questions;
