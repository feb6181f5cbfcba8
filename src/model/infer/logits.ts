/** @file The logits after every token of a sequence, read back: for files, tests and checks of a GPU. */
import type { InferenceModel } from './inference-model';
import { DECODE_STEPS } from './inference-plan';

/**
 * Of a prompt, computed in pieces.
 * @param ids at most the model's context
 * @param piece tokens at once, at most `plan.prefillTokens`
 * @returns [tokens, vocab], for each token f32 [vocab]
 */
export async function promptLogits(
  model: InferenceModel,
  ids: readonly number[],
  piece: number = model.plan.prefillTokens,
): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for (let at = 0; at < ids.length; at += piece) {
    const chunk = ids.slice(at, at + piece);
    for (let row = 0; row < chunk.length; row++) {
      const recorder = model.gpu.recorder();
      if (row === 0) model.recordPrefill(recorder, chunk, at);
      model.recordLogits(recorder, row, 1);
      const read = recorder.read(model.buffers.work.logits, 4 * model.config.vocab_size);
      recorder.submit();
      rows.push(new Float32Array(await read));
    }
  }
  return rows;
}

/** Of tokens that are fed one by one, as when they are drawn, from position 0 on. */
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
