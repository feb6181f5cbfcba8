/** @file Reads a template's expressions, in the order of precedence that Jinja's parser (jinja2/parser.py) has. */
import { applyFilter } from './library/filters';
import type { Expression, Frame } from './frame';
import { attribute, callValue, item } from './members';
import { operate, slice } from './operators';
import { applyTest } from './library/tests';
import type { TokenStream } from './token-stream';
import {
  compare,
  contains,
  equal,
  Float,
  isDict,
  isNumber,
  iterate,
  numberOf,
  str,
  TemplateError,
  truth,
  Tuple,
  typeName,
  Undefined,
  type Keywords,
  type Value,
} from './values';

const CONSTANTS: Record<string, Value> = { true: true, True: true, false: false, False: false, none: null, None: null };
const COMPARISONS = ['==', '!=', '<', '<=', '>', '>='];

/** Arguments of a call, to be computed in a frame. */
export type Arguments = (frame: Frame) => { args: Value[]; keywords: Keywords };

export class ExpressionParser {
  constructor(readonly stream: TokenStream) {}

  expression(withCondition = true): Expression {
    return withCondition ? this.#condition() : this.#or();
  }

  /** An expression, or several with commas as a tuple. @param ends names that end it */
  tuple(withCondition = true, ends: readonly string[] = [], inParentheses = false): Expression {
    const parts: Expression[] = [];
    let isTuple = false;
    for (;;) {
      if (this.#endsTuple(ends)) break;
      parts.push(this.expression(withCondition));
      if (!this.stream.skip('operator', ',')) break;
      isTuple = true;
    }
    if (!isTuple && parts.length > 0) return parts[0]!;
    if (parts.length === 0 && !inParentheses)
      throw new TemplateError(`expected an expression, found '${this.stream.current.text}'`);
    return (frame) => new Tuple(parts.map((part) => part(frame)));
  }

  #endsTuple(ends: readonly string[]): boolean {
    return (
      this.stream.is('end') ||
      this.stream.is('operator', ')', '=') ||
      (ends.length > 0 && this.stream.is('name', ...ends))
    );
  }

  #condition(): Expression {
    let value = this.#or();
    while (this.stream.skip('name', 'if')) {
      const [yes, test] = [value, this.#or()];
      const no = this.stream.skip('name', 'else') ? this.#condition() : null;
      value = (frame) => {
        if (truth(test(frame))) return yes(frame);
        return no
          ? no(frame)
          : new Undefined('the inline if-expression evaluated to false and no else section was defined.');
      };
    }
    return value;
  }

  #or(): Expression {
    let left = this.#and();
    while (this.stream.skip('name', 'or')) {
      const [a, b] = [left, this.#and()];
      left = (frame) => {
        const value = a(frame);
        return truth(value) ? value : b(frame);
      };
    }
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.stream.skip('name', 'and')) {
      const [a, b] = [left, this.#not()];
      left = (frame) => {
        const value = a(frame);
        return truth(value) ? b(frame) : value;
      };
    }
    return left;
  }

