-- Full text.
CREATE TABLE articles (title VARCHAR(200), body TEXT, FULLTEXT (body));
INSERT INTO articles VALUES ('one', 'The quick brown fox'), ('two', 'A lazy dog sleeps'), ('three', 'The brown dog''s quick');
