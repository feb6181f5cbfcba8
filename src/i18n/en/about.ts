/** @file English: the About page. */
export const about = {
  intro: {
    title: 'Watch a tiny model learn to think',
    method:
      'tinythink trains a language model of about a million parameters, in this page, on this device’s GPU. The model starts out guessing: it was pretrained on answers that mostly skip the working. Then it practises. It tries each problem several times, sees which attempts were right, and becomes more likely to do what those did. On some tasks it learns to write down its steps before it answers. This is the method behind DeepSeek-R1, at a scale where you can see every token.',
    local:
      'Everything runs here: the model, sampling, gradients and the optimizer are WebGPU shaders written for this project. Nothing you do is sent anywhere, unless you connect a server. <train>Start a run</train>, or <chat>ask the model something</chat>.',
  },
  grpo: {
    title: 'One step of GRPO',
    sample: '<b>Sample a group.</b> The model answers the same problem several times, at random.',
    reward:
      '<b>Reward.</b> A program checks each answer: is it right, and is it in the right format? Nobody judges the reasoning.',
    compare:
      '<b>Compare.</b> An answer’s advantage says how far its reward is above or below the mean of its group, in standard deviations. A right answer to a hard problem counts more than one to an easy problem.',
    update:
      '<b>Update.</b> Every token of an answer with a positive advantage becomes a little more likely, and every token of one with a negative advantage a little less.',
  },
  // A group of four answers to play with.
  group: {
    title: 'Four answers to one problem. Choose which are right:',
    answer: 'Answer {{number}}',
    equal: 'All rewards are equal, so every advantage is 0 and there is nothing to learn from this group.',
    formula: 'Mean {{mean}}, standard deviation {{std}}. Advantage = (reward − mean) ÷ (standard deviation + 0.0001).',
    reward: 'reward {{reward}}',
  },
  expect: {
    title: 'What to expect',
    intro:
      'Reinforcement amplifies what the model already does when that earns reward. It adds no knowledge, and it doesn’t always make reasoning longer:',
    sums: '<b>Chain sums: reasoning grows.</b> In three runs of 160 steps, held-out accuracy rose from 0.38–0.42 to 0.96–0.97, and length from 16 to 51–52 tokens. Guessing a long sum fails and writing the steps succeeds, so answers with steps take over.',
    countdown:
      '<b>Countdown: reasoning doesn’t pay.</b> Here a guess is as good as the steps that this model knows. Three runs started at 18 tokens and ended at 12, 12 and 14. The same three, with the model’s arithmetic changed in the sixth decimal, ended at 12, 17 and 15. Accuracy rose in all of them, but only because the model learnt the answer format.',
    collapse:
      '<b>Too high a learning rate: collapse.</b> At 1e-3 without decay it learns faster for a dozen steps. Then accuracy falls below 0.01 and doesn’t recover.',
    caution:
      'When the model starts to write “wait” and to correct itself, be careful what you conclude: in its pretraining data, that word always came with complete steps. Training favours whatever goes along with reward, whether or not it is the cause. All of this was measured, and each case is a preset on the <train>Train page</train>. Your seed may give a different result, and the charts will show it.',
  },
  credits: {
    title: 'Thanks to',
    papers: 'Papers',
    programs: 'Software',
    notices: 'This page also contains code of other projects: <notices>their names and licences</notices>.',
    // What each paper or program gave to this project.
    gave: {
      cispo: 'CISPO: clip the weight, keep the gradient',
      dapo: 'averaging over tokens, and a looser upper clip',
      dawn: 'WebGPU outside the browser, and imports for its shaders',
      drGrpo: 'Dr. GRPO, and why 1/length favours long wrong answers',
      flashAttention: 'attention in tiles, and split along the sequence for a single token',
      ggml: 'GGUF, its block formats and how they round',
      grpo: 'GRPO: the group is the baseline',
      gspo: 'one ratio for a whole sequence',
      llmC: 'layers with explicit forward and backward passes',
      lora: 'adapters that learn while a large model stays as it is',
      parity: 'the parity task, and why long chains win',
      r1: 'rule-based rewards, the think block, reasoning from reinforcement learning alone',
      sapo: 'a soft gate instead of a clip',
      star: 'learning from your own right answers',
      transformers: 'the logits and gradients that this project is checked against',
      trl: 'names, defaults and the exact losses that this project is checked against',
    },
  },
  docs: { title: 'Read more' },
} as const;
