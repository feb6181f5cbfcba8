/**
 * @file Bit parity: is the number of ones odd (1) or even (0)? A chain of running parities is long and each step easy;
 * answering at once is hard. After Tsilivis et al., arXiv 2510.11495, where the share of chains in the pretraining
 * data (`p_cot` of a mixture, see src/rl/pretraining/corpus.ts) decides what the base model does and what RL can amplify.
 */
import type { Task } from './task';
import { writeTrace } from './trace';

export const parity: Task = {
  name: 'parity',
  title: 'Bit parity',
  description: 'Say whether a row of bits has an odd number of ones (1) or an even one (0), such as parity 10110=.',
  difficulty: { min: 2, max: 23, default: 20, describe: (level) => `${level} bits` },
  styles: ['bare', 'direct', 'partial', 'full', 'check'],

  generate(rng, difficulty) {
    let bits = '';
    let running = 0;
    const steps = [];
    for (let i = 0; i < difficulty; i++) {
      const bit = rng.int(0, 1);
      bits += bit;
      running ^= bit;
      steps.push({ expression: String(bit), value: String(running) });
    }
    return { prompt: `parity ${bits}=`, answer: String(running), steps };
  },

  verify: (problem, answer) => answer === problem.answer,
  solve(prompt) {
    const bits = /^parity ([01]+)=$/.exec(prompt)?.[1];
    return bits === undefined ? null : String(bits.replaceAll('0', '').length % 2);
  },
  trace: (rng, problem, style) => writeTrace(rng, problem, style, (_, value) => (value === '0' ? '1' : '0')),
};
