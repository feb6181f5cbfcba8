/** @file Chat models that answer from a script, and requests to them. */
import type { GenerateRequest, ChatModel, ChatToken } from '../../../../src/runs/chat-model';
import type { ModelRequest } from '../../../../src/ui/pages/chat/conversation/chat-session.svelte';
import type { ModelChoice } from '../../../../src/ui/pages/chat/models/models';
import { recommendedSettings } from '../../../../src/ui/pages/chat/settings/sampling';

export interface Scripted extends ChatModel {
  requests: GenerateRequest[];
  closed: number;
  close(): void;
}

/** Answers with these tokens each time, and records its requests. */
export function scripted(tokens: (ChatToken | string)[], end?: Error): Scripted {
  const model: Scripted = {
    name: 'scripted',
    requests: [],
    closed: 0,
    close: () => void model.closed++,
    async *generate(request, signal) {
      model.requests.push(request);
      for (const token of tokens) {
        if (signal.aborted) return;
        await Promise.resolve();
        yield typeof token === 'string' ? { text: token } : token;
      }
      if (end) throw end;
    },
  };
  return model;
}

export const chatModel = (id: string): ModelChoice => ({
  id,
  label: id.toUpperCase(),
  group: 'downloaded',
  toy: false,
});

export const requestTo = (id: string, change: Partial<ModelRequest> = {}): ModelRequest => {
  const model = chatModel(id);
  return { model, settings: () => recommendedSettings(model), alternatives: false, ...change };
};
