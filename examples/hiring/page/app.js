// The interviewer's page: a client of the tables behind the gate, and nothing else.
//
// Views, chosen by the fragment of the URL, so that reloading a page goes on where it was:
//   #/                      #view-plan       choose a candidate, a slot and questions
//   #/interviews/7          #view-interview  ask and score
//   #/interviews/7/summary  #view-summary    averages, notes, conclusion
//
// What a test can hold on to (ids stay; lists carry data attributes):
//   plan       #candidate ("" = new) #candidate-name #candidate-email #interviewer #slot (value = slot id)
//              #level-all #level-1 #level-2 #level-3 #topic (value = topic id) #bank-count
//              #search #found button[data-resource][data-id] #found-count
//              #questions input[data-question-id]   #chosen li[data-question-id] button   #chosen-count #start
//              #interviews a[data-interview-id]   #candidate-name-error … #chosen-error #slot-error #slot-retry
//   interview  #progress-text ("Question 1 of 3") #question-topic #question-level #question-text #reveal #answer
//              #answer-text #try-it-command #score-0 … #score-4 #note #saved #previous #next #to-summary
//   summary    #summary-heading #average #scored #by-level tr[data-key] #by-topic tr[data-key]
//              #score-card li[data-question-id] #conclusion #finish #finished #back #another
//   failures   #problem (hidden while all is well) #problem-what #problem-title #problem-detail #problem-code
//              #problem-dismiss #problem-retry (hidden for 4xx but 408 and 429: what was sent has to change)
//   body[data-ready] is the name of the view once its data is shown: "plan", "interview", "summary" or "failed".
//
// Data gets into the page as text only (textContent, value): there is no way from a name to markup.

const LEVELS = ['', 'Junior', 'Middle', 'Senior'];
const PATIENCE = 10_000; // ms to wait for an answer

const element = (id) => document.getElementById(id);

// ---- the gate ------------------------------------------------------------------------------------------------------

/** What went wrong, in the words of the gate (RFC 9457) or, where none came, in ours. */
class Problem extends Error {
  constructor({ title, detail = '', status = 0, code = '' }) {
    super(title);
    Object.assign(this, { title, detail, status, code });
  }
}

