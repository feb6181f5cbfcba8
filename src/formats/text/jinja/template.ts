/**
 * @file Jinja as chat templates use it, rendered as Transformers renders it (jinja2 3.1 in its sandbox, with loop controls
 * and the `generation` tag). The packages on npm print other texts: they drop what a loop wrote before `{% break %}`, have
 * JavaScript's `true` for Python's `True`, and leave variables of one iteration to the next.
 */
import { ExpressionParser } from './expressions';
import { Frame, Output, type Expression, type Statement } from './frame';
import { globals } from './library/globals';
import { tokenize } from './lexer';
import { Loop } from './loop';
import { attribute, callValue } from './members';
import { Budget } from './operators';
import { TokenStream } from './token-stream';
import {
  Callable,
  fromJson,
  iterate,
  Namespace,
  resetVisits,
  str,
  TemplateError,
  truth,
  Tuple,
  Undefined,
  type Value,
} from './values';

export { TemplateError } from './values';

/** Puts a value into the variables that stand left of `=` or before `in`. */
type Assign = (frame: Frame, value: Value) => void;

export class Template {
  readonly #body: Statement;

  /** @throws TemplateError when it isn't Jinja, or uses what chat templates can't */
  constructor(source: string) {
    this.#body = guarded(() => new Parser(tokenize(source)).template());
  }

  /**
   * @param variables what the template sees: values that JSON has
   * @throws TemplateError for what the template does wrong, and for what it raises itself
   */
  render(variables: Readonly<Record<string, unknown>>): string {
    resetVisits();
    const budget = new Budget();
    const root = new Frame(budget);
    for (const [name, value] of globals(budget)) root.set(name, value);
    for (const [name, value] of Object.entries(variables)) root.set(name, fromJson(value));
    const out = new Output(budget);
    guarded(() => this.#body(root.inner(), out));
    return out.text();
  }
}

/** JavaScript has its own error for a stack that overflows. */
function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof RangeError)
      throw new TemplateError('it is nested or calls itself too deeply', { cause: error });
    throw error;
  }
}

class Parser extends ExpressionParser {
  constructor(tokens: ReturnType<typeof tokenize>) {
    super(new TokenStream(tokens));
  }

  template(): Statement {
    const body = this.#body([]);
    if (!this.stream.isAtEnd) throw new TemplateError(`Encountered unknown tag '${this.stream.next.text}'.`);
    return body;
  }

  /** Statements up to a tag with one of the names, which is left for the caller: its name is the current token. */
  #body(ends: readonly string[]): Statement {
    const statements: Statement[] = [];
    for (;;) {
      if (this.stream.isAtEnd) {
        if (ends.length === 0) break;
        throw new TemplateError(`Unexpected end of template. Expected ${ends.map((end) => `'${end}'`).join(' or ')}`);
      }
      const token = this.stream.take();
      if (token.kind === 'data') statements.push((_, out) => void out.write(token.text));
      else if (token.text === 'variable') {
        const value = this.tuple();
        this.stream.expect('end', 'variable');
        statements.push((frame, out) => void out.write(str(value(frame))));
      } else {
        if (this.stream.is('name', ...ends) && ends.length > 0) break;
        const tag = this.stream.expect('name').text;
        statements.push(this.#statement(tag));
      }
    }
    return (frame, out) => {
      for (const statement of statements) {
        frame.budget.step();
        const signal = statement(frame, out);
        if (signal) return signal;
      }
      return undefined;
    };
  }

