/** @file Zips: round trip, folders left off, hostile archives. */
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../src/base/crc32';
import { packZip, unpackZip } from '../../src/base/zip';

const bytes = (...values: number[]) => Uint8Array.of(...values);

describe('zip', () => {
  it('unpacks what it packs, small and large', () => {
    const large = Uint8Array.from({ length: (1 << 20) + 5 }, (_, i) => i * 7);
    const files = new Map([
      ['config.json', bytes(1, 2)],
      ['deep/er/weights', large],
      ['empty', bytes()],
    ]);
    const unpacked = unpackZip(packZip(files));
    expect([...unpacked.keys()]).toEqual([...files.keys()]);
    for (const [path, content] of files) expect(Buffer.compare(unpacked.get(path)!, content)).toBe(0);
  });

  it('leaves off a folder around everything, and what macOS adds', () => {
    const archive = zipSync({
      'model/a.json': bytes(1),
      'model/sub/b': bytes(2),
      '__MACOSX/._a': bytes(3),
      'model/.DS_Store': bytes(4),
    });
    expect(unpackZip(archive)).toEqual(
      new Map([
        ['a.json', bytes(1)],
        ['sub/b', bytes(2)],
      ]),
    );
  });

  it('refuses archives that unpack to too much, before unpacking', () => {
    const bomb = zipSync({ a: new Uint8Array(1 << 22), b: new Uint8Array(1 << 22) });
    expect(bomb.length).toBeLessThan(1 << 14);
    expect(() => unpackZip(bomb, { files: 10, bytes: 1 << 22 })).toThrow(/unpacks to more than 4194304 bytes/);
    expect(() => unpackZip(bomb, { files: 1, bytes: 1 << 30 })).toThrow(/more than 1 files/);
    expect(unpackZip(bomb, { files: 2, bytes: 1 << 23 }).size).toBe(2);
  });

  it('refuses paths that climb out', () => {
    for (const path of ['../a', 'x/../../a', '/etc/passwd', 'C:\\a', '..\\a']) {
      expect(() => unpackZip(zipSync({ [path]: bytes(1) }))).toThrow(/leads out of its folder/);
    }
  });

  it('names the file whose bits have changed, wherever the bit is', () => {
    const content = Uint8Array.from({ length: 3001 }, (_, i) => Math.imul(i + 1, 2654435761) >>> 11);
    for (const level of [0, 6] as const) {
      const whole = zipSync({ 'm/config.json': bytes(1, 2, 3), 'm/w': content }, { level });
      const directory = new DataView(whole.buffer).getUint32(whole.length - 6, true);
      for (const at of [directory - 20, directory - 150]) {
        const flipped = whole.slice();
        flipped[at]! ^= 4;
        expect(() => unpackZip(flipped)).toThrow(/damaged: "m\/w" (is not what was packed|has not)|can't be read/);
      }
      expect(unpackZip(whole).size).toBe(2);
    }
  });

  it('reads archives with a comment, with a data descriptor, and of any writer', () => {
    const whole = zipSync({ a: bytes(5, 6) }, { comment: 'hello' } as never);
    expect(unpackZip(whole).get('a')).toEqual(bytes(5, 6));
    const longer = new Uint8Array(whole.length + 300);
    longer.set(whole);
    new DataView(longer.buffer).setUint16(whole.length - 2, 300, true);
    expect(unpackZip(longer).get('a')).toEqual(bytes(5, 6));
  });

  it('leaves packed what is not wanted, and refuses what is larger than such a file can be', () => {
    const wanted = (name: string) => (name === 'config.json' ? 1000 : 0);
    const bomb = zipSync({ 'm/config.json': bytes(1), 'm/other': new Uint8Array(1 << 24) });
    expect([...unpackZip(bomb, { files: 10, bytes: 2000, wanted }).keys()]).toEqual(['config.json']);
    const large = zipSync({ 'config.json': new Uint8Array(1 << 16) });
    expect(() => unpackZip(large, { files: 10, bytes: 2 ** 31, wanted })).toThrow(
      /"config.json" in the zip has 65536 bytes/,
    );
  });

  it('refuses what shrank more than a model does', () => {
    const bomb = zipSync({ 'model.safetensors': new Uint8Array(1 << 26) }, { level: 9 });
    expect(bomb.length).toBeLessThan(1 << 17);
    expect(() => unpackZip(bomb)).toThrow(/unpacks to more than/);
  });

  it('has the checksum of other programs', () => {
    const text = new TextEncoder().encode('The quick brown fox jumps over the lazy dog');
    expect(crc32(text)).toBe(0x414fa339);
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
    expect(crc32(bytes())).toBe(0);
  });

  it('refuses what is no zip, and a damaged one', () => {
    expect(() => unpackZip(bytes())).toThrow(/can't be read/);
    expect(() => unpackZip(new TextEncoder().encode('<!doctype html>'.repeat(9)))).toThrow(/can't be read/);
    const whole = zipSync({ a: Uint8Array.from({ length: 5000 }, (_, i) => (i * i) % 251) });
    expect(() => unpackZip(whole.subarray(0, whole.length - 30))).toThrow(/can't be read/);
    // The directory's claim of the unpacked size, made larger than what the data holds.
    const lying = whole.slice();
    const directory = new DataView(lying.buffer).getUint32(lying.length - 6, true);
    new DataView(lying.buffer).setUint32(directory + 24, 6000, true);
    expect(() => unpackZip(lying)).toThrow(/damaged: "a" has not its full size/);
  });
});
