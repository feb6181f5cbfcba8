/** @file The logits of a sequence that is fed token by token, to compare them with those of the whole prompt. */
import type { InferenceModel } from '../../src/model/infer/inference-model';
import { DECODE_STEPS } from '../../src/model/infer/inference-plan';

/** Feeds tokens one by one from position 0 on, as when they are sampled. @returns [tokens, vocab] */
export async function forcedLogits(model: InferenceModel, ids: readonly number[]): Promise<Float32Array[]> {
  const { gpu } = model;
  const tokens = gpu.alloc('forced tokens', 4 * ids.length);
  gpu.write(tokens, Uint32Array.from(ids));
  const rows: Promise<ArrayBuffer>[] = [];
  for (let at = 0; at < ids.length; at += DECODE_STEPS) {
    const steps = Math.min(DECODE_STEPS, ids.length - at);
    const recorder = gpu.recorder();
    model.placeSteps(at, steps);
    for (let step = 0; step < steps; step++) {
      model.recordDecode(recorder, tokens, at + step, step, at + step);
      rows.push(recorder.read(model.buffers.work.logits, 4 * model.config.vocab_size));
    }
    recorder.submit();
  }
  const logits = (await Promise.all(rows)).map((row) => new Float32Array(row));
  gpu.free(tokens);
  return logits;
}
