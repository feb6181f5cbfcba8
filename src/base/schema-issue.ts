/** @file What is wrong with data from outside, as valibot found it, in words for a person who never saw the schema. */
import * as v from 'valibot';
import { t } from '../i18n';

/** Nobody reads more of a path than this, in characters. */
const LONGEST_PATH = 100;

/** For example “groups.0.mean” must be a number. Whole, without a full stop, to stand behind “Line 3: ”. */
export function describeIssue(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue)?.slice(0, LONGEST_PATH) ?? null;
  const { expected, received } = issue;
  // A check of our own has a message for the reader; valibot's all begin like this.
  if (!issue.message.startsWith('Invalid ')) {
    return path === null ? issue.message : t('common:invalid.own', { path, reason: issue.message });
  }
  if (path === null) return t('common:invalid.whole');
  if (received === 'undefined') return t('common:invalid.missing', { path });
  if (issue.kind === 'validation') {
    return /length|value|integer|finite|size|empty/.test(issue.type)
      ? t('common:invalid.range', { path })
      : t('common:invalid.other', { path });
  }
  switch (expected) {
    case 'string':
      return t('common:invalid.text', { path });
    case 'number':
      return received === 'NaN' ? t('common:invalid.range', { path }) : t('common:invalid.number', { path });
    case 'boolean':
      return t('common:invalid.boolean', { path });
    case 'Array':
      return t('common:invalid.list', { path });
    case 'Object':
      return t('common:invalid.object', { path });
    default:
      return t('common:invalid.other', { path });
  }
}
