/** @file What is a formula, what is money, and which text is emphasis: neighbours of what models write. */
import { describe, expect, test } from 'vitest';
import { BlockSplitter } from '../../../src/ui/markdown/blocks';
import { createMarkdown, renderBlock } from '../../../src/ui/markdown/markdown';

const md = createMarkdown();

function render(text: string): string {
  const splitter = new BlockSplitter(md);
  return [...splitter.update(text)].map((block) => renderBlock(md, block, splitter.env)).join('');
}
const formulas = (text: string): number => render(text).match(/class="katex"/g)?.length ?? 0;
const displays = (text: string): number => render(text).match(/class="katex-display"/g)?.length ?? 0;

describe('dollars are no formula', () => {
  test.each([
    'It costs $5 or 10$.',
    'from 20$ to 30$, or 5$',
    '10$–20$ a day',
    '20$/30$ plans',
    'US$5/A$8, and HK$9/NZ$7',
    'rated $$ or $$$',
    'cheap ($), moderate ($$), expensive ($$$)',
    'from $$ to $$ a plate',
    'use ${name}-${id} here',
    '`$x`, $5 and `y$`',
    'The **$20** plan and the **30$** one',
    '价格是$5，而成本是$3。',
    '一个$100元，或者50$。',
    'run $(date)-$(host)',
    'echo $HOME/$ and $PATH',
    'It was $5 million (now 6$)',
    'paid $5; got 3$ back',
    '$FOO_BAR:$BAZ',
    '$a, $b, $c',
    "$('a').b, $('c')",
    'between $1,000 and $2,000',
    '$5–$10',
    'a 20% tip on $80 is $16.',
    '\\$5 and \\$6',
    'R$5 e R$8',
    '$20k/$30k',
    '$ABC and $XYZ are up',
  ])('%s', (text) => expect(formulas(text)).toBe(0));
});

describe('dollars are a formula', () => {
  test.each([
    ['the $n$th and the $k$s', 2],
    ['3$\\times$4', 1],
    ['CO$_2$ and m$^2$', 2],
    ['其中$x$是未知数', 1],
    ['변수 $x$와 $y$는', 2],
    ['$n$-dimensional, ($x$), "$y$"', 3],
    ['$O(n log n)$', 1],
    ['it costs $5, so $x=5$.', 1],
    ['$5$ and $90$', 2],
    ['$[0, 1)$', 1],
    ['$50\\%$ of $x$', 2],
    ['$25%$', 1],
    ['$`a_b`$', 1],
    ['**$x$** and _$y$_', 2],
    ['$\\$5 + \\$6$', 1],
    ['$x$, $y$; $z$.', 3],
    ['$x + y$ is $5 more', 1],
  ])('%s', (text, count) => expect(formulas(text)).toBe(count));
});

describe('math on display', () => {
  test.each([
    '$$\n\nx = 1\n\n$$',
    '\\[\n\nx = 1\n\n\\]',
    '\\[\nx\n=\n1\n\\]',
    'So\n\\[\nx\n\n= 1\n\\]\nand on',
    'so \\[\n\nx = 1\n\n\\] it is',
    'so: $$\nx\n- 1\n= 0\n$$',
    'so: $$\nx + y\n\n+ 1\n$$ and more',
    '1. first\n\n   $$\n   x\n\n   = 1\n   $$\n\n2. second',
    '- so \\[\n  x\n\n  = 1\n  \\]\n- more',
    '> $$\n> x\n>\n> = 1\n> $$',
    '\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}',
    '\\begin{align*}\na &= b\n\n\\\\ c &= d\n\\end{align*}',
    'Here \\begin{cases} 1 & x > 0 \\\\ 0 & x = 0 \\end{cases} ends',
    '\\begin{equation}\\label{eq:1}\nx = 1\n\\end{equation}',
    '\\begin{eqnarray}\na &=& b \\\\\nc &=& d\n\\end{eqnarray}',
    '\\begin{multline}\na + b \\\\\n+ c\n\\end{multline}',
    '\\begin{gather*}\na\n\\end{gather*}',
    '\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}',
    '$$\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}$$',
    '\\[\\begin{align} a &= b \\end{align}\\]',
    '\\[\nA = \\begin{bmatrix} 1 \\\\[2pt] 2 \\end{bmatrix}\n\\]',
    '```math\nx = 1\n```',
    'Text $$x = 1$$ text',
    '$$ x = 1 $$.',
  ])('is typeset: %j', (text) => expect(displays(text)).toBe(1));

  test('of several kinds stands in one answer, with the text between', () => {
    const html = render('First:\n\n$$\na = 1\n\n$$\n\nThen **bold**:\n\\[\nb = 2\n\\]\n\n# End');
    expect(html.match(/katex-display/g)).toHaveLength(2);
    expect(html).toContain('<strong>bold</strong>');
    expect(html).toContain('<h1>End</h1>');
  });

  test.each([
    'Price: $$\n\nA long story about money.\n\nPrice: $$',
    '- **Price:** $$\n- **Cuisine:** Thai\n- **Price:** $$$',
    '$$\n\n# Heading\n\n$$',
    '$$\n\n```js\nlet x;\n```\n\n$$',
    'The shell is $$ here.\n\nAnd it is $$ there.',
  ])('is not: %j', (text) => expect(displays(text)).toBe(0));

  test('leaves the structure around a lone delimiter alone', () => {
    expect(render('Price: $$\n\n- a\n- b')).toContain('<li>');
    expect(render('$$ stands for money.\n\n# Heading')).toContain('<h1>');
    expect(render('a \\[ b\n\n- c')).toContain('<li>');
  });
});

