/** @file A chat template that is rendered within a budget, so that none can stop the thread it runs on. */
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { checkTemplate } from './limits';
import { boundedRange, RenderBudget } from './render-budget';

type Evaluate = Interpreter['evaluate'];

interface ForNode {
  iterable: { type: string; lhs?: object };
}

/** A loop with a condition goes over what the condition selects from. */
const iterableOf = ({ iterable }: ForNode): object => iterable.lhs ?? iterable;

class BoundedInterpreter extends Interpreter {
  readonly #budget = new RenderBudget();
  /** What loops of this template go over. */
  readonly #iterables = new WeakSet<object>();

  override evaluate(statement: Parameters<Evaluate>[0], environment: Environment): ReturnType<Evaluate> {
    this.#budget.step();
    if (statement?.type === 'For') this.#iterables.add(iterableOf(statement as unknown as ForNode));
    const value = super.evaluate(statement, environment);
    this.#budget.made(statement?.type ?? '', value);
    if (statement && this.#iterables.has(statement)) this.#budget.loop(value);
    return value;
  }
}

export class BoundedTemplate {
  readonly #program: ReturnType<typeof parse>;

  /** @throws Error for a template that can't be read */
  constructor(source: string) {
    checkTemplate(source);
    // As Transformers compiles chat templates.
    this.#program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
  }

  /** @throws Error when the template raises one; TemplateTooExpensiveError */
  render(variables: Record<string, unknown>): string {
    const environment = new Environment();
    for (const [name, value] of Object.entries({ ...globals, ...variables })) environment.set(name, value);
    return String(new BoundedInterpreter(environment).run(this.#program).value);
  }
}

const globals = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  range: boundedRange,
  raise_exception(message: unknown) {
    throw new Error(String(message).slice(0, 500));
  },
  strftime_now: (format: string) => strftime(new Date(), format),
};

/** The directives that chat templates use. */
function strftime(date: Date, format: string): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const month = (length: 'long' | 'short') => new Intl.DateTimeFormat('en', { month: length }).format(date);
  const parts: Record<string, () => string> = {
    Y: () => String(date.getFullYear()),
    m: () => two(date.getMonth() + 1),
    d: () => two(date.getDate()),
    H: () => two(date.getHours()),
    M: () => two(date.getMinutes()),
    b: () => month('short'),
    B: () => month('long'),
    '%': () => '%',
  };
  return format.replace(/%([YmdHMbB%])/g, (_, directive: string) => parts[directive]!());
}
