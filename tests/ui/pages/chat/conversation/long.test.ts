/** @file Long answers and long conversations: what each step costs doesn't depend on how much there is already. */
import { describe, expect, test } from 'vitest';
import type { ChatModel, ChatToken } from '../../../../../src/runs/chat-model';
import type { Conversation, Turn } from '../../../../../src/storage/conversation';
import {
  MAX_ANSWER_TEXT,
  parseConversations,
  serializeConversations,
} from '../../../../../src/storage/conversation-schema';
import { entryOf } from '../../../../../src/storage/conversation-storage';
import { ThoughtMeter } from '../../../../../src/tasks/answers/thought-meter';
import { ChatSession } from '../../../../../src/ui/pages/chat/conversation/chat-session.svelte';
import { inSections } from '../../../../../src/ui/pages/chat/conversation/near-view';
import { noStats } from '../../../../../src/ui/pages/chat/conversation/stats';
import {
  leafOf,
  messagesFor,
  newConversation,
  rounds,
  withTurn,
} from '../../../../../src/ui/pages/chat/history/conversation';
import { toySettings } from '../../../../../src/ui/pages/chat/settings/sampling';
import { OpenModels } from '../../../../../src/ui/pages/chat/models/open-models.svelte';
import { requestTo } from '../scripted-models';

const TURNS = 20_000;

/** A conversation of as many turns as the schema allows; `read` counts how often any of their roles is looked at. */
function longConversation(): { conversation: Conversation; read: () => number } {
  let read = 0;
  const turns: Record<string, Turn> = {};
  for (let i = 0; i < TURNS / 2; i++) {
    const question = {
      id: `q${i}`,
      parent: i === 0 ? null : `a${i - 1}`,
      text: `question ${i}`,
      created: 1,
      example: null,
    };
    const answer = {
      ...{ id: `a${i}`, parent: `q${i}`, column: 0, created: 1, model: { id: 'm', label: 'M' }, text: `answer ${i}` },
      ...{ settings: toySettings, tokens: [], status: 'done', error: '', notices: [], thought: null, stats: noStats },
      verdict: null,
    };
    const counted = (turn: object, role: string) =>
      Object.defineProperty(turn, 'role', { enumerable: true, get: () => (read++, role) }) as Turn;
    turns[question.id] = counted(question, 'user');
    turns[answer.id] = counted(answer, 'assistant');
  }
  return { conversation: { ...newConversation('c', 1), turns }, read: () => read };
}

describe('a conversation of 20,000 turns', { timeout: 60_000 }, () => {
  test('is shown, continued and asked about with a few looks at each turn', () => {
    const { conversation, read } = longConversation();
    const path = rounds(conversation);
    expect(path).toHaveLength(TURNS / 2);
    expect(path.at(-1)!.answers[0]!.turn.id).toBe(`a${TURNS / 2 - 1}`);
    expect(leafOf(conversation)).toBe(`a${TURNS / 2 - 1}`);
    const messages = messagesFor(conversation, `q${TURNS / 2 - 1}`, 0);
    expect(messages).toHaveLength(TURNS - 1);
    expect(messages.slice(0, 2).map(({ content }) => content)).toEqual(['question 0', 'answer 0']);
    expect(messages.at(-1)!.content).toBe(`question ${TURNS / 2 - 1}`);
    expect(read()).toBeLessThan(10 * TURNS);
  });

  test('is written once, however often it is saved', () => {
    const { conversation, read } = longConversation();
    const text = serializeConversations([conversation]);
    const turns = parseConversations(text)[0]!.turns;
    expect(Object.keys(turns)).toEqual(Object.keys(conversation.turns));
    expect(turns['a7']).toEqual(JSON.parse(JSON.stringify(conversation.turns['a7'])));
    const before = read();
    const [first] = Object.values(conversation.turns);
    const more = withTurn(conversation, { ...first!, text: 'another text' } as Turn);
    expect(parseConversations(serializeConversations([more]))[0]!.turns[first!.id]).toMatchObject({
      text: 'another text',
    });
    expect(read() - before).toBeLessThan(20);
    expect(entryOf(more).words.length).toBeLessThanOrEqual(50_000);
  });

  test('is drawn in sections', () => {
    const sections = inSections(
      Array.from({ length: 12 }, (_, i) => i),
      5,
    );
    expect(sections).toEqual([
      { first: 0, rounds: [0, 1, 2, 3, 4] },
      { first: 5, rounds: [5, 6, 7, 8, 9] },
      { first: 10, rounds: [10, 11] },
    ]);
    expect(inSections([])).toEqual([]);
  });
});

describe('thoughts that are measured', () => {
  const measure = (...tokens: string[]) => {
    const meter = new ThoughtMeter();
    tokens.forEach((token, i) => meter.push(token, i));
    return meter.size;
  };

  test('may have their tags cut anywhere', () => {
    expect(measure('<th', 'ink>', 'a', 'b')).toEqual({ tokens: 4, ms: 3 });
    expect(measure('<think>', 'a', '</th', 'ink', '>x', 'y')).toEqual({ tokens: 5, ms: 4 });
    expect(measure('a', '<', '/', 't', 'h', 'i', 'n', 'k', '>', 'b')).toEqual({ tokens: 9, ms: 8 });
    expect(measure('a', 'b')).toBeNull();
    expect(measure(' '.repeat(5000), '<think>')).toBeNull();
  });

  test('are measured in time that grows with their length alone', () => {
    const time = (count: number) => {
      const meter = new ThoughtMeter();
      meter.push('<think>');
      const begin = process.cpuUsage().user;
      for (let i = 0; i < count; i++) meter.push('some word ', i);
      return process.cpuUsage(process.cpuUsage()).user + process.cpuUsage().user - begin;
    };
    time(20_000);
    // Quadratic work would be 400 times as long.
    expect(time(400_000)).toBeLessThan(150 * Math.max(time(20_000), 1000));
  });
});

function sessionWith(generate: ChatModel['generate']) {
  let id = 0;
  const saved: Conversation[] = [];
  const models = new OpenModels(() => Promise.resolve({ name: 'm', close: () => {}, generate } as never));
  const session = new ChatSession({
    models,
    save: async (conversation) => void saved.push(conversation),
    newId: () => `id${id++}`,
  });
  return { session, saved };
}

test('an answer without an end ends where it could no longer be read again', async () => {
  let given = 0;
  const { session, saved } = sessionWith(async function* (): AsyncGenerator<ChatToken> {
    for (;;) {
      given++;
      yield { text: 'x'.repeat(1000) };
    }
  });
  await session.send('go on', [requestTo('a')]);
  await session.saved();
  const turn = rounds(session.conversation)[0]!.answers[0]!.turn;
  expect(turn.text.length).toBe(MAX_ANSWER_TEXT);
  expect(turn.status).toBe('length');
  expect(turn.notices.join()).toContain('greatest length');
  expect(given).toBe(MAX_ANSWER_TEXT / 1000 + 1);
  const [again] = parseConversations(serializeConversations([saved.at(-1)!]));
  expect(again!.turns[turn.id]).toMatchObject({ text: turn.text });
});
