/** @file The pages of the app, in the order of the navigation. To add one: `src/ui/<page>/<Page>.svelte`, and a line here. */
import type { Component } from 'svelte';

export interface Page {
  /** In the address: `#/<name>`. */
  name: string;
  title: string;
  load: () => Promise<{ default: Component }>;
}

export const startPage = 'train';

export const pages: readonly Page[] = [
  { name: 'train', title: 'Train', load: () => import('./train/Train.svelte') },
  { name: 'chat', title: 'Chat', load: () => import('./chat/Chat.svelte') },
  { name: 'models', title: 'Models', load: () => import('./models/Models.svelte') },
  { name: 'runs', title: 'Runs', load: () => import('./library/Library.svelte') },
  { name: 'about', title: 'About', load: () => import('./about/About.svelte') },
];
