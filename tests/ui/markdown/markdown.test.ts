import { describe, expect, test } from 'vitest';
import { BlockSplitter } from '../../../src/ui/markdown/blocks';
import { spellControls } from '../../../src/ui/markdown/controls';
import { MAX_BLOCK, MAX_CELLS, MAX_FORMULAS } from '../../../src/ui/markdown/limits';
import { createMarkdown, renderBlock } from '../../../src/ui/markdown/markdown';
import { renderMath } from '../../../src/ui/markdown/math';
import { harmlessStyle } from '../../../src/ui/markdown/sanitize';

const md = createMarkdown();

/** What the blocks of a text come to, before the sanitizer. */
function render(text: string): string {
  const splitter = new BlockSplitter(md);
  return [...splitter.update(text)].map((block) => renderBlock(md, block, splitter.env)).join('');
}

const SAMPLE = `# Sums

Let $a_1 = 2$ and

$$
\\frac{a_1}{2} = 1
$$

1. first

   more of it
2. second
   - nested

> quoted
lazily

| a | b |
|---|---|
| 1 | 2 |

\`\`\`python
def f(x):

    return x
\`\`\`

Setext
------
The end, \\(x\\) and [a link][1].

[1]: https://example.org/
`;

describe('blocks', () => {
  test('cover the text, and render the same separately as together', () => {
    const splitter = new BlockSplitter(md);
    const blocks = splitter.update(SAMPLE);
    expect(blocks.map(({ source }) => source).join('')).toBe(SAMPLE);
    expect(blocks.length).toBeGreaterThan(8);
    expect(render(SAMPLE)).toBe(md.render(SAMPLE));
  });

  test('are the same whether the text comes at once or character by character', () => {
    const growing = new BlockSplitter(md);
    for (let end = 1; end <= SAMPLE.length; end++) {
      const partly = growing.update(SAMPLE.slice(0, end)).map(({ source }) => source);
      const whole = new BlockSplitter(md).update(SAMPLE.slice(0, end)).map(({ source }) => source);
      expect(partly).toEqual(whole);
    }
  });

  test('start again when the text is replaced', () => {
    const splitter = new BlockSplitter(md);
    splitter.update(SAMPLE);
    expect(splitter.update('other\n\ntext').map(({ source }) => source)).toEqual(['other\n\n', 'text']);
  });

  test('that are very long are plain text or one piece of code, also while they grow', () => {
    const line = 'x'.repeat(5 * MAX_BLOCK + 17);
    const code = `before\n\n\`\`\`js\n${'let a = 1;\n'.repeat(6000)}\`\`\`\nafter`;
    for (const text of [line, code]) {
      const growing = new BlockSplitter(md);
      for (let end = 0; end < text.length; end += 4001) growing.update(text.slice(0, end));
      const blocks = growing.update(text);
      expect(blocks.map(({ source }) => source).join('') === text).toBe(true);
      expect(blocks.map(({ kind }) => kind)).toEqual(new BlockSplitter(md).update(text).map(({ kind }) => kind));
    }
    expect(new BlockSplitter(md).update(line)[0]!.kind).toBe('plain');
    expect(new BlockSplitter(md).update(code).map(({ kind }) => kind)).toEqual(['markdown', 'code', 'markdown']);
  });
});

