/**
 * @file The Models page on a library in memory, for working on its look: `npx vite`, then
 * `/tests/ui/preview/models.html?theme=dark&empty`. Not part of the app.
 */
import { mount } from 'svelte';
import '../../../src/ui/shell/theme.css';
import ModelsPage from '../../../src/ui/pages/models/ModelsPage.svelte';
import { ModelsState } from '../../../src/ui/pages/models/list/models-state.svelte';
import { ModelPreview } from '../../../src/ui/pages/models/add/preview.svelte';
import { FakeLibrary, stored } from '../pages/models/fake-library';

const query = new URLSearchParams(location.search);
const theme = query.get('theme');
if (theme) document.documentElement.dataset['theme'] = theme;

const library = new FakeLibrary();
if (query.has('small')) library.use = { usage: 59.5e9, quota: 60e9, persisted: true };
const models = new ModelsState(library);
if (!query.has('empty')) {
  library.models = [
    stored('Qwen2.5-0.5B-Instruct'),
    stored('qwen3-0.6b-q4_k_m.gguf', {
      origin: { kind: 'file', name: 'qwen3-0.6b-q4_k_m.gguf' },
      licence: null,
      quantisation: 'Q4_K',
      architecture: 'Qwen3ForCausalLM',
      bytes: 397e6,
      storedBytes: 397e6,
    }),
    stored('SmolLM2-360M-Instruct', { storedBytes: 301e6, bytes: 724e6, complete: false }),
  ];
  const add = (repo: string) => {
    const id = repo.split('/')[1]!;
    const facts = stored(id, { bytes: 3.554e9, parameters: 1.777e9 });
    models.downloads.add({ id, facts, address: { kind: 'hub', repo }, total: facts.bytes });
  };
  add('deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B');
  add('HuggingFaceTB/SmolLM2-1.7B-Instruct');
  add('broken/link');
  library.started[0]!.progress(1.21e9);
}
const preview = new ModelPreview(library);
void models.load();
mount(ModelsPage, { target: document.getElementById('app')!, props: { models, preview, onuse: () => {} } });
