/**
 * @file Whether a regular expression from outside can make JavaScript's engine backtrack for ages. An engine that is
 * running can't be interrupted, so such a pattern is refused before it is used.
 *
 * The pattern becomes an automaton of its characters (Glushkov's). Backtracking is exponential if a word leads from a
 * character back to itself in two ways, and polynomial if loops that accept the same character follow each other
 * (Weideman et al., "Analyzing matching time behavior of backtracking regular expression matchers", 2016). Both need a
 * failure after the loop, so characters at which the match could simply end are left out. Character sets are compared on a
 * sample of characters of every category, and repetitions with a count are written out a few times, so the answer is a
 * good approximation and not a proof.
 */
import { parseRegex, type RegexNode } from './regex-parser';

export type RegexCost =
  /** Not more than one pass over the text for each place where a match can start. */
  | 'linear'
  /** Loops follow each other that could each take what another takes. */
  | 'polynomial'
  | 'exponential'
  /** Too long, or with back-references: not judged. */
  | 'unknown';

/** Positions in the automaton; the longest pattern of a published tokenizer has about 100. */
const MAX_POSITIONS = 400;
/** Loops in a row; two of them, with a failure behind, take the cube of a text's length. */
const MAX_LOOPS = 1;
/** Ways to take a run of one character, apart from loops. */
const MAX_PATHS = 10_000;
/** Pairs of steps that are compared before a pattern counts as too complicated. */
const MAX_WORK = 3_000_000;
/** A repetition with a larger count is taken for one without end. */
const MAX_COPIES = 3;

/** One of every general category that patterns ask for, some scripts, and all of ASCII. */
const SAMPLE = [
  ...Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)),
  ...'\u0085\u00a0ªµß²½¿«»éÉǅʰא中あア가अะЖж٣०Ⅷ\u0301\u0903\u20dd‿—„”€+∑^¨©°\u200b\u200d\u2028\u2029\u3000\u2581\ufeff\ufffd😀\ue000𝒜𠀀',
];

