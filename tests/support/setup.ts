/** @file Runs once before the gpu and browser projects: a browser is here, and the adapters that will be tested are named. */
import { adapters } from './adapter';
import { findOrInstallChrome } from './chrome';

export default async function setup(): Promise<void> {
  // Once a run, though three projects ask for it.
  if (process.env.TINYTHINK_SETUP) return;
  process.env.TINYTHINK_SETUP = 'done';
  findOrInstallChrome();
  const names = (await adapters()).map((adapter) => adapter.name);
  console.log(`Kernel tests run on: ${names.join(', ')}.`);
  if (process.platform === 'linux' && !names.includes('llvmpipe')) {
    console.log('  No llvmpipe (it needs Mesa 25): the f16 and subgroup variants of kernels are not covered here.');
  }
}