describe('a box without delimiters', () => {
  test.each([
    ['The answer is \\boxed{42}.', '<mn>42</mn>'],
    ['\\boxed{\\frac{1}{2}}', '<mfrac>'],
    ['**\\boxed{D}**', '<mi>D</mi>'],
    ['\\boxed{$x$}', '<mi>x</mi>'],
    ['\\boxed{\\$5}', '$5'],
    ['\\boxed{$5}', '5'],
    ['\\boxed{50%}', '%'],
    ['\\boxed{two apples}', 'two apples'],
    ['so $x = 1$ and \\boxed{1}', '<mn>1</mn>'],
  ])('is typeset: %s', (text, part) => {
    expect(render(text)).toContain('class="katex"');
    expect(render(text)).toContain(part);
  });
  test.each(['`\\boxed{4}`', '\\boxed{}', '\\boxed{4', '```\n\\boxed{4}\n```'])('is not: %s', (text) =>
    expect(formulas(text)).toBe(0),
  );
});

describe('where nothing is typeset, backslashes are kept', () => {
  test.each([
    ['\\(open', '\\(open'],
    ['\\[ open', '\\[ open'],
    ['a \\) b \\] c', 'a \\) b \\] c'],
    ['\\(x_1 \\cdot \\{1\\', '\\(x_1 \\cdot \\{1\\'],
    ['so \\begin{align} a \\\\ b', '\\begin{align} a \\\\ b'],
    ['\\begin{align}\na \\\\\n\nb', 'a \\\\\n\nb'],
    ['\\boxed{\\{1, 2\\}', '\\boxed{\\{1, 2\\}'],
    ['\\begin{itemize}\n\\item a \\\\\n\\end{itemize}', '\\item a \\\\\n'],
    ['\\[\n\\nosuch \\\\ x\n\\]', '\\nosuch \\\\ x'],
    ['\\[citation needed\\]', '\\[citation needed\\]'],
  ])('%j', (text, source) => {
    expect(formulas(text)).toBe(0);
    expect(render(text)).toContain(source);
  });
  test('except where Markdown needs them', () => {
    expect(render('\\*a\\* \\_b\\_ 1\\. \\$5')).toBe('<p>*a* _b_ 1. $5</p>\n');
  });
});

describe('emphasis beside Chinese, Japanese and Korean', () => {
  test.each([
    ['他说：**“是。”**然后走了', '<strong>“是。”</strong>'],
    ['这是**（重要）**内容', '<strong>（重要）</strong>'],
    ['**《红楼梦》**是小说', '<strong>《红楼梦》</strong>'],
    ['値は**「$x=1$」**です', '<strong>「'],
    ['함수는 **`f(x)`**입니다', '<strong><code>'],
    ['~~（旧）~~新', '<s>（旧）</s>'],
    ['***「a」***です', '<strong>「a」</strong>'],
    ['所以**𠮷（a）**很', '<strong>𠮷（a）</strong>'],
    ['- **步骤一：**先乘', '<strong>步骤一：</strong>'],
    ['| **值：**是 |\n|---|', '<strong>值：</strong>'],
    ['答案是**42%**。', '<strong>42%</strong>'],
  ])('%s', (text, part) => expect(render(text)).toContain(part));
  test.each(['5 * 3 * 2', 'snake_case_name', '2**3**4 = x ** y ** z', '这是 ** 不 ** 是', 'a＊b＊c'])(
    'is not found in %s',
    (text) => expect(render(text)).not.toMatch(/<em>|<strong>[^3]/),
  );
});

/** What a growing answer shows is what the whole one does: also where a formula takes up blocks that stood before it. */
test.each([
  'Price: $$\n\na\n\nb is it\n\nc\n\n$$ and\n\nmore\n\nend',
  'Text\n\n$$\n\nx\n\ny\n\nz\n\n$$\n\nafter\n\nit\n\nends',
  'so \\[\n\na\n\nb\n\nc\n\n\\] it\n\nis\n\nend',
  '\\begin{align}\n\na\n\n\\\\ b\n\n\\end{align}\n\nx\n\ny\n\nz',
  '$$\n\na\n\na long story ends\n\n$$\n\nb\n\nc\n\nd',
  '- \\[\n  a\n\n  b\n\n  c\n\n- more\n\nend\n\nof it',
  `$$\n\n${'x + 1\n\n'.repeat(200)}`,
])('growing, number %#', (text) => {
  const growing = new BlockSplitter(md);
  for (let end = 1; end <= text.length; end++) {
    const partly = growing.update(text.slice(0, end)).map(({ source }) => source);
    const whole = new BlockSplitter(md).update(text.slice(0, end)).map(({ source }) => source);
    expect(partly).toEqual(whole);
  }
});
