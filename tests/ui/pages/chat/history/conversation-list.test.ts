import 'fake-indexeddb/auto';
import { describe, expect, test } from 'vitest';
import { newConversation, withTurn } from '../../../../../src/ui/pages/chat/history/conversation';
import { ConversationList } from '../../../../../src/ui/pages/chat/history/conversation-list.svelte';
import { serializeConversations } from '../../../../../src/storage/conversation-schema';
import { ConversationStorage } from '../../../../../src/storage/conversation-storage';

describe('ConversationList', () => {
  const asked = (id: string, text: string) =>
    withTurn(newConversation(id, 1), { id: 'q', role: 'user', parent: null, text, created: 1, example: null }, 2);

  test('lists, finds, renames, deletes with undo, and imports copies of those that exist', async () => {
    const storage = new ConversationStorage('parts-test');
    await storage.save(asked('c1', 'Weather'));
    await storage.save({ ...asked('c2', 'Sums'), updated: 9 });
    const list = new ConversationList(storage);
    await list.load();
    expect(list.shown.map(({ title }) => title)).toEqual(['Sums', 'Weather']);
    list.query = 'weath';
    expect(list.shown.map(({ id }) => id)).toEqual(['c1']);
    list.query = '';
    await list.rename('c1', 'Rain');
    expect((await list.open('c1'))!.name).toBe('Rain');

    await list.removal.start({ id: 'c1', name: 'Rain' });
    expect(list.shown.map(({ id }) => id)).toEqual(['c2']);
    list.removal.undo();
    expect(list.shown).toHaveLength(2);
    await list.removal.start({ id: 'c1', name: 'Rain' });
    await list.removal.flush();
    expect(await storage.get('c1')).toBeUndefined();
    expect(await list.open('c1')).toBeNull();
    expect(list.problem).toContain('no longer exists');

    const text = serializeConversations([asked('c2', 'Sums'), asked('c3', 'New')]);
    const file = (body: string) => ({ name: 'x.json', size: body.length, text: () => Promise.resolve(body) });
    expect(await list.importFile(file(text), () => 'fresh')).toBe(2);
    expect(list.entries.map(({ id }) => id).sort()).toEqual(['c2', 'c3', 'fresh']);
    expect(await list.importFile(file('{}'))).toBe(0);
    expect(list.problem).toContain("x.json can't be imported");
    expect(await list.importFile({ ...file(text), size: 1e9 })).toBe(0);
    expect(list.problem).toContain('too large');
  });

  test('full storage is explained', async () => {
    const storage = new ConversationStorage('parts-full');
    const put = IDBObjectStore.prototype.put;
    IDBObjectStore.prototype.put = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    await expect(storage.save(asked('c', 'x'))).rejects.toThrow('not saved');
    IDBObjectStore.prototype.put = put;
  });
});
