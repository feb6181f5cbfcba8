/** @file What a template's code runs in: its variables, what it has written, and how much it may still do. */
import type { Budget } from './operators';
import { Undefined, type Value } from './values';

/** A scope. What is set in it isn't seen outside. */
export class Frame {
  readonly #variables = new Map<string, Value>();

  constructor(
    readonly budget: Budget,
    readonly parent: Frame | null = null,
  ) {}

  inner(): Frame {
    return new Frame(this.budget, this);
  }

  set(name: string, value: Value): void {
    this.#variables.set(name, value);
  }

  find(name: string): Value | undefined {
    return this.#variables.get(name) ?? (this.#variables.has(name) ? null : this.parent?.find(name));
  }

  get(name: string): Value {
    const value = this.find(name);
    return value === undefined ? new Undefined(`'${name}' is undefined`) : value;
  }
}

/** Text in pieces. */
export class Output {
  readonly #pieces: string[] = [];

  constructor(readonly budget: Budget) {}

  write(text: string): void {
    if (text !== '') this.#pieces.push(this.budget.made(text));
  }

  text(): string {
    return this.#pieces.join('');
  }
}

export type Expression = (frame: Frame) => Value;
/** What a statement asks of the loop around it. */
export type Signal = 'break' | 'continue' | undefined;
export type Statement = (frame: Frame, out: Output) => Signal;
