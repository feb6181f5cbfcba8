/**
 * @file Rewrites an answer in LaTeX, Markdown or plain text into one plain notation: one character for each operator and
 * relation, words in double quotes, nothing that is there for looks alone. remote/…/notation.py is the same in Python.
 */

/** Commands whose argument is text, or letters that stand for themselves. */
const TEXT_COMMANDS = new Set(
  'text textrm textbf textit textsf texttt textnormal mbox hbox mathrm mathbf mathit mathsf operatorname rm bf'.split(
    ' ',
  ),
);
const IGNORED_COMMANDS = new Set(
  'left right big Big bigg Bigg bigl bigr Bigl Bigr displaystyle textstyle limits boxed fbox boldsymbol bm'.split(' '),
);
const SPACES = new Set('quad qquad enspace thinspace'.split(' '));
const COMMANDS: Readonly<Record<string, string>> = {
  dfrac: '\\frac',
  tfrac: '\\frac',
  cfrac: '\\frac',
  dbinom: '\\binom',
  tbinom: '\\binom',
  cdot: '*',
  times: '*',
  ast: '*',
  div: '/',
  le: '≤',
  leq: '≤',
  leqslant: '≤',
  ge: '≥',
  geq: '≥',
  geqslant: '≥',
  lt: '<',
  gt: '>',
  ne: '≠',
  neq: '≠',
  approx: '≈',
  simeq: '≈',
  in: '∈',
  cup: '∪',
  infty: '∞',
  pi: 'π',
  circ: '°',
  degree: '°',
  pm: '±',
  emptyset: '∅',
  varnothing: '∅',
  lbrace: '\\{',
  rbrace: '\\}',
  colon: ':',
  mid: '|',
  vert: '|',
  lvert: '|',
  rvert: '|',
  dots: '…',
  ldots: '…',
  cdots: '…',
  percent: '%',
  dollar: '',
  euro: '',
  pounds: '',
};
const CHARACTERS: Readonly<Record<string, string>> = {
  '\u2212': '-',
  '\u2013': '-',
  '\u2012': '-',
  '\u2010': '-',
  '×': '*',
  '·': '*',
  '⋅': '*',
  '∙': '*',
  '÷': '/',
  '⁄': '/',
  '√': '\\sqrt',
  '\u00a0': '~',
  '\u2009': '~',
  '\u202f': '~',
  '\u2002': ' ',
  '\u2003': ' ',
  '\n': ' ',
  '\r': ' ',
  '\t': ' ',
  $: '',
  '€': '',
  '£': '',
  '`': '',
  '"': '',
};

/** Units that are known by a short name, and the spellings of each. */
const UNIT_SPELLINGS: Readonly<Record<string, string>> = {
  m: 'meter meters metre metres',
  km: 'kilometer kilometers kilometre kilometres kms',
  cm: 'centimeter centimeters centimetre centimetres cms',
  mm: 'millimeter millimeters millimetre millimetres',
  in: 'inch inches',
  ft: 'foot feet',
  yd: 'yard yards',
  mi: 'mile miles',
  g: 'gram grams',
  kg: 'kilogram kilograms kgs',
  mg: 'milligram milligrams',
  lb: 'pound pounds lbs',
  oz: 'ounce ounces',
  s: 'sec secs second seconds',
  ms: 'millisecond milliseconds',
  min: 'mins minute minutes',
  h: 'hr hrs hour hours',
  day: 'days',
  week: 'weeks',
  month: 'months',
  year: 'years yr yrs',
  l: 'liter liters litre litres L',
  ml: 'milliliter milliliters millilitre millilitres mL',
  mph: '',
  kph: 'kmh',
  usd: 'dollar dollars USD',
  cent: 'cents',
  eur: 'euro euros EUR',
  degree: 'degrees deg °',
  percent: '%',
  rad: 'radian radians',
  hz: 'Hz',
  n: 'N newton newtons',
  j: 'J joule joules',
  w: 'W watt watts',
  v: 'V volt volts',
  unit: 'units',
};
const UNITS = new Map(
  Object.entries(UNIT_SPELLINGS).flatMap(([name, spellings]) =>
    [name, ...spellings.split(' ').filter((each) => each !== '')].map((spelling) => [spelling, name] as const),
  ),
);

/** The short name of a unit; undefined for other words. */
const FRACTIONS = '½12⅓13⅔23¼14¾34⅕15⅖25⅗35⅘45⅙16⅚56⅐17⅛18⅜38⅝58⅞78⅑19';
const RAISED = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** Fractions and exponents that are characters of their own, as LaTeX: `2½` is `2\frac12`, and `10⁻³` is `10^{-3}`. */
export function spellOutCharacters(text: string): string {
  return text
    .replace(/[⅐⅑⅓-⅞¼-¾]/g, (character) => {
      const at = FRACTIONS.indexOf(character);
      return at < 0 ? character : `\\frac${FRACTIONS.slice(at + 1, at + 3)}`;
    })
    .replace(/([⁻⁺]?)([⁰¹²³⁴-⁹]{1,9})/g, (_, sign: string, digits: string) => {
      const exponent = [...digits].map((digit) => RAISED.indexOf(digit)).join('');
      return `^{${sign === '⁻' ? '-' : ''}${exponent}}`;
    });
}

