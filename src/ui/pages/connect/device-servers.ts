/** @file The servers of this device. They outlive the Connect page, since keys that are not stored exist only here. */
import { ServerStore } from '../../../servers/server-store';
import { ModelLists } from './model-lists';

function local(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}

export const servers = new ServerStore();
export const modelLists = new ModelLists(local());
