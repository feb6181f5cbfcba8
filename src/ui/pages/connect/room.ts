/** @file The servers of this page. They outlive the Connect page: keys that are not kept live here, and nowhere else. */
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