export const unitNamed = (word: string): string | undefined => UNITS.get(word) ?? UNITS.get(word.toLowerCase());

/** The answer in plain notation. Thousands separators are still there: see `joinThousands`. */
export function toPlainNotation(text: string): string {
  return quoteWords(rewrite(spellOutCharacters(text)))
    .replace(/\^ *(?:°|\{ *° *\})/g, '°')
    .replace(/ {2,}/g, ' ')
    .trim();
}

/** Commands and characters, one by one; the text of `\text{…}` comes out in quotes, word by word. */
function rewrite(text: string): string {
  let out = '';
  /** For each open brace: whether it holds text. */
  const braces: boolean[] = [];
  let at = 0;
  while (at < text.length) {
    const character = text[at]!;
    const inText = braces.at(-1) === true;
    if (character === '\\') {
      const name = /^[a-zA-Z]*/.exec(text.slice(at + 1, at + 30))![0];
      at += 1 + name.length;
      if (name === '') {
        const escaped = text[at++] ?? '';
        if (escaped === '{' || escaped === '}') out += `\\${escaped}`;
        else if (escaped === '\\') out += ';';
        else if (escaped === ',') out += '~';
        else if (escaped === '%') out += '%';
        // A negative space, as in `11,\! 111`, takes the spaces after it along.
        else if (escaped === '!') while (text[at] === ' ') at++;
        else if (';: '.includes(escaped)) out += ' ';
        else if (escaped === '_' || escaped === '&' || escaped === '#') out += escaped;
      } else if (name === 'begin' || name === 'end') {
        const environment = /^ *\{[a-zA-Z]*\*?\}/.exec(text.slice(at, at + 40))?.[0] ?? '';
        at += environment.length;
        out += name === 'begin' ? '(' : ')';
      } else if (TEXT_COMMANDS.has(name)) {
        const space = /^ */.exec(text.slice(at))![0].length;
        if (text[at + space] === '{') {
          at += space + 1;
          braces.push(true);
          out += ' ';
        } else out += ' ';
      } else if (IGNORED_COMMANDS.has(name)) {
        if (text[at] === '.' && (name === 'left' || name === 'right')) at++;
      } else if (SPACES.has(name)) out += ' ';
      else {
        const plain = COMMANDS[name];
        out += plain ?? `\\${name}`;
        // A command's name ends where a letter begins; one that became a character needs no such space.
        if (plain === undefined && /[a-zA-Z]/.test(text[at] ?? '')) out += ' ';
      }
    } else if (character === '{') {
      // The comma of `7{,}250` stands alone in braces so that TeX puts no space after it.
      if (text.startsWith('{,}', at)) {
        out += ',';
        at += 3;
        continue;
      }
      braces.push(inText);
      if (!inText) out += '{';
      at++;
    } else if (character === '}') {
      if (braces.pop() !== true) out += '}';
      else out += ' ';
      at++;
    } else if (inText && /[a-zA-Z]/.test(character)) {
      const word = /^[a-zA-Z'-]*/.exec(text.slice(at))![0];
      at += word.length;
      out += word.length === 1 && !/\d[ ~]*$/.test(out) && !/^[ ]*[a-zA-Z]/.test(text.slice(at)) ? word : `"${word}"`;
    } else {
      if (character === '&') out += ',';
      else out += CHARACTERS[character] ?? character;
      at++;
    }
  }
  return out;
}

/** Puts words outside `\text{…}` into quotes, so that letters without quotes are symbols. */
function quoteWords(text: string): string {
  return text.replace(/\\[a-zA-Z]+|"[^"]*"|[a-zA-Z]+(?:'[a-z]+)?/g, (run: string, offset: number) => {
    if (run.startsWith('\\') || run.startsWith('"')) return run;
    const before = text.slice(0, offset);
    const after = text.slice(offset + run.length);
    const unitHere = unitNamed(run) !== undefined && /^(?:\^\{?-?\d\}?)?[ ~.]*(?:$|[/*,;)\]"]|[a-zA-Z])/.test(after);
    // `36 m` and `36cm` have units; `36m` is a product.
    if (unitHere && /[\d}][ ~]+$/.test(before)) return `"${run}"`;
    if (unitHere && /"[ ~]*[/*] *$/.test(before)) return `"${run}"`;
    if (run.length === 1) return run;
    if (unitHere && /\d$/.test(before)) return `"${run}"`;
    return isWord(run) ? `"${run}"` : run;
  });
}

/** `abc` may be a product of symbols; a longer run, or an English word that joins or introduces answers, is a word. */
const isWord = (run: string): boolean => run.length >= 4 || WORDS.has(run.toLowerCase());
const WORDS = new Set('and or the is are yes no not of per for mph red one two ten odd sum bc ad am pm'.split(' '));

/**
 * Takes thousands separators out of numbers: commas, `\,` and `~` between groups of three digits. Any other comma
 * separates the parts of a list, and any other `~` is a space.
 */
export function joinThousands(text: string): string {
  return text
    .replace(/(?<![\d.])[1-9]\d{0,2}([,~])\d{3}(?:\1\d{3})*(?!\d|[,~]\d)/g, (number) => number.replace(/[,~]/g, ''))
    .replace(/~/g, ' ');
}
