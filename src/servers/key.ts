/** @file A server's key: kept where nothing prints it, and sent to one origin only. */
import { t } from '../i18n';
import { RemoteError } from './errors';

/** Shown instead of the key wherever it would be visible. */
const HIDDEN = '[key]';

export class ServerKey {
  /** The only origin that the key is sent to. */
  readonly origin: string;
  readonly #secret: string;

  /** @throws RemoteError when it can't be sent as a header; the message doesn't contain it */
  constructor(url: string, secret: string) {
    const trimmed = secret.trim();
    // Fetch would refuse other characters with a message that contains the header.
    if (!/^[\x21-\x7e]{1,4096}$/.test(trimmed)) {
      throw new RemoteError('address', t('servers:key.invalid'));
    }
    this.origin = new URL(url).origin;
    this.#secret = trimmed;
  }

  /** The header for a request to `url`; none when it is of another origin. */
  headersFor(url: string): Record<string, string> {
    return new URL(url).origin === this.origin ? { Authorization: `Bearer ${this.#secret}` } : {};
  }

  /** Text from a server with the key removed, in case the server sent it back. */
  hideIn(text: string): string {
    return text.replaceAll(this.#secret, HIDDEN).replaceAll(encodeURIComponent(this.#secret), HIDDEN);
  }

  /** The key itself, only for storing it when the user asked to keep it (server-store.ts). */
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
