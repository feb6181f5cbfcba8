/** @file The files of a model folder on a web server: their addresses, and which answers count as a missing file. */
import { describe, expect, it } from 'vitest';
import { urlFiles } from '../../../src/formats/files/url-files';
import { readWhole } from '../../../src/formats/files/whole-file';

describe('urlFiles', () => {
  const answer = (body: string, init: ResponseInit) =>
    urlFiles('https://host/models/a', () => Promise.resolve(new Response(body, init)));

  it('asks below its base', async () => {
    const asked: unknown[] = [];
    const files = urlFiles('models/a', (url) => {
      asked.push(url);
      return Promise.resolve(new Response('ab'));
    });
    expect(await readWhole((await files.open('x y/config.json'))!, 10)).toEqual(Uint8Array.of(97, 98));
    expect(asked).toEqual(['models/a/x%20y/config.json']);
  });

  it('takes 404 and a web page for a missing file, other failures for errors', async () => {
    expect(await answer('', { status: 404 }).open('a')).toBeNull();
    expect(await answer('<html>', { headers: { 'content-type': 'text/html; charset=utf-8' } }).open('a')).toBeNull();
    await expect(answer('', { status: 503, statusText: 'Busy' }).open('a')).rejects.toThrow(
      'models/a/a answered 503 Busy',
    );
    await expect(answer('abc', { headers: { 'content-length': '9' } }).open('a')).rejects.toThrow(
      '9 bytes expected, 3 came',
    );
    const down = urlFiles('https://host', () => Promise.reject(new TypeError('Failed to fetch')));
    await expect(down.open('a')).rejects.toThrow('https://host/a could not be reached: Failed to fetch');
  });
});