describe('markdown', () => {
  test.each([
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<svg><script>1</script></svg>',
    '<iframe src="//evil.example"></iframe>',
    '<base href="//evil.example">',
  ])('HTML stays text: %s', (text) => {
    expect(render(text)).not.toContain(text.slice(0, 4));
    expect(render(text)).toContain('&lt;');
  });

  test.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    '//evil.example',
    'blob:x',
  ])('no link goes to %s', (url) => {
    expect(render(`[x](${url}) ![y](${url}) <${url}>`)).not.toMatch(/href|src/);
  });

  test('an image is a link with its description', () => {
    expect(render('![a *cat*](https://evil.example/c.png?q=1)')).toBe(
      '<p><a href="https://evil.example/c.png?q=1">a *cat*</a></p>\n',
    );
  });

  test('a table shows as many cells as allowed, and says how many it leaves out', () => {
    const table = (columns: number, rows: number) =>
      ['|h'.repeat(columns), '|-'.repeat(columns), ...Array<string>(rows).fill('|1'.repeat(columns))].join('\n');
    const long = render(table(4, 900));
    expect(long.match(/<t[hd][ >]/g)).toHaveLength(MAX_CELLS);
    expect(long).toContain(`${(4 * 901 - MAX_CELLS).toLocaleString('en')} more cells are not shown`);
    expect(render(table(2000, 1)).match(/<t[hd][ >]/g)).toHaveLength(MAX_CELLS);
    expect(render(table(2, 2))).not.toContain('not shown');
  });

  test('lists that are nested too deeply are shown as source', () => {
    const deep = `${'>'.repeat(200)} bottom`;
    expect(render(deep)).toBe(`<p class="plain">${'&gt;'.repeat(200)} bottom</p>`);
    expect(render(`${'>'.repeat(10)} bottom`)).toContain('<blockquote>');
  });

  test('an unclosed fence is code, with the language named', () => {
    expect(render('```js\nlet x')).toContain('class="language-js"');
    expect(render('```"><script>\nx')).not.toContain('<script');
  });
});

describe('math', () => {
  test.each(['$x^2$', '\\(x^2\\)', '$$x^2$$', '\\[x^2\\]', '$$\nx^2\n$$', 'so \\[\nx^2\n\\] it is', '- \\[x^2\\]'])(
    'is typeset: %j',
    (text) => expect(render(text)).toContain('<mi>x</mi>'),
  );
  test.each(['It costs $5 and $6.', 'a $ b', '$$', '\\$x\\$', '`$x$`', '$ x$', '\\(open', '$$\nopen'])(
    'is not: %j',
    (text) => expect(render(text)).not.toContain('katex'),
  );
  test('only so many formulas of a block are typeset', () => {
    const html = render('$x$ '.repeat(400));
    expect(html.match(/class="katex"/g)).toHaveLength(MAX_FORMULAS);
    expect(html.match(/<code>x<\/code>/g)).toHaveLength(400 - MAX_FORMULAS);
    expect(render(`${'$x$ '.repeat(MAX_FORMULAS - 1)}\n\n$x$ $x$`)).not.toContain('<code>');
  });
  test('formulas that can’t be typeset are shown as source', () => {
    expect(render('$\\nosuchcommand <b>$')).toContain('<code>\\nosuchcommand &lt;b&gt;</code>');
  });
  test.each(['\\def\\a{\\a\\a}\\a', '\\newcommand{\\b}{xx}\\b', '\\let\\c=x', `${'\\sqrt{'.repeat(3000)}x`])(
    'number %# is refused',
    (source) => expect(renderMath(source, true)).toBeNull(),
  );
  test.each([
    '\\href{javascript:alert(1)}{x}',
    '\\url{javascript:alert(1)}',
    '\\includegraphics{https://evil.example/x.png}',
    '\\htmlStyle{color:url(x)}{y}',
    '\\htmlId{location}{x}',
  ])('makes no link, image, style or name: %s', (source) => {
    expect(renderMath(source, true) ?? '').not.toMatch(/href=|src=|<img|style="[^"]*url|id=/);
  });
  test('a length is capped', () => {
    expect(renderMath('\\rule{900em}{900em}', true)).not.toMatch(/:\d{3}em/);
  });
});

test('reordering characters are written out', () => {
  expect(spellControls('a\u202eb\u2066c')).toBe('a⟨U+202E⟩b⟨U+2066⟩c');
});

test.each([
  ['height:1em;vertical-align:-0.25em', true],
  ['border-bottom-width:0.04em', true],
  ['position:relative', true],
  ['color:#cc0000', true],
  ['position:fixed', false],
  ['background:url(//evil.example)', false],
  ['background-color:url(x)', false],
  ['width:expression(alert(1))', false],
  ['top:0;z-index:9', false],
])('style %s is harmless: %s', (style, expected) => expect(harmlessStyle(style)).toBe(expected));
