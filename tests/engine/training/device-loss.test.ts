/** @file A run whose GPU is lost goes on from its last checkpoint on a new device, to the same weights bit for bit. */
import { expect, it } from 'vitest';
import type { Gpu } from '../../../src/gpu/gpu';
import { openTraining } from '../../../src/engine/open';
import type { RunEvent } from '../../../src/runs/events';
import { effectiveEvents } from '../../../src/runs/history';
import { LocalTrainer } from '../../../src/engine/training/local-trainer';
import { openTestGpu } from '../../support/gpu';
import { tinyConfig, tinyModel } from './tiny';

const config = { ...tinyConfig, beta: 0.04, log_probability_change: true, eval_steps: 2 };

/** A whole run. The device is destroyed in the update of step 3, and the next one between steps 3 and 4. */
async function run(losses: ('in the update' | 'between steps')[]) {
  const events: RunEvent[] = [];
  const saved = new Map<number, Uint8Array>();
  const pending = [...losses];
  let gpu!: Gpu;
  let devices = 0;
  const trainer = new LocalTrainer({
    openModel: tinyModel,
    async openSession(run, model) {
      gpu = await openTestGpu();
      devices++;
      return openTraining(gpu, model, run, {
        onBatch(step) {
          if (step !== 3 || pending[0] !== 'in the update') return;
          pending.shift();
          setTimeout(() => gpu.destroy(), 5);
        },
      });
    },
    device: () => gpu.description,
    saveCheckpoint: (_, step, bytes) => Promise.resolve(void saved.set(step, bytes)),
    wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, Math.min(milliseconds, 20))),
  });
  await new Promise<void>((resolve, reject) => {
    const event = (event: RunEvent) => {
      events.push(event);
      if (event.type === 'step' && event.step === 3 && pending[0] === 'between steps') {
        pending.shift();
        gpu.destroy();
      }
      if (event.type === 'finished' || event.type === 'failed') resolve();
    };
    trainer.start(config, { event }).then(() => trainer.resume(), reject);
  });
  const metrics = effectiveEvents(events).flatMap((event) => {
    if (event.type !== 'step') return [];
    const { step_time, ...rest } = event.metrics;
    expect(step_time).toBeGreaterThan(0);
    return [rest];
  });
  const outline = events.map((event) => `${event.type}${'step' in event ? ` ${event.step}` : ''}`);
  return { events, outline, metrics, devices, final: Buffer.from(saved.get(config.max_steps) ?? []) };
}

it('ends with the weights of an undisturbed run, though the GPU went away twice', async () => {
  const undisturbed = await run([]);
  expect(undisturbed.outline.at(-1)).toBe('finished 4');
  expect(undisturbed.devices).toBe(1);
  expect(undisturbed.final.length).toBeGreaterThan(1000);

  const disturbed = await run(['in the update', 'between steps']);
  expect(disturbed.devices).toBe(3);
  expect(disturbed.events.filter((event) => event.type === 'interrupted')).toMatchObject([
    { step: 2, resumes_from: 2 },
    { step: 3, resumes_from: 2 },
  ]);
  expect(disturbed.outline.slice(disturbed.outline.indexOf('checkpoint 2'))).toEqual([
    'checkpoint 2',
    'interrupted 2',
    'step 3',
    'interrupted 3',
    'step 3',
    'step 4',
    'eval 4',
    'checkpoint 4',
    'finished 4',
  ]);
  expect(disturbed.metrics).toEqual(undisturbed.metrics);
  expect(disturbed.final.equals(undisturbed.final)).toBe(true);
});
