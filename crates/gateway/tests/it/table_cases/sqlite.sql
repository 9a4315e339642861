-- Full text.
CREATE VIRTUAL TABLE articles USING fts5(title, body);
INSERT INTO articles VALUES ('one', 'The quick brown fox'), ('two', 'A lazy dog sleeps'), ('three', 'The brown dog''s quick');
