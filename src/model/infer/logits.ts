/** @file The logits after every token of a prompt, read back. */
import type { InferenceModel } from './inference-model';

/**
 * Computes a prompt in pieces.
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
