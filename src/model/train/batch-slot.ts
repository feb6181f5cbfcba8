/**
 * @file A micro-batch on the GPU. Slots are made once for the largest micro-batch and refilled, so that bind groups made
 * for them stay valid from step to step.
 */
import type { Gpu, Tensor } from '../../gpu/gpu';
import { TILE_WORDS } from '../../nn/train/ragged';
import type { MicroBatch } from './batch';

export interface BatchSlot {
  tokens: number;
  rows: number;
  firstRow: number;
  firstSequence: number;
  sequences: number;
  tileCount: number;
  tokenIds: Tensor;
  positions: Tensor;
  tiles: Tensor;
  rowIndex: Tensor;
  targets: Tensor;
  rowsOfToken: { start: Tensor; item: Tensor };
  tokensOfId: { start: Tensor; item: Tensor };
}

export class BatchSlots {
  private readonly slots: BatchSlot[] = [];

  constructor(
    private readonly gpu: Gpu,
    private readonly limits: { maxTokens: number; maxRows: number; vocab: number },
  ) {}

  /** Uploads micro-batches, one a slot; the slots are valid until the next call. */
  fill(microBatches: readonly MicroBatch[]): BatchSlot[] {
    return microBatches.map((batch, i) => {
      const slot = (this.slots[i] ??= this.allocate());
      const { gpu } = this;
      gpu.write(slot.tokenIds, batch.tokenIds);
      gpu.write(slot.positions, batch.positions);
      gpu.write(slot.tiles, batch.tiles);
      gpu.write(slot.rowIndex, batch.rowIndex);
      gpu.write(slot.targets, batch.targets);
      gpu.write(slot.rowsOfToken.start, batch.rowsOfToken.start);
      gpu.write(slot.rowsOfToken.item, batch.rowsOfToken.item);
      gpu.write(slot.tokensOfId.start, batch.tokensOfId.start);
      gpu.write(slot.tokensOfId.item, batch.tokensOfId.item);
      return Object.assign(slot, {
        tokens: batch.tokenIds.length,
        rows: batch.targets.length,
        firstRow: batch.firstRow,
        firstSequence: batch.firstSequence,
        sequences: batch.sequences,
        tileCount: batch.tileCount,
      });
    });
  }

  private allocate(): BatchSlot {
    const { maxTokens, maxRows, vocab } = this.limits;
    const words = (label: string, count: number) => this.gpu.alloc(label, count * 4);
    return {
      tokens: 0,
      rows: 0,
      firstRow: 0,
      firstSequence: 0,
      sequences: 0,
      tileCount: 0,
      tokenIds: words('token ids', maxTokens),
      positions: words('positions', maxTokens),
      // A segment ends a tile, and a segment has at least one token.
      tiles: words('attention tiles', maxTokens * TILE_WORDS),
      rowIndex: words('row index', maxRows),
      targets: words('targets', maxRows),
      rowsOfToken: { start: words('rows of tokens', maxTokens + 1), item: words('rows of tokens', maxRows) },
      tokensOfId: { start: words('tokens of ids', vocab + 1), item: words('tokens of ids', maxTokens) },
    };
  }
}
