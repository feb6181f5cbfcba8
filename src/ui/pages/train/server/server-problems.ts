/** @file What a server says of a run that it doesn't take, each at the setting that it is about. */
import { messageOf } from '../../../../base/errors';
import { RemoteError } from '../../../../servers/errors';

export interface ServerProblem {
  /** A setting's key, of the config or of how the server runs it; `*` when no single one is to blame. */
  field: string;
  message: string;
}

/** The sidecar writes `config.<key>: …` and `remote.<key>: …`, one problem after the other. */
const PLACE = /(?:^|\s)(?:config|remote)((?:\.[a-z_]\w*)*): /g;
const SAID = 'It says: ';

/** @param error what starting a run failed with */
export function problemsOf(error: unknown): ServerProblem[] {
  const message = messageOf(error);
  const at = message.indexOf(SAID);
  if (!(error instanceof RemoteError) || at < 0) return [{ field: '*', message }];
  const said = message.slice(at + SAID.length);
  const places = [...said.matchAll(PLACE)];
  if (places.length === 0 || places[0]!.index > 0) {
    return [{ field: '*', message: error.status === 409 || error.status === 422 ? sentence(said) : message }];
  }
  return places.map((place, i) => ({
    field: place[1]!.slice(1) || '*',
    message: sentence(said.slice(place.index + place[0].length, places[i + 1]?.index)),
  }));
}

function sentence(text: string): string {
  const trimmed = text.trim();
  const ended = /[.!?…]$/.test(trimmed) ? trimmed : `${trimmed}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}
