/** @file The worker's program: the engine, exposed to the page through Comlink (client.ts is the other side). */
import { expose } from 'comlink';
import { LocalEngine } from '../engine/local-engine';
import { Gpu } from '../gpu/gpu';
import type { SftExample } from '../rl/sft/sft-examples';
import { EngineHost } from './host';
import { registerTransfers } from './transfer';

/** A page shares its GPU with all others, and larger micro-batches gain little. */
const ACTIVATION_BYTES = 1e9;

registerTransfers();
const engine = new LocalEngine({
  gpu: () => Gpu.request(navigator.gpu),
  examples: readExamples,
  training: { activationBytes: ACTIVATION_BYTES },
});
expose(new EngineHost({ gpu: navigator.gpu, engine }));

/** @throws Error with a message for the user when there is no such data set on this device */
async function readExamples(name: string): Promise<SftExample[]> {
  const { DatasetStorage } = await import('../storage/dataset-storage');
  const { sftExamples } = await import('../eval/distillation');
  return sftExamples(await new DatasetStorage().load(name));
}
