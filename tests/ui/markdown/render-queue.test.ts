import { describe, expect, test } from 'vitest';
import { BlockSplitter } from '../../../src/ui/markdown/blocks';
import { createMarkdown } from '../../../src/ui/markdown/markdown';
import { RenderQueue, type Renderable } from '../../../src/ui/markdown/render-queue';

/** A queue whose clock and frames the test moves. */
function queueOfTest() {
  let now = 0;
  const frames: (() => void)[] = [];
  const queue = new RenderQueue(
    (callback) => void frames.push(callback),
    () => now,
  );
  const log: string[] = [];
  const view = (name: string, steps: number, ms: number): Renderable => ({
    render(isLate) {
      do {
        log.push(name);
        now += ms;
        steps--;
      } while (steps > 0 && !isLate());
      return steps <= 0;
    },
  });
  return { queue, frames, log, view, frame: () => frames.shift()?.() };
}

describe('the render queue', () => {
  test('renders what was added in one frame, each view once', () => {
    const { queue, frames, log, view, frame } = queueOfTest();
    const a = view('a', 1, 1);
    queue.add(a);
    queue.add(a);
    queue.add(view('b', 1, 1));
    expect(frames).toHaveLength(1);
    frame();
    expect(log).toEqual(['a', 'b']);
    expect(frames).toHaveLength(0);
  });

  test('leaves the rest to the next frame, and lets every view have its turn', () => {
    const { queue, log, view, frame, frames } = queueOfTest();
    queue.add(view('a', 9, 5));
    queue.add(view('b', 2, 5));
    frame();
    expect(log.join('')).toBe('aaa');
    frame();
    expect(log.join('')).toBe('aaabba');
    frame();
    frame();
    expect(log.join('')).toBe('aaabbaaaaaa');
    frame();
    expect(frames).toHaveLength(0);
  });

  test('forgets a view that is gone', () => {
    const { queue, log, view, frame } = queueOfTest();
    const a = view('a', 1, 1);
    queue.add(a);
    queue.remove(a);
    frame();
    expect(log).toEqual([]);
  });
});

describe('splitting', () => {
  const md = createMarkdown();
  const paragraphs = (count: number) =>
    Array.from({ length: count }, (_, i) => `Paragraph ${i} of *many*.\n\n`).join('');

  test('goes on where it stopped, and comes to the same', () => {
    const text = paragraphs(4000);
    const whole = new BlockSplitter(md).update(text).map(({ source }) => source);
    const splitter = new BlockSplitter(md);
    let calls = 1;
    while (splitter.update(text, () => true) && !splitter.isWhole) calls++;
    expect(splitter.blocks.map(({ source }) => source)).toEqual(whole);
    expect(calls).toBeGreaterThan(3);
  });

  test('looks at the last blocks alone when a text grows', () => {
    let parsed = 0;
    const counting = createMarkdown();
    const parse = counting.block.parse.bind(counting.block);
    counting.block.parse = (source, ...rest) => {
      parsed += source.length;
      return parse(source, ...rest);
    };
    const splitter = new BlockSplitter(counting);
    const text = paragraphs(2000);
    splitter.update(text);
    parsed = 0;
    for (let i = 0; i < 50; i++) splitter.update(text + 'word '.repeat(i));
    expect(parsed / 50).toBeLessThan(500);
  });
});
