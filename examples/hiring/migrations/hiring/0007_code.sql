-- Questions about code itself.

INSERT INTO topics (id, area, name) VALUES
    (30, 'Code', 'Event loops'),
    (31, 'Code', 'DRY, KISS and YAGNI'),
    (32, 'Code', 'The God class');

INSERT INTO questions (topic_id, level, question, answer, try_it) VALUES
(30, 1,
 'What is an event loop, and why must nothing block it?',
 'One thread waits for events on many connections and for each calls the piece of code that can go on, until that has to wait again. So thousands of connections need no thread each. But while one piece computes for long or waits in a blocking call, all the others stand still: a single slow call delays everybody. Slow work therefore goes to other threads, and the loop is told when it is done.',
 'python3 -c ''import socket, time; s = [socket.create_connection("localhost:8080".split(":")) for n in range(200)]; time.sleep(3)'' & sleep 1; curl -w ''%{time_total} s\n'' http://localhost:8080/topics/30   # 200 idle connections beside it'),
(30, 2,
 'Compare thread per connection, one event loop, and one event loop per core.',
 'A thread per connection is the easiest to write, since code waits where it stands, but each costs a stack and switches, so tens of thousands become dear. One loop is cheap per connection and needs no locks among handlers, but uses one core. A loop per core, each with its own listening socket (SO_REUSEPORT), pools and buffers, uses all cores and shares nothing on the usual path; the price is that load may be uneven, since a connection stays where it arrived, and that what must be exact over all, such as a rate limit, has to be shared deliberately.',
 NULL),
(30, 3,
 'The median latency of an asynchronous service is 2 ms, its p99.9 is 900 ms, and the processor is half idle. How do you find out what blocks the loop, and what are the usual suspects?',
 'Measure the loop itself: how late timers fire, how long each poll of a task lasts, and how long a runnable task waits; the histogram of the first already tells whether it is the loop at all or waiting outside, such as for a connection from a pool. Then catch the culprit in the act: a watchdog that samples the stack of a loop thread when it has not turned for, say, 50 ms, or off-CPU profiles by eBPF, since a blocked thread does not show in a CPU profile. Usual suspects: name resolution by the C library, file system calls and fsync, logging to a pipe or disk that stalls, a lock held across an await or by a thread that was descheduled, password hashing and compression, JSON of megabytes, a regular expression that backtracks, page faults and throttling by the cgroup. Remedies: move it to bounded worker threads, cut it into pieces that yield, or put a limit on its size. With bounded workers comes a queue, whose waiting time has to be measured next.',
 NULL),

(31, 1,
 'What do DRY, KISS and YAGNI ask for?',
 'Do not repeat yourself: each piece of knowledge has one place, so that a change is made once. Keep it simple: of two solutions that do the job take the one that is easier to understand. You are not going to need it: do not build for requirements that nobody has yet. Together they keep code small; each alone can be overdone.',
 NULL),
(31, 2,
 'Two functions have the same ten lines. When do you not merge them?',
 'When they are alike by accident: they express two pieces of knowledge that happen to look the same today, such as the rules for two kinds of invoice, and will change for different reasons. Merged, they grow flags and special cases at the next change, and a mistake for one breaks the other. DRY is about knowledge and not about text. Waiting for the third occurrence shows what is really common; a wrong abstraction is dearer than a repetition, because all its callers have to be untangled. Knowledge that must stay equal, such as a format that is written and read, is merged at once, even if the two texts look different.',
 NULL),
(31, 3,
 'YAGNI says wait, but some decisions are expensive to change later. How do you tell them apart? Give examples from an API gateway.',
 'Ask for each decision: what does it cost now, what would it cost later, how probable is the need, and does waiting bring information? Most features are cheap later, since the seam is there: another policy is one more file, so writing it without a user is waste. Expensive later are what others build upon and what runs through everything: the names in a public file format, the meaning of error codes, the concurrency model, whether a body streams or is buffered, whether every growing thing has a limit, the position of each key in error messages, identifiers without a tenant. For those, spend thought rather than code: leave room, such as a version field, an enumeration that is not exhaustive, or a seam of one method, but no second implementation. A prototype that is thrown away often decides more cheaply than an abstraction that allows both. And security is not a feature to be added on demand, since the day of need is the day of damage.',
 'cargo run -- check examples/hiring/portcullis.yaml   # names in a file format stay'),

(32, 1,
 'What is a God class, and why is it a problem?',
 'A class that knows or does too much: everything of importance passes through it. It can hardly be understood or tested alone, everybody changes it at the same time, and each change may break something unrelated. It breaks the rule that a module should have one reason to change. Its name often gives it away: Manager, Helper, Context, Utils.',
 NULL),
(32, 2,
 'How do you take a God class of 4,000 lines apart while the team goes on working on it?',
 'First make its behaviour safe by tests at its edges. See which methods use which fields: clusters of fields that are used together are the classes hidden in it. Take out one cluster at a time, beginning with one that few others use, move its fields and methods to a class with a name from the domain, and let the old methods delegate, so that callers need not change at once; each step is small, is merged at once and leaves everything working. Then let callers move to the new class and delete the delegation. Forbid new methods in the old one, by a test on its size if need be.',
 NULL),
(32, 3,
 'After the split there are 30 small classes, but each gets the same AppContext with 25 fields handed in. What has been gained, and what is the next step?',
 'Little: the God class has become a God object, for everything can still reach everything, so that neither a signature nor a test tells what a class needs, and initialisation order and cycles hide in it. Group the fields by lifetime rather than by topic: those of one request, those of the configuration in force, those of the process; then each function takes the narrowest group, or rather just the parts that it uses. Services are given at construction and facts about the request at the call. Where many need the same few, that is a concept that wants a name; where a class needs twelve, it is itself too large. Turn dependencies round with small interfaces owned by the one who calls, and let the boundaries be enforced by packages that cannot see each other, since a convention lasts until the first deadline. One place, where the program is put together, may know everything; it contains no decisions.',
 NULL);
