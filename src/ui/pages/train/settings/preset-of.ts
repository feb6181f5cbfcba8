/** @file Which preset a config belongs to, so that the page can say what to watch. */
import { configToParams } from '../../../../runs/config';
import type { RunConfig } from '../../../../runs/events';
import { presetConfig, presets, type Preset } from '../../../../runs/presets';

/** Settings that change how long a run is or how it is shown, but not what it shows. */
const IGNORED = ['model', 'seed', 'max_steps', 'eval_steps', 'eval_problems', 'save_steps', 'log_probability_change'];

/** The preset with the same settings, whatever the seed and the number of steps. Presets never train adapters. */
export function presetOf(config: RunConfig): Preset | undefined {
  // Measured against the preset's own model, so that adapters count as a difference.
  return presets.find((preset) => {
    const wanted = presetConfig(preset);
    return essence({ ...config, model: wanted.model }) === essence(wanted);
  });
}

function essence(config: RunConfig): string {
  const params = configToParams(config);
  for (const key of IGNORED) params.delete(key);
  params.sort();
  return params.toString();
}
