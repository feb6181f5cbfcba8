/** @file A server's key: kept where nothing prints it, and given to one origin alone. */
import { RemoteError } from './errors';

/** What stands in place of the key wherever it would be seen. */
const HIDDEN = '[key]';

export class ServerKey {
  /** The only origin that the key is sent to. */
  readonly origin: string;
  readonly #secret: string;

  /** @throws RemoteError when it can't be sent; the message doesn't hold it */
  constructor(url: string, secret: string) {
    const trimmed = secret.trim();
    // What fetch would refuse, in a message that holds the header.
    if (!/^[\x21-\x7e]{1,4096}$/.test(trimmed)) {
      throw new RemoteError('address', 'The key has characters that no key has. Copy it again, without line breaks.');
    }
    this.origin = new URL(url).origin;
    this.#secret = trimmed;
  }

  /** Nothing for an address of another origin. */
  headersFor(url: string): Record<string, string> {
    return new URL(url).origin === this.origin ? { Authorization: `Bearer ${this.#secret}` } : {};
  }

  /** Text without the key, should a server have sent it back. */
  hideIn(text: string): string {
    return text.replaceAll(this.#secret, HIDDEN).replaceAll(encodeURIComponent(this.#secret), HIDDEN);
  }

  /** The key itself, for where the user asked to keep it (servers.ts) and for nothing else. */
  reveal(): string {
    return this.#secret;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }
}
