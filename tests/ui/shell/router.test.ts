import { expect, test, vi } from 'vitest';

// The router reads the address when it is loaded.
vi.stubGlobal('location', { hash: '' });
vi.stubGlobal('addEventListener', () => {});
const { formatHash, parseHash } = await import('../../../src/ui/shell/router.svelte');

test.each([
  ['', 'train'],
  ['#', 'train'],
  ['#/', 'train'],
  ['#/Chat', 'chat'],
  ['#/runs/', 'runs'],
  ['#/about?x=1', 'about'],
  ['#garbage', 'garbage'],
  ['#/runs/xyz', '#/runs/xyz'],
  ['#/über', '#/über'],
])('%j is the page %j', (hash, page) => expect(parseHash(hash).page).toBe(page));

test('parameters survive being written and read', () => {
  const params = new URLSearchParams({ model: 'run:a@1', prompt: '1+1=&?' });
  const { page, params: read } = parseHash(formatHash('chat', params));
  expect([page, [...read]]).toEqual(['chat', [...params]]);
});
