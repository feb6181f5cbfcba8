/** @file Conversations as files to download. */
import { t } from '../../../../i18n';
import type { ExportedFile } from '../../../../runs/exchange';
import { titleOf, type Conversation } from '../../../../storage/conversation';
import { rounds } from './conversation';
import { serializeConversations } from '../../../../storage/conversation-schema';
import { splitThought } from '../../../../tasks/answer';

const bytes = (text: string) => new TextEncoder().encode(text);
const fileName = (title: string) =>
  title
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60) || 'chat';

/** Includes every branch, token and setting, and can be imported again. */
export function asJson(conversations: readonly Conversation[]): ExportedFile {
  const [only] = conversations;
  const title = conversations.length === 1 && only ? titleOf(only) : t('chat:conversations.exportName');
  return {
    name: `${fileName(title)}.json`,
    type: 'application/json',
    bytes: bytes(serializeConversations(conversations)),
  };
}

/** The shown branch as a text to read, with thoughts as quotes. */
export function asMarkdown(conversation: Conversation): ExportedFile {
  const parts = [`# ${titleOf(conversation)}`];
  if (conversation.system.trim() !== '') parts.push(`## ${t('chat:markdownFile.system')}`, conversation.system.trim());
  for (const { user, answers } of rounds(conversation)) {
    parts.push(`## ${t('chat:markdownFile.user')}`, user.text);
    for (const view of answers) {
      if (!view) continue;
      const { thought, answer } = splitThought(view.turn.text);
      parts.push(`## ${view.turn.model.label}`);
      if (thought) parts.push(thought.replace(/^/gm, '> '));
      parts.push(answer.trim());
    }
  }
  return {
    name: `${fileName(titleOf(conversation))}.md`,
    type: 'text/markdown',
    bytes: bytes(`${parts.join('\n\n')}\n`),
  };
}
