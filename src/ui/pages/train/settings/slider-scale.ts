/** @file The position of a setting on a slider from 0 to 100 over its usual values, linear or logarithmic. */
import type { NumberField } from '../../../../runs/fields';

type Ends = Pick<NumberField, 'usual' | 'scale' | 'step'>;

/** The position of a value. Values outside the usual range are at the ends. */
export function sliderPosition({ usual: [low, high], scale }: Ends, value: number): number {
  const share =
    scale === 'log' ? Math.log(Math.max(value, low) / low) / Math.log(high / low) : (value - low) / (high - low);
  return Math.min(100, Math.max(0, share * 100));
}

/** The value at a position: two significant digits on a logarithmic scale, a multiple of the step on a linear one. */
export function sliderValue({ usual: [low, high], scale, step }: Ends, position: number): number {
  const share = position / 100;
  if (scale === 'log') return Number((low * (high / low) ** share).toPrecision(2));
  return Number((Math.round((low + (high - low) * share) / step) * step).toPrecision(6));
}
