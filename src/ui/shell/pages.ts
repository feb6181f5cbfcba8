/** @file The pages of the app, in the order of the navigation. To add one, add `src/ui/pages/<page>/<Page>.svelte` and a line here. */
import type { Component } from 'svelte';
import { t } from '../../i18n';

export interface Page {
  /** In the address: `#/<name>`. */
  name: string;
  title: string;
  load: () => Promise<{ default: Component }>;
  /** On a phone the page is in the menu, not in the bar. */
  inMenu?: boolean;
}

export const startPage = 'train';

export const pages: readonly Page[] = [
  { name: 'train', title: t('shell:pages.train'), load: () => import('../pages/train/Train.svelte') },
  { name: 'chat', title: t('shell:pages.chat'), load: () => import('../pages/chat/Chat.svelte') },
  { name: 'models', title: t('shell:pages.models'), load: () => import('../pages/models/Models.svelte') },
  { name: 'eval', title: t('shell:pages.eval'), load: () => import('../pages/eval/Eval.svelte') },
  { name: 'distil', title: t('shell:pages.distil'), load: () => import('../pages/distil/Distil.svelte'), inMenu: true },
  {
    name: 'connect',
    title: t('shell:pages.connect'),
    load: () => import('../pages/connect/Connect.svelte'),
    inMenu: true,
  },
  { name: 'runs', title: t('shell:pages.runs'), load: () => import('../pages/runs/Runs.svelte'), inMenu: true },
  { name: 'about', title: t('shell:pages.about'), load: () => import('../pages/about/About.svelte'), inMenu: true },
];
