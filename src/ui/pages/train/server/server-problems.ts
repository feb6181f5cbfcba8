/** @file The settings that a server refused, each with the reason. */
import { messageOf } from '../../../../base/errors';
import { RemoteError } from '../../../../servers/errors';

export interface ServerProblem {
  /** A setting's key, in the config or in the options of the server; `*` when no single setting is to blame. */
  field: string;
  message: string;
}

/** @param error what starting a run failed with */
export function problemsOf(error: unknown): ServerProblem[] {
  const fields = error instanceof RemoteError ? error.fields : [];
  if (fields.length === 0) return [{ field: '*', message: messageOf(error) }];
  return fields.map(({ field, message }) => ({
    // The server writes `config.max_steps` and `remote.lora.r`.
    field: field.replace(/^(?:config|remote)(?:\.|$)/, '') || '*',
    message: asSentence(message),
  }));
}

function asSentence(text: string): string {
  const trimmed = text.trim();
  const ended = /[.!?…]$/.test(trimmed) ? trimmed : `${trimmed}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}
