/** @file What tests/browser/remote-adapters.test.ts puts into a page. */
export { diagnose, thisPage } from '../../src/servers/diagnose';
export { ServerKey } from '../../src/servers/key';
export { ServerChatModel } from '../../src/servers/chat/server-chat-model';
