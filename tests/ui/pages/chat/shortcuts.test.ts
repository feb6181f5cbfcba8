import { describe, expect, test } from 'vitest';
import { actionOf } from '../../../../src/ui/pages/chat/shortcuts';

describe('shortcuts', () => {
  const press = (key: string, change: Partial<KeyboardEvent> = {}) => ({
    ...{ key, code: '', ctrlKey: false, metaKey: false, altKey: false, isComposing: false },
    ...change,
  });
  test('leave text fields alone', () => {
    expect(actionOf(press('?'), false)).toBe('help');
    expect(actionOf(press('?'), true)).toBeNull();
    expect(actionOf(press('Escape'), true)).toBe('stop');
    expect(actionOf(press('Escape', { isComposing: true }), true)).toBeNull();
    expect(actionOf(press('k', { ctrlKey: true }), true)).toBe('search');
    expect(actionOf(press('K', { metaKey: true }), true)).toBe('search');
    expect(actionOf(press('†', { altKey: true, code: 'KeyT' }), true)).toBe('tokens');
    expect(actionOf(press('c', { ctrlKey: true }), false)).toBeNull();
  });
});
