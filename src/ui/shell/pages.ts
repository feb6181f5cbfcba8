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
  { name: 'train', title: 'Train', load: () => import('../pages/train/Train.svelte') },
  { name: 'chat', title: 'Chat', load: () => import('../pages/chat/Chat.svelte') },
  { name: 'models', title: 'Models', load: () => import('../pages/models/Models.svelte') },
  { name: 'eval', title: 'Eval', load: () => import('../pages/eval/Eval.svelte') },
  { name: 'distil', title: 'Distil', load: () => import('../pages/distil/Distil.svelte'), inMenu: true },
  { name: 'connect', title: 'Connect', load: () => import('../pages/connect/Connect.svelte'), inMenu: true },
  { name: 'runs', title: 'Runs', load: () => import('../pages/runs/Library.svelte'), inMenu: true },
  { name: 'about', title: 'About', load: () => import('../pages/about/About.svelte'), inMenu: true },
];
