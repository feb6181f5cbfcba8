/** Policies that answer from a script, and what the tests ask them with. */
import type { GenerateRequest, ChatModel, ChatToken } from '../../../../src/runs/chat-model';
import type { Ask } from '../../../../src/ui/pages/chat/conversation/chat-session.svelte';
import type { ModelChoice } from '../../../../src/ui/pages/chat/models/models';
import { recommendedSettings } from '../../../../src/ui/pages/chat/settings/settings';

export interface Scripted extends ChatModel {
  requests: GenerateRequest[];
  closed: number;
  close(): void;
}

/** Answers with these tokens each time, and notes what it was asked. */
export function scripted(tokens: (ChatToken | string)[], end?: Error): Scripted {
  const policy: Scripted = {
    name: 'scripted',
    requests: [],
    closed: 0,
    close: () => void policy.closed++,
    async *generate(request, signal) {
      policy.requests.push(request);
      for (const token of tokens) {
        if (signal.aborted) return;
        await Promise.resolve();
        yield typeof token === 'string' ? { text: token } : token;
      }
      if (end) throw end;
    },
  };
  return policy;
}

export const chatModel = (id: string): ModelChoice => ({
  id,
  label: id.toUpperCase(),
  group: 'Large models',
  toy: false,
});

export const asking = (id: string, change: Partial<Ask> = {}): Ask => {
  const model = chatModel(id);
  return { model, settings: () => recommendedSettings(model), alternatives: false, ...change };
};
