/**
 * @file The low-rank adapters (LoRA, Hu et al., arXiv 2106.09685) of one linear layer of the decoder. A layer stacks up to
 * three of a model's modules (q, k, v; gate, up), and any of them may have an adapter: A and B of those that have one are
 * stacked too, A [blocks × rank, inFeatures] and B [their rows, rank].
 */

export interface LoraBlock {
  /** The first of the stacked features that the module makes, and how many. */
  first: number;
  rows: number;
}

export interface LoraShape {
  inFeatures: number;
  /** Features of the whole stack. */
  outFeatures: number;
  /** A multiple of 4: smaller ranks are filled up with zeros, which stay zero and change nothing. */
  rank: number;
  /** 1 to 3, in the order of their features. */
  blocks: readonly LoraBlock[];
}

/** Values of the stacked A and B. */
export const loraSizes = ({ inFeatures, rank, blocks }: LoraShape): { a: number; b: number } => ({
  a: blocks.length * rank * inFeatures,
  b: blocks.reduce((sum, { rows }) => sum + rows, 0) * rank,
});

/** What a kernel that imports `shaders/lora/lora_blocks.wesl` is compiled with. */
export function loraConstants({ rank, blocks }: LoraShape): Record<string, number> {
  const constants: Record<string, number> = { RANK: rank, BLOCKS: blocks.length };
  let row = 0;
  for (let j = 0; j < 3; j++) {
    const { first, rows } = blocks[j] ?? { first: 0, rows: 0 };
    constants[`FIRST_${j}`] = first;
    constants[`END_${j}`] = first + rows;
    constants[`ROW_${j}`] = row;
    row += rows;
  }
  return constants;
}
