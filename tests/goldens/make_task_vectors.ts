/**
 * @file Writes task_vectors.json: what the tasks, the reading of completions and the rewards give here, for the Python
 * sidecar (remote/) to be held to. Both sides are tested against it: tests/tasks/task-vectors.test.ts and
 * tests/python/test_remote_tasks.py.
 *
 *     node scripts/run-ts.mjs tests/goldens/make_task_vectors.ts
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { taskVectors } from '../support/task-vectors';

const file = fileURLToPath(new URL('task_vectors.json', import.meta.url));
writeFileSync(file, `${JSON.stringify(taskVectors())}\n`);
