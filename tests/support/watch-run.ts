/**
 * @file Watches a run on a real sidecar with the page's own client, takes its last checkpoint, and opens it with the
 * page's own loader. Prints one JSON line.
 *
 *     node scripts/run-ts.mjs tests/support/watch-run.ts http://127.0.0.1:8790 <run id> <empty folder>
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mapFiles } from '../../src/formats/files/memory-files';
import { openModel } from '../../src/formats/open-model';
import { Sidecar } from '../../src/servers/training/sidecar';
import { SidecarTrainer } from '../../src/servers/training/sidecar-trainer';

const [url, id, folder] = process.argv.slice(2) as [string, string, string];
const sidecar = new Sidecar(url);
const info = await sidecar.info();
const trainer = new SidecarTrainer(sidecar);
const types: string[] = [];
await trainer.watch(id, { event: (event) => void types.push(event.type) });
const files = await trainer.exportModel();
for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
const model = await openModel(mapFiles(id, files));
const log = await sidecar.logs(id);
console.log(
  JSON.stringify({
    models: info.models,
    types,
    ended: trainer.hasEnded,
    files: [...files.keys()],
    tensors: model.tensors.size,
    log: log.length,
  }),
);
process.exit(0);