  #not(): Expression {
    if (!this.stream.skip('name', 'not')) return this.#comparison();
    const value = this.#not();
    return (frame) => !truth(value(frame));
  }

  /** `a < b < c` compares neighbours, as in Python. */
  #comparison(): Expression {
    const first = this.#sum();
    const rest: { operator: string; value: Expression }[] = [];
    for (;;) {
      let operator: string;
      if (this.stream.is('operator', ...COMPARISONS)) operator = this.stream.take().text;
      else if (this.stream.skip('name', 'in')) operator = 'in';
      else if (this.stream.is('name', 'not') && this.stream.next.kind === 'name' && this.stream.next.text === 'in') {
        this.stream.take();
        this.stream.take();
        operator = 'not in';
      } else break;
      rest.push({ operator, value: this.#sum() });
    }
    if (rest.length === 0) return first;
    return (frame) => {
      let left = first(frame);
      for (const { operator, value } of rest) {
        const right = value(frame);
        if (!holds(operator, left, right)) return false;
        left = right;
      }
      return true;
    };
  }

  #sum(): Expression {
    return this.#binary(['+', '-'], () => this.#concatenation());
  }

  #concatenation(): Expression {
    const parts = [this.#product()];
    while (this.stream.skip('operator', '~')) parts.push(this.#product());
    if (parts.length === 1) return parts[0]!;
    return (frame) => frame.budget.made(parts.map((part) => str(part(frame))).join(''));
  }

  #product(): Expression {
    return this.#binary(['*', '/', '//', '%'], () => this.#binary(['**'], () => this.unary()));
  }

  #binary(operators: readonly string[], operand: () => Expression): Expression {
    let left = operand();
    while (this.stream.is('operator', ...operators)) {
      const operator = this.stream.take().text;
      const [a, b] = [left, operand()];
      left = (frame) => operate(operator, a(frame), b(frame), frame.budget);
    }
    return left;
  }

  unary(withFilter = true): Expression {
    const sign = this.stream.is('operator', '-', '+') ? this.stream.take().text : null;
    const value = sign === null ? this.primary() : signed(sign, this.unary(false));
    const whole = this.postfix(value);
    return withFilter ? this.#filters(whole) : whole;
  }

  primary(): Expression {
    const token = this.stream.take();
    switch (token.kind) {
      case 'name': {
        if (Object.hasOwn(CONSTANTS, token.text)) return () => CONSTANTS[token.text]!;
        return (frame) => frame.get(token.text);
      }
      case 'string': {
        let { text } = token;
        while (this.stream.is('string')) text += this.stream.take().text;
        return () => text;
      }
      case 'integer':
        return () => token.value;
      case 'float': {
        const value = new Float(token.value);
        return () => value;
      }
      case 'operator':
        if (token.text === '(') {
          const inner = this.tuple(true, [], true);
          this.stream.expect('operator', ')');
          return inner;
        }
        if (token.text === '[') {
          const items = this.#list(']', () => this.expression());
          return (frame) => frame.budget.made(items.map((each) => each(frame)));
        }
        if (token.text === '{') {
          const entries = this.#list('}', () => {
            const key = this.expression();
            this.stream.expect('operator', ':');
            return [key, this.expression()] as const;
          });
          return (frame) => new Map(entries.map(([key, value]) => [key(frame), value(frame)]));
        }
    }
    throw new TemplateError(`unexpected '${token.text}'`);
  }

  #list<T>(end: string, part: () => T): T[] {
    const parts: T[] = [];
    while (!this.stream.is('operator', end)) {
      if (parts.length > 0) this.stream.expect('operator', ',');
      if (this.stream.is('operator', end)) break;
      parts.push(part());
    }
    this.stream.expect('operator', end);
    return parts;
  }

  /** Attributes, subscripts and calls. */
  postfix(value: Expression): Expression {
    for (;;) {
      if (this.stream.is('operator', '.', '[')) value = this.#member(value);
      else if (this.stream.is('operator', '(')) value = this.#call(value);
      else return value;
    }
  }

  #filters(value: Expression): Expression {
    for (;;) {
      if (this.stream.is('operator', '|')) value = this.filter(value);
      else if (this.stream.is('name', 'is')) value = this.#test(value);
      else if (this.stream.is('operator', '(')) value = this.#call(value);
      else return value;
    }
  }

  #member(value: Expression): Expression {
    if (this.stream.skip('operator', '.')) {
      const token = this.stream.take();
      if (token.kind === 'name') return (frame) => attribute(value(frame), token.text, frame.budget);
      if (token.kind !== 'integer') throw new TemplateError(`expected name or number, found '${token.text}'`);
      return (frame) => item(value(frame), token.value, frame.budget);
    }
    this.stream.expect('operator', '[');
    const parts = this.#list(']', () => this.#subscript());
    const [first] = parts;
    if (!first) throw new TemplateError("expected a subscript, found ']'");
    if (parts.length === 1) return (frame) => first(frame, value(frame));
    throw new TemplateError('subscripts of several parts are not supported');
  }

  /** An index, or a slice. */
  #subscript(): (frame: Frame, value: Value) => Value {
    const bounds: (Expression | null)[] = [];
    let isSlice = false;
    const bound = () => (this.stream.is('operator', ':', ']', ',') ? null : this.expression());
    bounds.push(bound());
    while (bounds.length < 3 && this.stream.skip('operator', ':')) {
      isSlice = true;
      bounds.push(bound());
    }
    const [start, stop = null, step = null] = bounds;
    if (!isSlice) {
      if (!start) throw new TemplateError('expected a subscript');
      return (frame, value) => item(value, start(frame), frame.budget);
    }
    return (frame, value) => {
      const [from, to, by] = [start, stop, step].map((each) => each?.(frame) ?? null);
      return frame.budget.made(slice(value, from!, to!, by!));
    };
  }

  #call(callee: Expression): Expression {
    const args = this.arguments();
    return (frame) => {
      const called = callee(frame);
      const { args: given, keywords } = args(frame);
      frame.budget.step();
      return callValue(called, given, keywords);
    };
  }

  arguments(): Arguments {
    this.stream.expect('operator', '(');
    const parts = this.#list(')', () => {
      const spread = this.stream.is('operator', '*', '**') ? this.stream.take().text : '';
      const isKeyword = this.stream.is('name') && this.stream.next.kind === 'operator' && this.stream.next.text === '=';
      const name = isKeyword ? this.stream.take().text : null;
      if (isKeyword) this.stream.take();
      return { spread, name, value: this.expression() };
    });
    return (frame) => {
      const args: Value[] = [];
      const keywords = new Map<string, Value>();
      for (const { spread, name, value } of parts) {
        const given = value(frame);
        if (spread === '*') args.push(...iterate(given));
        else if (spread === '**') {
          if (!isDict(given)) throw new TemplateError(`argument after ** must be a mapping, not ${typeName(given)}`);
          for (const [key, each] of given) keywords.set(str(key), each);
        } else if (name !== null) keywords.set(name, given);
        else args.push(given);
      }
      return { args, keywords };
    };
  }

  /** `| name(…)`, and further filters. @param inline without a bar before the first, as in `{% filter name %}` */
  filter(value: Expression, inline = false): Expression {
    let filtered = value;
    while (inline || this.stream.skip('operator', '|')) {
      inline = false;
      const name = this.#dotted();
      const args = this.stream.is('operator', '(') ? this.arguments() : none;
      const operand = filtered;
      filtered = (frame) => {
        frame.budget.step();
        const { args: given, keywords } = args(frame);
        return frame.budget.made(applyFilter(name, operand(frame), given, keywords, frame.budget));
      };
    }
    return filtered;
  }

  #test(value: Expression): Expression {
    this.stream.take();
    const negated = this.stream.skip('name', 'not');
    const name = this.#dotted();
    const { kind } = this.stream.current;
    let args: Arguments = none;
    if (this.stream.is('operator', '(')) args = this.arguments();
    else if (
      (['name', 'string', 'integer', 'float'].includes(kind) || this.stream.is('operator', '[', '{')) &&
      !this.stream.is('name', 'else', 'or', 'and')
    ) {
      if (this.stream.is('name', 'is')) throw new TemplateError('You cannot chain multiple tests with is');
      const argument = this.postfix(this.primary());
      args = (frame) => ({ args: [argument(frame)], keywords: new Map() });
    }
    return (frame) => applyTest(name, value(frame), args(frame).args) !== negated;
  }

  #dotted(): string {
    let name = this.stream.expect('name').text;
    while (this.stream.skip('operator', '.')) name += `.${this.stream.expect('name').text}`;
    return name;
  }
}

const none: Arguments = () => ({ args: [], keywords: new Map() });

const signed =
  (sign: string, value: Expression): Expression =>
  (frame) => {
    const given = value(frame);
    if (given instanceof Undefined) throw new TemplateError(given.message);
    if (!isNumber(given)) throw new TemplateError(`bad operand type for unary ${sign}: '${typeName(given)}'`);
    const number = sign === '-' ? -numberOf(given) : numberOf(given);
    return given instanceof Float ? new Float(number) : number === 0 ? 0 : number;
  };

function holds(operator: string, a: Value, b: Value): boolean {
  switch (operator) {
    case '==':
      return equal(a, b);
    case '!=':
      return !equal(a, b);
    case 'in':
      return contains(b, a);
    case 'not in':
      return !contains(b, a);
    case '<':
      return compare(a, b, operator) < 0;
    case '<=':
      return compare(a, b, operator) <= 0;
    case '>':
      return compare(a, b, operator) > 0;
    default:
      return compare(a, b, operator) >= 0;
  }
}
