/** @file What tests/browser/remote-adapters.test.ts puts into a page. */
export { diagnose, thisPage } from '../../src/remote/diagnose';
export { ServerKey } from '../../src/remote/key';
export { RemotePolicy } from '../../src/remote/remote-policy';
