/** @file The config that a link names: a preset (`?preset=collapse`), settings, or a preset with changed settings. */
import { t } from '../../../../i18n';
import { configFromParams, configToParams } from '../../../../runs/config';
import type { RunConfig } from '../../../../runs/events';
import { getPreset, presetConfig } from '../../../../runs/presets';

/** Parameters that say where a run comes from. They are not settings. */
const SOURCE_PARAMS = ['recording', 'run', 'resume', 'server'] as const;

export interface LinkProblem {
  param: string;
  message: string;
}

/** Settings that can't be used keep their defaults and are reported. */
export function configFromLink(params: URLSearchParams): { config: RunConfig; problems: LinkProblem[] } {
  const name = params.get('preset');
  const preset = name === null ? undefined : getPreset(name);
  const settings = preset ? configToParams(presetConfig(preset)) : new URLSearchParams();
  for (const [key, value] of params) if (key !== 'preset') settings.set(key, value);
  const { config, problems } = configFromParams(settings, SOURCE_PARAMS);
  if (name === null || preset) return { config, problems };
  const message = t('train:banner.noSuchPreset', { name: name.slice(0, 60) });
  return { config, problems: [{ param: 'preset', message }, ...problems] };
}
