/** @file The pages of the app, in the order of the navigation. To add one: `src/ui/<page>/<Page>.svelte`, and a line here. */
import type { Component } from 'svelte';

export interface Page {
  /** In the address: `#/<name>`. */
  name: string;
  title: string;
  load: () => Promise<{ default: Component }>;
  /** On a phone it is in the menu, not in the bar. */
  inMenu?: boolean;
}

export const startPage = 'train';

export const pages: readonly Page[] = [
  { name: 'train', title: 'Train', load: () => import('./train/Train.svelte') },
  { name: 'chat', title: 'Chat', load: () => import('./chat/Chat.svelte') },
  { name: 'models', title: 'Models', load: () => import('./models/Models.svelte') },
  { name: 'eval', title: 'Eval', load: () => import('./eval/Eval.svelte') },
  { name: 'distil', title: 'Distil', load: () => import('./distil/Distil.svelte'), inMenu: true },
  { name: 'connect', title: 'Connect', load: () => import('./connect/Connect.svelte'), inMenu: true },
  { name: 'runs', title: 'Runs', load: () => import('./library/Library.svelte'), inMenu: true },
  { name: 'about', title: 'About', load: () => import('./about/About.svelte'), inMenu: true },
];
