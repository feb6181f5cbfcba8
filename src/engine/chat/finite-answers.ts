/** @file Says which weight is to blame when a model's answers are no numbers. */
import type { Model } from '../../formats/model';
import { findNotFinite } from '../../formats/not-finite';
import { NotFiniteError } from '../../model/not-finite';
import type { ChatToken, GenerateRequest, OpenChatModel } from '../../runs/chat-model';
import { t } from '../../i18n';

/** The same chat model, whose NotFiniteErrors name the weight that holds NaN. */
export function withFiniteAnswers(chat: OpenChatModel, model: Model): OpenChatModel {
  let broken: Promise<Error> | null = null;
  return {
    name: chat.name,
    ...(chat.sampling && { sampling: chat.sampling }),
    ...(chat.readsLanguage !== undefined && { readsLanguage: chat.readsLanguage }),
    async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<ChatToken> {
      try {
        yield* chat.generate(request, signal);
      } catch (error) {
        if (!(error instanceof NotFiniteError)) throw error;
        broken ??= explain(model, error);
        throw await broken;
      }
    },
    close: () => chat.close(),
  };
}

async function explain(model: Model, cause: NotFiniteError): Promise<Error> {
  const name = model.name;
  // A file that can't be read any more says nothing about the cause.
  const weight = await findNotFinite(model).catch(() => undefined);
  if (weight === undefined) return cause;
  const message =
    weight === null ? t('models:notFinite.overflow', { name }) : t('models:notFinite.weight', { name, weight });
  return new Error(message, { cause });
}
