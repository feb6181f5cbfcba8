/** @file The page's models and what is being added to them. They outlive the Models page, so that downloads go on. */
import type { ModelAddress } from '../../../formats/hub/model-address';
import type { ModelLibrary } from '../../../worker/protocol';
import { engine } from '../../../worker/client';
import { activity } from '../../shell/activity.svelte';
import { withPaths } from './files';
import { ModelsState } from './models-state.svelte';
import { Offer } from './offer.svelte';

const sendable = (address: ModelAddress): ModelAddress =>
  address.kind === 'files' ? { kind: 'files', files: withPaths(address.files) } : address;

/** The engine of the moment: another one after it died. */
const library: ModelLibrary = {
  inspectModel: (address, ...rest) => engine().inspectModel(sendable(address), ...rest),
  storedModels: () => engine().storedModels(),
  downloadModel: (address, ...rest) => engine().downloadModel(sendable(address), ...rest),
  cancelDownload: (id) => engine().cancelDownload(id),
  removeModel: (id) => engine().removeModel(id),
  storageUse: () => engine().storageUse(),
};

export const models = new ModelsState(library, activity);
export const offer = new Offer(library);