/** @param whole the pattern must match a text to its end, as `^(?:…)$` */
export function regexCost(pattern: RegExp, whole = false): RegexCost {
  // Without a choice there is nothing to go back to.
  if (!/[*+?{|]/.test(pattern.source)) return 'linear';
  const parsed = parseRegex(pattern.source);
  if (!parsed || /[^gimsuyd]/.test(pattern.flags)) return 'unknown';
  const flags = pattern.flags.replace(/[gy]/g, '');
  return costOf(parsed, flags, whole);
}

const worse: readonly RegexCost[] = ['linear', 'polynomial', 'unknown', 'exponential'];
const worst = (a: RegexCost, b: RegexCost) => (worse.indexOf(a) >= worse.indexOf(b) ? a : b);

function costOf(node: RegexNode, flags: string, whole: boolean): RegexCost {
  const automaton = new Automaton();
  const built = automaton.add(node);
  if (!built) return 'unknown';
  let cost = automaton.cost(whole ? new Set() : new Set(built.last), flags);
  // What looks behind runs backwards: where it can end is where it begins.
  for (const { node: inner, behind } of automaton.looks) cost = worst(cost, costOf(inner, flags, behind));
  return cost;
}

/** A part of the pattern: where it can begin and end. `last` holds only ends at which nothing more is demanded. */
interface Part {
  first: readonly number[];
  last: readonly number[];
  /** Ends from which the pattern may go on, those before a condition included. */
  ends: readonly number[];
  nullable: boolean;
  /** Whether it can be left out without any condition, such as a lookahead, that could fail. */
  free: boolean;
}

const empty: Part = { first: [], last: [], ends: [], nullable: true, free: true };

class Automaton {
  readonly looks: { node: RegexNode; behind: boolean }[] = [];
  readonly #atoms: string[] = [];
  /** For each position, the positions that can follow, once for each way to get there. */
  readonly #next: number[][] = [];

  /** Null when there are too many positions. */
  add(node: RegexNode): Part | null {
    switch (node.type) {
      case 'atom': {
        if (this.#atoms.length >= MAX_POSITIONS) return null;
        const at = this.#atoms.push(node.source) - 1;
        this.#next.push([]);
        return { first: [at], last: [at], ends: [at], nullable: false, free: false };
      }
      case 'assertion':
        if (node.inner) this.looks.push({ node: node.inner, behind: node.behind });
        return { ...empty, free: false };
      case 'choice': {
        const parts = node.options.map((option) => this.add(option));
        if (parts.some((part) => !part)) return null;
        const all = (key: 'first' | 'last' | 'ends') => parts.flatMap((part) => part![key]);
        return {
          first: all('first'),
          last: all('last'),
          ends: all('ends'),
          nullable: parts.some((part) => part!.nullable),
          free: parts.some((part) => part!.free),
        };
      }
      case 'sequence':
        return this.#sequence(node.items);
      case 'repeat':
        return this.#repeat(node.item, node.least, node.most);
    }
  }

  #sequence(items: readonly RegexNode[]): Part | null {
    let part = empty;
    for (const item of items) {
      const next = this.add(item);
      if (!next) return null;
      part = this.#joined(part, next);
    }
    return part;
  }

  #joined(a: Part, b: Part): Part {
    this.#connect(a.ends, b.first);
    return {
      first: a.nullable ? [...a.first, ...b.first] : a.first,
      last: b.free ? [...a.last, ...b.last] : b.last,
      ends: b.nullable ? [...a.ends, ...b.ends] : b.ends,
      nullable: a.nullable && b.nullable,
      free: a.free && b.free,
    };
  }

  #repeat(item: RegexNode, least: number, most: number): Part | null {
    if (most === 0) return empty;
    // What may come often is as bad as what may come without end: 40 times two ways are a million million ways.
    const endless = most > MAX_COPIES;
    const copies = Math.max(1, Math.min(endless ? least : most, MAX_COPIES));
    let part = empty;
    for (let copy = 0; copy < copies; copy++) {
      const next = this.add(item);
      if (!next) return null;
      if (endless && copy === copies - 1) this.#connect(next.ends, next.first);
      const optional = copy >= least;
      part = this.#joined(part, optional ? { ...next, nullable: true, free: true } : next);
    }
    return part;
  }

  #connect(from: readonly number[], to: readonly number[]): void {
    for (const a of from) this.#next[a]!.push(...to);
  }

  /** @param ends positions at which a match can end, so that what comes after can't make it fail */
  cost(ends: ReadonlySet<number>, flags: string): RegexCost {
    const letters = this.#letters(flags);
    if (!letters) return 'unknown';
    const open = this.#next.map((next, at) => (ends.has(at) ? [] : next.filter((to) => !ends.has(to))));
    const loops = components(open);
    const ambiguous = this.#isAmbiguous(open, loops, letters);
    if (ambiguous === null) return 'unknown';
    if (ambiguous) return 'exponential';
    const { loops: inARow, paths } = this.#runs(open, letters);
    if (paths > MAX_PATHS) return 'exponential';
    return inARow > MAX_LOOPS ? 'polynomial' : 'linear';
  }

  /** Which characters of the sample each position takes; null when a part can't be compiled by itself. */
  #letters(flags: string): boolean[][] | null {
    const written = this.#atoms.join('').match(/\p{L}|\p{N}/gu) ?? [];
    const sample = [...new Set([...SAMPLE, ...written])];
    const known = new Map<string, boolean[]>();
    try {
      return this.#atoms.map((source) => {
        const found = known.get(source);
        if (found) return found;
        const atom = new RegExp(`^(?:${source})$`, flags);
        const takes = sample.map((character) => atom.test(character));
        known.set(source, takes);
        return takes;
      });
    } catch {
      return null;
    }
  }

  /** Whether one word leads from a position to itself in two ways; null when finding out would take too long. */
  #isAmbiguous(next: readonly number[][], loops: readonly number[], letters: readonly boolean[][]): boolean | null {
    let work = 0;
    const size = next.length;
    const inLoop = (from: number, to: number) => loops[from] === loops[to];
    const overlap = new Map<number, boolean>();
    const meet = (a: number, b: number) => {
      const key = a * size + b;
      const known = overlap.get(key);
      if (known !== undefined) return known;
      const both = letters[a]!.some((takes, i) => takes && letters[b]![i]);
      overlap.set(key, both);
      return both;
    };
    for (let from = 0; from < size; from++) {
      const within = next[from]!.filter((to) => inLoop(from, to));
      if (new Set(within).size < within.length) return true;
    }
    // Pairs of positions that one word leads to; two that part and meet again on a loop are two ways.
    const step = (pair: number): number[] => {
      const [a, b] = [Math.floor(pair / size), pair % size];
      const after: number[] = [];
      for (const x of next[a]!) {
        if (!inLoop(a, x)) continue;
        work += next[b]!.length;
        for (const y of next[b]!) if (inLoop(b, y) && meet(x, y)) after.push(x * size + y);
      }
      return after;
    };
    for (let start = 0; start < size; start++) {
      if (!next[start]!.some((to) => inLoop(start, to))) continue;
      const origin = start * size + start;
      const seen = new Set<number>();
      const waiting = [origin];
      while (waiting.length > 0) {
        if (work > MAX_WORK) return null;
        const pair = waiting.pop()!;
        for (const to of step(pair)) {
          const together = Math.floor(to / size) === to % size;
          if (together && pair !== origin) return true;
          if (together || seen.has(to)) continue;
          seen.add(to);
          waiting.push(to);
        }
      }
    }
    return false;
  }

  /** For a run of one character, the most loops in a row that it passes, and the most ways to take it. */
  #runs(next: readonly number[][], letters: readonly boolean[][]): { loops: number; paths: number } {
    const seen = new Set<string>();
    const most = { loops: 0, paths: 0 };
    for (let letter = 0; letter < (letters[0]?.length ?? 0); letter++) {
      const takes = letters.map((set) => set[letter]!);
      const key = takes.map(Number).join('');
      if (seen.has(key)) continue;
      seen.add(key);
      const graph = next.map((to, at) => (takes[at] ? to.filter((each) => takes[each]) : []));
      const { loops, paths } = longestChain(graph);
      most.loops = Math.max(most.loops, loops);
      most.paths = Math.max(most.paths, paths);
    }
    return most;
  }
}

