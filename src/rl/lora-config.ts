/** @file The adapters that a run's config asks for. */
import { loraModules, type LoraConfig, type LoraModule } from '../model/lora/lora-layout';
import type { RunConfig } from './config';

/** What stands for every module that can have an adapter; PEFT's name for it. */
const ALL_LINEAR = 'all-linear';

/** Whether an adapter learns, rather than all weights. */
export const trainsAdapter = ({ lora_r }: Pick<RunConfig, 'lora_r'>): boolean => lora_r !== null;

/** Null when all weights learn. @throws RangeError naming a module that can't have an adapter */
export function loraOf({
  lora_r: r,
  lora_alpha,
  lora_target_modules,
}: Pick<RunConfig, 'lora_r' | 'lora_alpha' | 'lora_target_modules'>): LoraConfig | null {
  return r === null ? null : { r, lora_alpha, target_modules: targetModules(lora_target_modules) };
}

/** @throws RangeError naming one that isn't a module that can have an adapter */
export function targetModules(text: string): LoraModule[] {
  if (text === ALL_LINEAR) return [...loraModules];
  return text.split(',').map((name) => {
    const module = loraModules.find((each) => each === name.trim());
    if (!module) throw new RangeError(`adapters go to ${ALL_LINEAR}, or some of ${loraModules.join(',')}, not ${name}`);
    return module;
  });
}