  /** The body of a tag that ends with `end…`, with both tags' ends. */
  #block(...ends: string[]): Statement {
    this.#endTag();
    const body = this.#body(ends);
    this.stream.take();
    return body;
  }

  #endTag(): void {
    this.stream.expect('end', 'block');
  }

  #statement(tag: string): Statement {
    const statement = this.#tag(tag);
    this.#endTag();
    return statement;
  }

  #tag(tag: string): Statement {
    switch (tag) {
      case 'for':
        return this.#for();
      case 'if':
        return this.#if();
      case 'set':
        return this.#set();
      case 'macro':
        return this.#macro();
      case 'call':
        return this.#callBlock();
      case 'with':
        return this.#with();
      case 'filter': {
        let body: Statement = () => undefined;
        const filtered = this.filter((frame) => rendered(body, frame), true);
        body = this.#block('endfilter');
        return (frame, out) => void out.write(str(filtered(frame)));
      }
      case 'generation': {
        const body = this.#block('endgeneration');
        return (frame, out) => body(frame.inner(), out);
      }
      case 'break':
        return () => 'break';
      case 'continue':
        return () => 'continue';
      default:
        throw new TemplateError(`Encountered unknown tag '${tag}'.`);
    }
  }

  #if(): Statement {
    const branches: { test: Expression; body: Statement }[] = [];
    let otherwise: Statement | null = null;
    for (let tag = 'if'; tag !== 'endif';) {
      if (tag === 'else') {
        otherwise = this.#block('endif');
        break;
      }
      const test = this.tuple(false);
      this.#endTag();
      const body = this.#body(['elif', 'else', 'endif']);
      branches.push({ test, body });
      tag = this.stream.take().text;
    }
    return (frame, out) => {
      for (const { test, body } of branches) if (truth(test(frame))) return body(frame, out);
      return otherwise?.(frame, out);
    };
  }

  #for(): Statement {
    const assign = this.#target(['in']);
    this.stream.expect('name', 'in');
    const items = this.tuple(false, ['recursive']);
    const test = this.stream.skip('name', 'if') ? this.expression() : null;
    const isRecursive = this.stream.skip('name', 'recursive');
    this.#endTag();
    const body = this.#body(['endfor', 'else']);
    const otherwise = this.stream.take().text === 'else' ? this.#block('endfor') : null;

    const run = (frame: Frame, given: Value, depth: number, out: Output): void => {
      const recurse = isRecursive
        ? (again: Value, deeper: number) => {
            const inner = new Output(frame.budget);
            run(frame, again, deeper, inner);
            return inner.text();
          }
        : null;
      const loop = new Loop(test ? filtered(frame, given, test, assign) : iterate(given), depth, recurse);
      let finishedOne = false;
      for (let item = loop.next(); item !== undefined; item = loop.next()) {
        frame.budget.step();
        // Each iteration begins with the variables from outside the loop.
        const scope = frame.inner();
        assign(scope, item);
        scope.set('loop', loop);
        const signal = body(scope, out);
        if (signal === 'break') break;
        // As Jinja has it: an iteration that is broken off doesn't count for `else`.
        if (signal === undefined) finishedOne = true;
      }
      if (!finishedOne && otherwise) otherwise(frame.inner(), out);
    };
    return (frame, out) => void run(frame, items(frame), 0, out);
  }

  #set(): Statement {
    const assign = this.#target([], true);
    if (this.stream.skip('operator', '=')) {
      const value = this.tuple();
      return (frame) => void assign(frame, value(frame));
    }
    let body: Statement = () => undefined;
    const value = this.filter((frame) => rendered(body, frame));
    body = this.#block('endset');
    return (frame) => void assign(frame, value(frame));
  }

  /** A name, several names, or an attribute of a namespace. */
  #target(ends: readonly string[], withNamespace = false): Assign {
    const parts: Assign[] = [];
    let isTuple = false;
    do {
      if (parts.length > 0 && this.stream.is('name', ...ends) && ends.length > 0) break;
      if (this.stream.is('operator', '=', ')')) break;
      parts.push(this.#singleTarget(withNamespace));
      isTuple ||= this.stream.is('operator', ',');
    } while (this.stream.skip('operator', ','));
    return isTuple ? unpack(parts) : parts[0]!;
  }

  #singleTarget(withNamespace: boolean): Assign {
    if (this.stream.skip('operator', '(')) {
      const inner = this.#target([]);
      this.stream.expect('operator', ')');
      return inner;
    }
    const name = this.stream.expect('name').text;
    if (!withNamespace || !this.stream.skip('operator', '.')) return (frame, value) => frame.set(name, value);
    const attribute = this.stream.expect('name').text;
    return (frame, value) => {
      const namespace = frame.get(name);
      if (!(namespace instanceof Namespace)) {
        throw new TemplateError('cannot assign attribute on non-namespace object');
      }
      namespace.attributes.set(attribute, value);
    };
  }

  #macro(): Statement {
    const name = this.stream.expect('name').text;
    const make = this.#function(name, 'endmacro');
    return (frame) => void frame.set(name, make(frame));
  }

  /** `{% call(x) macro(…) %}`: the macro gets the block as its `caller`. */
  #callBlock(): Statement {
    const parameters = this.stream.is('operator', '(') ? this.#parameters() : [];
    const callee = this.#dottedName();
    const args = this.arguments();
    const make = this.#functionOf('caller', parameters, 'endcall');
    return (frame, out) => {
      const { args: given, keywords } = args(frame);
      out.write(str(callValue(callee(frame), given, new Map([...keywords, ['caller', make(frame)]]))));
      return undefined;
    };
  }

  #dottedName(): Expression {
    const name = this.stream.expect('name').text;
    let value: Expression = (frame) => frame.get(name);
    while (this.stream.skip('operator', '.')) {
      const member = this.stream.expect('name').text;
      const object = value;
      value = (frame) => attribute(object(frame), member, frame.budget);
    }
    return value;
  }

  #with(): Statement {
    const values: { assign: Assign; value: Expression }[] = [];
    while (!this.stream.is('end')) {
      if (values.length > 0) this.stream.expect('operator', ',');
      const assign = this.#singleTarget(false);
      this.stream.expect('operator', '=');
      values.push({ assign, value: this.expression() });
    }
    const body = this.#block('endwith');
    return (frame, out) => {
      const inner = frame.inner();
      for (const { assign, value } of values) assign(inner, value(frame));
      return body(inner, out);
    };
  }

  #function(name: string, end: string): (frame: Frame) => Callable {
    return this.#functionOf(name, this.#parameters(), end);
  }

  #parameters(): { name: string; value: Expression | null }[] {
    this.stream.expect('operator', '(');
    const parameters: { name: string; value: Expression | null }[] = [];
    while (!this.stream.is('operator', ')')) {
      if (parameters.length > 0) this.stream.expect('operator', ',');
      const name = this.stream.expect('name').text;
      const value = this.stream.skip('operator', '=') ? this.expression() : null;
      if (!value && parameters.at(-1)?.value) throw new TemplateError('non-default argument follows default argument');
      parameters.push({ name, value });
    }
    this.stream.expect('operator', ')');
    return parameters;
  }

  #functionOf(
    name: string,
    parameters: readonly { name: string; value: Expression | null }[],
    end: string,
  ): (frame: Frame) => Callable {
    const body = this.#block(end);
    return (outer) =>
      new Callable(name, (args, keywords) => {
        // Calls that call again cost more than statements.
        outer.budget.step(3);
        const frame = outer.inner();
        const rest = new Map(keywords);
        parameters.forEach(({ name: parameter }, at) => {
          const given = at < args.length ? args[at] : rest.get(parameter);
          rest.delete(parameter);
          if (given !== undefined) frame.set(parameter, given);
        });
        // A default sees the parameters before it.
        parameters.forEach(({ name: parameter, value }, at) => {
          const isGiven = at < args.length || keywords.has(parameter);
          if (!isGiven)
            frame.set(parameter, value ? value(frame) : new Undefined(`parameter '${parameter}' was not provided`));
        });
        const caller = rest.get('caller');
        if (caller !== undefined) frame.set('caller', caller);
        rest.delete('caller');
        frame.set('varargs', new Tuple(args.slice(parameters.length)));
        frame.set('kwargs', new Map<Value, Value>(rest));
        return rendered(body, frame);
      });
  }
}

/** What statements write, as a text of its own. */
function rendered(body: Statement, frame: Frame): string {
  const out = new Output(frame.budget);
  body(frame.inner(), out);
  return out.text();
}

/** The items for which `{% for … if test %}` holds, tested one by one as the loop comes to them. */
function* filtered(frame: Frame, items: Value, test: Expression, assign: Assign): Iterable<Value> {
  for (const item of iterate(items)) {
    frame.budget.step();
    const scope = frame.inner();
    assign(scope, item);
    if (truth(test(scope))) yield item;
  }
}

const unpack =
  (parts: readonly Assign[]): Assign =>
  (frame, value) => {
    const items = [...iterate(value)];
    if (items.length < parts.length) {
      throw new TemplateError(`not enough values to unpack (expected ${parts.length}, got ${items.length})`);
    }
    if (items.length > parts.length) throw new TemplateError(`too many values to unpack (expected ${parts.length})`);
    parts.forEach((assign, at) => assign(frame, items[at]!));
  };
