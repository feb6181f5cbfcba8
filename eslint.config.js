/** @file Lint rules, including the floors of docs/architecture.md: a folder imports only from the folders below it. */
import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

/** What each floor of src/ may import from src/, besides itself. */
const floors = {
  i18n: [],
  base: [],
  gpu: ['i18n', 'base'],
  formats: ['i18n', 'base'],
  tasks: ['i18n', 'base'],
  nn: ['i18n', 'base', 'gpu', 'formats'],
  model: ['i18n', 'base', 'gpu', 'formats', 'nn'],
  rl: ['i18n', 'base', 'gpu', 'formats', 'tasks', 'nn', 'model'],
  runs: ['i18n', 'base', 'formats', 'tasks', 'rl'],
  eval: ['i18n', 'base', 'formats', 'tasks', 'rl', 'runs'],
  storage: ['i18n', 'base', 'formats', 'tasks', 'rl', 'runs', 'eval'],
  servers: ['i18n', 'base', 'formats', 'tasks', 'rl', 'runs', 'eval', 'storage'],
  engine: ['i18n', 'base', 'gpu', 'formats', 'tasks', 'nn', 'model', 'rl', 'runs', 'eval', 'storage', 'servers'],
  worker: ['i18n', 'base', 'gpu', 'model', 'formats', 'tasks', 'rl', 'runs', 'eval', 'storage', 'servers', 'engine'],
  cli: ['i18n', 'base', 'gpu', 'formats', 'tasks', 'nn', 'model', 'rl', 'runs', 'eval', 'storage', 'servers', 'engine'],
  ui: ['i18n', 'base', 'formats', 'tasks', 'rl', 'runs', 'eval', 'storage', 'servers', 'engine', 'worker'],
};

const floorRules = Object.entries(floors).map(([floor, below]) => {
  const above = Object.keys(floors).filter((other) => other !== floor && !below.includes(other));
  return {
    files: [`src/${floor}/**`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: `^(\\.\\./)+(${above.join('|')})/`,
              message: `src/${floor} may import only from: ${below.join(', ') || 'nothing else in src'}.`,
            },
          ],
        },
      ],
    },
  };
});

export default ts.config(
  { ignores: ['dist/', '.gpu/', 'coverage/', 'public/', 'node_modules/'] },
  js.configs.recommended,
  ts.configs.recommended,
  svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    rules: {
      // TypeScript knows the names.
      'no-undef': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // An index under noUncheckedIndexedAccess that a loop has proved: `xs[i]!`.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'off',
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser } },
  },
  ...floorRules,
);
