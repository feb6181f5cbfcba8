/** Policies that answer from a script, and what the tests ask them with. */
import type { GenerateRequest, Policy, PolicyToken } from '../../../src/runs/policy';
import type { Ask } from '../../../src/ui/chat/chat-session.svelte';
import type { ChatModel } from '../../../src/ui/chat/models';
import { recommendedSettings } from '../../../src/ui/chat/settings';

export interface Scripted extends Policy {
  requests: GenerateRequest[];
  closed: number;
  close(): void;
}

/** Answers with these tokens each time, and notes what it was asked. */
export function scripted(tokens: (PolicyToken | string)[], end?: Error): Scripted {
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

export const chatModel = (id: string): ChatModel => ({
  id,
  label: id.toUpperCase(),
  group: 'Large models',
  toy: false,
});

export const asking = (id: string, change: Partial<Ask> = {}): Ask => {
  const model = chatModel(id);
  return { model, settings: () => recommendedSettings(model), alternatives: false, ...change };
};
