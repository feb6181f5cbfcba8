/** @file Builds and serves the app once for all files of the browser project. */
import type { TestProject } from 'vitest/node';
import { serveApp } from '../support/app';
import setupMachine from '../support/setup';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await setupMachine();
  const app = await serveApp();
  project.provide('appUrl', app.url);
  project.provide('appFolder', app.folder);
  return app.close;
}

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the app is served, with a slash at the end. */
    appUrl: string;
    /** The folder of its build. */
    appFolder: string;
  }
}
