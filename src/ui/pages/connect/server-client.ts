/** @file The requests that the Connect page sends to servers, and what it shows when a server can't be used. */
import { messageOf } from '../../../base/errors';
import { t } from '../../../i18n';
import type { Detected } from '../../../servers/detect';
import { diagnose, thisPage, type BrowserPage, type Diagnosis } from '../../../servers/diagnose';
import { kindOf } from '../../../servers/kinds';
import type { Remedy } from '../../../servers/kinds/kind';
import { listModels, type RemoteModel } from '../../../servers/models';
import type { AnyServer, RemoteServer } from '../../../servers/server';
import { Sidecar } from '../../../servers/training/sidecar';
import type { SidecarInfo, SidecarRun } from '../../../servers/training/sidecar-schema';

/** Why a server can't be used, and how to fix it. */
export interface Finding {
  title: string;
  text: string;
  remedies: readonly Remedy[];
}

/** Every call sends requests, so only a click may lead to one. */
export interface ServerClient {
  /** What is at an address, or why nothing was found there. Rejects only when the signal aborts. */
  find(address: string, secret: string, signal: AbortSignal): Promise<Detected | Finding>;
  models(server: RemoteServer, signal: AbortSignal): Promise<RemoteModel[]>;
  /** What a training server offers. */
  info(server: AnyServer, signal: AbortSignal): Promise<SidecarInfo>;
  runs(server: AnyServer, signal: AbortSignal): Promise<SidecarRun[]>;
  /** Why a request failed with `error`. Rejects only when the signal aborts. */
  diagnose(server: AnyServer, error: unknown, signal: AbortSignal): Promise<Finding>;
}

/** A sidecar answers these requests at once, or something is wrong. */
const SIDECAR_OPTIONS = { firstMs: 20_000, stallMs: 20_000, retries: 0 };

const findingOf = ({ cause, message, remedies }: Diagnosis): Finding => ({
  title: t(`connect:findings.${cause}`),
  text: message,
  remedies,
});

export function serverClient(page: () => BrowserPage = thisPage): ServerClient {
  const sidecar = (server: AnyServer) => new Sidecar(server, null, { ...SIDECAR_OPTIONS, fetch: page().fetch });
  return {
    async find(address, secret, signal) {
      const diagnosis = await diagnose(address, null, secret, page(), signal);
      return diagnosis.found ?? findingOf(diagnosis);
    },
    models: (server, signal) => listModels(server, { fetch: page().fetch }, signal),
    info: (server, signal) => sidecar(server).info(signal),
    runs: (server, signal) => sidecar(server).runs(signal),
    async diagnose(server, error, signal) {
      // The key goes to the server's own origin, as with any request.
      const secret = server.key?.reveal() ?? '';
      const diagnosis = await diagnose(server.url, server.kind, secret, page(), signal);
      const { found } = diagnosis;
      if (!found) return findingOf(diagnosis);
      const problem = messageOf(error);
      if (found.server.kind === server.kind) {
        return { title: t('connect:findings.answer'), text: problem, remedies: [] };
      }
      const kind = kindOf(found.server.kind).name;
      return {
        title: t('connect:findings.ok'),
        text: t('connect:findings.otherKind', { problem, kind }),
        remedies: [],
      };
    },
  };
}
