/** @file Streaming detokenisation: characters in several tokens come out whole, and nothing is lost or doubled. */
import { describe, expect, it } from 'vitest';
import { TextStream } from '../../../src/formats/text/text-stream';

/** One token a byte, as byte-level vocabularies fall back to; id 256 stands for a space that is only written inside. */
const bytes = {
  decode(ids: ArrayLike<number>): string {
    const list = Array.from(ids);
    const inner = list.flatMap((id, i) => (id === 256 ? (i === 0 ? [] : [0x20]) : [id]));
    return new TextDecoder().decode(new Uint8Array(inner));
  },
};

const stream = (ids: number[]): string[] => {
  const text = new TextStream(bytes);
  return [...ids.map((id) => text.push(id)), text.end()];
};

describe('TextStream', () => {
  it('holds a character back until it is whole', () => {
    const ids = [...new TextEncoder().encode('aé→😀b')];
    expect(stream(ids)).toEqual(['a', '', 'é', '', '', '→', '', '', '', '😀', 'b', '']);
  });

  it('gives out what can never become a character, and goes on', () => {
    expect(stream([0xff, 0x61, 0x62, 0x63, 0x64, 0x65]).join('')).toBe('\ufffdabcde');
    expect(stream([0x61, 0xf0, 0x9f]).at(-1)).toBe('\ufffd');
  });

  it('reads a token in the context of the one before it', () => {
    expect(stream([256, 0x61, 256, 0x62]).join('')).toBe('a b');
  });
});
