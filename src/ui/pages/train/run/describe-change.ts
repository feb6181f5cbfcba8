/** @file What changed in the settings of a run, in words. */
import { t } from '../../../../i18n';
import type { RunConfig } from '../../../../runs/events';
import { describeField, fieldKeys, getField, type FieldKey, type FieldValue } from '../../../../runs/fields';
import { formatShort } from '../../../charts/format';

/** For example “Changed: Learning rate 1e−4, Format weight 0.5”; empty if nothing changed. */
export function describeChange(before: RunConfig, after: RunConfig): string {
  const changes = fieldKeys
    .filter((key) => !Object.is(getField(before, key), getField(after, key)))
    .map((key) => t('train:changes.setting', { label: settingLabel(key), value: formatValue(getField(after, key)) }));
  return changes.length === 0 ? '' : t('train:changes.changed', { changes: changes.join(', ') });
}

/** A setting's label outside of its group in the form, where “Format” alone would be unclear. */
export function settingLabel(key: FieldKey): string {
  const { label } = describeField(key);
  return key.startsWith('reward_weights') ? t('train:changes.weight', { label }) : label;
}

/** A setting's value in words. */
export function formatValue(value: FieldValue | undefined): string {
  if (typeof value === 'boolean') return value ? t('train:settings.value.on') : t('train:settings.value.off');
  if (value === null || value === undefined) return t('train:settings.value.none');
  return typeof value === 'number' ? formatShort(value) : value;
}
