/** @file The keyboard shortcuts of the chat. */
import { t } from '../../../i18n';

const command = /Mac|iPhone|iPad/.test(globalThis.navigator?.userAgent ?? '') ? '⌘' : 'Ctrl';

export type Action = 'stop' | 'search' | 'new' | 'tokens' | 'settings' | 'help' | 'prompt';

export const shortcuts: readonly { keys: readonly string[]; action: string }[] = [
  { keys: ['Enter'], action: t('chat:shortcuts.send') },
  { keys: ['Shift', 'Enter'], action: t('chat:shortcuts.newLine') },
  { keys: ['Esc'], action: t('chat:shortcuts.stop') },
  { keys: ['↑'], action: t('chat:shortcuts.editLast') },
  { keys: [command, 'K'], action: t('chat:shortcuts.search') },
  { keys: ['Alt', 'N'], action: t('chat:shortcuts.new') },
  { keys: ['Alt', 'T'], action: t('chat:shortcuts.tokens') },
  { keys: ['Alt', 'S'], action: t('chat:shortcuts.settings') },
  { keys: ['/'], action: t('chat:shortcuts.prompt') },
  { keys: ['?'], action: t('chat:shortcuts.help') },
];

type Press = Pick<KeyboardEvent, 'key' | 'code' | 'ctrlKey' | 'metaKey' | 'altKey' | 'isComposing'>;

/** The action that a key press stands for. @param typing the focus is in a text field, where characters are typed */
export function actionOf(press: Press, typing: boolean): Action | null {
  if (press.isComposing) return null;
  if ((press.ctrlKey || press.metaKey) && !press.altKey) return press.key.toLowerCase() === 'k' ? 'search' : null;
  // By the key's place on the keyboard, because with Alt some systems produce another character.
  if (press.altKey) return ({ KeyN: 'new', KeyT: 'tokens', KeyS: 'settings' } as const)[press.code] ?? null;
  if (press.key === 'Escape') return 'stop';
  if (typing) return null;
  return ({ '?': 'help', '/': 'prompt' } as const)[press.key] ?? null;
}
