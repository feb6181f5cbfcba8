/** @file What a setting of a run is, for a form, for validation and for links. */
import { t } from '../../i18n';
import type { RunConfig } from '../../rl/config';

/** Keys as in the config; the weight of each reward is a field of its own, `reward_weights.<name>`. */
export type FieldKey = PlainKey | `reward_weights.${string}`;
export type PlainKey = Exclude<keyof RunConfig, 'reward_funcs' | 'reward_weights'>;
export type FieldGroup = 'problem' | 'adapter' | 'sampling' | 'reward' | 'loss' | 'optimizer' | 'run';
export type FieldValue = number | string | boolean | null;

interface FieldBase {
  label: string;
  /** For a run's automatic name, where every character counts. */
  short: string;
  help: string;
  group: FieldGroup;
  /** May change while the run goes on. */
  live: boolean;
}
export interface NumberField extends FieldBase {
  kind: 'number';
  integer: boolean;
  /** Bounds of what is accepted, included unless `above` says otherwise. */
  min: number;
  max: number;
  /** The minimum itself is not accepted. */
  above: boolean;
  /** The step of an input; a slider covers `usual`, the settings worth trying. */
  step: number;
  usual: readonly [number, number];
  scale: 'linear' | 'log';
  /** null turns it off. */
  nullable: boolean;
}
export interface ChoiceField extends FieldBase {
  kind: 'choice';
  options: readonly { value: string; label: string }[];
}
export interface SwitchField extends FieldBase {
  kind: 'switch';
}
/** A task, a model or a data set, whose choices come from elsewhere. */
export interface NameField extends FieldBase {
  kind: 'name';
}
export type Field = NumberField | ChoiceField | SwitchField | NameField;

export const fieldGroups: readonly { group: FieldGroup; label: string }[] = (
  ['problem', 'adapter', 'sampling', 'reward', 'loss', 'optimizer', 'run'] as const
).map((group) => ({ group, label: t(`config:groups.${group}`) }));

export type Text = Pick<FieldBase, 'label' | 'short' | 'help'>;
export type NumberOptions = Partial<Pick<NumberField, 'above' | 'step' | 'scale' | 'nullable' | 'live'>>;
export type Range = readonly [min: number, max: number];

/** A setting's texts in the catalogue. */
export const textOf = (key: PlainKey): Text => ({
  label: t(`config:fields.${key}.label`),
  short: t(`config:fields.${key}.short`),
  help: t(`config:fields.${key}.help`),
});

const defaults = { above: false, scale: 'linear', nullable: false, live: false } as const;

const numberField =
  (kind: Pick<NumberField, 'integer' | 'step'>) =>
  (group: FieldGroup, text: Text, [min, max]: Range, usual: Range, options: NumberOptions = {}): NumberField => ({
    kind: 'number',
    ...text,
    group,
    min,
    max,
    usual,
    ...defaults,
    ...kind,
    ...options,
  });

export const integer = numberField({ integer: true, step: 1 });
export const real = numberField({ integer: false, step: 0.01 });

export function choice(group: FieldGroup, text: Text, options: Record<string, string>): ChoiceField {
  const list = Object.entries(options).map(([value, label]) => ({ value, label }));
  return { kind: 'choice', ...text, group, live: false, options: list };
}

export const toggle = (group: FieldGroup, text: Text): SwitchField => ({ kind: 'switch', ...text, group, live: false });
export const named = (group: FieldGroup, text: Text): NameField => ({ kind: 'name', ...text, group, live: false });
