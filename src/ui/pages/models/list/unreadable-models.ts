/** @file Stored models whose manifest can't be read: their files are still there, to be exported and deleted. */
import { lockAcrossTabs } from '../../../../formats/hub/store/lock';
import { openOpfs, opfsFiles } from '../../../../formats/hub/store/opfs';
import { WeightStore } from '../../../../formats/hub/store/weight-store';
import type { UnreadableSource } from '../../../parts/stored/unreadable-list.svelte';

const store = async () => new WeightStore(await openOpfs(), lockAcrossTabs && { exclusive: lockAcrossTabs });

export const unreadableModels: UnreadableSource = {
  of: 'models',
  list: async () => (await (await store()).unreadable()).map(({ id, reason }) => ({ key: id, name: id, reason })),
  // The files lie on disk and stay there until the browser has copied them: they may be larger than the memory.
  export: async ({ key }) =>
    (await opfsFiles(String(key))).map((file) => ({
      name: `${String(key)}-${file.name}`,
      type: 'application/octet-stream',
      bytes: file,
    })),
  delete: async ({ key }) => (await store()).remove(String(key)),
};
