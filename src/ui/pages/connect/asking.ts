/** @file What the Connect page asks servers with, and what it says when they can't be used. */
import { messageOf } from '../../../base/errors';
import { diagnose, thisPage, type BrowserPage, type Diagnosis, type DiagnosisCause } from '../../../servers/diagnose';
import { listModels } from '../../../servers/models';
import { kindOf } from '../../../servers/kinds';
import { Sidecar } from '../../../servers/training/sidecar';
import type { Asking, Finding } from './connect-state.svelte';

/** A sidecar says at once what it has, or not at all. */
const AT_ONCE = { firstMs: 20_000, stallMs: 20_000, retries: 0 };

const TITLES: Readonly<Record<DiagnosisCause, string>> = {
  ok: 'Another kind of server',
  address: 'That can’t be asked',
  offline: 'No network',
  mixed: 'The browser does not allow it',
  permission: 'The browser needs your permission',
  dead: 'Nothing answers',
  cors: 'The server does not let this page in',
  auth: 'The key is missing or wrong',
  path: 'No server that is known here',
  answer: 'The server does not answer well',
};

export const findingOf = ({ cause, message, remedies }: Diagnosis): Finding => ({
  title: TITLES[cause],
  text: message,
  remedies,
});

export function askingFrom(page: () => BrowserPage = thisPage): Asking {
  return {
    async find(address, secret, signal) {
      const diagnosis = await diagnose(address, null, secret, page(), signal);
      return diagnosis.found ?? findingOf(diagnosis);
    },
    list: (server, signal) => listModels(server, { fetch: page().fetch }, signal),
    info: (server, signal) => new Sidecar(server, null, { ...AT_ONCE, fetch: page().fetch }).info(signal),
    runs: (server, signal) => new Sidecar(server, null, { ...AT_ONCE, fetch: page().fetch }).runs(signal),
    async diagnose(server, error, signal) {
      // To the server's own origin, as any request.
      const secret = server.key?.reveal() ?? '';
      const diagnosis = await diagnose(server.url, server.kind, secret, page(), signal);
      const { found } = diagnosis;
      if (!found) return findingOf(diagnosis);
      const text = messageOf(error);
      return found.server.kind === server.kind
        ? { title: TITLES.answer, text, remedies: [] }
        : {
            title: TITLES.ok,
            text: `${text} What answers there looks like ${kindOf(found.server.kind).name}: add it with the kind “Find out”.`,
            remedies: [],
          };
    },
  };
}