/** The strongly connected component of each node, by Tarjan's algorithm; numbered so that edges lead to smaller numbers. */
function components(next: readonly (readonly number[])[]): number[] {
  const found = next.map(() => -1);
  const low = next.map(() => 0);
  const order = next.map(() => -1);
  const path: number[] = [];
  let count = 0;
  let made = 0;
  const visit = (at: number): void => {
    order[at] = low[at] = count++;
    path.push(at);
    for (const to of next[at]!) {
      if (order[to] === -1) visit(to);
      if (found[to] === -1) low[at] = Math.min(low[at]!, low[to]!);
    }
    if (low[at] !== order[at]) return;
    for (let member = -1; member !== at;) {
      member = path.pop()!;
      found[member] = made;
    }
    made++;
  };
  next.forEach((_, at) => order[at] === -1 && visit(at));
  return found;
}

/** The most components with a cycle on any path, and the most paths that begin in one component. */
function longestChain(next: readonly (readonly number[])[]): { loops: number; paths: number } {
  const component = components(next);
  const members: number[][] = [];
  component.forEach((which, at) => (members[which] ??= []).push(at));
  const longest: number[] = [];
  const paths: number[] = [];
  members.forEach((positions, which) => {
    let after = 0;
    let cycle = 0;
    let ways = 1;
    for (const at of positions) {
      for (const to of next[at]!) {
        if (component[to] === which) {
          cycle = 1;
          continue;
        }
        after = Math.max(after, longest[component[to]!]!);
        ways += paths[component[to]!]!;
      }
    }
    longest[which] = after + cycle;
    paths[which] = ways;
  });
  return { loops: Math.max(0, ...longest), paths: Math.max(0, ...paths) };
}
