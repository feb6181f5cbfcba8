import { describe, expect, test } from 'vitest';
import {
  titleOf,
  type AnswerTurn,
  type Column,
  type Conversation,
  type UserTurn,
} from '../../../../../src/storage/conversation';
import {
  leafOf,
  messagesFor,
  newConversation,
  rounds,
  withTurn,
  withVersion,
} from '../../../../../src/ui/pages/chat/history/conversation';
import { parseConversations, serializeConversations } from '../../../../../src/storage/conversation-schema';
import { entryOf, search } from '../../../../../src/storage/conversation-storage';
import { asJson, asMarkdown } from '../../../../../src/ui/pages/chat/history/conversation-text';
import { recommendedSettings } from '../../../../../src/ui/pages/chat/settings/sampling';
import { noStats } from '../../../../../src/ui/pages/chat/conversation/stats';
import { chatModel } from '../scripted-models';

const user = (id: string, parent: string | null, text = id): UserTurn => ({
  id,
  role: 'user',
  parent,
  text,
  created: 1,
  example: null,
});
const answer = (id: string, parent: string, text = id, column: Column = 0): AnswerTurn => ({
  id,
  role: 'assistant',
  parent,
  column,
  created: 2,
  model: { id: 'm', label: 'Model' },
  settings: recommendedSettings(chatModel('m')),
  text,
  tokens: [{ text, logprob: -0.5, top: [{ text: 'x', logprob: -1 }] }],
  status: 'done',
  error: '',
  notices: [],
  thought: { tokens: 2, ms: 10 },
  stats: noStats,
  verdict: null,
});
const build = (...turns: (UserTurn | AnswerTurn)[]): Conversation =>
  turns.reduce((tree, turn) => withTurn(tree, turn), newConversation('c', 5));
const path = (tree: Conversation) =>
  rounds(tree).map(({ user, answers }) => [user.id, ...answers.map((view) => view?.turn.id ?? '')].join(' '));

/** Two questions; the first edited once, its answer asked for twice; a second column. */
const tree = build(
  user('q1', null, 'What is 1+1?'),
  answer('a1', 'q1', '<think>hm</think>2'),
  answer('b1', 'q1', 'two', 1),
  answer('a1b', 'q1', 'hm</think>3'),
  user('q2', 'a1b'),
  answer('a2', 'q2'),
  user('q1b', null, 'What is 2+2?'),
  answer('a3', 'q1b'),
);

describe('a conversation', () => {
  test('shows the newest versions, and can go back to others with all that followed them', () => {
    expect(path(tree)).toEqual(['q1b a3 ']);
    const before = withVersion(tree, 'q1b', -1);
    expect(path(before)).toEqual(['q1 a1b b1', 'q2 a2 ']);
    expect(path(withVersion(before, 'a1b', -1))).toEqual(['q1 a1 b1']);
    expect(path(withVersion(withVersion(before, 'a1b', -1), 'a1', 1))).toEqual(['q1 a1b b1', 'q2 a2 ']);
    expect(withVersion(tree, 'q1b', 1)).toBe(tree);
    expect(leafOf(before)).toBe('a2');
    expect(leafOf(newConversation('e', 0))).toBeNull();
  });

  test('lists the versions of each turn', () => {
    const [first] = rounds(withVersion(tree, 'q1b', -1));
    expect(first!.versions.map(({ id }) => id)).toEqual(['q1', 'q1b']);
    expect(first!.answers[0]!.versions.map(({ id }) => id)).toEqual(['a1', 'a1b']);
    expect(first!.answers[1]!.versions.map(({ id }) => id)).toEqual(['b1']);
  });

  test('sends each model its own answers, without their thoughts', () => {
    const system = { ...tree, system: 'Be brief.' };
    expect(messagesFor(system, 'q2', 0)).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'What is 1+1?' },
      { role: 'assistant', content: '3' },
      { role: 'user', content: 'q2' },
    ]);
    expect(messagesFor(tree, 'q2', 1).map(({ content }) => content)).toEqual(['What is 1+1?', 'two', 'q2']);
  });

  test('is named after its first question, or as the user likes', () => {
    expect(titleOf(tree)).toBe('What is 1+1?');
    expect(titleOf({ ...tree, name: 'Sums' })).toBe('Sums');
    expect(titleOf(build(user('q', null, `${'word '.repeat(40)}\nmore`))).length).toBeLessThanOrEqual(60);
    expect(titleOf(newConversation('e', 0))).toBe('New conversation');
  });

  test('with a cycle ends', () => {
    const circle = { ...newConversation('c', 0), turns: { a: answer('a', 'q'), q: user('q', 'a') } };
    expect(rounds(circle)).toEqual([]);
    expect(messagesFor(circle, 'q', 0).length).toBeLessThan(4);
  });
});

describe('files', () => {
  test('a conversation survives being written and read', () => {
    expect(parseConversations(serializeConversations([tree]))).toEqual([tree]);
    expect(Object.keys(parseConversations(serializeConversations([tree]))[0]!.turns)).toEqual(Object.keys(tree.turns));
  });

  test('an answer that was being written is read as stopped', () => {
    const going = build(user('q', null), { ...answer('a', 'q'), status: 'streaming' });
    expect(parseConversations(serializeConversations([going]))[0]!.turns['a']).toMatchObject({ status: 'stopped' });
  });

  const broken = (change: (file: ReturnType<typeof JSON.parse>) => void): string => {
    const file = JSON.parse(serializeConversations([tree])) as ReturnType<typeof JSON.parse>;
    change(file);
    return JSON.stringify(file);
  };
  test.each<[string, string]>([
    ['no JSON', '{'],
    ['another file', '{"hello":1}'],
    ['another version', broken((file) => (file.version = 2))],
    ['a turn twice', broken((file) => file.conversations[0].turns.push(file.conversations[0].turns[0]))],
    ['a turn on nothing', broken((file) => (file.conversations[0].turns[1].parent = 'gone'))],
    ['an answer on an answer', broken((file) => (file.conversations[0].turns[1].parent = 'b1'))],
    ['an id with a path in it', broken((file) => (file.conversations[0].id = '../x'))],
    ['a number as text', broken((file) => (file.conversations[0].turns[0].text = 7))],
    ['an endless text', broken((file) => (file.conversations[0].turns[0].text = 'x'.repeat(1_000_001)))],
  ])('%s is refused', (_, text) => expect(() => parseConversations(text)).toThrow(/^It isn't /));

  test('unknown keys of a file are left out', () => {
    const [read] = parseConversations(broken((file) => (file.conversations[0].turns[0].onclick = 'alert(1)')));
    expect(read!.turns['q1']).toEqual(tree.turns['q1']);
  });

  test('Markdown has the shown branch, with thoughts as quotes', () => {
    const { name, bytes } = asMarkdown(withVersion(tree, 'q1b', -1));
    expect(name).toBe('What-is-1-1.md');
    expect(new TextDecoder().decode(bytes)).toBe(
      '# What is 1+1?\n\n## You\n\nWhat is 1+1?\n\n## Model\n\n> hm\n\n3\n\n## Model\n\ntwo\n\n## You\n\nq2\n\n## Model\n\na2\n',
    );
    expect(asJson([tree]).name).toBe('What-is-1-1.json');
  });
});

test('the search finds all words in questions and answers, whatever their case', () => {
  const entries = [entryOf(tree), entryOf(build(user('q', null, 'Weather')))];
  expect(search(entries, 'TWO what')).toEqual([entries[0]]);
  expect(search(entries, 'weather two')).toEqual([]);
  expect(search(entries, ' ')).toEqual(entries);
});
