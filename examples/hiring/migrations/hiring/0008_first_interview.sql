-- One interview that has been held, so that a newcomer sees a summary before holding one.

INSERT INTO candidates (id, name, email, created_at) VALUES
    (1, 'Grace Example', 'grace@example.com', '2026-11-02T08:00:00Z'),
    (2, 'Linus Example', 'linus@example.com', '2026-11-03T08:00:00Z');

INSERT INTO interviews (id, candidate_id, interviewer, starts_at, finished_at, conclusion) VALUES
    (1, 1, 'Barbara', '2026-11-05T09:00:00Z', '2026-11-05T09:50:00Z', 'Strong on data; would like to learn about operation.');

INSERT INTO scores (interview_id, question_id, position, score, note)
SELECT 1, questions.id, asked.position, asked.score, asked.note
FROM (SELECT 1 AS position, 1 AS topic_id, 1 AS level, 4 AS score, 'Drew the table of methods unasked.' AS note
      UNION ALL SELECT 2, 12, 2, 4, 'Found the doubled sum at once.'
      UNION ALL SELECT 3, 14, 3, 3, 'Knew plans well, not stale statistics.'
      UNION ALL SELECT 4, 23, 2, 1, 'Has not run containers so far.') AS asked
JOIN questions ON questions.topic_id = asked.topic_id AND questions.level = asked.level;
