/**
 * @file The models that each server listed when it was last asked, so that users can choose one without another request,
 * which only a click may cause.
 */
import * as v from 'valibot';
import type { RemoteModel } from '../../../servers/models';

const KEY = 'tinythink:server-models';
/** Models per server. */
const MAX_MODELS = 500;

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(500));
const schema = v.record(
  v.string(),
  v.array(
    v.object({
      id: name,
      context: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
      detail: v.optional(v.pipe(v.string(), v.maxLength(300))),
    }),
  ),
);

export class ModelLists {
  readonly #lists: Map<string, RemoteModel[]>;

  constructor(private readonly storage: Pick<Storage, 'getItem' | 'setItem'> | undefined) {
    this.#lists = new Map(Object.entries(read(storage)));
  }

  /** Null when the server has never been asked. */
  get(server: string): RemoteModel[] | null {
    return this.#lists.get(server) ?? null;
  }

  set(server: string, models: readonly RemoteModel[]): void {
    this.#lists.set(server, models.slice(0, MAX_MODELS));
    this.#write();
  }

  delete(server: string): void {
    this.#lists.delete(server);
    this.#write();
  }

  #write(): void {
    try {
      this.storage?.setItem(KEY, JSON.stringify(Object.fromEntries(this.#lists)));
    } catch {
      // Errors are ignored: the list is known until the page is closed.
    }
  }
}

function read(storage: Pick<Storage, 'getItem'> | undefined): Record<string, RemoteModel[]> {
  try {
    const parsed = v.parse(schema, JSON.parse(storage?.getItem(KEY) ?? '{}'));
    return Object.fromEntries(
      Object.entries(parsed).map(([server, models]) => [
        server,
        models.map(({ id, context, detail }) => ({
          id,
          ...(context !== undefined && { context }),
          ...(detail !== undefined && { detail }),
        })),
      ]),
    );
  } catch {
    // Storage is blocked, or something else wrote this.
    return {};
  }
}
