/** @file The keyboard shortcuts of the chat: what they are called, and which of them a key press is. */

const command = /Mac|iPhone|iPad/.test(globalThis.navigator?.userAgent ?? '') ? '⌘' : 'Ctrl';

export type Action = 'stop' | 'search' | 'new' | 'tokens' | 'settings' | 'help' | 'prompt';

export const shortcuts: readonly { keys: readonly string[]; does: string }[] = [
  { keys: ['Enter'], does: 'Send the prompt' },
  { keys: ['Shift', 'Enter'], does: 'Start a new line' },
  { keys: ['Esc'], does: 'Stop the answer' },
  { keys: ['↑'], does: 'Edit the last question, from the empty prompt' },
  { keys: [command, 'K'], does: 'Search the conversations' },
  { keys: ['Alt', 'N'], does: 'Start a new conversation' },
  { keys: ['Alt', 'T'], does: 'Show or hide the tokens' },
  { keys: ['Alt', 'S'], does: 'Open the settings' },
  { keys: ['/'], does: 'Go to the prompt' },
  { keys: ['?'], does: 'Show these shortcuts' },
];

type Press = Pick<KeyboardEvent, 'key' | 'code' | 'ctrlKey' | 'metaKey' | 'altKey' | 'isComposing'>;

/** @param typing the focus is where characters are typed, which then belong there */
export function actionOf(press: Press, typing: boolean): Action | null {
  if (press.isComposing) return null;
  if ((press.ctrlKey || press.metaKey) && !press.altKey) return press.key.toLowerCase() === 'k' ? 'search' : null;
  // By its place on the keyboard: with Alt, some systems make another character of it.
  if (press.altKey) return ({ KeyN: 'new', KeyT: 'tokens', KeyS: 'settings' } as const)[press.code] ?? null;
  if (press.key === 'Escape') return 'stop';
  if (typing) return null;
  return ({ '?': 'help', '/': 'prompt' } as const)[press.key] ?? null;
}
