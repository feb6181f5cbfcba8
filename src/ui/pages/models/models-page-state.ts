/** @file The state of the Models page. It outlives the page, so that downloads continue while another page is open. */
import type { ModelAddress } from '../../../formats/hub/model-address';
import type { ModelLibrary } from '../../../worker/protocol';
import { engine } from '../../../worker/client';
import { activity } from '../../shell/activity.svelte';
import { ModelPreview } from './add/preview.svelte';
import { withPaths } from './files';
import { ModelsState } from './list/models-state.svelte';
import { unreadableModels } from './list/unreadable-models';

const sendable = (address: ModelAddress): ModelAddress =>
  address.kind === 'files' ? { kind: 'files', files: withPaths(address.files) } : address;

/** Always the current engine: a new one replaces one that crashed. */
const library: ModelLibrary = {
  inspectModel: (address, ...rest) => engine().inspectModel(sendable(address), ...rest),
  storedModels: () => engine().storedModels(),
  downloadModel: (address, ...rest) => engine().downloadModel(sendable(address), ...rest),
  cancelDownload: (id) => engine().cancelDownload(id),
  removeModel: (id) => engine().removeModel(id),
  storageUse: () => engine().storageUse(),
};

export const models = new ModelsState(library, activity, undefined, unreadableModels);
export const preview = new ModelPreview(library);
