/** @file `pretrain --recipe FILE --out DIR`: makes a base model; goes on from DIR's last checkpoint when there is one. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDecoderConfig } from '../../formats/hf/hf-config';
import { readFolderText, writeModelFolder } from '../../formats/hf/folder';
import { Pretrainer, type PretrainProgress } from '../../rl/pretraining/pretrainer';
import { parseRecipe } from '../../rl/pretraining/recipe';
import { parseOptions } from '../options';
import { JsonLines, writeFolder, writeWhole } from '../files';
import { modelFiles } from '../model-files';
import { openGpu } from '../gpu';

const CHECKPOINT = 'checkpoint.safetensors';
/** Steps whose numbers are read back together, so that the GPU is never waited for. */
const LOG_STEPS = 20;

export async function pretrain(args: string[]): Promise<void> {
  const options = parseOptions(args, {
    recipe: { type: 'string', required: true },
    /** The folder whose config and tokenizer the model gets; its weights, if any, are not read. */
    base: { type: 'string' },
    out: { type: 'string', required: true },
    'max-seconds': { type: 'number', default: Infinity },
    'checkpoint-steps': { type: 'number', default: 500 },
    'micro-batch': { type: 'number', default: 32768 },
  });
  const recipe = parseRecipe(JSON.parse(await readFile(options.recipe, 'utf8')));
  const base = await readFolderText(await modelFiles(options.base ?? join('public/models', recipe.name)));
  // The recipe's sizes win over the base folder's, in what is trained and in what is written.
  const json = { ...JSON.parse(new TextDecoder().decode(base.files.get('config.json'))), ...recipe.model };
  const config = parseDecoderConfig(json);
  base.files.set('config.json', new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`));
  const gpu = await openGpu();
  const trainer = await Pretrainer.create(gpu, config, recipe, options['micro-batch']);
  const checkpoint = join(options.out, CHECKPOINT);
  if (existsSync(checkpoint)) {
    trainer.restore(await readFile(checkpoint));
    console.log(`Going on after step ${trainer.completed} of ${recipe.steps}.`);
  }
  const curve = await JsonLines.open(join(options.out, 'curve.jsonl'), trainer.completed > 0 ? 'all' : 'nothing');
  const started = performance.now();
  const pending: (() => Promise<PretrainProgress>)[] = [];
  const outOfTime = () => performance.now() - started > options['max-seconds'] * 1000;
  while (trainer.completed < recipe.steps && !outOfTime()) {
    pending.push(await trainer.next());
    const last = trainer.completed === recipe.steps || outOfTime();
    if (trainer.completed % LOG_STEPS !== 0 && !last) continue;
    const progress = await Promise.all(pending.splice(0).map((read) => read()));
    const mean = progress.reduce((sum, { loss }) => sum + loss, 0) / progress.length;
    const { step, grad_norm, learning_rate } = progress.at(-1)!;
    if (!Number.isFinite(mean))
      throw new Error(`the loss is ${mean} at step ${step}; lower the recipe's learning_rate`);
    curve.write({ step, loss: mean, grad_norm, learning_rate });
    const seconds = (performance.now() - started) / 1000;
    if (step % (5 * LOG_STEPS) === 0 || last)
      console.log(`step ${step}  loss ${mean.toFixed(4)}  ${seconds.toFixed(0)} s`);
    if (step % options['checkpoint-steps'] === 0 || last) await writeWhole(checkpoint, await trainer.checkpoint());
  }
  await curve.close();
  await writeFolder(options.out, writeModelFolder({ config, files: base.files }, await trainer.parameters(), 'F16'));
  gpu.destroy();
}
