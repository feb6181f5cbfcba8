import { describe, expect, test } from 'vitest';
import { settingFields, settingProblems } from '../../../../../src/ui/pages/chat/settings/fields';
import { recommendedSettings, toySettings } from '../../../../../src/ui/pages/chat/settings/sampling';
import { loadChanges, saveChanges } from '../../../../../src/ui/pages/chat/settings/saved-changes';
import { chatModel } from '../scripted-models';

describe('settings', () => {
  test('recommended settings are valid, and R1 gets those of its makers', () => {
    expect(settingProblems(toySettings)).toEqual({});
    expect(settingProblems(recommendedSettings(chatModel('m')))).toEqual({});
    const r1 = { label: 'DeepSeek-R1-Distill-Qwen-1.5B', toy: false };
    expect(recommendedSettings(r1)).toMatchObject({ temperature: 0.6, top_p: 0.95 });
    expect(recommendedSettings({ ...r1, sampling: { temperature: 0.5, top_p: NaN, top_k: undefined } })).toMatchObject({
      temperature: 0.5,
      top_p: 0.95,
      top_k: 0,
    });
    expect(recommendedSettings({ label: 'r1', toy: true })).toBe(toySettings);
  });

  test.each([
    ['temperature', -0.1],
    ['temperature', NaN],
    ['top_k', 1.5],
    ['top_p', 0],
    ['top_p', 1.1],
    ['min_p', 2],
    ['repetition_penalty', 0],
    ['max_tokens', 0],
    ['seed', -1],
  ] as const)('%s = %d is rejected, naming the field', (name, value) => {
    const label = settingFields.find((field) => field.name === name)!.label;
    expect(settingProblems({ ...toySettings, [name]: value })[name]).toContain(label);
  });

  test('changes are saved by model, without those that are invalid', () => {
    let text = '';
    const storage = { getItem: () => text, setItem: (_: string, value: string) => void (text = value) };
    saveChanges(storage, { a: { temperature: 0.1, top_p: 7 } });
    expect(loadChanges(storage)).toEqual({ a: { temperature: 0.1 } });
    for (text of ['{', '{"a":null}', '[]']) expect(loadChanges(storage)).toEqual({});
    expect(loadChanges(undefined)).toEqual({});
  });
});