/** One request. Resolves to the JSON of the answer, or null where there is none, and its entity tag; throws a Problem. */
async function ask(method, path, { query, body } = {}) {
  const url = query ? `${path}?${new URLSearchParams(query)}` : path;
  const headers = { Accept: 'application/json, application/problem+json' };
  if (body !== undefined) {
    headers['Content-Type'] = 'application/json';
    headers.Prefer = 'return=representation';
  }
  let response;
  let text;
  try {
    const content = body === undefined ? undefined : JSON.stringify(body);
    response = await fetch(url, { method, headers, body: content, cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
    text = await response.text();
  } catch (cause) {
    const late = cause.name === 'TimeoutError';
    throw new Problem({
      title: late ? 'The gate did not answer in time.' : 'The gate cannot be reached.',
      detail: 'Is it running, and is the network there?',
    });
  }
  let value = null;
  try {
    value = text === '' ? null : JSON.parse(text);
  } catch {
    if (response.ok) throw new Problem({ title: 'The answer is not JSON.', status: response.status });
  }
  if (!response.ok) {
    const { title, detail, code } = value ?? {};
    throw new Problem({ title: title ?? `The answer was ${response.status} ${response.statusText}`, detail, code, status: response.status });
  }
  return { value, tag: response.headers.get('ETag') };
}

const list = async (path, query) => (await ask('GET', path, { query })).value;
const create = async (path, body) => (await ask('POST', path, { body })).value;
const change = async (path, body) => (await ask('PATCH', path, { body })).value;
const remove = (path) => ask('DELETE', path);

/** Several operations, of which all happen or none; resolves to what became of each. */
const together = async (ops) => (await ask('POST', '/v1/$tx', { body: { ops } })).value.results;

// ---- telling people ------------------------------------------------------------------------------------------------

/** Shows a failure, and offers to try again where the same request may fare better. `kept` says what was not lost. */
function tell(what, problem, retry, kept = '') {
  if (!(problem instanceof Problem)) {
    console.error(problem);
    problem = new Problem({ title: 'The page itself failed.', detail: String(problem) });
  }
  element('problem-what').textContent = what;
  element('problem-kept').textContent = kept;
  element('problem-title').textContent = sentence(problem.title);
  element('problem-detail').textContent = problem.detail;
  element('problem-code').textContent = [problem.status || '', problem.code].join(' ').trim();
  const { status } = problem;
  element('problem-retry').hidden = status >= 400 && status < 500 && status !== 408 && status !== 429;
  element('problem-retry').onclick = () => {
    hush();
    retry();
  };
  element('problem').hidden = false;
}

const sentence = (text) => text.replace(/[^.!?]$/, '$&.');

function hush() {
  // The focus must not vanish together with the button that had it.
  if (element('problem').contains(document.activeElement)) element('main').focus();
  element('problem').hidden = true;
}

/** Runs a step; while it runs, another one asked for by an impatient click is not begun. */
async function step(what, work, kept) {
  const main = element('main');
  if (main.ariaBusy === 'true') return;
  main.ariaBusy = 'true';
  try {
    await work();
    hush();
  } catch (problem) {
    tell(what, problem, () => step(what, work, kept), kept);
  } finally {
    main.ariaBusy = 'false';
  }
}

/** Makes an element with properties and children; strings become text. */
function make(name, properties = {}, ...children) {
  const { data = {}, ...rest } = properties;
  const node = Object.assign(document.createElement(name), rest);
  Object.assign(node.dataset, data);
  node.append(...children);
  return node;
}

function when(text) {
  const date = new Date(text);
  return Number.isNaN(date.valueOf()) ? text : date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

/** What was written and has not reached the gate, kept through a crash or reload of the page. */
const drafts = {
  read(key) {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  },
  write(key, value) {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      // Without storage the form itself still holds what was written.
    }
  },
  drop(key) {
    try {
      localStorage.removeItem(key);
    } catch {
      // As above.
    }
  },
};

// ---- planning ------------------------------------------------------------------------------------------------------

const plan = {
  topics: new Map(), // id -> name
  chosen: new Map(), // id -> question, in the order in which they will be asked
  slots: new Map(), // id -> slot
  asked: 0, // number of the latest question to the bank: an answer that was overtaken is not shown
  searched: 0, // the same of searches
};

async function openPlan() {
  const [topics, candidates, interviews] = await Promise.all([
    list('/topics', { order: 'id.asc' }),
    list('/candidates', { order: 'name.asc', select: 'id,name,email' }),
    list('/interview-summaries', { order: 'interview_id.desc', limit: 20 }),
    showSlots(),
  ]);
  plan.topics = new Map(topics.map((topic) => [topic.id, topic.name]));
  fill(element('topic'), topics.map((topic) => [topic.id, `${topic.area}: ${topic.name}`]));
  fill(element('candidate'), candidates.map((candidate) => [candidate.id, `${candidate.name} (${candidate.email})`]));
  element('interviews').replaceChildren(...interviews.map(interviewLine));
  showNewCandidate();
  showChosen();
  await showBank();
}

function interviewLine(interview) {
  const href = `#/interviews/${interview.interview_id}${interview.finished_at ? '/summary' : ''}`;
  const link = make('a', { href, data: { interviewId: interview.interview_id } }, interview.candidate);
  const state = interview.finished_at ? `finished, average ${interview.average ?? '–'}` : `${interview.scored} of ${interview.questions} scored`;
  return make('li', {}, link, ` · ${when(interview.starts_at)} · ${interview.interviewer} · ${state}`);
}

/** Puts options after the first, which stays, and keeps the choice where it still exists. */
function fill(select, options) {
  const before = select.value;
  select.replaceChildren(select.options[0], ...options.map(([value, label]) => make('option', { value }, label)));
  select.value = before;
  if (select.selectedIndex < 0) select.selectedIndex = 0;
}

/** The calendar is another team's service: without it an interview can be planned all the same. */
async function showSlots() {
  try {
    const slots = await list('/calendar/slots', { order: 'starts_at.asc', limit: 30 });
    plan.slots = new Map(slots.map((slot) => [slot.id, slot]));
    fill(element('slot'), slots.map((slot) => [slot.id, `${when(slot.starts_at)}, ${slot.minutes} minutes, ${slot.room}`]));
    complain('slot', '');
    element('slot-retry').hidden = true;
  } catch (problem) {
    complain('slot', `The calendar has no answer. ${sentence(problem.title)} ${problem.detail}`);
    element('slot-retry').hidden = false;
  }
}

async function showBank() {
  const mine = ++plan.asked;
  const query = { select: 'id,topic_id,level,question', order: 'topic_id.asc,level.asc,id.asc' };
  const level = document.querySelector('[name=level]:checked').value;
  const topic = element('topic').value;
  if (level) query.level = `eq.${level}`;
  if (topic) query.topic_id = `eq.${topic}`;
  const questions = await list('/questions', query);
  if (mine !== plan.asked) return;
  element('questions').replaceChildren(...questions.map(bankLine));
  element('bank-count').textContent = questions.length === 1 ? '1 question' : `${questions.length} questions`;
}

function bankLine(question) {
  const box = make('input', { type: 'checkbox', checked: plan.chosen.has(question.id), data: { questionId: question.id } });
  box.addEventListener('change', () => {
    if (box.checked) plan.chosen.set(question.id, question);
    else plan.chosen.delete(question.id);
    showChosen();
  });
  const tags = make('span', { className: 'tag' }, `${plan.topics.get(question.topic_id)} · ${LEVELS[question.level]}`);
  return make('li', {}, make('label', {}, box, make('span', {}, question.question, ' ', tags)));
}

/** Looks among questions and candidates at once: a union of two resources of one shape. */
async function search() {
  const mine = ++plan.searched;
  const words = element('search').value.trim();
  const found = words === '' ? [] : await list('/v1/found-questions', {
    union: 'found-candidates', select: '$resource,id,text', text: `ilike.*${words}*`, limit: 10,
  });
  if (mine !== plan.searched) return;
  element('found').replaceChildren(...found.map(foundLine));
  element('found-count').textContent = words === '' ? '' : `${found.length === 10 ? 'The first 10' : found.length} found`;
}

function foundLine({ $resource: resource, id, text }) {
  const isCandidate = resource === 'found-candidates';
  const button = make('button', { type: 'button', className: 'quiet', data: { resource, id } }, `${isCandidate ? 'Candidate' : 'Question'}: ${text}`);
  button.addEventListener('click', () => {
    if (isCandidate) {
      element('candidate').value = String(id);
      showNewCandidate();
    } else {
      plan.chosen.set(id, { id, question: text });
      const box = document.querySelector(`#questions [data-question-id="${id}"]`);
      if (box) box.checked = true;
      showChosen();
    }
  });
  return make('li', {}, button);
}

function showChosen() {
  element('chosen').replaceChildren(...[...plan.chosen.values()].map((question) => {
    const button = make('button', { type: 'button', className: 'quiet remove', ariaLabel: `Leave out: ${question.question}` }, '×');
    button.addEventListener('click', () => {
      plan.chosen.delete(question.id);
      const box = document.querySelector(`#questions [data-question-id="${question.id}"]`);
      if (box) box.checked = false;
      showChosen();
      (element('chosen').querySelector('button') ?? element('start')).focus();
    });
    return make('li', { data: { questionId: question.id } }, make('div', {}, question.question, button));
  }));
  const count = plan.chosen.size;
  element('chosen-empty').hidden = count > 0;
  element('chosen-count').textContent = count === 0 ? '' : `${count} chosen`;
  if (count > 0) complain('chosen', '');
}

function showNewCandidate() {
  element('new-candidate').hidden = element('candidate').value !== '';
}

/** Puts a complaint beside a field, or takes it away; tells whether there is one. */
function complain(id, text) {
  element(`${id}-error`).textContent = text;
  if (id !== 'chosen' && id !== 'slot') element(id).ariaInvalid = String(text !== '');
  return text !== '';
}

/** Whether the plan is complete; leads to the first field that is not. The rules themselves are the tables'. */
function planComplete() {
  const isNew = element('candidate').value === '';
  const missing = [
    ['candidate-name', isNew && element('candidate-name').value.trim() === '' ? 'Who is it?' : ''],
    ['candidate-email', isNew && !/.@./.test(element('candidate-email').value) ? 'An address with an @ is needed.' : ''],
    ['interviewer', element('interviewer').value.trim() === '' ? 'Who asks?' : ''],
    ['chosen', plan.chosen.size === 0 ? 'Choose at least one question from the bank.' : ''],
  ].filter(([id, text]) => complain(id, text));
  if (missing.length === 0) return true;
  const [first] = missing[0];
  (first === 'chosen' ? element('level-all') : element(first)).focus();
  return false;
}

/**
 * Books the slot and stores the interview with its questions. Interview and questions are one transaction. The slot lives in
 * another service, which no transaction covers: when the interview can't be stored, the slot is given back.
 */
async function startInterview() {
  const candidate = await chosenCandidate();
  const slot = plan.slots.get(Number(element('slot').value));
  if (slot) await book(slot);
  try {
    const interview = { candidate_id: candidate, interviewer: element('interviewer').value.trim() };
    if (slot) Object.assign(interview, { slot_id: slot.id, starts_at: slot.starts_at });
    const card = [...plan.chosen.keys()].map((question, index) => ({ interview_id: { $ref: 'made.id' }, question_id: question, position: index + 1 }));
    const [made] = await together([
      { as: 'made', insert: 'interviews', values: interview, select: 'id' },
      { insert: 'scores', values: card },
    ]);
    const { id } = made.body;
    plan.chosen.clear();
    element('slot').value = '';
    location.hash = `#/interviews/${id}`;
  } catch (problem) {
    if (slot) await remove(`/calendar/bookings/${slot.id}`).catch(() => console.warn(`slot ${slot.id} could not be given back`));
    await showSlots();
    throw problem;
  }
}

async function book(slot) {
  try {
    await create('/calendar/bookings', { slot_id: slot.id, purpose: 'Interview' });
  } catch (problem) {
    if (problem.status === 409) problem.detail = 'Somebody else has booked this slot meanwhile. Choose another one, or none.';
    throw problem;
  }
}

/** The candidate's id. A new one stays, even if the interview comes to nothing, and is then no longer new. */
async function chosenCandidate() {
  const select = element('candidate');
  if (select.value !== '') return Number(select.value);
  const name = element('candidate-name').value.trim();
  const email = element('candidate-email').value.trim();
  const { id } = await create('/v1/candidates', { name, email });
  select.append(make('option', { value: id }, `${name} (${email})`));
  select.value = String(id);
  element('candidate-name').value = '';
  element('candidate-email').value = '';
  showNewCandidate();
  return id;
}

// ---- interviewing --------------------------------------------------------------------------------------------------

const interview = {
  id: 0,
  lines: [], // rows of the score card, each with its question
  tag: '', // of the version that is shown
  at: 0, // index of the line that is shown
  saving: Promise.resolve(), // the save in progress: the next one waits for it
};

async function openInterview(id) {
  const { facts, lines } = await scoreCard(id, 'id,level,question,answer,try_it,topics(name)');
  element('where').textContent = facts.candidates.name;
  if (lines.length === 0) throw new Problem({ title: 'This interview has no questions.' });
  // Begin where something was written and not saved, else with what was not asked yet.
  const unsaved = lines.findIndex((line) => drafts.read(draftKey(line)));
  const unasked = lines.findIndex((line) => line.score === null);
  Object.assign(interview, { id, lines, at: Math.max(unsaved < 0 ? unasked : unsaved, 0) });
  showQuestion();
}

/** An interview with its candidate and the lines of its score card, each with its question and topic: joined by the database. */
async function scoreCard(id, columns) {
  const query = {
    select: `id,interviewer,starts_at,finished_at,conclusion,candidates(name),lines:scores(id,position,score,note,question:questions(${columns}))`,
    'lines.order': 'position',
  };
  try {
    const { value, tag } = await ask('GET', `/v1/interviews/${id}`, { query });
    return { facts: value, lines: value.lines, tag };
  } catch (problem) {
    if (problem.status !== 404) throw problem;
    throw new Problem({ title: 'There is no such interview.', detail: `Number ${id} is not in the table.`, status: 404, code: problem.code });
  }
}

const draftKey = (line) => `draft/scores/${line.id}`;

function showQuestion() {
  const line = interview.lines[interview.at];
  const { question } = line;
  const count = interview.lines.length;
  element('progress-text').textContent = `Question ${interview.at + 1} of ${count}`;
  element('progress').max = count;
  element('progress').value = interview.at + 1;
  element('question-topic').textContent = question.topics.name;
  element('question-level').textContent = LEVELS[question.level];
  element('question-text').textContent = question.question;
  element('answer-text').textContent = question.answer;
  element('try-it').hidden = !question.try_it;
  element('try-it-command').textContent = question.try_it ?? '';
  reveal(false);
  const draft = drafts.read(draftKey(line));
  const shown = draft ?? line;
  for (const radio of document.querySelectorAll('[name=score]')) radio.checked = Number(radio.value) === shown.score && shown.score !== null;
  element('note').value = shown.note;
  element('saved').textContent = draft ? 'What you had written and not yet saved is here again.' : '';
  element('previous').disabled = interview.at === 0;
  element('next').textContent = interview.at + 1 === count ? 'To the summary' : 'Next';
  element('to-summary').hidden = interview.at + 1 === count;
}

function reveal(open) {
  element('answer').hidden = !open;
  element('reveal').ariaExpanded = String(open);
  element('reveal').textContent = open ? 'Hide the model answer' : 'Show the model answer';
}

function writtenScore() {
  const checked = document.querySelector('[name=score]:checked');
  return { score: checked ? Number(checked.value) : null, note: element('note').value };
}

function keepDraft() {
  drafts.write(draftKey(interview.lines[interview.at]), writtenScore());
  element('saved').textContent = 'Not saved yet.';
}

/** Saves the line that is shown as it is now, after whatever is being saved already. */
function saveLine() {
  const line = interview.lines[interview.at];
  const written = writtenScore();
  const save = async () => {
    if (written.score !== line.score || written.note !== line.note) {
      element('saved').textContent = 'Saving …';
      await change(`/v1/scores/${line.id}`, written).catch((problem) => {
        element('saved').textContent = 'Not saved yet.';
        throw problem;
      });
      Object.assign(line, written);
      element('saved').textContent = 'Saved.';
    }
    // Something may have been written meanwhile; that draft stays.
    const draft = drafts.read(draftKey(line));
    if (draft && draft.score === written.score && draft.note === written.note) drafts.drop(draftKey(line));
  };
  interview.saving = interview.saving.then(save, save);
  return interview.saving;
}

const KEPT = 'Your score and note are kept in this browser.';

/** Saves at once, beside what the interviewer is doing. */
async function saveInPassing() {
  try {
    await saveLine();
    hush();
  } catch (problem) {
    tell('The score was not saved.', problem, saveInPassing, KEPT);
  }
}

/** Saves, and only then shows another question, or the summary after the last. */
function go(to) {
  return step('The score was not saved.', async () => {
    await saveLine();
    if (to >= interview.lines.length) {
      location.hash = `#/interviews/${interview.id}/summary`;
    } else {
      interview.at = to;
      showQuestion();
      element('question-text').focus();
    }
  }, KEPT);
}

// ---- summing up ----------------------------------------------------------------------------------------------------

async function openSummary(id) {
  const [[total], averages, { facts, lines, tag }] = await Promise.all([
    list('/v1/scores', { interview_id: `eq.${id}`, select: 'questions:count(),scored:score.count(),average:score.avg()' }),
    list('/interview-averages', { interview_id: `eq.${id}`, order: 'key.asc' }),
    scoreCard(id, 'id,level,question,topics(name)'),
  ]);
  Object.assign(interview, { id, lines, tag });
  const { name } = facts.candidates;
  element('where').textContent = name;
  element('summary-heading').textContent = `Summary: ${name}`;
  element('summary-facts').textContent = `${when(facts.starts_at)}, asked by ${facts.interviewer}`;
  element('average').textContent = total.average === null ? '–' : String(Math.round(total.average * 100) / 100);
  element('scored').textContent = `${total.scored} of ${total.questions} questions scored`;
  for (const kind of ['level', 'topic']) {
    element(`by-${kind}`).replaceChildren(...averages.filter((row) => row.kind === kind).map(averageLine));
  }
  element('score-card').replaceChildren(...lines.map(cardLine));
  element('back').href = `#/interviews/${id}`;
  element('conclusion').value = drafts.read(`draft/interviews/${id}`) ?? facts.conclusion;
  showFinished(facts.finished_at);
}

function averageLine(row) {
  return make('tr', { data: { key: row.key } },
    make('th', { scope: 'row' }, row.name), make('td', {}, `${row.scored} of ${row.questions}`), make('td', {}, String(row.average ?? '–')));
}

function cardLine(line) {
  const { question } = line;
  const score = line.score === null ? 'not scored' : `${line.score} of 4`;
  const item = make('li', { data: { questionId: question.id } },
    make('p', {}, question.question, ' ', make('span', { className: 'tag' }, `${question.topics.name} · ${LEVELS[question.level]}`)),
    make('p', {}, make('strong', {}, score)));
  if (line.note) item.append(make('p', { className: 'said muted' }, line.note));
  return item;
}

function showFinished(time) {
  element('finished').textContent = time ? `Finished on ${when(time)}.` : '';
  element('finish').textContent = time ? 'Save the conclusion' : 'Finish the interview';
  element('finish').dataset.finishedAt = time ?? '';
}

/**
 * Stores the conclusion, and with it what was scored and never reached the gate: all of it, or nothing. The interview must still be
 * what is shown here (`if_match`), so that of two who conclude it at the same time the second overwrites nothing.
 */
async function finishInterview() {
  const time = element('finish').dataset.finishedAt || new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const unsaved = interview.lines.filter((line) => drafts.read(draftKey(line)));
  try {
    const results = await together([
      ...unsaved.map((line) => ({ patch: `scores/${line.id}`, values: drafts.read(draftKey(line)) })),
      { patch: `interviews/${interview.id}`, if_match: interview.tag, values: { conclusion: element('conclusion').value, finished_at: time } },
    ]);
    interview.tag = results.at(-1).etag;
  } catch (problem) {
    if (problem.status === 412) problem.detail = 'Somebody else has changed this interview meanwhile. Load the page again to see how.';
    throw problem;
  }
  unsaved.forEach((line) => drafts.drop(draftKey(line)));
  drafts.drop(`draft/interviews/${interview.id}`);
  showFinished(time);
}

// ---- views ---------------------------------------------------------------------------------------------------------

/** Shows the view that the fragment names, once its data is there. */
async function route(event) {
  const [, id, summary] = /^#\/interviews\/(\d+)(\/summary)?$/.exec(location.hash) ?? [];
  const name = !id ? 'plan' : summary ? 'summary' : 'interview';
  delete document.body.dataset.ready;
  const asked = location.hash;
  try {
    element('where').textContent = '';
    if (name === 'plan') await openPlan();
    else if (name === 'interview') await openInterview(Number(id));
    else await openSummary(Number(id));
    if (location.hash !== asked) return; // another view was asked for meanwhile
    for (const view of document.querySelectorAll('main > section')) view.hidden = view.id !== `view-${name}`;
    hush();
    // Only after a step inside the page: whoever has just opened it begins at the top.
    if (event) document.querySelector(`#view-${name} h1`).focus();
    document.body.dataset.ready = name;
  } catch (problem) {
    document.body.dataset.ready = 'failed';
    tell('This could not be loaded.', problem, () => route(event));
  }
}

const showBankOrTell = () => showBank().catch((problem) => tell('The question bank could not be read.', problem, showBankOrTell));

element('candidate').addEventListener('change', showNewCandidate);
for (const id of ['candidate-name', 'candidate-email', 'interviewer']) element(id).addEventListener('input', () => complain(id, ''));
element('topic').addEventListener('change', showBankOrTell);
for (const radio of document.querySelectorAll('[name=level]')) radio.addEventListener('change', showBankOrTell);
element('search').addEventListener('input', () => search().catch((problem) => tell('The search failed.', problem, search)));
element('slot-retry').addEventListener('click', showSlots);
element('plan-form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (planComplete()) step('The interview could not be started.', startInterview, 'Nothing of your plan is lost.');
});

element('reveal').addEventListener('click', () => reveal(element('answer').hidden));
element('note').addEventListener('input', keepDraft);
element('note').addEventListener('change', saveInPassing);
for (const radio of document.querySelectorAll('[name=score]')) {
  radio.addEventListener('change', () => {
    keepDraft();
    saveInPassing();
  });
}
element('previous').addEventListener('click', () => go(interview.at - 1));
element('to-summary').addEventListener('click', () => go(interview.lines.length));
element('score-form').addEventListener('submit', (event) => {
  event.preventDefault();
  go(interview.at + 1);
});

element('conclusion').addEventListener('input', () => drafts.write(`draft/interviews/${interview.id}`, element('conclusion').value));
element('conclusion-form').addEventListener('submit', (event) => {
  event.preventDefault();
  step('The interview was not finished.', finishInterview, 'Your conclusion is kept in this browser.');
});

element('problem-dismiss').addEventListener('click', hush);
window.addEventListener('hashchange', route);
route();
