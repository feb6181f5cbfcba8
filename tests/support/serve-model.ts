/**
 * @file Serves a toy model at the OpenAI paths, as a teacher for `tinythink distil`:
 *
 *     node scripts/run-ts.mjs tests/support/serve-model.ts FOLDER PORT
 */
import { basename } from 'node:path';
import { openGpu } from '../../src/cli/gpu';
import { modelFiles } from '../../src/cli/model-files';
import { TinyChatModel } from '../../src/engine/chat/tiny-chat-model';
import { openModel } from '../../src/formats/open-model';
import { lastLine, serveChatModel } from './policy-server';

const [folder = '', port = '8000'] = process.argv.slice(2);
const gpu = await openGpu();
const policy = await TinyChatModel.load(gpu, await openModel(await modelFiles(folder)));
const { url } = await serveChatModel(policy, { port: Number(port), question: lastLine, name: basename(folder) });
// Dawn frees what JavaScript no longer holds, and what ran this module forgets it.
Object.assign(globalThis, { held: [openGpu, gpu, policy] });
console.log(`${basename(folder)} at ${url}`);
